"""TensorBoard: writes the logs where TensorBoard looks for them."""

from __future__ import annotations

import os
import time
import warnings
from typing import Any

from fastnn.callbacks.base import Callback, Logs
from fastnn.callbacks.event_file import EventFile
from fastnn.callbacks.learning_rate import current_rate


class TensorBoard(Callback):
    """Write curves for TensorBoard (``tensorboard --logdir logs``).

    Curves: ``epoch_<name>`` for every logged value, in ``log_dir/train`` and
    ``log_dir/validation``; ``epoch_learning_rate``; ``evaluation_<name>_vs_iterations``; and
    ``batch_<name>`` if `update_freq` is not "epoch".

    Parameters
    ----------
    log_dir : str or path, default "logs"
        One directory for each run lets TensorBoard compare runs.
    write_steps_per_second : bool, default False
        Also ``epoch_steps_per_second``.
    update_freq : "epoch", "batch" or int, default "epoch"
        Also write after every so many batches.
    histogram_freq, write_graph, write_images, profile_batch, embeddings_freq,
    embeddings_metadata
        Accepted for Keras's sake; histograms, images and the like are not written.

    Examples
    --------
    >>> history = model.fit(x, y, verbose=0, callbacks=[TensorBoard("logs/run_1")])
    """

    def __init__(
        self,
        log_dir: Any = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: str | int = "epoch",
        profile_batch: Any = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: Any = None,
    ) -> None:
        super().__init__()
        if update_freq == "batch":
            update_freq = 1
        if update_freq != "epoch" and (
            isinstance(update_freq, bool) or not isinstance(update_freq, int) or update_freq < 1
        ):
            raise ValueError(
                "TensorBoard expects update_freq='epoch', 'batch' or a number of batches of at "
                f"least 1, got {update_freq!r}"
            )
        for name, asked in (
            ("histogram_freq", histogram_freq),
            ("write_images", write_images),
            ("embeddings_freq", embeddings_freq),
        ):
            if asked:
                warnings.warn(
                    f"TensorBoard: {name}={asked!r} is not available, only curves are written",
                    stacklevel=2,
                )
        self.log_dir = os.fspath(log_dir)
        self.write_steps_per_second = write_steps_per_second
        self.update_freq = update_freq
        self.every_batch = update_freq != "epoch"
        self._files: dict[str, EventFile] = {}
        self._batches = 0
        self._began = (0.0, 0)  # the epoch: time and iterations

    def _file(self, part: str) -> EventFile:
        if part not in self._files:
            self._files[part] = EventFile(os.path.join(self.log_dir, part))
        return self._files[part]

    def _close(self) -> None:
        for file in self._files.values():
            file.close()
        self._files = {}

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._close()  # of a training that was broken off
        self._batches = 0
        self._file("train")

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._close()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._began = time.perf_counter(), self.model.optimizer.iterations

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if self.update_freq == "epoch":
            return
        self._batches += 1
        if self._batches % int(self.update_freq) == 0:
            for name, value in (logs or {}).items():
                self._file("train").scalar(f"batch_{name}", value, self._batches)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        values = dict(logs or {})
        values["learning_rate"] = current_rate(self.model.optimizer)
        if self.write_steps_per_second:
            began, iterations = self._began
            steps = self.model.optimizer.iterations - iterations
            values["steps_per_second"] = steps / max(time.perf_counter() - began, 1e-9)
        for name, value in values.items():
            part = "validation" if name.startswith("val_") else "train"
            self._file(part).scalar(f"epoch_{name.removeprefix('val_')}", value, epoch)
        for file in self._files.values():
            file.flush()

    def on_test_end(self, logs: Logs | None = None) -> None:
        if self.model.optimizer is None:
            return
        training = bool(self._files)
        file = self._file("validation")
        for name, value in (logs or {}).items():
            iterations = self.model.optimizer.iterations
            file.scalar(f"evaluation_{name}_vs_iterations", value, iterations)
        if not training:  # an evaluate by itself
            self._close()
