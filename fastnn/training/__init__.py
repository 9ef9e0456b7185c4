"""compile, fit, evaluate and predict: checked data, epochs of batches, and what they report."""

from fastnn.training.labels import TrainingWarning
from fastnn.training.trainer import Trainer

__all__ = ["Trainer", "TrainingWarning"]
