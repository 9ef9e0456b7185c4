"""Layers: what models are made of. `base` says what a layer is, one concept a file follows."""

from fastnn.layers.activation import ELU, Activation, LeakyReLU, PReLU, ReLU, Softmax
from fastnn.layers.base import Layer
from fastnn.layers.batch_normalization import BatchNormalization
from fastnn.layers.dense import Dense
from fastnn.layers.dropout import Dropout
from fastnn.layers.embedding import Embedding
from fastnn.layers.input_layer import Input, InputLayer
from fastnn.layers.input_spec import InputSpec
from fastnn.layers.lambda_layer import Lambda
from fastnn.layers.layer_normalization import LayerNormalization
from fastnn.layers.merging import (
    Add,
    Average,
    Concatenate,
    Maximum,
    Minimum,
    Multiply,
    Subtract,
    add,
    average,
    concatenate,
    maximum,
    minimum,
    multiply,
    subtract,
)
from fastnn.layers.operation import Operation
from fastnn.layers.registry import CLASSES, deserialize, serialize
from fastnn.layers.rescaling import Rescaling
from fastnn.layers.reshaping import Flatten, Reshape
from fastnn.missing import explain_missing

__all__ = [
    "ELU",
    "Activation",
    "Add",
    "Average",
    "BatchNormalization",
    "Concatenate",
    "Dense",
    "Dropout",
    "Embedding",
    "Flatten",
    "Input",
    "InputLayer",
    "InputSpec",
    "Lambda",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "Maximum",
    "Minimum",
    "Multiply",
    "PReLU",
    "ReLU",
    "Rescaling",
    "Reshape",
    "Softmax",
    "Subtract",
    "add",
    "average",
    "concatenate",
    "deserialize",
    "maximum",
    "minimum",
    "multiply",
    "serialize",
    "subtract",
]

for _cls in (
    Activation, Add, Average, BatchNormalization, Concatenate, Dense, Dropout, ELU, Embedding,
    Flatten, InputLayer, Lambda, LayerNormalization, LeakyReLU, Maximum, Minimum, Multiply,
    Operation, PReLU, ReLU, Rescaling, Reshape, Softmax, Subtract,
):  # fmt: skip
    CLASSES[_cls.__name__] = _cls

explain_missing(__name__)
