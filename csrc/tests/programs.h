/* What tests of whole programs are made of: memory, tensors, data, and scratch memory whose end is
 * guarded. */
#ifndef FNN_TEST_PROGRAMS_H
#define FNN_TEST_PROGRAMS_H

#include "check.h"

enum { SAMPLES = 1700 };

static void *kept[32];
static size_t kept_count;

static void *zeros(size_t bytes) {
  if (kept_count == COUNT(kept)) abort();
  bytes = (bytes + 63) / 64 * 64;
  void *memory = kept[kept_count++] = aligned_alloc(64, bytes);
  return memset(memory, 0, bytes);
}

static void release(void) {
  while (kept_count) free(kept[--kept_count]);
}

static const fnn_type type = sizeof(real) == 4 ? FNN_F32 : FNN_F64;

static size_t padded(size_t n) { return (n + FNN_LANES - 1) / FNN_LANES * FNN_LANES; }

/* stride 0: one sample for the whole batch */
static void make_strided(fnn_tensor *t, size_t capacity, size_t stride, size_t features) {
  *t = (fnn_tensor){.stride = stride, .rows = 1, .features = features};
  if (stride == 0) capacity = 1, stride = features;
  t->value = zeros(capacity * stride * sizeof(real));
  t->grad = zeros(capacity * stride * sizeof(real));
}

static void make_tensor(fnn_tensor *t, size_t capacity, size_t features) {
  make_strided(t, capacity, padded(features), features);
}

static void make_feed(fnn_feed *feed, int tensor, const real *data, size_t features) {
  *feed = (fnn_feed){
      .tensor = tensor, .type = type == FNN_F32 ? FNN_SRC_F32 : FNN_SRC_F64, .data = data,
      .row_stride = (ptrdiff_t)(features * sizeof(real)), .dimensions = 1, .shape = {features},
      .strides = {sizeof(real)},
  };
}

/* Rows of which a share of `density` is not zero. */
static const real *make_data(size_t features, double density) {
  real *data = zeros(SAMPLES * features * sizeof(real));
  for (size_t i = 0; i < SAMPLES * features; i++)
    data[i] = uniform(0, 1) < density ? (real)uniform(-1, 1) : 0;
  return data;
}

/* For so many threads and not a byte more, all NaN: behind it no memory is accessible. */
static void *scratch_for(const fnn_program *program, size_t batch, int threads) {
  enum { MOST_BYTES = 1 << 26 };
  static char *memory;
  if (!memory) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    memory = mmap(NULL, MOST_BYTES + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                  0);
    if (memory == MAP_FAILED || mprotect(memory + MOST_BYTES, page, PROT_NONE)) abort();
  }
  const size_t bytes = (size_t)threads * fnn_scratch(program, batch);
  if (bytes > MOST_BYTES) abort();
  return memset(memory + MOST_BYTES - bytes, 0xff, bytes);
}

#endif
