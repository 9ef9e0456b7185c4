"""The losses: what Keras 3.15.1 (JAX) makes of small arrays. One row for every loss at least.

A row's numbers are printed by ``python tests/keras_numbers.py NAME``, where Keras is installed.
Losses, the metrics of the same names and gradients are tested by these rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import fastnn.losses as L

T = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.2, 0.3, 0.5]], "f")
P = np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.2], [0, 0.4, 1.6], [0.3, 0.3, 0.4]], "f")
LABELS = np.array([0, 2, 1, 1])
Z = np.array([[2, -1, 0.5], [0, 0, 0], [5, -5, 1], [-1, 2, 3]], "f")
TB = np.array([[1, 0], [0, 1], [1, 1], [0, 0]], "f")
PB = np.array([[0.9, 0.2], [0.0, 1.0], [0.5, 0.6], [0.3, 0.01]], "f")
ZB = np.array([[3, -2], [-1, 0.5], [0, 8], [1, -1]], "f")
R = np.array([[1, 2], [3, -4], [0, 0.5], [2, 2]], "f")
Q = np.array([[1.5, 2], [0, -3.2], [0.1, 0.4], [-2, 5]], "f")
W = np.array([1, 2, 0, 0.5], "f")
COUNTS = np.array([[0, 2], [1, 3], [4, 0], [2, 1]], "f")
RATES = np.array([[0.5, 1.5], [1, 0], [3.2, 0.1], [0.7, 6]], "f")

REDUCTIONS = ("sum_over_batch_size", "sum", "mean_with_sample_weight")
"""Of the results with weights W; the first also without weights."""

# class, (y_true, y_pred), options: the function's values; without weights, then by REDUCTIONS
LOSSES: dict[str, tuple[type[L.Loss], tuple[Any, Any], dict[str, Any], list[Any], list[Any]]] = {
    "mse": (L.MeanSquaredError, (R, Q), {},
        [0.125, 4.82, 0.01, 12.5],
        [4.36375, 4.00375, 16.015, 4.575714]),
    "mae": (L.MeanAbsoluteError, (R, Q), {},
        [0.25, 1.9, 0.09999999, 3.5],
        [1.4375, 1.45, 5.8, 1.657143]),
    "mape": (L.MeanAbsolutePercentageError, (R + 1, Q), {},
        [29.16667, 53.33334, 81.66666, 116.6667],
        [70.20833, 48.54167, 194.1667, 55.47619]),
    "mape of zero": (L.MeanAbsolutePercentageError, (R, Q), {},
        [25.0, 60.0, 50000010.0, 175.0],
        [12500070.0, 58.125, 232.5, 66.42857]),
    "msle": (L.MeanSquaredLogarithmicError, (COUNTS, RATES), {},
        [0.09882149, 0.9609058, 0.01974157, 0.9460105],
        [0.5063698, 0.6234096, 2.493639, 0.7124681]),
    "msle of negative numbers": (L.MeanSquaredLogarithmicError, (R, Q), {},
        [0.02489653, 0.9609058, 0.006922015, 0.8437009],
        [0.4591063, 0.5921397, 2.368559, 0.6767311]),
    "huber": (L.Huber, (R, Q), {},
        [0.0625, 1.41, 0.005, 3.0],
        [1.119375, 1.095625, 4.3825, 1.252143]),
    "huber 0.3": (L.Huber, (R, Q), {"delta": 0.3},
        [0.0525, 0.525, 0.005, 1.005],
        [0.396875, 0.40125, 1.605, 0.4585714]),
    "logcosh": (L.LogCosh, (R, Q), {},
        [0.06005725, 1.300041, 0.004991689, 2.808259],  # third: in float64
        [1.043337, 1.016067, 4.064269, 1.16122]),
    "logcosh far away": (L.LogCosh, (100 * R, Q), {},
        [147.5569, 347.7068, 24.45592, 197.8069],
        [179.3816, 235.4685, 941.874, 269.1069]),
    "poisson": (L.Poisson, (COUNTS, RATES), {},
        [0.5945348, 24.67714, -0.6763015, 2.810795],
        [6.851542, 12.83856, 51.35422, 14.67264]),
    "kld": (L.KLDivergence, (T, P), {},
        [0.3566721, 2.302582, -1.52018e-06, 0.03047874],
        [0.6724329, 1.244269, 4.977076, 1.422022]),
    "kld clipped": (L.KLDivergence, (R, Q), {},
        [0.0, 16.1181, 0.1115704, 16.1181],
        [8.086941, 10.07381, 40.29524, 11.51293]),
    "cosine": (L.CosineSimilarity, (R, Q), {},
        [-0.9838699, -0.8, -0.9701425, -0.3939193],
        [-0.786983, -0.6952074, -2.78083, -0.7945228]),
    "cosine of zero": (L.CosineSimilarity, (TB, ZB * TB), {},
        [-1.0, -1.0, -0.7071068, -0.0],
        [-0.6767767, -0.75, -3.0, -0.8571429]),
    "hinge of 0 and 1": (L.Hinge, (TB, ZB), {},
        [0.0, 0.25, 0.5, 1.0],
        [0.4375, 0.25, 1.0, 0.2857143]),
    "hinge of -1 and 1": (L.Hinge, (2 * TB - 1, ZB), {},
        [0.0, 0.25, 0.5, 1.0],
        [0.4375, 0.25, 1.0, 0.2857143]),
    "hinge of other labels": (L.Hinge, (R + 1, Q / 8), {},
        [0.4375, 0.5, 0.95625, 0.875],
        [0.6921875, 0.46875, 1.875, 0.5357143]),
    "squared hinge of 0 and 1": (L.SquaredHinge, (TB, ZB), {},
        [0.0, 0.125, 0.5, 2.0],
        [0.65625, 0.3125, 1.25, 0.3571429]),
    "squared hinge of other labels": (L.SquaredHinge, (R + 1, Q / 8), {},
        [0.2265625, 0.5, 0.9153906, 1.53125],
        [0.7933007, 0.4980469, 1.992188, 0.5691964]),
    "categorical hinge": (L.CategoricalHinge, (T, Z), {},
        [0.0, 1.0, 5.0, 0.5999999],
        [1.65, 0.575, 2.3, 0.6571428]),
    "bce": (L.BinaryCrossentropy, (TB, PB), {},
        [0.164252, 1.192093e-07, 0.6019864, 0.1833626],
        [0.2374003, 0.0639834, 0.2559336, 0.07312389]),
    "bce smoothed": (L.BinaryCrossentropy, (TB, PB), {"label_smoothing": 0.1},
        [0.25384, 0.8015122, 0.612123, 0.3194231],
        [0.4967246, 0.504144, 2.016576, 0.5761646]),
    "bce logits": (L.BinaryCrossentropy, (TB, ZB), {"from_logits": True},
        [0.08775768, 0.3936693, 0.3467413, 0.8132617],
        [0.4103575, 0.3204318, 1.281727, 0.3662078]),
    "cce": (L.CategoricalCrossentropy, (T, P), {},
        [0.356675, 1.386294, 0.2231435, 1.060132],
        [0.7565612, 0.9148324, 3.659329, 1.045523]),
    "cce smoothed": (L.CategoricalCrossentropy, (T, P), {"label_smoothing": 0.1},
        [0.4632974, 1.363189, 0.7991852, 1.064927],
        [0.9226496, 0.9305349, 3.72214, 1.063468]),
    "cce logits": (L.CategoricalCrossentropy, (T, Z), {"from_logits": True},
        [0.2413113, 1.098612, 4.018195, 1.426563],
        [1.69617, 0.7879543, 3.151817, 0.9005193]),
    "scce": (L.SparseCategoricalCrossentropy, (LABELS, P), {},
        [0.356675, 0.6931472, 1.609438, 1.203973],
        [0.9658082, 0.5862389, 2.344956, 0.6699873]),
    "scce logits": (L.SparseCategoricalCrossentropy, (LABELS, Z), {"from_logits": True},
        [0.2413113, 1.098612, 10.01819, 1.326563],
        [3.17117, 0.7754543, 3.101817, 0.8862334]),
}  # fmt: skip
