"""The readable engine: every operation of a program in a textbook's notation.

It runs the same programs as the C engine and is what that one is tested against. Step through
`Engine.train` with a debugger to see what a training step does; `Engine.value` and
`Engine.gradient` show every tensor on the way.
"""

from fastnn.numpy_engine.engine import Engine

__all__ = ["Engine"]
