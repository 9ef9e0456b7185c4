/* Times of the kernels that touch each element once, and of copying as many bytes, printed for
 * elementwise.py: one line "group name nanoseconds_in_cache nanoseconds_in_memory copied_in_cache
 * copied_in_memory" for each, per element. Arguments: repetitions.
 *
 * One thread, rows of ROW elements. The best of the repetitions counts, and a kernel and its copy
 * take turns, so that both meet the same moments of the machine.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../csrc/kernels/activations.c"
#include "../csrc/kernels/crossentropy.c"
#include "../csrc/kernels/elementwise.c"
#include "../csrc/kernels/updates.c"

#define ROW 512
#define CACHED (8 * ROW)             /* elements of an operand: all of them stay in L2 */
#define IN_MEMORY (16 * 1024 * ROW)
#define ARRAYS 5

static real *arrays[ARRAYS]; /* x, y, and what else a kernel reads and writes */

typedef struct {
  const char *group, *name;
  void (*run)(int which, size_t n);
  int which, reads, writes; /* operands of n elements */
} kernel;

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void forward(int activation, size_t n) {
  KERNEL(activation_forward)(arrays[1], arrays[0], NULL, activation, (real)0.2, n / ROW, ROW, ROW);
}
static void backward(int activation, size_t n) {
  KERNEL(activation_backward)
  (arrays[1], arrays[2], activation >= FNN_SILU && activation < FNN_SOFTMAX ? arrays[0] : NULL,
   arrays[0], activation, (real)0.2, n / ROW, ROW, ROW, ROW, 0);
}
static void crossentropy(int kind, size_t n) {
  KERNEL(crossentropy)(kind, arrays[3], arrays[2], NULL, arrays[0], ROW, arrays[1], ROW, (real)0.01,
                       n / ROW, ROW, 0);
}
static void update(int rule, size_t n) {
  static const double c[FNN_COEFFICIENTS] = {0, 1e-9, 0.9, 0.999, 1e-7};
  static const double of_rmsprop[FNN_COEFFICIENTS] = {0, 1e-9, 0.9, 1e-7, 0.9};
  const int rmsprop = rule >= FNN_RMSPROP && rule <= FNN_RMSPROP_CENTERED_MOMENTUM;
  KERNEL(update)(rule, arrays[0], arrays[1], 0, arrays + 2, rmsprop ? of_rmsprop : c, 1, n, n);
}
static void dropout(int which, size_t n) {
  (void)which;
  KERNEL(dropout)(arrays[1], arrays[0], 0.5, (fnn_random){.seed = 1}, 0, n, 0);
}

/* As many bytes as the kernel reads and writes. */
static void copy(const kernel *k, size_t n) {
  size_t bytes = (size_t)(k->reads + k->writes) * n * sizeof(real) / 2;
  for (int a = 0; bytes; a = (a + 2) % (ARRAYS - 1)) {
    const size_t part = bytes < n * sizeof(real) ? bytes : n * sizeof(real);
    memcpy(arrays[a + 1], arrays[a], part);
    __asm__ volatile("" ::: "memory");
    bytes -= part;
  }
}

static void fill(size_t n) {
  for (int a = 0; a < ARRAYS; a++)
    for (size_t i = 0; i < n; i++) arrays[a][i] = (real)(0.05 + 0.9 * (double)(rand() % 1000) / 1000);
}

static void measure(const kernel *k, size_t n, int repetitions, double best[2]) {
  const size_t rounds = n < IN_MEMORY ? 40 : 1;
  best[0] = best[1] = 1e9;
  for (int r = -1; r < repetitions; r++)
    for (int copying = 0; copying < 2; copying++) {
      const double start = seconds();
      for (size_t i = 0; i < rounds; i++)
        if (copying)
          copy(k, n);
        else
          k->run(k->which, n);
      const double time = (seconds() - start) / (double)(rounds * n) * 1e9;
      if (r >= 0 && time < best[copying]) best[copying] = time;
    }
}

#define ACTIVATION(f, name) {"forward", name, forward, f, 1, 1}, {"backward", name, backward, f, 2, 1}

static const kernel kernels[] = {
    ACTIVATION(FNN_RELU, "relu"),
    ACTIVATION(FNN_LEAKY_RELU, "leaky_relu"),
    ACTIVATION(FNN_RELU6, "relu6"),
    ACTIVATION(FNN_SIGMOID, "sigmoid"),
    ACTIVATION(FNN_HARD_SIGMOID, "hard_sigmoid"),
    ACTIVATION(FNN_TANH, "tanh"),
    ACTIVATION(FNN_SOFTPLUS, "softplus"),
    ACTIVATION(FNN_SOFTSIGN, "softsign"),
    ACTIVATION(FNN_ELU, "elu"),
    ACTIVATION(FNN_SELU, "selu"),
    ACTIVATION(FNN_EXPONENTIAL, "exponential"),
    ACTIVATION(FNN_SILU, "silu"),
    ACTIVATION(FNN_GELU, "gelu"),
    ACTIVATION(FNN_MISH, "mish"),
    ACTIVATION(FNN_SOFTMAX, "softmax"),
    ACTIVATION(FNN_LOG_SOFTMAX, "log_softmax"),
    {"loss", "binary crossentropy", crossentropy, FNN_CROSSENTROPY_BINARY, 2, 1},
    {"loss", "categorical crossentropy", crossentropy, FNN_CROSSENTROPY_CATEGORICAL, 2, 1},
    {"loss", "sparse crossentropy", crossentropy, FNN_CROSSENTROPY_SPARSE_CATEGORICAL, 1, 1},
    {"update", "SGD", update, FNN_SGD, 2, 1},
    {"update", "SGD, momentum", update, FNN_MOMENTUM, 3, 2},
    {"update", "SGD, Nesterov", update, FNN_NESTEROV, 3, 2},
    {"update", "RMSprop", update, FNN_RMSPROP, 3, 2},
    {"update", "Adam", update, FNN_ADAM, 4, 3},
    {"update", "Adam, amsgrad", update, FNN_AMSGRAD, 5, 4},
    {"other", "dropout", dropout, 0, 1, 1},
};

int main(int argc, char **argv) {
  const int repetitions = argc > 1 ? atoi(argv[1]) : 5;
  for (int a = 0; a < ARRAYS; a++) {
    arrays[a] = aligned_alloc(64, IN_MEMORY * sizeof(real));
    if (!arrays[a]) return 1;
  }
  fill(IN_MEMORY);
  for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++) {
    double cached[2], in_memory[2];
    fill(CACHED);
    measure(&kernels[i], CACHED, 4 * repetitions, cached);
    measure(&kernels[i], IN_MEMORY, repetitions, in_memory);
    printf("%s\t%s\t%.4f\t%.4f\t%.4f\t%.4f\n", kernels[i].group, kernels[i].name, cached[0],
           in_memory[0], cached[1], in_memory[1]);
    fflush(stdout);
  }
  return 0;
}
