"""PyTorch, eager, with the fused optimizers; batches are gathered with index_select."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from workloads import ADAM, SGD, Workload

from peers import thread_variants

TITLE = "PyTorch eager, fused optimizer"
PACKAGES = ("torch",)
VARIANTS = thread_variants()
LATE_EPSILON = True


class Contender:
    def __init__(self, workload: Workload, x: np.ndarray, y: np.ndarray) -> None:
        import torch
        from torch import nn

        self.torch, self.workload = torch, workload
        self.x = torch.from_numpy(x)
        self.y = torch.from_numpy(y).long() if workload.classifier else torch.from_numpy(y)
        sizes = workload.sizes
        self.linear = [nn.Linear(i, o) for i, o in pairwise(sizes)]
        layers: list[Any] = []
        for linear in self.linear:
            layers += [linear, nn.ReLU()]
        self.model = nn.Sequential(*layers[:-1])
        arrays = workload.weights()
        with torch.no_grad():
            for linear, kernel, bias in zip(self.linear, arrays[::2], arrays[1::2], strict=True):
                linear.weight.copy_(torch.from_numpy(kernel.T.copy()))
                linear.bias.copy_(torch.from_numpy(bias))
        self.loss_function = nn.CrossEntropyLoss() if workload.classifier else nn.MSELoss()
        parameters = list(self.model.parameters())
        if workload.optimizer == "adam":
            betas = (ADAM["beta_1"], ADAM["beta_2"])
            self.optimizer: Any = torch.optim.Adam(
                parameters, lr=ADAM["learning_rate"], betas=betas, eps=ADAM["epsilon"], fused=True
            )
        else:
            self.optimizer = torch.optim.SGD(parameters, lr=SGD["learning_rate"], fused=True)

    def loss(self, x: Any, y: Any) -> Any:
        return self.loss_function(self.model(x), y)

    def epoch(self, shuffle: bool) -> float:
        torch, batch = self.torch, self.workload.batch
        rows = torch.randperm(len(self.x)) if shuffle else torch.arange(len(self.x))
        total = torch.zeros(())
        for start in range(0, len(rows), batch):
            chosen = rows[start : start + batch]
            loss = self.loss(self.x.index_select(0, chosen), self.y.index_select(0, chosen))
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
            total += loss.detach()
        return float(total) / -(-len(rows) // batch)

    def weights(self) -> list[np.ndarray]:
        arrays = []
        for linear in self.linear:
            arrays += [linear.weight.detach().numpy().T, linear.bias.detach().numpy()]
        return arrays

    def predict(self, x: np.ndarray) -> np.ndarray:
        with self.torch.inference_mode():
            z = self.model(self.torch.from_numpy(x))
            return (z.softmax(1) if self.workload.classifier else z).numpy()
