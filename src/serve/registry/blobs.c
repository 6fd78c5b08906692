/* serve/registry/blobs.c - blobs out, whole or in part, and their deletion.
 *
 * Blobs belong to the store: the repository of the path says who asks, not what is there.  A blob
 * that some name of the store leads to, of whatever repository or of the builder, is not deleted.
 *
 * Spec: distribution-spec "Pulling blobs", "Deleting Blobs"; RFC 9110 14 (Range). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/core/mem.h"
#include "image/store/blob.h"
#include "image/store/name.h"
#include "serve/registry/internal.h"

enum range_answer { RANGE_WHOLE, RANGE_PART, RANGE_BEYOND };

/* One range of bytes; several, other units and nonsense mean the whole, as RFC 9110 14.2 allows. */
static enum range_answer read_range(const char *header, uint64_t size, uint64_t *from, uint64_t *n)
{
    struct span last = span_of(header);
    if (!header || strncasecmp(header, "bytes=", 6) != 0 || strchr(header, ','))
        return RANGE_WHOLE;
    last = span_skip(last, 6);
    struct span first = span_cut(&last, '-');
    uint64_t a = 0, b = 0;
    if (!last.ptr || (last.len && !span_u64(last, UINT64_MAX, &b)))
        return RANGE_WHOLE;
    if (!first.len) { /* the last b bytes */
        if (!last.len)
            return RANGE_WHOLE;
        *n = b < size ? b : size;
        *from = size - *n;
        return *n ? RANGE_PART : RANGE_BEYOND;
    }
    if (!span_u64(first, UINT64_MAX, &a) || (last.len && b < a))
        return RANGE_WHOLE;
    if (a >= size)
        return RANGE_BEYOND;
    if (!last.len || b >= size)
        b = size - 1;
    *from = a;
    *n = b - a + 1;
    return RANGE_PART;
}

static void send_file(struct request *q, int status, int fd, uint64_t from, uint64_t size)
{
    q->status = status;
    q->size = size;
    exchange_set_header(q->x, "Content-Type", "application/octet-stream");
    exchange_reply_file(q->x, status, fd, from, size);
}

/* A range asked for on condition of another content is none. */
static const char *wanted_range(struct request *q, const char *digest)
{
    const char *condition = exchange_header(q->x, "if-range");
    if (condition && !strstr(condition, digest))
        return NULL;
    return exchange_header(q->x, "range");
}

int blob_get(struct request *q, struct err *err)
{
    struct digest digest;
    bool is_there = false;
    uint64_t size = 0, from = 0, n = 0;
    q->about = ABOUT_BLOB;
    if (request_digest(q, q->route.last, &digest, err) ||
        blob_find(q->store, &digest, &is_there, &size, err))
        return -1;
    struct digest_text text = digest_text(&digest);
    if (!is_there)
        return err_set(err, ERR_NOT_FOUND, "blob %s is not here", text.s);
    set_header(q, "Docker-Content-Digest", "%s", text.s);
    set_header(q, "Accept-Ranges", "bytes");
    if (reply_unchanged(q, text.s))
        return 0;
    enum range_answer part = read_range(wanted_range(q, text.s), size, &from, &n);
    if (part == RANGE_BEYOND) {
        set_header(q, "Content-Range", "bytes */%" PRIu64, size);
        reply_empty(q, 416);
        return 0;
    }
    AUTO_FD int fd = -1;
    if (blob_open(q->store, &digest, &fd, &size, err))
        return -1;
    if (part == RANGE_PART)
        set_header(q, "Content-Range", "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, from, from + n - 1,
                   size);
    send_file(q, part == RANGE_PART ? 206 : 200, STEAL_FD(fd), from, part == RANGE_PART ? n : size);
    return 0;
}

int blob_delete(struct request *q, struct err *err)
{
    struct digest digest;
    bool is_there = false, is_named = false;
    q->about = ABOUT_BLOB;
    if (request_digest(q, q->route.last, &digest, err) ||
        blob_find(q->store, &digest, &is_there, NULL, err))
        return -1;
    struct digest_text text = digest_text(&digest);
    if (!is_there)
        return err_set(err, ERR_NOT_FOUND, "blob %s is not here", text.s);
    if (name_leads_to(q->store, &digest, &is_named, err))
        return -1;
    if (is_named)
        return err_set(err, ERR_EXISTS, "blob %s is needed by a manifest: delete that first",
                       text.s);
    if (blob_remove(q->store, &digest, err))
        return -1;
    reply_empty(q, 202);
    return 0;
}
