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
    cdef list values, gradients, tensor_storage  # arrays by storage; the storage of each tensor
    cdef list target_arrays, weight_arrays
    cdef list variables
    cdef dict indices, parameter_gradients, gradient_buffers  # by id(variable)
    cdef list forward_numbers, backward_numbers  # of the program's operations, by those of c
    cdef list blocks, keep  # what the structs point to
    cdef list converted  # (copy, variable) of variables of another type, made anew before each run
    cdef list written  # variables that a run writes

    def __cinit__(self, program, size_t capacity, bint training):
        self.program = program
        self.capacity = capacity
        self.learns = training
        self.c.type = FNN_F64 if program.dtype == "float64" else FNN_F32
        self.blocks, self.keep, self.variables, self.converted = [], [], [], []
        self.written = []
        self.indices, self.parameter_gradients, self.gradient_buffers = {}, {}, {}
        self.make_tensors()
        self.make_params()
        self.c.ops = self.operations(program.forward, False, &self.c.n_ops)
        if self.learns:
            self.make_backward()
        else:
            self.make_closing()
        self.make_scoring()
        self.make_sums()
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
        self.values, self.gradients, self.target_arrays, self.weight_arrays = [], [], [], []
        for storage in program.storages:
            stride = row_stride(storage.size, dtype) if storage.padded else storage.size
            if not storage.batched:
                strides.append(0)
                self.values.append(aligned_zeros((1, stride), dtype))
                self.gradients.append(None)
                continue
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
            if target.weights is None:
                self.weight_arrays.append(None)
                continue
            size = int(np.prod(target.weights, dtype=np.int64))
            t = &self.c.tensors[self.first_weight + k]
            t.stride, t.rows, t.features = row_stride(size, dtype), 1, size
            values = aligned_zeros((self.capacity, t.stride), dtype)
            t.value = address(values)
            self.weight_arrays.append(values)

    cdef int param(self, variable) except -1:
        return self.indices[id(variable)]

    cdef make_params(self):
        """Parameters as they lie: shared with the layers, never copied."""
        program = self.program
        read = [variable for op in [*program.forward, *program.backward] for variable in op.params]
        for variable in [*read, *(slope.variable for slope in program.weight_gradients)]:
            if id(variable) not in self.indices and variable.dtype == program.dtype:
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
            self.c.rule = RULES[program.optimizer.rule]
            for variable in program.trainable:
                if id(variable) not in self.indices:
                    continue  # nothing reads it
                p = &self.c.params[self.param(variable)]
                for s, slot in enumerate(program.optimizer.slots(variable)):
                    p.slots[s] = address(slot)
                    self.keep.append(slot)

    cdef const fnn_op *operations(self, list operations, bint backward, size_t *n_ops) except NULL:
        """Encode operations; a segment becomes its maps and reductions."""
        parts = [
            (number, part)
            for number, op in enumerate(operations)
            for part in op.attrs.get("maps", (op,))
        ]
        cdef fnn_op *ops = <fnn_op *>self.block(
            len(parts) + len(self.program.updates), sizeof(fnn_op)
        )
        cdef size_t count = 0
        cdef fnn_op *c
        for _, op in parts:
            self.encode(&ops[count], op, backward)
            count += 1
        if backward:
            self.backward_numbers = [number for number, _ in parts]
            for update in self.program.updates:
                if not update.fused:
                    c = &ops[count]
                    count += 1
                    c.code, c.backward = FNN_UPDATE, 1
                    c.x = c.z = c.y = c.bias = -1
                    c.kernel = self.param(update.variable)
        else:
            self.forward_numbers = [number for number, _ in parts]
        n_ops[0] = count
        return ops

    cdef int encode(self, fnn_op *c, op, bint backward) except -1:
        attrs = op.attrs
        kind = op.kind.removesuffix("_backward")
        c.x = c.z = c.y = c.kernel = c.bias = c.probability = c.weights = -1
        if kind in ("map", "reduce"):
            self.encode_map(c, op)
            return 0
        c.backward = backward
        c.x, c.y = op.inputs[0] if op.inputs else -1, op.output
        if kind != "python":
            c.kernel = self.param(op.params[0]) if op.params else -1
            c.bias = self.param(op.params[1]) if len(op.params) > 1 else -1
        c.folded = bool(attrs.get("folded"))
        if backward:
            c.x_mode = op.input_modes[0] if op.inputs else FNN_SKIP
            fused = {id(u.variable) for u in self.program.updates if u.fused}
            modes = [
                FNN_FUSED if mode and id(v) in fused else mode
                for v, mode in zip(op.params, op.param_modes)
            ]
            c.kernel_mode = modes[0] if modes else FNN_SKIP
            c.bias_mode = modes[1] if len(modes) > 1 else FNN_SKIP
        if kind == "dense":
            c.code = FNN_DENSE
            c.activation = ACTIVATIONS[attrs["activation"]]
            c.a = attrs.get("slope", 0.0)
            if "derivative" in attrs:
                c.derivative = ACTIVATIONS[attrs["derivative"][0]]
                c.derivative_slope = attrs["derivative"][1]
            c.derivative_done = bool(attrs.get("derivative_done"))
        elif kind == "activation":
            c.code = FNN_ACTIVATE
            c.activation = ACTIVATIONS[attrs["activation"]]
            c.a = attrs.get("slope", 0.0)
        elif kind == "take":
            c.code = FNN_TAKE
        elif kind == "random":
            c.code, c.stream = FNN_RANDOM, attrs["stream"]
        elif kind == "dropout":
            c.code = FNN_DROPOUT
            c.a, c.stream = attrs["rate"], attrs["stream"]
        else:
            c.code = FNN_CALL
        return 0

    cdef make_backward(self):
        cdef fnn_param *p
        fused = {id(update.variable) for update in self.program.updates if update.fused}
        for variable in self.program.trainable:
            # A fused matrix never needs its whole gradient; vectors always sum theirs here.
            if id(variable) in self.indices and (id(variable) not in fused or variable.rows == 1):
                p = &self.c.params[self.param(variable)]
                p.grad = address(self.gradient_of(variable))
        operations = [*self.program.backward, *self.program.closing]
        self.c.backward = self.operations(operations, True, &self.c.n_backward)

    cdef make_closing(self):
        closing = self.program.closing
        cdef fnn_op *ops = <fnn_op *>self.block(len(closing), sizeof(fnn_op))
        for k, op in enumerate(closing):
            self.encode(&ops[k], op, True)
        self.c.closing, self.c.n_closing = ops, len(closing)

    cdef make_scoring(self):
        """Losses and metrics: superops, maps, reductions along the batch, calls of Python."""
        operations = self.program.scoring if self.learns else self.program.evaluation
        cdef fnn_op *ops = <fnn_op *>self.block(len(operations), sizeof(fnn_op))
        cdef fnn_op *c
        for k, op in enumerate(operations):
            c = &ops[k]
            c.x = c.z = c.y = c.kernel = c.bias = c.probability = c.weights = -1
            attrs = op.attrs
            if op.kind in ("map", "reduce"):
                self.encode_map(c, op)
            elif op.kind == "crossentropy":
                c.code, c.kind = FNN_CROSSENTROPY, CROSSENTROPIES[attrs["kind"]]
                c.x, c.y = op.inputs[0], op.output
                c.z = self.first_target + attrs["target"]
                c.probability = attrs["probability"]
                c.weights = self.first_weight + attrs["target"] if attrs["weighted"] else -1
                c.x_mode, c.a, c.by_samples = attrs["mode"], attrs["weight"], attrs["by_samples"]
            else:
                c.code, c.index = FNN_CALL, attrs["index"]
                c.phase = 2 if op.kind == "python_loss" else 3
        self.c.scoring, self.c.n_scoring = ops, len(operations)

    cdef int encode_map(self, fnn_op *c, op) except -1:
        if op.kind == "reduce":
            c.code, c.kind = FNN_REDUCE, STEPS[op.attrs["step"]]
            c.x, c.y = op.inputs[0], op.output
            return 0
        c.code, c.map = FNN_MAP, self.map(op.attrs["map"])
        for register in op.attrs["map"].registers:  # by its size the number of threads is chosen
            if register.batched and register.sink is not None and register.sink[0] != "parameter":
                c.y = register.sink[1]
        return 0

    cdef const fnn_map *map(self, source) except NULL:
        cdef fnn_map *map = <fnn_map *>self.block(1, sizeof(fnn_map))
        cdef fnn_register *registers
        cdef size_t lanes = 64 // np.dtype(self.program.dtype).itemsize
        registers = <fnn_register *>self.block(len(source.registers), sizeof(fnn_register))
        for k, register in enumerate(source.registers):
            self.register(&registers[k], register)
        map.registers, map.n_registers = registers, len(source.registers)
        map.prologue, map.n_prologue = self.steps(source, source.prologue, lanes), len(source.prologue)
        steps = [*source.once, *source.steps]
        map.steps, map.n_steps, map.n_once = self.steps(source, steps, lanes), len(steps), len(source.once)
        map.slots, map.slot, map.tile = source.slots, source.slot, source.tile
        map.waits, map.alone = source.waits, source.alone
        return map

    cdef int register(self, fnn_register *c, register) except -1:
        c.size, c.batched, c.slot = register.size, register.batched, register.slot
        c.tensor = -1
        if register.source is not None:
            kind, *what = register.source
            if kind == "number":
                c.source, c.number = FNN_NUMBER, what[0]
            elif kind == "rows":
                c.source = FNN_SAMPLES
            elif kind == "constant":
                array = aligned_zeros((register.size,), self.program.dtype)
                array[...] = what[0].reshape(-1)
                self.keep.append(array)
                c.source, c.memory, c.rows = FNN_MEMORY, address(array), 1
            elif kind == "variable":
                self.place(c, what[0], self.buffer_of(what[0]))
                c.source = FNN_MEMORY
            elif kind == "gradient":
                c.source, c.tensor = FNN_GRADIENT, what[0]
            else:
                first = {"target": self.first_target, "weights": self.first_weight}.get(kind, 0)
                c.source, c.tensor = FNN_TENSOR, first + what[0]
        if register.sink is not None:
            kind, where, *mode = register.sink
            c.mode = mode[0] if mode else FNN_OVERWRITE
            if kind == "state":
                c.sink = FNN_STATE
                self.place(c, where, self.buffer_of(where))
                self.written.append(where)
            elif kind == "parameter":
                c.sink = FNN_PARAMETER
                self.place(c, where, self.gradient_of(where))
            else:
                c.tensor, c.sink = where, FNN_SLOPE if kind == "gradient" else FNN_VALUE
        return 0

    cdef int place(self, fnn_register *c, variable, buffer) except -1:
        """Let a register lie in a buffer that is laid out like a variable's."""
        c.memory, c.rows, c.row = address(buffer), variable.rows, buffer.shape[1]
        return 0

    cdef object buffer_of(self, variable):
        """Return a variable's buffer; of one of another type a copy, made anew for each run."""
        buffer = variable.buffer
        if variable.dtype != self.program.dtype:
            known = [copy for copy, owner in self.converted if owner is variable]
            buffer = known[0] if known else aligned_zeros(buffer.shape, self.program.dtype)
            if not known:
                self.converted.append((buffer, variable))
        self.keep.append(buffer)
        return buffer

    cdef object gradient_of(self, variable):
        """Return the buffer of a variable's whole gradient."""
        if id(variable) not in self.gradient_buffers:
            buffer = variable.like()
            self.gradient_buffers[id(variable)] = buffer
            self.parameter_gradients[id(variable)] = variable.view(buffer)
        return self.gradient_buffers[id(variable)]

    cdef const fnn_step *steps(self, source, steps, size_t lanes) except NULL:
        cdef fnn_step *c = <fnn_step *>self.block(len(steps), sizeof(fnn_step))
        registers = source.registers
        for k, step in enumerate(steps):
            operands = list(step.operands) + [-1] * (3 - len(step.operands))
            fills = step.middle == -1  # of a step's result a vector is made
            c[k].code, c[k].to = STEPS[step.code], step.to
            c[k].a, c[k].b, c[k].c = operands
            c[k].uniform = 0 if fills else sum(
                1 << i for i, r in enumerate(operands) if r >= 0 and registers[r].uniform
            )
            c[k].by_row = step.by_row
            c[k].outer = lanes if step.outer == -1 else step.outer
            c[k].middle = lanes if fills else step.middle
            c[k].inner, c[k].start = step.inner, step.start
            c[k].length, c[k].stride = step.length, step.stride
        return c

    cdef make_sums(self):
        """Where the values of losses and of metrics' states are added."""
        program = self.program
        reductions = {"sum_over_batch_size": FNN_MEAN, "sum": FNN_SUM,
                      "mean_with_sample_weight": FNN_MEAN_WEIGHTED}
        states = [state for metric in program.metrics for state in metric.states or ()]
        cdef size_t most = len(program.losses) + len(program.penalties) + len(states)
        cdef fnn_sum *sums = <fnn_sum *>self.block(most, sizeof(fnn_sum))
        cdef size_t n = 0
        for term in program.losses:
            if term.value is not None:
                sums[n].values, sums[n].to = term.values, term.accumulator
                sums[n].reduction = reductions[term.reduction]
                weighted = term.weighted and program.targets[term.target].weights is not None
                sums[n].weights = self.first_weight + term.target if weighted else -1
                n += 1
        for penalty in program.penalties:
            sums[n].values, sums[n].to = penalty.values, penalty.accumulator
            sums[n].reduction, sums[n].weights = FNN_MEAN, -1
            n += 1
        for state in states:
            sums[n].values, sums[n].to = state.values, state.accumulator
            sums[n].reduction, sums[n].weights = FNN_TOTAL, -1
            n += 1
        self.c.sums, self.c.n_sums = sums, n

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
