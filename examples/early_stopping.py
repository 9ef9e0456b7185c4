"""Early stopping: a network that learns its examples by heart is stopped in time.

python examples/early_stopping.py    saves early_stopping.png
"""

import pictures

import fastnn as keras


def build_model():
    model = keras.Sequential(
        [
            keras.Input(shape=(30,)),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    return model


def main():
    (x_train, y_train), (x_test, y_test) = keras.datasets.breast_cancer.load_data()
    mean, deviation = x_train.mean(axis=0), x_train.std(axis=0)
    x_train, x_test = (x_train - mean) / deviation, (x_test - mean) / deviation
    stop = keras.callbacks.EarlyStopping(patience=10, restore_best_weights=True)

    figure = pictures.new_figure(figsize=(10, 4))
    trials = [("100 epochs", []), ("stopped early", [stop])]
    for axes, (title, callbacks) in zip(figure.subplots(1, 2, sharey=True), trials, strict=True):
        keras.utils.set_random_seed(1)
        model = build_model()
        history = model.fit(
            x_train, y_train, epochs=100, validation_split=0.25, callbacks=callbacks, verbose=0
        )
        loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
        epochs = len(history.epoch)
        print(f"{title}: {epochs} epochs, test loss {loss:.3f}, test accuracy {accuracy:.3f}")
        axes.plot(history.epoch, history.history["loss"], label="training")
        axes.plot(history.epoch, history.history["val_loss"], label="validation")
        axes.set(title=title, xlabel="epoch", ylabel="loss", ylim=(0, 0.5), xlim=(0, 100))
        axes.legend()
    pictures.save(figure, "early_stopping.png")


if __name__ == "__main__":
    main()
