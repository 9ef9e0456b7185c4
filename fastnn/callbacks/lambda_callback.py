"""LambdaCallback: a callback made of plain functions."""

from __future__ import annotations

from typing import Any

from fastnn.callbacks.base import Callback

_HOOKS = tuple(name for name in vars(Callback) if name.startswith("on_"))


class LambdaCallback(Callback):
    """Call the given functions in the hooks they are named after.

    Parameters
    ----------
    **hooks : callable
        ``on_epoch_end=lambda epoch, logs: ...`` and so on, for any hook of `Callback`.

    Raises
    ------
    TypeError
        For a name that is no hook, or a value that cannot be called.
    """

    def __init__(self, on_epoch_begin: Any = None, on_epoch_end: Any = None, **hooks: Any) -> None:
        super().__init__()
        hooks = {"on_epoch_begin": on_epoch_begin, "on_epoch_end": on_epoch_end, **hooks}
        for name, function in hooks.items():
            if name not in _HOOKS:
                raise TypeError(f"LambdaCallback knows the hooks {sorted(_HOOKS)}, got {name!r}")
            if function is None:
                continue
            if not callable(function):
                raise TypeError(f"LambdaCallback expects a function for {name}, got {function!r}")
            setattr(self, name, function)
