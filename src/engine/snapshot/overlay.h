/* engine/snapshot/overlay.h - what the files of the overlay driver share. */
#pragma once
#include "engine/snapshot/driver.h"

/* Has the folder of every layer of the chain: fetched, unpacked, in its place. */
NODISCARD int overlay_ready(struct snapshot *top, const struct cancel *cancel, struct err *err);

/* A chain with a fresh upper folder in a place of its own: PLACE/fs, mounted on PLACE/root. */
struct overlay_work {
    char *place; /* owned, below snapshots/ */
    char *root;  /* owned, absolute; NULL: not mounted */
};
/* `parent` (NULL: scratch) is ready.  The upper's root gets the attributes of the parent's. */
NODISCARD int overlay_work_mount(struct snapshots *s, struct snapshot *parent,
                                 struct overlay_work *out, struct err *err);
/* Leaves PLACE with nothing but fs. */
void overlay_work_unmount(struct snapshots *s, struct overlay_work *w);
void overlay_work_clear(struct snapshots *s, struct overlay_work *w); /* removes PLACE */

/* After the OVERLAY form was applied to the folder open as layer_fd: its implied parents become
 * what the chain below says.  `parent` is ready. */
struct str_list;
NODISCARD int overlay_mend(struct snapshot *parent, int layer_fd, const struct str_list *implied,
                           const struct cancel *cancel, struct err *err);
/* Gives the folder to/"." owner, mode and mtime of from/path. */
NODISCARD int copy_attributes(int from_fd, const char *from, int to_fd, const char *to,
                              struct err *err);

/* What the upper folder changes in the lower tree (lower_fd -1: an empty one). */
struct change_list;
NODISCARD int overlay_diff(struct snapshots *s, int upper_fd, int lower_fd,
                           const struct cancel *cancel, struct change_list *out, struct err *err);
