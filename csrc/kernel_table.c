/* The kernel tables of the instruction sets this library was compiled for. */
#include "cpu.h"
#include "kernels/kernels.h"

const FN(fnn_kernels) *FN(fnn_kernel_table)(void) {
  switch (fnn_isa_number()) {
#ifdef __x86_64__
  case FNN_AVX512:
    return &FN(fnn_kernels_avx512);
  case FNN_AVX2:
    return &FN(fnn_kernels_avx2);
#endif
#ifdef __aarch64__
  case FNN_NEON:
    return &FN(fnn_kernels_neon);
#endif
  default:
    return &FN(fnn_kernels_portable);
  }
}
