/* engine/snapshot/directory_table.h - what a folder looked like, to see what a step changed.
 *
 * The table is a tree of entries like the folder itself.  An update walks the folder, one task for
 * each sub-folder: a file whose inode and ctime are as they were is unchanged without another look
 * (a step cannot set ctime); the others are compared by the rule of change_rule.h, by the digest of
 * their content where all else is equal.  ctime has the grain of the kernel's clock: an entry that
 * was as young as that when it was noted is compared anyway.
 *
 * Threads: a table belongs to one thread; the walk uses the pool. */
#pragma once
#include "base/core/cancel.h"
#include "base/core/vec.h"
#include "engine/snapshot/internal.h"
#include "image/layer/change.h"

/* Digests of files by inode, noted while they were written. */
struct known_digest {
    uint64_t ino;
    size_t order; /* the last one counts */
    uint8_t bytes[32];
};
struct known_digests {
    struct known_digest *items;
    size_t n, cap;
};
void known_digests_sort(struct known_digests *k); /* before table_update() */
/* NULL when the inode is not there, or `k` is NULL. */
const struct known_digest *known_digests_find(const struct known_digests *k, uint64_t ino);

struct table;
struct table *table_new(void); /* of an empty folder */
struct table *table_copy(const struct table *t);
void table_free(struct table *t);
DEFINE_AUTO(struct table, table_free)

struct table_update {
    struct snapshots *all;
    int root_fd;
    const struct cancel *cancel;
    const struct known_digests *known; /* NULL: none */
    /* The folder is a copy of the one the table tells: what has the same metadata is the same. */
    bool is_copy;
    struct change_list *changes; /* sorted afterwards; NULL: not wanted */
    struct str_list *twins;      /* gets the files that have several names */
};
/* Tells what changed and makes the table what the folder is.  After a failure it is good for
 * nothing. */
NODISCARD int table_update(struct table *t, const struct table_update *u, struct err *err);
/* Gives each of these files an inode of its own and notes it.  Overlayfs does so when a file of a
 * lower layer is changed; here it is done before, so that a change to one name shows under the
 * others neither here nor there. */
NODISCARD int table_separate(struct table *t, int root_fd, const struct str_list *twins,
                             struct err *err);
