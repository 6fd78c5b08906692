/* engine/snapshot/unpack.c - the blob of a layer, as a stream of its tar.
 *
 * file -> counted for the watch -> decompressed (told by its first bytes, since media types lie) ->
 * verified against the diffID at its end. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/snapshot/internal.h"
#include "image/layer/apply.h"
#include "image/store/blob.h"
#include "image/store/object.h"

/* A layer that is not where it was promised to be, and not unpacked either: results that need it
 * are forgotten, so that the next build makes them itself.  An image's own layers are made known
 * anew by whoever names it. */
static void forget_lost(struct snapshot *s, const struct err *err)
{
    struct err ignored = { 0 };
    pthread_mutex_lock(&s->all->lock);
    bool is_unpacked = s->folder;
    pthread_mutex_unlock(&s->all->lock);
    if (is_unpacked || (err->kind != ERR_NOT_FOUND && err->kind != ERR_CORRUPT))
        return;
    (void)!object_remove(s->all->options.store, s->id, &ignored);
    s->all->n_lost++;
}

int blob_ensure(struct snapshot *s, const struct descriptor *blob, const struct cancel *cancel,
                struct err *err)
{
    const struct snapshots_options *o = &s->all->options;
    bool is_there = false;
    uint64_t size = 0;
    if (blob_find(o->store, &blob->digest, &is_there, &size, err))
        return -1;
    if (is_there)
        return 0;
    if (!s->origin || !o->fetch)
        return err_set(err, ERR_NOT_FOUND,
                       "fetch the layer %s: it is not in the store, and nobody said where it is",
                       digest_text(&blob->digest).s);
    if (o->fetch(o->fetch_arg, s->origin, blob, cancel, err) == 0)
        return 0;
    forget_lost(s, err);
    return -1;
}

/* ---- a reader that tells how far it is ---- */

struct watched {
    struct reader r;
    struct reader *below; /* borrowed */
    const struct layer_watch *watch;
    const struct descriptor *blob;
    const struct cancel *cancel;
    uint64_t done, told;
};

static int watched_read(struct reader *r, void *to, size_t cap, size_t *n, struct err *err)
{
    struct watched *w = (struct watched *)r;
    if (cancel_check(w->cancel, err) || reader_read(w->below, to, cap, n, err))
        return -1;
    w->done += *n;
    if (w->watch->moved && (*n == 0 || w->done - w->told >= 1 << 20)) {
        w->told = w->done;
        w->watch->moved(w->watch->arg, &w->blob->digest, "extract", w->done, w->blob->size);
    }
    return 0;
}

static void watched_close(struct reader *r)
{
    free(r);
}

static struct reader *reader_watched(struct reader *below, struct snapshot *s,
                                     const struct cancel *cancel)
{
    static const struct reader_ops ops = { .read = watched_read, .close = watched_close };
    struct watched *w = xcalloc(1, sizeof *w);
    *w = (struct watched){ .r.ops = &ops,
                           .below = below,
                           .watch = &s->all->options.watch,
                           .blob = &s->blob,
                           .cancel = cancel };
    return &w->r;
}

/* ---- the tar ---- */

void tar_source_close(struct tar_source *t)
{
    reader_close(t->verified);
    reader_close(t->plain);
    reader_close(t->watched);
    reader_close(t->file);
    *t = (struct tar_source){ 0 };
}

int tar_source_open(struct snapshot *s, const struct cancel *cancel, struct tar_source *t,
                    struct reader **tar, struct err *err)
{
    AUTO_FD int fd = -1;
    uint64_t size = 0;
    char head[4] = "";
    if (blob_ensure(s, &s->blob, cancel, err) ||
        blob_open(s->all->options.store, &s->blob.digest, &fd, &size, err))
        return -1;
    ssize_t n = pread(fd, head, sizeof head, 0);
    if (n < 0)
        return err_sys(err, "read the blob %s", digest_text(&s->blob.digest).s);
    t->file = reader_of_fd(STEAL_FD(fd), true);
    t->watched = reader_watched(t->file, s, cancel);
    t->plain = reader_decompressing(t->watched, compression_sniff(span_bytes(head, (size_t)n)));
    t->verified = reader_verified(t->plain, &s->diff_id, UINT64_MAX);
    *tar = t->verified;
    return 0;
}

int unpack_layer(struct snapshot *s, int root_fd, const struct layer_apply_options *options,
                 struct layer_apply_result *result, struct err *err)
{
    AUTO_VALUE(tar_source_close) struct tar_source source = { 0 };
    struct reader *tar;
    if (tar_source_open(s, options->cancel, &source, &tar, err))
        return -1;
    if (layer_apply(tar, root_fd, options, result, err) == 0)
        return 0;
    err_wrap(err, "unpack the layer %s", digest_text(&s->blob.digest).s);
    struct err ignored = { 0 };
    /* A blob that rotted on the disk is forgotten, so that it can be fetched again. */
    if (err->kind == ERR_CORRUPT && blob_verify(s->all->options.store, &s->blob.digest, &ignored))
        err_clear(&ignored);
    return -1;
}
