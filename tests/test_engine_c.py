"""The C engine's binding where it is used wrongly, or by code that runs inside it."""

from __future__ import annotations

import numpy as np
import pytest

import fastnn
from fastnn import _core, program
from fastnn.layers import Add, Dense, Input, Layer


def engine_of(inputs, outputs, capacity=8):
    return _core.Engine(program.build(inputs, outputs), capacity, training=False)


class Inside(Layer):
    """Calls `act` in the middle of a run."""

    act = staticmethod(lambda: None)

    def call(self, inputs):
        type(self).act()
        return inputs * 1

    def backward(self, inputs, output, doutput):
        return doutput * 1


@pytest.fixture
def inside(monkeypatch):
    def use(act):
        monkeypatch.setattr(Inside, "act", staticmethod(act))

    return use


def test_a_bind_that_fails_leaves_nothing_bound():
    a, b = Input(shape=(3,)), Input(shape=(3,))
    engine = engine_of([a, b], [Add()([a, b])])
    x, out = np.ones((5, 3), np.float32), np.zeros((5, 3), np.float32)
    for bad in ([x, np.ones((5, 7), np.float32)], [x, x[:4]], [x]):
        engine.bind([x, x])
        with pytest.raises(ValueError):
            engine.bind(bad)
        with pytest.raises(ValueError, match="rows"):
            engine.predict(0, 5, [out])
    engine.bind([x, x])
    engine.predict(0, 5, [out])
    assert (out == 2).all()


def test_an_engine_in_use_refuses_another_user(inside):
    i = Input(shape=(3,))
    engine = engine_of([i], [Inside()(i)])
    x, out = np.ones((5, 3), np.float32), np.zeros((5, 3), np.float32)
    for act in (engine.unbind, lambda: engine.bind([x]), lambda: engine.predict(0, 5, [out])):
        engine.bind([x])
        inside(act)
        with pytest.raises(RuntimeError, match="running"):
            engine.predict(0, 5, [out])
        inside(lambda: None)
        engine.predict(0, 5, [out])  # usable afterwards
        assert (out == 1).all()


@pytest.mark.parametrize("threads", [1, 3])
def test_python_code_inside_keeps_its_denormals(inside, threads):
    tiny, found = np.float32(1e-40), []
    i = Input(shape=(3,))
    engine = engine_of([i], [Inside()(i)])
    fastnn.set_num_threads(threads)
    engine.use_threads(threads)
    other = engine_of([i], [Dense(3, use_bias=False, kernel_initializer="ones")(i)])
    flushed = np.ones((1, 3), np.float32)

    def act():
        found.append(float(tiny * np.float32(0.5)))
        other.bind([np.full((1, 3), tiny)])
        other.predict(0, 1, [flushed])  # an engine flushes them wherever it is called
        found.append(float(tiny * np.float32(0.5)))

    inside(act)
    engine.bind([np.ones((5, 3), np.float32)])
    engine.predict(0, 5, [np.zeros((5, 3), np.float32)])
    assert len(found) == 2 and min(found) > 0
    assert (flushed == 0).all()


def test_many_outputs():
    i = Input(shape=(3,))
    model = fastnn.Model(i, [Dense(1)(i) for _ in range(20)])
    assert len(model.predict(np.ones((4, 3), np.float32), verbose=0)) == 20
