"""The C engine. Part of _core.pyx."""

cdef int call_python(void *context, int phase, size_t index, size_t n, int training) noexcept with gil:
    engine = <Engine>context
    try:
        engine.call(phase, index, n, bool(training))
        return 0
    except BaseException as error:  # carried over the C frames and raised by Engine.run
        engine.error = error
        return 1


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
    cdef readonly size_t done  # steps that the last call of train finished
    cdef double *sums_data
    cdef EncodedProgram encoded
    cdef fnn_program *c  # that of `encoded`
    cdef list sources  # of each feed
    cdef list weight_arrays  # of each target, for what is called in Python; None: no weights
    cdef size_t rows
    cdef void *scratch
    cdef size_t scratch_bytes
    cdef int threads  # 0: chosen from the work
    cdef bint running
    cdef bint looked  # for zeros, since `bind` or `reset`: not each call, they are cut by the clock
    cdef object times  # None, or an array of fnn_times sums
    cdef double *times_data
    cdef object error

    def __cinit__(self, program, capacity, *, bint training=True):
        self.program = program
        self.capacity = capacity
        self.sums = np.zeros((program.sums, 2))
        self.sums_data = <double *>address(self.sums)
        self.encoded = EncodedProgram(program, capacity, training)
        self.c = &self.encoded.c
        self.c.callback = call_python
        self.c.context = <void *>self
        self.sources = [Source() for _ in range(self.c.n_inputs + 2 * len(program.targets))]
        self.weight_arrays = self.encoded.weight_arrays

    def __dealloc__(self):
        free(self.scratch)

    # ---- data ----

    cdef int feed(self, size_t position, array, size_t tensor) except -1:
        cdef fnn_tensor *t = &self.c.tensors[tensor]
        cdef Source source = self.sources[position]
        source.hold(array, &self.encoded.feeds[position], t.rows * t.features)
        self.encoded.feeds[position].tensor = tensor
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
            self.feed(position, array, self.encoded.first_target + k)
            position += 1
        for k, target in enumerate(self.program.targets if targets else ()):
            array = weights[k] if k < len(weights) else None
            if target.weights is None:
                if array is not None:
                    raise ValueError("weights: the program was built without sample_weights")
                continue
            if array is None:
                array = np.broadcast_to(np.ones((), self.program.dtype), (self.rows, *target.weights))
            self.feed(position, array, self.encoded.first_weight + k)
            position += 1
        self.c.n_feeds = position
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
        cdef fnn_fault fault
        self.check_idle()
        job.threads = self.threads if self.threads else fnn_choose_threads(self.c, job)
        job.look, self.looked = not self.looked, True
        job.fixed = self.threads != 0
        job.times = self.times_data
        job.fault = &fault
        need = job.threads * fnn_scratch(self.c, job.batch)
        if need > self.scratch_bytes:
            free(self.scratch)
            self.scratch_bytes = 0
            self.scratch = aligned_alloc(64, need)
            if self.scratch == NULL:
                raise MemoryError(f"{need} bytes of scratch memory")
            self.scratch_bytes = need
        for copy, variable in self.encoded.converted:
            copy[...] = variable.buffer
        self.running = True
        with nogil:
            result = fnn_run(self.c, job, self.scratch, &done)
        self.running = False
        for copy, variable in self.encoded.converted:
            if any(variable is one for one in self.encoded.written):
                variable.buffer[...] = copy
        self.done = done
        if result == FNN_FAULT:
            number = self.encoded.forward_numbers[fault.op - self.c.ops]
            op = self.program.forward[number]
            raise IndexError(missing_row(op.name, fault.value, fault.row, op.params[0]))
        if result:
            error, self.error = self.error, None
            raise error
        return 0

    def profile(self, bint on):
        """Start to sum up the time of every part of a step from zero, or stop."""
        self.check_idle()
        self.times = np.zeros(fnn_times(self.c)) if on else None
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
        forward, backward = self.encoded.forward_numbers, self.encoded.backward_numbers
        parts = [
            (name, -1, self.times[index], 1.0)
            for name, index in (("gather", FNN_TIME_GATHER), ("losses", FNN_TIME_LOSSES),
                                ("sums", FNN_TIME_SUMS))
        ]
        found = {}  # a segment's maps are one part
        for k in range(self.c.n_ops):
            op = &self.c.ops[k]
            seconds = self.times[FNN_TIME_OPERATIONS + k]
            self.add_part(found, "forward", forward[k], seconds, self.density(op, False))
        for k in range(self.c.n_backward):
            op = &self.c.backward[k]
            number = backward[k] if k < <size_t>len(backward) else -1
            self.add_part(found, "backward", number, self.times[start + k], self.density(op, True))
            seconds = self.times[start + self.c.n_backward + k]
            self.add_part(found, "parameters", number, seconds, self.density(op, False))
        return parts + [(*key, *value) for key, value in found.items()]

    def add_part(self, found, name, number, seconds, density):
        operations = self.program.forward if name == "forward" else self.program.backward
        key = name, number if number < len(operations) else -1
        found[key] = found.get(key, (0.0, 1.0))[0] + seconds, density

    cdef float density(self, const fnn_op *op, bint gradient):
        cdef fnn_param *kernel
        cdef float density
        if op.code != FNN_DENSE:
            return 1.0
        kernel = &self.c.params[op.kernel]
        density = self.c.tensors[op.y].grad_density if gradient else self.c.tensors[op.x].density
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
        """Train on rows of the bound data, batch after batch; adds to `sums`; `done` counts steps.

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
        self.done = 0
        if not self.encoded.learns:
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
                t = &self.c.tensors[self.c.outputs[k]]
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

    def value(self, tensor_index, n):
        """Return the first n samples of a tensor."""
        return self.encoded.samples(self.encoded.values, tensor_index, n)

    def gradient(self, tensor_index, n):
        """Return the gradients of the loss with respect to the first n samples of a tensor."""
        return self.encoded.samples(self.encoded.gradients, tensor_index, n)

    def parameter_gradient(self, variable):
        """Return the gradient of the last step, or None if it went straight into the update."""
        return self.encoded.parameter_gradients.get(id(variable))

    def call(self, phase, index, n, training):
        """Run an operation, loss or metric that is written in Python."""
        program = self.program
        if phase <= 1:
            op = (
                program.backward[self.encoded.backward_numbers[index]]
                if phase
                else program.forward[self.encoded.forward_numbers[index]]
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
        t = self.encoded.target_arrays[term.target]
        t = t[:n, : int(np.prod(target.shape, dtype=np.int64))].reshape(n, *target.shape)
        p = self.value(term.prediction, n).copy()
        if weights is not None:
            weights = weights[:n, : int(np.prod(target.weights, dtype=np.int64))]
            weights = weights.reshape(n, *target.weights)
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
