"""Keeps numpy's linear algebra on one thread.

The tagger multiplies matrices too small to gain from a second core, while waking one costs more than the work itself.
The setting goes straight to the library numpy has loaded; the process environment stays as it is.
"""

from __future__ import annotations

import ctypes

import numpy as np

__all__ = ["single_threaded"]

# The names the function bears in the builds of OpenBLAS that numpy's wheels and distributions carry.
_SETTERS = (
    "scipy_openblas_set_num_threads64_",
    "scipy_openblas_set_num_threads",
    "openblas_set_num_threads64_",
    "openblas_set_num_threads",
)


def single_threaded() -> bool:
    """True when the limit could be set; False where numpy was built with another library, which is left alone."""
    # numpy's own extension module is loaded already; its handle also sees the libraries it was linked with.
    core = getattr(np, "_core", None)
    extension = getattr(getattr(core, "_multiarray_umath", None), "__file__", None)
    if extension is None:
        return False
    try:
        library = ctypes.CDLL(extension)
    except OSError:
        return False
    for name in _SETTERS:
        setter = getattr(library, name, None)
        if setter is not None:
            setter(ctypes.c_int(1))
            return True
    return False
