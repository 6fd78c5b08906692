/* engine/snapshot/work.c - changing a snapshot's copy, and keeping the changes; see snapshot.h.
 *
 * A committed snapshot appears in one transaction: its record, its object, and its folder by
 * rename. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/core/limits.h"
#include "base/sys/fs.h"
#include "engine/snapshot/driver.h"

int work_open(struct snapshots *all, struct snapshot *parent, const struct cancel *cancel,
              struct work **out, struct err *err)
{
    if (snapshot_depth(parent) >= LIMIT_LAYERS) {
        err_set(err, ERR_LIMIT, "prepare a folder on top of %s: it has %d layers", parent->id,
                LIMIT_LAYERS);
        return err_hint(err, "join steps, or start from an image with fewer layers");
    }
    AUTO(work_close) struct work *w = xcalloc(1, sizeof *w);
    *w = (struct work){ .all = all, .parent = snapshot_ref(parent), .fd = -1 };
    if (all->driver->work_open(w, cancel, err) ||
        fs_open(AT_FDCWD, w->path, O_RDONLY | O_DIRECTORY, 0, &w->fd, err))
        return err_wrap(err, "prepare a folder on top of %s", parent ? parent->id : "scratch");
    *out = STEAL(w);
    return 0;
}

const char *work_path(const struct work *w)
{
    return w->path;
}

int work_fd(const struct work *w)
{
    return w->fd;
}

void work_close(struct work *w)
{
    if (!w)
        return;
    int code = errno;
    auto_close_fd(&w->fd);
    w->all->driver->work_close(w);
    snapshot_unref(w->parent);
    free(w->path);
    free(w);
    errno = code;
}

/* ---- commit ---- */

static int keep_inside(struct work *w, const struct commit *c, struct record *r,
                       struct snapshot **out, struct err *err)
{
    struct snapshots *s = w->all;
    if (record_add(store_db(s->options.store), r, err))
        return -1;
    if (c->folder && renameat(s->fd, c->folder, s->fd, r->folder))
        return err_sys(err, "rename %s/%s to %s", s->path, c->folder, r->folder);
    *out = node_of_record(s, r, snapshot_ref(w->parent));
    return node_put_object(*out, c->size, r->layer.blob.media_type ? &r->layer.blob.digest : NULL,
                           err);
}

static int keep(struct work *w, const struct commit *c, struct snapshot **out, struct err *err)
{
    struct snapshots *s = w->all;
    struct db *db = store_db(s->options.store);
    AUTO_VALUE(record_clear)
    struct record r = {
        .id = random_text("snapshot:step-", 16),
        .parent = xstrdup_or_null(w->parent ? w->parent->id : NULL),
        .is_step = true,
        .created_s = time(NULL),
        .form = xstrdup(s->form),
    };
    if (c->layer.blob.media_type)
        layer_ref_copy(&r.layer, &c->layer);
    if ((c->folder && place_name(s, &r.folder, err)) || db_begin(db, err))
        return -1;
    int status = keep_inside(w, c, &r, out, err);
    if (db_end(db, status == 0, err) || status) {
        snapshot_unref(STEAL(*out));
        return -1;
    }
    return 0;
}

int work_commit(struct work *w, const struct cancel *cancel, struct snapshot **out, struct err *err)
{
    struct commit c = { 0 };
    *out = NULL;
    auto_close_fd(&w->fd);
    w->fd = -1;
    int status = w->all->driver->work_commit(w, cancel, &c, err) || keep(w, &c, out, err) ? -1 : 0;
    if (status == 0) {
        w->is_done = true;
        if (w->all->driver->work_became)
            w->all->driver->work_became(w, *out);
    }
    free(c.folder);
    layer_ref_clear(&c.layer);
    return status ? err_wrap(err, "keep the changes to %s", w->parent ? w->parent->id : "scratch")
                  : 0;
}
