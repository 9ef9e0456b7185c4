"""Models: Sequential and functional, nested, shared, as data, and what their errors teach."""

import copy
import json

import numpy as np
import pytest

from fastnn import config
from fastnn.graph import ancestors
from fastnn.layers import (
    Activation,
    Add,
    Concatenate,
    Dense,
    Dropout,
    Flatten,
    Input,
    InputLayer,
    Layer,
    concatenate,
)
from fastnn.models import Model, Sequential, clone_model, model_from_json

X = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)


def wide_and_deep():
    wide, deep = Input((4,), name="wide"), Input((3,), name="deep")
    hidden = Dense(5, activation="relu", name="hidden")(deep)
    out = Dense(1, name="out")(concatenate([wide, hidden], name="joined"))
    aux = Dense(2, name="aux")(hidden)
    return Model(inputs=[wide, deep], outputs=[out, aux])


# --- Sequential ------------------------------------------------------------------------------


def test_sequential_with_input():
    model = Sequential([Input((4,)), Dense(3, activation="relu"), Dense(2)])
    assert model.built
    assert [layer.name for layer in model.layers] == ["dense", "dense_1"]
    assert (model.input_shape, model.output_shape) == ((None, 4), (None, 2))
    assert model.name == "sequential"
    assert [v.path for v in model.weights] == [
        "dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias"
    ]  # fmt: skip
    assert model.count_params() == 4 * 3 + 3 + 3 * 2 + 2
    assert model(X).shape == (6, 2)
    hidden = np.maximum(X @ model.layers[0].kernel.numpy(), 0)
    np.testing.assert_allclose(model(X), hidden @ model.layers[1].kernel.numpy(), rtol=1e-4,
                               atol=1e-6)  # fmt: skip


@pytest.mark.parametrize(
    "start",
    [
        lambda: [Dense(3, input_shape=(4,))],
        lambda: [Dense(3, input_dim=4)],
        lambda: [Dense(3, batch_input_shape=(None, 4))],
        lambda: [InputLayer(shape=(4,)), Dense(3)],
        lambda: [InputLayer(input_shape=(4,)), Dense(3)],
        lambda: [Flatten(input_shape=[2, 2]), Dense(3)],
        lambda: [Activation("relu", input_shape=(4,)), Dense(3)],
        lambda: [Sequential([Input((4,)), Dense(3)])],
    ],
)
def test_ways_to_say_the_input_shape(start):
    model = Sequential(start())
    assert model.built
    assert model.count_params() == 15
    by_hand = Sequential()
    for layer in start():
        by_hand.add(layer)
    assert by_hand.output_shape == model.output_shape


def test_deferred_build():
    model = Sequential([Dense(3), Dense(2)])
    assert not model.built
    assert model.weights == []
    with pytest.raises(ValueError, match="does not know its input shape"):
        model.build()
    with pytest.raises(ValueError, match="not built yet"):
        model.count_params()
    assert model(X).shape == (6, 2)
    assert model.built
    assert model.count_params() == 23
    model.build((None, 4))  # nothing to do
    other = Sequential([Dense(3), Dense(2)])
    other.build((None, 4))
    assert other.count_params() == 23
    third = Sequential([Dense(3)])
    assert third(Input((7,))).shape == (None, 3)
    assert third.input_shape == (None, 7)


def test_fit_builds():
    model = Sequential([Dense(3, activation="relu"), Dense(1)])
    model.compile("sgd", loss="mse")
    model.fit(X, X[:, :1], verbose=0)
    assert model.input_shape == (None, 4)


def test_add_and_pop():
    model = Sequential()
    model.add(Input((4,)))
    model.add(Dense(3))
    model.add(Dense(2))
    assert model.output_shape == (None, 2)
    before = model(X)
    top = model.pop()
    assert top.units == 2
    assert model.output_shape == (None, 3)
    assert len(model.weights) == 2
    model.add(top)
    np.testing.assert_array_equal(model(X), before)
    assert top.output is model.outputs[0]
    deferred = Sequential([Dense(3)])
    deferred.pop()
    with pytest.raises(ValueError, match="no layer to take off"):
        deferred.pop()


def test_adding_after_training():
    model = Sequential([Input((4,)), Dense(3)])
    model.compile("sgd", loss="mse")
    model.fit(X, X[:, :3], verbose=0)
    model.add(Dense(2))
    assert model.predict(X, verbose=0).shape == (6, 2)
    model.fit(X, X[:, :2], verbose=0)


@pytest.mark.parametrize(
    ("add", "message"),
    [
        (lambda m: m.add(Dense(2, name="first")), "layer named 'first' already"),
        (lambda m: m.add(Input((3,))), "must come first"),
        (lambda m: m.add("dense"), "only layers can be added, got 'dense'"),
        (lambda m: m.add(Dense), "make an instance"),
        (lambda m: m.add(Concatenate()), "list of at least 2"),
        (lambda m: m.add(m), "cannot contain itself"),
    ],
)
def test_errors_of_add_leave_the_model_unchanged(add, message):
    model = Sequential([Input((4,)), Dense(3, name="first")])
    with pytest.raises(ValueError, match=message):
        add(model)
    assert len(model.layers) == 1
    model.add(Dense(2))
    assert model(X).shape == (6, 2)


def test_a_failed_build_can_be_repeated():
    model = Sequential([Dense(3), Add(), Dense(2)])
    with pytest.raises(ValueError, match="list of at least 2"):
        model.build((None, 4))
    assert not model.built
    with pytest.raises(ValueError, match="expected a list"):
        Sequential(Dense(3))


# --- functional ------------------------------------------------------------------------------


def test_wide_and_deep():
    model = wide_and_deep()
    assert model.name == "functional"
    assert [layer.name for layer in model.layers] == [
        "deep", "wide", "hidden", "joined", "out", "aux"
    ]  # fmt: skip
    assert model.input_names == ["wide", "deep"]
    assert model.output_names == ["out", "aux"]
    deep = X[:, :3]
    out, aux = model([X, deep])
    assert (out.shape, aux.shape) == ((6, 1), (6, 2))
    by_name = model({"deep": deep, "wide": X})
    np.testing.assert_array_equal(by_name[0], out)
    predicted = model.predict([X, deep], verbose=0)
    np.testing.assert_array_equal(predicted[1], aux)


def test_dictionary_forms():
    a, b = Input((4,)), Input((3,))
    sum_ = Add()([Dense(2)(a), Dense(2)(b)])
    model = Model(inputs={"a": a, "b": b}, outputs={"sum": sum_, "score": Dense(1)(sum_)})
    assert model.input_names == ["a", "b"]
    assert model.output_names == ["sum", "score"]
    made = model({"b": X[:, :3], "a": X})
    assert {key: value.shape for key, value in made.items()} == {"sum": (6, 2), "score": (6, 1)}
    predicted = model.predict({"a": X, "b": X[:, :3]}, verbose=0)
    assert set(predicted) == {"sum", "score"}
    again = Model.from_config(model.get_config())
    assert again.output_names == ["sum", "score"]


def test_a_list_of_one_is_one():
    x = Input((4,))
    model = Model(inputs=[x], outputs=[Dense(2)(x)])
    assert model(X).shape == (6, 2)
    assert model([X]).shape == (6, 2)
    assert model.predict(X, verbose=0).shape == (6, 2)
    assert model.output_shape == (None, 2)


def test_outputs_of_one_layer_have_names_of_their_own():
    a, b = Input((4,)), Input((4,))
    layer = Dense(2, name="both")
    assert Model([a, b], [layer(a), layer(b)]).output_names == ["both", "both_1"]


def test_shared_layers_have_one_set_of_weights():
    a, b = Input((4,)), Input((4,))
    shared = Dense(3)
    model = Model([a, b], Add()([shared(a), shared(b)]))
    assert len(model.weights) == 2
    assert len([node for node in ancestors(model.outputs) if node.layer is shared]) == 2
    model.compile("sgd", loss="mse")
    model.fit([X, X], X[:, :3], verbose=0)


def test_models_within_models():
    inner = Sequential([Dense(3, name="h", activation="relu"), Dense(2, name="o")], name="inner")
    x = Input((4,))
    model = Model(x, Dense(1, name="top")(inner(x)))
    assert [layer.name for layer in model.layers] == ["input_layer", "inner", "top"]
    assert model.get_layer("inner") is inner
    assert len(model.weights) == 6
    top = model.get_layer("top")
    np.testing.assert_allclose(
        model(X), inner(X) @ top.kernel.numpy() + top.bias.numpy(), rtol=1e-5, atol=1e-6
    )
    names = [node.layer.name for node in ancestors(model.outputs)]
    assert names == ["input_layer", "h", "o", "top"]
    outer = Sequential([Input((4,)), model, Dense(1)])  # one level more
    assert len(outer.weights) == 8
    assert [node.layer.name for node in ancestors(outer.outputs)][1:4] == ["h", "o", "top"]
    again = Model.from_config(model.get_config())
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again(X), model(X))
    before = inner.get_weights()
    model.compile("sgd", loss="mse")
    model.fit(X, X[:, :1], verbose=0)
    assert (before[0] != inner.get_weights()[0]).any()


def test_a_nested_model_with_several_outputs():
    inner = wide_and_deep()
    a, b = Input((4,)), Input((3,))
    out, aux = inner([a, b])
    model = Model([a, b], Concatenate()([aux, out]))
    made = inner([X, X[:, :3]])
    np.testing.assert_array_equal(model([X, X[:, :3]]), np.hstack([made[1], made[0]]))
    only = Model([a, b], aux)
    assert "out" not in [node.layer.name for node in ancestors(only.outputs)]
    np.testing.assert_array_equal(only.predict([X, X[:, :3]], verbose=0), made[1])
    again = Model.from_config(only.get_config())
    again.set_weights(only.get_weights())
    np.testing.assert_array_equal(again([X, X[:, :3]]), made[1])


def test_a_model_that_passes_its_input_through():
    x = Input((4,))
    inner = Model(x, [x, Dense(2)(x)])
    y = Input((4,))
    same, small = inner(y)
    model = Model(y, [same, small])
    np.testing.assert_array_equal(model(X)[0], X)
    assert model.predict(X, verbose=0)[1].shape == (6, 2)


def test_looking_inside():
    model = Sequential([Input((4,)), Dense(3, activation="relu"), Dense(2)])
    features = Model(inputs=model.inputs, outputs=model.layers[0].output)
    assert features(X).shape == (6, 3)
    rest = Model(inputs=model.layers[1].input, outputs=model.outputs)
    np.testing.assert_array_equal(rest(features(X)), model(X))
    assert rest.count_params() == 8


def test_calling_a_model_in_training():
    config.set_random_seed(0)
    model = Sequential([Input((4,)), Dropout(0.5)])
    np.testing.assert_array_equal(model(X), X)
    assert (model(X, training=True) == 0).any()


# --- errors that teach -------------------------------------------------------------------------


def test_exchanged_inputs_and_outputs_are_named():
    x = Input((3,))
    hidden = Dense(4)(x)
    for inputs, outputs in ((Dense(2)(hidden), x), (Dense(2)(hidden), hidden), ([hidden], [x])):
        with pytest.raises(ValueError, match="exchange the two"):
            Model(inputs, outputs)


def test_disconnected_graph():
    a, b = Input((4,), name="a"), Input((3,), name="b")
    y = concatenate([a, b])
    with pytest.raises(ValueError, match=r"depend on Input 'b' of shape \(None, 3\).*add it"):
        Model(inputs=a, outputs=y)
    middle = Dense(2)(y)
    with pytest.raises(ValueError, match="depend on Input 'b'"):
        Model(inputs=[y.node.inputs[0]], outputs=middle)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda x: Model(x, 3), "outputs must be symbolic tensors.*got int"),
        (lambda x: Model(X, Dense(3)(x)), "inputs must be symbolic tensors.*got ndarray"),
        (lambda x: Model([], Dense(3)(x)), "inputs is empty"),
        (lambda x: Model([x, x], Dense(3)(x)), "stands twice"),
        (lambda x: Model(x), "give inputs and outputs"),
        (
            lambda x: Model(x, Dense(1, name="a")(Dense(2, name="a")(x))),
            "two layers have the name 'a'.*give one another name",
        ),
    ],
)
def test_bad_models(make, message):
    with pytest.raises(ValueError, match=message):
        make(Input((4,)))


def test_models_with_a_call_of_their_own():
    class Own(Model):
        def __init__(self):
            super().__init__()

        def call(self, inputs):
            return inputs

    with pytest.raises(NotImplementedError, match=r"What works: Model\(inputs=..., outputs"):
        Own()


def test_subclasses_that_describe_their_graph_work():
    class Small(Model):
        def __init__(self):
            x = Input((4,))
            super().__init__(inputs=x, outputs=Dense(2)(x))

    assert Small()(X).shape == (6, 2)
    assert Small().name == "small_1"


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (X, "expects a list of 2 inputs"),
        ([X], "expects a list of 2 inputs.*got 1"),
        ({"wide": X}, r"\['deep'\] missing"),
        ([X, X], "expects.*3.*got.*4"),
        ([X, X[:2, :3]], "6.*2"),
    ],
)
@pytest.mark.parametrize("training", [False, True])
def test_bad_calls(inputs, message, training):
    with pytest.raises(ValueError, match=message):
        wide_and_deep()(inputs, training=training)


def test_bad_symbolic_calls():
    model = wide_and_deep()
    with pytest.raises(ValueError, match="input 'deep' expects shape"):
        model([Input((4,)), Input((5,))])
    with pytest.raises(TypeError, match="together"):
        model([Input((4,)), X])


@pytest.mark.parametrize("engine", ["c", "numpy"])
def test_number_types_do_not_mix(engine):
    model = Sequential([Input((4,)), Dense(3, name="wide", dtype="float64"), Dense(2)])
    config.set_engine(engine)
    with pytest.raises(ValueError, match="'wide' computes in float64, its model in float32"):
        model.predict(X, verbose=0)


def test_get_layer():
    model = wide_and_deep()
    assert model.get_layer("hidden").units == 5
    assert model.get_layer(index=-1).name == "aux"
    for arguments, message in [
        ({"name": "hiden"}, r"no layer 'hiden'; it has \['deep'"),
        ({"index": 6}, "has 6 layers, there is no layer 6"),
        ({}, "give a name or an index"),
        ({"name": "out", "index": 1}, "give a name or an index"),
    ]:
        with pytest.raises(ValueError, match=message):
            model.get_layer(**arguments)


# --- weights ---------------------------------------------------------------------------------


def test_weights_of_a_model():
    model = Sequential([Input((4,)), Dense(3), Dense(2)])
    weights = model.get_weights()
    other = clone_model(model)
    assert (other.get_weights()[0] != weights[0]).any()
    other.set_weights(weights)
    np.testing.assert_array_equal(other(X), model(X))
    with pytest.raises(ValueError, match="has 4 weights, got 3"):
        model.set_weights(weights[:3])


def test_freezing():
    model = Sequential([Input((4,)), Dense(3), Dense(2)])
    model.trainable = False
    assert model.trainable_weights == []
    assert len(model.non_trainable_weights) == 4
    assert not model.layers[0].trainable
    model.trainable = True
    model.layers[0].trainable = False
    assert [v.path for v in model.trainable_weights] == ["dense_1/kernel", "dense_1/bias"]
    model.compile("sgd", loss="mse")
    before = model.get_weights()
    model.fit(X, X[:, :2], verbose=0)
    after = model.get_weights()
    assert [(a == b).all() for a, b in zip(before, after, strict=True)] == [
        True, True, False, False
    ]  # fmt: skip


# --- as data ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        wide_and_deep,
        lambda: Sequential([Input((4,)), Dense(3), Dense(2)]),
        lambda: Sequential([Dense(3), Dense(2)]),
        lambda: Sequential([Flatten(input_shape=(2, 2)), Dense(3)], name="own", trainable=False),
    ],
)
def test_json_round_trip(make):
    model = make()
    text = model.to_json()
    again = model_from_json(text)
    assert type(again) is type(model)
    assert again.to_json() == text
    assert json.loads(text)["class_name"] in ("Functional", "Sequential")
    assert [v.path for v in again.trainable_weights] == [v.path for v in model.trainable_weights]


def test_sharing_survives_the_round_trip():
    a, b = Input((4,)), Input((4,))
    shared = Dense(4)
    late = shared(Dense(4)(shared(a)))  # depends on a layer that stands behind it
    model = Model([a, b], Add()([late, shared(b)]))
    again = model_from_json(model.to_json())
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again([X, X]), model([X, X]))


def test_keras_configuration_is_read():
    """What Keras 3 writes, shortened."""
    text = """{"module": "keras", "class_name": "Sequential", "config": {
      "name": "sequential", "trainable": true,
      "dtype": {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}},
      "layers": [
        {"module": "keras.layers", "class_name": "InputLayer", "config": {
          "batch_shape": [null, 4], "dtype": "float32", "sparse": false, "ragged": false,
          "name": "input_layer"}},
        {"module": "keras.layers", "class_name": "Dense", "config": {
          "name": "dense", "trainable": true, "units": 3, "activation": "relu", "use_bias": true,
          "dtype": {"module": "keras", "class_name": "DTypePolicy",
                    "config": {"name": "float32"}, "registered_name": null},
          "kernel_initializer": {"module": "keras.initializers", "class_name": "GlorotUniform",
                                 "config": {"seed": null}, "registered_name": null},
          "bias_initializer": {"module": "keras.initializers", "class_name": "Zeros",
                               "config": {}, "registered_name": null},
          "kernel_regularizer": null, "bias_regularizer": null, "kernel_constraint": null,
          "bias_constraint": null}}],
      "build_input_shape": [null, 4]}}"""
    model = model_from_json(text)
    assert model.count_params() == 15


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("layers"), "lacks 'layers'"),
        (lambda c: c["layers"][-1]["inbound_nodes"].append({}), "cannot read a call"),
        (lambda c: c["layers"].pop(0), "there is no layer 'deep'"),
        (lambda c: c["output_layers"].append(["nobody", 0, 0]), "there is no layer 'nobody'"),
        (lambda c: c["layers"][-1].update(class_name="os"), "Unknown layer 'os'"),
    ],
)
def test_damaged_configurations(change, message):
    data = wide_and_deep().get_config()
    change(data)
    with pytest.raises(ValueError, match=message):
        Model.from_config(data)


def test_circular_configurations_end():
    data = wide_and_deep().get_config()
    hidden = next(entry for entry in data["layers"] if entry["name"] == "hidden")
    hidden["inbound_nodes"][0]["args"][0]["config"]["keras_history"] = ["out", 0, 0]
    with pytest.raises(ValueError, match="have inputs that nobody makes"):
        Model.from_config(data)


class Square(Layer):
    def call(self, inputs):
        return inputs**2

    def backward(self, inputs, output, doutput):
        return 2 * inputs * doutput


def test_clone_finds_layers_of_ones_own():
    model = Sequential([Input((4,)), Dense(3), Square()])
    again = clone_model(model)
    assert isinstance(again.layers[1], Square)
    assert again.layers[0] is not model.layers[0]
    with pytest.raises(ValueError, match="custom_objects"):
        model_from_json(model.to_json())


@pytest.mark.parametrize("engine", ["c", "numpy"])
def test_what_cannot_be_trained_says_so_before_a_weight_changes(engine):
    class Step(Layer):
        def call(self, inputs):
            return (inputs > 0).astype(inputs.dtype)

    model = Sequential([Input((4,)), Step(name="step"), Dense(3), Activation("sign"), Dense(2)])
    model.compile("sgd", loss="mse", engine=engine)
    assert model.predict(X, verbose=0).shape == (6, 2)
    assert model.evaluate(X, X[:, :2], verbose=0) > 0
    before = model.get_weights()
    with pytest.raises(ValueError, match="layer 'activation' cannot be trained through: 'sign'"):
        model.fit(X, X[:, :2], verbose=0)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    first = Sequential([Input((4,)), Dense(4), Step(name="step"), Dense(2)])
    first.compile("sgd", loss="mse", engine=engine)
    with pytest.raises(ValueError, match="'step' cannot be trained through: 'greater' in call"):
        first.fit(X, X[:, :2], verbose=0)
    behind = Sequential([Input((4,)), Step(), Dense(2)])  # nothing to train before the step
    behind.compile("sgd", loss="mse", engine=engine)
    behind.fit(X, X[:, :2], verbose=0)


@pytest.mark.parametrize("engine", ["c", "numpy"])
def test_training_through_a_layer_of_ones_own(engine):
    """It learns what the same model made of known parts learns."""

    class Scale(Layer):
        def build(self, input_shape):
            self.scale = self.add_weight((input_shape[-1],), "ones", name="scale")

        def call(self, inputs):
            return inputs * self.scale.value

        def backward(self, inputs, output, doutput):
            return doutput * self.scale.value, [(doutput * inputs).sum(axis=0)]

    config.set_random_seed(0)
    model = Sequential([Input((4,)), Dense(4, use_bias=False), Scale()])
    model.compile("sgd", loss="mse", engine=engine)
    kernel, scale = (w.astype(np.float64) for w in model.get_weights())
    model.fit(X, X, batch_size=6, shuffle=False, verbose=0)
    x = X.astype(np.float64)
    hidden = x @ kernel
    error = 2 * (hidden * scale - x) / x.size
    np.testing.assert_allclose(
        model.get_weights()[0], kernel - 0.01 * x.T @ (error * scale), rtol=1e-5
    )
    np.testing.assert_allclose(
        model.get_weights()[1], scale - 0.01 * (error * hidden).sum(0), rtol=1e-5
    )


@pytest.mark.parametrize("engine", ["c", "numpy"])
def test_copies_are_independent_and_train_alike(engine):
    model = Sequential([Input((4,)), Dense(3)])
    model.compile("adam", loss="mse", engine=engine)
    model.fit(X, X[:, :3], verbose=0)
    again = copy.deepcopy(model)
    before = model.get_weights()
    again.fit(X, X[:, :3], verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], before[0])
    model.fit(X, X[:, :3], verbose=0)
    assert (model.get_weights()[0] != before[0]).all()
    np.testing.assert_array_equal(model.get_weights()[0], again.get_weights()[0])
    again.set_weights([np.zeros((4, 3)), np.zeros(3)])
    assert (again.predict(X, verbose=0) == 0).all()
    assert (model.predict(X, verbose=0) != 0).any()
