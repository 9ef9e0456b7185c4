"""PyTorch with torch.compile: forward, loss and backward through Inductor, fused optimizer."""

from __future__ import annotations

from typing import Any

import numpy as np
from workloads import Workload

from peers import thread_variants, torch_eager

TITLE = "torch.compile, fused optimizer"
PACKAGES = ("torch",)
VARIANTS = thread_variants()
LATE_EPSILON = True
KINDS = ("train",)


class Contender(torch_eager.Contender):
    def __init__(self, workload: Workload, x: np.ndarray, y: np.ndarray) -> None:
        super().__init__(workload, x, y)
        self.compiled = self.torch.compile(super().loss, dynamic=False)

    def loss(self, x: Any, y: Any) -> Any:
        return self.compiled(x, y)
