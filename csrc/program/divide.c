/* Dividing work while it is done. The owner of a share takes parts off its front; who has finished
 * takes them off the others' backs. So every thread keeps nearly the same part of the weights from
 * step to step, and none waits long for a slower one. */
#include "worker.h"

void FN(fnn_offer)(const worker *w, size_t from, size_t to) {
  atomic_store_explicit(remaining_of(w->run, w->thread), (uint64_t)from << 32 | to,
                        memory_order_relaxed);
}

int FN(fnn_take)(const worker *w, size_t fewest, size_t most, size_t *from, size_t *to) {
  for (int k = 0; k < w->threads; k++) {
    const int owner = (w->thread + k) % w->threads;
    remaining *share = remaining_of(w->run, owner);
    uint64_t old = atomic_load_explicit(share, memory_order_relaxed), left;
    do {
      *from = old >> 32, *to = (uint32_t)old;
      if (*from >= *to)
        break;
      size_t part = least((*to - *from) / 2, most);
      if (part < fewest)
        part = fewest;
      if (part < *to - *from) {
        if (k == 0)
          *to = *from + part;
        else
          *from = *to - part;
      }
      left = k == 0 ? (uint64_t)*to << 32 | (uint32_t)old : (old & ~(uint64_t)UINT32_MAX) | *from;
    } while (!atomic_compare_exchange_weak_explicit(share, &old, left, memory_order_relaxed,
                                                    memory_order_relaxed));
    if (*from < *to)
      return owner;
  }
  return -1;
}
