"""CSVLogger: writes the logs of every epoch into a text file."""

from __future__ import annotations

import os
from typing import Any

from fastnn.callbacks.base import Callback, Logs


class CSVLogger(Callback):
    """Write one line an epoch: the epoch's number, then the logged values by name.

    Parameters
    ----------
    filename : str or path
    separator : str, default ","
    append : bool, default False
        Go on after the lines of an earlier training, without a second header.
    """

    def __init__(self, filename: Any, separator: str = ",", append: bool = False) -> None:
        super().__init__()
        self.filename = os.fspath(filename)
        self.sep = separator
        self.append = append
        self.keys: list[str] | None = None
        self._file: Any = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        exists = os.path.exists(self.filename) and os.path.getsize(self.filename) > 0
        self._header = not (self.append and exists)
        self._file = open(  # noqa: SIM115  (closed in on_train_end)
            self.filename, "a" if self.append else "w", newline="", encoding="utf-8"
        )
        self.keys = None

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        import csv

        logs = logs or {}
        writer = csv.writer(self._file, delimiter=self.sep)
        if self.keys is None:
            self.keys = sorted(logs)
            if not any(key.startswith("val_") for key in self.keys):
                # With validation_freq > 1 these come in a later epoch.
                self.keys += [f"val_{key}" for key in self.keys]
            if self._header:
                writer.writerow(["epoch", *self.keys])
        writer.writerow([epoch, *(logs.get(key, "NA") for key in self.keys)])
        self._file.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._file.close()
        self._file = None
