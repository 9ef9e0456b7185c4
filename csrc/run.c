/* The entry points of program.c, which is compiled once per element type. */
#include "fastnn.h"

int fnn_run_f32(const fnn_program *, const fnn_job *, int, void *, size_t, size_t *);
int fnn_run_f64(const fnn_program *, const fnn_job *, int, void *, size_t, size_t *);
size_t fnn_scratch_f32(const fnn_program *, size_t);
size_t fnn_scratch_f64(const fnn_program *, size_t);

/* A step of W FLOPs takes about cW/t + st on t threads: the work is divided, and the waiting of the
 * threads for each other grows with their number. The best t is sqrt(W c/s); this is s/c, measured
 * in FLOPs (docs/performance.md). */
#define FLOPS_OF_WAITING 0.12e6

size_t fnn_scratch(const fnn_program *program, size_t batch) {
  return program->type == FNN_F64 ? fnn_scratch_f64(program, batch)
                                  : fnn_scratch_f32(program, batch);
}

/* FLOPs of n samples; a few for every element that is only passed through. */
static double flops(const fnn_program *p, const fnn_op *op, double n) {
  if (op->y < 0)
    return 0.0;
  const fnn_tensor *y = &p->tensors[op->y];
  double work = 8.0 * (double)(y->rows * y->features);
  if (op->code == FNN_DENSE)
    work += 2.0 * (double)y->rows * (double)(p->params[op->kernel].rows * y->features);
  return n * (op->backward ? 2.0 * work : work);
}

int fnn_choose_threads(const fnn_program *p, const fnn_job *job) {
  const int most = fnn_num_threads();
  const double n = (double)(job->n < job->batch ? job->n : job->batch);
  double work = 0.0;
  if (most == 1)
    return 1;
  for (size_t i = 0; i < p->n_ops; i++)
    work += flops(p, &p->ops[i], n);
  if (job->mode == FNN_TRAIN)
    for (size_t i = 0; i < p->n_backward; i++)
      work += flops(p, &p->backward[i], n);
  int threads = 1;
  while (threads < most && (threads + 1.0) * (threads + 1.0) * FLOPS_OF_WAITING <= work)
    threads++;
  return threads;
}

int fnn_run(const fnn_program *program, const fnn_job *job, void *scratch, size_t *done) {
  const size_t bytes = fnn_scratch(program, job->batch);
  const int threads = job->threads > 0 ? job->threads : fnn_choose_threads(program, job);
  return program->type == FNN_F64 ? fnn_run_f64(program, job, threads, scratch, bytes, done)
                                  : fnn_run_f32(program, job, threads, scratch, bytes, done);
}
