/* The names of operations, by number: the lists of ops.def. */
#include "fastnn.h"

const char *fnn_name(fnn_list list, int i) {
  static const char *const steps[] = {
#define FNN_STEP(NAME, name) #name,
#include "ops.def"
  };
  static const char *const activations[] = {
#define FNN_ACTIVATION(NAME, name) #name,
#include "ops.def"
  };
  static const char *const rules[] = {
#define FNN_RULE(NAME, name) #name,
#include "ops.def"
  };
  static const char *const crossentropies[] = {
#define FNN_CROSSENTROPY_KIND(NAME, name) #name,
#include "ops.def"
  };
  static const struct {
    const char *const *names;
    int count;
  } lists[] = {
      [FNN_LIST_STEPS] = {steps, FNN_STEPS},
      [FNN_LIST_ACTIVATIONS] = {activations, FNN_ACTIVATIONS},
      [FNN_LIST_RULES] = {rules, FNN_RULES},
      [FNN_LIST_CROSSENTROPIES] = {crossentropies, FNN_CROSSENTROPIES},
  };
  return i >= 0 && i < lists[list].count ? lists[list].names[i] : NULL;
}
