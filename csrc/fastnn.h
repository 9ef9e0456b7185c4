/* fastnn: the public interface of the C library.
 *
 * Shapes: B batch rows, I input features, O output features; every matrix is row-major and
 * its row stride ("ld") counts elements. Outputs come first, sizes last. `type` chooses between
 * float and double for every `void *` operand of one call.
 *
 * Arithmetic contract: the order of every sum is a function of the shapes alone, never of the
 * number of threads nor of the instruction set, so all results are bit-identical everywhere.
 */
#ifndef FASTNN_H
#define FASTNN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { FNN_F32 = 0, FNN_F64 = 1 } fnn_type;

/* The numbers of what has a name: the lists of ops.def, in its order. */

/* What a step of a map does. */
typedef enum {
#define FNN_STEP(NAME, name) FNN_STEP_##NAME,
#include "ops.def"
  FNN_STEPS
} fnn_step_code;

/* Activations. `slope` is their one parameter: alpha of elu, negative slope of leaky_relu. */
typedef enum {
#define FNN_ACTIVATION(NAME, name) FNN_##NAME,
#include "ops.def"
  FNN_ACTIVATIONS
} fnn_activation;

/* Optimizer rules: ops.def has their formulas. */
typedef enum {
#define FNN_RULE(NAME, name) FNN_##NAME,
#include "ops.def"
  FNN_RULES
} fnn_rule;
#define FNN_MAX_SLOTS 3
#define FNN_COEFFICIENTS 8

/* Crossentropies of rows, from logits. */
typedef enum {
#define FNN_CROSSENTROPY_KIND(NAME, name) FNN_CROSSENTROPY_##NAME,
#include "ops.def"
  FNN_CROSSENTROPIES
} fnn_crossentropy;

/* The name of number i of a list; NULL if there is none. */
typedef enum {
  FNN_LIST_STEPS = 0, FNN_LIST_ACTIVATIONS, FNN_LIST_RULES, FNN_LIST_CROSSENTROPIES
} fnn_list;
const char *fnn_name(fnn_list list, int i);

/* One step of a map: straight-line code on registers, which hold the elements of a tile of samples
 * (or, of what is the same for all samples, the elements themselves) without gaps; kernels/map.c
 * says what each code does. A register of which `uniform` has the bit holds one number, in each lane
 * of one vector. */
typedef struct {
  int32_t code;    /* fnn_step_code */
  int32_t to, a, b, c; /* registers; -1: unused */
  int32_t uniform; /* bit 0: a, bit 1: b, bit 2: c */
  int32_t by_row;  /* what is of one sample, and multiplied by the samples of the tile: 1 outer, 2
                      middle; 0: neither */
  size_t outer, middle, inner; /* elementwise: outer elements */
  size_t start, length;        /* slice, place, swap, pick, matmul */
  ptrdiff_t stride;            /* slice, place */
} fnn_step;

/* Element types of the arrays that a program reads its rows from. */
typedef enum {
  FNN_SRC_F32 = 0, FNN_SRC_F64, FNN_SRC_U8, FNN_SRC_I8, FNN_SRC_U16, FNN_SRC_I16, FNN_SRC_U32,
  FNN_SRC_I32, FNN_SRC_U64, FNN_SRC_I64, FNN_SRC_BOOL
} fnn_source_type;

/* --- Threads (threads.c) --------------------------------------------------------------------- */
#define FNN_MAX_THREADS 256

/* What a fresh process uses: FASTNN_NUM_THREADS if it is a number from 1 to 256, else the CPUs
 * this process may use (affinity mask, cgroup quota rounded up). */
int fnn_default_threads(void);
/* NULL, or why FASTNN_NUM_THREADS cannot be obeyed (it is ignored then). */
const char *fnn_threads_error(void);
/* The largest team a region gets, counting its caller. */
int fnn_num_threads(void);
/* 1 to 256, more than there are CPUs is allowed; 0 returns to the default. Returns -1, and changes
 * nothing, for any other number. */
int fnn_set_num_threads(int threads);

/* --- Instruction sets (cpu.c) ---------------------------------------------------------------- */
/* The one in use: "avx512", "avx2", "neon" or "portable": the best that the CPU and the system
 * offer, unless the environment variable FASTNN_ISA names another. */
const char *fnn_isa(void);
/* NULL, or why FASTNN_ISA cannot be obeyed (the best one is in use then). */
const char *fnn_isa_error(void);
/* Number i of those that this machine can run, best first; NULL past the last. */
const char *fnn_isa_at(int i);
int fnn_isa_available(const char *name);
/* For tests: use another one from the next look at the kernel table on. Returns -1, and changes
 * nothing, if it is not available. */
int fnn_set_isa(const char *name);

/* --- Programs ------------------------------------------------------------------------------
 *
 * A program is a list of operations over buffers that the caller owns; running it allocates
 * nothing. Data rows are gathered from the feeds batch by batch.
 */

/* A buffer of capacity x stride elements. A sample is `rows` runs of `features` elements. If rows
 * is not 1, stride is rows*features: the runs of a whole batch follow one another. What a stride has
 * beyond its elements is zero in grad. */
typedef struct {
  void *value, *grad; /* grad: NULL where no gradient is needed */
  size_t stride, rows, features; /* stride 0: no batch axis */
  float density, grad_density; /* the share that is not 0, as a job has seen; -1: not yet */
} fnn_tensor;

/* A parameter: rows x columns, row stride ld. Rows are padded with zeros, which are updated
 * with the rest of a row and read by nobody. */
typedef struct {
  void *value, *grad, *slots[FNN_MAX_SLOTS];
  size_t rows, columns, ld;
} fnn_param;

typedef enum {
  FNN_DENSE = 0,       /* y = activation(x W + b); a: slope */
  FNN_ACTIVATE,        /* y = activation(x); a: slope */
  FNN_RANDOM,          /* y = random numbers of `stream` between 0 and 1 */
  FNN_DROPOUT,         /* a: rate, stream */
  FNN_TAKE,            /* y = rows of `kernel`, whose numbers x holds; else the run ends with FNN_FAULT */
  FNN_CALL,            /* the caller's own operation */
  FNN_UPDATE,          /* one optimizer step of `kernel`, from its gradient */
  FNN_MAP,             /* the steps of `map` on every sample */
  FNN_REDUCE,          /* y = the samples of x taken together, one after the other, by step `kind` */
  FNN_CROSSENTROPY,    /* y = crossentropy `kind` of logits x, targets z; also x's gradient */
  FNN_OPERATIONS
} fnn_code;

enum { FNN_SKIP = 0, FNN_OVERWRITE = 1, FNN_ACCUMULATE = 2, FNN_FUSED = 3 };

/* A register of a map: `size` elements of every sample (batched), or of all. */
typedef enum {
  FNN_SCRATCH = 0, /* made by a step */
  FNN_NUMBER,      /* `number` */
  FNN_SAMPLES,     /* the number of samples of the batch */
  FNN_TENSOR,      /* the value of `tensor`, of which each sample has `size` elements, */
  FNN_GRADIENT,    /* or the gradient */
  FNN_MEMORY       /* `rows` runs of size / rows elements at `memory`, `row` apart: a constant, or a
                      parameter as it is now */
} fnn_register_source;
typedef struct {
  size_t size;
  int32_t batched, source, tensor;
  int32_t sink, mode; /* an fnn_register_sink; what to do to a gradient */
  int32_t slot;       /* of scratch memory */
  double number;
  void *memory;
  size_t rows, row;
} fnn_register;

/* Where a register's value goes. */
typedef enum {
  FNN_NOWHERE = 0,
  FNN_VALUE,     /* the value of `tensor` */
  FNN_SLOPE,     /* its gradient */
  FNN_PARAMETER, /* `rows` runs at `memory`, `row` apart: the gradient of a parameter, in trainings, */
  FNN_STATE      /* or its value */
} fnn_register_sink;

/* A map: first the prologue, on what is the same for all samples, then the steps for one tile of
 * samples after the other. Scratch memory has `slots` slots of `slot` elements, whole vectors. */
typedef struct {
  const fnn_register *registers;
  const fnn_step *prologue, *steps;
  size_t n_registers, n_prologue, n_steps, slots, slot;
  size_t n_once; /* of the steps, the first: only the first tile, which is the longest, runs them */
  size_t tile; /* samples */
  int waits;   /* it reads what an FNN_REDUCE has made */
  int alone;   /* it writes parameters: one thread runs it, between two waits */
} fnn_map;

/* One operation, forward, of losses and metrics, or backward. Unused indices are -1. */
typedef struct {
  int32_t code, backward;
  int32_t x, z, y;              /* tensors: inputs and output */
  int32_t kernel, bias;         /* parameters */
  int32_t activation, stream;
  int32_t x_mode;               /* backward, crossentropy: what to do to the gradient of x */
  int32_t kernel_mode, bias_mode; /* and to those of the parameters; FNN_FUSED: update at once */
  int32_t derivative;           /* dense backward: multiply dx by this activation's derivative */
  int32_t derivative_done;      /* dense backward: dy has been multiplied already */
  int32_t folded;               /* forward: left out when losses run; a loss writes y instead */
  int32_t kind;                 /* reduce: fnn_step_code; crossentropy: fnn_crossentropy */
  int32_t probability, weights; /* crossentropy: tensors; the output of a folded operation */
  int32_t by_samples;           /* crossentropy: the gradient is divided by the number of rows */
  int32_t phase, index;         /* the caller's own: what callback is told */
  double a;                     /* crossentropy: the loss's weight */
  double derivative_slope;
  const fnn_map *map;
} fnn_op;

/* How the values of a batch are added to a pair of running sums. v: a value, w its weight; n: the
 * samples of the batch, r: the values of each sample. */
typedef enum {
  FNN_MEAN = 0,      /* sum(w v) / r,          n */
  FNN_SUM,           /* sum(w v) n,            n */
  FNN_MEAN_WEIGHTED, /* sum(w v) / sum(w) n,   n */
  FNN_TOTAL          /* sum(w v),              0; a value of the whole batch counts once */
} fnn_reduction;

/* A pair of running sums: of `values`, a tensor with or without a batch axis; weights: a tensor of
 * one weight for each sample or for each value, or -1. Values of weight 0 are left out. */
typedef struct {
  int32_t values, weights, reduction, to;
} fnn_sum;

/* Where the rows of one tensor come from. Strides in bytes. */
#define FNN_MAX_DIMENSIONS 8
typedef struct {
  int32_t tensor, type; /* fnn_source_type */
  const void *data;
  ptrdiff_t row_stride;
  size_t dimensions; /* of one sample */
  size_t shape[FNN_MAX_DIMENSIONS];
  ptrdiff_t strides[FNN_MAX_DIMENSIONS];
} fnn_feed;

/* The caller's own operation `index` of a phase: 0 forward, 1 backward, 2 loss, 3 metric; n
 * samples. Runs on the calling thread; not 0: the run ends and returns it. */
typedef int (*fnn_callback)(void *context, int phase, size_t index, size_t n, int training);

/* How fast trainings of this program have been: see run.c. To be zeroed before the first. */
typedef struct {
  int rule, halvings; /* the team is `rule` threads divided by 2^halvings */
  int cold, probing, direction, slices, patience;
  double elapsed; /* seconds, of this slice so far, */
  size_t timed;   /* and steps */
  double last, usual; /* seconds a step of the last slice, and of those before it */
} fnn_pace;

typedef struct {
  fnn_type type;
  int rule; /* fnn_rule of the optimizer */
  size_t n_ops, n_scoring, n_closing, n_backward, n_sums, n_inputs, n_feeds, n_outputs;
  fnn_tensor *tensors;
  fnn_param *params;
  const fnn_op *ops;      /* forward, in order */
  const fnn_op *scoring;  /* losses and metrics: between forward and backward */
  const fnn_op *closing;  /* what variables are assigned, outside of trainings: then in backward */
  const fnn_op *backward; /* backward and updates, in order */
  const fnn_sum *sums;
  const fnn_feed *feeds;  /* inputs first (n_inputs of them), then targets and weights */
  const int32_t *outputs; /* tensors that a prediction copies out */
  fnn_callback callback;
  void *context;
  fnn_pace pace;
} fnn_program;

enum { FNN_FAULT = -1 }; /* of fnn_run: data names a row of a table that is not there */
typedef struct {
  const fnn_op *op;
  uint64_t row; /* of the data, */
  double value; /* and what stands there */
} fnn_fault;

typedef enum { FNN_PREDICT = 0, FNN_EVALUATE, FNN_TRAIN } fnn_mode;

typedef struct {
  fnn_mode mode;
  const int64_t *rows; /* row numbers of the data in the order of use; NULL: first, first+1 ... */
  size_t first, n, batch;
  const double *coefficients; /* training: FNN_COEFFICIENTS for every step */
  uint64_t seed;
  uint32_t step; /* number of the first step, for random numbers */
  double *sums;  /* pairs, see fnn_sum */
  void *const *outputs; /* prediction: contiguous, of the program's type; row 0 is row `first` */
  double *times; /* NULL, or fnn_times(program) sums of the seconds that each part took */
  fnn_fault *fault; /* NULL, or where to say what ended a run */
  int threads;          /* the largest team; scratch memory is for so many */
  int look;             /* not 0: forget where zeros were found, and look again */
  int fixed;            /* not 0: no smaller team either, however fast it would be */
} fnn_job;

/* Whether a product whose left operand has this share of elements that are not 0, and whose result
 * has so many columns, leaves out the zeros. */
int fnn_is_sparse(fnn_type type, float density, size_t columns);

/* The parts of a step that are timed, waits included: these, each forward operation, each backward
 * operation, and again each backward operation for the gradients and updates of its parameters. */
enum { FNN_TIME_GATHER = 0, FNN_TIME_LOSSES, FNN_TIME_SUMS, FNN_TIME_OPERATIONS };
size_t fnn_times(const fnn_program *program);

/* Rates of this machine, measured now on `threads` threads. Multiply-adds in registers, as
 * operations per second: takes some ten milliseconds. */
double fnn_peak_flops(fnn_type type, int threads);
/* Memory copied, in bytes per second, reads and writes counted: takes about half a second and
 * empties the caches. 0: there are not 256 MiB to copy. */
double fnn_peak_bytes(int threads);

/* Puts rows[0..n), n < 2^32, into an order that is random, and a function of n, seed and step. */
void fnn_shuffle(int64_t *rows, size_t n, uint64_t seed, uint32_t step);

/* Bytes of scratch memory one thread needs for batches of this size. */
size_t fnn_scratch(const fnn_program *program, size_t batch);

/* Threads that pay for a batch of n samples: a function of the work. */
int fnn_choose_threads(const fnn_program *program, const fnn_job *job);

/* Runs the job; `scratch` holds threads x fnn_scratch(program, job->batch) bytes, 64-byte aligned.
 * Returns 0, FNN_FAULT, or what a callback returned. *done: the steps finished. */
int fnn_run(fnn_program *program, const fnn_job *job, void *scratch, size_t *done);

#ifdef __cplusplus
}
#endif

#endif
