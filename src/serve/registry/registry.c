/* serve/registry/registry.c - start, stop, upkeep, and the way from a request to its handler. */
#include "serve/registry/registry.h"

#include <stdlib.h>
#include <string.h>

#include "base/core/limits.h"
#include "base/core/log.h"
#include "base/core/mem.h"
#include "base/core/pool.h"
#include "image/store/lease.h"
#include "serve/registry/internal.h"
#include "serve/registry/sessions.h"

enum {
    UPKEEP_MS = 60000,
    LEASE_AGO_S = 600, /* longer than anybody takes from a layer to its manifest */
    UPLOADS = 256,
    UPLOAD_IDLE_MS = 3600000,
    PAGE = 10000
};

/* ---- requests ---- */

static int base_get(struct request *q, struct err *err)
{
    (void)err;
    reply_bytes(q, 200, "application/json", SPAN("{}"));
    return 0;
}

static const struct endpoint {
    enum route_kind kind;
    const char *method; /* HEAD is asked as GET; the server leaves the body out */
    bool is_writing;
    int (*handle)(struct request *q, struct err *err);
} endpoints[] = {
    { ROUTE_BASE, "GET", false, base_get },
    { ROUTE_CATALOG, "GET", false, catalog_get },
    { ROUTE_MANIFEST, "GET", false, manifest_get },
    { ROUTE_MANIFEST, "PUT", true, manifest_upload },
    { ROUTE_MANIFEST, "DELETE", true, manifest_delete },
    { ROUTE_BLOB, "GET", false, blob_get },
    { ROUTE_BLOB, "DELETE", true, blob_delete },
    { ROUTE_UPLOADS, "POST", true, upload_begin },
    { ROUTE_UPLOAD, "GET", true, upload_status },
    { ROUTE_UPLOAD, "PATCH", true, upload_append },
    { ROUTE_UPLOAD, "PUT", true, upload_finish },
    { ROUTE_UPLOAD, "DELETE", true, upload_cancel },
    { ROUTE_TAGS, "GET", false, tags_get },
    { ROUTE_REFERRERS, "GET", false, referrers_get },
};
enum { N_ENDPOINTS = sizeof endpoints / sizeof endpoints[0] };

static int refuse_method(struct request *q, struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf allowed = { 0 };
    buf_init(&allowed, 256);
    bool is_readonly = q->registry->o.is_readonly;
    for (const struct endpoint *e = endpoints; e < endpoints + N_ENDPOINTS; e++) {
        if (e->kind != q->route.kind || (e->is_writing && is_readonly))
            continue;
        buf_printf(&allowed, "%s%s%s", allowed.len ? ", " : "", e->method,
                   strcmp(e->method, "GET") == 0 ? ", HEAD" : "");
    }
    if (allowed.len)
        exchange_set_header(q->x, "Allow", allowed.data);
    return err_set(err, ERR_UNSUPPORTED,
                   is_readonly ? "the registry is read-only or knows no such method"
                               : "no such method here");
}

static int find_user(struct request *q, struct err *err)
{
    if (!q->registry->auth)
        return 0;
    q->about = ABOUT_WHO;
    if (auth_check(q->registry->auth, exchange_header(q->x, "authorization"), &q->user, err)) {
        set_header(q, "WWW-Authenticate", "Basic realm=\"%s\"", q->registry->o.realm);
        return -1;
    }
    q->about = ABOUT_REQUEST;
    return 0;
}

static int answer(struct request *q, struct err *err)
{
    if (find_user(q, err))
        return -1;
    if (route_parse(exchange_path(q->x), &q->route, err)) {
        q->about = err->kind == ERR_INVALID ? ABOUT_NAME : ABOUT_REQUEST;
        return -1;
    }
    const char *method = exchange_method(q->x);
    if (strcmp(method, "HEAD") == 0)
        method = "GET";
    for (const struct endpoint *e = endpoints; e < endpoints + N_ENDPOINTS; e++)
        if (e->kind == q->route.kind && strcmp(e->method, method) == 0 &&
            !(e->is_writing && q->registry->o.is_readonly))
            return e->handle(q, err);
    return refuse_method(q, err);
}

static char *printable(const char *text)
{
    char *copy = xstrdup(text);
    for (char *p = copy; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    return copy;
}

static void tell(const struct request *q)
{
    const struct registry_options *o = &q->registry->o;
    if (!o->log)
        return;
    AUTO_FREE char *path = printable(exchange_path(q->x));
    AUTO_FREE char *user = q->user ? printable(q->user) : NULL;
    AUTO_FREE char *method = printable(exchange_method(q->x));
    struct registry_event event = { .peer = exchange_peer(q->x),
                                    .user = user,
                                    .method = method,
                                    .path = path,
                                    .status = q->status,
                                    .size = q->size,
                                    .error = q->error };
    o->log(o->log_arg, &event);
}

static void handle(void *arg, struct http_exchange *x)
{
    struct registry *r = arg;
    struct request q = { .registry = r, .x = x, .store = r->o.store };
    struct err err = { 0 };
    exchange_set_header(x, "Docker-Distribution-Api-Version", "registry/2.0");
    if (answer(&q, &err))
        reply_error(&q, &err);
    tell(&q);
    route_clear(&q.route);
    free(q.user);
    free(q.error);
}

int request_digest(struct request *q, const char *text, struct digest *out, struct err *err)
{
    if (digest_parse(span_of(text), out, err) == 0)
        return 0;
    q->about = ABOUT_DIGEST;
    return -1;
}

/* ---- upkeep ---- */

/* The new one is taken before the old one is closed, so nothing falls between. */
static void renew_lease(struct registry *r)
{
    struct lease *fresh = NULL;
    struct err err = { 0 };
    if (lease_open(r->o.store, LEASE_AGO_S, &fresh, &err)) {
        log_event(LOG_WARN, "serve", "the lease is not renewed error=\"%s\"", err.text);
        return;
    }
    lease_close(r->lease);
    r->lease = fresh;
}

static void upkeep(void *arg)
{
    struct registry *r = arg;
    struct err err = { 0 };
    while (cancel_sleep_ms(r->stop, r->o.limits.upkeep_ms, &err) == 0) {
        sessions_expire(r->sessions);
        renew_lease(r);
    }
}

/* ---- start and stop ---- */

static char *quoted(const char *text)
{
    AUTO_VALUE(buf_clear) struct buf b = { 0 };
    buf_init(&b, 2 * strlen(text) + 2);
    buf_puts(&b, "");
    for (const char *p = text; *p; p++) {
        if (*p == '"' || *p == '\\')
            buf_putc(&b, '\\');
        buf_putc(&b, (unsigned char)*p < 0x20 ? ' ' : *p);
    }
    return buf_take(&b);
}

static void copy_options(struct registry *r, const struct registry_options *o)
{
    struct registry_limits *l = &r->o.limits;
    r->o = *o;
    r->o.address = xstrdup_or_null(o->address);
    r->o.htpasswd = xstrdup_or_null(o->htpasswd);
    r->o.realm = quoted(o->realm ? o->realm : "kiln");
    r->o.tls_cert = xstrdup_or_null(o->tls_cert);
    r->o.tls_key = xstrdup_or_null(o->tls_key);
    l->n_uploads = l->n_uploads ? l->n_uploads : (unsigned)UPLOADS;
    l->upload_size = l->upload_size ? l->upload_size : UINT64_MAX;
    l->upload_idle_ms = l->upload_idle_ms ? l->upload_idle_ms : UPLOAD_IDLE_MS;
    l->upkeep_ms = l->upkeep_ms ? l->upkeep_ms : UPKEEP_MS;
    l->page = l->page ? l->page : (unsigned)PAGE;
    if (!l->manifest_size || l->manifest_size > LIMIT_MANIFEST)
        l->manifest_size = LIMIT_MANIFEST;
}

static int start_server(struct registry *r, struct err *err)
{
    struct http_server_options http = { .address = r->o.address,
                                        .port = r->o.port,
                                        .n_connections = r->o.limits.n_connections,
                                        .idle_timeout_ms = r->o.limits.idle_timeout_ms,
                                        .tls_cert = r->o.tls_cert,
                                        .tls_key = r->o.tls_key,
                                        .handle = handle,
                                        .arg = r };
    return http_server_start(&http, &r->http, err);
}

static void registry_free(struct registry *r)
{
    registry_stop(r, 0);
}
DEFINE_AUTO(struct registry, registry_free)

int registry_start(const struct registry_options *o, struct registry **out, struct err *err)
{
    if (!o->tls_cert != !o->tls_key)
        return err_set(err, ERR_INVALID,
                       "start the registry: TLS needs both a certificate and its key");
    AUTO(registry_free) struct registry *r = xcalloc(1, sizeof *r);
    copy_options(r, o);
    r->stop = cancel_new();
    r->sessions = sessions_new(r->o.limits.n_uploads, r->o.limits.upload_idle_ms);
    if (r->o.htpasswd && auth_open(r->o.htpasswd, &r->auth, err))
        return -1;
    /* A read-only registry brings nothing that a collection could take too early. */
    if (!o->is_readonly && (lease_open(o->store, LEASE_AGO_S, &r->lease, err) ||
                            thread_start(&r->upkeep, "registry", upkeep, r, err)))
        return -1;
    if (start_server(r, err))
        return -1;
    *out = STEAL(r);
    return 0;
}

uint16_t registry_port(const struct registry *r)
{
    return http_server_port(r->http);
}

void registry_stop(struct registry *r, int grace_ms)
{
    if (!r)
        return;
    http_server_stop(r->http, grace_ms);
    cancel_fire(r->stop);
    thread_join(r->upkeep);
    lease_close(r->lease);
    sessions_free(r->sessions);
    auth_close(r->auth);
    cancel_free(r->stop);
    const char *const texts[] = { r->o.address, r->o.htpasswd, r->o.realm, r->o.tls_cert,
                                  r->o.tls_key };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        free((void *)(uintptr_t)texts[i]);
    free(r);
}
