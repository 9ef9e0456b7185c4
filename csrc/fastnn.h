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

/* Activations. `slope` is their one parameter: alpha of elu, negative slope of leaky_relu. */
typedef enum {
  FNN_LINEAR = 0, FNN_RELU, FNN_LEAKY_RELU, FNN_RELU6, FNN_SIGMOID, FNN_HARD_SIGMOID, FNN_TANH,
  FNN_SOFTPLUS, FNN_SOFTSIGN, FNN_ELU, FNN_SELU, FNN_EXPONENTIAL, FNN_SILU, FNN_GELU, FNN_MISH,
  FNN_SOFTMAX, FNN_LOG_SOFTMAX,
  FNN_ACTIVATIONS
} fnn_activation;

/* Losses and metrics: one value for every row of a prediction. */
typedef enum {
  FNN_MEAN_SQUARED_ERROR = 0, FNN_MEAN_ABSOLUTE_ERROR, FNN_HUBER,
  FNN_BINARY_CROSSENTROPY, FNN_CATEGORICAL_CROSSENTROPY, FNN_SPARSE_CATEGORICAL_CROSSENTROPY,
  FNN_BINARY_CROSSENTROPY_LOGITS, FNN_CATEGORICAL_CROSSENTROPY_LOGITS,
  FNN_SPARSE_CATEGORICAL_CROSSENTROPY_LOGITS,
  FNN_LOSSES,
  FNN_ACCURACY = FNN_LOSSES, FNN_BINARY_ACCURACY, FNN_CATEGORICAL_ACCURACY,
  FNN_SPARSE_CATEGORICAL_ACCURACY,
  FNN_ROW_VALUES
} fnn_row_value;

/* Optimizer rules. c[0] is the decoupled weight decay times the learning rate (w -= w c[0] comes
 * first), c[1] the step size; the rest as named. g gradient, m and v slots. */
typedef enum {
  FNN_SGD = 0,   /*                    w -= c1 g                                                */
  FNN_MOMENTUM,  /* c2=mu              m = mu m - c1 g;  w += m                                 */
  FNN_NESTEROV,  /* c2=mu              m = mu m - c1 g;  w += mu m - c1 g                       */
  FNN_RMSPROP,   /* c2=rho c3=eps      v += (g g - v)(1-rho); w -= c1 g / sqrt(v + eps)         */
  FNN_RMSPROP_MOMENTUM, /* + c4=mu     m = mu m + c1 g / sqrt(v + eps); w -= m  (slots v, m)    */
  FNN_RMSPROP_CENTERED, /* as RMSPROP  a += (g - a)(1-rho); sqrt(v - a a + eps) (slots v, a)    */
  FNN_RMSPROP_CENTERED_MOMENTUM, /*    both                                     (slots v, m, a) */
  FNN_ADAM,      /* c2=b1 c3=b2 c4=eps m += (g-m)(1-b1); v += (g g-v)(1-b2); w -= c1 m/(sqrt(v)+eps) */
  FNN_AMSGRAD,   /* as ADAM            h = max(h, v);    w -= c1 m/(sqrt(h)+eps) (slots m, v, h) */
  FNN_RULES
} fnn_rule;
#define FNN_MAX_SLOTS 3
#define FNN_COEFFICIENTS 8

/* How an elementwise merge of two tensors combines them. */
typedef enum { FNN_ADD = 0, FNN_SUBTRACT, FNN_MULTIPLY, FNN_MAXIMUM, FNN_MINIMUM } fnn_merge;

/* Element types of the arrays that a program reads its rows from. */
typedef enum {
  FNN_SRC_F32 = 0, FNN_SRC_F64, FNN_SRC_U8, FNN_SRC_I8, FNN_SRC_U16, FNN_SRC_I16, FNN_SRC_U32,
  FNN_SRC_I32, FNN_SRC_U64, FNN_SRC_I64, FNN_SRC_BOOL
} fnn_source_type;
