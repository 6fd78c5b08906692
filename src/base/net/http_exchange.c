/* base/net/http_exchange.c - a request taken apart, and what will be its answer.
 *
 * Target and query are decoded here and not by libmicrohttpd, so that it happens exactly once and
 * NUL is refused rather than an end.
 *
 * Spec:    RFC 9112 3.2 (forms of the target).
 * Threads: see http_server.h. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/codec/text.h"
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/net/server_internal.h"

struct http_exchange *exchange_new(struct http_server *s, const char *target)
{
    struct http_exchange *x = xcalloc(1, sizeof *x);
    *x = (struct http_exchange){
        .server = s,
        .target = xstrdup(target),
        .query = STR_MAP,
        .headers = STR_MAP,
        .answer_headers = STR_MAP,
        .fd = -1,
    };
    return x;
}

void exchange_free(struct http_exchange *x)
{
    if (!x)
        return;
    free(x->target);
    free(x->method);
    free(x->path);
    free(x->answer);
    map_clear(&x->query);
    map_clear(&x->headers);
    map_clear(&x->answer_headers);
    if (x->is_begun)
        body_clear(&x->body);
    auto_close_fd(&x->fd);
    free(x);
}

static char *dup_lower(const char *name)
{
    char *text = xstrdup(name);
    for (char *p = text; *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p - 'A' + 'a');
    return text;
}

void exchange_add_header(struct http_exchange *x, const char *name, const char *value)
{
    AUTO_FREE char *key = dup_lower(name);
    const char *before = map_find_str(&x->headers, key);
    AUTO_FREE char *text = before ? xasprintf("%s, %s", before, value) : xstrdup(value);
    map_set_str(&x->headers, key, text);
}

/* NULL when it cannot be decoded, or has a NUL. */
static char *decode(struct span text)
{
    AUTO_VALUE(buf_clear) struct buf b;
    struct err ignored = { 0 };
    buf_init(&b, LIMIT_HTTP_HEADER);
    buf_puts(&b, "");
    if (percent_decode(text, &b, &ignored))
        return NULL;
    if (!b.len)
        return xstrdup("");
    return strlen(b.data) == b.len ? buf_take(&b) : NULL;
}

/* "/a//b" to "/a/b". */
static char *squeeze_slashes(struct span path)
{
    char *text = xcalloc(1, size_add(path.len, 1)), *to = text;
    for (size_t i = 0; i < path.len; i++)
        if (path.ptr[i] != '/' || to == text || to[-1] != '/')
            *to++ = path.ptr[i];
    return text;
}

static bool take_path(struct http_exchange *x, struct span path)
{
    if (span_starts(path, "http://") || span_starts(path, "https://")) { /* as proxies are asked */
        path = span_skip(path, strlen("http://"));
        path = span_skip(path, span_starts(path, "/") ? 1 : 0);
        ptrdiff_t slash = span_find(path, '/');
        path = slash < 0 ? SPAN("/") : span_skip(path, (size_t)slash);
    }
    if (!span_starts(path, "/") && !span_is(path, "*"))
        return false;
    AUTO_FREE char *squeezed = squeeze_slashes(path);
    x->path = decode(span_of(squeezed));
    return x->path != NULL;
}

static bool take_query(struct http_exchange *x, struct span query)
{
    while (query.ptr) {
        AUTO_FREE char *pair = span_dup(span_cut(&query, '&'));
        for (char *p = pair; *p; p++)
            if (*p == '+')
                *p = ' ';
        struct span value = span_of(pair), key = span_cut(&value, '=');
        AUTO_FREE char *k = decode(key);
        AUTO_FREE char *v = decode(value);
        if (!k || !v)
            return false;
        if (*pair && !map_has(&x->query, k))
            map_set_str(&x->query, k, v);
    }
    return true;
}

void exchange_begin(struct http_exchange *x, const char *method)
{
    uint64_t size = 0;
    const char *length = exchange_header(x, "content-length");
    bool is_sized_zero = !length || (span_u64(span_of(length), UINT64_MAX, &size) && !size);
    x->has_body = !is_sized_zero || exchange_header(x, "transfer-encoding");
    x->method = xstrdup(method);
    body_init(&x->body, !x->has_body);
    x->is_begun = true;
    struct span query = span_of(x->target), path = span_cut(&query, '?');
    if (!take_path(x, path) || !take_query(x, query))
        exchange_reply(x, 400, SPAN("the path or query of the request cannot be decoded\n"));
}

const char *exchange_method(const struct http_exchange *x)
{
    return x->method;
}

const char *exchange_path(const struct http_exchange *x)
{
    return x->path;
}

const char *exchange_query(const struct http_exchange *x, const char *key)
{
    return map_find_str(&x->query, key);
}

const char *exchange_header(const struct http_exchange *x, const char *name)
{
    AUTO_FREE char *key = dup_lower(name);
    return map_find_str(&x->headers, key);
}

struct reader *exchange_body(struct http_exchange *x)
{
    return &x->body.reader;
}

const char *exchange_peer(const struct http_exchange *x)
{
    return x->peer;
}

void exchange_set_header(struct http_exchange *x, const char *name, const char *value)
{
    map_set_str(&x->answer_headers, name, value);
}

void exchange_reply(struct http_exchange *x, int status, struct span body)
{
    assert(!x->status);
    x->status = status;
    x->answer = span_dup(body);
    x->answer_len = body.len;
}

void exchange_reply_file(struct http_exchange *x, int status, int fd, uint64_t offset,
                         uint64_t size)
{
    assert(!x->status);
    struct stat st;
    uint64_t end = 0;
    bool is_there = !fstat(fd, &st) && u64_add(offset, size, &end) && end <= (uint64_t)st.st_size;
    if (!is_there) { /* libmicrohttpd would wait for the rest for ever, at full speed */
        close(fd);
        exchange_reply(x, 500, SPAN("a file of the server is shorter than it should be\n"));
        return;
    }
    x->status = status;
    x->fd = fd;
    x->offset = offset;
    x->size = size;
}
