/* The thread pool: barriers, turns, nesting, fork, floating-point state. */
#include "threads.h"

#include <assert.h>
#include <float.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fastnn.h"

/* ThreadSanitizer refuses threads in a child of a threaded parent unless told otherwise. */
const char *__tsan_default_options(void);
__attribute__((visibility("default"))) const char *__tsan_default_options(void) { return "die_after_fork=0"; }

static const int sizes[] = {1, 2, 3, 8};
enum { SIZES = sizeof sizes / sizeof *sizes, ROUNDS = 2000 };

/* Plain, unsynchronised memory: only the barriers order the accesses (ThreadSanitizer agrees). */
typedef struct {
  int rounds, sums_wrong, threads_seen;
  long cells[8];
} board;

/* Every thread writes its cell; after a barrier every thread reads all cells; after another
 * they write again. A barrier that lets one through early gives a wrong sum. */
static void take_turns(void *context, fnn_team *team, int thread, int threads) {
  board *b = context;
  if (thread == 0) b->threads_seen = threads;
  for (int round = 1; round <= b->rounds; round++) {
    b->cells[thread] = (long)round * (thread + 1);
    fnn_barrier(team);
    long sum = 0;
    for (int i = 0; i < threads; i++) sum += b->cells[i];
    int wrong = sum != (long)round * threads * (threads + 1) / 2;
    fnn_barrier(team);
    if (wrong) {
      fprintf(stderr, "round %d: thread %d of %d saw %ld\n", round, thread, threads, sum);
      abort();
    }
  }
}

static void check_barriers(void) {
  for (int i = 0; i < SIZES; i++) {
    assert(fnn_set_num_threads(sizes[i]) == 0 && fnn_num_threads() == sizes[i]);
    board b = {.rounds = ROUNDS};
    fnn_parallel(sizes[i], take_turns, &b);
    assert(b.threads_seen == sizes[i]);
    b.rounds = 1; /* many short regions: starts and ends are barriers too */
    for (int region = 0; region < ROUNDS; region++) fnn_parallel(sizes[i], take_turns, &b);
  }
  board b = {.rounds = 1};
  fnn_parallel(1000, take_turns, &b); /* never more than configured */
  assert(b.threads_seen == 8);
  fnn_parallel(2, take_turns, &b);
  assert(b.threads_seen == 2);
  fnn_parallel(0, take_turns, &b);
  assert(b.threads_seen == 1);
  usleep(2000); /* everybody parks */
  fnn_parallel(8, take_turns, &b);
  assert(b.threads_seen == 8);
}

/* --- */

static void count(void *context, fnn_team *team, int thread, int threads) {
  assert(thread == 0 && threads == 1);
  fnn_barrier(team); /* must return */
  atomic_fetch_add((atomic_int *)context, 1);
}

static void nest(void *context, fnn_team *team, int thread, int threads) {
  (void)thread;
  for (int i = 0; i < 10; i++) {
    fnn_parallel(4, count, context);
    fnn_barrier(team);
  }
  (void)threads;
}

static void check_nesting(void) {
  for (int i = 0; i < SIZES; i++) {
    fnn_set_num_threads(sizes[i]);
    atomic_int calls = 0;
    fnn_parallel(sizes[i], nest, &calls);
    assert(calls == 10 * sizes[i]);
  }
}

/* --- */

static void *keep_busy(void *stop) {
  board b = {.rounds = 3};
  while (!atomic_load((atomic_int *)stop)) fnn_parallel(3, take_turns, &b);
  return NULL;
}

static void check_turns(void) {
  fnn_set_num_threads(3);
  atomic_int stop = 0;
  pthread_t callers[3];
  for (int i = 0; i < 3; i++) assert(pthread_create(&callers[i], NULL, keep_busy, &stop) == 0);
  board b = {.rounds = 3};
  for (int i = 0; i < 200; i++) fnn_parallel(3, take_turns, &b);
  atomic_store(&stop, 1);
  for (int i = 0; i < 3; i++) pthread_join(callers[i], NULL);
}

/* --- */

static void use_in_child(void) {
  board b = {.rounds = 50};
  fnn_parallel(3, take_turns, &b);
  if (b.threads_seen != 3) _exit(2);
  fnn_parallel(3, take_turns, &b);
  _exit(0);
}

static void wait_for(pid_t child) {
  int status;
  assert(child > 0 && waitpid(child, &status, 0) == child);
  assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* A layer written in Python may fork inside a region: the child ends its region alone and can
 * then use the pool; the parent goes on as a team. */
typedef struct {
  pid_t child;
  int is_child;
} family;

static void fork_inside(void *context, fnn_team *team, int thread, int threads) {
  family *f = context;
  (void)threads;
  fnn_barrier(team);
  if (thread == 0) {
    f->child = fork();
    f->is_child = f->child == 0;
  }
  fnn_barrier(team);
}

static void check_fork(void) {
  fnn_set_num_threads(3);
  alarm(120); /* a deadlock is a failure */
  atomic_int stop = 0;
  pthread_t other;
  for (int busy = 0; busy < 2; busy++) { /* also while another thread is in a region */
    if (busy) assert(pthread_create(&other, NULL, keep_busy, &stop) == 0);
    for (int i = 0; i < 20; i++) {
      board b = {.rounds = 3};
      fnn_parallel(3, take_turns, &b);
      pid_t child = fork();
      if (child == 0) use_in_child();
      fnn_parallel(3, take_turns, &b);
      wait_for(child);
    }
  }
  atomic_store(&stop, 1);
  pthread_join(other, NULL);

  for (int threads = 1; threads <= 3; threads += 2) {
    family f = {0};
    fnn_parallel(threads, fork_inside, &f);
    if (f.is_child) use_in_child();
    wait_for(f.child);
  }
  alarm(0);
}

/* --- */

static volatile float tiny = FLT_MIN;

static void flush(void *context, fnn_team *team, int thread, int threads) {
  float *halves = context;
  halves[thread] = tiny / 2;
  fnn_barrier(team);
  if (thread == 0) /* what a region changes is undone as well */
    for (int i = 0; i < threads; i++) assert(halves[i] == 0);
}

static void check_denormals(void) {
  fnn_set_num_threads(8);
  for (int i = 0; i < SIZES; i++) {
    float halves[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    assert(tiny / 2 > 0);
    fnn_parallel(sizes[i], flush, halves);
    assert(tiny / 2 > 0); /* the caller's state is back */
  }
}

/* --- */

static void check_numbers(void) {
  assert(fnn_set_num_threads(-1) == -1 && fnn_set_num_threads(FNN_MAX_THREADS + 1) == -1);
  assert(fnn_set_num_threads(5) == 0 && fnn_num_threads() == 5);
  unsetenv("FASTNN_NUM_THREADS");
  int cpus = fnn_default_threads();
  assert(cpus >= 1 && fnn_threads_error() == NULL);
  assert(fnn_set_num_threads(0) == 0 && fnn_num_threads() == cpus);
  setenv("FASTNN_NUM_THREADS", "7", 1);
  assert(fnn_num_threads() == cpus); /* looked up once */
  assert(fnn_default_threads() == 7 && fnn_threads_error() == NULL);
  assert(fnn_set_num_threads(0) == 0 && fnn_num_threads() == 7);
  static const char *const bad[] = {"0", "-1", "257", "two", "3x", "99999999999999999999"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    setenv("FASTNN_NUM_THREADS", bad[i], 1);
    assert(fnn_default_threads() == cpus);
    assert(strstr(fnn_threads_error(), "FASTNN_NUM_THREADS") != NULL);
    assert(strstr(fnn_threads_error(), bad[i]) != NULL);
  }
  unsetenv("FASTNN_NUM_THREADS");
}

int main(void) {
  check_numbers();
  check_barriers();
  check_nesting();
  check_turns();
  check_denormals();
  check_fork();
  return 0;
}
