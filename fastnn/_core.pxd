"""csrc/fastnn.h, as far as _core.pyx calls it; the header documents it."""

from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

cdef extern from "stdlib.h" nogil:
    void *aligned_alloc(size_t, size_t)

cdef extern from "fastnn.h" nogil:
    ctypedef enum fnn_type:
        FNN_F32, FNN_F64
    ctypedef enum fnn_mode:
        FNN_PREDICT, FNN_EVALUATE, FNN_TRAIN
    enum:
        FNN_DENSE, FNN_ACTIVATE, FNN_RANDOM, FNN_DROPOUT, FNN_TAKE, FNN_FAULT, FNN_CALL, FNN_UPDATE, FNN_MAP
        FNN_REDUCE, FNN_CROSSENTROPY
        FNN_SKIP, FNN_OVERWRITE, FNN_ACCUMULATE, FNN_FUSED
        FNN_MEAN, FNN_SUM, FNN_MEAN_WEIGHTED, FNN_TOTAL
        FNN_NUMBER, FNN_SAMPLES, FNN_TENSOR, FNN_GRADIENT, FNN_MEMORY
        FNN_VALUE, FNN_SLOPE, FNN_PARAMETER, FNN_STATE
        FNN_SRC_F32, FNN_SRC_F64, FNN_SRC_U8, FNN_SRC_I8, FNN_SRC_U16, FNN_SRC_I16
        FNN_SRC_U32, FNN_SRC_I32, FNN_SRC_U64, FNN_SRC_I64, FNN_SRC_BOOL
        FNN_MAX_SLOTS, FNN_MAX_DIMENSIONS, FNN_COEFFICIENTS
    ctypedef enum fnn_list:
        FNN_LIST_STEPS, FNN_LIST_ACTIVATIONS, FNN_LIST_RULES, FNN_LIST_CROSSENTROPIES
    ctypedef struct fnn_tensor:
        void *value
        void *grad
        size_t stride, rows, features
        float density, grad_density
    ctypedef struct fnn_param:
        void *value
        void *grad
        void *slots[3]
        size_t rows, columns, ld
    ctypedef struct fnn_step:
        int32_t code, to, a, b, c, uniform, by_row
        size_t outer, middle, inner, start, length
        ptrdiff_t stride
    ctypedef struct fnn_register:
        size_t size
        int32_t batched, source, tensor, sink, mode, slot
        double number
        void *memory
        size_t rows, row
    ctypedef struct fnn_map:
        const fnn_register *registers
        const fnn_step *prologue
        const fnn_step *steps
        size_t n_registers, n_prologue, n_once, n_steps, slots, slot, tile
        int waits, alone
    ctypedef struct fnn_op:
        int32_t code, backward, x, z, y, kernel, bias, activation, stream
        int32_t x_mode, kernel_mode, bias_mode, derivative, derivative_done, folded
        int32_t kind, probability, weights, by_samples, phase, index
        double a, derivative_slope
        const fnn_map *map
    ctypedef struct fnn_sum:
        int32_t values, weights, reduction, to
    ctypedef struct fnn_feed:
        int32_t tensor, type
        const void *data
        ptrdiff_t row_stride
        size_t dimensions
        size_t shape[8]
        ptrdiff_t strides[8]
    ctypedef int (*fnn_callback)(void *, int, size_t, size_t, int) noexcept
    ctypedef struct fnn_program:
        fnn_type type
        int rule
        size_t n_ops, n_scoring, n_closing, n_backward, n_sums, n_inputs, n_feeds, n_outputs
        fnn_tensor *tensors
        fnn_param *params
        const fnn_op *ops
        const fnn_op *scoring
        const fnn_op *closing
        const fnn_op *backward
        const fnn_sum *sums
        const fnn_feed *feeds
        const int32_t *outputs
        fnn_callback callback
        void *context
    ctypedef struct fnn_fault:
        const fnn_op *op
        uint64_t row
        double value
    ctypedef struct fnn_job:
        fnn_mode mode
        const int64_t *rows
        size_t first, n, batch
        const double *coefficients
        uint64_t seed
        uint32_t step
        double *sums
        void *const *outputs
        double *times
        fnn_fault *fault
        int threads, look, fixed
    int FNN_TIME_GATHER, FNN_TIME_LOSSES, FNN_TIME_SUMS, FNN_TIME_OPERATIONS
    bint fnn_is_sparse(fnn_type, float, size_t)
    const char *fnn_name(fnn_list, int)
    size_t fnn_times(const fnn_program *)
    double fnn_peak_flops(fnn_type, int) nogil
    double fnn_peak_bytes(int) nogil
    void fnn_shuffle(int64_t *, size_t, uint64_t, uint32_t) nogil
    size_t fnn_scratch(const fnn_program *, size_t)
    int fnn_choose_threads(const fnn_program *, const fnn_job *)
    int fnn_run(fnn_program *, const fnn_job *, void *, size_t *)
    int fnn_num_threads()
    int fnn_default_threads()
    int fnn_set_num_threads(int)
    const char *fnn_isa()
    const char *fnn_isa_error()
    const char *fnn_threads_error()
    const char *fnn_isa_at(int)
    int fnn_set_isa(const char *)
