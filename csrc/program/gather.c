/* The rows of the data that make a batch, converted to the element type. */
#include <string.h>

#include "worker.h"

#ifdef FNN_DOUBLE
#define OWN_TYPE FNN_SRC_F64
#else
#define OWN_TYPE FNN_SRC_F32
#endif

/* Whether a sample lies in memory as in the tensor. */
static int is_plain(const fnn_feed *feed) {
  return feed->type == OWN_TYPE &&
         (feed->dimensions == 0 ||
          (feed->dimensions == 1 && feed->strides[0] == (ptrdiff_t)sizeof(real)));
}

static real *gather_sample(const worker *w, real *to, const char *from, const fnn_feed *feed,
                           size_t dimension) {
  if (feed->dimensions == 0) {
    w->kernels->convert(to, from, 0, feed->type, 1);
    return to + 1;
  }
  const size_t n = feed->shape[dimension];
  const ptrdiff_t stride = feed->strides[dimension];
  if (dimension + 1 == feed->dimensions) {
    w->kernels->convert(to, from, stride, feed->type, n);
    return to + n;
  }
  for (size_t i = 0; i < n; i++)
    to = gather_sample(w, to, from + (ptrdiff_t)i * stride, feed, dimension + 1);
  return to;
}

/* The rows of a shuffled epoch lie anywhere in memory, so they are fetched ahead of their use: some
 * samples, and more of small ones; up to FETCHED bytes of each. */
#define AHEAD 4
#define AHEAD_BYTES 1024
#define FETCHED 4096

static const char *sample(const worker *w, const fnn_feed *feed, size_t position) {
  const int64_t row = w->job->rows ? w->job->rows[position] : (int64_t)(w->job->first + position);
  return (const char *)feed->data + (ptrdiff_t)row * feed->row_stride;
}

/* The bytes from the beginning of a sample that can be fetched: 1 if its elements are far apart. */
static size_t fetched_bytes(const fnn_feed *feed) {
  const ptrdiff_t stride = feed->dimensions == 1 ? feed->strides[0] : 0;
  if (stride <= 0 || stride >= FNN_CACHE_LINE)
    return 1;
  return least(feed->shape[0] * (size_t)stride, FETCHED);
}

/* Asks for the cache lines of `bytes` bytes; a row need not begin with one. */
static void fetch(const char *row, size_t bytes) {
  const uintptr_t end = (uintptr_t)row + bytes;
  for (uintptr_t at = (uintptr_t)row / FNN_CACHE_LINE * FNN_CACHE_LINE; at < end;
       at += FNN_CACHE_LINE)
    __builtin_prefetch((const void *)at);
}

void FN(fnn_gather)(worker *w, size_t begin) {
  enter(w, ROWS);
  const size_t feeds = w->job->mode == FNN_PREDICT ? w->program->n_inputs : w->program->n_feeds;
  for (size_t f = 0; f < feeds; f++) {
    const fnn_feed *feed = &w->program->feeds[f];
    const fnn_tensor *tensor = &w->program->tensors[feed->tensor];
    const int plain = is_plain(feed);
    const size_t size = size_of(tensor);
    const size_t fetched = fetched_bytes(feed);
    const size_t ahead = greatest(AHEAD, AHEAD_BYTES / (size * sizeof(real) + 1));
    for (size_t i = w->first; i < least(w->first + ahead, w->last); i++)
      fetch(sample(w, feed, begin + i), fetched);
    for (size_t i = w->first; i < w->last; i++) {
      const char *from = sample(w, feed, begin + i);
      if (i + ahead < w->last)
        fetch(sample(w, feed, begin + i + ahead), fetched);
      if (!plain)
        gather_sample(w, at(tensor, i), from, feed, 0);
      else if (size == 1)
        memcpy(at(tensor, i), from, sizeof(real)); /* a move: the size is known */
      else
        memcpy(at(tensor, i), from, size * sizeof(real));
    }
  }
}
