/* What this machine offers: instruction sets and processors. Internal to csrc/. */
#ifndef FNN_CPU_H
#define FNN_CPU_H

/* The instruction sets, best first. */
enum { FNN_AVX512, FNN_AVX2, FNN_NEON, FNN_PORTABLE, FNN_ISAS };

/* The one in use, for the kernel tables. */
int fnn_isa_number(void);

/* How many processors this process may keep busy: its affinity mask and the quota of its cgroup,
 * rounded up, whichever is less; at least 1. */
int fnn_cpus(void);

/* The quota alone, or `otherwise` if there is none. It reads <root>/proc/self/cgroup and below
 * <root>/sys/fs/cgroup, where root is "" except in tests. */
int fnn_cgroup_cpus(const char *root, int otherwise);

#endif
