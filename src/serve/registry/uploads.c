/* serve/registry/uploads.c - blobs in: in one request, in two, or in pieces; or not at all, when
 * the store has them.
 *
 * A connection that breaks leaves its session with the bytes that came: GET tells how many, and the
 * next PATCH goes on there.
 *
 * Spec: distribution-spec "Pushing blobs", "Mounting a blob from another repository". */
#include <inttypes.h>
#include <stdlib.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "image/store/blob.h"
#include "serve/registry/internal.h"
#include "serve/registry/sessions.h"

enum { PIECE = 256 * 1024 };

static void name_upload(struct request *q, const struct session *one)
{
    set_header(q, "Location", "/v2/%s/blobs/uploads/%s", q->route.repository, one->id);
    set_header(q, "Docker-Upload-UUID", "%s", one->id);
}

/* "0-0" when there is nothing, as distribution says it. */
static void tell_range(struct request *q, uint64_t size)
{
    set_header(q, "Range", "0-%" PRIu64, size ? size - 1 : 0);
}

static void reply_stored(struct request *q, const struct digest *digest)
{
    struct digest_text text = digest_text(digest);
    set_header(q, "Location", "/v2/%s/blobs/%s", q->route.repository, text.s);
    set_header(q, "Docker-Content-Digest", "%s", text.s);
    reply_empty(q, 201);
}

/* ---- bytes ---- */

/* How long the body is; UINT64_MAX: it does not say. */
static uint64_t body_size(struct request *q)
{
    uint64_t size = 0;
    const char *length = exchange_header(q->x, "content-length");
    return length && span_u64(span_of(length), INT64_MAX, &size) ? size : UINT64_MAX;
}

/* The session's file is opened for what it was promised to be (`want`; NULL: not known yet).  A
 * request that brings the whole blob promises its size too, so that no more is reserved. */
static int append_piece(struct request *q, struct session *one, const struct digest *want,
                        struct span bytes, struct err *err)
{
    uint64_t limit = q->registry->o.limits.upload_size;
    q->about = ABOUT_RANGE;
    if (bytes.len > limit || one->size > limit - bytes.len)
        return err_set(err, ERR_LIMIT, "a blob may have %" PRIu64 " bytes here", limit);
    q->about = ABOUT_STORE;
    if (!one->ingest &&
        ingest_open(q->store, want, want ? body_size(q) : UINT64_MAX, &one->ingest, err))
        return -1;
    if (ingest_write(one->ingest, bytes, err))
        return -1;
    session_grew(q->registry->sessions, one, ingest_size(one->ingest));
    q->size += bytes.len;
    return 0;
}

/* Appends the request's body.  *is_whole false: what came before the failure is good. */
static int append_body(struct request *q, struct session *one, const struct digest *want,
                       bool *is_whole, struct err *err)
{
    AUTO_FREE char *piece = xmalloc(PIECE);
    for (size_t n = 1; n;) {
        q->about = ABOUT_UPLOAD;
        *is_whole = false;
        if (reader_read(exchange_body(q->x), piece, PIECE, &n, err))
            return -1;
        *is_whole = true;
        if (n && append_piece(q, one, want, span_bytes(piece, n), err))
            return -1;
    }
    q->about = ABOUT_UPLOAD;
    return 0;
}

/* A chunk that says where it belongs. */
struct chunk {
    bool is_placed;
    uint64_t first, last;
};

/* "0-1023", as the spec has it, or "bytes 0-1023/2048" as RFC 9110 does. */
static int read_chunk(struct request *q, struct chunk *c, struct err *err)
{
    const char *header = exchange_header(q->x, "content-range");
    uint64_t size = body_size(q);
    *c = (struct chunk){ .is_placed = header != NULL };
    if (!header)
        return 0;
    struct span text = span_of(header);
    if (span_starts(text, "bytes "))
        text = span_skip(text, 6);
    struct span range = span_cut(&text, '/'), first = span_cut(&range, '-');
    q->about = ABOUT_RANGE;
    if (!span_u64(first, INT64_MAX, &c->first) || !span_u64(range, INT64_MAX, &c->last) ||
        c->last < c->first)
        return err_set(err, ERR_INVALID, "Content-Range \"%s\" is no range", header);
    q->about = ABOUT_UPLOAD;
    if (size != UINT64_MAX && size != c->last - c->first + 1)
        return err_set(err, ERR_CORRUPT,
                       "Content-Range \"%s\" does not fit the body of %" PRIu64 " bytes", header,
                       size);
    return 0;
}

static int check_place(struct request *q, const struct session *one, const struct chunk *c,
                       struct err *err)
{
    if (!c->is_placed || c->first == one->size)
        return 0;
    q->about = ABOUT_RANGE;
    tell_range(q, one->size);
    return err_set(err, ERR_INVALID,
                   "the chunk starts at byte %" PRIu64 ", but %" PRIu64 " bytes are here", c->first,
                   one->size);
}

/* Claims the path's session and appends the body.  On failure the session is released, or dropped
 * where its bytes can no longer be trusted. */
static int take_chunk(struct request *q, const struct digest *want, struct session **out,
                      struct err *err)
{
    struct sessions *all = q->registry->sessions;
    struct session *one = NULL;
    struct chunk chunk;
    bool is_whole = false;
    q->about = ABOUT_UPLOAD;
    if (session_claim(all, q->route.repository, q->route.last, &one, err))
        return -1;
    name_upload(q, one);
    if (read_chunk(q, &chunk, err) || check_place(q, one, &chunk, err)) {
        session_release(all, one);
        return -1;
    }
    uint64_t before = one->size;
    if (append_body(q, one, want, &is_whole, err)) {
        is_whole ? session_drop(all, one) : session_release(all, one);
        return -1;
    }
    if (chunk.is_placed && one->size != before + (chunk.last - chunk.first + 1)) {
        session_drop(all, one);
        return err_set(err, ERR_CORRUPT, "the body is not as long as Content-Range says");
    }
    *out = one;
    return 0;
}

/* Publishes what came and ends the session. */
static int commit(struct request *q, struct session *one, const struct digest *want,
                  struct err *err)
{
    int status = 0;
    q->about = ABOUT_STORE;
    if (!one->ingest) /* the empty blob */
        status = ingest_open(q->store, want, UINT64_MAX, &one->ingest, err);
    if (status == 0) {
        q->about = ABOUT_DIGEST;
        status = ingest_commit_as(one->ingest, want, err);
    }
    session_drop(q->registry->sessions, one);
    if (status == 0)
        reply_stored(q, want);
    return status;
}

/* ---- requests ---- */

/* Both POST and PUT may name what the content is. */
static int wanted_digest(struct request *q, struct digest *out, struct err *err)
{
    const char *text = exchange_query(q->x, "digest");
    if (text)
        return request_digest(q, text, out, err);
    q->about = ABOUT_DIGEST;
    return err_set(err, ERR_INVALID, "the digest is missing: ...?digest=sha256:HEX");
}

/* `mount=DIGEST`, from any repository: the store has it or not.  *is_done: it was there. */
static int try_mount(struct request *q, bool *is_done, struct err *err)
{
    const char *text = exchange_query(q->x, "mount");
    struct digest digest;
    struct err no_digest = { 0 };
    if (!text || digest_parse(span_of(text), &digest, &no_digest))
        return 0; /* an upload then, as the spec says */
    if (blob_find(q->store, &digest, is_done, NULL, err))
        return -1;
    if (*is_done)
        reply_stored(q, &digest);
    return 0;
}

/* POST ?digest= with all the bytes. */
static int upload_at_once(struct request *q, struct err *err)
{
    struct digest want;
    struct session *one = NULL;
    bool is_whole = false;
    if (wanted_digest(q, &want, err))
        return -1;
    q->about = ABOUT_UPLOAD;
    if (session_open(q->registry->sessions, q->route.repository, &one, err))
        return -1;
    if (append_body(q, one, &want, &is_whole, err)) {
        session_drop(q->registry->sessions, one);
        return -1;
    }
    return commit(q, one, &want, err);
}

int upload_begin(struct request *q, struct err *err)
{
    bool is_done = false;
    struct session *one = NULL;
    if (try_mount(q, &is_done, err))
        return -1;
    if (is_done)
        return 0;
    if (exchange_query(q->x, "digest"))
        return upload_at_once(q, err);
    q->about = ABOUT_UPLOAD;
    if (session_open(q->registry->sessions, q->route.repository, &one, err))
        return -1;
    name_upload(q, one);
    tell_range(q, 0);
    session_release(q->registry->sessions, one);
    reply_empty(q, 202);
    return 0;
}

int upload_status(struct request *q, struct err *err)
{
    uint64_t size = 0;
    q->about = ABOUT_UPLOAD;
    if (session_look(q->registry->sessions, q->route.repository, q->route.last, &size, err))
        return -1;
    set_header(q, "Location", "/v2/%s/blobs/uploads/%s", q->route.repository, q->route.last);
    set_header(q, "Docker-Upload-UUID", "%s", q->route.last);
    tell_range(q, size);
    reply_empty(q, 204);
    return 0;
}

int upload_append(struct request *q, struct err *err)
{
    struct session *one = NULL;
    if (take_chunk(q, NULL, &one, err))
        return -1;
    tell_range(q, one->size);
    session_release(q->registry->sessions, one);
    reply_empty(q, 202);
    return 0;
}

int upload_finish(struct request *q, struct err *err)
{
    struct digest want;
    struct session *one = NULL;
    if (wanted_digest(q, &want, err) || take_chunk(q, &want, &one, err))
        return -1;
    return commit(q, one, &want, err);
}

int upload_cancel(struct request *q, struct err *err)
{
    struct session *one = NULL;
    q->about = ABOUT_UPLOAD;
    if (session_claim(q->registry->sessions, q->route.repository, q->route.last, &one, err))
        return -1;
    session_drop(q->registry->sessions, one);
    reply_empty(q, 204);
    return 0;
}
