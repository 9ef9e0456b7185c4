"""From the graph of a model to a program: a flat list of operations over preallocated buffers.

`build` traces the layers (network.py), losses and metrics (trace.py), simplifies what they compute
(simplify.py), derives gradients (derive.py) and the backward operations, and applies the rewrites
that save work:

* products, activations behind them, dropout and the like are superops (lowering.py); all else of
  layers is segments (segments.py), which become maps (maps.py), as losses and metrics do;
* softmax or sigmoid followed by its crossentropy is computed from the logits (superops.py);
* dense, bias and activation are one operation (backward.py, as the rest);
* the derivative of a dense layer's activation is applied by the layer behind it;
* the optimizer step of a weight runs as soon as its gradient is complete.

``build(fuse=False)`` switches all of them off. ``print(program)`` shows the result.
"""

from fastnn.program.build import build
from fastnn.program.builder import Builder
from fastnn.program.definition import LossTerm, MetricTerm, Program, Target, Update
from fastnn.program.network import trace_network

__all__ = [
    "Builder",
    "LossTerm",
    "MetricTerm",
    "Program",
    "Target",
    "Update",
    "build",
    "trace_network",
]
