"""What fit, evaluate and predict call at each step of their work; see `Callback`."""

from fastnn.callbacks.base import Callback, CallbackList
from fastnn.callbacks.csv_logger import CSVLogger
from fastnn.callbacks.early_stopping import EarlyStopping
from fastnn.callbacks.history import History
from fastnn.callbacks.lambda_callback import LambdaCallback
from fastnn.callbacks.learning_rate import LearningRateScheduler, ReduceLROnPlateau
from fastnn.callbacks.model_checkpoint import ModelCheckpoint
from fastnn.callbacks.progress import Progbar, ProgbarLogger
from fastnn.callbacks.tensorboard import TensorBoard
from fastnn.callbacks.terminate_on_nan import TerminateOnNaN
from fastnn.missing import explain_missing

__all__ = [
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "Progbar",
    "ProgbarLogger",
    "ReduceLROnPlateau",
    "TensorBoard",
    "TerminateOnNaN",
]

explain_missing(__name__)
