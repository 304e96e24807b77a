"""Python's search for cycles, in a process that serves."""

import gc

__all__ = ["settle"]

_YOUNG = 10_000
"""New objects before the youngest are looked through: a few requests' worth, instead of several times a request."""
_OLDER = 20


def settle() -> None:
    """Take what lives now for something that lives as long as the process. Called once, when it is ready to serve.

    Else each full search goes through every module, class and schema again: a tenth of a second and more, for which
    the process answers nobody.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _OLDER, _OLDER)
