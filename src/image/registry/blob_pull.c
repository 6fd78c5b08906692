/* image/registry/blob_pull.c - a blob into the store: verified as it streams, resumed where it
 * broke.
 *
 * Spec: distribution-spec "Pulling blobs"; RFC 9110 Range. */
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "base/core/log.h"
#include "base/core/mem.h"
#include "image/registry/internal.h"
#include "image/store/blob.h"

/* The sink of one download, over all its tries. */
struct download {
    struct writer base;
    struct remote *remote;
    struct ingest *ingest;   /* borrowed */
    const struct call *call; /* borrowed */
    const struct descriptor *blob;
    uint64_t asked_from; /* where this try's answer should start */
    bool has_begun;      /* this try gave bytes */
};

/* Where the bytes of a 206 belong: "bytes 5-9/10". */
static uint64_t answered_from(const struct http_response *response, uint64_t or_else)
{
    struct span range = span_of(map_find_str(&response->headers, "content-range"));
    uint64_t from = 0;
    if (!span_starts(range, "bytes "))
        return or_else;
    range = span_skip(range, 6);
    return span_u64(span_cut(&range, '-'), UINT64_MAX, &from) ? from : or_else;
}

/* A server without Range sends everything again: then what is there is dropped. */
static int download_begin(struct download *d, struct err *err)
{
    const struct http_response *seen = d->call->seen;
    d->has_begun = true;
    uint64_t from = seen->status == 206 ? answered_from(seen, d->asked_from) : 0;
    if (from == d->asked_from)
        return 0;
    if (from == 0)
        return ingest_restart(d->ingest, err);
    return err_set(err, ERR_CORRUPT, "blob %s: asked from byte %" PRIu64 ", answered from %" PRIu64,
                   digest_text(&d->blob->digest).s, d->asked_from, from);
}

static int download_write(struct writer *w, struct span bytes, struct err *err)
{
    struct download *d = (struct download *)w;
    if (!d->has_begun && download_begin(d, err))
        return -1;
    if (ingest_write(d->ingest, bytes, err))
        return -1;
    if (d->remote->moved)
        d->remote->moved(d->remote->moved_arg, &d->blob->digest, false, ingest_size(d->ingest),
                         d->blob->size);
    return 0;
}

static int download_restart(void *arg, struct map *headers, struct err *err)
{
    struct download *d = arg;
    d->asked_from = ingest_size(d->ingest);
    d->has_begun = false;
    /* What another host gave may be why it is asked no more. */
    if (d->asked_from > 0 && (d->call->is_new_host || d->asked_from >= d->blob->size)) {
        if (ingest_restart(d->ingest, err))
            return -1;
        d->asked_from = 0;
    }
    if (d->asked_from > 0) {
        AUTO_FREE char *range = xasprintf("bytes=%" PRIu64 "-", d->asked_from);
        map_set_str(headers, "Range", range);
    }
    return 0;
}

/* One download, from the mirrors or past them. */
static int fetch_blob(struct remote *r, struct call *c, struct ingest *in, struct err *err)
{
    AUTO_VALUE(http_response_clear) struct http_response response = { 0 };
    if (call_send(r, c, &response, err)) /* what is wrong with the content does not say whence */
        return err->kind == ERR_CORRUPT
                   ? err_wrap(err, "pull from %s/%s", c->ref->registry, c->ref->repository)
                   : -1;
    if (response.status != 200 && response.status != 206)
        return call_fail(r, c, &response, err);
    if (ingest_commit(in, NULL, err) == 0)
        return 0;
    if (err->kind != ERR_CORRUPT || !c->is_from_mirror)
        return err_wrap(err, "pull from %s/%s", c->ref->registry, c->ref->repository);
    log_event(LOG_WARN, "registry", "a mirror gave something else error=\"%s\"", err->text);
    err_clear(err);
    c->asks_mirrors = false;
    return fetch_blob(r, c, in, err);
}

static int pull_alone(struct remote *r, const struct reference *ref, const struct descriptor *blob,
                      struct store *st, const struct cancel *cancel, struct err *err)
{
    static const struct writer_ops ops = { .write = download_write };
    AUTO(ingest_close) struct ingest *in = NULL;
    if (ingest_open(st, &blob->digest, blob->size, &in, err))
        return -1;
    struct digest_text digest = digest_text(&blob->digest);
    AUTO_FREE char *path = xasprintf("blobs/%s", digest.s);
    AUTO_FREE char *what = xasprintf("pull blob %s", digest.s);
    struct call c = { .ref = ref,
                      .method = "GET",
                      .path = path,
                      .actions = "pull",
                      .restart = download_restart,
                      .cancel = cancel,
                      .asks_mirrors = true,
                      .what = what };
    struct download d = {
        .base = { .ops = &ops }, .remote = r, .ingest = in, .call = &c, .blob = blob
    };
    c.sink = &d.base;
    c.sink_arg = &d;
    return fetch_blob(r, &c, in, err);
}

/* What two want at once comes once. */
int remote_pull_blob(struct remote *r, const struct reference *ref, const struct descriptor *blob,
                     struct store *st, const struct cancel *cancel, struct err *err)
{
    AUTO_FREE char *move = xasprintf("pull %s", digest_text(&blob->digest).s);
    bool is_there = false;
    if (move_enter(r, move, cancel, err))
        return -1;
    int status = blob_find(st, &blob->digest, &is_there, NULL, err);
    if (status == 0 && !is_there)
        status = pull_alone(r, ref, blob, st, cancel, err);
    move_leave(r, move);
    return status;
}
