/* engine/snapshot/directory_root.c - a plain folder with the content of a chain; see directory.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sys/fs.h"
#include "engine/snapshot/directory.h"
#include "image/layer/apply.h"
#include "image/layer/node.h"

int root_new(struct snapshots *s, struct root **out, struct err *err)
{
    struct root *r = xcalloc(1, sizeof *r);
    *r = (struct root){ .fd = -1, .table = table_new() };
    AUTO_FREE char *path = NULL;
    int status = place_make(s, "root-", &r->place, err);
    if (status == 0) {
        path = xasprintf("%s/fs", r->place);
        status = mkdirat(s->fd, path, 0755)
                     ? err_sys(err, "make %s/%s", s->path, path)
                     : fs_open(s->fd, path, O_RDONLY | O_DIRECTORY, 0, &r->fd, err);
    }
    if (status || node_set_attributes(r->fd, ".", 0, 0, 0755, err)) {
        root_free(s, r);
        return -1;
    }
    *out = r;
    return 0;
}

void root_free(struct snapshots *s, struct root *r)
{
    if (!r)
        return;
    auto_close_fd(&r->fd);
    place_remove(s, r->place);
    table_free(r->table);
    snapshot_unref(r->at);
    free(r->place);
    free(r);
}

/* Brings the table to what the folder is, and files with several names apart. */
static int settle(struct snapshots *s, struct root *r, const struct known_digests *known,
                  bool is_copy, const struct cancel *cancel, struct err *err)
{
    AUTO_VALUE(str_list_clear) struct str_list twins = { 0 };
    struct table_update u = { .all = s,
                              .root_fd = r->fd,
                              .cancel = cancel,
                              .known = known,
                              .is_copy = is_copy,
                              .twins = &twins };
    return table_update(r->table, &u, err) || table_separate(r->table, r->fd, &twins, err) ? -1 : 0;
}

int root_copy(struct snapshots *s, struct root *r, struct root *from, const struct cancel *cancel,
              struct err *err)
{
    struct stat st;
    if (fstat(from->fd, &st))
        return err_sys(err, "stat a root");
    if (directory_copy_tree(from->fd, r->fd, cancel, err) ||
        node_set_attributes(r->fd, ".", st.st_uid, st.st_gid, st.st_mode & 07777, err))
        return err_wrap(err, "copy a root");
    r->at = snapshot_ref(from->at);
    table_free(r->table);
    r->table = table_copy(from->table);
    return settle(s, r, NULL, true, cancel, err);
}

/* ---- layers ---- */

struct note {
    int root_fd;
    struct known_digests *known;
};

/* Digests are kept by inode, not by path: a later entry may link the name to another file. */
static void note_file(void *arg, const char *path, const struct digest *digest)
{
    struct note *n = arg;
    struct err ignored = { 0 };
    struct stat st;
    AUTO_FD int fd = -1;
    if (fs_open_in_root(n->root_fd, path, O_PATH | O_NOFOLLOW, 0, &fd, &ignored) || fstat(fd, &st))
        return; /* it will be read again */
    struct known_digest *k = vec_push(n->known);
    *k = (struct known_digest){ .ino = st.st_ino, .order = n->known->n };
    memcpy(k->bytes, digest->bytes, sizeof k->bytes);
}

static int apply_one(struct snapshot *layer, struct root *r, struct known_digests *known,
                     const struct cancel *cancel, struct err *err)
{
    struct layer_apply_result result = { 0 };
    struct note n = { .root_fd = r->fd, .known = known };
    struct layer_apply_options o = { .form = LAYER_MERGED,
                                     .ids = &layer->all->options.ids,
                                     .cancel = cancel,
                                     .on_file = note_file,
                                     .arg = &n };
    int status = unpack_layer(layer, r->fd, &o, &result, err);
    layer_apply_result_clear(&result);
    return status;
}

struct prefetch {
    struct snapshot *layer;
    const struct cancel *cancel;
};

static int prefetch(void *arg, struct err *err)
{
    struct prefetch *p = arg;
    return blob_ensure(p->layer, &p->layer->blob, p->cancel, err);
}

static int fetch_all(struct snapshots *s, struct snapshot **layers, size_t n,
                     const struct cancel *cancel, struct err *err)
{
    AUTO_FREE struct prefetch *jobs = xcalloc(n, sizeof *jobs);
    AUTO(task_group_free) struct task_group *group = task_group_new(s->options.pool, 0);
    for (size_t i = 0; i < n; i++) {
        jobs[i] = (struct prefetch){ .layer = layers[i], .cancel = cancel };
        task_group_add(group, prefetch, &jobs[i]);
    }
    int status = task_group_wait(group, err);
    task_group_free(STEAL(group)); /* before the jobs go */
    return status;
}

int root_advance(struct snapshots *s, struct root *r, struct snapshot *target,
                 const struct cancel *cancel, struct err *err)
{
    size_t from = snapshot_depth(r->at), n = snapshot_depth(target) - from;
    if (n == 0)
        return 0;
    AUTO_FREE struct snapshot **layers = xcalloc(n, sizeof *layers);
    struct known_digests known = { 0 };
    for (struct snapshot *at = target; at && at->depth > from; at = at->parent)
        layers[at->depth - from - 1] = at;
    int status = fetch_all(s, layers, n, cancel, err);
    for (size_t i = 0; i < n && status == 0; i++)
        status = apply_one(layers[i], r, &known, cancel, err);
    known_digests_sort(&known);
    if (status == 0)
        status = settle(s, r, &known, false, cancel, err);
    vec_clear(&known);
    if (status)
        return -1;
    snapshot_unref(r->at);
    r->at = snapshot_ref(target);
    return 0;
}
