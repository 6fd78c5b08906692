/* engine/snapshot/overlay.c - the driver that mounts layers over each other.
 *
 * Each layer has a folder NAME/fs in overlayfs' own form.  A view of one layer is that folder; of
 * more, a mount that all views of the chain share.  A work is a mount with an upper folder of its
 * own, which becomes the layer's folder when it is committed: nothing is copied, and nothing is
 * compared before somebody wants the layer.
 *
 * Mounts are made in the mount namespace of the process, which is private. */
#include "engine/snapshot/overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/core/limits.h"
#include "base/sys/fs.h"
#include "engine/snapshot/mount.h"
#include "image/layer/change.h"
#include "image/layer/node.h"
#include "image/layer/pack.h"

/* Of a chain: all its views look into it. */
struct shared_mount {
    size_t n_users;
    char *place; /* owned, below snapshots/ */
    char *path;  /* owned, absolute */
};

/* ---- works ---- */

static void free_paths(char **paths)
{
    for (char **p = paths; p && *p; p++)
        free(*p);
    free(paths);
}
DEFINE_AUTO(char *, free_paths)

/* The folders of a chain, the top first, NULL-terminated. */
static char **layer_paths(struct snapshot *top)
{
    size_t n = 0;
    char **paths = xcalloc(snapshot_depth(top) + 2, sizeof *paths);
    for (struct snapshot *at = top; at; at = at->parent)
        paths[n++] = xasprintf("%s/fs", at->folder);
    return paths;
}

static int make_below(struct snapshots *s, const char *place, const char *name, char **out,
                      struct err *err)
{
    AUTO_FREE char *path = xasprintf("%s/%s", place, name);
    if (mkdirat(s->fd, path, 0755))
        return err_sys(err, "make %s/%s", s->path, path);
    *out = STEAL(path);
    return 0;
}

int overlay_work_mount(struct snapshots *s, struct snapshot *parent, struct overlay_work *w,
                       struct err *err)
{
    AUTO_FREE char *upper = NULL;
    AUTO_FREE char *work = NULL;
    AUTO_FREE char *root = NULL;
    AUTO(free_paths) char **lowers = layer_paths(parent);
    if (place_make(s, "work-", &w->place, err) || make_below(s, w->place, "fs", &upper, err) ||
        make_below(s, w->place, "work", &work, err) || make_below(s, w->place, "root", &root, err))
        return -1;
    if (!parent)
        lowers[0] = xstrdup(s->state); /* the empty folder */
    if (parent ? copy_attributes(s->fd, lowers[0], s->fd, upper, err)
               : node_set_attributes(s->fd, upper, 0, 0, 0755, err))
        return -1;
    AUTO_FREE char *target = xasprintf("%s/%s", s->path, root);
    struct overlay_mount m = { .base_fd = s->fd,
                               .lowers = (const char *const *)lowers,
                               .n_lowers = parent ? parent->depth : 1,
                               .upper = upper,
                               .work = work,
                               .target = target,
                               .is_user = s->is_user };
    if (overlay_mount(&m, err))
        return -1;
    w->root = STEAL(target);
    return 0;
}

void overlay_work_unmount(struct snapshots *s, struct overlay_work *w)
{
    if (!w->root)
        return;
    overlay_unmount(w->root);
    free(STEAL(w->root));
    AUTO_FREE char *root = xasprintf("%s/root", w->place);
    AUTO_FREE char *work = xasprintf("%s/work", w->place);
    unlinkat(s->fd, root, AT_REMOVEDIR);
    place_remove(s, work);
}

void overlay_work_clear(struct snapshots *s, struct overlay_work *w)
{
    overlay_work_unmount(s, w);
    place_remove(s, w->place);
    free(w->place);
    *w = (struct overlay_work){ 0 };
}

/* ---- does it work here ---- */

/* An upper folder, a whiteout, an opaque folder: what a step needs first. */
static int try_work(struct snapshots *s, const struct overlay_work *w, struct err *err)
{
    AUTO_FD int fd = -1;
    if (fs_open(AT_FDCWD, w->root, O_RDONLY | O_DIRECTORY, 0, &fd, err))
        return -1;
    if (unlinkat(fd, "probe", AT_REMOVEDIR) || mkdirat(fd, "probe", 0755)) {
        err_sys(err, "replace a folder in an overlay on %s", s->path);
        err->kind = ERR_UNSUPPORTED;
        return -1;
    }
    return 0;
}

static int probe(struct snapshots *s, struct err *err)
{
    struct overlay_work w = { 0 };
    AUTO_FREE char *below = NULL;
    if (make_below(s, s->state, "probe", &below, err))
        return -1;
    int status = overlay_work_mount(s, NULL, &w, err) || try_work(s, &w, err) ? -1 : 0;
    overlay_work_clear(s, &w);
    unlinkat(s->fd, below, AT_REMOVEDIR);
    if (status && (err->kind == ERR_DENIED || err->kind == ERR_SYSTEM))
        err->kind = ERR_UNSUPPORTED;
    return status;
}

static int overlay_open(struct snapshots *s, struct err *err)
{
    char *empty = NULL;
    if (place_make(s, "empty-", &empty, err))
        return -1;
    s->state = empty;
    if (fchmodat(s->fd, empty, 0755, 0))
        return err_sys(err, "chmod %s/%s", s->path, empty);
    if (probe(s, err) == 0)
        return 0;
    free(STEAL(s->state));
    return -1;
}

static void overlay_close(struct snapshots *s)
{
    free(STEAL(s->state));
}

/* ---- views ---- */

static void mount_free(struct snapshots *s, struct shared_mount *m)
{
    if (!m)
        return;
    if (m->path)
        overlay_unmount(m->path);
    if (m->place)
        unlinkat(s->fd, m->place, AT_REMOVEDIR);
    free(m->place);
    free(m->path);
    free(m);
}

static int mount_chain(struct snapshot *top, struct shared_mount *out, struct err *err)
{
    struct snapshots *s = top->all;
    AUTO(free_paths) char **lowers = layer_paths(top);
    if (place_make(s, "view-", &out->place, err))
        return -1;
    AUTO_FREE char *target = xasprintf("%s/%s", s->path, out->place);
    struct overlay_mount m = { .base_fd = s->fd,
                               .lowers = (const char *const *)lowers,
                               .n_lowers = top->depth,
                               .target = target,
                               .is_user = s->is_user };
    if (overlay_mount(&m, err))
        return -1;
    out->path = STEAL(target);
    return 0;
}

/* Takes the chain's mount when there is one, else puts `fresh` there when it is given. */
static struct shared_mount *take_mount(struct snapshot *top, struct shared_mount *fresh)
{
    pthread_mutex_lock(&top->all->lock);
    if (!top->mount)
        top->mount = fresh;
    struct shared_mount *m = top->mount;
    if (m)
        m->n_users++;
    pthread_mutex_unlock(&top->all->lock);
    return m;
}

static void drop_mount(struct snapshot *top, struct shared_mount *m)
{
    pthread_mutex_lock(&top->all->lock);
    bool is_last = --m->n_users == 0;
    if (is_last)
        top->mount = NULL;
    pthread_mutex_unlock(&top->all->lock);
    if (is_last)
        mount_free(top->all, m);
}

static int share_mount(struct snapshot *top, struct shared_mount **out, struct err *err)
{
    *out = take_mount(top, NULL);
    if (*out)
        return 0;
    struct shared_mount *fresh = xcalloc(1, sizeof *fresh);
    if (mount_chain(top, fresh, err)) {
        mount_free(top->all, fresh);
        return -1;
    }
    *out = take_mount(top, fresh);
    if (*out != fresh) /* another thread was faster */
        mount_free(top->all, fresh);
    return 0;
}

static int overlay_view_open(struct view *v, const struct cancel *cancel, struct err *err)
{
    struct snapshots *s = v->all;
    struct shared_mount *m = NULL;
    if (overlay_ready(v->of, cancel, err))
        return -1;
    if (snapshot_depth(v->of) >= 2 && share_mount(v->of, &m, err))
        return -1;
    v->state = m;
    v->path = m       ? xstrdup(m->path)
              : v->of ? xasprintf("%s/%s/fs", s->path, v->of->folder)
                      : xasprintf("%s/%s", s->path, (const char *)s->state);
    return 0;
}

static void overlay_view_close(struct view *v)
{
    if (v->state)
        drop_mount(v->of, v->state);
}

static int overlay_work_open(struct work *w, const struct cancel *cancel, struct err *err)
{
    struct overlay_work *o = xcalloc(1, sizeof *o);
    w->state = o;
    if (overlay_ready(w->parent, cancel, err) || overlay_work_mount(w->all, w->parent, o, err))
        return -1;
    w->path = xstrdup(o->root);
    return 0;
}

static int overlay_work_commit(struct work *w, const struct cancel *cancel, struct commit *out,
                               struct err *err)
{
    struct overlay_work *o = w->state;
    if (cancel_check(cancel, err))
        return -1;
    overlay_work_unmount(w->all, o);
    if (place_size(w->all->fd, o->place, &out->size, err))
        return -1;
    out->folder = xstrdup(o->place);
    return 0;
}

static void overlay_work_close(struct work *w)
{
    struct overlay_work *o = w->state;
    if (!o)
        return;
    overlay_work_clear(w->all, o);
    free(o);
}

/* ---- layers ---- */

static int overlay_layer_write(struct snapshot *s, const struct tar_writer_options *tar,
                               const struct cancel *cancel, struct writer *out, struct err *err)
{
    AUTO(view_close) struct view *below = NULL;
    AUTO(change_list_free) struct change_list *changes = change_list_new();
    AUTO_FREE char *upper = xasprintf("%s/fs", s->folder);
    AUTO_FD int fd = -1;
    struct layer_pack_options o = { .tar = *tar, .ids = &s->all->options.ids, .cancel = cancel };
    if ((s->parent && view_open(s->all, s->parent, cancel, &below, err)) ||
        fs_open(s->all->fd, upper, O_RDONLY | O_DIRECTORY, 0, &fd, err) ||
        overlay_diff(s->all, fd, below ? view_fd(below) : -1, cancel, changes, err))
        return -1;
    return layer_pack(fd, changes, &o, out, err);
}

const struct snapshot_driver overlay_driver = {
    .name = "overlay",
    .open = overlay_open,
    .close = overlay_close,
    .view_open = overlay_view_open,
    .view_close = overlay_view_close,
    .work_open = overlay_work_open,
    .work_commit = overlay_work_commit,
    .work_close = overlay_work_close,
    .layer_write = overlay_layer_write,
};
