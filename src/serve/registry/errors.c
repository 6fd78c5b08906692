/* serve/registry/errors.c - answers, and the one table of what failures mean to a client.
 *
 * Spec: distribution-spec "Error Codes"; statuses where it gives none are those of distribution. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/core/limits.h"
#include "base/core/log.h"
#include "base/core/mem.h"
#include "serve/registry/internal.h"

/* The first row that fits; ABOUT_REQUEST and ERR_NONE fit all.  Without a message the error's own
 * text is shown: it then speaks of what the client sent, not of this machine. */
static const struct meaning {
    enum about about;
    enum err_kind kind;
    int status;
    const char *code, *message;
} meanings[] = {
    { ABOUT_WHO, ERR_DENIED, 401, "UNAUTHORIZED", NULL },
    { ABOUT_NAME, ERR_INVALID, 400, "NAME_INVALID", NULL },
    { ABOUT_NAME, ERR_NOT_FOUND, 404, "NAME_UNKNOWN", NULL },
    { ABOUT_PAGE, ERR_INVALID, 400, "PAGINATION_NUMBER_INVALID", NULL },
    { ABOUT_DIGEST, ERR_INVALID, 400, "DIGEST_INVALID", NULL },
    { ABOUT_DIGEST, ERR_UNSUPPORTED, 400, "DIGEST_INVALID", NULL },
    { ABOUT_DIGEST, ERR_CORRUPT, 400, "DIGEST_INVALID", NULL },
    { ABOUT_BLOB, ERR_NOT_FOUND, 404, "BLOB_UNKNOWN", NULL },
    { ABOUT_BLOB, ERR_EXISTS, 405, "UNSUPPORTED", NULL },
    { ABOUT_MANIFEST, ERR_NOT_FOUND, 404, "MANIFEST_UNKNOWN", NULL },
    { ABOUT_MANIFEST, ERR_INVALID, 400, "MANIFEST_INVALID", NULL },
    { ABOUT_MANIFEST, ERR_UNSUPPORTED, 400, "MANIFEST_INVALID", NULL },
    { ABOUT_MANIFEST, ERR_LIMIT, 413, "MANIFEST_INVALID", NULL },
    { ABOUT_NEEDED, ERR_NOT_FOUND, 400, "MANIFEST_BLOB_UNKNOWN", NULL },
    { ABOUT_UPLOAD, ERR_NOT_FOUND, 404, "BLOB_UPLOAD_UNKNOWN", NULL },
    { ABOUT_UPLOAD, ERR_INVALID, 400, "BLOB_UPLOAD_INVALID", NULL },
    { ABOUT_UPLOAD, ERR_CORRUPT, 400, "SIZE_INVALID", NULL },
    { ABOUT_UPLOAD, ERR_EXISTS, 409, "BLOB_UPLOAD_INVALID", NULL },
    { ABOUT_UPLOAD, ERR_UNSUPPORTED, 400, "DIGEST_INVALID", NULL },
    { ABOUT_UPLOAD, ERR_LIMIT, 429, "TOOMANYREQUESTS", NULL },
    { ABOUT_RANGE, ERR_INVALID, 416, "BLOB_UPLOAD_INVALID", NULL },
    { ABOUT_RANGE, ERR_LIMIT, 413, "SIZE_INVALID", NULL },
    { ABOUT_STORE, ERR_LIMIT, 507, "UNKNOWN", "the registry's store is full" },
    { ABOUT_REQUEST, ERR_NOT_FOUND, 404, "UNSUPPORTED", NULL },
    { ABOUT_REQUEST, ERR_UNSUPPORTED, 405, "UNSUPPORTED", NULL },
    { ABOUT_REQUEST, ERR_DENIED, 403, "DENIED", "the registry may not do that" },
    { ABOUT_REQUEST, ERR_NETWORK, 400, "UNKNOWN", "the request ended too early" },
    { ABOUT_REQUEST, ERR_NONE, 500, "UNKNOWN", "the registry failed; its log says why" },
};

static const struct meaning *find_meaning(enum about about, enum err_kind kind)
{
    const struct meaning *m = meanings;
    while ((m->about != ABOUT_REQUEST && m->about != about) ||
           (m->kind != ERR_NONE && m->kind != kind))
        m++;
    return m;
}

void set_header(struct request *q, const char *name, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    AUTO_FREE char *value = xvasprintf(fmt, args);
    va_end(args);
    exchange_set_header(q->x, name, value);
}

void reply_empty(struct request *q, int status)
{
    q->status = status;
    exchange_reply(q->x, status, SPAN(""));
}

void reply_bytes(struct request *q, int status, const char *type, struct span body)
{
    q->status = status;
    if (!q->size) /* else it tells what was uploaded */
        q->size = body.len;
    exchange_set_header(q->x, "Content-Type", type);
    exchange_reply(q->x, status, body);
}

void reply_json(struct request *q, int status, const struct json *body)
{
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    buf_init(&text, 4 * LIMIT_JSON);
    json_print(body, &text);
    reply_bytes(q, status, "application/json", buf_span(&text));
}

void reply_error(struct request *q, const struct err *err)
{
    const struct meaning *m = find_meaning(q->about, err->kind);
    AUTO(json_free) struct json *body = json_new_object();
    struct json *one = json_new_object();
    json_set_str(one, "code", m->code);
    json_set(one, "message", json_new_strn(span_of(m->message ? m->message : err->text)));
    json_set(body, "errors", json_new_array());
    json_push(json_get(body, "errors"), one);
    free(q->error);
    q->error = xstrdup(err->text);
    if (m->status >= 500)
        log_event(LOG_ERROR, "serve", "request failed method=%s error=\"%s\"",
                  exchange_method(q->x), err->text);
    reply_json(q, m->status, body);
}

bool reply_unchanged(struct request *q, const char *digest)
{
    AUTO_FREE char *tag = xasprintf("\"%s\"", digest);
    exchange_set_header(q->x, "ETag", tag);
    const char *known = exchange_header(q->x, "if-none-match");
    if (!known || (strcmp(known, "*") != 0 && !strstr(known, tag)))
        return false;
    reply_empty(q, 304);
    return true;
}
