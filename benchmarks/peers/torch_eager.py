"""PyTorch, eager, with the fused optimizers; batches are gathered with index_select."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from workloads import Workload

from peers import thread_variants

TITLE = "PyTorch eager, fused optimizer"
PACKAGES = ("torch",)
VARIANTS = thread_variants()
LATE_EPSILON = True


def left_out(workload: Workload) -> str:
    return "batch normalization is not written for it here" if workload.batchnorm else ""


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
        for linear in self.linear[:-1]:
            layers += [linear, nn.Tanh() if workload.activation == "tanh" else nn.ReLU()]
            if workload.dropout:
                layers.append(nn.Dropout(workload.dropout))
        self.model = nn.Sequential(*layers, self.linear[-1]).train(workload.kind == "train")
        arrays = workload.weights()
        with torch.no_grad():
            for linear, kernel, bias in zip(self.linear, arrays[::2], arrays[1::2], strict=True):
                linear.weight.copy_(torch.from_numpy(kernel.T.copy()))
                linear.bias.copy_(torch.from_numpy(bias))
        self.loss_function = nn.CrossEntropyLoss() if workload.classifier else nn.MSELoss()
        self.optimizer = self.make_optimizer(list(self.model.parameters()))

    def make_optimizer(self, parameters: list[Any]) -> Any:
        optim, settings = self.torch.optim, self.workload.settings
        rate = settings["learning_rate"]
        if self.workload.optimizer == "sgd":
            return optim.SGD(parameters, lr=rate, fused=True)
        epsilon = settings["epsilon"]
        if self.workload.optimizer == "rmsprop":  # there is no fused one
            alpha = settings["rho"]
            return optim.RMSprop(parameters, lr=rate, alpha=alpha, eps=epsilon, foreach=True)
        betas = (settings["beta_1"], settings["beta_2"])
        if self.workload.optimizer == "adam":
            return optim.Adam(parameters, lr=rate, betas=betas, eps=epsilon, fused=True)
        decay = settings["weight_decay"]
        return optim.AdamW(
            parameters, lr=rate, betas=betas, eps=epsilon, weight_decay=decay, fused=True
        )

    def forward(self, x: Any) -> Any:
        return self.model(x.float().mul_(self.workload.scale) if self.workload.uint8 else x)

    def loss(self, x: Any, y: Any) -> Any:
        return self.loss_function(self.forward(x), y)

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
            z = self.forward(self.torch.from_numpy(x))
            return (z.softmax(1) if self.workload.classifier else z).numpy()
