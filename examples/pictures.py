"""What the examples draw with. Without matplotlib they run all the same, and say so at the end."""

import numpy as np


def new_figure(**options):
    """Return matplotlib's figure, or one that draws nothing."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return Nothing()
    return Figure(layout="constrained", **options)


def save(figure, path):
    if isinstance(figure, Nothing):
        print("No picture: matplotlib is missing (pip install matplotlib)")
    else:
        figure.savefig(path)
        print(f"Picture: {path}")


class Nothing:
    """Stands in for a figure and its axes: whatever they are asked to draw, nothing happens."""

    def subplots(self, rows, columns, **options):
        return np.array([Nothing() for _ in range(rows * columns)]).reshape(rows, columns).squeeze()

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *arguments, **options: Nothing()
