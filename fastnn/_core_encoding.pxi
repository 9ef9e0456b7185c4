"""A program as csrc/ reads it. Part of _core.pyx."""

cdef class EncodedProgram:
    """The structs of fastnn.h for a program, and the buffers they point to.

    Parameters
    ----------
    program : fastnn.program.Program
    capacity : int
        The largest number of samples in a batch.
    training : bool
        Whether to make room for gradients.
    """
    cdef object program
    cdef size_t capacity
    cdef bint learns
    cdef fnn_program c
    cdef size_t first_target, first_weight  # in c.tensors, behind those of the program
    cdef fnn_feed *feeds  # one for each input, target and sample weight; Engine.bind fills them
    cdef fnn_term *losses
    cdef fnn_term *metrics
    cdef list values, gradients, tensor_storage  # arrays by storage; the storage of each tensor
    cdef list target_arrays
    cdef list variables
    cdef dict indices, parameter_gradients  # by id(variable)
    cdef list forward_numbers, backward_numbers  # of the program's operations, by those of c
    cdef list blocks, keep  # what the structs point to

    def __cinit__(self, program, size_t capacity, bint training):
        self.program = program
        self.capacity = capacity
        self.learns = training
        self.c.type = FNN_F64 if program.dtype == "float64" else FNN_F32
        self.blocks, self.keep, self.variables = [], [], []
        self.indices, self.parameter_gradients = {}, {}
        self.make_tensors()
        self.make_params()
        self.c.ops = self.operations(program.forward, False, &self.c.n_ops)
        if self.learns:
            self.make_backward()
        self.make_terms()
        self.make_feeds()

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
        self.c.tensors = <fnn_tensor *>self.block(n + 2 * len(program.targets), sizeof(fnn_tensor))
        cdef fnn_tensor *t
        for i, tensor in enumerate(program.tensors):
            t = &self.c.tensors[i]
            t.value = address(self.values[tensor.storage])
            gradient = self.gradients[tensor.storage]
            t.grad = NULL if gradient is None else address(gradient)
            t.stride = strides[tensor.storage]
            t.rows, t.features = tensor.rows, tensor.features
            if t.rows != 1 and t.stride != t.rows * t.features:
                raise ValueError(f"tensor {i} of rank > 1 lies on a padded storage")
        for k, target in enumerate(program.targets):
            size = int(np.prod(target.shape, dtype=np.int64))
            t = &self.c.tensors[self.first_target + k]
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
            c.values = self.memory((self.capacity * self.c.tensors[c.prediction].rows,))

    cdef make_feeds(self):
        cdef size_t n = len(self.program.inputs) + 2 * len(self.program.targets)
        cdef int32_t *outputs
        self.feeds = <fnn_feed *>self.block(n, sizeof(fnn_feed))
        self.c.feeds = self.feeds
        self.c.n_inputs = len(self.program.inputs)
        self.c.n_outputs = len(self.program.outputs)
        outputs = <int32_t *>self.block(self.c.n_outputs, sizeof(int32_t))
        for i, tensor in enumerate(self.program.outputs):
            outputs[i] = tensor
        self.c.outputs = outputs

    cdef samples(self, list arrays, tensor_index, n):
        """Return the first n samples of a tensor in `values` or `gradients`."""
        tensor = self.program.tensors[tensor_index]
        array = arrays[self.tensor_storage[tensor_index]]
        return array[:n, : tensor.size].reshape(n, *tensor.shape)
