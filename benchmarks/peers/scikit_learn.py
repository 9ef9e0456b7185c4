"""scikit-learn's MLP in float32; partial_fit on the whole data is one epoch of its own loop."""

from __future__ import annotations

import numpy as np
from workloads import ADAM, Workload

from peers import thread_variants

TITLE = "scikit-learn MLP"
PACKAGES = ("scikit-learn",)
VARIANTS = thread_variants()


def left_out(workload: Workload) -> str:
    if workload.optimizer not in ("sgd", "adam"):
        return "its optimizers are SGD and Adam"
    if workload.batchnorm:
        return "it has no batch normalization"
    if workload.dropout:
        return "it has no dropout"
    if workload.uint8:
        return "it cannot scale its input"
    if workload.sizes[-1] == 2:
        return "for two classes it has one sigmoid unit"
    return ""


class Contender:
    def __init__(self, workload: Workload, x: np.ndarray, y: np.ndarray) -> None:
        from sklearn.neural_network import MLPClassifier, MLPRegressor

        self.classifier = workload.classifier
        self.x, self.y = x, y if workload.classifier else y.ravel()
        # The regressor minimizes half the squared error. Half the gradient and half the epsilon
        # make the same Adam steps.
        half = 1.0 if workload.classifier else 0.5
        self.model = (MLPClassifier if workload.classifier else MLPRegressor)(
            hidden_layer_sizes=workload.sizes[1:-1],
            activation=workload.activation,
            solver=workload.optimizer,
            alpha=0.0,
            batch_size=min(workload.batch, len(x)),
            learning_rate_init=workload.settings["learning_rate"],
            beta_1=ADAM["beta_1"],
            beta_2=ADAM["beta_2"],
            epsilon=ADAM["epsilon"] * half,
            momentum=0.0,
            nesterovs_momentum=False,
            random_state=0,
        )
        # It has no way to be given weights: one call makes them, then they are overwritten.
        self.classes = {"classes": np.arange(workload.sizes[-1])} if workload.classifier else {}
        self.model.partial_fit(self.x[: workload.batch], self.y[: workload.batch], **self.classes)
        arrays = workload.weights()
        self.model.coefs_[:] = arrays[::2]
        self.model.intercepts_[:] = arrays[1::2]
        del self.model._optimizer  # with the moments of that call

    def epoch(self, shuffle: bool) -> float:
        self.model.shuffle = shuffle
        self.model.partial_fit(self.x, self.y, **self.classes)
        return self.model.loss_ if self.classifier else 2 * self.model.loss_

    def weights(self) -> list[np.ndarray]:
        pairs = zip(self.model.coefs_, self.model.intercepts_, strict=True)
        return [array for pair in pairs for array in pair]

    def predict(self, x: np.ndarray) -> np.ndarray:
        return self.model.predict_proba(x) if self.classifier else self.model.predict(x)[:, None]
