from collections.abc import Sequence
from typing import Any

import numpy as np

def isa() -> str: ...
def isas() -> list[str]: ...
def set_isa(name: str) -> None: ...
def get_num_threads() -> int: ...
def set_num_threads(n: int) -> None: ...

class Engine:
    program: Any
    capacity: int
    sums: np.ndarray
    def __init__(self, program: Any, capacity: int, *, training: bool = True) -> None: ...
    def bind(
        self,
        inputs: Sequence[np.ndarray],
        targets: Sequence[np.ndarray] = (),
        weights: Sequence[np.ndarray | None] = (),
    ) -> None: ...
    def unbind(self) -> None: ...
    def train(
        self,
        rows: np.ndarray,
        batch_size: int,
        coefficients: np.ndarray,
        *,
        step: int,
        seed: int,
    ) -> None: ...
    def evaluate(self, rows: np.ndarray, batch_size: int) -> None: ...
    def predict(self, start: int, stop: int, outputs: list[np.ndarray]) -> None: ...
    def reset(self) -> None: ...
    def use_threads(self, n: int) -> None: ...
    def value(self, tensor_index: int, n: int) -> np.ndarray: ...
    def gradient(self, tensor_index: int, n: int) -> np.ndarray: ...
    def parameter_gradient(self, variable: Any) -> np.ndarray | None: ...

def dense_forward(
    y: np.ndarray,
    x: np.ndarray,
    kernel: np.ndarray,
    bias: np.ndarray | None,
    activation: str,
    slope: float,
) -> None: ...
def dense_backward(
    dx: np.ndarray | None,
    dkernel: np.ndarray,
    dbias: np.ndarray | None,
    dz: np.ndarray,
    x: np.ndarray,
    kernel: np.ndarray,
) -> None: ...
def activation_forward(y: np.ndarray, x: np.ndarray, activation: str, slope: float) -> None: ...
def activation_backward(
    dx: np.ndarray, dy: np.ndarray, x: np.ndarray, y: np.ndarray, activation: str, slope: float
) -> None: ...
def row_values(
    values: np.ndarray,
    kind: str,
    target: np.ndarray,
    prediction: np.ndarray,
    smoothing: float,
    delta: float,
    threshold: float,
    gradient: np.ndarray | None = None,
    scale: float = 1.0,
) -> None: ...
