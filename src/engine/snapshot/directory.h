/* engine/snapshot/directory.h - what the files of the directory driver share. */
#pragma once
#include <sys/stat.h>

#include "engine/snapshot/directory_table.h"
#include "engine/snapshot/driver.h"

/* One plain folder with the content of a chain, and the table of it. */
struct root {
    char *place;         /* owned, below snapshots/ */
    int fd;              /* owned: PLACE/fs */
    struct table *table; /* owned */
    /* guarded by all->lock */
    struct snapshot *at;       /* owned reference: what it holds; NULL: nothing */
    size_t n_views;            /* and copies being made of it: nobody may change it */
    bool is_taken;             /* by a work, or while it is made */
    struct snapshot *becoming; /* borrowed: what it is being made into */
};

NODISCARD int root_new(struct snapshots *s, struct root **out, struct err *err);
void root_free(struct snapshots *s, struct root *r);
/* Makes an empty root a copy of `from`. */
NODISCARD int root_copy(struct snapshots *s, struct root *r, struct root *from,
                        const struct cancel *cancel, struct err *err);
/* Applies the layers between r->at and `target`. */
NODISCARD int root_advance(struct snapshots *s, struct root *r, struct snapshot *target,
                           const struct cancel *cancel, struct err *err);

/* Copies a regular file with all its attributes. */
NODISCARD int directory_copy_file(int from_fd, const char *from, int to_fd, const char *to,
                                  const struct stat *st, struct err *err);
/* Copies what is in one folder to another one, which is empty; names of one file become files of
 * their own. */
NODISCARD int directory_copy_tree(int from_fd, int to_fd, const struct cancel *cancel,
                                  struct err *err);
