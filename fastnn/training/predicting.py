"""predict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import config
from fastnn.callbacks import CallbackList
from fastnn.graph import changes
from fastnn.training.arguments import batch_size_of, optional_whole, verbosity
from fastnn.training.compilable import Compilable
from fastnn.training.data import read_data
from fastnn.training.loops import QUIET, SHOWN, Pace, predict_steps

if TYPE_CHECKING:
    from fastnn.training.engines import Slot

FLOAT32 = np.dtype(np.float32)

PATIENCE = 0.5
"""Seconds that predict may take before ``verbose="auto"`` shows a progress bar."""


class Quick:
    """What the next prediction for an array like the last one needs to know."""

    def __init__(self, model: Any, slot: Slot, x: np.ndarray, output: np.ndarray) -> None:
        self.slot = slot
        self.engine = model._compiled.engine if model.compiled else None
        self.outputs = model.outputs
        self.changes = changes()
        self.sample = x.shape[1:]
        self.result = output.shape[1:]
        self.dtype = output.dtype


def given_outputs(
    model: Any, out: Any, shapes: list[tuple[int, ...]], dtype: str, inputs: list[np.ndarray]
) -> list[np.ndarray]:
    """Return the arrays of `out` in the order of the outputs.

    Raises
    ------
    ValueError, TypeError
        If one is not of that shape and dtype, or not apart from the others, the inputs and the
        model's weights.
    """
    who = "predict: expected out to be"
    places = model.pack_outputs(range(len(shapes)))
    if isinstance(places, dict):
        if not isinstance(out, dict) or out.keys() != places.keys():
            raise ValueError(f"{who} a dict of {list(places)}, got {out!r:.80}")
        arrays = [out[name] for name in places]
    elif len(shapes) == 1 and not isinstance(places, (list, tuple)):
        arrays = [out]
    else:
        if not isinstance(out, (list, tuple)) or len(out) != len(shapes):
            raise ValueError(f"{who} {len(shapes)} arrays, got {out!r:.80}")
        arrays = list(out)
    taken = [*inputs, *(variable.buffer for variable in model.weights)]
    for array, shape in zip(arrays, shapes, strict=True):
        if not isinstance(array, np.ndarray) or isinstance(array, np.ma.MaskedArray):
            raise TypeError(f"{who} a NumPy array, got {type(array).__name__}")
        if array.shape != shape or array.dtype != dtype:
            raise ValueError(
                f"{who} of shape {shape} and dtype {dtype}, got {array.shape} and "
                f"{array.dtype}: make it with np.empty({shape}, np.{dtype})"
            )
        if not array.flags.c_contiguous or not array.flags.writeable:
            raise ValueError(f"{who} C-contiguous and writeable")
        if any(np.may_share_memory(array, other) for other in taken):
            raise ValueError(
                f"{who} an array of its own; it shares memory with x, with another output or with "
                f"a weight: make it with np.empty({shape}, np.{dtype})"
            )
        taken.append(array)
    return arrays


class Predicting(Compilable):
    """Prediction."""

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
        *,
        out: Any = None,
    ) -> Any:
        """Compute the outputs for data; works before `compile`, too.

        Parameters
        ----------
        x : array, or for several inputs a list or a dict by name
            One row per sample.
        batch_size : int, optional
            The unit of `steps` and of callbacks; it changes neither speed nor results. Default 32,
            or with `steps` what divides the rows into so many batches.
        verbose : {"auto", 0, 1, 2}
            "auto" shows a progress bar only if it takes longer than half a second.
        steps : int, optional
            Only so many batches.
        callbacks : list of Callback, optional
        out : ndarray of shape (n, ...), or for several outputs a list or a dict of them, optional
            Where to write the result instead of into new memory: of the model's dtype and
            C-contiguous, sharing no memory with x, with each other or with the model's weights.
            Not in Keras.

        Returns
        -------
        ndarray of shape (n, ...), or a list of them for several outputs; `out` if it was given

        Raises
        ------
        ValueError, TypeError
            If an argument or the data does not fit.

        Examples
        --------
        >>> out = np.empty((len(x), 10), np.float32)
        >>> for _ in range(3):
        ...     result = model.predict(x, out=out)
        >>> result is out
        True
        """
        if (
            batch_size is None
            and steps is None
            and callbacks is None
            and out is None
            and (verbose == "auto" or verbose == 0)
        ):
            output = self._predict_again(x)
            if output is not None:
                return output
        given = optional_whole(batch_size, "batch_size", "predict")
        steps = optional_whole(steps, "steps", "predict")
        return self._predict(x, given, verbose, steps, callbacks, out, "predict")

    def predict_on_batch(self, x: Any) -> Any:
        """Compute the outputs for one batch, silently."""
        output = self._predict_again(x)
        if output is None:
            output = self._predict(x, None, 0, 1, None, None, "predict_on_batch")
        return output

    def _call(self, x: Any) -> Any:
        """Predict, with errors that name the model."""
        output = self._predict_again(x)
        if output is None:
            output = self._predict(x, None, 0, 1, None, None, f"Model '{self.name}'")
        return output

    def _predict_again(self, x: Any) -> np.ndarray | None:
        """Predict for an array like the last one, or return None.

        The same as `_predict` without a layer in between: one row takes microseconds.
        """
        engines = self._engines
        quick = engines.quick
        if (
            quick is None
            or type(x) is not np.ndarray
            or x.dtype is not FLOAT32
            or x.shape[1:] != quick.sample
            or not 0 < len(x) <= quick.slot.capacity
            or quick.outputs is not self.outputs
            or quick.changes != changes()
            or quick.slot.name != (quick.engine or config.engine())
        ):
            return None
        output = np.empty((len(x), *quick.result), quick.dtype)
        with engines.lock:
            quick.slot.bound = None
            engine = quick.slot.engine
            engine.bind((x,))
            try:
                engine.predict(0, len(x), [output])
            finally:
                engine.unbind()
        return output

    def _predict(
        self,
        x: Any,
        given: int | None,
        verbose: Any,
        steps: int | None,
        callbacks: Any,
        out: Any,
        who: str,
    ) -> Any:
        """Predict; the arguments are those of `predict`, checked, and who asks."""
        engines = self._engines
        level = verbosity(verbose, who)
        self._require_built(x, who)
        data = read_data(self, x, method=who)
        size = batch_size_of(given, steps, data.rows)
        if steps is not None:
            data = data.part(0, min(data.rows, steps * size))
        data.targets, data.weights = [], []
        hooks = None
        if level > 0 or callbacks is not None:
            hooks = callbacks if isinstance(callbacks, CallbackList) else CallbackList(
                callbacks,
                add_progbar=level > 0,
                verbose=level,
                epochs=1,
                steps=-(-data.rows // size),
                delay=PATIENCE if verbose == "auto" else 0.0,
            )  # fmt: skip
            hooks.set_model(self)
        name = self._compiled.engine if self._compiled is not None else config.engine()
        with engines.lock:
            slot = engines.predicting(self, name, data.rows, size)
        program = slot.program
        shapes = [(data.rows, *program.tensors[i].shape) for i in program.outputs]
        if out is None:
            outputs = [np.empty(shape, program.dtype) for shape in shapes]
        else:
            outputs = given_outputs(self, out, shapes, program.dtype, data.inputs)
        watched = hooks is not None and hooks.watches_batches("predict")
        pace = Pace(
            SHOWN if watched else QUIET,
            single=hooks is not None and hooks.needs_every_batch("predict"),
            first=max(1, slot.capacity // size),
        )
        if hooks is not None:
            hooks.on_predict_begin()
        try:
            predict_steps(slot, data, outputs, size, hooks, pace, engines.lock, self.pack_outputs)
        finally:
            with engines.lock:
                slot.release()
        if hooks is not None:
            hooks.on_predict_end()
        single = len(data.inputs) == 1 and self.pack_outputs(outputs) is outputs[0]
        if single and not program.mixes_rows:
            engines.quick = Quick(self, slot, data.inputs[0], outputs[0])
        return self.pack_outputs(outputs) if out is None else out
