"""compile, and what a model remembers of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastnn import config
from fastnn.training.arguments import whole
from fastnn.training.arrays import to_array
from fastnn.training.compiling import Compiled
from fastnn.training.engines import Engines

if TYPE_CHECKING:
    from fastnn.callbacks import History


class Compilable:
    """The settings of training; a model provides inputs, outputs, their names and its weights."""

    stop_training = False
    """Set it in a callback to end the training."""

    history: History | None = None
    """The `History` of the last fit."""

    _compiled: Compiled | None = None
    _seed: int | None = None
    _engines_made: Engines | None = None
    _compile_arguments: dict[str, Any] | None = None

    # What a model provides.
    name: str
    built: bool
    inputs: Any
    outputs: Any
    input_names: Any
    output_names: Any
    trainable_weights: Any
    build: Any
    pack_outputs: Any

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: Any = "auto",
        auto_scale_loss: bool = True,
        *,
        engine: str | None = None,
    ) -> None:
        """Choose how the model learns and what it reports.

        Parameters
        ----------
        optimizer : str or Optimizer, default "rmsprop"
        loss : str, Loss, function, or a list or dict (by output name) of them
            A single one serves all outputs; None leaves an output without a loss. One of your own,
            a function ``f(y_true, y_pred)`` or a subclass of Loss, is written in functions of
            `fastnn.ops` or NumPy: it is traced, differentiated and compiled.
        loss_weights : list or dict of float, optional
            The share of each output's loss in the total, default 1.
        metrics, weighted_metrics : list, or for several outputs a list of lists or a dict
            Names, functions or Metric objects. Only `weighted_metrics` use sample weights.
        run_eagerly, steps_per_execution, jit_compile, auto_scale_loss
            Accepted for Keras's sake; they change nothing.
        engine : {"c", "numpy"}, optional
            ``"numpy"`` computes with readable NumPy, to look into; default `config.engine()`.

        Raises
        ------
        ValueError
            For unknown names, or if the entries do not match the
            outputs. The model stays as it was compiled before.

        Examples
        --------
        >>> model.compile("adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        """
        engine = config.engine() if engine is None else engine
        if engine not in ("c", "numpy"):
            raise ValueError(f"compile: engine expects 'c' or 'numpy', got {engine!r}")
        self._compiled = Compiled(
            optimizer=optimizer,
            loss=loss,
            loss_weights=loss_weights,
            metrics=metrics,
            weighted_metrics=weighted_metrics,
            engine=engine,
            output_names=self.output_names if self.outputs else None,
        )
        self._compile_arguments = {
            "loss": loss,
            "loss_weights": loss_weights,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
            "run_eagerly": run_eagerly,
            "steps_per_execution": steps_per_execution,
            "jit_compile": jit_compile,
        }
        if self._seed is None:
            self._seed = config.next_seed()
        self._engines.forget()
        self.stop_training = False

    @property
    def compiled(self) -> bool:
        """Whether `compile` was called."""
        return self._compiled is not None

    @property
    def optimizer(self) -> Any:
        """The optimizer, or None before `compile`."""
        return None if self._compiled is None else self._compiled.optimizer

    @property
    def loss(self) -> Any:
        """The loss as it was compiled."""
        return None if self._compiled is None else self._compiled.loss

    @property
    def seed(self) -> int:
        """What shuffling and dropout draw from, besides the number of the step.

        Drawn by the first `compile`, or set: models of equal weights, optimizers and seeds train
        alike to the last bit.
        """
        if self._seed is None:
            self._seed = config.next_seed()
        return self._seed

    @seed.setter
    def seed(self, value: int) -> None:
        self._seed = whole(value, "seed", "model", least=0) % 2**64

    @property
    def metrics(self) -> list[Any]:
        """The metrics as objects, in the order of their results; empty before the first fit."""
        program = self._engines.program if self._compiled else None
        return [] if program is None else list(program.metric_objects)

    @property
    def metrics_names(self) -> list[str]:
        """The names of what `evaluate` returns, in its order."""
        program = self._engines.program if self._compiled else None
        if program is None:
            return ["loss"] if self.loss is not None else []
        return program.result_names

    @property
    def metric_directions(self) -> dict[str, str | None]:
        """Whether each result should become large ("max") or small ("min"), by name."""
        program = self._engines.program
        if program is None:
            return {}
        return {
            **dict.fromkeys(program.result_names, "min"),
            **{term.name: term.metric.direction for term in program.metrics},
        }

    @property
    def _engines(self) -> Engines:
        if self._engines_made is None:
            self._engines_made = Engines()
        return self._engines_made

    def _require_compiled(self, method: str) -> Compiled:
        if self._compiled is None:
            raise RuntimeError(
                f"{method}: model '{self.name}' is not compiled yet: call "
                "model.compile(optimizer=..., loss=...) first"
            )
        return self._compiled

    def _require_built(self, x: Any, method: str) -> None:
        """Build a model whose input shape only the data tells."""
        if self.outputs:
            return
        array = to_array(x, f"{method}: x")
        self.build((None, *array.shape[1:]))
