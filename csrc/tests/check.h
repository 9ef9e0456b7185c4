/* What the tests of the kernel table share.
 *
 * Arrays end where an unmapped page begins, so that a kernel that reads or writes past n dies; what
 * lies before them is checked to be untouched. Every case runs on all tables this machine offers
 * (and on an emulated AVX-512 if compiled with FNN_SIMD_EMULATION): results must agree to the bit
 * with the first table's, and those with an oracle in long double. All cases run twice, the second
 * time with denormals flushed, as in a training step. The digest of all results is printed, to be
 * compared between machines.
 */
#ifndef FNN_TESTS_CHECK_H
#define FNN_TESTS_CHECK_H

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fastnn.h"
#include "kernels/kernels.h"
#include "threads.h"

#ifdef FNN_DOUBLE
#define EPSILON 0x1p-52L
#define SMALLEST 0x1p-1022L
#define LARGEST 1.7976931348623157e308L
#else
#define EPSILON 0x1p-23L
#define SMALLEST 0x1p-126L
#define LARGEST 3.4028234663852886e38L
#endif
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

typedef FN(fnn_kernels) kernels;

static long passed, failed;
static char doing[80];
static int flushing; /* whether denormals are flushed now: the oracle is only asked when not */

static void check(int ok, const char *format, ...) {
  if (ok) {
    passed++;
    return;
  }
  if (++failed > 20) return;
  va_list arguments;
  va_start(arguments, format);
  printf("FAILED %s: ", doing);
  vprintf(format, arguments);
  printf("\n");
  va_end(arguments);
}

/* Says what is being tested, for the messages of failures. */
static void label(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(doing, sizeof doing, format, arguments);
  va_end(arguments);
}

/* --- tables ---------------------------------------------------------------------------------- */

static const kernels *tables[4];
static int table_count, table; /* the one that is being tested */

static void find_tables(void) {
#if defined(__x86_64__)
#ifdef FNN_SIMD_EMULATION
  tables[table_count++] = &FN(fnn_kernels_avx512);
#else
  if (fnn_isa_available("avx512")) tables[table_count++] = &FN(fnn_kernels_avx512);
#endif
  if (fnn_isa_available("avx2")) tables[table_count++] = &FN(fnn_kernels_avx2);
#elif defined(__aarch64__)
  tables[table_count++] = &FN(fnn_kernels_neon);
#endif
  tables[table_count++] = &FN(fnn_kernels_portable);
}

/* In place of the library's, which gives the table of the instruction set in use: that can be no
 * emulated one. */
const kernels *FN(fnn_kernel_table)(void) { return tables[table]; }

/* Runs the statement that follows once for each table, as `k`. */
#define FOR_TABLES                                                                                \
  rewind_expectations();                                                                          \
  for (table = 0; table < table_count; table++, next_expectation = 0)                             \
    for (const kernels *k = tables[table]; k; k = NULL)

/* --- arrays before a guard page --------------------------------------------------------------- */

enum { SLOTS = 12, SLOT_BYTES = 1 << 15 };
static char *slots[SLOTS];
static size_t slot_used[SLOTS];
#define BEFORE 0x5a

/* An array of n elements of `size` bytes that ends at an unmapped page. */
static void *bytes_slot(int slot, size_t n, size_t size) {
  if (!slots[slot]) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *memory = mmap(NULL, SLOT_BYTES + page, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || mprotect(memory + SLOT_BYTES, page, PROT_NONE)) abort();
    slots[slot] = memory;
    memset(memory, BEFORE, SLOT_BYTES);
  }
  slot_used[slot] = n * size;
  if (n * size + 64 > SLOT_BYTES) abort();
  char *start = slots[slot] + SLOT_BYTES - n * size;
  memset(start - 64, BEFORE, 64);
  return start;
}

/* An output: filled with NaN. */
static inline real *output(int slot, size_t n) {
  real *array = bytes_slot(slot, n, sizeof(real));
  for (size_t i = 0; i < n; i++) array[i] = (real)NAN;
  return array;
}

static inline real *copy_of(int slot, const real *from, size_t n) {
  real *array = bytes_slot(slot, n, sizeof(real));
  for (size_t i = 0; i < n; i++) array[i] = from[i];
  return array;
}

static void check_before(void) {
  for (int slot = 0; slot < SLOTS; slot++)
    for (int i = 1; slots[slot] && i <= 64; i++)
      if (slots[slot][SLOT_BYTES - (ptrdiff_t)slot_used[slot] - i] != BEFORE) {
        check(0, "wrote %d bytes before an array", i);
        return;
      }
}

/* --- numbers ---------------------------------------------------------------------------------- */

static uint64_t random_state = 1;

static double uniform(double low, double high) {
  random_state = random_state * 6364136223846793005u + 1442695040888963407u;
  return low + (high - low) * (double)(random_state >> 11) * 0x1p-53;
}

static const real special_values[] = {
    0, (real)-0.0, 1, -1, (real)INFINITY, (real)-INFINITY, (real)NAN, (real)1e-30, (real)-1e-30,
    100, -100, 1000, -1000, (real)(SMALLEST / 8), (real)(-SMALLEST / 8), (real)SMALLEST,
    (real)LARGEST, (real)-LARGEST, 88, -88, (real)88.7, (real)-87.4, 709, -709, 6, 3, -3};

/* n numbers; if `wild`, every third is special. */
static inline real *numbers(int slot, size_t n, double low, double high, int wild) {
  real *array = bytes_slot(slot, n, sizeof(real));
  for (size_t i = 0; i < n; i++) {
    array[i] = (real)uniform(low, high);
    if (wild && i % 3 == 2)
      array[i] = special_values[(size_t)uniform(0, COUNT(special_values) - 0.5)];
  }
  return array;
}

/* The error of a result in units of the last place of what was expected; 0 for equal infinities
 * and NaN for NaN, and for a denormal that became 0. */
static double ulps(real actual, long double expected) {
  if (isnan(expected)) return isnan(actual) ? 0 : 1e30;
  if (fabsl(expected) > LARGEST * (1 + EPSILON / 4))
    return isinf(actual) && (actual > 0) == (expected > 0) ? 0 : 1e30;
  if (!isfinite(actual)) return 1e30;
  const long double size = fabsl(expected);
  if (size < SMALLEST && actual == 0) return 0;
  int exponent;
  frexpl(size < SMALLEST ? SMALLEST : size, &exponent);
  return (double)(fabsl((long double)actual - expected) / (ldexpl(EPSILON, exponent - 1)));
}

static inline void near(const char *what, size_t i, real actual, long double expected, double limit) {
  const double error = ulps(actual, expected);
  check(error <= limit, "%s[%zu] = %.17g, expected %.17Lg: %.3g ulp", what, i, (double)actual,
        expected, error);
}

/* |actual - expected| <= tolerance, for results of sums and differences. */
static inline void within(const char *what, size_t i, real actual, long double expected,
                   long double tolerance) {
  const int same = isnan(expected) ? isnan(actual)
                   : isinf(expected) ? (long double)actual == expected
                                     : fabsl((long double)actual - expected) <= tolerance;
  check(same, "%s[%zu] = %.17g, expected %.17Lg +- %.3Lg", what, i, (double)actual, expected,
        tolerance);
}

/* --- agreement of the tables ------------------------------------------------------------------ */

static real expectations[1 << 17];
static size_t expectation_count, next_expectation;
static uint64_t digest = 14695981039346656037u;

static inline void rewind_expectations(void) { expectation_count = next_expectation = 0; }

static uint64_t bits_of(real x) {
  uint64_t bits = 0;
  if (x != x) return 1; /* all NaNs are one */
  memcpy(&bits, &x, sizeof x);
  return bits;
}

/* These results of the current table must have the bits of the first table's. */
static inline void agree(const real *values, size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (table == 0) {
      if (expectation_count == COUNT(expectations)) abort();
      expectations[expectation_count++] = values[i];
      digest = (digest ^ bits_of(values[i])) * 1099511628211u;
    } else {
      const real expected = expectations[next_expectation++];
      check(bits_of(values[i]) == bits_of(expected), "%s[%zu] = %.17g (%a), but %s has %.17g (%a)",
            tables[table]->isa, i, (double)values[i], (double)values[i], tables[0]->isa,
            (double)expected, (double)expected);
    }
  }
  check_before();
}

/* --- running ---------------------------------------------------------------------------------- */

static void (*all_cases)(void);

static void flushed(void *context, fnn_team *team, int thread, int threads) {
  (void)context, (void)team, (void)thread, (void)threads;
  flushing = 1;
  all_cases();
}

static int run(void (*cases)(void)) {
  find_tables();
  all_cases = cases;
  cases();
  fnn_parallel(1, flushed, NULL);
  printf("%ld passed, %ld failed, digest %016llx,", passed, failed, (unsigned long long)digest);
  for (int i = 0; i < table_count; i++) printf(" %s", tables[i]->isa);
  printf("\n");
  return failed > 0;
}

static const size_t SIZES[] = {0, 1, 15, 16, 17, 33, 100};

#endif
