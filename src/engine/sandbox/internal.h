/* engine/sandbox/internal.h - what the files of the sandbox share.
 *
 * Three processes: kiln itself (run.c, stubs.c: many threads), the launcher (launcher.c: one, made
 * by sandbox_start()), and for each step an init (namespace.c, rootfs.c, init.c), whose child
 * becomes the program (program.c).  A step has one SOCK_SEQPACKET pair: kiln holds one end; the
 * launcher and the init hold the other.
 *
 * A request to the launcher is a `struct step_request` with descriptors: the step's socket, a memfd
 * with the plan (plan.c), then those that the plan names by number.  What comes back on the step's
 * socket are `struct step_message`s; its end means that nothing of the step is left. */
#pragma once
#include <stdatomic.h>

#include "base/core/arena.h"
#include "base/core/buf.h"
#include "base/core/vec.h"
#include "base/sys/user.h"
#include "engine/sandbox/sandbox.h"

/* Closes once: *fd is -1 afterwards.  Keeps errno. */
static inline void fd_close(int *fd)
{
    auto_close_fd(fd);
    *fd = -1;
}

struct sandbox {
    const struct sandbox_tier_ops *tier;
    pid_t launcher;
    int socket; /* owned: requests; its other end closes when the launcher dies */
    atomic_uint_fast64_t n_steps;
};

/* ---- messages (message.c) ---- */

enum { STEP_MAX_FDS = 250 }; /* the kernel passes 253 at once */

struct step_request {
    uint64_t number;    /* of the step, for names of cgroups */
    bool has_network;   /* a network namespace of its own */
    bool has_resources; /* a cgroup of its own */
    char cgroup_parent[256];
};

enum step_message_type {
    STEP_SIGNAL,   /* to the init: `value` for the program */
    STEP_KILL,     /* to the init: end everything */
    STEP_FAILED,   /* from the init or the program's process: `err` */
    STEP_TERMINAL, /* from the init, with the master's descriptor */
    STEP_ENDED,    /* from the init: `value` is the program's wait status; use */
    STEP_GONE,     /* from the launcher: `value` is the init's wait status; use */
};
struct step_message {
    enum step_message_type type;
    int value;
    uint64_t user_us, sys_us, peak_memory;
    bool was_oom_killed;
    unsigned not_applied;
    struct err err; /* STEP_FAILED */
};

/* Sends bytes and up to STEP_MAX_FDS descriptors as one message; the descriptors stay open here.
 * Fails by errno. */
NODISCARD int frame_send(int socket, struct span bytes, const int *fds, size_t n_fds,
                         struct err *err);
/* Takes one message of at most `size` bytes; *got 0 is the end.  fds[] has room for STEP_MAX_FDS;
 * what came is the caller's. */
NODISCARD int frame_receive(int socket, void *to, size_t size, size_t *got, int *fds, size_t *n_fds,
                            struct err *err);
/* A message whose receiver may be gone: nothing to do about it then.  fd -1: none. */
void message_send(int socket, const struct step_message *m, int fd);
/* *is_end true: nothing more comes.  *fd -1 when none came. */
NODISCARD int message_receive(int socket, struct step_message *m, int *fd, bool *is_end,
                              struct err *err);

/* ---- plans as bytes (plan.c) ---- */

/* Descriptors go into fds[] and become numbers; -1 stays. */
NODISCARD int plan_encode(const struct step_plan *plan, struct buf *out, int fds[STEP_MAX_FDS],
                          size_t *n_fds, struct err *err);
/* Everything in *out lives in `arena`; descriptors are those of fds[]. */
NODISCARD int plan_decode(struct span bytes, const int *fds, size_t n_fds, struct arena *arena,
                          struct step_plan *out, struct err *err);
/* Refuses what makes no sense.  Fails: INVALID, LIMIT. */
NODISCARD int plan_check(const struct step_plan *plan, struct err *err);

/* ---- mount points (point.c) ---- */

/* A file or folder that was made to mount on. */
struct stub {
    int parent_fd; /* owned */
    char *name;    /* owned */
    bool is_dir;
    bool is_parent;                      /* made on the way to a mount point */
    bool is_kept_as_parent;              /* stays when it is_parent */
    struct timespec before[2], after[2]; /* atime and mtime of the parent folder around it */
};
struct stubs {
    struct stub *items; /* owned; parents before what is in them */
    size_t n, cap;
};
/* Opens (O_PATH) `dest` inside root_fd; what is missing is made: folders 0755, a file 0644.
 * `stubs` NULL: nobody wants to know.  Fails by errno, INVALID for "..". */
NODISCARD int point_open(int root_fd, const char *dest, bool is_dir, struct stubs *stubs, int *out,
                         struct err *err);
/* Takes away those that are still empty, the last first; frees all. */
void stubs_remove(struct stubs *stubs);

/* ---- mounting (mount.c) ---- */

/* mount(2) onto an open folder or file. */
NODISCARD int mount_on(int target_fd, const char *type, unsigned long flags, const char *data);
/* A detached copy of the mount at `path` below dir_fd ("": dir_fd itself), with those below it. */
NODISCARD int tree_clone(int dir_fd, const char *path, bool is_recursive, int *out);
NODISCARD int tree_attach(int tree_fd, int target_fd);
NODISCARD int tree_make_readonly(int tree_fd, bool is_recursive); /* attached before */
/* Device nodes in it open nothing (EACCES): a step that is root can make one of any disk. */
NODISCARD int tree_forbid_devices(int tree_fd, bool is_recursive); /* attached before */
/* `path` below source_fd (an open folder) bound onto target_fd. */
NODISCARD int bind_on(int source_fd, const char *path, int target_fd, bool is_readonly);

/* ---- the place (place.c): what the launcher finds out once ---- */

enum { CGROUP_CONTROLLERS = 4 }; /* memory, cpu, cpuset, pids */
struct cgroup_place {
    int version;                   /* 0: none that is writable, 1, 2 */
    int roots[CGROUP_CONTROLLERS]; /* owned, version 1: a folder for each; version 2: roots[0] */
};
struct sandbox_place {
    struct id_map ids;
    bool has_pid_namespace; /* a new /proc may be mounted */
    bool has_cgroup2_mount; /* /sys/fs/cgroup is one */
    struct cgroup_place cgroups;
    pid_t launcher;
};

/* ---- one step in its own process ---- */

struct step_job {
    const struct sandbox_place *place;  /* borrowed */
    const struct step_request *request; /* borrowed */
    int socket;                         /* ours towards kiln */
    struct arena *arena;
    struct step_plan plan;
    int root;              /* the mount of the root file system */
    int null;              /* its /dev/null, for masking; -1 before */
    int *sources;          /* of the plan's mounts; -1 where there is none */
    int terminal;          /* the program's side; -1: none */
    int emulator;          /* open, of plan.architecture; -1: none is needed or there */
    char no_emulator[320]; /* why programs of plan.architecture cannot run, and the remedy; "" */
    unsigned not_applied;
};

/* A way to shut a step in.  The tables are in sandbox.c, the best first. */
struct sandbox_tier_ops {
    const char *name;
    /* Tries in a child; fills all of *out but the name. */
    void (*probe)(struct sandbox_report *out);
    /* Once, in the launcher, before its first step. */
    int (*prepare)(struct sandbox_place *place, struct err *err);
    /* In the launcher: makes the step's init, which goes on in step_main() of its tier.  Returns
     * its pid in *out. */
    int (*spawn)(const struct sandbox_place *place, const struct step_request *request,
                 const int *fds, size_t n_fds, pid_t *out, struct err *err);
};
extern const struct sandbox_tier_ops namespace_tier;

/* launcher.c: never returns.  `socket` is the end of kiln's requests. */
_Noreturn void launcher_main(const struct sandbox_tier_ops *tier, int socket);
/* Closes every descriptor from 3 on but those in keep[]. */
void fds_close_but(const int *keep, size_t n_keep);
/* The name of a step's cgroup. */
void cgroup_name(const struct sandbox_place *place, const struct step_request *request, char *name,
                 size_t size);

/* rootfs.c, dev.c: mounts all of a step, in its own mount namespace, and makes it the root. */
NODISCARD int rootfs_collect(struct step_job *job, struct err *err); /* before that namespace */
NODISCARD int rootfs_enter(struct step_job *job, struct err *err);
NODISCARD int dev_mount(struct step_job *job, struct err *err);
NODISCARD int kernel_mount(struct step_job *job, struct err *err); /* /proc and /sys */
NODISCARD int kernel_mask(struct step_job *job, struct err *err);
NODISCARD int terminal_open(struct step_job *job, struct err *err);

/* init.c: starts the program and waits; never returns. */
_Noreturn void init_main(struct step_job *job);
/* Kills all processes of the step but the calling one and reaps them. */
void init_kill_rest(bool has_pid_namespace);
/* Kills the children of this process but those in keep[].  Returns how many there were. */
size_t children_kill(const pid_t *keep, size_t n_keep);

/* program.c: becomes the program; never returns. */
_Noreturn void program_main(struct step_job *job);
NODISCARD int caps_drop_bounding(struct err *err);
NODISCARD int caps_keep_default(struct err *err);
/* scope.c: no signal leaves the calling process and those it will make. */
NODISCARD int signals_confine(struct err *err);
/* Why execve() of `path` failed with the errno `code`; `no_emulator` as in the job. */
int program_explain(const char *path, int code, const char *no_emulator, struct err *err);

/* emulate.c: before the step's mount namespace, and, in the program's process, before it becomes
 * what the program is to be. */
void emulator_find(struct step_job *job);
void emulator_enter(struct step_job *job);

/* seccomp.c */
NODISCARD int filter_install(struct err *err);

/* cgroup.c */
void cgroup_find(struct cgroup_place *out); /* what is writable; nothing fails */
/* Puts the calling process into a new group with the plan's limits; *not_applied gets what could
 * not be had. */
void cgroup_enter(const struct cgroup_place *place, const char *name,
                  const struct step_resources *r, unsigned *not_applied);
/* After the last process: takes the group away; true when its memory limit killed somebody. */
bool cgroup_leave(const struct cgroup_place *place, const char *parent, const char *name);
