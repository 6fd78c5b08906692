/* engine/source/internal.h - the inside of a tree. */
#pragma once
#include "engine/source/tree.h"

struct tree {
    int root_fd;
    bool owns_fd;
    bool is_context;
    struct id_map ids; /* of a folder */
    bool has_ids;
    const struct pattern_list *ignore; /* borrowed; NULL: nothing is hidden */
    struct store *store;               /* borrowed; NULL: no digests are remembered */
};

/* Attributes of `name` in an open folder of the tree; in a context the owner is 0:0. */
NODISCARD int tree_stat(const struct tree *t, int dir_fd, const char *name, struct node_stat *out,
                        struct err *err);

/* Makes the table; drops rows older than a month. */
NODISCARD int index_open(struct store *st, struct err *err);
/* The remembered records of files: all calls between index_begin() and index_end() are one
 * transaction. */
NODISCARD int index_begin(struct store *st, struct err *err);
NODISCARD int index_find(struct store *st, const struct node_stat *file, struct digest *out,
                         bool *is_there, struct err *err);
NODISCARD int index_put(struct store *st, const struct node_stat *file, const struct digest *d,
                        struct err *err);
NODISCARD int index_end(struct store *st, struct err *err);

/* Called for each entry in the order of the walk; not from other threads. */
typedef int (*record_fn)(void *arg, const char *path, const struct node_stat *stat,
                         const struct digest *record, struct err *err);
struct record_walk {
    record_fn take;
    void *arg;
    const struct pattern_list *include, *exclude; /* as tree_walk takes them */
    struct pool *pool;                            /* may be NULL */
    const struct cancel *cancel;
};
/* Walks like tree_walk() and finds the record of every entry but sockets. */
NODISCARD int tree_record(const struct tree *t, const char *path, const struct record_walk *how,
                          struct err *err);
