"""Layers: shapes, weights, values on arrays, configurations, and what their errors teach."""

import copy

import numpy as np
import pytest

from fastnn import Sequential, config, initializers, layers
from fastnn.layers import (
    ELU,
    Activation,
    Add,
    Average,
    BatchNormalization,
    Concatenate,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Input,
    InputSpec,
    Layer,
    LayerNormalization,
    LeakyReLU,
    Maximum,
    Minimum,
    Multiply,
    PReLU,
    ReLU,
    Rescaling,
    Reshape,
    Softmax,
    Subtract,
)
from fastnn.layers.operation import Operation
from fastnn.models import load_model

A = np.array([[1.0, -2.0, 3.0], [0.5, 0.0, -1.0]])
B = np.array([[2.0, 2.0, -1.0], [0.5, 4.0, -3.0]])

# Layer, inputs, output.
VALUES = [
    (Activation("relu"), A, np.maximum(A, 0)),
    (ReLU(), A, np.maximum(A, 0)),
    (ReLU(max_value=2.0, negative_slope=0.5), A, [[1, -1, 2], [0.5, 0, -0.5]]),
    (LeakyReLU(), A, np.where(A > 0, A, 0.3 * A)),
    (LeakyReLU(alpha=0.1), A, np.where(A > 0, A, 0.1 * A)),
    (ELU(alpha=2.0), A, np.where(A > 0, A, 2 * np.expm1(A))),
    (Softmax(), A, np.exp(A) / np.exp(A).sum(1, keepdims=True)),
    (PReLU(alpha_initializer="ones"), A, A),
    (PReLU(shared_axes=[1]), A, np.maximum(A, 0)),
    (Dropout(0.5), A, A),
    (Flatten(), A.reshape(2, 3, 1), A),
    (Reshape((3, -1)), A, A.reshape(2, 3, 1)),
    (Rescaling(2.0, offset=-1.0), A, 2 * A - 1),
    (Add(), [A, B, A], 2 * A + B),
    (Subtract(), [A, B], A - B),
    (Multiply(), [A, B, A], A * B * A),
    (Average(), [A, B], (A + B) / 2),
    (Maximum(), [A, B], np.maximum(A, B)),
    (Minimum(), [A, B], np.minimum(A, B)),
    (Concatenate(), [A, B], np.concatenate([A, B], 1)),
    (BatchNormalization(epsilon=0.0), A, A),
    (BatchNormalization(1, epsilon=0.0, center=False, moving_mean_initializer="ones"), A, A - 1),
    (Embedding(5, 2, embeddings_initializer="ones"), A * 0 + 4, np.ones((2, 3, 2))),
    (
        LayerNormalization(),
        A,
        (A - A.mean(1, keepdims=True)) / np.sqrt(A.var(1, keepdims=True) + 1e-3),
    ),
    (
        LayerNormalization(rms_scaling=True, axis=[1]),
        A,
        A / np.sqrt((A**2).mean(1, keepdims=True) + 1e-3),
    ),
    (Operation("ops.add", [{"tensor": 0}, 1.0]), A, A + 1),
    (
        Operation("np.stack", [[{"tensor": 0}, {"tensor": 1}]], {"axis": 1}),
        [A, B],
        np.stack([A, B], 1),
    ),
    (
        Concatenate(axis=1),
        [A.reshape(2, 1, 3), np.ones((2, 4, 3))],
        np.concatenate([A.reshape(2, 1, 3), np.ones((2, 4, 3))], 1),
    ),
]


@pytest.mark.parametrize(
    ("layer", "inputs", "expected"), VALUES, ids=lambda x: getattr(x, "name", "")
)
def test_values(layer, inputs, expected):
    output = layer(inputs)
    np.testing.assert_allclose(output, expected, rtol=1e-6)
    assert output.dtype == np.float32
    batch = inputs if isinstance(inputs, list) else [inputs]
    tensors = [Input(x.shape[1:]) for x in batch]
    symbolic = layer(tensors if isinstance(inputs, list) else tensors[0])
    assert symbolic.shape == (None, *np.shape(expected)[1:])


@pytest.mark.parametrize("layer", [layer for layer, _, _ in VALUES], ids=lambda x: x.name)
def test_round_trip_of_the_configuration(layer):
    data = layers.serialize(layer)
    again = layers.deserialize(data)
    assert type(again) is type(layer)
    assert layers.serialize(again) == data


def test_every_layer_has_its_name():
    """In the list of classes that files may name, and in ``__all__``."""
    named = {name for name in layers.__all__ if isinstance(getattr(layers, name), type)}
    classes = {name for name in named if issubclass(getattr(layers, name), Layer)} - {"Layer"}
    assert classes == set(layers.CLASSES) - {"Functional", "Model", "Operation", "Sequential"}


@pytest.mark.parametrize("layer", [layer for layer, _, _ in VALUES], ids=lambda x: x.name)
def test_another_number_of_features_is_refused_by_name(layer):
    fresh = layers.deserialize(layers.serialize(layer))
    if isinstance(fresh, Embedding):
        return
    if type(fresh).build is Layer.build:
        return
    fresh.build((None, 3))
    with pytest.raises(ValueError, match=f"'{fresh.name}' expects .*got"):
        fresh(np.ones((2, 4)))


def test_every_layer_has_a_test():
    """A new one needs a row in VALUES."""
    tested = {type(layer).__name__ for layer, _, _ in VALUES} | {"Dense", "InputLayer", "Lambda"}
    models = {"Functional", "Model", "Sequential"}
    assert set(layers.CLASSES) - models == tested


# --- Dense -----------------------------------------------------------------------------------


def test_dense():
    layer = Dense(4, activation="tanh", kernel_initializer="ones", bias_initializer="ones")
    assert not layer.built
    np.testing.assert_allclose(layer(A), np.tanh(A.sum(1, keepdims=True) + 1) @ np.ones((1, 4)),
                               rtol=1e-6)  # fmt: skip
    assert [v.path for v in layer.weights] == [f"{layer.name}/kernel", f"{layer.name}/bias"]
    assert [v.shape for v in layer.weights] == [(3, 4), (4,)]
    assert layer.count_params() == 16
    assert layer.kernel is layer.weights[0]


def test_dense_works_on_the_last_axis():
    layer = Dense(2, use_bias=False)
    x = np.random.default_rng(0).normal(size=(5, 4, 3))
    y = layer(x)
    assert y.shape == (5, 4, 2)
    np.testing.assert_allclose(y, x @ layer.kernel.numpy(), rtol=1e-4, atol=1e-6)
    assert layer.bias is None
    assert len(layer.weights) == 1


@pytest.mark.parametrize("units", [0, -3, 2.5, "10", None, True])
def test_bad_units(units):
    with pytest.raises(ValueError, match="units must be a positive integer"):
        Dense(units)


def test_numpy_integers_are_units():
    assert Dense(np.int64(3)).units == 3


def test_dense_old_spellings():
    assert Dense(20, input_dim=784).batch_input_shape == (None, 784)
    assert Dense(20, input_shape=(10,)).batch_input_shape == (None, 10)
    assert Dense(20, batch_input_shape=(5, 10)).batch_input_shape == (5, 10)
    assert type(Dense(2, init="uniform").kernel_initializer).__name__ == "RandomUniform"
    assert Dense(output_dim=6, init="uniform", input_dim=11).units == 6


def test_dense_configuration_keeps_everything():
    layer = Dense(
        3,
        activation=LeakyReLU(0.1),
        use_bias=False,
        kernel_initializer=initializers.HeNormal(seed=3),
        name="hidden",
        trainable=False,
    )
    config_ = layer.get_config()
    again = Dense.from_config(config_)
    again_config = again.get_config()
    assert again.activation.negative_slope == 0.1
    assert again_config == config_


def test_arguments_of_keras_that_only_its_configurations_have():
    assert Dense(3, lora_rank=None, lora_alpha=None, quantization_config=None).units == 3
    with pytest.raises(ValueError, match=r"Dense 'd': lora_rank is not available yet.*: leave it"):
        Dense(3, name="d", lora_rank=4)


def test_regularizers_are_not_silently_ignored():
    for argument in ("kernel_regularizer", "bias_regularizer", "activity_regularizer"):
        expected = f"Dense 'd': {argument} is not available yet.*: use Dropout, or the weight_decay"
        with pytest.raises(ValueError, match=expected):
            Dense(3, name="d", **{argument: "l2"})
    for argument in ("kernel_constraint", "bias_constraint"):
        with pytest.raises(ValueError, match=f"{argument} is not available yet.*: use the weight_"):
            Dense(3, **{argument: "max_norm"})
    with pytest.raises(ValueError, match=r"PReLU 'p': alpha_constraint is not .*: use the weight"):
        PReLU(name="p", alpha_constraint="max_norm")
    with pytest.raises(ValueError, match="Flatten: activity_regularizer is not available yet"):
        Flatten(activity_regularizer="l2")
    with pytest.raises(
        ValueError, match=r"Dropout 'o': noise_shape must be \(None, ...\), None or"
    ):
        Dropout(0.1, noise_shape=(1, 3), name="o")
    for argument in ({"mask_zero": True}, {"weights": [np.ones((4, 2))]}, {"lora_rank": 2}):
        with pytest.raises(ValueError, match=f"{next(iter(argument))} is not available yet"):
            layers.Embedding(4, 2, **argument)
    with pytest.raises(ValueError, match=r"mask is not available yet.*by name"):
        layers.Lambda(np.exp, mask=np.ones(3))


# --- errors that teach -----------------------------------------------------------------------


def test_wrong_number_of_features():
    layer = Dense(3, name="dense_1")
    layer.build((None, 784))
    message = r"Dense 'dense_1' expects 784 features per sample, got 512 .*check Input\(shape="
    with pytest.raises(ValueError, match=message):
        layer(Input((512,)))
    with pytest.raises(ValueError, match=message):
        layer(np.zeros((2, 512)))
    assert layer(np.zeros((2, 784))).shape == (2, 3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Dense(3, untis=2), "unrecognized argument 'untis': did you mean 'units'"),
        (lambda: Dense(3, name="a/b"), "without '/'"),
        (lambda: Dense(3, dtype="float16"), "'float32' or 'float64'"),
        (lambda: Dense(3)(Input(())), "at least 2 axes"),
        (lambda: Dense(3)([Input((2,)), Input((2,))]), "takes one input, got 2: join them"),
        (lambda: Dropout(1.5), "rate must be from 0 to 1"),
        (lambda: Dropout("a"), "rate must be from 0 to 1"),
        (lambda: Dropout(0.5, noise_shape=(1,)), "noise_shape"),
        (lambda: LeakyReLU(-1), "negative_slope"),
        (lambda: Softmax(axis=0), "axis must be"),
        (lambda: Softmax(axis=2)(Input((3,))), "axis 2"),
        (lambda: Flatten(data_format="channels_first"), "data_format"),
        (lambda: Reshape((2, 2))(Input((3,))), "3 elements"),
        (lambda: Reshape((-1, -1)), "may be -1"),
        (lambda: Reshape((-1, 2))(Input((3,))), "3 elements"),
        (lambda: Rescaling("a"), "scale must be a number"),
        (lambda: Add()(Input((3,))), "list of at least 2"),
        (lambda: Add()([Input((3,)), Input((4,))]), r"\[\(3,\), \(4,\)\]"),
        (lambda: Subtract()([Input((3,))] * 3), "takes 2 inputs, got 3"),
        (lambda: Concatenate(axis=0), "other than 0"),
        (lambda: Concatenate()([Input((2, 3)), Input((3, 3))]), "other axes must agree"),
        (lambda: Concatenate()([Input((2, 3)), Input((3,))]), "same number of axes"),
        (lambda: Concatenate(axis=2)([Input((2,)), Input((3,))]), "along axis 2"),
        (lambda: PReLU(shared_axes=[2])(Input((3,))), "from 1 to 1"),
        (lambda: Dense(3)("text"), "cannot make an array"),
        (lambda: Dense(3)(None), "cannot make an array of numbers from NoneType"),
        (lambda: Dense(3)(5.0), "single number"),
        (lambda: layers.deserialize({"class_name": "Dens"}), "'Dens': did you mean 'Dense'"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_arrays_and_tensors_do_not_mix():
    with pytest.raises(TypeError, match="arrays and symbolic tensors together"):
        Add()([Input((3,)), A])


def test_a_failed_build_leaves_no_weights():
    layer = Dense(3, bias_initializer=lambda shape, dtype=None: np.zeros(7))
    with pytest.raises(ValueError, match=r"initializer of 'bias' must return .*\(3,\), got \(7,\)"):
        layer.build((None, 2))
    assert layer.weights == []
    assert not layer.built
    layer.bias_initializer = initializers.Zeros()
    layer.build((None, 2))
    assert len(layer.weights) == 2


def test_initializers_that_take_no_dtype():
    layer = Dense(3, name="out", kernel_initializer=lambda shape: np.zeros(shape))
    with pytest.raises(TypeError, match=r"Dense 'out': cannot initialize 'kernel'.*dtype="):
        layer(A)


# --- weights ---------------------------------------------------------------------------------


def test_get_and_set_weights():
    layer = Dense(2)
    layer.build((None, 3))
    kernel, bias = layer.get_weights()
    kernel[...] = 7  # a copy
    assert (layer.kernel.numpy() != 7).all()
    layer.set_weights([kernel, [1, 2]])
    assert (layer.kernel.numpy() == 7).all()
    assert layer.bias.numpy().tolist() == [1, 2]
    with pytest.raises(TypeError, match=r"takes a list of arrays, as .*, got NoneType"):
        layer.set_weights(None)
    with pytest.raises(ValueError, match="has 2 weights, got 1 arrays"):
        layer.set_weights([kernel])
    with pytest.raises(ValueError, match=r"kernel' has shape \(3, 2\), got an array of shape \(2"):
        layer.set_weights([kernel.T, [0, 0]])
    with pytest.raises(ValueError, match="bias' has shape"):
        layer.set_weights([np.zeros((3, 2)), [0, 0, 0]])
    assert (layer.kernel.numpy() == 7).all()  # nothing was changed
    with pytest.raises(ValueError, match="call build"):
        Dense(2).set_weights([kernel, bias])
    with pytest.raises(ValueError, match="not built yet"):
        Dense(2).count_params()


def test_trainable():
    layer = Dense(2, trainable=False)
    layer.build((None, 3))
    assert layer.trainable_weights == []
    assert len(layer.non_trainable_weights) == 2
    layer.trainable = True
    assert layer.trainable_weights == layer.weights
    assert layer.variables == layer.weights


def test_building_twice_makes_one_set():
    layer = Dense(2)
    layer.build((None, 3))
    weights = layer.weights
    layer(np.zeros((1, 3)))
    layer(Input((3,)))
    assert layer.weights == weights


def test_float64():
    config.set_floatx("float64")
    layer = Dense(2)
    x = np.random.default_rng(0).normal(size=(3, 4))
    np.testing.assert_allclose(layer(x), x @ layer.kernel.numpy(), rtol=1e-14)
    assert layer(x).dtype == np.float64
    assert Dense(2, dtype="float32")(x).dtype == np.float32


def test_names():
    config.clear_session()
    assert [Dense(1).name, Dense(1).name, PReLU().name] == ["dense", "dense_1", "p_re_lu"]
    assert Dense(1, name="out").name == "out"
    assert repr(Dense(1)) == "<Dense name=dense_2, built=False>"


def test_dropout_in_training():
    config.set_random_seed(0)
    x = np.ones((100, 50))
    y = Dropout(0.25)(x, training=True)
    assert set(np.unique(y)) == {0, np.float32(1 / 0.75)}
    assert (y == 0).mean() == pytest.approx(0.25, abs=0.03)


def test_input_and_output_of_a_layer():
    layer = Dense(2)
    with pytest.raises(AttributeError, match="not been called"):
        layer.output  # noqa: B018
    x = Input((3,))
    y = layer(x)
    assert layer.input is x
    assert layer.output is y


def test_layers_can_be_copied():
    layer = Dense(2)
    y = layer(Input((3,)))
    again = copy.copy(layer)
    assert again.weights == layer.weights
    assert y.shape == (None, 2)


# --- layers of one's own -----------------------------------------------------------------------


class Power(Layer):
    """y = scale * x**2, with a weight."""

    def build(self, input_shape):
        self.scale = self.add_weight((input_shape[-1],), "ones", name="scale")
        self.offset = self.add_weight((1,), "zeros", trainable=False, name="offset")

    def call(self, inputs, training=False):
        return self.scale.value * inputs**2 + self.offset.value

    def backward(self, inputs, output, doutput):
        dscale = (doutput * inputs**2).sum(axis=0)
        return 2 * self.scale.value * inputs * doutput, [dscale]


class Outer(Layer):
    """Two inputs, another shape, no `training` argument."""

    def call(self, inputs):
        a, b = inputs
        return a[:, :, None] * b[:, None, :]


def test_a_layer_of_ones_own():
    layer = Power()
    assert layer(A).tolist() == (A**2).tolist()
    assert [v.name for v in layer.trainable_weights] == ["scale"]
    assert [v.name for v in layer.non_trainable_weights] == ["offset"]
    layer.trainable = False
    assert len(layer.non_trainable_weights) == 2
    layer.trainable = True
    assert len(layer.non_trainable_weights) == 1
    assert layer(Input((3,))).shape == (None, 3)
    again = layers.deserialize(layers.serialize(layer), custom_objects={"Power": Power})
    assert isinstance(again, Power)


def test_the_shape_of_its_output_is_found_by_trying():
    assert Outer()([Input((3,)), Input((4,))]).shape == (None, 3, 4)
    assert Outer()([A, B]).shape == (2, 3, 3)


def test_a_layer_without_call_says_what_to_write():
    class Nothing(Layer):
        pass

    with pytest.raises(NotImplementedError, match="write call"):
        Nothing()(A)


def test_a_call_must_keep_the_batch():
    class Total(Layer):
        def call(self, inputs):
            return inputs.sum()

    with pytest.raises(ValueError, match="must keep the batch axis"):
        Total()(Input((3,)))


def test_add_weight_checks():
    layer = Layer()
    layer.add_weight((2,), name="w")
    with pytest.raises(ValueError, match="already has a weight named 'w'"):
        layer.add_weight((2,), name="w")
    with pytest.raises(ValueError, match="needs a known shape"):
        layer.add_weight((None, 2), name="v")
    assert layer.add_weight(3).shape == (3,)
    assert layer.add_weight().shape == ()


def test_input_spec():
    class Picky(Layer):
        def __init__(self):
            super().__init__()
            self.input_spec = InputSpec(ndim=2)

        def call(self, inputs):
            return inputs

    with pytest.raises(ValueError, match="expects 2 axes"):
        Picky()(np.zeros((2, 3, 4)))


class Scaled(layers.Layer):
    def __init__(self, factor, shape=(1, 2), rule=None, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, inputs):
        return self.factor * inputs


def test_plain_arguments_of_ones_own_layer_are_written_down():
    layer = Scaled(3.0, shape=(4, 5), name="mine")
    again = layers.deserialize(layers.serialize(layer), custom_objects={"Scaled": Scaled})
    assert (again.factor, again.name) == (3.0, "mine")
    assert again.get_config() == layer.get_config() == copy.deepcopy(layer).get_config()
    assert "rule" not in Scaled(1, rule=len).get_config()
    with pytest.raises(NotImplementedError, match=r"'factor' of __init__: define get_config\("):
        Scaled(np.ones(3)).get_config()


def test_a_layer_that_forgets_super_says_so():
    class Forgetful(layers.Layer):
        def __init__(self):
            self.units = 3

    for use in (lambda layer: layer.add_weight((3,)), lambda layer: layer(A)):
        with pytest.raises(AttributeError, match=r"begin its __init__ with super\(\)"):
            use(Forgetful())
    with pytest.raises(AttributeError, match=r"object has no attribute 'unit'$"):
        Dense(3).unit  # noqa: B018


def test_an_activation_may_be_changed(tmp_path):
    x = np.array([[1.0, -2.0]], "float32")
    model = Sequential([Input((2,)), Dense(2, "relu"), Activation("relu"), Dense(2, "softmax")])
    model.compile("sgd", "mse")
    before = model.predict(x, verbose=0), model.evaluate(x, x, verbose=0)
    hidden, second, last = model.layers
    hidden.activation, second.activation, last.activation = "tanh", "sigmoid", None
    a = 1 / (1 + np.exp(-np.tanh(x @ hidden.kernel.value)))
    expected = a @ last.kernel.value
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-5)
    np.testing.assert_allclose(model(x), expected, rtol=1e-5)
    assert model.evaluate(x, x, verbose=0) != before[1]
    model.save(tmp_path / "changed.npz")
    loaded = load_model(tmp_path / "changed.npz")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
    with pytest.raises(ValueError, match="did you mean 'tanh'"):
        hidden.activation = "tnah"
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-5)
