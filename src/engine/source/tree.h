/* engine/source/tree.h - a file tree to read from: a build context or a snapshot, behind one set of
 * questions.
 *
 * A tree is an open folder, and for a build context the patterns of .dockerignore that hide parts
 * of it.  Copying and content digests work on trees and never ask where one came from.
 *
 * A content digest is BuildKit's content checksum, so that caches may travel: it covers, for every
 * entry below a path, name, type, permission bits, owner (0:0 in a context), size, link target,
 * device, extended attributes that a layer would hold, and content; no time.  Records of regular
 * files are remembered by (device, inode, size, mtime, ctime) in the store, so that a second look
 * at an unchanged tree is one statx per file and no read.  Files as young as the clock's grain are
 * not remembered.
 *
 * Threads: a tree may be read by several threads. */
#pragma once
#include "base/codec/pattern.h"
#include "base/core/cancel.h"
#include "base/core/pool.h"
#include "base/core/vec.h"
#include "image/layer/node.h"
#include "image/store/store.h"

struct tree;
/* A build context at `path`.  `ignore` (may be NULL) is borrowed as long as the tree lives, as `st`
 * is. Fails: NOT_FOUND (no such folder), SYSTEM. */
NODISCARD int tree_of_context(struct store *st, const char *path, const struct pattern_list *ignore,
                              struct tree **out, struct err *err);
/* Everything below an open folder, which is borrowed; `ids` as node_stat() takes it.  No digests
 * are remembered: an inode of a mounted overlay is another one next time. */
struct tree *tree_of_folder(int root_fd, const struct id_map *ids);
void tree_free(struct tree *t);
DEFINE_AUTO(struct tree, tree_free)

int tree_fd(const struct tree *t); /* borrowed */
bool tree_is_context(const struct tree *t);
/* Whether the path (relative, clean) is hidden, and by which line of the list (*line may be NULL).
 * A folder may be hidden although something below it is not. */
bool tree_hides(const struct tree *t, const char *path, int *line);

struct tree_entry {
    const char *path; /* relative to the tree's root, clean; "" the root */
    int dir_fd;       /* the folder that holds it, open (perhaps with O_PATH) while it is visited */
    const char *name; /* in that folder; "." the root */
    struct node_stat stat;
};
/* Returns 0 to go on, 1 to leave out a folder's content, -1 with `err` set to end. */
typedef int (*tree_visit_fn)(void *arg, const struct tree_entry *e, struct err *err);

struct tree_walk {
    tree_visit_fn visit;
    void *arg;
    /* Patterns relative to the start, which itself is never left out; each may be NULL: all, none.
     */
    const struct pattern_list *include, *exclude;
    const struct cancel *cancel;
};
/* Walks what is below `path` (that itself first), folders before their content, names sorted
 * bytewise; symlinks are not followed; what is hidden or filtered out is left out, but folders on
 * the way to something that is not are there. */
NODISCARD int tree_walk(const struct tree *t, const char *path, const struct tree_walk *how,
                        struct err *err);

/* Finds what a COPY source names: `path` with or without wildcards (Go's filepath.Match, per
 * component), the last component's symlink followed when `follows` (inside the root).  Gives clean
 * relative paths, sorted, no folder on the way a symlink; none is no error.  Fails: INVALID
 * (pattern), DENIED, SYSTEM. */
NODISCARD int tree_find(const struct tree *t, const char *path, bool has_wildcards, bool follows,
                        struct str_list *out, struct err *err);
/* The same in the order of the names that were found, and with these: names[i], before its symlinks
 * were followed, led to out[i]; two names may lead to one path. */
NODISCARD int tree_find_names(const struct tree *t, const char *path, bool has_wildcards,
                              bool follows, struct str_list *out, struct str_list *names,
                              struct err *err);

/* What an operation reads of a tree. */
struct tree_selector {
    const char *path; /* "" all; a leading '/' says nothing */
    bool follows;     /* a symlink as its last part */
    bool has_wildcards;
    const struct str_list *include, *exclude; /* patterns relative to the path; may be NULL */
};
struct tree_digest_options {
    struct pool *pool; /* may be NULL */
    const struct cancel *cancel;
    /* Told everything that is read but folders, with its own digest; may be NULL. */
    void (*seen)(void *arg, const char *path, const struct digest *d);
    void *seen_arg;
};
/* *out is not set when the path is not there; wildcards and patterns that choose nothing give the
 * digest of nothing.  Sockets count as not there; fifos and devices are never opened.
 * Fails: INVALID (pattern); CORRUPT when a file changes its size meanwhile; DENIED, SYSTEM,
 * CANCELED. */
NODISCARD int tree_digest(const struct tree *t, const struct tree_selector *s,
                          const struct tree_digest_options *o, struct digest *out, struct err *err);
