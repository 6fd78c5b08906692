/* engine/sandbox/sandbox.h - one RUN step: a program in a root file system, shut in.
 *
 * sandbox_start() leaves a small single-threaded launcher behind while the process has one thread.
 * A step is a plan sent to it; it forks the step's own init, which builds the namespaces, mounts
 * and limits and starts the program.  So a step starts without re-executing kiln, and when kiln
 * ends, however it ends, the launcher takes every step with it.
 *
 * Inside, a step finds what Docker gives it by default: its capabilities, its seccomp profile,
 * masked and read-only paths of /proc and /sys, /dev, /etc/hosts, /etc/resolv.conf.  How much of
 * that the place permits is the tier's business (sandbox_probe()).
 *
 * Spec: runtime-spec config-linux.md "Default Filesystems", "Default Devices"; Docker's default
 * capabilities and seccomp profile.  Threads: sandbox_start() needs a process with one thread;
 * sandbox_run() may be called by any thread, several at once. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/core/cancel.h"
#include "base/core/err.h"
#include "base/core/span.h"

/* ---- a step ---- */

enum step_mount_type {
    STEP_BIND,  /* a file or folder of ours */
    STEP_TMPFS, /* an empty folder in memory */
    STEP_FILE,  /* a file with these bytes, in memory: for secrets, never on disk */
};

/* A mount inside the root.  `dest` is absolute and is resolved inside the root: no symlink leads
 * out.  A mount point that is missing is made for the step and taken away afterwards (parents: see
 * removes_mount_stubs). */
struct step_mount {
    enum step_mount_type type;
    const char *dest;
    bool is_readonly;
    /* STEP_BIND, with what is mounted below it */
    const char *source; /* path, in our mount namespace; NULL: source_fd */
    int source_fd;      /* borrowed */
    bool is_device;     /* a device node that is to open: all others open nothing */
    /* STEP_TMPFS */
    uint64_t size; /* bytes, 0: no limit of its own */
    /* STEP_TMPFS (0: 01777) and STEP_FILE (0: 0400) */
    mode_t mode;
    /* STEP_FILE */
    struct span content; /* at most LIMIT_STEP_FILE */
    uid_t uid;
    gid_t gid;
};

struct step_host {
    const char *name, *ip;
};

/* Who serves the step from our side while it runs, in the thread that waits in sandbox_run(): no
 * callback may block. */
struct pollfd;
struct step_service {
    void *arg;
    /* Fills at most `room` entries; returns how many. */
    size_t (*watch)(void *arg, struct pollfd *fds, size_t room);
    /* After poll(2): the same entries, with what happened. */
    void (*serve)(void *arg, const struct pollfd *fds, size_t n);
};

struct step_ulimit {
    const char *name;   /* as docker's --ulimit: "nofile", "nproc", ... */
    int64_t soft, hard; /* -1: unlimited */
};

/* Limits that need a writable cgroup hierarchy (version 2 or 1).  Zero or NULL: not asked for. */
struct step_resources {
    uint64_t memory;                       /* bytes */
    int64_t memory_swap;                   /* bytes of memory and swap together; -1: unlimited */
    uint64_t cpu_shares;                   /* 2 .. 262144; 1024 is the usual weight */
    int64_t cpu_quota_us;                  /* of each period */
    uint64_t cpu_period_us;                /* 0: 100000; alone: without a quota */
    const char *cpuset_cpus, *cpuset_mems; /* "0-3,7" */
    int64_t pids_max;
    const char *cgroup_parent; /* path below the hierarchy's root; NULL: "kiln" */
};
enum step_resource {
    STEP_MEMORY = 1 << 0,
    STEP_SWAP = 1 << 1,
    STEP_CPU_SHARES = 1 << 2,
    STEP_CPU_QUOTA = 1 << 3,
    STEP_CPUSET = 1 << 4,
    STEP_PIDS = 1 << 5,
};

enum step_network {
    STEP_NETWORK_HOST, /* kiln's own */
    STEP_NETWORK_NONE, /* its own, with nothing but "lo" */
};

enum step_stream { STEP_STDOUT = 1, STEP_STDERR = 2 };

/* What runs and where.  All is borrowed for the length of sandbox_run(). */
struct step_plan {
    const char *root; /* path of the root file system; NULL: root_fd */
    int root_fd;
    bool is_root_readonly;
    const char *const *args; /* n_args; args[0] is looked up in the PATH of `env` */
    size_t n_args;
    const char *const *env; /* n_env of "K=V": all that the program gets */
    size_t n_env;
    const char *cwd; /* must exist; NULL: "/" */
    uid_t uid;
    gid_t gid;
    const gid_t *groups; /* supplementary */
    size_t n_groups;
    const char *hostname;            /* NULL: "kiln" */
    const char *architecture;        /* of the programs, as OCI calls it; NULL: this machine's */
    const struct step_mount *mounts; /* mounted in the order of `dest`, parents first */
    size_t n_mounts;
    bool removes_mount_stubs; /* parents made for mount points go too when empty */
    enum step_network network;
    bool is_insecure;              /* all capabilities of ours, no seccomp, nothing masked */
    const struct step_host *hosts; /* for /etc/hosts */
    size_t n_hosts;
    const char *resolv_conf; /* text of /etc/resolv.conf; NULL: as the host's */
    const struct step_ulimit *ulimits;
    size_t n_ulimits;
    struct step_resources resources;
    const struct step_service *services; /* at most LIMIT_STEP_SERVICES */
    size_t n_services;
    int timeout_ms; /* 0: none */
    const struct cancel *cancel;

    int stdin_fd; /* -1: /dev/null */
    /* Output: to the descriptors, or, where there is a callback, in pieces to that, called by the
     * thread that waits in sandbox_run(). */
    int stdout_fd, stderr_fd; /* -1: /dev/null */
    void (*output)(void *arg, enum step_stream stream, struct span bytes);
    void *output_arg;
    /* A terminal of `rows` by `columns` as stdin, stdout and stderr: stdin_fd is copied to it, what
     * comes out is stdout. */
    bool has_terminal;
    uint16_t rows, columns; /* 0: 24, 80 */
    /* Each byte read from here is the number of a signal for the program; -1: none.  A signal
     * handler may write(2) to the other end.  With a terminal, SIGWINCH gives it the size of the
     * one that stdout_fd is. */
    int signals_fd;
};
/* All zero but descriptors, which are -1. */
void step_plan_init(struct step_plan *p);

struct step_result {
    int exit_status;          /* 128 + signal when a signal ended it */
    int signal;               /* 0: it ended by itself */
    bool was_oom_killed;      /* known only where resources.memory was applied */
    uint64_t user_us, sys_us; /* processor time of all its processes */
    uint64_t peak_memory;     /* bytes resident of its largest process */
    unsigned not_applied;     /* enum step_resource: asked for and not possible here */
};

#define LIMIT_STEP_FILE ((size_t)1 << 20)  /* one STEP_FILE */
#define LIMIT_STEP_PLAN ((size_t)32 << 20) /* args, env, files and all */
enum { LIMIT_STEP_MOUNTS = 200, LIMIT_STEP_HOSTS = 2000, LIMIT_STEP_SERVICES = 8 };

/* ---- the sandbox ---- */

struct sandbox;
/* Leaves the launcher behind.  Before, the process enters the namespaces in which its mounts will
 * be (base/sys/user.h): mountns_enter() as root, userns_enter() otherwise; descriptors that are
 * open now are closed in the launcher.  Fails: SYSTEM. */
NODISCARD int sandbox_start(struct sandbox **out, struct err *err);
/* Ends steps that still run, and the launcher.  No thread may be in sandbox_run().  NULL is fine.
 */
void sandbox_stop(struct sandbox *sb);
DEFINE_AUTO(struct sandbox, sandbox_stop)
const char *sandbox_tier(const struct sandbox *sb); /* "namespace" */

/* Says that a step is about to come: what is found out once, and the filter of system calls, are
 * then ready when it does. Costs the caller nothing; without it the first step does it. */
void sandbox_expect(struct sandbox *sb);

/* Runs a step and waits for its end: that of its program, which ends all others of the step.  When
 * it returns no process of the step is left, none of its mounts, no cgroup.  A program that ends
 * with another status than 0 is no error here.
 *
 * Fails: NOT_FOUND (the program, its interpreter, the working directory, a mount's source; a shell
 * would exit with 127), DENIED (not executable: 126), UNSUPPORTED (a program for another machine;
 * an id that does not exist in our namespace), INVALID (a plan that makes no sense), LIMIT,
 * TIMEOUT, CANCELED (*out tells what was used until then), SYSTEM; `sys` is the errno.  The text
 * names the part of the step: "mount tmpfs on /run/x: ...", "start /bin/foo: not in the image". */
NODISCARD int sandbox_run(struct sandbox *sb, const struct step_plan *plan, struct step_result *out,
                          struct err *err);

/* ---- which tiers this place permits: `kiln doctor` ---- */

enum { SANDBOX_TIERS = 3 };
struct sandbox_report {
    const char *tier; /* "namespace", "chroot", "translate": the best first */
    bool is_possible;
    char text[512];   /* what it gives here, or why it is not possible */
    char remedy[512]; /* one line; "" when there is none or none is needed */
};
/* Finds out by trying, in children.  The process must have one thread and need not have entered
 * any namespace. */
void sandbox_probe(struct sandbox_report out[SANDBOX_TIERS]);
