"""House prices: a multilayer perceptron predicts numbers instead of classes.

python examples/boston_housing.py            train, test, and save a learning curve
python examples/boston_housing.py --seeds 3 --require 2.9
"""

import argparse

import pictures

import fastnn as keras


def build_model():
    model = keras.Sequential(
        [
            keras.Input(shape=(13,)),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(1),
        ]
    )
    model.compile(optimizer="adam", loss="mse", metrics=["mae"])
    return model


def plot(history, path):
    figure = pictures.new_figure()
    axes = figure.add_subplot(
        title="Boston housing: learning curve", xlabel="epoch",
        ylabel="mean absolute error, $1000", ylim=(0, 10),
    )  # fmt: skip
    axes.plot(history.epoch, history.history["mae"], label="training")
    axes.plot(history.epoch, history.history["val_mae"], label="test")
    axes.legend()
    pictures.save(figure, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=1, help="train this many times")
    parser.add_argument("--require", type=float, help="largest mean test error allowed")
    arguments = parser.parse_args()

    (x_train, y_train), (x_test, y_test) = keras.datasets.boston_housing.load_data()
    # Every column gets mean 0 and standard deviation 1, measured on the training rows alone.
    mean, deviation = x_train.mean(axis=0), x_train.std(axis=0)
    x_train, x_test = (x_train - mean) / deviation, (x_test - mean) / deviation

    errors = []
    for seed in range(arguments.seeds):
        keras.utils.set_random_seed(seed)
        model = build_model()
        if seed == 0:
            model.summary()
        # The test set is watched for the picture; nothing is chosen by it.
        history = model.fit(
            x_train, y_train, batch_size=32, epochs=arguments.epochs, verbose=2,
            validation_data=(x_test, y_test),
        )  # fmt: skip
        loss, mae = model.evaluate(x_test, y_test, verbose=0)
        print(f"seed {seed}: test MSE {loss:.2f}, test MAE {mae:.2f} (thousand dollars)\n")
        errors.append(mae)
    plot(history, "boston_housing.png")

    mean_error = sum(errors) / len(errors)
    print(f"Mean test MAE of {len(errors)}: {mean_error:.3f}")
    if arguments.require is not None and mean_error > arguments.require:
        raise SystemExit(f"above the allowed {arguments.require}")


if __name__ == "__main__":
    main()
