/* Maps and reductions along the batch. */
#include <string.h>

#include "worker.h"

static real *slot_of(const worker *w, const fnn_map *map, const fnn_register *r) {
  return w->scratch + map->slot * (size_t)r->slot;
}

/* A number in each lane of one vector, as steps read it. */
static void fill(real *to, double number) {
  for (size_t i = 0; i < FNN_LANES; i++)
    to[i] = (real)number;
}

/* Where what is the same for all samples lies, or is put. */
static real *bind_whole(const worker *w, const fnn_map *map, const fnn_register *r) {
  real *slot = slot_of(w, map, r);
  const fnn_tensor *t = r->source == FNN_TENSOR ? &w->program->tensors[r->tensor] : NULL;
  real *memory = t ? t->value : (real *)r->memory;
  switch ((fnn_register_source)r->source) {
  case FNN_SCRATCH:
    return slot;
  case FNN_NUMBER:
    fill(slot, r->number);
    return slot;
  case FNN_SAMPLES:
    fill(slot, (double)w->n);
    return slot;
  case FNN_TENSOR:
  case FNN_GRADIENT: /* of samples alone */
  case FNN_MEMORY:
    if (r->size == 1) {
      fill(slot, (double)memory[0]);
      return slot;
    }
    if (t || r->rows == 1)
      return memory;
    for (size_t i = 0; i < r->rows; i++)
      memcpy(slot + i * (r->size / r->rows), memory + i * r->row,
             r->size / r->rows * sizeof(real));
    return slot;
  }
  return slot;
}

static int direct(const fnn_tensor *t, const fnn_register *r) { return t->stride == r->size; }

/* A tile's samples `first` to first + n: where they lie if they do without gaps, else a copy. */
static real *bind_samples(const worker *w, const fnn_map *map, const fnn_register *r, size_t first,
                          size_t n) {
  const fnn_tensor *t = &w->program->tensors[r->tensor];
  if (r->source == FNN_TENSOR || r->source == FNN_GRADIENT) {
    const real *from = r->source == FNN_TENSOR ? at(t, first) : grad_at(t, first);
    if (direct(t, r))
      return (real *)from;
    real *slot = slot_of(w, map, r);
    for (size_t i = 0; i < n; i++, from += t->stride)
      memcpy(slot + i * r->size, from, r->size * sizeof(real));
    return slot;
  }
  if (r->sink == FNN_VALUE && direct(t, r))
    return at(t, first);
  if (r->sink == FNN_SLOPE && direct(t, r) && r->mode == FNN_OVERWRITE)
    return grad_at(t, first);
  return slot_of(w, map, r);
}

/* Brings a tile's result to its place, if a step has not written it there. */
static void store(const worker *w, const fnn_register *r, const real *from, size_t first, size_t n) {
  const fnn_tensor *t = &w->program->tensors[r->tensor];
  for (size_t i = 0; i < n; i++, from += r->size) {
    real *to = r->sink == FNN_VALUE ? at(t, first + i) : grad_at(t, first + i);
    if (to == from)
      return;
    if (r->mode == FNN_ACCUMULATE)
      w->kernels->add(to, from, r->size);
    else
      memcpy(to, from, r->size * sizeof(real));
  }
}

/* Brings what is the same for all samples to its place. */
static void store_whole(const worker *w, const fnn_register *r, const real *from) {
  if (r->sink == FNN_VALUE) {
    memcpy(w->program->tensors[r->tensor].value, from, r->size * sizeof(real));
  } else if (r->sink == FNN_STATE || w->job->mode == FNN_TRAIN) {
    const size_t n = r->size / r->rows;
    for (size_t i = 0; i < r->rows; i++) {
      real *to = (real *)r->memory + i * r->row;
      if (r->mode == FNN_ACCUMULATE)
        w->kernels->add(to, from + i * n, n);
      else
        memcpy(to, from + i * n, n * sizeof(real));
    }
  }
}

void FN(fnn_map)(worker *w, const fnn_op *op) {
  const fnn_map *map = op->map;
  real **registers = (real **)(void *)(w->scratch + map->slots * map->slot);
  const int train = w->job->mode == FNN_TRAIN;
  enter(w, map->alone || (map->waits && !w->in_parts) ? WHOLE : ROWS);
  if (!map->alone) {
    w->since = ROWS;
    w->values_visible = 0;
  } else if (w->thread) {
    return;
  }
  for (size_t k = 0; k < map->n_registers; k++)
    if (!map->registers[k].batched)
      registers[k] = bind_whole(w, map, &map->registers[k]);
  w->kernels->map(map->prologue, map->n_prologue, registers, 1);
  for (size_t k = 0; k < map->n_registers && w->thread == 0 && !w->in_parts; k++) {
    const fnn_register *r = &map->registers[k];
    if (!r->batched && r->sink)
      store_whole(w, r, registers[k]);
  }
  for (size_t first = w->first; first < w->last; first += map->tile) {
    const size_t n = w->last - first < map->tile ? w->last - first : map->tile;
    for (size_t k = 0; k < map->n_registers; k++)
      if (map->registers[k].batched)
        registers[k] = bind_samples(w, map, &map->registers[k], first, n);
    const size_t done = first == w->first ? 0 : map->n_once;
    w->kernels->map(map->steps + done, map->n_steps - done, registers, n);
    for (size_t k = 0; k < map->n_registers; k++) {
      const fnn_register *r = &map->registers[k];
      if (r->batched && (r->sink == FNN_VALUE || (r->sink == FNN_SLOPE && train)))
        store(w, r, registers[k], first, n);
    }
  }
}

/* Columns are divided among the threads; each goes through the samples in their order. A single
 * column is one row of numbers, whose sum is that of a row. */
void FN(fnn_reduce)(worker *w, const fnn_op *op) {
  const fnn_tensor *x = &w->program->tensors[op->x], *y = &w->program->tensors[op->y];
  const size_t size = size_of(x);
  enter(w, WHOLE);
  w->values_visible = 0;
  if (size == 1 && x->stride == 1) {
    const fnn_step step = {.code = op->kind == FNN_STEP_ADD        ? FNN_STEP_SUM
                                   : op->kind == FNN_STEP_MULTIPLY ? FNN_STEP_PROD
                                   : op->kind == FNN_STEP_MAXIMUM  ? FNN_STEP_MAX
                                                                   : FNN_STEP_MIN,
                           .to = 0, .a = 1, .outer = 1, .middle = w->n, .inner = 1};
    real *registers[2] = {y->value, x->value};
    if (w->thread == 0)
      w->kernels->map(&step, 1, registers, 1);
    return;
  }
  size_t from, to;
  share(w, size, FNN_LANES, &from, &to);
  if (from >= to)
    return;
  real *sum = (real *)y->value + from;
  memcpy(sum, at(x, 0) + from, (to - from) * sizeof(real));
  const fnn_step step = {.code = op->kind, .to = 0, .a = 0, .b = 1, .outer = to - from,
                         .middle = 1, .inner = 1};
  for (size_t i = 1; i < w->n; i++) {
    real *registers[2] = {sum, at(x, i) + from};
    w->kernels->map(&step, 1, registers, 1);
  }
}

size_t FN(fnn_map_scratch)(const fnn_map *map) {
  return map->slots * map->slot + map->n_registers * sizeof(real *) / sizeof(real);
}
