"""What a network sees: the plane divided by networks of growing width.

python examples/decision_boundaries.py       saves decision_boundaries.png
"""

import numpy as np
import pictures

import fastnn as keras

WIDTHS = [1, 2, 4, 32]


def build_model(width):
    model = keras.Sequential(
        [
            keras.Input(shape=(2,)),
            keras.layers.Dense(width, activation="tanh"),
            keras.layers.Dense(width, activation="tanh"),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Adam(0.01), loss="binary_crossentropy", metrics=["accuracy"]
    )
    return model


def main():
    data = {
        "moons": keras.datasets.moons(400, noise=0.15, seed=1),
        "circles": keras.datasets.circles(400, noise=0.1, seed=1),
        "spirals": keras.datasets.spirals(400, seed=1),
    }
    figure = pictures.new_figure(figsize=(3 * len(WIDTHS), 3 * len(data)))
    rows = figure.subplots(len(data), len(WIDTHS))
    for row, (name, (x, y)) in zip(rows, data.items(), strict=True):
        across, up = (np.linspace(v.min() - 0.3, v.max() + 0.3, 200) for v in x.T)
        plane = np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)
        for axes, width in zip(row, WIDTHS, strict=True):
            keras.utils.set_random_seed(1)
            model = build_model(width)
            model.fit(x, y, batch_size=32, epochs=150, verbose=0)
            _, accuracy = model.evaluate(x, y, verbose=0)
            print(f"{name}, two hidden layers of {width}: accuracy {accuracy:.3f}")
            probability = model.predict(plane, verbose=0).reshape(200, 200)
            axes.contourf(across, up, probability, levels=20, cmap="coolwarm", vmin=0, vmax=1)
            axes.scatter(*x.T, c=y, cmap="coolwarm", edgecolor="black", s=10, linewidth=0.5)
            axes.set(title=f"{name}, width {width}: {accuracy:.2f}", xticks=[], yticks=[])
    pictures.save(figure, "decision_boundaries.png")


if __name__ == "__main__":
    main()
