"""Callback: hooks that fit, evaluate and predict call; CallbackList: calls many as one."""

from __future__ import annotations

from typing import Any

Logs = dict[str, Any]


class Callback:
    """Base of everything that watches or steers a training; override the hooks you need.

    Inside a hook, `self.model` is the model and `self.params` a dict with ``verbose``,
    ``epochs`` and ``steps``. Setting ``self.model.stop_training = True`` ends the training after
    the current batch (in a batch hook) or epoch. `logs` holds the running means of the loss and
    the metrics, as plain floats; an ``on_epoch_end`` hook may add keys, which then appear in the
    progress line and in the History.

    A callback that overrides a hook for single batches makes fit return to Python after every
    batch; without one an epoch is one call into the engine.

    Examples
    --------
    >>> class PrintRatio(Callback):
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         print(f"val/train: {logs['val_loss'] / logs['loss']:.2f}")
    """

    every_batch = True
    """Whether a batch hook must see every single batch; the progress bar is content with some."""

    def __init__(self) -> None:
        self.params: dict[str, Any] = {}
        self._model: Any = None

    # A subclass that forgets super().__init__() still works.
    params: dict[str, Any] = {}  # replaced as a whole, never changed
    _model: Any = None

    @property
    def model(self) -> Any:
        return self._model

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params

    def set_model(self, model: Any) -> None:
        self._model = model

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Called once, before the first epoch of fit."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Called once, after the last epoch of fit, with the logs of that epoch."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Called before each epoch; `epoch` counts from 0."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Called after each epoch and its validation."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before each batch of fit; calls `on_batch_begin`."""
        self.on_batch_begin(batch, logs=logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after each batch of fit; calls `on_batch_end`."""
        self.on_batch_end(batch, logs=logs)

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """An older name of `on_train_batch_begin`."""

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """An older name of `on_train_batch_end`."""

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Called before evaluate, and before each validation of fit."""

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Called after evaluate, and after each validation of fit."""

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before each batch of evaluate or of a validation."""

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after each batch of evaluate or of a validation."""

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Called before predict."""

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Called after predict."""

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before each batch of predict."""

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after each batch of predict; ``logs["outputs"]`` has the batch's outputs."""


def _overridden(callback: Any, hook: str) -> bool:
    """Return whether `callback` does something in `hook`, by class or by instance attribute."""
    method = getattr(callback, hook, None)
    return getattr(method, "__func__", method) is not getattr(Callback, hook)


_BATCH_HOOKS = {
    "train": ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end"),
    "test": ("on_test_batch_begin", "on_test_batch_end"),
    "predict": ("on_predict_batch_begin", "on_predict_batch_end"),
}


class CallbackList(Callback):
    """Calls the hooks of many callbacks in their order.

    Parameters
    ----------
    callbacks : Callback, or list of Callback (lists may nest), or None
    add_history : bool
        Append a `History` unless there is one.
    add_progbar : bool
        Append a `ProgbarLogger` unless there is one.
    model : Model or None
    **params
        What the callbacks find in `self.params`.

    Raises
    ------
    TypeError
        If something in the list has none of the hooks, for example a class instead of an
        instance.
    """

    def __init__(
        self,
        callbacks: Any = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: Any = None,
        **params: Any,
    ) -> None:
        from fastnn.callbacks.history import History
        from fastnn.callbacks.progress import ProgbarLogger

        super().__init__()
        self.callbacks: list[Any] = []
        self._extend(callbacks)
        self.has_guests = bool(self.callbacks)  # others than those added here
        if add_progbar and not any(isinstance(c, ProgbarLogger) for c in self.callbacks):
            self.callbacks.append(ProgbarLogger())
        self.history = next((c for c in self.callbacks if isinstance(c, History)), None)
        if add_history and self.history is None:
            self.history = History()
            self.callbacks.append(self.history)
        self.set_params(params)
        if model is not None:
            self.set_model(model)

    def _extend(self, callbacks: Any) -> None:
        if callbacks is None:
            return
        if isinstance(callbacks, CallbackList):
            callbacks = callbacks.callbacks
        if isinstance(callbacks, (list, tuple)):
            for callback in callbacks:
                self._extend(callback)
            return
        if isinstance(callbacks, type):
            raise TypeError(
                f"callbacks expects instances, got the class {callbacks.__name__}: "
                f"write {callbacks.__name__}(...) with its arguments"
            )
        if not isinstance(callbacks, Callback) and not hasattr(callbacks, "set_model"):
            raise TypeError(
                f"callbacks expects Callback objects, got {type(callbacks).__name__}: derive it "
                f"from fastnn.callbacks.Callback, or wrap a function in LambdaCallback(...)"
            )
        self.callbacks.append(callbacks)

    def append(self, callback: Any) -> None:
        self._extend(callback)

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params
        for callback in self.callbacks:
            callback.set_params(params)

    def set_model(self, model: Any) -> None:
        self._model = model
        if self.history is not None:
            model.history = self.history
        for callback in self.callbacks:
            callback.set_model(model)

    def watches_batches(self, mode: str) -> bool:
        """Return whether a callback overrides a batch hook of `mode` at all."""
        return any(_overridden(c, hook) for c in self.callbacks for hook in _BATCH_HOOKS[mode])

    def needs_every_batch(self, mode: str) -> bool:
        """Return whether a callback must be called after each single batch of `mode`."""
        return any(
            getattr(c, "every_batch", True) and _overridden(c, hook)
            for c in self.callbacks
            for hook in _BATCH_HOOKS[mode]
        )

    def on_train_begin(self, logs: Logs | None = None) -> None:
        logs = logs or {}
        for callback in self.callbacks:
            callback.on_train_begin(logs)

    def on_train_end(self, logs: Logs | None = None) -> None:
        logs = logs or {}
        for callback in self.callbacks:
            callback.on_train_end(logs)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        for callback in self.callbacks:
            callback.on_epoch_begin(epoch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = {} if logs is None else logs
        for callback in self.callbacks:
            callback.on_epoch_end(epoch, logs)

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        for callback in self.callbacks:
            callback.on_train_batch_begin(batch, logs=logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        for callback in self.callbacks:
            callback.on_train_batch_end(batch, logs=logs)

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        self.on_train_batch_begin(batch, logs=logs)

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self.on_train_batch_end(batch, logs=logs)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        logs = logs or {}
        for callback in self.callbacks:
            callback.on_test_begin(logs)

    def on_test_end(self, logs: Logs | None = None) -> None:
        logs = logs or {}
        for callback in self.callbacks:
            callback.on_test_end(logs)

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        for callback in self.callbacks:
            callback.on_test_batch_begin(batch, logs=logs)

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        for callback in self.callbacks:
            callback.on_test_batch_end(batch, logs=logs)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        logs = logs or {}
        for callback in self.callbacks:
            callback.on_predict_begin(logs)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        logs = logs or {}
        for callback in self.callbacks:
            callback.on_predict_end(logs)

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        for callback in self.callbacks:
            callback.on_predict_batch_begin(batch, logs=logs)

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        for callback in self.callbacks:
            callback.on_predict_batch_end(batch, logs=logs)
