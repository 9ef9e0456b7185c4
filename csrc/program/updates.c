/* The optimizer's step. */
#include "worker.h"

void FN(fnn_update_block)(const worker *w, const fnn_param *p, const real *g, size_t g_row,
                         size_t offset, size_t rows, size_t n) {
  real *slots[FNN_MAX_SLOTS];
  for (int s = 0; s < FNN_MAX_SLOTS; s++)
    slots[s] = p->slots[s] ? (real *)p->slots[s] + offset : NULL;
  if (g_row == p->ld)
    join(&rows, &n, p->ld);
  w->kernels->update(w->program->rule, (real *)p->value + offset, g, g_row, slots, w->c, rows, p->ld,
                     n);
}

void FN(fnn_update)(worker *w, const fnn_op *op) {
  const fnn_param *p = &w->program->params[op->kernel];
  enter(w, WHOLE);
  size_t from, to, rows = p->rows, n = p->columns;
  join(&rows, &n, p->ld);
  share(w, rows == 1 ? n : rows, rows == 1 ? FNN_LANES : 1, &from, &to);
  if (from >= to)
    return;
  if (rows == 1)
    FN(fnn_update_block)(w, p, (real *)p->grad + from, 0, from, 1, to - from);
  else
    FN(fnn_update_block)(w, p, (real *)p->grad + from * p->ld, p->ld, from * p->ld, to - from, n);
}
