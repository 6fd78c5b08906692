/* engine/remotecache/place_folder.c - a cache in a folder: an OCI image layout whose index.json
 * knows manifests by tag, as BuildKit's clients keep it.
 *
 * index.json is written last.  With reset=true what it does not need is removed then. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/codec/json.h"
#include "base/core/limits.h"
#include "base/core/map.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "engine/remotecache/internal.h"
#include "image/store/blob.h"
#include "image/store/ingest.h"

#define REF_NAME "org.opencontainers.image.ref.name"
#define LAYOUT_TEXT "{\"imageLayoutVersion\":\"1.0.0\"}"

struct folder {
    struct cache_place base;
    const struct cache_spec *spec;
    int fd;               /* owned */
    pthread_mutex_t lock; /* guards written */
    struct map written;   /* digests of what belongs to the cache that is being written */
};

static char *path_of(const struct digest *d)
{
    return xasprintf("blobs/%s/%s", digest_algorithm_name(d->algorithm), digest_hex(d).s);
}

/* ---- reading ---- */

static int read_verified(struct folder *f, const struct digest *d, struct buf *out, struct err *err)
{
    AUTO_FREE char *path = path_of(d);
    if (fs_read_file(f->fd, path, out, err))
        return -1;
    struct digest got = digest_of(buf_span(out));
    return digest_equal(&got, d)
               ? 0
               : err_set(err, ERR_CORRUPT, "%s: its content is %s", path, digest_text(&got).s);
}

static int read_index(struct folder *f, struct index *out, struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf bytes = { 0 };
    buf_init(&bytes, LIMIT_MANIFEST);
    return fs_read_file(f->fd, "index.json", &bytes, err) ||
                   index_parse(buf_span(&bytes), NULL, out, err)
               ? -1
               : 0;
}

static bool is_tagged(const struct descriptor *d, const char *tag)
{
    const char *name = map_find_str(&d->annotations, REF_NAME);
    return name && strcmp(name, tag) == 0;
}

static int find_tag(struct folder *f, struct digest *out, struct err *err)
{
    AUTO_VALUE(index_clear) struct index index = { .annotations = STR_MAP };
    if (read_index(f, &index, err))
        return -1;
    vec_each (&index.manifests, d)
        if (is_tagged(d, f->spec->tag)) {
            *out = d->digest;
            return 0;
        }
    return err_set(err, ERR_NOT_FOUND, "no cache is called %s in %s/index.json", f->spec->tag,
                   f->spec->folder);
}

static int read_manifest(struct cache_place *p, const struct digest *want, struct buf *out,
                         struct err *err)
{
    struct folder *f = (struct folder *)p;
    struct digest d = want ? *want : f->spec->digest;
    if (!digest_is_set(&d) && find_tag(f, &d, err))
        return -1;
    return read_verified(f, &d, out, err);
}

static int read_blob(struct cache_place *p, const struct descriptor *d, struct buf *out,
                     struct err *err)
{
    return read_verified((struct folder *)p, &d->digest, out, err);
}

/* ---- writing ---- */

static void note(struct folder *f, const struct digest *d)
{
    pthread_mutex_lock(&f->lock);
    map_set(&f->written, digest_text(d).s, f);
    pthread_mutex_unlock(&f->lock);
}

static int copy_blob(struct folder *f, const struct digest *d, const char *path, struct err *err)
{
    AUTO_FD int from = -1, to = -1;
    uint64_t size = 0;
    return blob_open(f->base.host->store, d, &from, &size, err) ||
                   fs_open_temporary(f->fd, 0644, &to, err) || fs_copy_bytes(from, to, size, err) ||
                   fs_publish(to, f->fd, path, err)
               ? -1
               : 0;
}

static int write_layer(struct cache_place *p, const struct layer_ref *layer, struct snapshot *s,
                       struct err *err)
{
    struct folder *f = (struct folder *)p;
    const struct export_host *h = p->host;
    AUTO_FREE char *path = path_of(&layer->blob.digest);
    note(f, &layer->blob.digest);
    if (fs_exists(f->fd, path))
        return 0;
    return (s && snapshot_fetch_blob(h->snapshots, s, &layer->blob, h->cancel, err)) ||
                   copy_blob(f, &layer->blob.digest, path, err)
               ? -1
               : 0;
}

static int write_bytes(struct folder *f, struct span bytes, struct digest *out, struct err *err)
{
    *out = digest_of(bytes);
    AUTO_FREE char *path = path_of(out);
    note(f, out);
    return fs_exists(f->fd, path) ? 0 : fs_write_file(f->fd, path, bytes, 0644, false, err);
}

static int write_blob(struct cache_place *p, struct span bytes, struct digest *out, struct err *err)
{
    return write_bytes((struct folder *)p, bytes, out, err);
}

/* What no manifest of index.json needs is gone; with one manifest that is all that was not written
 * just now. */
static int remove_others(struct folder *f, struct err *err)
{
    AUTO_VALUE(str_list_clear) struct str_list names = { 0 };
    if (fs_list(f->fd, "blobs/sha256", &names, err))
        return -1;
    vec_each (&names, name) {
        AUTO_FREE char *digest = xasprintf("sha256:%s", *name);
        AUTO_FREE char *path = xasprintf("blobs/sha256/%s", *name);
        if (!map_has(&f->written, digest) && unlinkat(f->fd, path, 0) < 0)
            return err_sys(err, "remove %s", path);
    }
    return 0;
}

static int write_index(struct folder *f, const char *media_type, const struct digest *d,
                       uint64_t size, struct err *err)
{
    AUTO_VALUE(index_clear) struct index old = { .annotations = STR_MAP };
    AUTO_VALUE(index_clear) struct index new = { .annotations = STR_MAP };
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    bool has_old = fs_exists(f->fd, "index.json") && !f->spec->resets;
    if (has_old && read_index(f, &old, err))
        return -1;
    vec_each (&old.manifests, one)
        if (!is_tagged(one, f->spec->tag))
            descriptor_copy(vec_push(&new.manifests), one);
    struct descriptor *entry = vec_push(&new.manifests);
    *entry = descriptor_make(media_type, d, size);
    map_set_str(&entry->annotations, REF_NAME, f->spec->tag);
    buf_init(&text, 8 * LIMIT_MANIFEST);
    index_print(&new, &text);
    return fs_write_file(f->fd, "oci-layout", SPAN(LAYOUT_TEXT), 0644, false, err) ||
                   fs_write_file(f->fd, "index.json", buf_span(&text), 0644, false, err)
               ? -1
               : 0;
}

static int write_manifest(struct cache_place *p, const char *media_type, struct span bytes,
                          struct err *err)
{
    struct folder *f = (struct folder *)p;
    struct digest d;
    if (write_bytes(f, bytes, &d, err) || write_index(f, media_type, &d, bytes.len, err))
        return -1;
    return f->spec->resets ? remove_others(f, err) : 0;
}

/* ---- opening ---- */

static void folder_close(struct cache_place *p)
{
    struct folder *f = (struct folder *)p;
    if (f->fd >= 0)
        close(f->fd);
    map_clear(&f->written);
    pthread_mutex_destroy(&f->lock);
    free(p->origin);
    free(f);
}

static int open_folder(struct folder *f, bool is_made, struct err *err)
{
    const char *path = f->spec->folder;
    if (is_made && fs_make_dirs(AT_FDCWD, path, 0755, err))
        return -1;
    if (fs_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, &f->fd, err) ||
        (is_made && fs_make_dirs(f->fd, "blobs/sha256", 0755, err)))
        return err_wrap(err, "open the cache %s", path);
    AUTO_FREE char *whole = realpath(path, NULL);
    if (!whole)
        return err_sys(err, "open the cache %s", path);
    f->base.origin = xasprintf("%s%s", IMAGE_ORIGIN_LAYOUT, whole);
    return 0;
}

int folder_open(const struct export_host *h, const struct cache_spec *spec, bool is_made,
                struct cache_place **out, struct err *err)
{
    static const struct cache_place_ops ops = { .read_manifest = read_manifest,
                                                .read_blob = read_blob,
                                                .write_layer = write_layer,
                                                .write_blob = write_blob,
                                                .write_manifest = write_manifest,
                                                .close = folder_close };
    struct folder *f = xcalloc(1, sizeof *f);
    *f = (struct folder){ .base = { .ops = &ops, .host = h }, .spec = spec, .fd = -1 };
    pthread_mutex_init(&f->lock, NULL);
    if (open_folder(f, is_made, err)) {
        folder_close(&f->base);
        return -1;
    }
    *out = &f->base;
    return 0;
}
