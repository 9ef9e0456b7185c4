"""Activation functions and their derivatives, side by side.

    python examples/activations.py       saves activations.png

A gradient on its way back is multiplied by the derivative of every layer it passes. Where that is
far below 1, it vanishes: compare sigmoid and relu.
"""

import numpy as np
import pictures

from fastnn import kernels

NAMES = ["sigmoid", "tanh", "relu", "leaky_relu", "elu", "selu", "softplus", "silu", "gelu"]


def main():
    x = np.linspace(-4, 4, 401)
    figure = pictures.new_figure(figsize=(10, 9))
    print(f"{'':12}{'f(-2)':>9}{'f(2)':>9}{'largest slope':>16}{'10 layers, at best':>20}")
    for axes, name in zip(figure.subplots(3, 3, sharex=True).flat, NAMES, strict=True):
        y = kernels.activation(x, name)
        slope = kernels.activation_gradient(np.ones_like(x), x, y, name)
        low, high = kernels.activation(np.array([-2.0, 2.0]), name)
        steepest = slope.max()
        print(f"{name:12}{low:9.4f}{high:9.4f}{steepest:16.4f}{steepest**10:20.6f}")
        axes.plot(x, y, label=name)
        axes.plot(x, slope, "--", label="derivative")
        axes.axhline(0, color="gray", linewidth=0.5)
        axes.set_ylim(-2, 4)
        axes.legend()
    pictures.save(figure, "activations.png")


if __name__ == "__main__":
    main()
