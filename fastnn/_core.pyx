# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The C engine: binds csrc/ to NumPy arrays. Thin on purpose; the work is in csrc/.

One extension module, and so one copy of the C library and of its threads, in parts by concept:

- _core.pyx             imports, and the settings of the process
- _core_buffers.pxi     memory for C, and arrays as C reads them
- _core_encoding.pxi    EncodedProgram: a program as the structs of fastnn.h
- _core_engine.pxi      Engine: binds data to an encoded program and runs it
- _core_arrays.pxi      single operations on arrays, for fastnn.kernels
"""

from cpython.buffer cimport (
    PyBUF_C_CONTIGUOUS, PyBUF_FORMAT, PyBUF_STRIDED_RO, PyBUF_WRITABLE,
    PyBuffer_Release, PyObject_GetBuffer,
)
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t, uintptr_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

import numpy as np

from fastnn.operations import COEFFICIENTS, missing_row
from fastnn.variable import aligned_zeros, row_stride


cdef dict numbers(fnn_list which):
    """Return the number of each name in a list of ops.def."""
    found = {}
    while fnn_name(which, len(found)) != NULL:
        found[fnn_name(which, len(found)).decode()] = len(found)
    return found


STEPS = numbers(FNN_LIST_STEPS)
ACTIVATIONS = numbers(FNN_LIST_ACTIVATIONS)
RULES = numbers(FNN_LIST_RULES)
CROSSENTROPIES = numbers(FNN_LIST_CROSSENTROPIES)


# ---- process-wide settings --------------------------------------------------------------------

if fnn_isa_error() != NULL:
    raise ValueError(fnn_isa_error().decode(errors="replace"))
if fnn_threads_error() != NULL:
    raise ValueError(fnn_threads_error().decode(errors="replace"))


def isa():
    """Return the name of the instruction set in use."""
    return fnn_isa().decode()


def isas():
    """Return the names of the instruction sets this machine can run, best first."""
    names = []
    cdef int i = 0
    while fnn_isa_at(i) != NULL:
        names.append(fnn_isa_at(i).decode())
        i += 1
    return names


def set_isa(name):
    """Use another instruction set from the next call on (for tests and benchmarks)."""
    if fnn_set_isa(name.encode()) != 0:
        raise ValueError(f"instruction set: this machine offers {', '.join(isas())}, got {name!r}")


def get_num_threads():
    """Return the largest number of threads a computation may use."""
    return fnn_num_threads()


def set_num_threads(n):
    """Set the largest number of threads a computation may use; the results do not change.

    Parameters
    ----------
    n : int
        1 to 256; 0 returns to the default: ``FASTNN_NUM_THREADS``, or the CPUs this process may
        use.
    """
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or not 0 <= n <= 256:
        raise ValueError(f"set_num_threads: expected an integer from 1 to 256 (or 0), got {n!r}")
    fnn_set_num_threads(n)


def peak_flops(dtype, int threads):
    """Measure the multiply-adds in registers this machine can do at most, as operations a second."""
    cdef double flops
    cdef fnn_type type = FNN_F64 if dtype == "float64" else FNN_F32
    with nogil:
        flops = fnn_peak_flops(type, threads)
    return flops


def peak_bytes(int threads):
    """Measure the memory this machine can copy at most, in bytes a second, half of them written."""
    cdef double copied
    with nogil:
        copied = fnn_peak_bytes(threads)
    if copied == 0:
        raise MemoryError("measuring the peak of memory takes 256 MiB")
    return copied


def shuffled(uint32_t n, uint64_t seed, uint32_t step):
    """Return 0 .. n-1 in a random order that is a function of n, seed and step."""
    rows = np.arange(n, dtype=np.int64)
    cdef int64_t[::1] view = rows
    if n:
        with nogil:
            fnn_shuffle(&view[0], n, seed, step)
    return rows


include "_core_buffers.pxi"
include "_core_encoding.pxi"
include "_core_engine.pxi"
include "_core_arrays.pxi"
