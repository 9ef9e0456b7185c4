/* Included before every kernel file by "make avx512": AVX-512 on a CPU that lacks it. */
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
#include <simde/x86/fma.h>
