"""Handwritten digits: a multilayer perceptron reads MNIST.

    python examples/mnist.py                     train, test, and save a learning curve
    python examples/mnist.py --seeds 3 --require 0.974

Without the MNIST file and without a network it runs on the 1,797 small digits inside fastnn.
"""

import argparse

import pictures

import fastnn as keras


def load_data():
    """Return the name of the data and both halves, with ink from 0 to 1."""
    try:
        name, data, ink = "MNIST", keras.datasets.mnist.load_data(), 255
    except OSError as error:
        print(f"{error}\nRunning on the small digits inside fastnn instead.\n")
        name, data, ink = "digits", keras.datasets.digits.load_data(), 16
    (x_train, y_train), (x_test, y_test) = data
    x_train, x_test = x_train.astype("float32") / ink, x_test.astype("float32") / ink
    return name, (x_train, y_train), (x_test, y_test)


def build_model(image_shape):
    model = keras.Sequential(
        [
            keras.Input(shape=image_shape),
            keras.layers.Flatten(),
            keras.layers.Dense(300, activation="relu"),
            keras.layers.Dense(100, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def plot(history, name, path):
    figure = pictures.new_figure()
    axes = figure.add_subplot(title=f"{name}: learning curve", xlabel="epoch", ylabel="accuracy")
    axes.plot(history.epoch, history.history["accuracy"], marker="o", label="training")
    axes.plot(history.epoch, history.history["val_accuracy"], marker="o", label="test")
    axes.legend()
    pictures.save(figure, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=1, help="train this many times")
    parser.add_argument("--require", type=float, default=0.0, help="least mean test accuracy")
    arguments = parser.parse_args()

    name, (x_train, y_train), (x_test, y_test) = load_data()
    accuracies = []
    for seed in range(arguments.seeds):
        keras.utils.set_random_seed(seed)
        model = build_model(x_train.shape[1:])
        if seed == 0:
            model.summary()
        # The test set is watched for the picture; nothing is chosen by it.
        history = model.fit(
            x_train, y_train, batch_size=32, epochs=arguments.epochs,
            validation_data=(x_test, y_test),
        )  # fmt: skip
        loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
        print(f"{name}, seed {seed}: test loss {loss:.4f}, test accuracy {accuracy:.4f}\n")
        accuracies.append(accuracy)
    plot(history, name, "mnist.png")

    mean = sum(accuracies) / len(accuracies)
    print(f"Mean test accuracy of {len(accuracies)}: {mean:.4f}")
    if mean < arguments.require:
        raise SystemExit(f"below the required {arguments.require}")


if __name__ == "__main__":
    main()
