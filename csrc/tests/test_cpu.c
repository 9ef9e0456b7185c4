/* The CPU probe: the choice of the instruction set, and cgroup quotas from a made-up file tree. */
#include "cpu.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fastnn.h"
#include "kernels/kernels.h"

/* --- Instruction sets ------------------------------------------------------------------------ */

/* What a fresh process that starts with FASTNN_ISA=wanted uses; returns whether it complains. */
static int fresh(const char *wanted, char isa[16]) {
  int ends[2], complains;
  assert(pipe(ends) == 0);
  pid_t child = fork();
  if (child == 0) {
    setenv("FASTNN_ISA", wanted, 1);
    char text[16] = {0};
    strncpy(text, fnn_isa(), sizeof text - 1);
    const char *error = fnn_isa_error();
    if (error != NULL) assert(strstr(error, wanted) && strstr(error, "portable"));
    complains = error != NULL;
    _exit(write(ends[1], text, sizeof text) == sizeof text ? complains : 9);
  }
  assert(read(ends[0], isa, 16) == 16);
  assert(waitpid(child, &complains, 0) == child && WIFEXITED(complains));
  close(ends[0]);
  close(ends[1]);
  assert(WEXITSTATUS(complains) < 2);
  return WEXITSTATUS(complains);
}

static void check_isas(void) { /* nothing here has asked for the instruction set yet */
  const char *best = fnn_isa_at(0);
  char isa[16];
  assert(best != NULL && fnn_isa_at(-1) == NULL && fnn_isa_at(FNN_ISAS) == NULL);
  assert(fresh("", isa) == 0 && strcmp(isa, best) == 0);
  assert(fresh("mmx", isa) == 1 && strcmp(isa, best) == 0);
  assert(fresh("AVX2", isa) == 1 && strcmp(isa, best) == 0);
  int portable = 0;
  for (int i = 0; fnn_isa_at(i) != NULL; i++) {
    assert(fnn_isa_available(fnn_isa_at(i)));
    assert(fresh(fnn_isa_at(i), isa) == 0 && strcmp(isa, fnn_isa_at(i)) == 0);
    portable += strcmp(isa, "portable") == 0;
  }
  assert(portable == 1);

  unsetenv("FASTNN_ISA");
  assert(strcmp(fnn_isa(), best) == 0 && fnn_isa_error() == NULL);
  for (int i = 0; fnn_isa_at(i) != NULL; i++) {
    assert(fnn_set_isa(fnn_isa_at(i)) == 0 && strcmp(fnn_isa(), fnn_isa_at(i)) == 0);
    assert(strcmp(fnn_kernel_table_f32()->isa, fnn_isa()) == 0);
  }
  assert(fnn_set_isa("mmx") == -1 && !fnn_isa_available("mmx"));
  assert(strcmp(fnn_isa(), "portable") == 0);
}

/* --- Quotas ---------------------------------------------------------------------------------- */

static char root[] = "/tmp/fastnn-test-XXXXXX";

static void write_file(const char *path, const char *text) {
  char full[512];
  snprintf(full, sizeof full, "%s%s", root, path);
  for (char *slash = full + strlen(root) + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
    *slash = 0;
    mkdir(full, 0700);
  }
  FILE *file = fopen(full, "w");
  assert(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static int quota(void) { return fnn_cgroup_cpus(root, 64); }

static void check_quotas(void) {
  assert(mkdtemp(root) != NULL);
  assert(quota() == 64); /* no /proc at all */

  write_file("/proc/self/cgroup", "0::/user.slice/job\n"); /* version 2 */
  assert(quota() == 64);
  write_file("/sys/fs/cgroup/user.slice/job/cpu.max", "max 100000\n");
  assert(quota() == 64);
  write_file("/sys/fs/cgroup/user.slice/cpu.max", "400000 100000\n"); /* the group above */
  assert(quota() == 4);
  write_file("/sys/fs/cgroup/user.slice/job/cpu.max", "150000 100000\n"); /* rounded up */
  assert(quota() == 2);
  write_file("/sys/fs/cgroup/user.slice/job/cpu.max", "1000 100000\n");
  assert(quota() == 1);

  /* Version 1. A group that "cpuset" names is not a group of "cpu". */
  write_file("/proc/self/cgroup", "5:cpuset:/other\n4:cpuacct,cpu:/docker/1\n1:name=systemd:/\n");
  write_file("/sys/fs/cgroup/cpu/other/cpu.cfs_quota_us", "100000\n");
  write_file("/sys/fs/cgroup/cpu/other/cpu.cfs_period_us", "100000\n");
  assert(quota() == 64);
  write_file("/sys/fs/cgroup/cpu/docker/1/cpu.cfs_quota_us", "-1\n");
  write_file("/sys/fs/cgroup/cpu/docker/1/cpu.cfs_period_us", "100000\n");
  assert(quota() == 64);
  write_file("/sys/fs/cgroup/cpu/docker/1/cpu.cfs_quota_us", "250000\n");
  assert(quota() == 3);
  /* In a container the path is the host's, and only the root of the mount is there. */
  write_file("/proc/self/cgroup", "4:cpu,cpuacct:/docker/2\n");
  assert(quota() == 64);
  write_file("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "500000\n");
  write_file("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  assert(quota() == 5);
  write_file("/proc/self/cgroup", "nonsense\n::\n");
  assert(quota() == 5); /* an empty controller list is version 2, whose root is looked at */

  char command[64];
  snprintf(command, sizeof command, "rm -r %s", root);
  assert(system(command) == 0);
}

int main(void) {
  check_isas();
  check_quotas();
  assert(fnn_cpus() >= 1);
  return 0;
}
