"""ModelCheckpoint: saves the model, or its weights, while it trains."""

from __future__ import annotations

import os
from typing import Any

from fastnn.callbacks.base import Logs
from fastnn.callbacks.monitor import MonitorCallback


class ModelCheckpoint(MonitorCallback):
    """Save after every epoch or every so many batches, always or only when it got better.

    Parameters
    ----------
    filepath : str or path
        May name the epoch (from 1), the batch (from 1) and logged values:
        ``"checkpoints/{epoch:02d}-{val_loss:.2f}.keras"``. Missing directories are made.
    monitor : str, default "val_loss"
    verbose : int, default 0
        1 prints a line for every decision.
    save_best_only : bool, default False
        Save only when the monitored value improved. If the logs lack it, a warning is given and
        the model is saved.
    save_weights_only : bool, default False
        Use ``model.save_weights`` instead of ``model.save``.
    mode : {"auto", "min", "max"}
    save_freq : "epoch" or int
        An int counts batches.
    initial_value_threshold : float or None
        A value to beat from the start.

    Raises
    ------
    ValueError
        For another `save_freq`.
    KeyError
        When saving, if `filepath` names a value that is not logged.
    """

    def __init__(
        self,
        filepath: Any,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode, best=initial_value_threshold)
        if save_freq != "epoch" and (
            not isinstance(save_freq, int) or isinstance(save_freq, bool) or save_freq < 1
        ):
            raise ValueError(
                "ModelCheckpoint expects save_freq='epoch' or a number of batches of at least 1, "
                f"got {save_freq!r}"
            )
        self.filepath = os.fspath(filepath)
        self.verbose = verbose
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self.save_freq = save_freq
        self._epoch = 0
        self._batches = 0  # since the last time batches asked for saving
        # Only counting batches is worth a return to Python after each of them.
        self.every_batch = save_freq != "epoch"

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if self.save_freq == "epoch":
            return
        self._batches += 1
        if self._batches >= int(self.save_freq):
            self._batches = 0
            self._save(self._epoch, batch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.save_freq == "epoch":
            self._save(epoch, None, logs)

    def _save(self, epoch: int, batch: int | None, logs: Logs | None) -> None:
        logs = logs or {}
        path = self._path(epoch, batch, logs)
        if not self._wanted(epoch, logs, path):
            return
        folder = os.path.dirname(path)
        if folder:
            os.makedirs(folder, exist_ok=True)
        if os.path.isdir(path):
            raise IsADirectoryError(
                f"ModelCheckpoint saves into a file, but {path!r} is a directory: give filepath "
                "a file name"
            )
        if self.save_weights_only:
            self.model.save_weights(path, overwrite=True)
        else:
            self.model.save(path, overwrite=True)
        if self.verbose > 0:
            print(f"\nEpoch {epoch + 1}: finished saving model to {path}")

    def _path(self, epoch: int, batch: int | None, logs: Logs) -> str:
        names = dict(logs, epoch=epoch + 1)
        if batch is not None:
            names.setdefault("batch", batch + 1)
        try:
            return self.filepath.format(**names)
        except KeyError as error:
            raise KeyError(
                f"ModelCheckpoint cannot fill in {error} of filepath {self.filepath!r}; the names "
                f"it knows are {sorted(names)}"
            ) from None

    def _wanted(self, epoch: int, logs: Logs, path: str) -> bool:
        say = print if self.verbose > 0 else _silent
        if not self.save_best_only:
            say(f"\nEpoch {epoch + 1}: saving model to {path}")
            return True
        self.find_direction()
        current = self.monitored(logs, "saving only the best model")
        if current is None:
            return True
        best = "None" if self.best is None else f"{self.best:.5f}"
        if not self.improves(current, self.best):
            say(f"\nEpoch {epoch + 1}: {self.monitor} did not improve from {best}")
            return False
        say(
            f"\nEpoch {epoch + 1}: {self.monitor} improved from {best} to {current:.5f}, "
            f"saving model to {path}"
        )
        self.best = current
        return True


def _silent(message: str) -> None:
    """Print nothing."""
