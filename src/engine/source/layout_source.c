/* engine/source/layout_source.c - see layout_source.h. */
#include "engine/source/layout_source.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "image/store/blob.h"
#include "image/store/ingest.h"

#define REF_NAME "org.opencontainers.image.ref.name"

static int open_folder(const char *path, int *out, struct err *err)
{
    return fs_open(AT_FDCWD, path, O_PATH | O_DIRECTORY, 0, out, err) ? err_wrap(err, "layout") : 0;
}

static char *blob_path(const struct digest *d)
{
    return xasprintf("blobs/%s/%s", digest_algorithm_name(d->algorithm), digest_hex(d).s);
}

static int choose(const struct index *index, const char *tag, struct descriptor *out,
                  struct err *err)
{
    const struct descriptor *found = NULL;
    vec_each (&index->manifests, d) {
        const char *name = map_find_str(&d->annotations, REF_NAME);
        if (!tag || (name && strcmp(name, tag) == 0))
            found = d;
    }
    if (!found)
        return err_set(err, ERR_NOT_FOUND, "%s: not in index.json", tag ? tag : "an image");
    if (!tag && index->manifests.n > 1)
        return err_set(err, ERR_INVALID, "index.json has %zu images: say which, with :TAG",
                       index->manifests.n);
    descriptor_copy(out, found);
    return 0;
}

int layout_find(const char *path, const char *tag, struct descriptor *out, struct err *err)
{
    AUTO_FD int fd = -1;
    AUTO_VALUE(buf_clear) struct buf bytes = { 0 };
    AUTO_VALUE(index_clear) struct index index = { .annotations = STR_MAP };
    buf_init(&bytes, LIMIT_MANIFEST);
    if (open_folder(path, &fd, err))
        return -1;
    if (fs_read_file(fd, "index.json", &bytes, err) ||
        index_parse(buf_span(&bytes), NULL, &index, err) || choose(&index, tag, out, err))
        return err_wrap(err, "layout %s", path);
    return 0;
}

int layout_document(const char *path, const struct digest *d, struct buf *out, struct err *err)
{
    AUTO_FD int fd = -1;
    AUTO_FREE char *name = blob_path(d);
    if (open_folder(path, &fd, err))
        return -1;
    if (fs_read_file(fd, name, out, err))
        return -1;
    AUTO(hasher_free) struct hasher *h = hasher_new(d->algorithm);
    hasher_update(h, buf_span(out));
    struct digest got = hasher_final(h);
    return digest_equal(&got, d)
               ? 0
               : err_set(err, ERR_CORRUPT, "%s: its content is %s", name, digest_text(&got).s);
}

static int import(struct store *st, int folder_fd, const struct descriptor *blob, struct err *err)
{
    AUTO_FD int fd = -1;
    AUTO_FREE char *name = blob_path(&blob->digest);
    AUTO(ingest_close) struct ingest *in = NULL;
    if (fs_open(folder_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, &fd, err) ||
        ingest_open(st, &blob->digest, blob->size, &in, err))
        return -1;
    AUTO(reader_close) struct reader *from = reader_of_fd(fd, false);
    AUTO(writer_close) struct writer *to = writer_to_ingest(in);
    return stream_copy(from, to, NULL, err) || writer_finish(to, err) ||
                   ingest_commit(in, NULL, err)
               ? -1
               : 0;
}

int layout_import(struct store *st, const char *path, const struct descriptor *blob,
                  struct err *err)
{
    AUTO_FD int fd = -1;
    bool is_there = false;
    if (blob_find(st, &blob->digest, &is_there, NULL, err))
        return -1;
    if (is_there)
        return 0;
    if (open_folder(path, &fd, err))
        return -1;
    if (import(st, fd, blob, err))
        return err_wrap(err, "blob %s", digest_text(&blob->digest).s);
    return 0;
}
