/* build/layout.c - see layout.h. */
#include "build/layout.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "engine/source/layout_source.h"
#include "image/store/blob.h"

#define REF_NAME "org.opencontainers.image.ref.name"
#define LAYOUT_TEXT "{\"imageLayoutVersion\":\"1.0.0\"}"
enum { NESTING_MAX = 4 };

/* One image on its way, in either direction. */
struct passage {
    struct store *store;
    const char *path; /* of the folder */
    int folder_fd;    /* the same, open; -1 on the way in */
    bool is_out;
    const struct platform *platform; /* NULL: all */
    const struct cancel *cancel;
};

static char *blob_path(const struct digest *d)
{
    return xasprintf("blobs/%s/%s", digest_algorithm_name(d->algorithm), digest_hex(d).s);
}

/* ---- single blobs ---- */

static int blob_out(struct passage *p, const struct descriptor *d, struct err *err)
{
    AUTO_FREE char *path = blob_path(&d->digest);
    AUTO_FREE char *folder = xasprintf("blobs/%s", digest_algorithm_name(d->digest.algorithm));
    AUTO_FD int from = -1, to = -1;
    uint64_t size = 0;
    if (fs_exists(p->folder_fd, path))
        return 0;
    return fs_make_dirs(p->folder_fd, folder, 0755, err) ||
                   blob_open(p->store, &d->digest, &from, &size, err) ||
                   fs_open_temporary(p->folder_fd, 0644, &to, err) ||
                   fs_copy_bytes(from, to, size, err) || fs_publish(to, p->folder_fd, path, err)
               ? -1
               : 0;
}

static int move_blob(struct passage *p, const struct descriptor *d, struct err *err)
{
    if (cancel_check(p->cancel, err))
        return -1;
    if (!p->is_out)
        return layout_import(p->store, p->path, d, err);
    if (blob_out(p, d, err))
        return err_wrap(err, "blob %s", digest_text(&d->digest).s);
    return 0;
}

/* ---- a document and all that it needs, which goes first ---- */

static int read_document(struct passage *p, const struct descriptor *d, struct buf *out,
                         struct err *err)
{
    return p->is_out ? blob_read(p->store, &d->digest, out, err)
                     : layout_document(p->path, &d->digest, out, err);
}

static int move_manifest(struct passage *p, const struct descriptor *d, struct span bytes,
                         struct err *err)
{
    AUTO_VALUE(manifest_clear) struct manifest m = { 0 };
    if (manifest_parse(bytes, d->media_type, &m, err) || move_blob(p, &m.config, err))
        return -1;
    vec_each (&m.layers, layer)
        if (move_blob(p, layer, err))
            return -1;
    return 0;
}

static int move_target(struct passage *p, const struct descriptor *d, int depth,
                       struct descriptor *chosen, struct err *err);

static int move_index(struct passage *p, const struct descriptor *d, struct span bytes, int depth,
                      struct descriptor *chosen, bool *is_passed_by, struct err *err)
{
    AUTO_VALUE(index_clear) struct index index = { 0 };
    const struct descriptor *entry = NULL;
    if (depth >= NESTING_MAX)
        return err_set(err, ERR_LIMIT, "indexes nest deeper than %d", NESTING_MAX);
    if (index_parse(bytes, d->media_type, &index, err))
        return -1;
    *is_passed_by = p->platform;
    if (p->platform)
        return index_select(&index, p->platform, &entry, err) ||
                       move_target(p, entry, depth + 1, chosen, err)
                   ? -1
                   : 0;
    vec_each (&index.manifests, one) {
        AUTO_VALUE(descriptor_clear) struct descriptor same = { 0 };
        if (move_target(p, one, depth + 1, &same, err))
            return -1;
    }
    return 0;
}

/* *chosen: what was moved; the platform's manifest instead of an index. */
static int move_target(struct passage *p, const struct descriptor *d, int depth,
                       struct descriptor *chosen, struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf bytes = { 0 };
    bool is_passed_by = false;
    buf_init(&bytes, LIMIT_MANIFEST);
    if (read_document(p, d, &bytes, err))
        return err_wrap(err, "manifest %s", digest_text(&d->digest).s);
    if (media_is_index(d->media_type)
            ? move_index(p, d, buf_span(&bytes), depth, chosen, &is_passed_by, err)
            : move_manifest(p, d, buf_span(&bytes), err))
        return -1;
    if (is_passed_by)
        return 0;
    if (!p->is_out)
        return manifest_put(p->store, buf_span(&bytes), d->media_type, chosen, err);
    *chosen = descriptor_make(d->media_type, &d->digest, d->size);
    return move_blob(p, d, err);
}

/* ---- index.json ---- */

static int read_index(int folder_fd, struct index *out, struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf bytes = { 0 };
    buf_init(&bytes, LIMIT_MANIFEST);
    return fs_read_file(folder_fd, "index.json", &bytes, err) ||
                   index_parse(buf_span(&bytes), NULL, out, err)
               ? -1
               : 0;
}

static int add_entry(int folder_fd, const struct descriptor *d, const char *tag, struct err *err)
{
    AUTO_VALUE(index_clear) struct index index = { .annotations = STR_MAP };
    AUTO_VALUE(index_clear) struct index new = { .annotations = STR_MAP };
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    if (fs_exists(folder_fd, "index.json") && read_index(folder_fd, &index, err))
        return -1;
    vec_each (&index.manifests, old) {
        const char *name = map_find_str(&old->annotations, REF_NAME);
        bool is_same =
            tag ? name && !strcmp(name, tag) : !name && digest_equal(&old->digest, &d->digest);
        if (!is_same)
            descriptor_copy(vec_push(&new.manifests), old);
    }
    struct descriptor *entry = vec_push(&new.manifests);
    *entry = descriptor_make(d->media_type, &d->digest, d->size);
    entry->annotations = (struct map)STR_MAP;
    if (tag)
        map_set_str(&entry->annotations, REF_NAME, tag);
    buf_init(&text, 8 * LIMIT_MANIFEST);
    index_print(&new, &text);
    return fs_write_file(folder_fd, "oci-layout", SPAN(LAYOUT_TEXT), 0644, true, err) ||
                   fs_write_file(folder_fd, "index.json", buf_span(&text), 0644, true, err)
               ? -1
               : 0;
}

int layout_read(struct store *st, const char *path, const char *tag,
                const struct platform *platform, const struct cancel *cancel,
                struct descriptor *out, struct err *err)
{
    AUTO_VALUE(descriptor_clear) struct descriptor entry = { 0 };
    if (layout_find(path, tag, &entry, err))
        return -1;
    struct passage p = {
        .store = st, .path = path, .folder_fd = -1, .platform = platform, .cancel = cancel
    };
    return move_target(&p, &entry, 0, out, err) ? err_wrap(err, "layout %s", path) : 0;
}

int layout_write(struct store *st, const struct descriptor *target, const char *path,
                 const char *tag, const struct cancel *cancel, struct err *err)
{
    AUTO_FD int fd = -1;
    AUTO_VALUE(descriptor_clear) struct descriptor moved = { 0 };
    if (fs_make_dirs(AT_FDCWD, path, 0755, err) ||
        fs_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, &fd, err))
        return err_wrap(err, "layout");
    struct passage p = {
        .store = st, .path = path, .folder_fd = fd, .is_out = true, .cancel = cancel
    };
    if (move_target(&p, target, 0, &moved, err) || add_entry(fd, target, tag, err))
        return err_wrap(err, "layout %s", path);
    return 0;
}
