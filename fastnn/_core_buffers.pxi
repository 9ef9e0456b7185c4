"""Memory for C, and arrays as C reads them. Part of _core.pyx."""

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
