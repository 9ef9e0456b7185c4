"""Wide and deep (Cheng et al., 2016): two inputs, two ways, and an auxiliary output.

    python examples/wide_and_deep.py     saves wide_and_deep.png

Some features go straight to the output (wide), others through hidden layers (deep). A second
output behind the hidden layers makes sure that the deep part learns something useful by itself.
"""

import pictures

import fastnn as keras


def build_model(wide_features, deep_features):
    wide = keras.Input(shape=(wide_features,), name="wide")
    deep = keras.Input(shape=(deep_features,), name="deep")
    hidden = keras.layers.Dense(30, activation="relu")(deep)
    hidden = keras.layers.Dense(30, activation="relu")(hidden)
    both = keras.layers.Concatenate()([wide, hidden])
    price = keras.layers.Dense(1, name="price")(both)
    auxiliary = keras.layers.Dense(1, name="auxiliary")(hidden)
    model = keras.Model(inputs=[wide, deep], outputs=[price, auxiliary])
    model.compile(
        optimizer="adam", loss=["mse", "mse"], loss_weights=[0.9, 0.1], metrics=["mae", "mae"]
    )
    return model


def main():
    (x_train, y_train), (x_test, y_test) = keras.datasets.boston_housing.load_data()
    mean, deviation = x_train.mean(axis=0), x_train.std(axis=0)
    x_train, x_test = (x_train - mean) / deviation, (x_test - mean) / deviation
    # The first five columns are wide, those from the third on are deep: some are both.
    train = {"wide": x_train[:, :5], "deep": x_train[:, 2:]}
    test = {"wide": x_test[:, :5], "deep": x_test[:, 2:]}

    keras.utils.set_random_seed(1)
    model = build_model(5, 11)
    model.summary()
    history = model.fit(
        train, {"price": y_train, "auxiliary": y_train}, epochs=100, verbose=0,
        validation_data=(test, {"price": y_test, "auxiliary": y_test}),
    )  # fmt: skip
    scores = model.evaluate(test, [y_test, y_test], verbose=0, return_dict=True)
    for name, value in scores.items():
        print(f"test {name}: {value:.3f}")

    figure = pictures.new_figure()
    axes = figure.add_subplot(xlabel="epoch", ylabel="test MAE, $1000", ylim=(0, 12))
    for output in ("price", "auxiliary"):
        axes.plot(history.epoch, history.history[f"val_{output}_mae"], label=output)
    axes.legend()
    pictures.save(figure, "wide_and_deep.png")


if __name__ == "__main__":
    main()
