/* The kernel table of one instruction set and element type. */
#include "internal.h"

#if defined(FNN_ISA_AVX512)
#define THIS_TABLE FN(fnn_kernels_avx512)
#elif defined(FNN_ISA_AVX2)
#define THIS_TABLE FN(fnn_kernels_avx2)
#elif defined(FNN_ISA_NEON)
#define THIS_TABLE FN(fnn_kernels_neon)
#else
#define THIS_TABLE FN(fnn_kernels_portable)
#endif

const FN(fnn_kernels) THIS_TABLE = {
    .isa = FNN_ISA_NAME,
    .tile_rows = TILE_ROWS,
    .panel_width = KERNEL(panel_width),
    .sparse_vectors = SPARSE_VECTORS,
    .gemm_panel = KERNEL(gemm_panel),
    .gemm_sparse = KERNEL(gemm_sparse),
    .nonzeros = KERNEL(nonzeros),
    .transpose = KERNEL(transpose),
    .activation_forward = KERNEL(activation_forward),
    .activation_backward = KERNEL(activation_backward),
    .scale = KERNEL(scale),
    .add = KERNEL(add),
    .add_rows = KERNEL(add_rows),
    .uniform = KERNEL(uniform),
    .dropout = KERNEL(dropout),
    .shuffle = KERNEL(shuffle),
    .convert = KERNEL(convert),
    .crossentropy = KERNEL(crossentropy),
    .update = KERNEL(update),
    .map = KERNEL(map),
    .multiply_adds = KERNEL(multiply_adds),
};
