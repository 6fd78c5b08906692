/* image/layer/internal.h - what apply and pack share: parent folders kept open, a table of numbers.
 *
 * Threads: objects of one thread. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/core/err.h"
#include "base/core/own.h"
#include "base/core/span.h"

/* ---- 64-bit keys to 64-bit values ---- */

struct id_table {
    struct id_slot {
        uint64_t key, value;
        bool is_used;
    } * slots; /* owned; born zeroed */
    size_t n, n_slots;
};
void id_table_clear(struct id_table *t);
void id_table_set(struct id_table *t, uint64_t key, uint64_t value);
/* False when the key is not there; *value may be NULL. */
bool id_table_find(const struct id_table *t, uint64_t key, uint64_t *value);
/* A key for a name in the folder with this inode number. */
uint64_t id_of_name(uint64_t folder_ino, const char *name);

/* ---- folders kept open ---- */

/* A folder below the root by the path it was asked by. */
struct folder {
    char *path; /* owned */
    int fd;     /* owned, O_PATH: good for the *at calls; -1 for an unused slot */
    uint64_t ino, dev;
    struct timespec mtime; /* when it was opened */
    bool is_setgid;        /* what is made inside inherits `gid` */
    gid_t gid;
    uint64_t last_use;
};

enum { N_FOLDERS = 8 };

/* The folders used last, so that a row of files in one folder costs no look-up. */
struct folders {
    int root_fd; /* borrowed */
    struct folder items[N_FOLDERS];
    uint64_t clock;
};
void folder_clear(struct folder *d); /* closes one; its slot is free then */
void folders_init(struct folders *f, int root_fd);
void folders_clear(struct folders *f);
/* The folder if it is open already, else NULL. */
struct folder *folders_find(struct folders *f, struct span path);
/* Opens it, following symlinks inside the root.  *out is borrowed until eight others were opened.
 * Fails: NOT_FOUND (not there, or its parent is no folder), INVALID (no folder), by errno. */
NODISCARD int folders_open(struct folders *f, struct span path, struct folder **out,
                           struct err *err);
/* Keeps `fd`, an O_PATH descriptor, under `path`; takes fd. */
NODISCARD int folders_keep(struct folders *f, struct span path, int fd, struct folder **out,
                           struct err *err);
/* Closes all: to be called when a folder or symlink was removed or a folder's attributes changed.
 */
void folders_forget(struct folders *f);

/* Cuts `path` at its last "/": the folder's path ("" for the root), and the last name. */
struct span path_parent(const char *path);
const char *path_name(const char *path);
