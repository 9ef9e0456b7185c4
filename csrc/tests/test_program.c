/* Whole trainings, and losses that are maps, by fnn_run: the same bits whatever the number of
 * threads, the division of the batches and the changes of the team's size. Under ThreadSanitizer:
 * every access is ordered by the barriers, or belongs to a part of the work that one thread has
 * taken. */
#include "check.h"

enum { LAYERS = 3, SAMPLES = 1700, STEPS = 4000, MOST_THREADS = 4 };
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

static void make_param(fnn_param *p, real **state, size_t rows, size_t columns) {
  *p = (fnn_param){.rows = rows, .columns = columns, .ld = padded(columns)};
  void **const parts[] = {&p->value, &p->slots[0], &p->slots[1]};
  for (size_t k = 0; k < COUNT(parts); k++, *state += rows * p->ld) *parts[k] = *state;
  if (rows == 1) p->grad = zeros(p->ld * sizeof(real));
}

static void make_feed(fnn_feed *feed, int tensor, const real *data, size_t features) {
  *feed = (fnn_feed){
      .tensor = tensor, .type = type == FNN_F32 ? FNN_SRC_F32 : FNN_SRC_F64, .data = data,
      .row_stride = (ptrdiff_t)(features * sizeof(real)), .dimensions = 1, .shape = {features},
      .strides = {sizeof(real)},
  };
}

/* Inputs of which a share of `density` is not zero; the target is a function of four of them. */
static const real *make_data(size_t features, double density) {
  real *data = zeros(SAMPLES * features * sizeof(real));
  for (size_t i = 0; i < SAMPLES; i++) {
    real *x = data + i * features;
    for (size_t j = 0; j < features; j++)
      x[j] = uniform(0, 1) < density ? (real)uniform(-1, 1) : 0;
    targets[i] = x[0] + x[1] > x[2] * x[3];
  }
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
  make_feed(&net->feeds[0], 0, make_data(sizes[0], density), sizes[0]);
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

/* --- maps and reductions along the batch ------------------------------------------------------ */

enum { F = 20, TILE = 25, LD = 16 };
enum { X, T, SHARES, SQUARES, ERRORS, TOTAL, LARGEST_SQUARES, ROOT, LARGEST_ERRORS, SCORED };

/* A root mean squared error of the whole batch, in two maps with two reductions between them. What
 * each finds is in `tensors`, whose strides are those of samples or more. */
typedef struct {
  fnn_program program;
  fnn_tensor tensors[SCORED];
  fnn_register first[11], second[12];
  fnn_map maps[2];
  fnn_op ops[4];
  fnn_feed feeds[2];
  real *by_feature; /* a parameter of F rows, LD apart */
} scorer;

static void lay_out(fnn_map *map, fnn_register *registers, size_t n) {
  for (size_t k = 0; k < n; k++) {
    registers[k].slot = (int32_t)k;
    if (registers[k].source != FNN_TENSOR && !registers[k].sink) registers[k].tensor = -1;
  }
  *map = (fnn_map){.registers = registers, .n_registers = n, .slots = n, .slot = padded(TILE * F),
                   .tile = TILE};
}

#define TENSOR_OF(n, index) {.size = n, .batched = 1, .source = FNN_TENSOR, .tensor = index}
#define WHOLE_TENSOR(n, index) {.size = n, .source = FNN_TENSOR, .tensor = index}
#define BATCHED(n) {.size = n, .batched = 1}
#define TO_VALUE(n, index) {.size = n, .batched = 1, .sink = 1, .tensor = index}
#define TO_GRADIENT(index, how) {.size = F, .batched = 1, .sink = 2, .tensor = index, .mode = how}
#define EACH_SAMPLE .by_row = 1, .outer = F
#define ALONG_SAMPLES .by_row = 1, .outer = 1, .middle = F, .inner = 1
#define FOR_SAMPLES .by_row = 2, .outer = 1, .middle = 1, .inner = F

/* `stages` of the four operations: a map, which can pass in parts; reductions; a map that waits. */
static void make_scorer(scorer *s, size_t batch, size_t stages) {
  *s = (scorer){0};
  make_tensor(&s->tensors[X], batch, F);
  make_strided(&s->tensors[T], batch, F, F);
  make_tensor(&s->tensors[SQUARES], batch, F);
  make_strided(&s->tensors[ERRORS], batch, 1, 1);
  make_tensor(&s->tensors[LARGEST_ERRORS], batch, 1);
  const int32_t whole[] = {SHARES, TOTAL, LARGEST_SQUARES, ROOT};
  for (size_t i = 0; i < COUNT(whole); i++)
    make_strided(&s->tensors[whole[i]], 1, 0, whole[i] == TOTAL || whole[i] == ROOT ? 1 : F);
  s->by_feature = zeros(F * LD * sizeof(real));
  for (size_t j = 0; j < F; j++) s->by_feature[j * LD] = (real)(j + 1);

  static const fnn_step first_prologue[] = {
      {.code = FNN_STEP_MULTIPLY, .to = 5, .a = 2, .b = 4, .c = -1, .uniform = 2, .outer = F},
      {.code = FNN_STEP_DIVIDE, .to = 5, .a = 5, .b = 3, .c = -1, .uniform = 2, .outer = F},
  };
  static const fnn_step first_steps[] = {
      {.code = FNN_STEP_EXPAND, .to = 6, .a = 5, .b = -1, .c = -1, FOR_SAMPLES},
      {.code = FNN_STEP_SUBTRACT, .to = 7, .a = 0, .b = 1, .c = -1, EACH_SAMPLE},
      {.code = FNN_STEP_SQUARE, .to = 8, .a = 7, .b = -1, .c = -1, EACH_SAMPLE},
      {.code = FNN_STEP_SUM, .to = 9, .a = 8, .b = -1, .c = -1, ALONG_SAMPLES},
      {.code = FNN_STEP_MULTIPLY, .to = 10, .a = 7, .b = 6, .c = -1, EACH_SAMPLE},
  };
  const fnn_register first[] = {
      TENSOR_OF(F, X), TENSOR_OF(F, T),
      {.size = F, .source = FNN_MEMORY, .memory = s->by_feature, .rows = F, .row = LD},
      {.size = 1, .source = FNN_SAMPLES}, {.size = 1, .source = FNN_NUMBER, .number = 0.5},
      {.size = F, .sink = 1, .tensor = SHARES},
      BATCHED(F), BATCHED(F), TO_VALUE(F, SQUARES), TO_VALUE(1, ERRORS),
      TO_GRADIENT(X, FNN_OVERWRITE),
  };
  memcpy(s->first, first, sizeof first);
  lay_out(&s->maps[0], s->first, COUNT(first));
  s->maps[0].prologue = first_prologue;
  s->maps[0].n_prologue = COUNT(first_prologue);
  s->maps[0].steps = first_steps;
  s->maps[0].n_steps = COUNT(first_steps);

  static const fnn_step second_prologue[] = {
      {.code = FNN_STEP_DIVIDE, .to = 5, .a = 2, .b = 3, .c = -1, .uniform = 3, .outer = FNN_LANES},
      {.code = FNN_STEP_SQRT, .to = 6, .a = 5, .b = -1, .c = -1, .uniform = 1, .outer = FNN_LANES},
      {.code = FNN_STEP_MULTIPLY, .to = 7, .a = 4, .b = 6, .c = -1, .uniform = 2, .outer = F},
  };
  static const fnn_step second_steps[] = {
      {.code = FNN_STEP_EXPAND, .to = 8, .a = 7, .b = -1, .c = -1, FOR_SAMPLES},
      {.code = FNN_STEP_SUBTRACT, .to = 9, .a = 0, .b = 1, .c = -1, EACH_SAMPLE},
      {.code = FNN_STEP_MULTIPLY, .to = 10, .a = 9, .b = 8, .c = -1, EACH_SAMPLE},
      {.code = FNN_STEP_MAX, .to = 11, .a = 9, .b = -1, .c = -1, ALONG_SAMPLES},
  };
  const fnn_register second[] = {
      TENSOR_OF(F, X), TENSOR_OF(F, T), WHOLE_TENSOR(1, TOTAL), {.size = 1, .source = FNN_SAMPLES},
      WHOLE_TENSOR(F, LARGEST_SQUARES), {.size = 1}, {.size = 1, .sink = 1, .tensor = ROOT},
      {.size = F}, BATCHED(F), BATCHED(F), TO_GRADIENT(X, FNN_ACCUMULATE),
      TO_VALUE(1, LARGEST_ERRORS),
  };
  memcpy(s->second, second, sizeof second);
  lay_out(&s->maps[1], s->second, COUNT(second));
  s->maps[1].prologue = second_prologue;
  s->maps[1].n_prologue = COUNT(second_prologue);
  s->maps[1].steps = second_steps;
  s->maps[1].n_steps = COUNT(second_steps);
  s->maps[1].waits = 1;

  s->ops[0] = (fnn_op){.code = FNN_MAP, .map = &s->maps[0]};
  s->ops[1] = (fnn_op){.code = FNN_REDUCE, .kind = FNN_STEP_ADD, .x = ERRORS, .y = TOTAL};
  s->ops[2] = (fnn_op){.code = FNN_REDUCE, .kind = FNN_STEP_MAXIMUM, .x = SQUARES,
                       .y = LARGEST_SQUARES};
  s->ops[3] = (fnn_op){.code = FNN_MAP, .map = &s->maps[1]};
  static const fnn_sum sums[] = {
      {.values = ERRORS, .weights = -1, .reduction = FNN_MEAN, .to = 0},
      {.values = SHARES, .weights = -1, .reduction = FNN_TOTAL, .to = 1},
      {.values = LARGEST_SQUARES, .weights = -1, .reduction = FNN_TOTAL, .to = 2},
      {.values = ROOT, .weights = -1, .reduction = FNN_TOTAL, .to = 3},
      {.values = LARGEST_ERRORS, .weights = -1, .reduction = FNN_SUM, .to = 4},
  };
  s->program = (fnn_program){
      .type = type, .n_scoring = stages, .n_sums = stages == 1 ? 2 : stages == 3 ? 3 : 5,
      .n_inputs = 1, .n_feeds = 2, .tensors = s->tensors, .scoring = s->ops, .sums = sums,
      .feeds = s->feeds,
  };
}

/* What a batch's first samples x and t should have led to. */
static void check_scores(const scorer *s, const real *x, const real *t, size_t n, size_t stages) {
  const fnn_tensor *of = s->tensors;
  real largest[F] = {0};
  long double total = 0;
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < F; j++) {
      const real d = x[i * F + j] - t[i * F + j], square = d * d;
      check(((real *)of[SQUARES].value)[i * of[SQUARES].stride + j] == square, "square of %zu", i);
      largest[j] = square > largest[j] ? square : largest[j];
      total += square;
    }
  const long double root = sqrtl(total / (long double)n);
  for (size_t i = 0; i < n; i++) {
    long double sum = 0;
    real most = -1;
    for (size_t j = 0; j < F; j++) {
      const real d = x[i * F + j] - t[i * F + j];
      const long double share = (long double)(j + 1) / 2 / (long double)n;
      const long double slope = stages == 4 ? share + largest[j] * root : share;
      sum += (real)(d * d);
      most = d > most ? d : most;
      within("gradient", i, ((real *)of[X].grad)[i * of[X].stride + j], d * slope, 1000 * EPSILON);
    }
    within("error", i, ((real *)of[ERRORS].value)[i], sum, 100 * EPSILON);
    if (stages == 4)
      check(((real *)of[LARGEST_ERRORS].value)[i * of[LARGEST_ERRORS].stride] == most, "of %zu", i);
  }
  if (stages == 1) return;
  for (size_t j = 0; j < F; j++)
    check(((real *)of[LARGEST_SQUARES].value)[j] == largest[j], "largest square of feature %zu", j);
  within("total", 0, *(real *)of[TOTAL].value, total, 1000 * total * EPSILON);
  if (stages == 4) within("root", 0, *(real *)of[ROOT].value, root, 1000 * EPSILON);
}

/* Everything that was found, to be compared. */
static size_t results_of(const scorer *s, size_t batch, real *to) {
  size_t count = 0;
  for (int i = X; i < SCORED; i++) {
    const fnn_tensor *t = &s->tensors[i];
    const size_t n = t->stride ? batch * t->stride : t->features;
    if (to) {
      memcpy(to + count, t->value, n * sizeof(real));
      memcpy(to + count + n, t->grad, n * sizeof(real));
    }
    count += 2 * n;
  }
  return count;
}

/* A training epoch, then an evaluation, which must leave the gradients alone. */
static void scores(size_t batch, size_t stages) {
  static const int teams[] = {1, 2, 3, 8};
  scorer s;
  make_scorer(&s, batch, stages);
  const real *x = make_data(F, 1), *t = make_data(F, 1);
  make_feed(&s.feeds[0], X, x, F);
  make_feed(&s.feeds[1], T, t, F);
  const size_t count = results_of(&s, batch, NULL), gradient_count = batch * s.tensors[X].stride;
  real *gradient = s.tensors[X].grad;
  real *expected = zeros(count * sizeof(real)), *found = zeros(count * sizeof(real));
  double expected_sums[20] = {0};
  for (size_t k = 0; k < COUNT(teams); k++) {
    label("maps, %zu stages, batch %zu, %d threads", stages, batch, teams[k]);
    double sums[20] = {0};
    void *scratch = scratch_for(&s.program, batch, teams[k]);
    for (int evaluate = 0; evaluate < 2; evaluate++) {
      fnn_job job = {.mode = evaluate ? FNN_EVALUATE : FNN_TRAIN, .n = SAMPLES, .batch = batch,
                     .sums = sums + 10 * evaluate, .threads = teams[k], .fixed = 1};
      size_t done;
      check(fnn_run(&s.program, &job, scratch, &done) == 0, "it did not run");
      check(done == (SAMPLES + batch - 1) / batch, "%zu batches", done);
      if (!evaluate) {
        const size_t start = (done - 1) * batch;
        check_scores(&s, x + start * F, t + start * F, SAMPLES - start, stages);
        results_of(&s, batch, k ? found : expected);
        memset(gradient, 0xff, gradient_count * sizeof(real));
      }
    }
    size_t written = 0;
    for (size_t i = 0; i < gradient_count; i++) written += !isnan(gradient[i]);
    check(written == 0, "evaluating has written %zu elements of a gradient", written);
    check(!memcmp(sums, sums + 10, 10 * sizeof *sums), "another sum when evaluating");
    memset(gradient, 0, gradient_count * sizeof(real));
    if (k == 0) {
      memcpy(expected_sums, sums, sizeof sums);
      continue;
    }
    check(!memcmp(sums, expected_sums, sizeof sums), "other sums");
    size_t different = 0;
    for (size_t i = 0; i < count; i++) different += bits_of(found[i]) != bits_of(expected[i]);
    check(different == 0, "%zu elements differ", different);
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
  fnn_set_num_threads(8);
  static const size_t of_maps[] = {1600, 400, 33}; /* in parts for all teams, the smallest, none */
  for (size_t b = 0; b < COUNT(of_maps); b++)
    for (size_t stages = 1; stages <= 4; stages += stages == 1 ? 2 : 1) scores(of_maps[b], stages);
}

int main(void) { return run(cases); }
