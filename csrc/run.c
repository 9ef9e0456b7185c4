/* The entry points of program/, which is compiled once per element type: FN(fnn_run) of program.c is
 * fnn_run_f32 and fnn_run_f64 here. */
#include "fastnn.h"
#include "threads.h"

int fnn_run_f32(const fnn_program *, const fnn_job *, int, void *, size_t, size_t *);
int fnn_run_f64(const fnn_program *, const fnn_job *, int, void *, size_t, size_t *);
size_t fnn_scratch_f32(const fnn_program *, size_t);
size_t fnn_scratch_f64(const fnn_program *, size_t);

double fnn_peak_f32(int, int);
double fnn_peak_f64(int, int);

/* A step of W FLOPs takes about cW/t + st on t threads: the work is divided, and the waiting of the
 * threads for each other grows with their number. The best t is sqrt(W c/s); this is s/c, measured
 * in FLOPs (docs/performance.md). */
#define FLOPS_OF_WAITING 0.12e6
/* And what must be done by a whole job to be worth waking the others: they may be asleep. */
#define FLOPS_OF_WAKING 4e6

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

static double samples_of_step(const fnn_job *job) {
  return (double)(job->n < job->batch ? job->n : job->batch);
}

static double flops_of_step(const fnn_program *p, const fnn_job *job) {
  const double n = samples_of_step(job);
  double work = 0.0;
  for (size_t i = 0; i < p->n_ops; i++)
    work += flops(p, &p->ops[i], n);
  if (job->mode == FNN_TRAIN)
    for (size_t i = 0; i < p->n_backward; i++)
      work += flops(p, &p->backward[i], n);
  return work;
}

int fnn_choose_threads(const fnn_program *p, const fnn_job *job) {
  const int most = fnn_num_threads();
  const double work = most > 1 ? flops_of_step(p, job) : 0.0;
  int threads = 1;
  if (work * (double)job->n < FLOPS_OF_WAKING * samples_of_step(job))
    return 1;
  while (threads < most && (threads + 1.0) * (threads + 1.0) * FLOPS_OF_WAITING <= work)
    threads++;
  return threads;
}

/* Short rows of the result repay the listing only if almost all is zero. */
int fnn_is_sparse(fnn_type type, float density, size_t columns) {
  const size_t bytes = columns * (type == FNN_F64 ? sizeof(double) : sizeof(float));
  return density >= 0 && density < (bytes >= 6 * 64 ? 0.45f : 1 / 16.0f);
}

double fnn_peak_flops(fnn_type type, int threads) {
  return type == FNN_F64 ? fnn_peak_f64(threads, 0) : fnn_peak_f32(threads, 0);
}

double fnn_peak_bytes(int threads) { return fnn_peak_f32(threads, 1); }

static int run(const fnn_program *program, const fnn_job *job, int threads, void *scratch,
               size_t *done) {
  const size_t bytes = fnn_scratch(program, job->batch);
  return program->type == FNN_F64 ? fnn_run_f64(program, job, threads, scratch, bytes, done)
                                  : fnn_run_f32(program, job, threads, scratch, bytes, done);
}

/* ---- the pace of a program ------------------------------------------------------------------ */

#define SMALL_STEP 8e6   /* FLOPs: of larger ones no team but the rule's was ever clearly faster */
#define SLICE 3e-3       /* seconds: about how long a team is timed, */
#define PROBE 0.5e-3     /* and one that is tried, */
#define WARMING 0.2e-3   /* after so long, if it is larger: threads wake, and fill their caches */
#define PROBE_FIRST 4    /* slices before the first try; twice as many after each that failed, */
#define PROBE_LAST 32    /* at most */
#define SLOWER 1.5       /* steps that have become slower by this ask for a try soon */
#define GAIN_SMALLER 0.8 /* of the time, for a smaller team to be worth it, */
#define GAIN_LARGER 0.97 /* and for a larger one: timings are noisy, the rule is right at heart */

/* Takes in how long a step of the last slice took, and chooses the next slice's team: the rule's
 * divided by 2^halvings. Where processors are busy with something else, or are two halves of one,
 * a smaller team can be faster; so now and then a slice is run by a neighbouring team. */
static void keep_pace(fnn_pace *pace, double step) {
  if (pace->probing) {
    if (step > (pace->probing > 0 ? GAIN_SMALLER : GAIN_LARGER) * pace->last) {
      pace->halvings -= pace->probing; /* back */
      pace->patience = pace->patience < PROBE_LAST ? 2 * pace->patience : PROBE_LAST;
    } else {
      pace->last = pace->usual = step;
      pace->patience = PROBE_FIRST;
    }
    pace->probing = 0;
    pace->slices = 0;
    return;
  }
  if (pace->usual > 0 && step > SLOWER * pace->usual && pace->patience > PROBE_FIRST)
    pace->patience = PROBE_FIRST;
  pace->last = step;
  pace->usual = pace->usual > 0 ? 0.9 * pace->usual + 0.1 * step : step;
  if (++pace->slices >= pace->patience) {
    const int fewest = pace->rule >> (pace->halvings + 1) == 0;
    pace->direction = pace->halvings == 0 ? 1 : fewest ? -1 : -pace->direction;
    pace->probing = pace->direction;
    pace->halvings += pace->probing;
    pace->cold = pace->probing < 0;
  }
}

/* A training of small steps is run slice by slice, each by the team that has shown to be fastest. A
 * slice may go on in the next job. The bits do not depend on it. */
static int run_paced(fnn_program *program, const fnn_job *job, void *scratch, size_t *done) {
  fnn_pace *pace = &program->pace;
  if (pace->rule != job->threads)
    *pace = (fnn_pace){.rule = job->threads, .cold = 1, .patience = PROBE_FIRST};
  for (size_t begin = 0, steps; begin < job->n; begin += steps * job->batch) {
    const double step = pace->timed ? pace->elapsed / (double)pace->timed : pace->last;
    const double length = pace->cold ? WARMING : pace->probing ? PROBE : SLICE;
    const double wanted = step > 0 ? (length - pace->elapsed) / step : 1;
    const size_t number = begin / job->batch, left = (job->n - begin + job->batch - 1) / job->batch;
    steps = wanted < 1 ? 1 : wanted < (double)left ? (size_t)wanted : left;
    fnn_job slice = *job;
    slice.first += begin;
    slice.n = steps == left ? job->n - begin : steps * job->batch;
    slice.rows = job->rows ? job->rows + begin : NULL;
    slice.step += (uint32_t)number;
    slice.coefficients = job->coefficients ? job->coefficients + number * FNN_COEFFICIENTS : NULL;
    const double start = fnn_seconds();
    size_t steps_done;
    const int result = run(program, &slice, pace->rule >> pace->halvings, scratch, &steps_done);
    *done += steps_done;
    if (result)
      return result;
    if (!pace->cold) {
      pace->elapsed += fnn_seconds() - start;
      pace->timed += steps;
    }
    pace->cold = 0;
    if (pace->elapsed >= length) {
      keep_pace(pace, pace->elapsed / (double)pace->timed);
      pace->elapsed = 0;
      pace->timed = 0;
    }
  }
  return 0;
}

size_t fnn_times(const fnn_program *program) {
  return FNN_TIME_OPERATIONS + program->n_ops + 2 * program->n_backward;
}

int fnn_run(fnn_program *program, const fnn_job *job, void *scratch, size_t *done) {
  const size_t forward = program->n_ops;
  for (size_t i = 0; job->look && i < forward + program->n_backward; i++) {
    const fnn_op *op = i < forward ? &program->ops[i] : &program->backward[i - forward];
    if (op->code == FNN_DENSE) {
      program->tensors[op->x].density = -1;
      program->tensors[op->y].grad_density = -1;
    }
  }
  *done = 0;
  if (job->n == 0 || job->batch == 0)
    return 0;
  if (job->fixed || job->threads == 1 || job->mode != FNN_TRAIN ||
      flops_of_step(program, job) > SMALL_STEP)
    return run(program, job, job->threads, scratch, done);
  return run_paced(program, job, scratch, done);
}
