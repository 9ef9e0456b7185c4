/* The thread pool: one region at a time, the same function on every thread of a team (SPMD). */
#ifndef FNN_THREADS_H
#define FNN_THREADS_H

#include <stddef.h>

#define FNN_CACHE_LINE 64

typedef struct fnn_team fnn_team;
typedef void (*fnn_region)(void *context, fnn_team *team, int thread, int threads);

/* Runs `region` on min(threads, fnn_num_threads()) threads, the caller being thread 0, and returns
 * when all have finished. Denormals are flushed inside and every thread's floating-point state is
 * restored afterwards. Regions from different callers take turns; a region started inside a region
 * runs on one thread. Safe in a child after fork. */
void fnn_parallel(int threads, fnn_region region, void *context);

/* Around foreign code that thread 0 of a region calls: it gets the floating-point state that the
 * region's caller had. */
void fnn_pause(void);
void fnn_resume(void);

/* A clock that only goes forward. */
double fnn_seconds(void);

/* All threads of the team wait for each other. A no-op in a team of one. */
void fnn_barrier(fnn_team *team);

#endif
