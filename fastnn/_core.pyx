# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The C engine: binds csrc/ to NumPy arrays. Thin on purpose; the work is in csrc/."""

from cpython.buffer cimport (
    PyBUF_C_CONTIGUOUS, PyBUF_FORMAT, PyBUF_STRIDED_RO, PyBUF_WRITABLE,
    PyBuffer_Release, PyObject_GetBuffer,
)
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t, uintptr_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

import numpy as np

from fastnn.operations import ACTIVATIONS, COEFFICIENTS, MERGES, ROW_VALUES, RULES
from fastnn.variable import aligned_zeros, row_stride


# ---- process-wide settings --------------------------------------------------------------------

if fnn_isa_error() != NULL:
    raise ValueError(fnn_isa_error().decode())
if fnn_threads_error() != NULL:
    raise ValueError(fnn_threads_error().decode())


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


def peaks(dtype, int threads):
    """Measure what this machine can do at most; takes about a second.

    Returns
    -------
    flops, bytes : float
        Multiply-adds in registers, in operations a second; memory copied, in bytes a second.
    """
    cdef double flops, copied
    cdef fnn_type type = FNN_F64 if dtype == "float64" else FNN_F32
    with nogil:
        flops = fnn_peak_flops(type, threads)
        copied = fnn_peak_bytes(threads)
    if copied == 0:
        raise MemoryError("measuring the peak of memory takes 256 MiB")
    return flops, copied


# ---- memory and buffers -----------------------------------------------------------------------

cdef void *address(array):
    return <void *><uintptr_t>(array.__array_interface__["data"][0])


cdef class Block:
    """A zeroed array of C structs."""
    cdef void *data

    def __cinit__(self, size_t n, size_t size):
        self.data = calloc(n + 1, size)
        if self.data == NULL:
            raise MemoryError()

    def __dealloc__(self):
        free(self.data)


cdef int source_type(const char *format) noexcept:
    """The fnn_source_type of a buffer's format, or -1."""
    cdef char c = format[0]
    if c == b"<" or c == b"=" or c == b"@":
        format += 1
        c = format[0]
    if c == 0 or format[1] != 0:
        return -1
    if c == b"f": return FNN_SRC_F32
    if c == b"d": return FNN_SRC_F64
    if c == b"B": return FNN_SRC_U8
    if c == b"b": return FNN_SRC_I8
    if c == b"H": return FNN_SRC_U16
    if c == b"h": return FNN_SRC_I16
    if c == b"I": return FNN_SRC_U32
    if c == b"i": return FNN_SRC_I32
    if c == b"Q": return FNN_SRC_U64
    if c == b"q": return FNN_SRC_I64
    if c == b"L": return FNN_SRC_U64 if sizeof(unsigned long) == 8 else FNN_SRC_U32
    if c == b"l": return FNN_SRC_I64 if sizeof(long) == 8 else FNN_SRC_I32
    if c == b"?": return FNN_SRC_BOOL
    return -1


cdef class Source:
    """An array that rows are gathered from: its buffer is held until it is replaced."""
    cdef Py_buffer view
    cdef bint held

    def __dealloc__(self):
        self.release()

    cdef void release(self):
        if self.held:
            PyBuffer_Release(&self.view)
            self.held = False

    cdef int hold(self, array, fnn_feed *feed, size_t size) except -1:
        """Fill `feed` from an array of shape (n, ...) whose samples have `size` elements."""
        cdef size_t count = 1
        cdef int i, dimensions
        self.release()
        PyObject_GetBuffer(array, &self.view, PyBUF_STRIDED_RO | PyBUF_FORMAT)
        self.held = True
        feed.type = source_type(self.view.format)
        if feed.type < 0:
            raise TypeError(
                f"data: expected bool, integer, float32 or float64 elements in the machine's byte "
                f"order, got dtype {array.dtype}: convert with astype('float32')"
            )
        if self.view.ndim < 1 or self.view.ndim > FNN_MAX_DIMENSIONS:
            raise ValueError(f"data: expected 1 to 8 dimensions, got {self.view.ndim}")
        feed.data = self.view.buf
        feed.row_stride = self.view.strides[0]
        # Neighbouring dimensions that follow one another in memory are one.
        dimensions = 0
        for i in range(1, self.view.ndim):
            count *= self.view.shape[i]
            if dimensions and feed.strides[dimensions - 1] == (
                self.view.strides[i] * self.view.shape[i]
            ):
                feed.shape[dimensions - 1] *= self.view.shape[i]
                feed.strides[dimensions - 1] = self.view.strides[i]
            elif self.view.shape[i] != 1 or not dimensions:
                feed.shape[dimensions] = self.view.shape[i]
                feed.strides[dimensions] = self.view.strides[i]
                dimensions += 1
        feed.dimensions = dimensions
        if count != size:
            raise ValueError(f"data: expected {size} elements per sample, got {count}")
        return 0


cdef int call_python(void *context, int phase, size_t index, size_t n, int training) noexcept with gil:
    engine = <Engine>context
    try:
        engine.call(phase, index, n, bool(training))
        return 0
    except BaseException as error:  # carried over the C frames and raised by Engine.run
        engine.error = error
        return 1


# ---- the engine -------------------------------------------------------------------------------

cdef class Engine:
    """Runs a program in C.

    Parameters
    ----------
    program : fastnn.program.Program
    capacity : int
        The largest number of samples in a batch.
    training : bool
        Whether to make room for gradients.
    """
    cdef readonly object program
    cdef readonly size_t capacity
    cdef readonly object sums
    cdef object error
    cdef fnn_program c
    cdef fnn_tensor *tensors
    cdef fnn_feed *feeds
    cdef fnn_term *losses
    cdef fnn_term *metrics
    cdef list blocks, values, gradients, tensor_storage, keep, sources, variables
    cdef list target_arrays, weight_arrays  # those of Python losses; None: no weights
    cdef list forward_numbers, backward_numbers
    cdef dict indices, parameter_gradients
    cdef size_t rows
    cdef size_t first_target, first_weight
    cdef void *scratch
    cdef size_t scratch_bytes
    cdef double *sums_data
    cdef bint learns
    cdef int threads  # 0: chosen from the work
    cdef bint running
    cdef bint looked  # for zeros, since `bind` or `reset`: not each call, they are cut by the clock
    cdef object times  # None, or an array of fnn_times sums
    cdef double *times_data

    def __cinit__(self, *args, **kwargs):
        self.scratch = NULL

    def __init__(self, program, capacity, *, bint training=True):
        dtype = program.dtype
        self.program = program
        self.capacity = capacity
        self.learns = training
        self.c.type = FNN_F64 if dtype == "float64" else FNN_F32
        self.blocks, self.keep, self.sources, self.variables = [], [], [], []
        self.indices, self.parameter_gradients = {}, {}
        self.sums = np.zeros((len(program.accumulators), 2))
        self.sums_data = <double *>address(self.sums)
        self.c.callback = call_python
        self.c.context = <void *>self
        self.make_tensors()
        self.make_params()
        self.c.ops = self.operations(program.forward, False, &self.c.n_ops)
        if self.learns:
            self.make_backward()
        self.make_terms()
        self.make_feeds()

    def __dealloc__(self):
        free(self.scratch)

    cdef void *block(self, size_t n, size_t size):
        cdef Block block = Block(n, size)
        self.blocks.append(block)
        return block.data

    cdef void *memory(self, shape):
        array = aligned_zeros(shape, self.program.dtype)
        self.keep.append(array)
        return address(array)

    cdef make_tensors(self):
        """Buffers for all tensors, then for the targets and the sample weights."""
        program, dtype = self.program, self.program.dtype
        strides = []
        self.values, self.gradients, self.target_arrays = [], [], []
        self.weight_arrays = [None] * len(program.targets)
        for storage in program.storages:
            stride = row_stride(storage.size, dtype) if storage.padded else storage.size
            strides.append(stride)
            self.values.append(aligned_zeros((self.capacity, stride), dtype))
            wanted = storage.gradient and self.learns
            self.gradients.append(aligned_zeros((self.capacity, stride), dtype) if wanted else None)
        self.tensor_storage = [tensor.storage for tensor in program.tensors]
        n = len(program.tensors)
        self.first_target = n
        self.first_weight = n + len(program.targets)
        self.tensors = <fnn_tensor *>self.block(n + 2 * len(program.targets), sizeof(fnn_tensor))
        self.c.tensors = self.tensors
        cdef fnn_tensor *t
        for i, tensor in enumerate(program.tensors):
            t = &self.tensors[i]
            t.value = address(self.values[tensor.storage])
            gradient = self.gradients[tensor.storage]
            t.grad = NULL if gradient is None else address(gradient)
            t.stride = strides[tensor.storage]
            t.rows, t.features = tensor.rows, tensor.features
            if t.rows != 1 and t.stride != t.rows * t.features:
                raise ValueError(f"tensor {i} of rank > 1 lies on a padded storage")
        for k, target in enumerate(program.targets):
            size = int(np.prod(target.shape, dtype=np.int64))
            t = &self.tensors[self.first_target + k]
            t.stride, t.rows, t.features = row_stride(size, dtype), 1, size
            values = aligned_zeros((self.capacity, t.stride), dtype)
            t.value = address(values)
            self.target_arrays.append(values)

    cdef int param(self, variable) except -1:
        return self.indices[id(variable)]

    cdef make_params(self):
        """Parameters as they lie: shared with the layers, never copied."""
        program = self.program
        for op in [*program.forward, *program.backward]:
            for variable in op.params:
                if id(variable) not in self.indices:
                    self.indices[id(variable)] = len(self.variables)
                    self.variables.append(variable)
        self.c.params = <fnn_param *>self.block(len(self.variables), sizeof(fnn_param))
        cdef fnn_param *p
        for i, variable in enumerate(self.variables):
            p = &self.c.params[i]
            p.value = address(variable.buffer)
            p.rows, p.columns, p.ld = variable.rows, variable.columns, variable.buffer.shape[1]
            self.keep.append(variable.buffer)
        if self.learns and program.optimizer is not None:
            self.c.rule = RULES.index(program.optimizer.rule)
            for variable in program.trainable:
                p = &self.c.params[self.param(variable)]
                for s, slot in enumerate(program.optimizer.slots(variable)):
                    p.slots[s] = address(slot)
                    self.keep.append(slot)

    cdef const fnn_op *operations(self, list operations, bint backward, size_t *n_ops) except NULL:
        """Encode operations; a concatenation becomes one for each input."""
        cdef size_t n = 0
        for op in operations:
            n += len(op.inputs)
        n += len(self.program.updates)
        cdef fnn_op *ops = <fnn_op *>self.block(n, sizeof(fnn_op))
        cdef size_t count = 0
        cdef fnn_op *c
        numbers = []
        for number, op in enumerate(operations):
            parts = range(len(op.inputs)) if op.kind.startswith("concatenate") else range(1)
            for part in parts:
                c = &ops[count]
                count += 1
                numbers.append(number)
                self.encode(c, op, part, backward)
        if backward:
            self.backward_numbers = numbers
            for update in self.program.updates:
                if not update.fused:
                    c = &ops[count]
                    count += 1
                    c.code, c.backward = FNN_UPDATE, 1
                    c.x = c.z = c.y = c.bias = -1
                    c.kernel = self.param(update.variable)
        else:
            self.forward_numbers = numbers
        n_ops[0] = count
        return ops

    cdef int encode(self, fnn_op *c, op, int part, bint backward) except -1:
        attrs = op.attrs
        kind = op.kind.removesuffix("_backward")
        c.backward = backward
        c.x, c.y, c.z = op.inputs[part], op.output, -1
        c.kernel = self.param(op.params[0]) if op.params else -1
        c.bias = self.param(op.params[1]) if len(op.params) > 1 else -1
        c.folded = bool(attrs.get("folded"))
        if backward:
            c.x_mode = op.input_modes[part]
            fused = {id(u.variable) for u in self.program.updates if u.fused}
            modes = [
                FNN_FUSED if mode and id(v) in fused else mode
                for v, mode in zip(op.params, op.param_modes)
            ]
            c.kernel_mode = modes[0] if modes else FNN_SKIP
            c.bias_mode = modes[1] if len(modes) > 1 else FNN_SKIP
        if kind == "dense":
            c.code = FNN_DENSE
            c.activation = ACTIVATIONS.index(attrs["activation"])
            c.a = attrs.get("slope", 0.0)
            if "derivative" in attrs:
                c.derivative = ACTIVATIONS.index(attrs["derivative"][0])
                c.derivative_slope = attrs["derivative"][1]
            c.derivative_done = bool(attrs.get("derivative_done"))
        elif kind == "activation":
            c.code = FNN_ACTIVATE
            c.activation = ACTIVATIONS.index(attrs["activation"])
            c.a = attrs.get("slope", 0.0)
        elif kind == "prelu":
            c.code = FNN_PRELU
        elif kind == "scale":
            c.code = FNN_SCALE
            c.a, c.b = attrs["factor"], attrs["offset"]
        elif kind == "dropout":
            c.code = FNN_DROPOUT
            c.a, c.stream = attrs["rate"], attrs["stream"]
        elif kind == "concatenate":
            c.code = FNN_CONCATENATE
            inner = attrs["inner"]
            c.outer, c.inner, c.row = attrs["outer"], inner[part], sum(inner)
            c.offset = sum(inner[:part])
        elif kind == "merge":
            c.code = FNN_MERGE
            c.merge = MERGES.index(attrs["merge"])
            c.z = op.inputs[1]
            if backward:
                c.z_mode = op.input_modes[1]
        else:
            c.code = FNN_CALL
        return 0

    cdef make_backward(self):
        cdef fnn_param *p
        self.c.backward = self.operations(self.program.backward, True, &self.c.n_backward)
        fused = {id(update.variable) for update in self.program.updates if update.fused}
        for variable in self.program.trainable:
            p = &self.c.params[self.param(variable)]
            # A fused matrix never needs its whole gradient; vectors always sum theirs here.
            if id(variable) not in fused or variable.rows == 1:
                gradient = variable.like()
                self.parameter_gradients[id(variable)] = variable.view(gradient)
                self.keep.append(gradient)
                p.grad = address(gradient)

    cdef make_terms(self):
        program = self.program
        reductions = {"sum_over_batch_size": FNN_MEAN, "sum": FNN_SUM,
                      "mean_with_sample_weight": FNN_MEAN_WEIGHTED}
        self.c.n_losses, self.c.n_metrics = len(program.losses), len(program.metrics)
        self.losses = <fnn_term *>self.block(self.c.n_losses, sizeof(fnn_term))
        self.metrics = <fnn_term *>self.block(self.c.n_metrics, sizeof(fnn_term))
        self.c.losses, self.c.metrics = self.losses, self.metrics
        cdef fnn_term *c
        for i, term in enumerate([*program.losses, *program.metrics]):
            is_loss = i < len(program.losses)
            c = &self.losses[i] if is_loss else &self.metrics[i - len(program.losses)]
            c.kind = -1 if term.kind == "python" else ROW_VALUES.index(term.kind)
            c.prediction = term.prediction
            c.probability = term.probability if is_loss else -1
            c.target = self.first_target + term.target
            c.weights = -1
            c.weight = 1.0
            if is_loss:
                c.weight, c.mode = term.weight, term.mode
                c.reduction = reductions[term.reduction]
            c.smoothing = term.attrs.get("smoothing", 0.0)
            c.delta = term.attrs.get("delta", 1.0)
            c.threshold = term.attrs.get("threshold", 0.5)
            c.values = self.memory((self.capacity * self.tensors[c.prediction].rows,))

    cdef make_feeds(self):
        cdef size_t n = len(self.program.inputs) + 2 * len(self.program.targets)
        cdef int32_t *outputs
        self.feeds = <fnn_feed *>self.block(n, sizeof(fnn_feed))
        self.c.feeds = self.feeds
        self.c.n_inputs = len(self.program.inputs)
        for _ in range(n):
            self.sources.append(Source())
        self.c.n_outputs = len(self.program.outputs)
        outputs = <int32_t *>self.block(self.c.n_outputs, sizeof(int32_t))
        for i, tensor in enumerate(self.program.outputs):
            outputs[i] = tensor
        self.c.outputs = outputs

    # ---- data ----

    cdef int feed(self, size_t position, array, size_t tensor) except -1:
        cdef fnn_tensor *t = &self.tensors[tensor]
        cdef Source source = self.sources[position]
        source.hold(array, &self.feeds[position], t.rows * t.features)
        self.feeds[position].tensor = tensor
        if position == 0:
            self.rows = source.view.shape[0]
        elif self.rows != <size_t>source.view.shape[0]:
            raise ValueError(
                f"data: expected {self.rows} rows as in the first input, "
                f"got {source.view.shape[0]}"
            )
        return 0

    def bind(self, inputs, targets=(), weights=()):
        """Set the arrays that rows are read from.

        Parameters
        ----------
        inputs : list of ndarray, shape (n, ...)
            One for each input of the program, of bool, integer or float32/float64 elements, with
            any strides. They are not copied.
        targets : list of ndarray
            One for each target, or none for predictions.
        weights : list of ndarray or None
            Sample weights of each target.
        """
        self.unbind()
        self.looked = False
        try:
            self.bind_all(inputs, targets, weights)
        except BaseException:
            self.unbind()  # all or nothing
            raise

    cdef int bind_all(self, inputs, targets, weights) except -1:
        cdef size_t position = 0
        for tensor, array in zip(self.program.inputs, inputs, strict=True):
            self.feed(position, array, tensor)
            position += 1
        for k, array in enumerate(targets):
            self.feed(position, array, self.first_target + k)
            position += 1
        self.weight_arrays = [None] * len(self.program.targets)
        for i in range(self.c.n_losses):
            self.losses[i].weights = -1
        for i in range(self.c.n_metrics):
            self.metrics[i].weights = -1
        for k, array in enumerate(weights):
            if array is not None:
                self.bind_weights(position, k, array)
                position += 1
        self.c.n_feeds = position
        return 0

    cdef int bind_weights(self, size_t position, int k, array) except -1:
        cdef size_t index = self.first_weight + k
        cdef fnn_tensor *t = &self.tensors[index]
        size = int(np.prod(array.shape[1:], dtype=np.int64))
        t.stride, t.rows, t.features = row_stride(size, self.program.dtype), 1, size
        values = aligned_zeros((self.capacity, t.stride), self.program.dtype)
        t.value = address(values)
        self.weight_arrays[k] = values
        self.feed(position, array, index)
        for i, term in enumerate(self.program.losses):
            if term.target == k:
                self.losses[i].weights = index
        for i, term in enumerate(self.program.metrics):
            if term.target == k and term.weighted:
                self.metrics[i].weights = index
        return 0

    def unbind(self):
        """Let go of the bound arrays."""
        self.check_idle()
        self.c.n_feeds = 0
        self.rows = 0
        cdef Source source
        for source in self.sources:
            source.release()

    # ---- running ----

    cdef int check_idle(self) except -1:
        """A run reads the buffers without the interpreter's lock: nobody else may touch them."""
        if self.running:
            raise RuntimeError(
                "This engine is running: another thread, or a layer, loss or metric written in "
                "Python, used it before it had finished; give each its own model"
            )
        return 0

    cdef int run(self, fnn_job *job) except -1:
        cdef size_t need, done
        cdef int result
        self.check_idle()
        job.threads = self.threads if self.threads else fnn_choose_threads(&self.c, job)
        job.look, self.looked = not self.looked, True
        job.fixed = self.threads != 0
        job.times = self.times_data
        need = job.threads * fnn_scratch(&self.c, job.batch)
        if need > self.scratch_bytes:
            free(self.scratch)
            self.scratch_bytes = 0
            self.scratch = aligned_alloc(64, need)
            if self.scratch == NULL:
                raise MemoryError(f"{need} bytes of scratch memory")
            self.scratch_bytes = need
        self.running = True
        with nogil:
            result = fnn_run(&self.c, job, self.scratch, &done)
        self.running = False
        if result:
            error, self.error = self.error, None
            raise error
        return 0

    def profile(self, bint on):
        """Start to sum up the time of every part of a step from zero, or stop."""
        self.check_idle()
        self.times = np.zeros(fnn_times(&self.c)) if on else None
        self.times_data = <double *>address(self.times) if on else NULL

    def profiled(self):
        """Return what was timed.

        Returns
        -------
        list of (part, number, seconds, density)
            `part` is "gather", "losses" or "sums" (number -1), or "forward", "backward" or
            "parameters" with the number of an operation of program.forward or program.backward
            (-1: an update of its own). `density`: the share of a product's left operand that is
            not zero, if the zeros were left out, else 1.
        """
        cdef size_t k, start = FNN_TIME_OPERATIONS + self.c.n_ops
        cdef const fnn_op *op
        parts = [
            (name, -1, self.times[index], 1.0)
            for name, index in (("gather", FNN_TIME_GATHER), ("losses", FNN_TIME_LOSSES),
                                ("sums", FNN_TIME_SUMS))
        ]
        for k in range(self.c.n_ops):
            op = &self.c.ops[k]
            seconds = self.times[FNN_TIME_OPERATIONS + k]
            parts.append(("forward", self.forward_numbers[k], seconds, self.density(op, False)))
        for k in range(self.c.n_backward):
            op = &self.c.backward[k]
            number = self.backward_numbers[k] if k < <size_t>len(self.backward_numbers) else -1
            parts.append(("backward", number, self.times[start + k], self.density(op, True)))
            seconds = self.times[start + self.c.n_backward + k]
            parts.append(("parameters", number, seconds, self.density(op, False)))
        return parts

    cdef float density(self, const fnn_op *op, bint gradient):
        cdef fnn_param *kernel
        cdef float density
        if op.code != FNN_DENSE:
            return 1.0
        kernel = &self.c.params[op.kernel]
        density = self.tensors[op.y].grad_density if gradient else self.tensors[op.x].density
        columns = kernel.rows if gradient else kernel.columns
        return density if fnn_is_sparse(self.c.type, density, columns) else 1.0

    cdef int check(self, const int64_t[::1] rows, size_t batch_size) except -1:
        cdef Py_ssize_t i
        if not 0 < batch_size <= self.capacity:
            raise ValueError(f"batch_size: expected 1 to {self.capacity}, got {batch_size}")
        if self.c.n_feeds < self.c.n_inputs + len(self.program.targets):
            raise ValueError("no data: call bind(inputs, targets, weights) first")
        for i in range(rows.shape[0]):
            if rows[i] < 0 or <size_t>rows[i] >= self.rows:
                raise IndexError(f"rows: expected 0 to {self.rows - 1}, got {rows[i]}")
        return 0

    def train(self, const int64_t[::1] rows, size_t batch_size, const double[:, ::1] coefficients,
              *, uint32_t step, uint64_t seed):
        """Train on rows of the bound data, batch after batch; adds to `sums`.

        Parameters
        ----------
        rows : ndarray of int64
            Row numbers in the order of use.
        batch_size : int
        coefficients : ndarray, shape (steps, 8)
            The optimizer's numbers for each step.
        step : int
            The number of the first step; with `seed` it fixes what dropout drops.
        seed : int
        """
        cdef fnn_job job
        if not self.learns:
            raise ValueError("this engine was made with training=False")
        self.check(rows, batch_size)
        steps = -(-rows.shape[0] // <Py_ssize_t>batch_size)
        if coefficients.shape[0] < steps or coefficients.shape[1] != FNN_COEFFICIENTS:
            raise ValueError(
                f"coefficients: expected shape ({steps}, {COEFFICIENTS}), got "
                f"({coefficients.shape[0]}, {coefficients.shape[1]})"
            )
        if rows.shape[0] == 0:
            return
        job.mode = FNN_TRAIN
        job.rows = &rows[0]
        job.first, job.n, job.batch = 0, rows.shape[0], batch_size
        job.coefficients = &coefficients[0, 0]
        job.seed, job.step = seed, step
        job.sums = self.sums_data
        job.outputs = NULL
        self.run(&job)

    def evaluate(self, const int64_t[::1] rows, size_t batch_size):
        """Compute losses and metrics on rows of the bound data; adds to `sums`."""
        cdef fnn_job job
        self.check(rows, batch_size)
        if rows.shape[0] == 0:
            return
        job.mode = FNN_EVALUATE
        job.rows = &rows[0]
        job.first, job.n, job.batch = 0, rows.shape[0], batch_size
        job.coefficients = NULL
        job.seed = job.step = 0
        job.sums = self.sums_data
        job.outputs = NULL
        self.run(&job)

    def predict(self, size_t start, size_t stop, list outputs):
        """Write the predictions of the bound rows start..stop to the same rows of `outputs`.

        Parameters
        ----------
        start, stop : int
        outputs : list of ndarray, shape (n, ...)
            One for each output, C-contiguous and of the program's dtype.
        """
        cdef fnn_job job
        cdef Block pointers, views
        cdef Py_buffer *view
        cdef size_t held = 0, k, size
        cdef fnn_tensor *t
        if <size_t>len(outputs) != self.c.n_outputs:
            raise ValueError(f"outputs: expected {self.c.n_outputs} arrays, got {len(outputs)}")
        if start > stop or stop > self.rows:
            raise ValueError(f"rows: expected 0 to {self.rows}, got {start} to {stop}")
        pointers = Block(self.c.n_outputs, sizeof(void *))
        views = Block(self.c.n_outputs, sizeof(Py_buffer))
        try:
            for k in range(self.c.n_outputs):
                view = <Py_buffer *>views.data + k
                PyObject_GetBuffer(
                    outputs[k], view, PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE | PyBUF_FORMAT
                )
                held += 1
                t = &self.tensors[self.c.outputs[k]]
                size = t.rows * t.features * view.itemsize
                if (
                    source_type(view.format) != (FNN_SRC_F64 if self.c.type == FNN_F64 else FNN_SRC_F32)
                    or view.len < <Py_ssize_t>(stop * size)
                ):
                    raise ValueError(
                        f"outputs[{k}]: expected a C-contiguous {self.program.dtype} array of "
                        f"{stop} rows of {t.rows * t.features} elements"
                    )
                (<void **>pointers.data)[k] = <char *>view.buf + start * size
            if stop > start:
                job.mode = FNN_PREDICT
                job.rows = NULL
                job.first, job.n, job.batch = start, stop - start, self.capacity
                job.coefficients = NULL
                job.seed = job.step = 0
                job.sums = NULL
                job.outputs = <void **>pointers.data
                self.run(&job)
        finally:
            for k in range(held):
                PyBuffer_Release(<Py_buffer *>views.data + k)

    def reset(self):
        """Set the running sums to zero, as at the start of an epoch or an evaluation."""
        self.sums[...] = 0.0
        self.looked = False

    def use_threads(self, int n):
        """Run on exactly n threads (tests); 0 returns to a number chosen from the work."""
        self.threads = n

    # ---- looking inside ----

    cdef view(self, array, tensor_index, n):
        tensor = self.program.tensors[tensor_index]
        return array[:n, : tensor.size].reshape(n, *tensor.shape)

    def value(self, tensor_index, n):
        """Return the first n samples of a tensor."""
        return self.view(self.values[self.tensor_storage[tensor_index]], tensor_index, n)

    def gradient(self, tensor_index, n):
        """Return the gradients of the loss with respect to the first n samples of a tensor."""
        return self.view(self.gradients[self.tensor_storage[tensor_index]], tensor_index, n)

    def parameter_gradient(self, variable):
        """Return the gradient of the last step, or None if it went straight into the update."""
        return self.parameter_gradients.get(id(variable))

    def call(self, phase, index, n, training):
        """Run an operation, loss or metric that is written in Python."""
        program = self.program
        if phase <= 1:
            op = (
                program.backward[self.backward_numbers[index]]
                if phase
                else program.forward[self.forward_numbers[index]]
            )
            inputs = [self.value(i, n) for i in op.inputs]
            y = self.value(op.output, n)
            if not phase:
                y[...] = op.attrs["layer"].forward(inputs, training=training)
                return
            gradients = op.attrs["layer"].backward(inputs, y, self.gradient(op.output, n))
            targets = [self.gradient(i, n) if mode else None
                       for i, mode in zip(op.inputs, op.input_modes)]
            targets += [self.parameter_gradient(v) if mode else None
                        for v, mode in zip(op.params, op.param_modes)]
            modes = (*op.input_modes, *op.param_modes)
            for target, value, mode in zip(targets, gradients, modes, strict=True):
                if mode == FNN_OVERWRITE:
                    target[...] = value
                elif mode == FNN_ACCUMULATE:
                    target += value
            return
        term = program.losses[index] if phase == 2 else program.metrics[index]
        target, weights = program.targets[term.target], self.weight_arrays[term.target]
        t = self.target_arrays[term.target]
        t = t[:n, : int(np.prod(target.shape, dtype=np.int64))].reshape(n, *target.shape)
        p = self.value(term.prediction, n).copy()
        if weights is not None:
            weights = weights[:n, : self.tensors[self.first_weight + term.target].features]
        if phase == 3:
            term.compute(t, p, weights)
            return
        learn = training and term.mode != FNN_SKIP
        loss, gradient = term.compute(t, p, weights, gradients=learn)
        self.sums[term.accumulator] += (loss * n, n)
        if learn:
            target = self.gradient(term.prediction, n)
            if term.mode == FNN_OVERWRITE:
                target[...] = gradient
            else:
                target += gradient


include "_core_arrays.pxi"
