"""What a subclass overrides counts: eagerly, in fit, evaluate and predict, after save and load."""

from __future__ import annotations

import numpy as np
import pytest
from loss_table import LOSSES
from test_layers import VALUES
from test_metrics import RESULTS

from fastnn import Input, Model, initializers, losses, models, optimizers
from fastnn.layers import Dense, InputLayer
from fastnn.losses.registry import CLASSES as LOSS_CLASSES

pytestmark = pytest.mark.filterwarnings("ignore::fastnn.training.TrainingWarning")

LAYERS = {type(layer).__name__: (layer, inputs) for layer, inputs, _ in VALUES}
LAYERS["Dense"] = (Dense(2), VALUES[0][1])


def subclass(base, **members):
    return type(f"Other{base.__name__}", (base,), members)


def outputs(model, x, y, tmp_path, own):
    """Return what predict, fit, evaluate and a loaded model's predict make of the override."""
    model.compile(optimizers.SGD(0.0), "mse")
    made = model.predict(x, verbose=0)
    fitted = model.fit(x, y, epochs=1, batch_size=2, verbose=0).history["loss"][0]
    evaluated = model.evaluate(x, y, verbose=0)
    model.save(tmp_path / "m.npz")
    again = models.load_model(tmp_path / "m.npz", custom_objects={own.__name__: own})
    return made, fitted, evaluated, again.predict(x, verbose=0)


def same(features):
    """Return a layer with weights that changes nothing."""
    return Dense(features, kernel_initializer="identity")


def model_of(layer, inputs):
    batches = inputs if isinstance(inputs, list) else [inputs]
    tensors = [Input(np.shape(x)[1:]) for x in batches]
    begun = [same(x.shape[-1])(x) for x in tensors]
    return Model(tensors, layer(begun if isinstance(inputs, list) else begun[0]))


@pytest.mark.parametrize("name", LAYERS)
def test_call_of_every_layer(name, tmp_path):
    base, inputs = LAYERS[name]

    def call(self, inputs):
        return 3 * super(own, self).call(inputs) + 1

    if name == "Dropout":  # it is handed on whether it trains

        def call(self, inputs, training=False):
            return 3 * super(own, self).call(inputs, training=False) + 1

    own = subclass(type(base), call=call)
    plain = base(inputs)
    layer = own.from_config(base.get_config())
    model = model_of(layer, inputs)
    if base.weights:
        layer.set_weights(base.get_weights())
    expected = 3 * plain + 1
    np.testing.assert_allclose(layer(inputs), expected, rtol=1e-5)
    if name == "BatchNormalization":
        layer.trainable = False  # else a training has other means
    y = np.zeros_like(expected)
    made, fitted, evaluated, loaded = outputs(model, inputs, y, tmp_path, own)
    np.testing.assert_allclose(made, expected, rtol=1e-5)
    np.testing.assert_allclose(loaded, expected, rtol=1e-5)
    assert fitted == pytest.approx(np.mean(expected**2), rel=1e-5)
    assert evaluated == pytest.approx(np.mean(expected**2), rel=1e-5)


@pytest.mark.parametrize("name", LAYERS)
def test_build_and_output_shape_of_every_layer(name):
    base, inputs = LAYERS[name]
    asked: list[str] = []

    def build(self, input_shape):
        asked.append("build")
        super(own, self).build(input_shape)

    def compute_output_shape(self, input_shape):
        asked.append("shape")
        return super(own, self).compute_output_shape(input_shape)

    own = subclass(type(base), build=build, compute_output_shape=compute_output_shape)
    layer = own.from_config(base.get_config())
    layer.built = False
    model = model_of(layer, inputs)
    assert asked == ["build", "shape"]
    np.testing.assert_array_equal(model.predict(inputs, verbose=0).shape, base(inputs).shape)


def test_every_layer_is_here():
    from fastnn import layers

    classes = set(layers.CLASSES) - {"Functional", "Model", "Sequential", InputLayer.__name__}
    assert classes - {"Lambda"} == set(LAYERS)


@pytest.mark.parametrize("name", sorted(LOSS_CLASSES))
def test_call_of_every_loss(name):
    base = LOSS_CLASSES[name]
    batch, options = next((batch, options) for cls, batch, options, *_ in LOSSES.values()
                          if cls is base)  # fmt: skip

    def call(self, y_true, y_pred):
        return 10 * super(own, self).call(y_true, y_pred)

    own = subclass(base, call=call)
    t, p = batch
    x = Input(np.shape(p)[1:])
    found = []
    for loss in (base(**options), own(**options)):
        model = Model(x, same(np.shape(p)[-1])(x))
        model.compile(optimizers.SGD(0.0), loss)
        fitted = model.fit(p, t, batch_size=2, verbose=0).history["loss"][0]
        found.append([loss(t, p), fitted, model.evaluate(p, t, verbose=0)])
    np.testing.assert_allclose(found[1], 10 * np.array(found[0]), rtol=1e-5)


def metric_row(base):
    return next(((metric, batch) for metric, batch, *_ in RESULTS if type(metric) is base), None)


BASES = {type(metric).__name__: type(metric) for metric, *_ in RESULTS}


@pytest.mark.parametrize("name", BASES)
@pytest.mark.parametrize("method", ["update_state", "result", "reset_state"])
def test_methods_of_every_metric(name, method):
    base = BASES[name]
    metric, (t, p) = metric_row(base)

    def update_state(self, *args, **kwargs):
        super(own, self).update_state(*args, **kwargs)
        super(own, self).update_state(*args, **kwargs)

    def result(self):
        return 5 * super(own, self).result()

    def reset_state(self):
        super(own, self).reset_state()
        self.resets = getattr(self, "resets", 0) + 1

    override = {"update_state": update_state, "result": result, "reset_state": reset_state}[method]
    own = subclass(base, **{method: override})
    other = own.from_config(metric.get_config())
    if not hasattr(p, "shape") or p.ndim < 2:
        return  # a mean of values, not of predictions
    x = Input(p.shape[1:])
    model = Model(x, same(p.shape[-1])(x))
    model.compile(optimizers.SGD(0.0), losses.MeanSquaredError(), metrics=[metric, other])
    if np.shape(t) != p.shape:
        sparse = losses.SparseCategoricalCrossentropy()
        model.compile(optimizers.SGD(0.0), sparse, metrics=[metric, other])
    history = model.fit(p, t, batch_size=3, verbose=0).history
    first, second = [history[key][0] for key in list(history) if key != "loss"]
    expected = {"update_state": first, "result": 5 * first, "reset_state": first}[method]
    assert second == pytest.approx(expected, rel=1e-5)
    assert method != "reset_state" or other.resets >= 1


def test_initializers():
    class Sevens(initializers.Constant):
        def __call__(self, shape, dtype=None):
            return super().__call__(shape, dtype) + 6

    layer = Dense(2, kernel_initializer=Sevens(1.0))
    layer.build((None, 3))
    assert (layer.kernel.numpy() == 7).all()
