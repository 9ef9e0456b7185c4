"""The perceptron (Rosenblatt, 1957): a neuron that learns from its mistakes, and its limit.

    python examples/perceptron.py        saves perceptron.png

A single neuron separates two classes by a straight line. It learns OR, but never XOR, for which
no such line exists; a hidden layer, trained by gradient descent, learns XOR too.
"""

import numpy as np
import pictures

import fastnn as keras

X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype="float32")
OR = np.array([0, 1, 1, 1])
XOR = np.array([0, 1, 1, 0])


def train_perceptron(x, y, epochs=20, rate=0.1):
    """Return a function that predicts, after the perceptron rule has gone through the data."""
    w, b = np.zeros(x.shape[1]), 0.0
    for _ in range(epochs):
        for features, target in zip(x, y, strict=True):
            error = target - keras.activations.heaviside(features @ w + b)  # -1, 0 or 1
            w, b = w + rate * error * features, b + rate * error
    return lambda points: keras.activations.heaviside(points @ w + b)


def train_network(x, y):
    """Return the same for a network with one hidden layer."""
    model = keras.Sequential(
        [
            keras.Input(shape=(2,)),
            keras.layers.Dense(8, activation="tanh"),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(optimizer=keras.optimizers.Adam(0.05), loss="binary_crossentropy")
    model.fit(x, y, batch_size=4, epochs=300, verbose=0)
    return lambda points: model.predict(points, verbose=0)[:, 0].round()


def draw(axes, title, predict, y):
    side = np.linspace(-0.5, 1.5, 200, dtype="float32")
    points = np.stack(np.meshgrid(side, side), axis=-1)
    areas = predict(points.reshape(-1, 2)).reshape(200, 200)
    axes.contourf(side, side, areas, levels=[-0.5, 0.5, 1.5], colors=["#bcd4ff", "#ffd2b0"])
    axes.scatter(*X.T, c=y, cmap="coolwarm", edgecolor="black", s=80)
    axes.set_title(title)


def main():
    keras.utils.set_random_seed(1)
    figure = pictures.new_figure(figsize=(10, 3.5))
    trials = [
        ("perceptron, OR", train_perceptron, OR),
        ("perceptron, XOR", train_perceptron, XOR),
        ("hidden layer, XOR", train_network, XOR),
    ]
    for axes, (title, train, y) in zip(figure.subplots(1, 3), trials, strict=True):
        predict = train(X, y)
        print(f"{title}: {int((predict(X) == y).sum())} of 4 right")
        draw(axes, title, predict, y)
    pictures.save(figure, "perceptron.png")


if __name__ == "__main__":
    main()
