"""Single operations on arrays (fastnn.kernels): programs of one operation. Part of _core.pyx."""

cdef void tensor_of(fnn_tensor *t, value, grad=None):
    """Describe a C-contiguous array of shape (n, features)."""
    t.value = NULL if value is None else address(value)
    t.grad = NULL if grad is None else address(grad)
    shape = (grad if value is None else value).shape
    t.stride, t.rows, t.features = shape[1], 1, shape[1]


cdef void param_of(fnn_param *p, value, grad=None):
    p.value = address(value)
    p.grad = NULL if grad is None else address(grad)
    p.rows = value.shape[0] if value.ndim == 2 else 1
    p.columns = p.ld = value.shape[value.ndim - 1]


# Scratch memory that no call is using, kept for the next: what the system hands out anew is zeroed
# page by page, which cost large products 10 % of their time.
cdef void *spare = NULL
cdef size_t spare_bytes = 0
cdef size_t MOST_SPARE = 64 << 20


cdef int run_once(fnn_program *program, fnn_mode mode, size_t n, double *sums=NULL) except -1:
    cdef fnn_job job
    cdef size_t done, bytes
    cdef void *scratch
    global spare, spare_bytes
    job.mode = mode
    job.rows = NULL
    job.first, job.n, job.batch = 0, n, n
    job.coefficients = NULL
    job.seed = job.step = 0
    job.sums = sums
    job.outputs = NULL
    if n == 0:
        return 0
    job.threads = fnn_choose_threads(program, &job)
    job.look = job.fixed = True
    job.times = NULL
    bytes = job.threads * fnn_scratch(program, n)
    if bytes <= spare_bytes:
        scratch, bytes = spare, spare_bytes
    else:
        free(spare)
        scratch = aligned_alloc(64, bytes)
    spare, spare_bytes = NULL, 0  # another thread's call needs its own
    if scratch == NULL:
        raise MemoryError(f"{bytes} bytes of scratch memory")
    with nogil:
        fnn_run(program, &job, scratch, &done)
    if bytes > MOST_SPARE:
        free(scratch)
        return 0
    free(spare)
    spare, spare_bytes = scratch, bytes
    return 0


cdef void clear(fnn_program *program, fnn_op *op, double_precision):
    cdef fnn_program empty
    cdef fnn_op no_op
    memset(&empty, 0, sizeof(fnn_program))
    memset(&no_op, 0, sizeof(fnn_op))
    program[0] = empty
    op[0] = no_op
    program.type = FNN_F64 if double_precision else FNN_F32
    op.x = 0
    op.y = 1
    op.z = op.kernel = op.bias = -1


def dense_forward(y, x, kernel, bias, str activation, double slope):
    """y = activation(x W + b) for C-contiguous arrays of one dtype; see fastnn.kernels.dense."""
    cdef fnn_program program
    cdef fnn_op op
    cdef fnn_tensor tensors[2]
    cdef fnn_param params[2]
    clear(&program, &op, x.dtype == np.float64)
    tensor_of(&tensors[0], x)
    tensor_of(&tensors[1], y)
    param_of(&params[0], kernel)
    op.code, op.kernel = FNN_DENSE, 0
    op.activation, op.a = ACTIVATIONS[activation], slope
    if bias is not None:
        param_of(&params[1], bias)
        op.bias = 1
    program.tensors, program.params = tensors, params
    program.ops, program.n_ops = &op, 1
    run_once(&program, FNN_PREDICT, x.shape[0])


def dense_backward(dx, dkernel, dbias, dz, x, kernel):
    """dx = dz W', dW = x' dz, db = sum dz; dx and dbias may be None."""
    cdef fnn_program program
    cdef fnn_op op
    cdef fnn_tensor tensors[2]
    cdef fnn_param params[2]
    clear(&program, &op, x.dtype == np.float64)
    tensor_of(&tensors[0], x, dx)
    tensor_of(&tensors[1], None, dz)
    param_of(&params[0], kernel, dkernel)
    op.code, op.backward, op.kernel = FNN_DENSE, 1, 0
    op.kernel_mode = FNN_OVERWRITE
    op.x_mode = FNN_SKIP if dx is None else FNN_OVERWRITE
    if dbias is not None:
        param_of(&params[1], dbias, dbias)
        op.bias, op.bias_mode = 1, FNN_OVERWRITE
    program.tensors, program.params = tensors, params
    program.backward, program.n_backward = &op, 1
    run_once(&program, FNN_TRAIN, x.shape[0])


def activation_forward(y, x, str activation, double slope):
    """y = f(x) for C-contiguous arrays of shape (n, features)."""
    cdef fnn_program program
    cdef fnn_op op
    cdef fnn_tensor tensors[2]
    clear(&program, &op, x.dtype == np.float64)
    tensor_of(&tensors[0], x)
    tensor_of(&tensors[1], y)
    op.code, op.activation, op.a = FNN_ACTIVATE, ACTIVATIONS[activation], slope
    program.tensors = tensors
    program.ops, program.n_ops = &op, 1
    run_once(&program, FNN_PREDICT, x.shape[0])


def activation_backward(dx, dy, x, y, str activation, double slope):
    """dx = dy f'(x), y being f(x)."""
    cdef fnn_program program
    cdef fnn_op op
    cdef fnn_tensor tensors[2]
    clear(&program, &op, x.dtype == np.float64)
    tensor_of(&tensors[0], x, dx)
    tensor_of(&tensors[1], y, dy)
    op.code, op.activation, op.a = FNN_ACTIVATE, ACTIVATIONS[activation], slope
    op.backward, op.x_mode = 1, FNN_OVERWRITE
    program.tensors = tensors
    program.backward, program.n_backward = &op, 1
    run_once(&program, FNN_TRAIN, x.shape[0])


def crossentropy(values, str kind, target, logits, gradient=None, double scale=1.0):
    """values[i] = crossentropy of row i; gradient[i] = scale dvalues[i]/dlogits[i]."""
    cdef fnn_program program
    cdef fnn_op op
    cdef fnn_tensor tensors[3]
    clear(&program, &op, logits.dtype == np.float64)
    tensor_of(&tensors[0], logits, gradient)
    tensor_of(&tensors[1], target)
    tensor_of(&tensors[2], values.reshape(-1, 1))
    op.code, op.kind = FNN_CROSSENTROPY, CROSSENTROPIES[kind]
    op.x, op.z, op.y = 0, 1, 2
    op.probability = op.weights = -1
    op.x_mode = FNN_SKIP if gradient is None else FNN_OVERWRITE
    op.a = scale
    program.tensors = tensors
    program.scoring, program.n_scoring = &op, 1
    run_once(&program, FNN_EVALUATE if gradient is None else FNN_TRAIN, logits.shape[0])
