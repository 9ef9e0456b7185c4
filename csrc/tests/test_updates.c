/* Optimizer rules against their formulas in long double. */
#include "check.h"

typedef struct {
  long double w, s[FNN_MAX_SLOTS];
} state;

static const int SLOT_COUNT[FNN_RULES] = {0, 1, 1, 1, 2, 2, 3, 2, 3};

static state oracle(int rule, state now, long double g, const long double *c) {
  const int centered = rule == FNN_RMSPROP_CENTERED || rule == FNN_RMSPROP_CENTERED_MOMENTUM;
  const int moving = rule == FNN_RMSPROP_MOMENTUM || rule == FNN_RMSPROP_CENTERED_MOMENTUM;
  long double *s = now.s, step;
  now.w -= now.w * c[0];
  switch (rule) {
    case FNN_SGD: now.w -= c[1] * g; break;
    case FNN_MOMENTUM:
      s[0] = c[2] * s[0] - c[1] * g;
      now.w += s[0];
      break;
    case FNN_NESTEROV:
      s[0] = c[2] * s[0] - c[1] * g;
      now.w += c[2] * s[0] - c[1] * g;
      break;
    case FNN_ADAM:
    case FNN_AMSGRAD:
      s[0] = c[2] * s[0] + (1 - c[2]) * g;
      s[1] = c[3] * s[1] + (1 - c[3]) * g * g;
      if (rule == FNN_AMSGRAD && s[1] > s[2]) s[2] = s[1];
      now.w -= c[1] * s[0] / (sqrtl(rule == FNN_ADAM ? s[1] : s[2]) + c[4]);
      break;
    default: {
      long double variance = s[0] = c[2] * s[0] + (1 - c[2]) * g * g;
      if (centered) {
        long double *a = &s[1 + moving];
        *a = c[2] * *a + (1 - c[2]) * g;
        variance -= *a * *a;
      }
      step = c[1] * g / sqrtl(variance + c[3]);
      if (moving) step = s[1] = c[4] * s[1] + step;
      now.w -= step;
    }
  }
  return now;
}

/* Coefficients 2.. of each rule. */
static void coefficients(int rule, double *c) {
  const double decay = rule % 2 ? 0.004 : 0, momentum[] = {0.9},
               rmsprop[] = {0.9, 1e-3, 0.8}, adam[] = {0.9, 0.999, 1e-4};
  memset(c, 0, FNN_COEFFICIENTS * sizeof *c);
  c[0] = decay;
  c[1] = 0.01;
  if (rule == FNN_MOMENTUM || rule == FNN_NESTEROV) memcpy(c + 2, momentum, sizeof momentum);
  if (rule >= FNN_RMSPROP && rule < FNN_ADAM) memcpy(c + 2, rmsprop, sizeof rmsprop);
  if (rule >= FNN_ADAM) memcpy(c + 2, adam, sizeof adam);
}

static void cases(void) {
  for (int rule = 0; rule < FNN_RULES; rule++)
    for (size_t z = 0; z < COUNT(SIZES); z++) {
      const size_t n = SIZES[z];
      double c[FNN_COEFFICIENTS];
      long double exact[FNN_COEFFICIENTS];
      coefficients(rule, c);
      for (int i = 0; i < FNN_COEFFICIENTS; i++) exact[i] = c[i];
      const real *w0 = numbers(0, n, -2, 2, 0), *g = numbers(1, n, -2, 2, 0);
      const real *s0[FNN_MAX_SLOTS];
      for (int i = 0; i < FNN_MAX_SLOTS; i++) s0[i] = numbers(2 + i, n, 0.5, 1.5, 0);
      /* A variance is at least the square of the mean. */
      const int average = rule == FNN_RMSPROP_CENTERED_MOMENTUM ? 2 : 1;
      if (rule == FNN_RMSPROP_CENTERED || rule == FNN_RMSPROP_CENTERED_MOMENTUM)
        s0[average] = numbers(2 + average, n, -0.5, 0.5, 0);
      label("rule %d n=%zu", rule, n);
      FOR_TABLES {
        real *w = copy_of(5, w0, n), *s[FNN_MAX_SLOTS];
        for (int i = 0; i < FNN_MAX_SLOTS; i++) s[i] = copy_of(6 + i, s0[i], n);
        /* As a whole, or as two rows with a gap: the same. */
        if (n % 2 == 0 && n > 2) {
          const size_t half = n / 2;
          k->update(rule, w, g, half, s, c, 2, half, half - 1);
          real *last[FNN_MAX_SLOTS];
          for (int i = 0; i < FNN_MAX_SLOTS; i++) last[i] = s[i] + half - 1;
          k->update(rule, w + half - 1, g + half - 1, half, last, c, 2, half, 1);
        } else {
          k->update(rule, w, g, 0, s, c, 1, 0, n);
        }
        agree(w, n);
        for (int i = 0; i < FNN_MAX_SLOTS; i++) agree(s[i], n);
        for (size_t j = 0; j < n; j++) {
          state before = {w0[j], {s0[0][j], s0[1][j], s0[2][j]}};
          const state after = oracle(rule, before, g[j], exact);
          within("w", j, w[j], after.w, 6 * EPSILON);
          for (int i = 0; i < FNN_MAX_SLOTS; i++)
            within("slot", j, s[i][j], i < SLOT_COUNT[rule] ? after.s[i] : before.s[i],
                   i < SLOT_COUNT[rule] ? 8 * EPSILON : 0);
        }
      }
      /* Nothing at all, and extremes. */
      const real *wild = numbers(1, n, -2, 2, 1);
      FOR_TABLES {
        real *w = copy_of(5, wild, n), *s[FNN_MAX_SLOTS];
        for (int i = 0; i < FNN_MAX_SLOTS; i++) {
          s[i] = output(6 + i, n);
          for (size_t j = 0; j < n; j++) s[i][j] = 0;
        }
        k->update(rule, w, wild, 0, s, c, 1, 0, n);
        agree(w, n);
        for (int i = 0; i < FNN_MAX_SLOTS; i++) agree(s[i], n);
      }
    }
}

int main(void) { return run(cases); }
