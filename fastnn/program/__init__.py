"""From the graph of a model to a program: a flat list of operations over preallocated buffers.

`build` lowers every layer through a `Builder`, traces losses and metrics (trace.py), derives their
gradients (derive.py) and the backward operations, and applies the rewrites that save work:

* losses and metrics are simplified (simplify.py), and become superops (superops.py) or maps
  (maps.py);
* softmax or sigmoid followed by its crossentropy is computed from the logits;
* dense, bias and activation are one operation (backward.py, as the rest);
* the derivative of a dense layer's activation is applied by the layer behind it;
* the optimizer step of a weight runs as soon as its gradient is complete.

``build(fuse=False)`` switches all of them off. ``print(program)`` shows the result.
"""

from fastnn.program.build import build
from fastnn.program.builder import Builder
from fastnn.program.definition import LossTerm, MetricTerm, Program, Target, Update

__all__ = ["Builder", "LossTerm", "MetricTerm", "Program", "Target", "Update", "build"]
