"""The version, in the one place that the build reads too."""

__version__ = "0.1.0"


def version() -> str:
    """Return the version of fastnn, with Keras's name for it."""
    return __version__
