/* Rows of a table by their numbers, random numbers between 0 and 1, and maps that write parameters:
 * the same bits on any number of threads, and nothing of a batch with a wrong number. */
#include "programs.h"

enum { IDS, TAKEN, NOISE, TENSORS };
enum { TABLE_ROWS = 37, COLUMNS = 5, LD = 16, NUMBERS = 3, WIDTH = 7 };

typedef struct {
  fnn_tensor tensors[TENSORS];
  fnn_param table;
  fnn_op forward[2], backward[2];
  fnn_register registers[4];
  fnn_step prologue[1];
  fnn_map counts;
  real count[1];
  fnn_feed feed;
  fnn_program program;
} taker;

/* One of the backward operations adds 2 to `count` at the end of each step. */
static void make_taker(taker *t, size_t batch, real *ids) {
  *t = (taker){0};
  make_strided(&t->tensors[IDS], batch, NUMBERS, NUMBERS);
  make_strided(&t->tensors[TAKEN], batch, NUMBERS * COLUMNS, COLUMNS);
  t->tensors[TAKEN].rows = NUMBERS;
  make_tensor(&t->tensors[NOISE], batch, WIDTH);
  t->table = (fnn_param){.rows = TABLE_ROWS, .columns = COLUMNS, .ld = LD};
  t->table.value = zeros(TABLE_ROWS * LD * sizeof(real));
  t->table.grad = zeros(TABLE_ROWS * LD * sizeof(real));
  for (size_t i = 0; i < TABLE_ROWS; i++)
    for (size_t j = 0; j < COLUMNS; j++)
      ((real *)t->table.value)[i * LD + j] = (real)uniform(-1, 1);
  for (size_t i = 0; i < batch * NUMBERS * COLUMNS; i++)
    ((real *)t->tensors[TAKEN].grad)[i] = (real)uniform(-1, 1);
  t->forward[0] = (fnn_op){.code = FNN_TAKE, .x = IDS, .y = TAKEN, .kernel = 0};
  t->forward[1] = (fnn_op){.code = FNN_RANDOM, .x = -1, .y = NOISE, .stream = 4};
  t->backward[0] = (fnn_op){.code = FNN_TAKE, .backward = 1, .x = IDS, .y = TAKEN, .kernel = 0,
                            .kernel_mode = FNN_OVERWRITE};
  const fnn_register registers[] = {
      {.size = 1, .tensor = -1, .source = FNN_MEMORY, .memory = t->count, .rows = 1, .row = 1},
      {.size = 1, .tensor = -1, .source = FNN_NUMBER, .number = 2, .slot = 1},
      {.size = 1, .tensor = -1, .sink = FNN_STATE, .mode = FNN_OVERWRITE, .memory = t->count,
       .rows = 1, .row = 1, .slot = 2},
  };
  memcpy(t->registers, registers, sizeof registers);
  t->prologue[0] = (fnn_step){.code = FNN_STEP_ADD, .to = 2, .a = 0, .b = 1, .c = -1, .uniform = 3,
                              .outer = FNN_LANES};
  t->counts = (fnn_map){.registers = t->registers, .n_registers = COUNT(registers),
                        .prologue = t->prologue, .n_prologue = 1, .slots = 3, .slot = FNN_LANES,
                        .tile = 1, .alone = 1};
  t->backward[1] = (fnn_op){.code = FNN_MAP, .x = -1, .y = -1, .map = &t->counts};
  make_feed(&t->feed, IDS, ids, NUMBERS);
  t->program = (fnn_program){
      .type = type, .n_ops = 2, .n_backward = 2, .n_inputs = 1, .n_feeds = 1,
      .tensors = t->tensors, .params = &t->table, .ops = t->forward, .backward = t->backward,
      .feeds = &t->feed,
  };
}

static void rows_and_gradients(size_t batch) {
  static const int teams[] = {1, 2, 3, 8};
  real *ids = zeros(SAMPLES * NUMBERS * sizeof(real));
  for (size_t i = 0; i < SAMPLES * NUMBERS; i++) ids[i] = (real)(size_t)uniform(0, TABLE_ROWS);
  taker t;
  make_taker(&t, batch, ids);
  const size_t whole = SAMPLES / batch, left = SAMPLES % batch, n = left ? left : batch;
  const real *last = ids + (SAMPLES - n) * NUMBERS, *slopes = t.tensors[TAKEN].grad;
  real *noise = zeros(batch * WIDTH * sizeof(real));
  for (size_t k = 0; k < COUNT(teams); k++) {
    label("take, batch %zu, %d threads", batch, teams[k]);
    real *grad = t.table.grad, *y = t.tensors[TAKEN].value, *random = t.tensors[NOISE].value;
    memset(grad, 0xff, TABLE_ROWS * LD * sizeof(real));
    t.count[0] = 1;
    fnn_job job = {.mode = FNN_TRAIN, .n = SAMPLES, .batch = batch, .threads = teams[k], .fixed = 1,
                   .seed = 9};
    size_t done;
    check(fnn_run(&t.program, &job, scratch_for(&t.program, batch, teams[k]), &done) == 0, "run");
    check(t.count[0] == (real)(1 + 2 * (whole + (left > 0))), "counted %g", (double)t.count[0]);
    real expected[TABLE_ROWS][COLUMNS] = {{0}};
    for (size_t i = 0; i < n * NUMBERS; i++)
      for (size_t j = 0; j < COLUMNS; j++) {
        const size_t row = (size_t)last[i];
        check(y[i * COLUMNS + j] == ((real *)t.table.value)[row * LD + j], "row %zu", i);
        expected[row][j] += slopes[i * COLUMNS + j];
      }
    for (size_t i = 0; i < TABLE_ROWS; i++)
      for (size_t j = 0; j < COLUMNS; j++)
        check(bits_of(grad[i * LD + j]) == bits_of(expected[i][j]), "gradient of %zu, %zu", i, j);
    for (size_t i = 0; i < n; i++)
      for (size_t j = 0; j < WIDTH; j++) {
        const real number = random[i * t.tensors[NOISE].stride + j];
        check(number > 0 && number < 1, "%g", (double)number);
        if (k == 0)
          noise[i * WIDTH + j] = number;
        check(bits_of(noise[i * WIDTH + j]) == bits_of(number), "another number");
      }
  }
  release();
}

static void wrong_numbers(size_t batch) {
  static const double wrong[] = {-1, TABLE_ROWS, 0.5, NAN, INFINITY, 1e30};
  real *ids = zeros(SAMPLES * NUMBERS * sizeof(real));
  taker t;
  make_taker(&t, batch, ids);
  const size_t row = SAMPLES / 2;
  for (size_t k = 0; k < COUNT(wrong); k++)
    for (int threads = 1; threads <= 8; threads *= 2) {
      label("wrong number %g, batch %zu, %d threads", wrong[k], batch, threads);
      ids[row * NUMBERS + 1] = (real)wrong[k];
      ids[(SAMPLES - 1) * NUMBERS] = -7;
      fnn_fault fault = {0};
      fnn_job job = {.mode = FNN_TRAIN, .n = SAMPLES, .batch = batch, .threads = threads,
                     .fixed = 1, .fault = &fault};
      size_t done;
      const int result =
          fnn_run(&t.program, &job, scratch_for(&t.program, batch, threads), &done);
      check(result == FNN_FAULT, "returned %d", result);
      check(fault.op == &t.forward[0] && fault.row == row, "row %zu", (size_t)fault.row);
      check(isnan(wrong[k]) ? isnan(fault.value) : fault.value == (double)(real)wrong[k], "%g",
            fault.value);
      check(done == row / batch, "%zu steps done", done);
    }
  release();
}

static void cases(void) {
  if (flushing) return; /* within a region there is one thread */
  table = 0;
  fnn_set_num_threads(8);
  static const size_t batches[] = {1600, 400, 33, 1};
  for (size_t b = 0; b < COUNT(batches); b++) rows_and_gradients(batches[b]);
  wrong_numbers(400);
  wrong_numbers(33);
}

int main(void) { return run(cases); }
