"""fastnn.utils: arrays in, arrays out."""

import numpy as np
import pytest

from fastnn.utils import normalize, pad_sequences, split_dataset, to_categorical


def test_to_categorical_has_a_one_in_the_column_of_the_class():
    assert to_categorical([2, 0]).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert to_categorical([1], num_classes=4).tolist() == [[0, 1, 0, 0]]
    assert to_categorical([[1], [0]]).tolist() == [[0, 1], [1, 0]]
    assert to_categorical(np.array([[0, 1], [1, 1]], np.uint8)).shape == (2, 2, 2)
    assert to_categorical(3).tolist() == [0, 0, 0, 1]
    assert to_categorical([], num_classes=3).shape == (0, 3)
    assert to_categorical([1.0, 0.0]).dtype == np.float64


@pytest.mark.parametrize("labels", [[0, -1], [0, 3], [0.5], [np.nan], [np.inf]])
def test_to_categorical_refuses_what_is_no_class(labels):
    with pytest.raises(ValueError, match="to_categorical"):
        to_categorical(labels, num_classes=3)


@pytest.mark.parametrize("labels", [["cat", "dog"], ["1", "2"], [None], [{}], [10**30]])
def test_to_categorical_says_how_to_number_what_is_no_number(labels):
    with pytest.raises(ValueError, match=r"got dtype .* with '.*np\.unique\(x, return_inverse"):
        to_categorical(labels)
    assert to_categorical(np.array([1, 0], object)).tolist() == [[0, 1], [1, 0]]


def test_normalize_divides_by_the_norm_of_the_axis():
    x = np.array([[3.0, 4.0], [0.0, 0.0]])
    np.testing.assert_allclose(normalize(x), [[0.6, 0.8], [0, 0]])
    np.testing.assert_allclose(normalize(x, order=1), [[3 / 7, 4 / 7], [0, 0]])
    np.testing.assert_allclose(normalize(x, axis=0), [[1, 1], [0, 0]])


def test_pad_sequences_on_either_side():
    rows = [[1], [2, 3, 4], []]
    assert pad_sequences(rows).tolist() == [[0, 0, 1], [2, 3, 4], [0, 0, 0]]
    assert pad_sequences(rows, 2).tolist() == [[0, 1], [3, 4], [0, 0]]
    assert pad_sequences(rows, 2, padding="post", truncating="post", value=9).tolist() == [
        [1, 9], [2, 3], [9, 9],
    ]  # fmt: skip
    assert pad_sequences(rows).dtype == np.int32
    assert pad_sequences([[[1, 2]], [[3, 4], [5, 6]]]).shape == (2, 2, 2)
    assert pad_sequences([]).shape == (0, 0)
    with pytest.raises(ValueError, match="padding is 'pre' or 'post'"):
        pad_sequences(rows, padding="left")
    with pytest.raises(ValueError, match="sequence 1 holds elements of shape"):
        pad_sequences([[[1, 2]], [[3, 4, 5]]])


def test_split_dataset_keeps_rows_together():
    x, y = np.arange(20).reshape(10, 2), np.arange(10)
    (x_left, y_left), (x_right, y_right) = split_dataset((x, y), left_size=0.7)
    assert y_left.tolist() == list(range(7)) and y_right.tolist() == [7, 8, 9]
    left, right = split_dataset({"x": x, "y": y}, right_size=4, shuffle=True, seed=1)
    assert len(left["y"]) == 6 and sorted([*left["y"], *right["y"]]) == list(range(10))
    np.testing.assert_array_equal(right["x"][:, 0], 2 * right["y"])
    np.testing.assert_array_equal(x_left[:, 0] + x_left[:, 1], 4 * y_left + 1)
    assert len(x_right) == 3
    left, right = split_dataset(y, left_size=2, right_size=3)
    assert right.tolist() == [2, 3, 4]


def test_split_dataset_says_what_does_not_fit():
    for sizes in ({}, {"left_size": 11}, {"left_size": 0.6, "right_size": 0.6}):
        with pytest.raises(ValueError, match="split_dataset"):
            split_dataset(np.arange(10), **sizes)
    with pytest.raises(ValueError, match="one length"):
        split_dataset((np.arange(3), np.arange(4)), left_size=1)
