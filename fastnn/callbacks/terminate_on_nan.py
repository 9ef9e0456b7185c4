"""TerminateOnNaN: stops a training that has blown up."""

from __future__ import annotations

import math

from fastnn.callbacks.base import Callback, Logs


class TerminateOnNaN(Callback):
    """Stop as soon as the loss is NaN or infinite; looks at every batch."""

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        loss = (logs or {}).get("loss")
        if loss is not None and not math.isfinite(loss):
            print(f"Batch {batch}: Invalid loss, terminating training")
            self.model.stop_training = True
