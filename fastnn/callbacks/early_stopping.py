"""EarlyStopping: ends a training that no longer gets better."""

from __future__ import annotations

from typing import Any

from fastnn.callbacks.base import Logs
from fastnn.callbacks.monitor import MonitorCallback, check_numbers


class EarlyStopping(MonitorCallback):
    """Stop when the monitored value has not improved for `patience` epochs.

    Parameters
    ----------
    monitor : str, default "val_loss"
    min_delta : float, default 0
        A change of at most this much is no improvement.
    patience : int, default 0
        Epochs without improvement after which training stops.
    verbose : int, default 0
        1 prints when it stops and when it restores weights.
    mode : {"auto", "min", "max"}
    baseline : float or None
        While the value has not beaten this, patience keeps running even if the value improves.
    restore_best_weights : bool, default False
        At the end of training go back to the weights of the best epoch, also when training ran
        to its last epoch.
    start_from_epoch : int, default 0
        Epochs to let pass before watching.

    Raises
    ------
    ValueError
        If no number is given where one is expected; at the end of the first epoch, if `mode` is
        "auto" and the metric is unknown.

    Examples
    --------
    >>> stop = EarlyStopping(patience=10, restore_best_weights=True)
    >>> history = model.fit(
    ...     x, y, epochs=1000, validation_split=0.2, callbacks=[stop], verbose=0
    ... )
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta=min_delta, patience=patience)
        check_numbers(
            type(self).__name__,
            baseline=0 if baseline is None else baseline,
            start_from_epoch=start_from_epoch,
        )
        self.verbose = verbose
        self.baseline = baseline
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = start_from_epoch
        self.wait = 0
        self.stopped_epoch = 0
        self.best_epoch = 0
        self.best_weights: Any = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.wait = 0
        self.stopped_epoch = 0
        self.best = None
        self.best_epoch = 0
        self.best_weights = None

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.find_direction()
        current = self.monitored(logs, "stopping early")
        if current is None or epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            # Even a first value that is NaN leaves something to go back to.
            self.best_weights = self.model.get_weights()
            self.best_epoch = epoch
        self.wait += 1
        if self.improves(current, self.best):
            self.best = current
            self.best_epoch = epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.baseline is None or self.improves(current, self.baseline):
                self.wait = 0
            return
        if self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.stopped_epoch > 0 and self.verbose > 0:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose > 0:
                print(
                    "Restoring model weights from the end of the best epoch: "
                    f"{self.best_epoch + 1}."
                )
            self.model.set_weights(self.best_weights)
