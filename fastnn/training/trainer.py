"""Trainer: compile, fit, evaluate and predict of every model."""

from fastnn.training.fitting import Fitting
from fastnn.training.predicting import Predicting


class Trainer(Fitting, Predicting):
    """Mixed into every model.

    The model provides ``name``, ``inputs`` and ``outputs`` (lists of SymbolicTensor; None or
    empty until its input shape is known), ``input_names``, ``output_names``,
    ``trainable_weights`` and ``build(input_shape)``.
    """
