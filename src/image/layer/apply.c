/* image/layer/apply.c - a layer's entries, one after another; see apply.h. */
#include "image/layer/apply.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "image/layer/apply_state.h"
#include "image/layer/node.h"
#include "image/layer/whiteout.h"

void layer_apply_result_clear(struct layer_apply_result *r)
{
    str_list_clear(&r->implied_parents);
    *r = (struct layer_apply_result){ 0 };
}

/* ---- hard links ---- */

static int no_target(struct apply *a, const struct tar_entry *e, struct err *err)
{
    if (!apply_is_overlay(a))
        return err_set(err, ERR_INVALID, "hard link to %s: there is no such file", e->link);
    a->out->needs_lower = true;
    return err_set(err, ERR_UNSUPPORTED, "hard link to %s: not in this layer", e->link);
}

/* What is in the way of a link: nothing to do when it is the target itself. */
static int clear_link(struct apply *a, const struct tar_entry *e, struct folder *in,
                      const struct stat *target, bool *is_done, struct err *err)
{
    struct stat st;
    bool was_whiteout;
    const char *name = path_name(e->path);
    if (fstatat(in->fd, name, &st, AT_SYMLINK_NOFOLLOW))
        return err_sys(err, "stat");
    *is_done = st.st_ino == target->st_ino && st.st_dev == target->st_dev;
    return *is_done ? 0 : apply_clear_way(a, in, name, &was_whiteout, err);
}

static int hard_link(struct apply *a, struct folder *in, const struct tar_entry *e, struct err *err)
{
    struct folder *from;
    struct stat target;
    const char *name = path_name(e->path), *from_name = path_name(e->link);
    if (!*from_name)
        return err_set(err, ERR_INVALID, "hard link to the root");
    if (apply_find_parent(a, path_parent(e->link), &from, err))
        return -1;
    if (!from || fstatat(from->fd, from_name, &target, AT_SYMLINK_NOFOLLOW))
        return no_target(a, e, err);
    if (S_ISDIR(target.st_mode))
        return err_set(err, ERR_INVALID, "hard link to %s: that is a folder", e->link);
    if (apply_is_overlay(a) && apply_is_whiteout(&target))
        return err_set(err, ERR_INVALID, "hard link to %s: this layer removes it", e->link);
    if (linkat(from->fd, from_name, in->fd, name, 0) == 0)
        return 0;
    bool is_done = false;
    if (errno != EEXIST)
        return err_sys(err, "hard link to %s", e->link);
    if (clear_link(a, e, in, &target, &is_done, err) || is_done)
        return is_done ? 0 : -1;
    /* Clearing may have closed the target's folder, or removed the target. */
    if (apply_find_parent(a, path_parent(e->link), &from, err))
        return -1;
    if (!from)
        return no_target(a, e, err);
    if (linkat(from->fd, from_name, in->fd, name, 0))
        return err_sys(err, "hard link to %s", e->link);
    return 0;
}

/* ---- entries ---- */

static int apply_removal(struct apply *a, const char *path, enum whiteout_kind kind,
                         const char *name, struct err *err)
{
    struct folder *in;
    struct span parent = path_parent(path);
    if (kind == WHITEOUT_META)
        return 0;
    if (kind == WHITEOUT_OPAQUE)
        return apply_remove_content(a, parent, err);
    if (apply_is_overlay(a))
        return apply_open_parent(a, parent, &in, err) ? -1 : apply_remove_name(a, in, name, err);
    if (apply_find_parent(a, parent, &in, err))
        return -1;
    return in ? apply_remove_name(a, in, name, err) : 0;
}

static int make_entry(struct apply *a, struct folder *in, const struct tar_entry *e,
                      struct err *err)
{
    switch (e->type) {
    case TAR_FILE:
        return apply_file(a, in, e, err);
    case TAR_FOLDER:
        return apply_folder(a, in, e, err);
    case TAR_SYMLINK:
        return apply_symlink(a, in, e, err);
    case TAR_HARD_LINK:
        return hard_link(a, in, e, err);
    default:
        return apply_special(a, in, e, err);
    }
}

static int apply_entry(struct apply *a, const struct tar_entry *e, struct err *err)
{
    enum whiteout_kind kind = WHITEOUT_NONE;
    const char *name = NULL;
    struct folder *in;
    if (a->options->form != LAYER_PLAIN) {
        if (whiteout_parse(e->path, &kind, &name, err))
            return -1;
        /* Written by tools that pack an overlay's upper folder as it is; overlayfs would take it
         * so. */
        if (kind == WHITEOUT_NONE && e->type == TAR_CHAR_DEVICE && !e->dev_major && !e->dev_minor) {
            kind = WHITEOUT_NAME;
            name = path_name(e->path);
        }
    }
    if (kind != WHITEOUT_NONE)
        return apply_removal(a, e->path, kind, name, err);
    if (!*e->path && e->type != TAR_FOLDER)
        return err_set(err, ERR_INVALID, "the root as a %s", tar_type_name(e->type));
    if (apply_open_parent(a, path_parent(e->path), &in, err))
        return -1;
    uint64_t ino = in->ino;
    if (make_entry(a, in, e, err))
        return -1;
    if (a->options->form == LAYER_MERGED && *e->path)
        id_table_set(&a->made, id_of_name(ino, path_name(e->path)), 0);
    return 0;
}

static int apply_all(struct apply *a, struct err *err)
{
    const struct tar_entry *e;
    for (;;) {
        if (cancel_check(a->options->cancel, err) || tar_reader_next(a->tar, &e, err))
            return -1;
        if (!e)
            break;
        a->out->n_entries++;
        if (apply_entry(a, e, err))
            return err_wrap(err, "%s", *e->path ? e->path : "/");
    }
    if (tar_reader_drain(a->tar, err) || apply_folder_times(a, err))
        return -1;
    return apply_report_implied(a, err);
}

/* ---- start and end ---- */

/* The umask, which can be read only by setting it, but for this file. */
static mode_t read_umask(void)
{
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    struct err ignored = { 0 };
    buf_init(&text, 64 * KIB);
    mode_t mask = 0777; /* unknown: then nothing is born right */
    if (fs_read_file(AT_FDCWD, "/proc/self/status", &text, &ignored))
        return mask;
    const char *line = strstr(text.data, "\nUmask:");
    return line ? (mode_t)strtoul(line + 7, NULL, 8) & 0777 : mask;
}

static int apply_init(struct apply *a, struct reader *tar, int root_fd, struct err *err)
{
    struct stat root;
    if (fstat(root_fd, &root))
        return err_sys(err, "stat the root");
    if (!S_ISDIR(root.st_mode))
        return err_set(err, ERR_INVALID, "the root is no folder");
    a->umask = read_umask();
    a->euid = geteuid();
    a->egid = getegid();
    a->can_chown = a->euid == 0 && !(a->options->ids && a->options->ids->is_single);
    a->is_shut_out = node_is_shut_out();
    a->tar = tar_reader_new(tar);
    if (a->options->on_file)
        a->hasher = hasher_new(DIGEST_SHA256);
    folders_init(&a->folders, root_fd);
    /* All ways up end at the root. */
    id_table_set(&a->holders, root.st_ino, 0);
    return 0;
}

static void apply_clear(struct apply *a)
{
    tar_reader_free(a->tar);
    hasher_free(a->hasher);
    folders_clear(&a->folders);
    vec_each (&a->times, t)
        free(t->path);
    vec_clear(&a->times);
    id_table_clear(&a->time_of);
    id_table_clear(&a->holders);
    id_table_clear(&a->made);
    id_table_clear(&a->implied_at);
    str_list_clear(&a->implied);
}

int layer_apply(struct reader *tar, int root_fd, const struct layer_apply_options *options,
                struct layer_apply_result *out, struct err *err)
{
    struct apply a = { .options = options, .out = out };
    folders_init(&a.folders, root_fd);
    int result = apply_init(&a, tar, root_fd, err) || apply_all(&a, err) ? -1 : 0;
    apply_clear(&a);
    return result;
}
