/* The names of operations, by number: of the lists in ops.def. */
#include "fastnn.h"

const char *fnn_step_name(int i) {
  static const char *const names[] = {
#define FNN_STEP(NAME, name) #name,
#include "ops.def"
  };
  return i >= 0 && i < FNN_STEPS ? names[i] : NULL;
}
