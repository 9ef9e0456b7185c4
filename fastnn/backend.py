"""``keras.backend``, as far as course code uses it; the settings themselves are in `config`."""

from fastnn.config import backend, clear_session, epsilon, floatx, set_epsilon, set_floatx
from fastnn.missing import explain_missing

__all__ = ["backend", "clear_session", "epsilon", "floatx", "set_epsilon", "set_floatx"]

explain_missing(__name__)
