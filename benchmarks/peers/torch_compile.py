"""PyTorch with torch.compile: forward, loss and backward through Inductor, fused optimizer.

Of RMSprop PyTorch has no fused version; Inductor makes one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from workloads import Workload

from peers import thread_variants, torch_eager

TITLE = "torch.compile, fused optimizer"
PACKAGES = ("torch",)
VARIANTS = thread_variants()
LATE_EPSILON = True


def left_out(workload: Workload) -> str:
    if workload.kind != "train":
        return "only its training is timed"
    return torch_eager.left_out(workload)


class Contender(torch_eager.Contender):
    def __init__(self, workload: Workload, x: np.ndarray, y: np.ndarray) -> None:
        super().__init__(workload, x, y)
        # Inductor's own random numbers are slower on a CPU than PyTorch's.
        options = {"fallback_random": True} if workload.dropout else None
        self.compiled = self.torch.compile(super().loss, dynamic=False, options=options)
        if workload.optimizer == "rmsprop":
            self.optimizer.step = self.torch.compile(self.optimizer.step)

    def loss(self, x: Any, y: Any) -> Any:
        return self.compiled(x, y)
