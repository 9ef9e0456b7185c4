"""The TensorBoard callback: which curves, at which steps, in files that check out."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from fastnn import Input, Sequential
from fastnn.callbacks import TensorBoard
from fastnn.callbacks.event_file import EventFile, crc32c, masked_crc
from fastnn.layers import Dense

X, Y = np.arange(12.0).reshape(6, 2) / 12, np.arange(6.0) / 6


def varint(data, place):
    number = shift = 0
    while True:
        byte = data[place]
        number |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return number, place


def fields(data):
    """Decode one message: {number: value}."""
    found, place = {}, 0
    while place < len(data):
        key, place = varint(data, place)
        if key & 7 == 0:
            value, place = varint(data, place)
        else:
            if key & 7 == 2:
                size, place = varint(data, place)
            else:
                size = {1: 8, 5: 4}[key & 7]
            value, place = data[place : place + size], place + size
        found[key >> 3] = value
    return found


def read(directory):
    """Return the points of the only event file of a directory: {tag: [(step, value)]}."""
    (path,) = directory.iterdir()
    data, place, curves = path.read_bytes(), 0, {}
    events = []
    while place < len(data):
        (length,) = struct.unpack_from("<Q", data, place)
        head, body = data[place : place + 8], data[place + 12 : place + 12 + length]
        assert struct.unpack_from("<I", data, place + 8) == (masked_crc(head),)
        assert struct.unpack_from("<I", data, place + 12 + length) == (masked_crc(body),)
        events.append(fields(body))
        place += 16 + length
    assert events[0][3] == b"brain.Event:2"
    for event in events[1:]:
        value = fields(fields(event[5])[1])
        (number,) = struct.unpack("<f", value[2])
        curves.setdefault(value[1].decode(), []).append((event[2], number))
    return curves


def model():
    model = Sequential([Input((2,)), Dense(1)])
    model.compile("sgd", "mse")
    return model


def test_the_checksum():
    assert crc32c(b"123456789") == 0xE3069283  # the check value of CRC-32C
    assert crc32c(bytes(32)) == 0x8A9136AA  # RFC 3720, B.4


def test_large_steps(tmp_path):
    file = EventFile(str(tmp_path))
    for step in (0, 127, 128, 2**40):
        file.scalar("a/b", 0.5, step)
    file.close()
    assert read(tmp_path) == {"a/b": [(0, 0.5), (127, 0.5), (128, 0.5), (2**40, 0.5)]}


def test_curves_of_a_training(tmp_path):
    one = model()
    history = one.fit(X, Y, batch_size=4, epochs=3, validation_data=(X, Y), verbose=0,
                      callbacks=[TensorBoard(tmp_path / "run")]).history  # fmt: skip
    train, valid = read(tmp_path / "run" / "train"), read(tmp_path / "run" / "validation")
    assert sorted(train) == ["epoch_learning_rate", "epoch_loss"]
    assert sorted(valid) == ["epoch_loss", "evaluation_loss_vs_iterations"]
    assert train["epoch_loss"] == [(i, np.float32(v)) for i, v in enumerate(history["loss"])]
    assert valid["epoch_loss"] == [(i, np.float32(v)) for i, v in enumerate(history["val_loss"])]
    assert [step for step, _ in valid["evaluation_loss_vs_iterations"]] == [2, 4, 6]
    assert train["epoch_learning_rate"] == [(i, np.float32(0.01)) for i in range(3)]


@pytest.mark.parametrize(("frequency", "steps"), [("batch", [1, 2, 3, 4]), (2, [2, 4])])
def test_curves_of_batches(tmp_path, frequency, steps):
    board = TensorBoard(str(tmp_path), update_freq=frequency, write_steps_per_second=True)
    model().fit(X, Y, batch_size=3, epochs=2, callbacks=[board], verbose=0)
    train = read(tmp_path / "train")
    assert [step for step, _ in train["batch_loss"]] == steps
    assert all(value > 0 for _, value in train["epoch_steps_per_second"])
    assert not (tmp_path / "validation").exists()


def test_evaluate_by_itself(tmp_path):
    one = model()
    one.evaluate(X, Y, callbacks=[TensorBoard(tmp_path)], verbose=0)
    assert list(read(tmp_path / "validation")) == ["evaluation_loss_vs_iterations"]


def test_what_is_not_available():
    with pytest.warns(UserWarning, match="histogram_freq=1 is not available"):
        TensorBoard(histogram_freq=1)
    with pytest.raises(ValueError, match="update_freq='epoch'"):
        TensorBoard(update_freq="never")
