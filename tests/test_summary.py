"""model.summary(): the table, its footers, and its forms."""

import io
import sys

import numpy as np
import pytest

from fastnn.layers import Dense, Flatten, Input, concatenate
from fastnn.models import Model, Sequential

MNIST = """\
Model: "sequential"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━┓
┃ Layer (type)                    ┃ Output Shape           ┃       Param # ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━┩
│ flatten (Flatten)               │ (None, 784)            │             0 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ dense (Dense)                   │ (None, 300)            │       235,500 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ dense_1 (Dense)                 │ (None, 10)             │         3,010 │
└─────────────────────────────────┴────────────────────────┴───────────────┘
 Total params: 238,510 (931.68 KB)
 Trainable params: 238,510 (931.68 KB)
 Non-trainable params: 0 (0.00 B)"""

WIDE_AND_DEEP = """\
Model: "functional"
┏━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━┓
┃ Layer (type)        ┃ Output Shape      ┃    Param # ┃ Connected to      ┃
┡━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━┩
│ input_layer         │ (None, 8)         │          0 │ -                 │
│ (InputLayer)        │                   │            │                   │
├─────────────────────┼───────────────────┼────────────┼───────────────────┤
│ dense (Dense)       │ (None, 30)        │        270 │ input_layer[0][0] │
├─────────────────────┼───────────────────┼────────────┼───────────────────┤
│ concatenate         │ (None, 38)        │          0 │ input_layer[0][0] │
│ (Concatenate)       │                   │            │ dense[0][0]       │
├─────────────────────┼───────────────────┼────────────┼───────────────────┤
│ dense_1 (Dense)     │ (None, 1)         │         39 │ concatenate[0][0] │
└─────────────────────┴───────────────────┴────────────┴───────────────────┘
 Total params: 309 (1.21 KB)
 Trainable params: 309 (1.21 KB)
 Non-trainable params: 0 (0.00 B)"""


def text_of(model, **options):
    lines = []
    model.summary(print_fn=lines.append, **options)
    return "\n".join(lines)


def wide_and_deep():
    x = Input((8,))
    hidden = Dense(30)(x)
    return Model(x, Dense(1)(concatenate([x, hidden])))


def test_sequential():
    model = Sequential([Flatten(input_shape=[28, 28]), Dense(300), Dense(10)])
    assert text_of(model, line_length=76) == MNIST


def test_branches_show_connections():
    assert text_of(wide_and_deep(), line_length=76) == WIDE_AND_DEEP


def test_a_chain_does_not():
    x = Input((4,))
    text = text_of(Model(x, Dense(1)(Dense(2)(x))))
    assert "Connected to" not in text
    assert "input_layer (InputLayer)" in text


def test_unbuilt():
    text = text_of(Sequential([Dense(3)]))
    assert "?" in text
    assert "0 (unbuilt)" in text
    assert "Total params: 0 (0.00 B)" in text


def test_shared_layers_show_their_calls():
    a, b = Input((4,), name="a"), Input((4,), name="b")
    shared = Dense(3, name="shared")
    text = text_of(Model([a, b], concatenate([shared(a), shared(b)])), line_length=100)
    assert "shared[0][0]" in text
    assert "shared[1][0]" in text
    assert "a[0][0]" in text
    assert "b[0][0]" in text


def test_frozen_and_optimizer():
    model = Sequential([Input((4,)), Dense(3), Dense(1)])
    model.layers[0].trainable = False
    model.compile("adam", loss="mse")
    assert "Optimizer params" not in text_of(model)
    model.fit(np.zeros((4, 4)), np.zeros((4, 1)), verbose=0)
    lines = text_of(model, show_trainable=True).splitlines()
    assert lines[-4:] == [
        " Total params: 29 (120.00 B)",
        " Trainable params: 4 (16.00 B)",
        " Non-trainable params: 15 (60.00 B)",
        " Optimizer params: 10 (44.00 B)",  # two slots of 4, the 64-bit counter, the rate
    ]
    assert "Trainable" in lines[2]
    assert [lines[i].split("│")[-2].strip() for i in (4, 6)] == ["N", "Y"]


def test_nested():
    inner = Sequential([Dense(3, name="within")], name="inner")
    x = Input((4,))
    model = Model(x, inner(x))
    assert "within" not in text_of(model)
    assert "└ within (Dense)" in text_of(model, expand_nested=True)


def test_layer_range():
    model = Sequential([Input((4,)), *(Dense(2, name=name) for name in "abcd")])
    text = text_of(model, layer_range=["b", "c"])
    assert [name for name in "abcd" if f"{name} (Dense)" in text] == ["b", "c"]
    with pytest.raises(ValueError, match="no layer 'x'"):
        text_of(model, layer_range=["b", "x"])


def test_widths():
    model = Sequential([Input((4,)), Dense(2, name="a_name_without_any_place_to_break_it")])
    for length in (30, 50, 100):
        lines = text_of(model, line_length=length).splitlines()
        assert {len(line) for line in lines[1:-3]} == {length}
    with pytest.raises(ValueError, match="line_length=12 is too short"):
        text_of(model, line_length=12)
    with pytest.raises(ValueError, match="expected 3 positions"):
        text_of(model, positions=[0.5, 1.0])


def test_it_prints(capsys):
    Sequential([Input((4,)), Dense(2)]).summary()
    assert "Total params: 10 (40.00 B)" in capsys.readouterr().out


def test_a_frame_of_ascii_where_the_terminal_has_no_other_characters(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    Sequential([Input((4,)), Dense(2, name="only")]).summary()
    stream.flush()
    lines = stream.buffer.getvalue().decode("ascii").splitlines()
    assert lines[1] == lines[3] and set(lines[1]) == set("+=")
    assert lines[4].startswith("| only (Dense) ") and set(lines[5]) == set("+-")
