"""fit, evaluate and their one-batch forms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn.callbacks import CallbackList
from fastnn.ops.tensor import describe
from fastnn.program import trace_network
from fastnn.training.arguments import (
    batch_size_of,
    check_frequency,
    optional_whole,
    split_point,
    truth,
    unpack_validation,
    validates,
    verbosity,
    whole,
)
from fastnn.training.compilable import Compilable
from fastnn.training.data import Data, class_weights_to_rows, read_data
from fastnn.training.diagnosis import LossWatch
from fastnn.training.engines import require_derivatives
from fastnn.training.labels import advise, advise_batches, check_labels
from fastnn.training.loops import (
    QUIET,
    SHOWN,
    Pace,
    Passes,
    test_steps,
    train_call,
    train_steps,
)
from fastnn.training.profiling import report

if TYPE_CHECKING:
    from fastnn.callbacks import History
    from fastnn.program import Program
    from fastnn.training.compiling import Compiled


CHECKED_ROWS = 8
"""So many rows are enough to compare a stated gradient with differences."""

Results = float | list[float] | dict[str, float]


class Fitting(Compilable):
    """Training and evaluation."""

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: dict[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: Any = 1,
        *,
        profile: bool = False,
        allow_zero_gradient: bool = False,
    ) -> History:
        """Train the model.

        Parameters
        ----------
        x, y : array, or for several inputs or outputs a list or a dict by name
            One row per sample; arrays of any number type and order, lists, pandas objects,
            memory-mapped files. Rows are converted batch by batch, never copied as a whole.
        batch_size : int, optional
            Default 32, or with `steps_per_epoch` what divides the rows into so many batches.
        epochs : int
            The number of the last epoch; training starts at `initial_epoch`.
        verbose : {"auto", 0, 1, 2}
            Silent, a progress bar (also "auto"), or one line per epoch.
        callbacks : list of Callback, optional
        validation_split : float, default 0
            The share of the rows, the last ones before any shuffling, that is kept for
            validation.
        validation_data : (x, y) or (x, y, sample_weight), optional
            Takes precedence over `validation_split`.
        shuffle : bool, default True
            Visit the rows in a new order every epoch.
        class_weight : dict of int to float, optional
            Weights of the rows by their class, 1 for classes left out; not for validation.
        sample_weight : array of shape (n,), optional
            Weights of the rows in the loss; for several outputs a list or dict.
        initial_epoch : int, default 0
        steps_per_epoch : int, optional
            Batches per epoch; the next epoch goes on behind them.
        validation_steps : int, optional
            Validate on only so many batches, or on all rows in so many if no batch size is given.
        validation_batch_size : int, optional
            Default `batch_size` if that was given.
        validation_freq : int or list of int, default 1
            Validate every so many epochs, or after the listed ones (from 1).
        profile : bool, default False
            fastnn's own: at the end print the time of every operation of a training step, how fast
            it ran, and what share that is of this machine's measured peak (above 100 % if the
            processor's clock or a cache was faster than in that measurement). C engine only.
            Timing divides the work evenly: threads do not help each other, and large batches do
            not pass in parts, so that a step takes a little longer than without it.
        allow_zero_gradient : bool, default False
            fastnn's own: train also where the derivative of the loss by every weight is zero
            everywhere, as behind `round` or `argmax`: nothing is learned. By default an error.

        Returns
        -------
        History
            ``history.history["val_loss"]`` lists the validation loss of every epoch. The loss
            and metrics of training are measured while the weights change.

        Raises
        ------
        RuntimeError
            Before `compile`.
        ValueError, TypeError
            If an argument or the data does not fit; nothing was changed then.
        """
        compiled = self._require_compiled("fit")
        given = optional_whole(batch_size, "batch_size", "fit")
        epochs = whole(epochs, "epochs", "fit", least=0)
        initial_epoch = whole(initial_epoch, "initial_epoch", "fit", least=0)
        steps_per_epoch = optional_whole(steps_per_epoch, "steps_per_epoch", "fit")
        validation_steps = optional_whole(validation_steps, "validation_steps", "fit")
        validation_size = optional_whole(validation_batch_size, "validation_batch_size", "fit")
        check_frequency(validation_freq)
        level = verbosity(verbose, "fit")
        shuffle = truth(shuffle, "shuffle", "fit")
        if profile and compiled.engine == "numpy":
            raise ValueError(
                "fit: profile=True times the C engine, but this model was compiled with "
                "engine='numpy': compile it with engine='c'"
            )

        with self._engines.working:
            train, validation = self._prepare(
                compiled, x, y, sample_weight, class_weight, validation_split, validation_data,
                truth(allow_zero_gradient, "allow_zero_gradient", "fit"),
            )  # fmt: skip
            batch_size = min(batch_size_of(given, steps_per_epoch, train.rows), train.rows)
            if batch_size < train.rows and self._engines.program is not None:
                advise_batches(self._engines.program)
            hooks = CallbackList(
                callbacks,
                add_history=True,
                add_progbar=level > 0,
                verbose=level,
                epochs=epochs,
                steps=steps_per_epoch or -(-train.rows // batch_size),
            )
            hooks.set_model(self)
            assert hooks.history is not None
            self.stop_training = False
            passes = Passes(self, train.rows, batch_size, shuffle, steps_per_epoch)
            watch = LossWatch(self, train, hooks)
            logs: dict[str, Any] = {}
            slot = profiled = None
            steps = 0
            try:
                hooks.on_train_begin()
                for epoch in range(initial_epoch, epochs):
                    hooks.on_epoch_begin(epoch)
                    if slot is None or hooks.has_guests:  # one may have frozen a layer
                        self._engines.build(self, compiled, train)
                        slot = self._engines.training(compiled.engine, batch_size)
                        pace = _pace(hooks, "train", slot.speed)
                    if profile and slot is not profiled:
                        slot.engine.profile(True)
                        profiled, steps = slot, 0
                    slot.reset()
                    rows = passes.next_epoch()
                    lock = self._engines.lock
                    done = train_steps(self, slot, train, rows, batch_size, hooks, pace, lock)
                    passes.advance(done)
                    slot.speed = pace.speed
                    steps += done
                    logs = dict(sorted(slot.results().items()))
                    loss = logs["loss"]
                    if validation is not None and validates(epoch, validation_freq):
                        size = validation_size or given
                        results = self._test(compiled, validation, size, validation_steps, hooks)
                        logs |= {f"val_{name}": v for name, v in results.items()}
                        logs = dict(sorted(logs.items()))
                    hooks.on_epoch_end(epoch, logs)
                    watch.look(loss, epoch, slot.program)
                    if self.stop_training:
                        break
                hooks.on_train_end(logs)
                if profiled is not None and steps:
                    print(report(profiled.program, profiled.engine, steps, batch_size))
            finally:
                if profiled is not None:
                    profiled.engine.profile(False)
                self._engines.release()
        return hooks.history

    def _prepare(
        self,
        compiled: Compiled,
        x: Any,
        y: Any,
        sample_weight: Any,
        class_weight: Any,
        validation_split: float,
        validation_data: Any,
        allow_zero_gradient: bool,
    ) -> tuple[Data, Data | None]:
        """Check all that fit was given, and build the program; return training and validation."""
        data, program = self._read(compiled, x, y, sample_weight, "fit")
        self._require_trainable(program, "fit", allow_zero_gradient)
        self._check_gradients(compiled, program, data)
        train, validation, kept = data, None, None
        if validation_data is not None:
            vx, vy, vw = unpack_validation(validation_data)
            validation, _ = self._read(compiled, vx, vy, vw, "fit: validation_data", program)
        elif validation_split:
            kept = split_point(data.rows, validation_split)
            train, validation = data.part(0, kept), data.part(kept, data.rows)
        if class_weight is not None:
            train = _weighted(train, class_weight, self.output_names, "fit")
            program = self._engines.build(self, compiled, train)
        advise(program, data, split=kept is not None)
        return train, validation

    def _require_trainable(
        self, program: Program, method: str, allow_zero_gradient: bool = False
    ) -> None:
        if not program.losses and not program.penalties:
            raise ValueError(
                f"{method}: model '{self.name}' has no loss to minimize: give compile a loss, "
                "for example loss='mse'"
            )
        updated = {id(update.variable) for update in program.updates}
        stuck = any(id(variable) not in updated for variable in program.trainable)
        flat = _flat_layer(program) if stuck else ""
        if flat and not allow_zero_gradient:
            raise ValueError(f"{method}: {flat}")
        if program.trainable and not program.updates and not allow_zero_gradient:
            raise ValueError(f"{method}: {_why_flat(program)}")
        if program.trainable and not program.updates:
            return
        if not program.updates:
            raise ValueError(
                f"{method}: model '{self.name}' has no trainable weights: set layer.trainable = "
                "True for some layer"
            )
        require_derivatives(program)  # before a callback prints anything

    def _check_gradients(self, compiled: Compiled, program: Program, data: Data) -> None:
        """Compare the gradients that losses state with differences, when they are first trained."""
        due = [
            term for term in program.losses
            if term.loss.states_gradient and not term.loss._gradient_checked
        ]  # fmt: skip
        if not due:
            return
        few = data.part(0, min(data.rows, CHECKED_ROWS))
        few.targets, targets = [], few.targets
        with self._engines.lock:
            slot = self._engines.predicting(self, compiled.engine, few.rows, few.rows)
            made = slot.program
            outputs = [
                np.empty((few.rows, *made.tensors[i].shape), made.dtype) for i in made.outputs
            ]
            slot.bind(Data(few.inputs, [], [], few.rows, few.shapes))
            try:
                slot.engine.predict(0, few.rows, outputs)
            finally:
                slot.release()
        for term in due:
            target = targets[term.target]
            assert target is not None
            p = outputs[program.targets[term.target].output].astype(np.float64)
            term.loss.check_gradient(target.astype(np.float64), p)

    def _require_targets(self, compiled: Compiled, data: Data, method: str) -> None:
        names = list(self.output_names)
        loss, metrics, weighted, _ = compiled.per_output(names)
        wanted = [
            one is not None or bool(some) or bool(more)
            for one, some, more in zip(loss, metrics, weighted, strict=True)
        ]
        if not any(wanted) and not self._adds_losses():
            raise ValueError(
                f"{method}: model '{self.name}' was compiled without loss and metrics: give "
                "compile a loss, for example loss='mse'"
            )
        for name, needed, target in zip(names, wanted, data.targets, strict=True):
            if needed and target is None:
                which = f" for output '{name}'" if len(names) > 1 else ""
                raise ValueError(
                    f"{method} needs y{which}: the right answers to compare the output with, one "
                    "row per row of x"
                )

    def _adds_losses(self) -> bool:
        """Whether layers of the model add to its loss, so that it needs no other."""
        dtype = self.outputs[0].dtype
        return bool(trace_network(self.inputs, self.outputs, dtype, training=True).penalties)

    def _read(
        self,
        compiled: Compiled,
        x: Any,
        y: Any,
        sample_weight: Any,
        method: str,
        program: Program | None = None,
    ) -> tuple[Data, Program]:
        """Check the data; return it as the program (by default one made for it) binds it."""
        self._require_built(x, method)
        data = read_data(self, x, y, sample_weight, method=method)
        self._require_targets(compiled, data, method)
        if program is None:
            afresh = method in ("fit", "evaluate")
            program = self._engines.build(self, compiled, data, afresh=afresh)
        data = data.for_program(program, method)
        check_labels(program, data, method)
        return data, program

    # --- evaluate -------------------------------------------------------------------------

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
    ) -> Results:
        """Compute the loss and the metrics on data, without training.

        Parameters
        ----------
        x, y, sample_weight
            As for `fit`.
        batch_size : int, optional
            Default 32, or with `steps` what divides the rows into so many batches.
        verbose : {"auto", 0, 1, 2}
        steps : int, optional
            Only so many batches.
        callbacks : list of Callback, optional
        return_dict : bool
            Return the results by name.

        Returns
        -------
        float, list of float, or dict
            The loss alone if there is nothing else; a list is ordered as `metrics_names`: loss,
            metrics as compiled, then the losses of single outputs.

        Raises
        ------
        RuntimeError
            Before `compile`.
        ValueError, TypeError
            If an argument or the data does not fit.
        """
        compiled = self._require_compiled("evaluate")
        given = optional_whole(batch_size, "batch_size", "evaluate")
        steps = optional_whole(steps, "steps", "evaluate")
        level = verbosity(verbose, "evaluate")
        with self._engines.working:
            data, program = self._read(compiled, x, y, sample_weight, "evaluate")
            batches = -(-data.rows // batch_size_of(given, steps, data.rows))
            hooks = callbacks
            if not isinstance(callbacks, CallbackList):
                hooks = CallbackList(
                    callbacks,
                    add_progbar=level > 0,
                    verbose=level,
                    epochs=1,
                    steps=batches if steps is None else min(steps, batches),
                )
                hooks.set_model(self)
            try:
                results = self._test(compiled, data, given, steps, hooks)
            finally:
                self._engines.release_testing()
        return _returned(results, program, return_dict)

    def _test(
        self, compiled: Compiled, data: Data, given: int | None, steps: int | None, hooks: Any
    ) -> dict[str, float]:
        """Evaluate on data, with the hooks of evaluate."""
        self._engines.build(self, compiled, data)
        batch_size = batch_size_of(given, steps, data.rows)
        rows = np.arange(data.rows if steps is None else min(data.rows, steps * batch_size))
        batch_size = min(batch_size, len(rows))
        slot = self._engines.testing(compiled.engine, batch_size)
        hooks.on_test_begin()
        lock, pace = self._engines.lock, _pace(hooks, "test")
        results = test_steps(slot, data, rows, batch_size, hooks, pace, lock)
        hooks.on_test_end(dict(sorted(results.items())))
        return results

    # --- one batch ------------------------------------------------------------------------

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: dict[int, float] | None = None,
        return_dict: bool = False,
    ) -> Results:
        """Take one training step on one batch; return its loss and metrics like `evaluate`.

        The values are those of this batch alone, measured before the step.
        """
        compiled = self._require_compiled("train_on_batch")
        with self._engines.working:
            data, program = self._read(compiled, x, y, sample_weight, "train_on_batch")
            self._require_trainable(program, "train_on_batch")
            if class_weight is not None:
                data = _weighted(data, class_weight, self.output_names, "train_on_batch")
                program = self._engines.build(self, compiled, data)
            with self._engines.lock:
                slot = self._engines.training(compiled.engine, data.rows)
                slot.reset()
                slot.bind(data)
                try:
                    train_call(slot, np.arange(data.rows), data.rows, self.optimizer, self.seed)
                finally:
                    slot.release()
                results = slot.results()
        return _returned(results, program, return_dict)

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> Results:
        """Compute loss and metrics of one batch, returned like those of `evaluate`."""
        compiled = self._require_compiled("test_on_batch")
        with self._engines.working:
            data, program = self._read(compiled, x, y, sample_weight, "test_on_batch")
            with self._engines.lock:
                slot = self._engines.testing(compiled.engine, data.rows)
                slot.reset()
                slot.bind(data)
                try:
                    slot.engine.evaluate(np.arange(data.rows), data.rows)
                finally:
                    slot.release()
                results = slot.results()
        return _returned(results, program, return_dict)


def _weighted(data: Data, class_weight: Any, names: Any, method: str) -> Data:
    """Return the data with the sample weights that `class_weight` means."""
    if len(names) > 1:
        raise ValueError(
            f"{method}: class_weight is for models with one output, this one has {list(names)}: "
            "use sample_weight"
        )
    if data.weights[0] is not None:
        raise ValueError(
            f"{method}: class_weight and sample_weight cannot be combined: multiply them "
            "yourself and pass sample_weight"
        )
    target = data.targets[0]
    assert target is not None
    weights = class_weights_to_rows(class_weight, target, method)
    return Data(data.inputs, data.targets, [weights], data.rows, data.shapes)


def _flat_layer(program: Program) -> str:
    """Say which layer lets no gradient through, and by which operation; "" if there is none."""
    for op in program.forward:
        for tensor in op.attrs.get("flat", ()):
            place = describe(tensor.line).removesuffix(": ")
            return (
                f"layer '{tensor.layer}' cannot be trained through: '{tensor.op.name}'"
                f"{f' in {place}' if place else ''} has derivative 0 everywhere, so no weight in "
                "front of it would change. Use a smooth function in its place (sigmoid or tanh "
                "for a step), or pass allow_zero_gradient=True to fit"
            )
    return ""


def _why_flat(program: Program) -> str:
    """Say why no weight has a gradient: the operations of slope 0 that the losses end in."""
    for term in program.losses:
        for tensor in term.flat:
            place = describe(tensor.line).removesuffix(": ")
            return (
                f"loss '{term.loss.name}' cannot be minimized: '{tensor.op.name}' in {place} has "
                "derivative 0 everywhere, so no weight would change. Use a smooth function in its "
                "place (probabilities rather than rounded ones), make it a metric, or pass "
                "allow_zero_gradient=True to fit"
            )
    names = ", ".join(f"'{term.loss.name}'" for term in program.losses)
    return (
        f"loss {names} cannot be minimized: it does not depend on the predictions, so no weight "
        "would change. Compute it from y_pred, or pass allow_zero_gradient=True to fit"
    )


def _pace(hooks: CallbackList, mode: str, speed: float = 0.0) -> Pace:
    budget = SHOWN if hooks.watches_batches(mode) else QUIET
    return Pace(budget, single=hooks.needs_every_batch(mode), speed=speed)


def _returned(results: dict[str, float], program: Program, return_dict: bool) -> Results:
    """Return results as Keras does: a dict, a list, or a number if there is but one."""
    if return_dict:
        return dict(sorted(results.items()))
    values = [results[name] for name in program.result_names]
    return values[0] if len(values) == 1 else values
