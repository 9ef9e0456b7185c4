/* Whole trainings by fnn_run: the same bits whatever the number of threads, the division of the
 * batches and the changes of the team's size. Under ThreadSanitizer: every access is ordered by the
 * barriers, or belongs to a part of the work that one thread has taken. */
#include "programs.h"

enum { LAYERS = 3, STEPS = 4000, MOST_THREADS = 4 };
enum { TARGET = LAYERS + 1, VALUES, TENSORS }; /* behind the input and each layer's output */

/* Dense layers, relu but for the last, trained by Adam on binary crossentropy; every update is made
 * along with its gradient. `state`, of `count` elements: all parameters with their slots, and what
 * was predicted. */
typedef struct {
  fnn_program program;
  fnn_tensor tensors[TENSORS];
  fnn_param params[2 * LAYERS]; /* each layer's kernel and bias */
  fnn_op forward[LAYERS], backward[LAYERS], loss;
  fnn_sum sum;
  fnn_feed feeds[2];
  int32_t output;
  size_t batch, count, step;
  real *state, *predictions;
  double sums[2];
  void *scratch;
} network;

static double coefficients[STEPS][FNN_COEFFICIENTS];
static real targets[SAMPLES];

static void make_param(fnn_param *p, real **state, size_t rows, size_t columns) {
  *p = (fnn_param){.rows = rows, .columns = columns, .ld = padded(columns)};
  void **const parts[] = {&p->value, &p->slots[0], &p->slots[1]};
  for (size_t k = 0; k < COUNT(parts); k++, *state += rows * p->ld) *parts[k] = *state;
  if (rows == 1) p->grad = zeros(p->ld * sizeof(real));
}

/* The target of a sample is a function of four of its inputs. */
static const real *make_inputs(size_t features, double density) {
  const real *data = make_data(features, density);
  for (size_t i = 0; i < SAMPLES; i++) {
    const real *x = data + i * features;
    targets[i] = x[0] + x[1] > x[2] * x[3];
  }
  return data;
}

static void make(network *net, const size_t sizes[LAYERS + 1], size_t batch, double density) {
  *net = (network){.batch = batch, .count = SAMPLES, .output = LAYERS};
  for (size_t l = 0; l < LAYERS; l++) net->count += 3 * (sizes[l] + 1) * padded(sizes[l + 1]);
  net->state = zeros(net->count * sizeof(real));
  real *state = net->state;
  make_tensor(&net->tensors[0], batch, sizes[0]);
  for (int l = 0; l < LAYERS; l++) {
    make_tensor(&net->tensors[l + 1], batch, sizes[l + 1]);
    make_param(&net->params[2 * l], &state, sizes[l], sizes[l + 1]);
    make_param(&net->params[2 * l + 1], &state, 1, sizes[l + 1]);
    const int last = l + 1 == LAYERS;
    const fnn_op op = {.code = FNN_DENSE, .x = l, .y = l + 1, .z = -1, .kernel = 2 * l,
                       .bias = 2 * l + 1, .activation = last ? FNN_LINEAR : FNN_RELU};
    fnn_op *backward = &net->backward[LAYERS - 1 - l];
    net->forward[l] = *backward = op;
    backward->backward = 1;
    backward->kernel_mode = backward->bias_mode = FNN_FUSED;
    backward->x_mode = l ? FNN_OVERWRITE : FNN_SKIP;
    backward->derivative = l ? FNN_RELU : FNN_LINEAR; /* of the layer below */
    backward->derivative_done = !last;
  }
  net->predictions = state;
  make_tensor(&net->tensors[TARGET], batch, 1);
  make_strided(&net->tensors[VALUES], batch, 1, 1);
  net->loss = (fnn_op){
      .code = FNN_CROSSENTROPY, .kind = FNN_CROSSENTROPY_BINARY, .x = LAYERS, .z = TARGET,
      .y = VALUES, .probability = -1, .weights = -1, .x_mode = FNN_OVERWRITE, .by_samples = 1,
      .a = 1,
  };
  net->sum = (fnn_sum){.values = VALUES, .weights = -1, .reduction = FNN_MEAN, .to = 0};
  make_feed(&net->feeds[0], 0, make_inputs(sizes[0], density), sizes[0]);
  make_feed(&net->feeds[1], TARGET, targets, 1);
  net->program = (fnn_program){
      .type = type, .rule = FNN_ADAM, .n_ops = LAYERS, .n_scoring = 1, .n_backward = LAYERS,
      .n_sums = 1, .n_inputs = 1, .n_feeds = 2, .n_outputs = 1, .tensors = net->tensors,
      .params = net->params, .ops = net->forward, .scoring = &net->loss,
      .backward = net->backward, .sums = &net->sum, .feeds = net->feeds,
      .outputs = &net->output,
  };
  net->scratch = scratch_for(&net->program, batch, MOST_THREADS);
}

/* To the first weights, which are always the same. */
static void restart(network *net) {
  memset(net->state, 0, net->count * sizeof(real));
  random_state = 7;
  for (int l = 0; l < LAYERS; l++) {
    const fnn_param *p = &net->params[2 * l];
    const double most = 2 / sqrt((double)p->rows);
    for (size_t i = 0; i < p->rows; i++)
      for (size_t j = 0; j < p->columns; j++)
        ((real *)p->value)[i * p->ld + j] = (real)uniform(-most, most);
  }
  net->step = 0;
  net->program.pace = (fnn_pace){0};
}

static fnn_job job_of(network *net, fnn_mode mode, size_t n, int threads) {
  return (fnn_job){
      .mode = mode, .n = n, .batch = net->batch, .coefficients = coefficients[net->step],
      .step = (uint32_t)net->step, .sums = net->sums, .threads = threads,
  };
}

static void run_job(network *net, const fnn_job *job) {
  size_t done;
  const size_t steps = (job->n + job->batch - 1) / job->batch;
  check(fnn_run(&net->program, job, net->scratch, &done) == 0, "it did not run");
  check(done == steps, "%zu steps of %zu", done, steps);
  if (job->mode == FNN_TRAIN) net->step += steps;
}

/* --- divided work ---------------------------------------------------------------------------- */

/* An epoch in two jobs, of which only the first looks for zeros; evaluation; prediction. */
static void train(network *net, int threads) {
  static int64_t rows[SAMPLES];
  for (int64_t i = 0; i < SAMPLES; i++) rows[i] = 37 * i % SAMPLES;
  const size_t first = SAMPLES / 2 / net->batch * net->batch;
  restart(net);
  for (int part = 0; part < 2; part++) {
    fnn_job job = job_of(net, FNN_TRAIN, part ? SAMPLES - first : first, threads);
    job.rows = part ? rows + first : rows;
    job.look = !part;
    job.fixed = 1;
    net->sums[0] = net->sums[1] = 0;
    run_job(net, &job);
  }
  const double mean = net->sums[0] / net->sums[1];
  fnn_job job = job_of(net, FNN_EVALUATE, SAMPLES, threads);
  net->sums[0] = net->sums[1] = 0;
  run_job(net, &job);
  check(net->sums[0] / net->sums[1] < mean, "it has not learned");
  job = job_of(net, FNN_PREDICT, SAMPLES, threads);
  job.outputs = (void *const[]){net->predictions};
  run_job(net, &job);
}

/* Updates of whole vectors must leave zeros behind the columns of parameters and gradients. */
static void check_padding(const network *net) {
  size_t wrong = 0;
  for (int i = 0; i < 2 * LAYERS; i++) {
    const fnn_param *p = &net->params[i];
    const real *parts[] = {p->value, p->slots[0], p->slots[1]};
    for (size_t k = 0; k < COUNT(parts); k++)
      for (size_t r = 0; r < p->rows; r++)
        for (size_t j = p->columns; j < p->ld; j++) wrong += bits_of(parts[k][r * p->ld + j]) != 0;
  }
  for (int i = 0; i < TENSORS; i++) {
    const fnn_tensor *t = &net->tensors[i];
    for (size_t r = 0; r < net->batch; r++)
      for (size_t j = t->features; j < t->stride; j++)
        wrong += bits_of(((real *)t->grad)[r * t->stride + j]) != 0;
  }
  check(wrong == 0, "%zu elements of padding were written", wrong);
}

static void same_bits(const size_t sizes[LAYERS + 1], size_t batch, double density, int most) {
  network net;
  make(&net, sizes, batch, density);
  real *expected = zeros(net.count * sizeof(real));
  double sums[2] = {0};
  for (int threads = 1; threads <= most; threads++) {
    label("%zu units, batch %zu, density %g, %d threads", sizes[1], batch, density, threads);
    net.scratch = scratch_for(&net.program, batch, threads);
    train(&net, threads);
    check_padding(&net);
    if (threads == 1) {
      memcpy(expected, net.state, net.count * sizeof(real));
      memcpy(sums, net.sums, sizeof sums);
      rewind_expectations();
      agree(net.predictions, SAMPLES);
      continue;
    }
    check(memcmp(sums, net.sums, sizeof sums) == 0, "another loss");
    size_t different = 0;
    for (size_t i = 0; i < net.count; i++)
      different += bits_of(net.state[i]) != bits_of(expected[i]);
    check(different == 0, "%zu elements differ", different);
  }
  const int sparse = fnn_is_sparse(net.program.type, net.tensors[0].density, sizes[1]);
  check(sparse == (density < 1), "zeros were%s left out", sparse ? "" : " not");
  release();
}

/* --- teams that change their size ------------------------------------------------------------ */

/* A training of small steps: until a smaller team has run a few, a job for each, then the same
 * steps in one job and, to compare with, by one thread. */
static void changing_teams(void) {
  static const size_t sizes[] = {13, 64, 64, 1};
  enum { BATCH = 160, TRIED = 4 };
  static int64_t rows[STEPS * BATCH];
  for (int64_t i = 0; i < STEPS * BATCH; i++) rows[i] = 37 * i % SAMPLES;
  network net;
  make(&net, sizes, BATCH, 1);
  real *expected = zeros(net.count * sizeof(real));
  restart(&net);
  fnn_job job = job_of(&net, FNN_TRAIN, BATCH, MOST_THREADS);
  label("teams of changing size");
  check(fnn_choose_threads(&net.program, &job) == MOST_THREADS, "too little work for a team");
  int tried = 0;
  while (tried < TRIED && net.step < STEPS) {
    job = job_of(&net, FNN_TRAIN, BATCH, MOST_THREADS);
    job.rows = rows + net.step * BATCH;
    job.look = net.step == 0;
    tried += net.program.pace.halvings > 0;
    run_job(&net, &job);
  }
  check(tried == TRIED, "a smaller team was tried %d times in %zu steps", tried, net.step);
  memcpy(expected, net.state, net.count * sizeof(real));
  const size_t steps = net.step;
  for (int threads = MOST_THREADS; threads >= 1; threads -= MOST_THREADS - 1) {
    restart(&net);
    job = job_of(&net, FNN_TRAIN, steps * BATCH, threads);
    job.rows = rows;
    job.look = 1;
    run_job(&net, &job);
    check(memcmp(expected, net.state, net.count * sizeof(real)) == 0, "other weights: %d threads",
          threads);
  }
  release();
}

static void cases(void) {
  if (flushing) return; /* within a region there is one thread */
  for (size_t i = 0; i < STEPS; i++) {
    const double c[] = {1e-5, 0.002 / (1 + (double)i / 100), 0.9, 0.999, 1e-7};
    memcpy(coefficients[i], c, sizeof c);
  }
  table = 0;
  fnn_set_num_threads(MOST_THREADS);
  static const size_t sizes[] = {520, 129, 64, 1}, batches[] = {800, 400, 32};
  for (size_t b = 0; b < COUNT(batches); b++) {
    same_bits(sizes, batches[b], 1, MOST_THREADS);
    same_bits(sizes, batches[b], 0.1, MOST_THREADS);
  }
  static const size_t odd[][LAYERS + 1] = {{13, 129, 50, 1}, {40, 1030, 33, 1}, {60, 300, 23, 1}};
  for (size_t s = 0; s < COUNT(odd); s++) {
    same_bits(odd[s], s == 1 ? 400 : 33, 1, 2);
    if (s) same_bits(odd[s], 33, 0.1, 2);
  }
  /* Two threads share copies of W' and, since its rows are whole pages, of dy. */
  static const size_t sharing[] = {390, 4096 / sizeof(real), 280, 1};
  same_bits(sharing, 400, 1, 2);
  changing_teams();
}

int main(void) { return run(cases); }
