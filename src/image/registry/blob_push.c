/* image/registry/blob_push.c - a blob of the store to a registry: found there, mounted, or
 * uploaded.
 *
 * An upload is one POST and one PUT with all the bytes.  When that breaks, the session is asked how
 * far it got and the rest follows by PATCH; when the session is gone, a new one starts.  A registry
 * that takes no PUT with a body gets everything by PATCH.
 *
 * Spec: distribution-spec "Pushing blobs", "Mounting a blob from another repository". */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/core/log.h"
#include "base/core/mem.h"
#include "image/registry/internal.h"
#include "image/store/blob.h"

#define PUSH "pull,push"

struct upload {
    struct remote *remote;
    const struct reference *ref;
    const struct descriptor *blob;
    const struct cancel *cancel;
    const char *what;
    int fd;
    uint64_t offset; /* what the registry has */
    char *location;  /* owned: where the session goes on */
    int http_status; /* of the last answer that refused something */
};

/* The bytes of the file from an offset to the end, by pread, telling progress. */
struct body {
    struct reader base;
    const struct upload *upload;
    uint64_t at;
};

static int body_read(struct reader *r, void *to, size_t cap, size_t *n, struct err *err)
{
    struct body *b = (struct body *)r;
    const struct upload *u = b->upload;
    uint64_t left = u->blob->size - b->at;
    *n = 0;
    if (left == 0)
        return 0;
    ssize_t got = pread(u->fd, to, left < cap ? left : cap, (off_t)b->at);
    if (got < 0)
        return err_sys(err, "read blob %s", digest_text(&u->blob->digest).s);
    if (got == 0)
        return err_set(err, ERR_CORRUPT, "blob %s ends after %" PRIu64 " of %" PRIu64 " bytes",
                       digest_text(&u->blob->digest).s, b->at, u->blob->size);
    b->at += (uint64_t)got;
    *n = (size_t)got;
    if (u->remote->moved)
        u->remote->moved(u->remote->moved_arg, &u->blob->digest, true, b->at, u->blob->size);
    return 0;
}

static void body_close(struct reader *r)
{
    free(r);
}

static int open_body(void *arg, struct reader **out, struct err *err)
{
    static const struct reader_ops ops = { .read = body_read, .close = body_close };
    (void)err;
    const struct upload *u = arg;
    struct body *b = xcalloc(1, sizeof *b);
    *b = (struct body){ .base = { .ops = &ops }, .upload = u, .at = u->offset };
    *out = &b->base;
    return 0;
}

static int take_location(struct upload *u, const struct call *c,
                         const struct http_response *response, struct err *err)
{
    char *location = NULL;
    if (call_location(u->remote, c, response, &location, err))
        return -1;
    free(u->location);
    u->location = location;
    return 0;
}

/* Starts a session, or is done at once when the registry could mount.  *is_done tells. */
static int upload_start(struct upload *u, const char *mount_from, bool *is_done, struct err *err)
{
    struct digest_text digest = digest_text(&u->blob->digest);
    AUTO_FREE char *path = mount_from
                               ? xasprintf("blobs/uploads/?mount=%s&from=%s", digest.s, mount_from)
                               : xstrdup("blobs/uploads/");
    struct call c = { .ref = u->ref,
                      .method = "POST",
                      .path = path,
                      .actions = PUSH,
                      .also = mount_from,
                      .cancel = u->cancel,
                      .what = u->what };
    AUTO_VALUE(http_response_clear) struct http_response response = { 0 };
    if (call_send(u->remote, &c, &response, err))
        return -1;
    *is_done = response.status == 201;
    if (*is_done)
        return 0;
    if (response.status != 202)
        return call_fail(u->remote, &c, &response, err);
    u->offset = 0;
    return take_location(u, &c, &response, err);
}

static char *closing_url(const struct upload *u)
{
    assert(u->location); /* the session was opened */
    return xasprintf("%s%cdigest=%s", u->location, strchr(u->location, '?') ? '&' : '?',
                     digest_text(&u->blob->digest).s);
}

/* PUT with everything, or, when `is_empty`, the closing of what PATCH brought. */
static int upload_put(struct upload *u, bool is_empty, struct err *err)
{
    AUTO_FREE char *url = closing_url(u);
    AUTO_VALUE(map_clear) struct map headers = STR_MAP;
    map_set_str(&headers, "Content-Type", "application/octet-stream");
    struct call c = { .ref = u->ref,
                      .method = "PUT",
                      .url = url,
                      .actions = PUSH,
                      .headers = &headers,
                      .open_body = is_empty ? NULL : open_body,
                      .body_arg = u,
                      .body_size = is_empty ? 0 : u->blob->size,
                      .cancel = u->cancel,
                      .is_tried_once = true,
                      .what = u->what };
    AUTO_VALUE(http_response_clear) struct http_response response = { 0 };
    if (call_send(u->remote, &c, &response, err))
        return -1;
    u->http_status = response.status;
    if (response.status != 201 && response.status != 204)
        return call_fail(u->remote, &c, &response, err);
    return 0;
}

static int upload_patch(struct upload *u, struct err *err)
{
    AUTO_VALUE(map_clear) struct map headers = STR_MAP;
    AUTO_FREE char *range = xasprintf("%" PRIu64 "-%" PRIu64, u->offset, u->blob->size - 1);
    map_set_str(&headers, "Content-Type", "application/octet-stream");
    map_set_str(&headers, "Content-Range", range);
    struct call c = { .ref = u->ref,
                      .method = "PATCH",
                      .url = u->location,
                      .actions = PUSH,
                      .headers = &headers,
                      .open_body = open_body,
                      .body_arg = u,
                      .body_size = u->blob->size - u->offset,
                      .cancel = u->cancel,
                      .is_tried_once = true,
                      .what = u->what };
    AUTO_VALUE(http_response_clear) struct http_response response = { 0 };
    if (call_send(u->remote, &c, &response, err))
        return -1;
    u->http_status = response.status;
    if (response.status != 202 && response.status != 201 && response.status != 204)
        return call_fail(u->remote, &c, &response, err);
    return take_location(u, &c, &response, err);
}

/* Asks the session how far it got.  *is_alive false: it is gone. */
static int upload_ask(struct upload *u, bool *is_alive, struct err *err)
{
    struct call c = { .ref = u->ref,
                      .method = "GET",
                      .url = u->location,
                      .actions = PUSH,
                      .cancel = u->cancel,
                      .what = u->what };
    AUTO_VALUE(http_response_clear) struct http_response response = { 0 };
    if (call_send(u->remote, &c, &response, err))
        return -1;
    const char *range = map_find_str(&response.headers, "range");
    const char *dash = range ? strchr(range, '-') : NULL;
    uint64_t last = 0;
    *is_alive = response.status == 204;
    u->offset = 0;
    if (*is_alive && dash && span_u64(span_of(dash + 1), u->blob->size - 1, &last))
        u->offset = last ? last + 1 : 0;
    if (!*is_alive || !map_has(&response.headers, "location"))
        return 0;
    return take_location(u, &c, &response, err);
}

/* What broke, was too much at once, or is at another place than thought (416). */
static bool is_worth_going_on(const struct upload *u, const struct err *err)
{
    return err->kind == ERR_NETWORK || err->kind == ERR_TIMEOUT || u->http_status == 416 ||
           (err->kind == ERR_LIMIT && u->http_status != 413);
}

/* After something broke: the rest by PATCH, then the closing PUT; or all over again. */
static int upload_rest(struct upload *u, struct err *err)
{
    bool is_alive = false, is_done = false;
    u->http_status = 0;
    if (upload_ask(u, &is_alive, err))
        return -1;
    if (!is_alive && upload_start(u, NULL, &is_done, err))
        return -1;
    if (is_done)
        return 0;
    if (u->offset < u->blob->size && upload_patch(u, err))
        return -1;
    return upload_put(u, true, err);
}

static int upload_bytes(struct upload *u, struct err *err)
{
    if (upload_put(u, false, err) == 0)
        return 0;
    int s = u->http_status;
    bool takes_no_put = s == 404 || s == 405 || s == 411;
    for (int n_tries = 0; n_tries < u->remote->n_retries; n_tries++) {
        if (!is_worth_going_on(u, err) && !takes_no_put)
            return -1;
        log_event(LOG_INFO, "registry", "go on with an upload blob=%s error=\"%s\"",
                  digest_text(&u->blob->digest).s, err->text);
        takes_no_put = false;
        err_clear(err);
        if (cancel_sleep_ms(u->cancel, 200 << n_tries, err))
            return -1;
        if (upload_rest(u, err) == 0)
            return 0;
    }
    return -1;
}

/* ---- what is there already ---- */

static char *known_key(const struct reference *ref, const struct digest *d)
{
    return xasprintf("%s/%s@%s", ref->registry, ref->repository, digest_text(d).s);
}

static bool is_known(struct remote *r, const struct reference *ref, const struct digest *d)
{
    AUTO_FREE char *key = known_key(ref, d);
    pthread_mutex_lock(&r->lock);
    bool is_there = map_has(&r->known, key);
    pthread_mutex_unlock(&r->lock);
    return is_there;
}

static void set_known(struct remote *r, const struct reference *ref, const struct digest *d)
{
    AUTO_FREE char *key = known_key(ref, d);
    pthread_mutex_lock(&r->lock);
    map_set(&r->known, key, r);
    pthread_mutex_unlock(&r->lock);
}

/* That somebody was told a moment ago that it is not there: asking again would only cost time.  The
 * answer is used once. */
static void note_absent(struct remote *r, const struct reference *ref, const struct digest *d,
                        bool is_absent)
{
    AUTO_FREE char *key = known_key(ref, d);
    pthread_mutex_lock(&r->lock);
    if (is_absent)
        map_set(&r->absent, key, r);
    else
        map_remove(&r->absent, key);
    pthread_mutex_unlock(&r->lock);
}

static bool take_absent(struct remote *r, const struct reference *ref, const struct digest *d)
{
    AUTO_FREE char *key = known_key(ref, d);
    pthread_mutex_lock(&r->lock);
    bool is_absent = map_remove(&r->absent, key);
    pthread_mutex_unlock(&r->lock);
    return is_absent;
}

/* A session that nothing comes of; what the registry says to that changes nothing. */
static void upload_abandon(struct upload *u)
{
    struct err ignored = { 0 };
    struct call c = { .ref = u->ref,
                      .method = "DELETE",
                      .url = u->location,
                      .actions = PUSH,
                      .cancel = u->cancel,
                      .is_tried_once = true,
                      .what = u->what };
    AUTO_VALUE(http_response_clear) struct http_response response = { 0 };
    if (call_send(u->remote, &c, &response, &ignored))
        log_event(LOG_DEBUG, "registry", "an upload is left behind error=\"%s\"", ignored.text);
}

int remote_has_blob(struct remote *r, const struct reference *ref, const struct digest *d,
                    bool *is_there, const struct cancel *cancel, struct err *err)
{
    AUTO_FREE char *path = xasprintf("blobs/%s", digest_text(d).s);
    *is_there = is_known(r, ref, d);
    if (*is_there)
        return 0;
    struct call c = { .ref = ref,
                      .method = "HEAD",
                      .path = path,
                      .actions = PUSH,
                      .cancel = cancel,
                      .what = "look for a blob" };
    AUTO_VALUE(http_response_clear) struct http_response response = { 0 };
    if (call_send(r, &c, &response, err))
        return -1;
    *is_there = response.status == 200;
    bool has_no_head = response.status == 405 || response.status == 501;
    if (response.status != 200 && response.status != 404 && !has_no_head)
        return call_fail(r, &c, &response, err);
    if (*is_there)
        set_known(r, ref, d);
    note_absent(r, ref, d, response.status == 404);
    return 0;
}

static void set_sent(struct remote *r, const struct reference *ref)
{
    AUTO_FREE char *key = xasprintf("%s/%s", ref->registry, ref->repository);
    pthread_mutex_lock(&r->lock);
    map_set(&r->uploads, key, r);
    pthread_mutex_unlock(&r->lock);
}

bool remote_has_sent(struct remote *r, const struct reference *ref)
{
    AUTO_FREE char *key = xasprintf("%s/%s", ref->registry, ref->repository);
    pthread_mutex_lock(&r->lock);
    bool has_sent = map_has(&r->uploads, key);
    pthread_mutex_unlock(&r->lock);
    return has_sent;
}

static int push_alone(struct upload *u, const char *mount_from, struct store *st, bool *was_there,
                      struct err *err)
{
    const struct digest *d = &u->blob->digest;
    bool is_there = is_known(u->remote, u->ref, d), is_done = false;
    if (!is_there && !take_absent(u->remote, u->ref, d) &&
        remote_has_blob(u->remote, u->ref, d, &is_there, u->cancel, err))
        return -1;
    (void)take_absent(u->remote, u->ref, d); /* what was answered just now served this push */
    *was_there = is_there;
    if (is_there)
        return 0;
    AUTO_FD int fd = -1;
    uint64_t size = 0;
    int status = upload_start(u, mount_from, &is_done, err);
    *was_there = status == 0 && is_done;
    if (status == 0 && !is_done) {
        status = blob_open(st, &u->blob->digest, &fd, &size, err);
        if (status)
            upload_abandon(u);
    }
    u->fd = fd;
    if (status == 0 && !is_done)
        status = upload_bytes(u, err);
    if (status == 0)
        set_known(u->remote, u->ref, &u->blob->digest);
    if (status == 0 && !is_done)
        set_sent(u->remote, u->ref);
    return status;
}

int remote_push_blob(struct remote *r, const struct reference *ref, const struct descriptor *blob,
                     const char *mount_from, struct store *st, bool *was_there,
                     const struct cancel *cancel, struct err *err)
{
    AUTO_FREE char *what = xasprintf("push blob %s", digest_text(&blob->digest).s);
    AUTO_FREE char *key = known_key(ref, &blob->digest);
    AUTO_FREE char *move = xasprintf("push %s", key);
    struct upload u = { .remote = r, .ref = ref, .blob = blob, .cancel = cancel, .what = what };
    bool is_there = false;
    if (move_enter(r, move, cancel, err))
        return -1;
    int status = push_alone(&u, mount_from, st, was_there ? was_there : &is_there, err);
    move_leave(r, move);
    free(u.location);
    return status;
}
