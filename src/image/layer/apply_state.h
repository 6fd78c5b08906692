/* image/layer/apply_state.h - an apply from the inside: what apply.c (entries), apply_file.c
 * (content and attributes), apply_parents.c (the way to an entry) and apply_whiteout.c share.
 * Inside the room only. */
#pragma once
#include <sys/stat.h>

#include "base/core/vec.h"
#include "image/layer/apply.h"
#include "image/layer/internal.h"
#include "image/layer/tar_reader.h"

/* The mtime a folder is to have in the end, whatever happens inside it until then. */
struct folder_time {
    char *path; /* owned; any that leads to the folder */
    uint64_t ino;
    struct timespec mtime;
};

struct apply {
    const struct layer_apply_options *options;
    struct layer_apply_result *out;
    struct tar_reader *tar;
    struct folders folders;
    struct hasher *hasher; /* NULL: nobody wants digests */
    mode_t umask;          /* of the process: what open and mkdir will not set */
    uid_t euid;
    gid_t egid;
    bool can_chown, is_shut_out; /* the latter: node_is_shut_out() */
    struct {
        struct folder_time *items;
        size_t n, cap;
    } times;
    struct id_table time_of; /* inode number of a folder: index into `times` */
    /* Folders in which, or somewhere below which, this layer has something, by inode number. */
    struct id_table holders;
    /* Names that this layer made, by id_of_name(); LAYER_MERGED only. */
    struct id_table made;
    bool is_stale; /* a removal took a folder or symlink: open folders may not be theirs any more */
    struct str_list implied;    /* real paths, unsorted; "" for one that got its entry later */
    struct id_table implied_at; /* inode number: index into `implied` */
};

static inline bool apply_is_overlay(const struct apply *a)
{
    return a->options->form == LAYER_OVERLAY || a->options->form == LAYER_OVERLAY_USER;
}

/* ---- apply_parents.c ---- */

/* Opens the folder an entry goes to, making what is missing on the way. */
NODISCARD int apply_open_parent(struct apply *a, struct span path, struct folder **out,
                                struct err *err);
/* The same without making anything; *out NULL when it is not there or no folder. */
NODISCARD int apply_find_parent(struct apply *a, struct span path, struct folder **out,
                                struct err *err);
/* A folder is about to hold something of this layer, or to lose something: its mtime of now will be
 * its own again in the end, unless an entry gives another. */
NODISCARD int apply_touch(struct apply *a, const struct folder *folder, struct err *err);
/* A folder shall have this mtime in the end; overrides what was said before. */
void apply_set_time(struct apply *a, const char *path, uint64_t ino, struct timespec mtime);
NODISCARD int apply_folder_times(struct apply *a, struct err *err);
/* This folder has an entry: it is no implied one. */
void apply_not_implied(struct apply *a, uint64_t ino);
/* Fills out->implied_parents. */
NODISCARD int apply_report_implied(struct apply *a, struct err *err);

/* ---- apply_file.c ---- */

NODISCARD int apply_file(struct apply *a, struct folder *in, const struct tar_entry *e,
                         struct err *err);
NODISCARD int apply_folder(struct apply *a, struct folder *in, const struct tar_entry *e,
                           struct err *err);
NODISCARD int apply_symlink(struct apply *a, struct folder *in, const struct tar_entry *e,
                            struct err *err);
NODISCARD int apply_special(struct apply *a, struct folder *in, const struct tar_entry *e,
                            struct err *err);

/* ---- apply_whiteout.c ---- */

/* Takes away what is in the way of a new entry; *was_whiteout says that it was one of this layer.
 */
NODISCARD int apply_clear_way(struct apply *a, struct folder *in, const char *name,
                              bool *was_whiteout, struct err *err);
NODISCARD int apply_remove_name(struct apply *a, struct folder *in, const char *name,
                                struct err *err);
/* Removes what the layers below have in the folder at `path`, or marks it opaque. */
NODISCARD int apply_remove_content(struct apply *a, struct span path, struct err *err);
/* Marks the folder dir_fd/name opaque for overlayfs. */
NODISCARD int apply_set_opaque(struct apply *a, int dir_fd, const char *name, struct err *err);
bool apply_is_whiteout(const struct stat *st); /* character device 0:0 */
