/* Losses and metrics that are maps, with reductions along the batch, by fnn_run: the right values, the
 * same bits whatever the number of threads and the division of the batches. Under ThreadSanitizer:
 * every access is ordered by the barriers, or belongs to a part of the work that one thread has
 * taken. */
#include "programs.h"

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
  table = 0;
  fnn_set_num_threads(8);
  static const size_t batches[] = {1600, 400, 33}; /* in parts for all teams, the smallest, none */
  for (size_t b = 0; b < COUNT(batches); b++)
    for (size_t stages = 1; stages <= 4; stages += stages == 1 ? 2 : 1) scores(batches[b], stages);
}

int main(void) { return run(cases); }
