/* engine/snapshot/driver.h - how a chain of layers becomes a folder, and a changed folder a layer.
 *
 * snapshot.c and its neighbours know nodes, ids, the database and blobs; a driver knows folders.
 * Two drivers exist: `overlay` (a folder for each layer, mounted over each other) and `directory`
 * (one plain folder that steps change).  Inside the room only.
 *
 * Threads: every function may be called by several threads, for different views and works. */
#pragma once
#include "engine/snapshot/internal.h"
#include "image/layer/tar_writer.h"

struct view {
    struct snapshots *all;
    struct snapshot *of; /* owned; NULL: the empty folder */
    char *path;          /* owned, absolute; set by the driver */
    int fd;              /* owned */
    void *state;         /* the driver's */
};

struct work {
    struct snapshots *all;
    struct snapshot *parent; /* owned, or NULL */
    char *path;              /* owned, absolute; set by the driver */
    int fd;                  /* owned; opened after the driver's work_open */
    bool is_done;            /* committed */
    void *state;             /* the driver's */
};

/* What a committed work leaves. */
struct commit {
    char *folder;           /* below snapshots/, to be renamed to its place; NULL: none; owned */
    struct layer_ref layer; /* the uncompressed tar when there is one; blob.media_type NULL: none */
    uint64_t size;          /* bytes on disk */
};

struct snapshot_driver {
    const char *name;
    /* Whether it works here, found by trying; makes s->state.  Fails: UNSUPPORTED. */
    int (*open)(struct snapshots *s, struct err *err);
    void (*close)(struct snapshots *s);
    /* Sets path and state. */
    int (*view_open)(struct view *v, const struct cancel *cancel, struct err *err);
    void (*view_close)(struct view *v); /* also half-opened ones */
    int (*work_open)(struct work *w, const struct cancel *cancel, struct err *err);
    int (*work_commit)(struct work *w, const struct cancel *cancel, struct commit *out,
                       struct err *err);
    /* Called once the snapshot has its id: the work's folder may stand for it from now on.  May be
     * NULL. */
    void (*work_became)(struct work *w, struct snapshot *s);
    void (*work_close)(struct work *w); /* also half-opened and committed ones */
    /* Writes the uncompressed tar of a step's top layer to `out` without finishing it. */
    int (*layer_write)(struct snapshot *s, const struct tar_writer_options *tar,
                       const struct cancel *cancel, struct writer *out, struct err *err);
};

extern const struct snapshot_driver overlay_driver, directory_driver;
