/* engine/remotecache/mounts.c - see mounts.h. */
#include "engine/remotecache/mounts.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "engine/source/image_source.h"
#include "engine/source/tree.h"
#include "image/layer/apply.h"
#include "image/layer/pack.h"
#include "image/store/blob.h"

/* ---- packing ---- */

static int list_one(void *arg, const struct tree_entry *e, struct err *err)
{
    (void)err;
    if (*e->path && !S_ISSOCK(e->stat.mode))
        change_list_add(arg, e->path, CHANGE_ADD);
    return 0;
}

static int write_tar(int folder_fd, const struct id_map *ids, const struct cancel *cancel,
                     struct writer *out, struct err *err)
{
    AUTO(tree_free) struct tree *tree = tree_of_folder(folder_fd, ids);
    AUTO(change_list_free) struct change_list *all = change_list_new();
    struct tree_walk how = { .visit = list_one, .arg = all, .cancel = cancel };
    struct layer_pack_options options = { .ids = ids, .cancel = cancel };
    if (tree_walk(tree, "", &how, err))
        return -1;
    change_list_sort(all);
    return layer_pack(folder_fd, all, &options, out, err) || writer_finish(out, err) ? -1 : 0;
}

static int pack_folder(const struct export_host *h, const struct id_map *ids, int folder_fd,
                       const struct cache_spec *spec, struct layer_ref *out, struct err *err)
{
    AUTO(ingest_close) struct ingest *in = NULL;
    struct digest digest;
    if (ingest_open(h->store, NULL, UINT64_MAX, &in, err))
        return -1;
    AUTO(writer_close) struct writer *sink = writer_to_ingest(in);
    AUTO(writer_close)
    struct writer *packed =
        writer_compressing(sink, spec->compression, spec->compression_level, h->pool);
    AUTO(writer_close) struct writer *tar = writer_hashing(packed, DIGEST_SHA256);
    if (write_tar(folder_fd, ids, h->cancel, tar, err) || writer_finish(packed, err) ||
        writer_finish(sink, err) || ingest_commit(in, &digest, err))
        return -1;
    out->diff_id = writer_hashing_digest(tar);
    out->blob = descriptor_make(media_layer_type(MEDIA_FAMILY_OCI, spec->compression), &digest,
                                ingest_size(in));
    return 0;
}

int cache_mount_pack(const struct export_host *h, const struct id_map *ids, const char *id,
                     const struct cache_spec *spec, struct layer_ref *out, const char **why,
                     struct err *err)
{
    AUTO_FREE char *path = cache_mount_folder(id);
    AUTO_FREE char *lock = xasprintf("%s.lock", path);
    AUTO_FD int lock_fd = -1, fd = -1;
    int store = store_fd(h->store);
    *why = "it is not here";
    if (!fs_exists(store, path))
        return 0;
    *why = "it is in use";
    if (fs_lock(store, lock, false, false, &lock_fd, err)) {
        if (err->kind != ERR_EXISTS)
            return -1;
        err_clear(err);
        return 0;
    }
    if (fs_open(store, path, O_RDONLY | O_DIRECTORY, 0, &fd, err))
        return -1;
    if (pack_folder(h, ids, fd, spec, out, err)) {
        /* Shared ones may be written to by another build: its files come and go, or grow. */
        if (err->kind != ERR_CORRUPT && err->kind != ERR_NOT_FOUND)
            return -1;
        err_clear(err);
        return 0;
    }
    *why = NULL;
    return 0;
}

/* ---- restoring ---- */

static int unpack(const struct cache_mount_restorer *r, const struct layer_ref *layer, int to_fd,
                  struct err *err)
{
    const struct export_host *h = r->host;
    AUTO(reader_close) struct reader *file = NULL;
    AUTO_VALUE(layer_apply_result_clear) struct layer_apply_result result = { 0 };
    enum compression compression = COMPRESSION_NONE;
    struct layer_apply_options options = { .form = LAYER_PLAIN,
                                           .ids = r->ids,
                                           .cancel = h->cancel };
    if (!media_is_layer(layer->blob.media_type, &compression))
        return err_set(err, ERR_UNSUPPORTED, "it is of the type %s", layer->blob.media_type);
    if (blob_reader(h->store, &layer->blob.digest, &file, err))
        return -1;
    AUTO(reader_close) struct reader *plain = reader_decompressing(file, compression);
    AUTO(reader_close)
    struct reader *tar = reader_verified(plain, &layer->diff_id, UINT64_MAX);
    return layer_apply(tar, to_fd, &options, &result, err);
}

/* A half of it is worse than none: *is_spoiled then. */
static int restore_from(const struct cache_mount_restorer *r, const struct imported_cache *c,
                        const struct imported_mount *m, int to_fd, bool *is_spoiled,
                        struct err *err)
{
    if (image_source_fetch(r->images, c->origin, &m->layer.blob, r->host->cancel, err))
        return -1;
    *is_spoiled = unpack(r, &m->layer, to_fd, err) < 0;
    return *is_spoiled ? -1 : 0;
}

static int restore(void *arg, const char *id, int folder_fd, bool *is_spoiled, struct err *err)
{
    struct cache_mount_restorer *r = arg;
    for (size_t i = 0; i < r->caches->n; i++) {
        const struct imported_cache *c = r->caches->items[i];
        vec_each (&c->mounts, m) {
            if (strcmp(m->id, id) != 0)
                continue;
            if (restore_from(r, c, m, folder_fd, is_spoiled, err) == 0)
                return 0;
            if (err->kind == ERR_CANCELED)
                return -1;
            err_wrap(err, "restore the cache mount %s from %s", id, c->origin);
            if (r->failed)
                r->failed(r->failed_arg, err->text);
            err_clear(err);
            return 0;
        }
    }
    return 0;
}

void cache_mount_restorer_init(struct cache_mount_restorer *r)
{
    r->source = (struct cache_mount_source){ .arg = r, .restore = restore };
}
