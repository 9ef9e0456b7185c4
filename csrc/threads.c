/* The thread pool.
 *
 * Workers are made when first needed, wait for the start of a region, run it, and wait again.
 * Every wait spins for a while, because parking and waking take long, and then parks, which leaves
 * an idle process idle. A spinner must not keep out the thread it waits for. So a team larger than
 * the number of processors does not spin at all, and a thread that spun in vain at a barrier, as
 * when other processes are busy, spins less at the next.
 *
 * Everything is static, so that a child after fork starts over by resetting it. */
#ifdef __linux__
#define _GNU_SOURCE /* syscall */
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "threads.h"

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cpu.h"
#include "fastnn.h"

#define IDLE_SPIN 50000    /* nanoseconds: of a worker between two regions */
#define BARRIER_SPIN 200000 /* at most; parking would add its wake-up to the step */
#define BARRIER_SPIN_LEAST 1000

/* --- Floating-point state -------------------------------------------------------------------- */

/* Denormals are flushed, rounding is to nearest, nothing traps: the arithmetic contract must not
 * depend on what the caller has set. Restoring also drops the flags that a region has raised. */
#ifdef __x86_64__
#include <immintrin.h>
typedef unsigned fp_state;
static fp_state fp_enter(void) {
  fp_state state = _mm_getcsr();
  _mm_setcsr(0x1f80 | 0x8040); /* the default, FTZ and DAZ */
  return state;
}
static void fp_leave(fp_state state) { _mm_setcsr(state); }
#elif defined __aarch64__
typedef uint64_t fp_state;
static void fp_leave(fp_state state) { __asm__ volatile("msr fpcr, %0" : : "r"(state)); }
static fp_state fp_enter(void) {
  fp_state state;
  __asm__ volatile("mrs %0, fpcr" : "=r"(state));
  fp_leave((fp_state)1 << 24); /* FZ */
  return state;
}
#else
typedef int fp_state;
static fp_state fp_enter(void) { return 0; }
static void fp_leave(fp_state state) { (void)state; }
#endif

/* --- Waiting --------------------------------------------------------------------------------- */

/* A number that changes, and who sleeps until it does. */
typedef struct {
  _Alignas(FNN_CACHE_LINE) _Atomic uint32_t value;
  _Atomic uint32_t sleepers;
} event;

#if defined __linux__ && !defined FNN_NO_FUTEX
static void park(event *e, uint32_t old) {
  syscall(SYS_futex, &e->value, FUTEX_WAIT_PRIVATE, old, NULL, NULL, 0);
}
static void unpark(event *e) {
  syscall(SYS_futex, &e->value, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}
static void reset_parking(void) {}
#else
static pthread_mutex_t parking;
static pthread_cond_t parked;
static void park(event *e, uint32_t old) {
  pthread_mutex_lock(&parking);
  while (atomic_load(&e->value) == old) pthread_cond_wait(&parked, &parking);
  pthread_mutex_unlock(&parking);
}
static void unpark(event *e) {
  (void)e;
  pthread_mutex_lock(&parking); /* not between another's look at the value and its sleep */
  pthread_mutex_unlock(&parking);
  pthread_cond_broadcast(&parked);
}
static void reset_parking(void) {
  pthread_mutex_init(&parking, NULL);
  pthread_cond_init(&parked, NULL);
}
#endif

static void relax(void) {
#ifdef __x86_64__
  _mm_pause();
#elif defined __aarch64__
  __asm__ volatile("isb"); /* yield is a no-op on most; isb takes about as long as pause */
#endif
}

static int64_t nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

double fnn_seconds(void) { return 1e-9 * (double)nanoseconds(); }

/* Waits until the value is no longer `old`, at first spinning for `spin` nanoseconds. Returns
 * whether that was enough. */
static int await(event *e, uint32_t old, int64_t spin) {
  for (int64_t end = 0; spin > 0;) {
    for (int i = 0; i < 32; i++) {
      if (atomic_load_explicit(&e->value, memory_order_acquire) != old) return 1;
      relax();
    }
    int64_t now = nanoseconds();
    if (end == 0) end = now + spin;
    if (now >= end) break;
  }
  /* Either the sleeper sees the new value or `post` sees the sleeper: both sides write before
   * they read, sequentially consistent. */
  atomic_fetch_add(&e->sleepers, 1);
  while (atomic_load(&e->value) == old) park(e, old);
  atomic_fetch_sub(&e->sleepers, 1);
  return 0;
}

static void post(event *e, uint32_t value) {
  atomic_store(&e->value, value);
  if (atomic_load(&e->sleepers) != 0) unpark(e);
}

/* --- The pool -------------------------------------------------------------------------------- */

struct fnn_team {
  int threads, may_spin;
  _Alignas(FNN_CACHE_LINE) _Atomic uint32_t arrived; /* at the barrier of this generation */
  event generation;
};

static struct {
  pthread_mutex_t turn; /* held during a region: the rest belongs to its holder */
  int hired;            /* workers that exist; worker i is thread i of a team */
  fnn_region region;
  void *context;
  fnn_team team;
  event start[FNN_MAX_THREADS]; /* one for each worker: a small team wakes nobody else */
} pool;

static _Thread_local enum { OUTSIDE, INSIDE, LEADING } inside; /* a region; as thread 0 of a team */
static _Thread_local fp_state callers_state; /* what the innermost region's caller had */
static _Thread_local int64_t patience = BARRIER_SPIN; /* how long to spin at the next barrier */
static atomic_int configured;    /* by fnn_set_num_threads; 0: the default */
static atomic_int fresh_default, processors; /* remembered answers; 0: not asked yet */

void fnn_barrier(fnn_team *team) {
  uint32_t threads = (uint32_t)team->threads;
  if (threads < 2) return;
  int64_t spin = team->may_spin ? patience : 0;
  /* Nobody can move the generation on before this thread has arrived too. */
  uint32_t generation = atomic_load_explicit(&team->generation.value, memory_order_relaxed);
  if (atomic_fetch_add_explicit(&team->arrived, 1, memory_order_acq_rel) == threads - 1) {
    atomic_store_explicit(&team->arrived, 0, memory_order_relaxed);
    post(&team->generation, generation + 1);
  } else if (await(&team->generation, generation, spin)) {
    patience += (BARRIER_SPIN - patience) / 16;
  } else if (spin > 0) {
    patience = (patience + BARRIER_SPIN_LEAST) / 2;
  }
}

static void *work(void *argument) {
  int thread = (int)(intptr_t)argument;
  fp_enter();
  inside = INSIDE;
  int64_t spin = 0;
  for (uint32_t region = 0;; region++) {
    await(&pool.start[thread], region, spin);
    spin = pool.team.may_spin ? IDLE_SPIN : 0;
    pool.region(pool.context, &pool.team, thread, pool.team.threads);
    fnn_barrier(&pool.team);
  }
  return NULL;
}

/* After fork only the forking thread exists. A child that was forked inside a region (by a layer
 * written in Python) keeps its turn and finds itself in a team of one. */
static void reset_in_child(void) {
  memset(&pool, 0, sizeof pool);
  pthread_mutex_init(&pool.turn, NULL);
  if (inside == LEADING) pthread_mutex_lock(&pool.turn);
  reset_parking();
  atomic_store(&fresh_default, 0);
  atomic_store(&processors, 0);
}

static void initialize(void) {
  pthread_mutex_init(&pool.turn, NULL);
  reset_parking();
  pthread_atfork(NULL, NULL, reset_in_child);
}

/* Makes workers until there are `wanted`, or as many as the system allows. */
static int hire(int wanted) {
  if (pool.hired >= wanted) return wanted;
  pthread_attr_t attributes;
  sigset_t all, before;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, 1 << 20);
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the program's own threads */
  while (pool.hired < wanted) {
    pthread_t ignored;
    if (pthread_create(&ignored, &attributes, work, (void *)(intptr_t)(pool.hired + 1))) break;
    pool.hired++;
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  return pool.hired;
}

static void run_alone(fnn_region region, void *context) {
  fnn_team alone = {.threads = 1};
  region(context, &alone, 0, 1);
}

static void run_together(int threads, fnn_region region, void *context) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, initialize);
  pthread_mutex_lock(&pool.turn);
  inside = LEADING;
  if (processors == 0) processors = fnn_cpus();
  threads = 1 + hire(threads - 1);
  pool.region = region;
  pool.context = context;
  pool.team.threads = threads;
  pool.team.may_spin = threads <= processors;
  for (int i = 1; i < threads; i++)
    post(&pool.start[i], atomic_load_explicit(&pool.start[i].value, memory_order_relaxed) + 1);
  region(context, &pool.team, 0, threads);
  fnn_barrier(&pool.team);
  pthread_mutex_unlock(&pool.turn);
}

void fnn_parallel(int threads, fnn_region region, void *context) {
  fp_state outer = callers_state, state = fp_enter();
  callers_state = state;
  if (inside != OUTSIDE) { /* in foreign code, see fnn_pause */
    run_alone(region, context);
    callers_state = outer;
    fp_leave(state);
    return;
  }
  int most = fnn_num_threads();
  inside = INSIDE;
  if (threads > most) threads = most;
  if (threads < 2)
    run_alone(region, context);
  else
    run_together(threads, region, context);
  inside = OUTSIDE;
  fp_leave(state);
}

void fnn_pause(void) { fp_leave(callers_state); }
void fnn_resume(void) { fp_enter(); }

/* --- How many -------------------------------------------------------------------------------- */

/* FASTNN_NUM_THREADS: 0 if it is not set, -1 if it is nonsense. */
static int wanted_threads(void) {
  const char *text = getenv("FASTNN_NUM_THREADS");
  if (text == NULL || *text == 0) return 0;
  char *end;
  long threads = strtol(text, &end, 10);
  return *end == 0 && threads >= 1 && threads <= FNN_MAX_THREADS ? (int)threads : -1;
}

const char *fnn_threads_error(void) {
  static char error[160];
  if (wanted_threads() >= 0) return NULL;
  snprintf(error, sizeof error,
           "FASTNN_NUM_THREADS must be a whole number from 1 to %d, got '%.32s': unset it to use "
           "every processor this process may", FNN_MAX_THREADS, getenv("FASTNN_NUM_THREADS"));
  return error;
}

int fnn_default_threads(void) {
  int threads = wanted_threads();
  if (threads <= 0) threads = fnn_cpus();
  return threads < FNN_MAX_THREADS ? threads : FNN_MAX_THREADS;
}

int fnn_num_threads(void) {
  int threads = atomic_load(&configured);
  if (threads == 0) threads = atomic_load(&fresh_default);
  if (threads == 0) atomic_store(&fresh_default, threads = fnn_default_threads());
  return threads;
}

int fnn_set_num_threads(int threads) {
  if (threads < 0 || threads > FNN_MAX_THREADS) return -1;
  atomic_store(&configured, threads);
  atomic_store(&fresh_default, 0);
  atomic_store(&processors, 0);
  return 0;
}
