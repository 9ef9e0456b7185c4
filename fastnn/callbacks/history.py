"""History: what fit returns."""

from __future__ import annotations

from typing import Any

from fastnn.callbacks.base import Callback, Logs


class History(Callback):
    """Keeps the logs of every epoch; fit adds one to every training and returns it.

    Attributes
    ----------
    history : dict of str to list of float
        ``history["val_loss"][3]`` is the validation loss of the fourth epoch.
    epoch : list of int
        The epochs' numbers, from `initial_epoch`.
    params : dict
        ``verbose``, ``epochs`` and ``steps``.

    Examples
    --------
    >>> history = model.fit(x, y, epochs=20, verbose=0)
    >>> best = min(history.history["loss"])
    """

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
