/* image/store/blob.c - see blob.h. */
#include "image/store/blob.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "image/store/ingest.h"
#include "image/store/internal.h"

static int recorded_size(struct store *st, const char *id, bool *is_there, uint64_t *size,
                         struct err *err)
{
    AUTO(query_close) struct query *q = NULL;
    if (query_open(st->db, "SELECT size FROM object WHERE id = ?1", &q, err))
        return -1;
    query_text(q, 1, id);
    if (query_step(q, is_there, err))
        return -1;
    if (*is_there)
        *size = (uint64_t)query_get_int(q, 0);
    return 0;
}

static int mark_used(struct store *st, const char *id, struct err *err)
{
    struct query *q = NULL;
    if (st->options.is_readonly)
        return 0;
    if (query_open(st->db, "UPDATE object SET used_at = ?2 WHERE id = ?1 AND used_at < ?2", &q,
                   err))
        return -1;
    query_text(q, 1, id);
    query_int(q, 2, now_s());
    return query_run(q, err);
}

int blob_find(struct store *st, const struct digest *d, bool *is_there, uint64_t *size,
              struct err *err)
{
    struct digest_text id = digest_text(d);
    uint64_t recorded = 0;
    /* In this order: what is there after it was marked stays for as long as our lease does. */
    if (mark_used(st, id.s, err) || recorded_size(st, id.s, is_there, &recorded, err))
        return -1;
    if (!*is_there)
        return 0;
    struct stat file;
    if (fstatat(st->fd, blob_path(d).s, &file, 0) < 0 || (uint64_t)file.st_size != recorded) {
        *is_there = false; /* a power cut, or somebody's rm: as good as never fetched */
        return st->options.is_readonly ? 0 : object_remove(st, id.s, err);
    }
    if (size)
        *size = recorded;
    return 0;
}

int blob_open(struct store *st, const struct digest *d, int *fd, uint64_t *size, struct err *err)
{
    bool is_there = false;
    uint64_t length = 0;
    struct digest_text id = digest_text(d);
    if (blob_find(st, d, &is_there, &length, err))
        return -1;
    if (!is_there)
        return err_set(err, ERR_NOT_FOUND, "open blob %s: not in the store %s", id.s, st->path);
    if (fs_open(st->fd, blob_path(d).s, O_RDONLY, 0, fd, err))
        return err_wrap(err, "open blob %s", id.s);
    if (size)
        *size = length;
    return 0;
}

int blob_reader(struct store *st, const struct digest *d, struct reader **out, struct err *err)
{
    int fd = -1;
    if (blob_open(st, d, &fd, NULL, err))
        return -1;
    *out = reader_of_fd(fd, true);
    return 0;
}

int blob_read(struct store *st, const struct digest *d, struct buf *out, struct err *err)
{
    AUTO_FD int fd = -1;
    uint64_t size = 0;
    if (blob_open(st, d, &fd, &size, err))
        return -1;
    AUTO(reader_close) struct reader *file = reader_of_fd(fd, false);
    AUTO(reader_close) struct reader *verified = reader_verified(file, d, size);
    if (reader_slurp(verified, out, err))
        return err_wrap(err, "read blob %s", digest_text(d).s);
    return 0;
}

int blob_verify(struct store *st, const struct digest *d, struct err *err)
{
    AUTO_FD int fd = -1;
    uint64_t size = 0;
    if (blob_open(st, d, &fd, &size, err))
        return -1;
    AUTO(reader_close) struct reader *file = reader_of_fd(fd, false);
    AUTO(reader_close) struct reader *verified = reader_verified(file, d, size);
    AUTO(writer_close) struct writer *nowhere = writer_discard();
    if (stream_copy(verified, nowhere, NULL, err) == 0)
        return 0;
    struct err gone = { 0 };
    if (err->kind == ERR_CORRUPT && object_remove(st, digest_text(d).s, &gone))
        err_clear(&gone); /* the first error says more */
    return err_wrap(err, "verify blob %s", digest_text(d).s);
}

int blob_remove(struct store *st, const struct digest *d, struct err *err)
{
    if (object_remove(st, digest_text(d).s, err))
        return err_wrap(err, "remove blob %s", digest_text(d).s);
    trash_empty(st);
    return 0;
}

/* What a manifest or index leads to, and the subject it refers to. */
struct manifest_links {
    struct str_list needs;
    struct digest subject;
    char *artifact_type;
    struct map annotations; /* string to string */
};

static void links_clear(struct manifest_links *l)
{
    str_list_clear(&l->needs);
    map_clear(&l->annotations);
    free(l->artifact_type);
}

static void links_add(struct manifest_links *l, const struct descriptor *d)
{
    str_list_push(&l->needs, digest_text(&d->digest).s);
}

static int read_manifest_links(struct span bytes, const char *media_type, struct manifest_links *l,
                               struct err *err)
{
    AUTO_VALUE(manifest_clear) struct manifest m = { 0 };
    if (manifest_parse(bytes, media_type, &m, err))
        return -1;
    links_add(l, &m.config);
    vec_each (&m.layers, layer)
        links_add(l, layer);
    if (m.subject)
        l->subject = m.subject->digest;
    l->artifact_type = xstrdup_or_null(m.artifact_type ? m.artifact_type : m.config.media_type);
    map_copy_str(&l->annotations, &m.annotations);
    return 0;
}

static int read_index_links(struct span bytes, const char *media_type, struct manifest_links *l,
                            struct err *err)
{
    AUTO_VALUE(index_clear) struct index i = { 0 };
    if (index_parse(bytes, media_type, &i, err))
        return -1;
    vec_each (&i.manifests, m)
        links_add(l, m);
    if (i.subject)
        l->subject = i.subject->digest;
    l->artifact_type = xstrdup_or_null(i.artifact_type);
    map_copy_str(&l->annotations, &i.annotations);
    return 0;
}

static int put_referrer(struct store *st, const struct manifest_links *l,
                        const struct descriptor *target, struct err *err)
{
    AUTO_VALUE(descriptor_clear) struct descriptor d = { 0 };
    descriptor_copy(&d, target);
    free(d.artifact_type);
    d.artifact_type = xstrdup_or_null(l->artifact_type);
    map_copy_str(&d.annotations, &l->annotations);
    AUTO(json_free) struct json *object = descriptor_write(&d);
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    buf_init(&text, 8 * LIMIT_MANIFEST); /* "<" is printed as six bytes */
    json_print(object, &text);
    if (text.len > LIMIT_JSON) /* nobody could list the subject's referrers any more */
        return err_set(err, ERR_LIMIT, "the manifest's annotations have %zu bytes", text.len);
    struct query *q = NULL;
    if (query_open(st->db,
                   "INSERT OR REPLACE INTO referrer (subject, digest, descriptor)"
                   " VALUES (?1, ?2, ?3)",
                   &q, err))
        return -1;
    struct digest_text subject = digest_text(&l->subject), own = digest_text(&target->digest);
    query_text(q, 1, subject.s);
    query_text(q, 2, own.s);
    query_text(q, 3, text.data);
    return query_run(q, err);
}

int manifest_put(struct store *st, struct span bytes, const char *media_type,
                 struct descriptor *out, struct err *err)
{
    AUTO_VALUE(links_clear) struct manifest_links links = { .annotations = STR_MAP };
    const char *type = media_type ? media_type : manifest_sniff(bytes);
    if (!type)
        return err_set(err, ERR_INVALID, "keep a manifest: it is neither a manifest nor an index");
    if (media_is_index(type) ? read_index_links(bytes, type, &links, err)
                             : read_manifest_links(bytes, type, &links, err))
        return -1;
    struct digest digest;
    if (blob_put(st, bytes, &digest, err))
        return -1;
    struct descriptor d = descriptor_make(type, &digest, bytes.len);
    int status = object_put(st, digest_text(&digest).s, bytes.len, &links.needs, err);
    if (status == 0 && digest_is_set(&links.subject))
        status = put_referrer(st, &links, &d, err);
    if (status == 0)
        *out = d;
    else
        descriptor_clear(&d);
    return status;
}

int manifest_referrers(struct store *st, const struct digest *d, struct descriptors *out,
                       struct err *err)
{
    AUTO(query_close) struct query *q = NULL;
    if (query_open(st->db,
                   "SELECT descriptor FROM referrer JOIN object ON object.id = referrer.digest"
                   " WHERE subject = ?1 ORDER BY used_at, digest",
                   &q, err))
        return -1;
    struct digest_text id = digest_text(d);
    query_text(q, 1, id.s);
    for (bool has_row = true;;) {
        if (query_step(q, &has_row, err))
            return -1;
        if (!has_row)
            return 0;
        AUTO(json_free) struct json *object = NULL;
        if (json_parse(span_of(query_get_text(q, 0)), &object, err) ||
            descriptor_read(object, vec_push(out), err))
            return -1;
    }
}
