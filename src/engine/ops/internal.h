/* engine/ops/internal.h - what the operations share. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>

#include "base/codec/digest.h"
#include "base/codec/pattern.h"
#include "base/core/map.h"
#include "engine/ops/account.h"
#include "engine/ops/cdi.h"
#include "engine/ops/ops.h"
#include "engine/ops/ssh.h"

/* A snapshot, or the tree of a local source. */
struct ops_result {
    struct result base;
    struct snapshot *snapshot;   /* a reference; NULL for a tree */
    struct tree *tree;           /* owned; NULL for a snapshot */
    struct pattern_list *ignore; /* owned; of the tree */
};
/* Takes both. */
struct result *result_of_tree(struct tree *tree, struct pattern_list *ignore);

struct ops {
    struct ops_options o;
    atomic_bool has_steps;     /* the graph runs something */
    atomic_bool has_expected;  /* the sandbox was told */
    atomic_uint not_applied;   /* enum step_resource: asked for, not possible here */
    struct ssh_agents *agents; /* owned */
    struct op_table table;
    struct op_impl source, exec, file, merge, diff;
    pthread_mutex_t lock; /* guards answers */
    struct map answers;   /* digest of a source's vertex -> what its key() learned; owned */
};

/* Something is being done, so the cache did not have all: steps of the graph are about to come. */
void ops_expect_steps(struct ops *ops);
void source_impl_init(struct op_impl *impl, struct ops *ops);
void exec_impl_init(struct op_impl *impl, struct ops *ops);
void file_impl_init(struct op_impl *impl, struct ops *ops);
void merge_impl_init(struct op_impl *impl, struct ops *ops);
void diff_impl_init(struct op_impl *impl, struct ops *ops);

/* A result opened for reading: its tree, and the view that is under it. */
struct opened {
    struct tree *tree; /* borrowed from a local source's result, else owned */
    bool owns_tree;
    struct view *view; /* owned; NULL for a context */
};
NODISCARD int result_open(struct ops *ops, struct result *r, const struct cancel *cancel,
                          struct opened *out, struct err *err);
void opened_close(struct opened *o);

/* ---- file operations ---- */

struct copy_owner {
    bool is_set;
    uint32_t uid, gid;
};

/* One source of a copy, into a root that is being changed. */
struct copy_job {
    const struct tree *from;
    const char *src;  /* clean, relative to the tree; "" its root */
    const char *name; /* what it was found as, whose last part a folder gets it under; NULL: src */
    int to_fd;        /* the root */
    const struct op_action *action;
    struct copy_owner owner;
    const struct pattern_list *include, *exclude; /* relative to src; NULL: none */
    const struct id_map *ids;
    const struct cancel *cancel;
};
/* Copies a file, link, device or folder with all below it.  Fails: EXISTS/INVALID where a folder
 * meets something else, SYSTEM, each naming the path. */
NODISCARD int copy_run(const struct copy_job *job, struct err *err);
/* Unpacks `src` when it is an archive (tar, plain or compressed); *did false: it is none. */
NODISCARD int unpack_run(const struct copy_job *job, bool *did, struct err *err);
/* A symbolic mode ("u=rwX,go=rX") applied to one that a file has. */
NODISCARD int mode_apply(const char *text, mode_t old, bool is_folder, mode_t *out,
                         struct err *err);

/* Paths into a root, for all of these: symlinks are followed inside it. */
struct new_folder {
    mode_t mode;
    struct copy_owner owner;
    int64_t timestamp_ns; /* or TIMESTAMP_NONE */
};
/* mkdir -p; only folders that are made get the attributes. */
NODISCARD int make_folders(int root_fd, const char *path, const struct new_folder *f,
                           struct err *err);
/* The path without a symlink as its last part, whether or not anything is there: "/..." owned by
 * the caller. */
char *follow_links(int root_fd, const char *path);
/* Of `name` in an open folder, not followed. */
NODISCARD int set_time(int dir_fd, const char *name, struct timespec t, struct err *err);
/* A forced time, which the folder gets too: making `name` changed it. */
NODISCARD int set_timestamp(int dir_fd, const char *name, int64_t timestamp_ns, struct err *err);
struct timespec timespec_of(int64_t timestamp_ns);

/* ---- steps ---- */

/* What a step's mounts need while it runs. */
struct exec_mounts;
NODISCARD int exec_mounts_open(struct ops *ops, const struct op_run *run, struct exec_mounts **out,
                               struct err *err);
const char *exec_mounts_root(const struct exec_mounts *m); /* path of the root file system */
int exec_mounts_root_fd(const struct exec_mounts *m);
const struct step_mount *exec_mounts_list(const struct exec_mounts *m, size_t *n);
/* The changed mounts become the outputs. */
NODISCARD int exec_mounts_commit(struct exec_mounts *m, const struct op_run *run, struct err *err);
void exec_mounts_close(struct exec_mounts *m);
DEFINE_AUTO(struct exec_mounts, exec_mounts_close)
/* Who serves the step's mounts from our side. */
const struct step_service *exec_mounts_services(const struct exec_mounts *m, size_t *n);

/* exec_grants.c: refuses what the build was not granted.  Fails: DENIED, NOT_FOUND (a device). */
NODISCARD int exec_check_grants(const struct ops *ops, const struct op_exec *e, struct err *err);
/* What the step's devices bring; those that are optional and not there bring nothing. */
NODISCARD int exec_find_devices(const struct ops *ops, const struct op_exec *e,
                                struct cdi_edits *out, struct err *err);

/* The bytes of a secret.  *is_there false: nobody gave one of that id. */
NODISCARD int secret_read(const struct ops *ops, const char *id, struct buf *out, bool *is_there,
                          struct err *err);
