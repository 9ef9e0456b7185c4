"""Trainer: compile, fit, evaluate and predict of every model."""

from fastnn.training.arguments import explain_unknown
from fastnn.training.fitting import Fitting
from fastnn.training.predicting import Predicting


class Trainer(Fitting, Predicting):
    """Mixed into every model.

    The model provides ``name``, ``inputs`` and ``outputs`` (lists of SymbolicTensor; None or
    empty until its input shape is known), ``input_names``, ``output_names``,
    ``trainable_weights`` and ``build(input_shape)``.
    """


for _name in (
    "compile", "fit", "evaluate", "predict", "train_on_batch", "test_on_batch", "predict_on_batch",
):  # fmt: skip
    setattr(Trainer, _name, explain_unknown(getattr(Trainer, _name), "Model"))
