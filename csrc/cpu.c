/* The CPU probe: which instruction set to use, and how many processors. */
#ifdef __linux__
#define _GNU_SOURCE /* sched_getaffinity */
#include <sched.h>
#endif

#include "cpu.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fastnn.h"

/* --- Instruction sets ------------------------------------------------------------------------ */

static const char *const names[FNN_ISAS] = {"avx512", "avx2", "neon", "portable"};

/* Whether the kernels for it were compiled, and the CPU and the operating system can run them:
 * __builtin_cpu_supports asks xgetbv whether the system saves the wide registers. */
static int supported(int isa) {
  switch (isa) {
#ifdef __x86_64__
  case FNN_AVX512:
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("fma");
  case FNN_AVX2:
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
#ifdef __aarch64__
  case FNN_NEON:
    return 1;
#endif
  default:
    return isa == FNN_PORTABLE;
  }
}

static int find(const char *name) {
  for (int isa = 0; isa < FNN_ISAS; isa++)
    if (strcmp(names[isa], name) == 0 && supported(isa)) return isa;
  return -1;
}

const char *fnn_isa_at(int i) {
  for (int isa = 0; i >= 0 && isa < FNN_ISAS; isa++)
    if (supported(isa) && i-- == 0) return names[isa];
  return NULL;
}

static atomic_int chosen;
static char error[160];

static void choose(void) {
#ifdef __x86_64__
  __builtin_cpu_init();
#endif
  atomic_store(&chosen, find(fnn_isa_at(0)));
  const char *wanted = getenv("FASTNN_ISA");
  if (wanted == NULL || *wanted == 0) return;
  int isa = find(wanted);
  if (isa >= 0) {
    atomic_store(&chosen, isa);
    return;
  }
  int length = snprintf(error, sizeof error,
                        "FASTNN_ISA is '%.32s', which this machine does not offer: unset it, or "
                        "set it to one of", wanted);
  for (int i = 0; fnn_isa_at(i) != NULL; i++)
    length += snprintf(error + length, sizeof error - (size_t)length, "%s %s", i ? "," : "",
                       fnn_isa_at(i));
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

int fnn_isa_number(void) {
  pthread_once(&once, choose);
  return atomic_load_explicit(&chosen, memory_order_relaxed);
}

const char *fnn_isa(void) { return names[fnn_isa_number()]; }

const char *fnn_isa_error(void) {
  pthread_once(&once, choose);
  return *error ? error : NULL;
}

int fnn_isa_available(const char *name) { return find(name) >= 0; }

int fnn_set_isa(const char *name) {
  int isa = find(name);
  if (isa < 0) return -1;
  pthread_once(&once, choose);
  atomic_store(&chosen, isa);
  return 0;
}

/* --- Processors ------------------------------------------------------------------------------ */

/* Reads up to two numbers from a file; "max" is none. Returns how many. */
static int read_numbers(const char *path, long long numbers[2]) {
  FILE *file = fopen(path, "r");
  if (file == NULL) return 0;
  int count = fscanf(file, "%lld %lld", &numbers[0], &numbers[1]);
  fclose(file);
  return count < 0 ? 0 : count;
}

/* The least quota of the group `path` below `mount` and all groups above it. Inside a container
 * the path may be the host's, of which only the root is to be seen: so missing files are no
 * error. Version 2 has one file "quota period", version 1 two, and -1 for no limit. */
static int quota_of(const char *mount, const char *path, int otherwise) {
  char group[1024], file[1200];
  if (snprintf(group, sizeof group, "%s%s", mount, path) >= (int)sizeof group) return otherwise;
  int least = otherwise;
  for (;;) {
    long long n[2];
    snprintf(file, sizeof file, "%s/cpu.max", group);
    int known = read_numbers(file, n) == 2;
    if (!known) {
      long long period[2];
      snprintf(file, sizeof file, "%s/cpu.cfs_quota_us", group);
      known = read_numbers(file, n) == 1;
      snprintf(file, sizeof file, "%s/cpu.cfs_period_us", group);
      known = known && read_numbers(file, period) == 1;
      n[1] = known ? period[0] : 0;
    }
    if (known && n[0] > 0 && n[1] > 0) {
      long long cpus = n[0] / n[1] + (n[0] % n[1] != 0);
      if (cpus < least) least = (int)cpus;
    }
    char *end = strrchr(group, '/');
    if (end == NULL || (size_t)(end - group) < strlen(mount)) return least;
    *end = 0;
  }
}

static int lists_cpu(const char *controllers) {
  for (; *controllers != 0; controllers += controllers[0] == ',') {
    size_t length = strcspn(controllers, ",");
    if (length == 3 && strncmp(controllers, "cpu", 3) == 0) return 1;
    controllers += length;
  }
  return 0;
}

int fnn_cgroup_cpus(const char *root, int otherwise) {
  static const char *const mounts[] = {"", "/unified", "/cpu,cpuacct", "/cpu"};
  char path[1024], line[1024];
  snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
  FILE *file = fopen(path, "r");
  if (file == NULL) return otherwise;
  int least = otherwise;
  while (fgets(line, sizeof line, file) != NULL) { /* number:controllers:/path */
    line[strcspn(line, "\n")] = 0;
    char *controllers = strchr(line, ':');
    char *group = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
    if (group == NULL) continue;
    *group++ = 0;
    if (*++controllers != 0 && !lists_cpu(controllers)) continue; /* version 2 lists none */
    if (strcmp(group, "/") == 0) *group = 0;
    for (size_t i = 0; i < sizeof mounts / sizeof *mounts; i++) {
      snprintf(path, sizeof path, "%s/sys/fs/cgroup%s", root, mounts[i]);
      least = quota_of(path, group, least);
    }
  }
  fclose(file);
  return least;
}

int fnn_cpus(void) {
  int cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
#ifdef __linux__
  cpu_set_t mask;
  if (sched_getaffinity(0, sizeof mask, &mask) == 0) cpus = CPU_COUNT(&mask);
#endif
  cpus = fnn_cgroup_cpus("", cpus);
  return cpus < 1 ? 1 : cpus;
}
