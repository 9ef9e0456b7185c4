"""What to say of a name that a module does not have: what to use instead, or what may be meant.

Every module of the public interface ends with ``explain_missing(__name__)``, or calls `error` in a
``__getattr__`` of its own, which Python calls for names that it does not find. Arguments that only
Keras has go through `refuse`.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

from fastnn.lookup import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

OUTSIDE = "fastnn is a library of dense networks, without Keras's {family}: {advice}"
NOT_YET = "Keras has it, fastnn does not have it yet: {advice}"

KERAS = "or use Keras for this model"
IMAGES = f"Flatten() the images and use Dense layers, {KERAS}"
OWN_LAYER = "write a layer of your own, see fastnn.layers.Layer"
DECAY = "the weight_decay of an optimizer, which keeps weights small"
REGULARIZE = f"use Dropout, or {DECAY}"
OWN_CALLBACK = "write a callback of your own, see fastnn.callbacks.Callback"
PREPARED = "prepare the data with NumPy before fit"
CUSTOM = (
    "registerkerasserializable|customobjectscope|getcustomobjects", None,
    "leave it out, and pass custom_objects={'Name': Name} to load_model",
)  # fmt: skip

# Names of Keras by module: expressions for them (in any case, without underscores), the family if
# it is none of fastnn's business, and what to use instead. The first that fits counts.
KERAS_HAS: dict[str, list[tuple[str, str | None, str]]] = {
    "fastnn": [
        ("applications", "pretrained convolutional networks", "use Keras for them"),
        ("regularizers|Regularizer", None, REGULARIZE),
        ("constraints", None, f"use {DECAY}"),
        ("preprocessing", "preprocessing of images and text", PREPARED),
        ("mixedprecision|DTypePolicy|dtypepolicies|quantizers", "reduced precision",
         "float32 and float64 are what fastnn.config.set_floatx takes"),
        ("distribution|device|Function|KerasTensor|Operation|wrappers|export|tree|visualization",
         "backends", "leave it out, or use Keras"),
    ],
    "fastnn.layers": [
        (r"LSTM|GRU|(Simple)?RNN|.*Cells?|Bidirectional|TimeDistributed|ConvLSTM.D",
         "recurrent layers",
         f"Flatten() windows of a sequence and use Dense layers, {KERAS}"),
        ("Dot|Permute|RepeatVector|Masking|EinsumDense|Wrapper|GlobalAveragePooling1D", None,
         OWN_LAYER),
        (r".*Conv(olution)?[123]D.*|.*Pool(ing)?[123]D|(UpSampling|ZeroPadding|Cropping).D",
         "convolutions", IMAGES),
        (".*Attention", "attention", f"use Dense layers, {KERAS}"),
        ("Random.*|Resizing|CenterCrop|Equalization|AutoContrast|CutMix|MixUp|Solarization",
         "preprocessing of images", PREPARED),
        ("TextVectorization|StringLookup|Hash.*", "preprocessing of text", PREPARED),
        ("(Group|Unit|RMS|Spectral)Normalization", None,
         "use BatchNormalization or LayerNormalization"),
        ("Normalization", None, "use (x - x.mean(0)) / x.std(0) before fit, or Rescaling"),
        ("IntegerLookup|CategoryEncoding|Discretization", None,
         "utils.to_categorical makes rows for Dense layers from whole numbers"),
        ("Gaussian(Noise|Dropout)|AlphaDropout|SpatialDropout.D", None,
         f"use Dropout, or {OWN_LAYER}"),
        ("ActivityRegularization", None, REGULARIZE),
        ("Identity", None, "use Activation('linear')"),
    ],
    "fastnn.losses": [
        (r".*Focal.*|Dice|Tversky|CTC|Circle|CategoricalGeneralizedCrossEntropy",
         None, "write a loss of your own, see fastnn.losses.Loss"),
    ],
    "fastnn.metrics": [
        (r"Precision.*|Recall.*|AUC|F1Score|FBetaScore|R2Score|.*TopK.*|(True|False)(Positives|"
         r"Negatives)|.*At(Sensitivity|Specificity)|.*IoU|.*Correlation",
         None, "write a metric of your own, see fastnn.metrics.Metric"),
    ],
    "fastnn.optimizers": [
        ("Adagrad|Adadelta|Adamax|Adafactor|Nadam|Lion|Lamb|Ftrl|Muon", None,
         "use SGD, RMSprop, Adam or AdamW"),
    ],
    "fastnn.optimizers.schedules": [
        ("CosineDecayRestarts", None, "use CosineDecay, or any function of the step"),
    ],
    "fastnn.callbacks": [
        ("BackupAndRestore", None, "use ModelCheckpoint, then load_model and initial_epoch"),
        ("SwapEMAWeights|RemoteMonitor", None, OWN_CALLBACK),
    ],
    "fastnn.activations": [
        (r"celu|glu|hard(shrink|silu|swish|tanh)|softshrink|sparse.*|squareplus|"
         r"tanhshrink|threshold", None, "use a function of fastnn.ops, or write one of your own"),
    ],
    "fastnn.datasets": [
        ("cifar10+", "convolutions, which such photographs need", "use Keras for them"),
        ("californiahousing|reuters", None, "use boston_housing, or imdb"),
    ],
    "fastnn.backend": [
        (".*conv[123]d.*|pool[23]d|resize.*|spatial.*|temporal.*", "convolutions", IMAGES),
        ("rnn|ctc.*", "recurrent layers", KERAS.removeprefix("or ")),
        ("gradients|function|.*learningphase|[gs]etsession|placeholder|.*sparse|mapfn|fold[lr]",
         "backends", "leave it out, or use Keras"),
    ],
    "fastnn.saving": [CUSTOM],
    "fastnn.utils": [
        CUSTOM,
        ("getfile", None, "urllib.request.urlretrieve(url, filename) of Python fetches a file"),
        ("plotmodel|modeltodot", None, "model.summary() prints a table"),
        ("PyDataset|Sequence|.*datasetfrom.*", None,
         "pass arrays, memory-mapped files too, or call train_on_batch in a loop"),
        ("(arrayto|load|save)img|imgtoarray", "preprocessing of images", PREPARED),
    ],
}  # fmt: skip

# Modules that Keras had, and where their names are now.
MOVED = [
    (r"fastnn\.utils\.(np|generic)_utils", "fastnn.utils"),
    (r"fastnn\.layers\.(core|advanced_activations|merge|noise|convolutional|normalization|recurrent)",
     "fastnn.layers"),
    (r"fastnn\.optimizers\.(legacy|optimizer_v[12]|adam|sgd|rmsprop)", "fastnn.optimizers"),
    (r"fastnn\.(engine|engine\..*)", "fastnn.models"),
]  # fmt: skip

# The same of arguments, whatever they belong to.
ARGUMENTS = [
    ("clipnorm|clipvalue|global_clipnorm", "use a smaller learning_rate"),
    ("(use_)?ema.*", f"to average the weights {OWN_CALLBACK}"),
    ("gradient_accumulation_steps", "use a batch_size so many times as large"),
    ("loss_scale_factor", "leave it out, float32 and float64 need none"),
    (".*_regularizer", REGULARIZE),
    (".*_constraint", f"use {DECAY}"),
    ("lora_.*|quantization_config", "leave it out, the weights are trained as they are"),
    ("weights", "build the layer, and give them to set_weights"),
    (
        "mask.*",
        "give a layer of your own the mask by name, call(self, x, mask=None): "
        "layer(x, mask=ops.not_equal(words, 0))",
    ),
]

# Methods of models that Keras had, and what to call instead.
METHODS = [
    ("(fit|train|evaluate|predict)_generator",
     "fit, evaluate and predict take arrays, memory-mapped files too; for a generator of batches "
     "call train_on_batch, test_on_batch or predict_on_batch in a loop"),
    ("predict_classes", "use predict(x).argmax(axis=-1), or predict(x) > 0.5 for one sigmoid unit"),
    ("predict_proba", "use predict(x)"),
    ("(to|from)_yaml|from_json", "use to_json, models.model_from_json, or save and load_model"),
]  # fmt: skip


def method(model: str, name: str) -> AttributeError | None:
    """Return the error for a method that Keras's models once had, or None."""
    for names, advice in METHODS:
        if re.fullmatch(names, name):
            return AttributeError(f"'{model}' object has no attribute '{name}': {advice}")
    return None


def refuse(who: str, arguments: Mapping[str, Any]) -> None:
    """Raise ValueError, with what to use instead, for the first that is not None of `ARGUMENTS`."""
    for name, value in arguments.items():
        if value is not None:
            advice = next(advice for names, advice in ARGUMENTS if re.fullmatch(names, name))
            raise ValueError(f"{who}: {name} is not available yet, though Keras has it: {advice}")


def explain_missing(module: str) -> None:
    """Make a module's AttributeErrors teach; for modules that have all their names from the start.

    Examples
    --------
    >>> import fastnn
    >>> fastnn.layers.Dence
    Traceback (most recent call last):
        ...
    AttributeError: module 'fastnn.layers' has no attribute 'Dence': did you mean 'Dense'?
    """

    def __getattr__(name: str) -> Any:
        raise error(module, name)

    sys.modules[module].__getattr__ = __getattr__  # type: ignore[method-assign]


def error(module: str, name: str) -> AttributeError | ImportError:
    """Return the error for a name that a module does not have, for its ``__getattr__``.

    ``from module import name`` asks a package whether it has the name, before it fails with an
    ImportError that says nothing: there, return a better one.
    """
    advice = ""
    if name.isidentifier() and not name.startswith("_") and not _is_submodule(module, name):
        advice = instead(module, name) or _meant(module, name)
        if sys._getframe(2).f_code.co_name == "_handle_fromlist":  # importlib's
            return ImportError(f"cannot import name {name!r} from {module!r}{advice}", name=module)
    # Without obj, or Python would guess a second time.
    return AttributeError(f"module {module!r} has no attribute {name!r}{advice}", name=name)


def _is_submodule(module: str, name: str) -> bool:
    """Whether ``from module import name`` is asking first, and is about to import it."""
    from importlib.machinery import PathFinder

    path = getattr(sys.modules[module], "__path__", None)
    return path is not None and PathFinder.find_spec(f"{module}.{name}", path) is not None


def explain_module(name: str) -> None:
    """Raise ModuleNotFoundError, with what to import instead, for a module that Keras has or had.

    Examples
    --------
    >>> import fastnn.utils.np_utils
    Traceback (most recent call last):
        ...
    ModuleNotFoundError: No module named 'fastnn.utils.np_utils': import from fastnn.utils
    """
    module, _, last = name.rpartition(".")
    advice = instead(module, last)
    if advice:
        raise ModuleNotFoundError(f"No module named {name!r}{advice}", name=name)


def instead(module: str, name: str) -> str:
    """Return what to use instead of a name that Keras has in this module, or ``""``."""
    for modules, now in MOVED:
        if re.fullmatch(modules, f"{module}.{name}"):
            return f": import from {now}"
    plain = name.replace("_", "")
    for expression, family, advice in KERAS_HAS.get(module, ()):
        if re.fullmatch(expression, plain, re.IGNORECASE):
            text = OUTSIDE if family else NOT_YET
            return f": {text.format(family=family, advice=advice)}"
    return ""


def _meant(module: str, name: str) -> str:
    """Return the public name that may be meant, or ``""``."""
    has = vars(sys.modules[module])
    own = [key for key, value in has.items() if getattr(value, "__module__", None) == module]
    return did_you_mean(name, has.get("__all__", own))
