"""Lookup: what a name or a configuration stands for, and what to say if it is unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


class Lookup:
    """The classes (or functions) of one kind, by all names that stand for them.

    Parameters
    ----------
    kind : str
        What to call one of them in messages.
    names : dict from str to class or function
        All in lower case are also found by other spellings: ``"MSE"`` is ``"mse"``.
    base : type, optional
        Of the classes: a class of yours derived from it may stand for an instance, too.
    functions : dict from function to class, optional
        Functions that stand for a class.
    also : list of str, optional
        Names with a meaning elsewhere, for hints.
    instead : function from str to str, optional
        What to say of a name that is known not to be here, or ``""``.

    Examples
    --------
    >>> from fastnn.lookup import Lookup
    >>> Lookup("number", {"int": int, "float": float}).find("flaot")
    Traceback (most recent call last):
        ...
    ValueError: Unknown number 'flaot': did you mean 'float'?
    """

    def __init__(
        self,
        kind: str,
        names: Mapping[str, Any],
        *,
        base: type | None = None,
        functions: Mapping[Any, Any] | None = None,
        also: Iterable[str] = (),
        instead: Callable[[str], str] | None = None,
    ) -> None:
        self.kind = kind
        self.names = names
        self.base = base
        self.functions = functions or {}
        self.also = also
        self.instead = instead

    def find(self, name: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
        """Return what a name stands for, first in `custom_objects`.

        Raises
        ------
        ValueError
            If it stands for nothing.
        """
        if isinstance(name, str):
            for names, spelled in (
                (custom_objects or {}, name), (self.names, name), (self.names, name.lower()),
            ):  # fmt: skip
                if spelled in names:
                    return names[spelled]
        known = [*self.names, *self.also]
        hint = ""
        if isinstance(name, str):
            hint = (self.instead(name) if self.instead else "") or did_you_mean(name, known)
        if not hint:
            short = [one for one in known if one.islower()]
            hint = f" (known: {', '.join(sorted(short or known))})"
        raise ValueError(f"Unknown {self.kind} {name!r}{hint}")

    def get(self, identifier: Any) -> Any:
        """Return an instance for a name, a configuration, a class or a function known here.

        Anything else comes back as it is.
        """
        if isinstance(identifier, str):
            return self.find(identifier)()
        if isinstance(identifier, dict):
            return self.deserialize(identifier)
        if self.base and isinstance(identifier, type) and issubclass(identifier, self.base):
            return identifier()
        try:
            cls = self.functions.get(identifier)
        except TypeError:  # it cannot be hashed
            cls = None
        return cls() if cls else identifier

    def deserialize(self, config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
        """Return the instance that `serialize` wrote down, or what `custom_objects` has of a name.

        Anything else comes back as it is.
        """
        if isinstance(config, dict):
            cls = self.find(config.get("class_name"), custom_objects)
            return cls.from_config(config.get("config") or {})
        return (custom_objects or {}).get(config, config) if isinstance(config, str) else config


def serialize(instance: Any) -> dict[str, Any]:
    """Return the class and the settings of an instance as data, for `Lookup.deserialize`."""
    return {"class_name": type(instance).__name__, "config": instance.get_config()}


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``": did you mean 'relu'?"`` for the known name nearest to a wrong one, or ``""``."""
    import difflib  # takes longer to import than all of this

    spelled: dict[str, str] = {}
    for one in known:
        alike = one[:1].isupper() == name[:1].isupper()  # a class for a class
        if alike or one.lower() not in spelled:
            spelled[one.lower()] = one
    near = difflib.get_close_matches(name.lower(), spelled, n=1, cutoff=0.8)
    words = set(name.lower().split("_"))
    if not near and len(words) > 1:  # "sparse_crossentropy" lacks one
        near = sorted((one for one in spelled if words <= set(one.split("_"))), key=len)
    near = near or difflib.get_close_matches(name.lower(), spelled, n=1)
    return f": did you mean {spelled[near[0]]!r}?" if near else ""
