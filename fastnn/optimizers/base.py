"""Optimizer: what all rules share.

An optimizer holds settings and slots; the arithmetic of a step is in the engines' kernels
(fastnn.numpy_engine.updates shows it). For every step it gives the kernel a row of
coefficients, so a whole epoch can run without asking it again.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import config
from fastnn.lookup import did_you_mean
from fastnn.missing import refuse
from fastnn.numpy_engine.updates import update
from fastnn.operations import COEFFICIENTS, RULE_SLOTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fastnn.variable import Variable

LATER = {
    "clipnorm": None, "clipvalue": None, "global_clipnorm": None, "use_ema": False,
    "ema_momentum": 0.99, "ema_overwrite_frequency": None, "loss_scale_factor": None,
    "gradient_accumulation_steps": None,
}  # fmt: skip
"""Arguments of Keras that are not there yet, and the only values of theirs that are."""


class _Rate(float):
    """A learning rate as it is read: a number, with two methods of Keras's variables."""

    def __new__(cls, value: float, optimizer: Optimizer) -> _Rate:
        rate = super().__new__(cls, value)
        rate._optimizer = optimizer
        return rate

    _optimizer: Optimizer

    def numpy(self) -> np.floating:
        """Return the rate as a NumPy number."""
        return np.float64(self)

    def assign(self, value: Any) -> None:
        """Set the optimizer's rate."""
        self._optimizer.learning_rate = value

    def __reduce__(self) -> Any:  # a copy is a number and keeps no optimizer
        return float, (float(self),)


def _out_of_range(who: str, value: float) -> str:
    return f"{who} must be a finite number, at least 0, got {value!r}"


class Optimizer:
    """Base of all optimizers.

    Parameters
    ----------
    learning_rate : float, LearningRateSchedule or callable
        A callable returns the rate, from the number of the step or from no argument. ``lr`` is
        its old name.
    weight_decay : float, optional
        Before each step every variable shrinks: w -= w * weight_decay * learning_rate.
    name : str, optional

    Raises
    ------
    ValueError
        For a learning rate that is an int (a forgotten decimal point), negative or not finite,
        and for arguments this optimizer does not have, unless they are Keras's and at their
        defaults.
    """

    def __init__(
        self,
        learning_rate: Any,
        *,
        weight_decay: float | None = None,
        name: str | None = None,
        **others: Any,
    ) -> None:
        later = {argument: others.pop(argument, default) for argument, default in LATER.items()}
        refuse(type(self).__name__, {k: v for k, v in later.items() if np.ndim(v) or v != LATER[k]})
        if "lr" in others:
            learning_rate = others.pop("lr")
        if others:
            wrong, known = next(iter(others)), self.get_arguments()
            hint = did_you_mean(wrong, known) or f": it takes {', '.join(known)}"
            raise ValueError(f"{type(self).__name__}: unrecognized argument {wrong!r}{hint}")
        self.name = name or config.snake_case(type(self).__name__)
        self.learning_rate = learning_rate
        if weight_decay is not None and not (
            isinstance(weight_decay, (int, float, np.number)) and weight_decay >= 0
        ):
            raise ValueError(
                f"{type(self).__name__}: expected weight_decay to be None or a number of at least "
                f"0, got {weight_decay!r}"
            )
        self.weight_decay = weight_decay
        self.iterations = 0
        self.variables: list[Variable] = []  # those it has slots for
        self._slots: dict[int, list[np.ndarray]] = {}

    # --- what a rule defines --------------------------------------------------------------

    @property
    def rule(self) -> str:
        """A name in `operations.RULE_SLOTS`."""
        raise NotImplementedError

    def constants(self) -> Sequence[float]:
        """Return the rule's own coefficients, from the third on."""
        return ()

    def step_sizes(self, rates: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """Return the step size of each step (counted from 1) from its learning rate."""
        return rates

    # --- the learning rate ----------------------------------------------------------------

    @property
    def learning_rate(self) -> Any:
        """The rate of the next step; may be set between batches to what the constructor takes.

        A float that also has the methods ``numpy`` and ``assign`` of Keras's variables.
        """
        return _Rate(self.current_learning_rate(), self)

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        who = f"{type(self).__name__}: learning_rate"
        if isinstance(value, (np.floating, np.ndarray)) and np.ndim(value) == 0:
            value = float(value)
        if callable(value):
            self._learning_rate = value
            self._wants_step = _wants_step(value)
            return
        if not isinstance(value, float):
            if isinstance(value, int) and value < 0:
                raise ValueError(_out_of_range(who, value))
            mend = f": write {float(value)}" if isinstance(value, int) else ""
            if mend and not value:
                mend += ", with which nothing is learned, or a small number such as 0.01"
            raise ValueError(
                f"{who} must be a float, a LearningRateSchedule or a function of the step, got "
                f"{value!r}{mend}"
            )
        if not 0 <= value < float("inf"):
            raise ValueError(_out_of_range(who, value))
        self._learning_rate = float(value)

    lr = learning_rate  # its old name

    @property
    def has_schedule(self) -> bool:
        """Whether the rate is a function, not a number."""
        return callable(self._learning_rate)

    def current_learning_rate(self, step: int | None = None) -> float:
        """Return the rate at a step, by default that of the next one."""
        if not callable(self._learning_rate):
            return self._learning_rate
        if not self._wants_step:
            return float(self._learning_rate())
        return float(self._learning_rate(self.iterations if step is None else step))

    def coefficients(self, first_step: int, steps: int) -> np.ndarray:
        """Return what the kernels need for `steps` steps, the first of number `first_step`.

        Only elementwise IEEE operations are used and no libm, so that the numbers are the same
        on every machine; a row depends on nothing but the number of its step.

        Returns
        -------
        ndarray of float64, shape (steps, 8)
        """
        numbers = np.arange(first_step, first_step + steps)
        rates = np.empty(steps)
        if callable(self._learning_rate):
            rates[:] = [self.current_learning_rate(int(i)) for i in numbers]
        else:
            rates[:] = self._learning_rate
        table = np.zeros((steps, COEFFICIENTS))
        table[:, 0] = (self.weight_decay or 0.0) * rates
        table[:, 1] = self.step_sizes(rates, numbers + 1)
        constants = self.constants()
        table[:, 2 : 2 + len(constants)] = constants
        return table

    # --- slots and steps ------------------------------------------------------------------

    def build(self, variables: Iterable[Variable]) -> None:
        """Make the slots of the variables that have none yet."""
        for variable in variables:
            self.slots(variable)

    def slots(self, variable: Variable) -> list[np.ndarray]:
        """Return the buffers this optimizer keeps for a variable, in RULE_SLOTS order."""
        slots = self._slots.get(id(variable))
        if slots is None:
            slots = self._slots[id(variable)] = [variable.like() for _ in self.slot_names]
            self.variables.append(variable)  # also keeps it alive, so that its id stays its own
        return slots

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_slots": [self._slots[id(v)] for v in self.variables]}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Give a copy slots of its own, for the copied variables."""
        self.__dict__.update(state)
        self._slots = {}
        for variable, buffers in zip(self.variables, state["_slots"], strict=True):
            self._slots[id(variable)] = [variable.like() for _ in buffers]
            for slot, buffer in zip(self._slots[id(variable)], buffers, strict=True):
                slot[...] = buffer

    @property
    def slot_names(self) -> tuple[str, ...]:
        return RULE_SLOTS[self.rule]

    def apply(self, gradients: Iterable[Any], variables: Iterable[Variable]) -> None:
        """Take one step by hand: for training loops of your own.

        Parameters
        ----------
        gradients : iterable of array_like
            In the shapes of the variables.
        variables : iterable of Variable

        Raises
        ------
        ValueError
            If a gradient's shape differs; then nothing is changed.

        Examples
        --------
        >>> from fastnn import Variable
        >>> from fastnn.optimizers import SGD
        >>> w = Variable([0.0, 0.0], name="w")
        >>> SGD(learning_rate=0.5).apply([[1.0, -1.0]], [w])
        >>> w.numpy().tolist()
        [-0.5, 0.5]
        """
        pairs = []
        for gradient, variable in zip(gradients, variables, strict=True):
            g = np.asarray(gradient, dtype=variable.dtype)
            if g.shape != variable.shape:
                raise ValueError(
                    f"{type(self).__name__}: the gradient of '{variable.path}' must have its "
                    f"shape {variable.shape}, got {g.shape}"
                )
            pairs.append((g, variable))
        (row,) = self.coefficients(self.iterations, 1)
        for g, variable in pairs:
            slots = [variable.view(buffer) for buffer in self.slots(variable)]
            update(self.rule, variable.value, g, slots, row)
        self.iterations += 1

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Variable]]) -> None:
        """Take one step by hand: ``apply_gradients(zip(gradients, variables))``."""
        pairs = list(grads_and_vars)
        self.apply([g for g, _ in pairs], [v for _, v in pairs])

    # --- state and configuration ----------------------------------------------------------

    def state(self) -> dict[str, np.ndarray]:
        """Return what a resumed training needs: iterations, and copies of the slots by path."""
        state: dict[str, np.ndarray] = {"iterations": np.array(self.iterations, np.int64)}
        if not callable(self._learning_rate):
            state["learning_rate"] = np.array(self._learning_rate)
        for variable in self.variables:
            for name, buffer in zip(self.slot_names, self.slots(variable), strict=True):
                state[f"{name}/{variable.path}"] = variable.view(buffer).copy()
        return state

    def load_state(
        self, state: Mapping[str, np.ndarray], variables: Iterable[Variable] | None = None
    ) -> None:
        """Take over what `state` returned.

        Parameters
        ----------
        state : mapping
        variables : iterable of Variable, optional
            Those of the model; default those already built.

        Raises
        ------
        ValueError
            If a slot is missing, unknown or has another shape; then nothing is changed.
        """
        variables = list(self.variables if variables is None else variables)
        wanted = {
            f"{name}/{variable.path}": (variable, k)
            for variable in variables
            for k, name in enumerate(self.slot_names)
        }
        found = set(state) - {"iterations", "learning_rate"}
        for odd in sorted(found ^ set(wanted)):
            what = "unknown" if odd in found else "missing"
            raise ValueError(
                f"{type(self).__name__}: the state to load has slots {what} here, such as "
                f"'{odd}': it belongs to another optimizer or model"
            )
        for path, (variable, _) in wanted.items():
            if state[path].shape != variable.shape:
                raise ValueError(
                    f"{type(self).__name__}: slot '{path}' must have shape {variable.shape}, got "
                    f"{state[path].shape}"
                )
        for path, (variable, k) in wanted.items():
            variable.view(self.slots(variable)[k])[...] = state[path]
        self.iterations = int(state.get("iterations", 0))
        if "learning_rate" in state and not callable(self._learning_rate):
            self.learning_rate = float(state["learning_rate"])

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal optimizer (without its slots)."""
        from fastnn.optimizers.schedules import LearningRateSchedule, serialize

        rate = self._learning_rate
        return {
            "name": self.name,
            "learning_rate": serialize(rate) if isinstance(rate, LearningRateSchedule) else rate,
            "weight_decay": self.weight_decay,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Optimizer:
        """Make an optimizer from `get_config`'s result."""
        from fastnn.optimizers.schedules import deserialize

        config = dict(config)
        if isinstance(config.get("learning_rate"), dict):
            config["learning_rate"] = deserialize(config["learning_rate"])
        return cls(**config)

    @classmethod
    def get_arguments(cls) -> list[str]:
        """Return the names of the constructor's arguments."""
        import inspect

        names: dict[str, None] = {}
        for base in (cls, Optimizer):
            names |= dict.fromkeys(inspect.signature(base.__init__).parameters)
        return [name for name in names if name not in ("self", "others")]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} learning_rate={self._learning_rate}>"


def power(base: float, exponent: int) -> float:
    """Return base**exponent, an integer >= 0, by repeated squaring: the same bits everywhere."""
    result, square = 1.0, float(base)
    while exponent:
        if exponent & 1:
            result *= square
        square *= square
        exponent >>= 1
    return result


def powers(base: float, first: int, count: int) -> np.ndarray:
    """Return base**n for n = first, first + 1 ..., `count` of them.

    They are looked up in blocks: an epoch of a small model would feel the time to compute them.
    """
    parts = []
    while count > 0:
        block, start = divmod(first, POWERS)
        parts.append(_block(base, block)[start : start + count])
        first += len(parts[-1])
        count -= len(parts[-1])
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


POWERS = 2048
"""Powers computed at a time."""


@functools.lru_cache(maxsize=32)
def _block(base: float, number: int) -> np.ndarray:
    if number > 0:
        return power(base, number * POWERS) * _block(base, 0)
    table, square = np.ones(1), float(base)
    while len(table) < POWERS:
        table = np.concatenate([table, table * square])
        square *= square
    return table


def fraction(who: str, name: str, value: Any) -> float:
    """Return a decay rate as a float; raise ValueError unless 0 <= value < 1."""
    if not isinstance(value, (int, float, np.number)) or not 0 <= value < 1:
        raise ValueError(f"{who}: expected {name} from 0 to below 1, got {value!r}")
    return float(value)


def positive(who: str, name: str, value: Any) -> float:
    """Return a value as a float; raise ValueError unless it is a positive number."""
    if not isinstance(value, (int, float, np.number)) or not value > 0:
        raise ValueError(f"{who}: expected {name} to be a positive number, got {value!r}")
    return float(value)


def _wants_step(rate: Any) -> bool:
    """Return whether a function that gives the rate takes the number of the step."""
    import inspect

    try:
        inspect.signature(rate).bind(0)
    except TypeError:
        return False
    except ValueError:  # a function without a readable signature
        return True
    return True
