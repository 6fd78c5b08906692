/* image/registry/request.c - one call: authorization, mirrors, retries, and what an answer means.
 *
 * A try that ends in 401 is made again once with what the challenge asks for.  Broken connections,
 * time-outs, 408, 429 and 5xx are tried again after 0.2, 0.4, 0.8 ... seconds, or what Retry-After
 * says. */
#include <stdlib.h>
#include <string.h>

#include "base/codec/json.h"
#include "base/core/limits.h"
#include "base/core/log.h"
#include "base/core/mem.h"
#include "base/net/url.h"
#include "image/registry/internal.h"

enum { RETRY_FIRST_MS = 200, RETRY_AFTER_MAX_S = 60 };

static char *call_scope(const struct call *c)
{
    if (!c->actions)
        return xstrdup("");
    AUTO_FREE char *scope = xasprintf("repository:%s:%s", c->ref->repository, c->actions);
    return c->also ? xasprintf("%s repository:%s:pull", scope, c->also) : STEAL(scope);
}

static char *call_url(const struct call *c, const struct host *h)
{
    if (c->url)
        return c->url[0] == '/' ? xasprintf("%s%s", h->base_url, c->url) : xstrdup(c->url);
    return xasprintf("%s/v2/%s/%s", h->base_url, c->ref->repository, c->path);
}

static unsigned port_of(const struct url *u)
{
    return u->port ? u->port : strcmp(u->scheme, "https") == 0 ? 443 : 80;
}

/* Credentials go to the registry alone, not where a Location leads. */
static bool is_same_host(const char *url, const struct host *h)
{
    AUTO_VALUE(url_clear) struct url to = { 0 }, own = { 0 };
    struct err bad = { 0 };
    if (url_parse(span_of(url), &to, &bad) || url_parse(span_of(h->base_url), &own, &bad))
        return false;
    return strcmp(to.scheme, own.scheme) == 0 && to.host && own.host &&
           strcmp(to.host, own.host) == 0 && port_of(&to) == port_of(&own);
}

static int send_once(struct remote *r, struct call *c, const struct host *h, const char *token,
                     struct http_response *out, struct err *err)
{
    AUTO_VALUE(map_clear) struct map headers = STR_MAP;
    if (c->headers)
        map_copy_str(&headers, c->headers);
    if (c->restart && c->restart(c->sink_arg, &headers, err))
        return -1;
    c->is_new_host = false;
    AUTO_FREE char *url = call_url(c, h);
    if (token && is_same_host(url, h))
        map_set_str(&headers, "Authorization", token);
    AUTO(reader_close) struct reader *body = NULL;
    if (c->open_body && c->open_body(c->body_arg, &body, err))
        return -1;
    struct http_tls tls = host_tls(h);
    struct http_request q = { .method = c->method,
                              .url = url,
                              .headers = &headers,
                              .tls = &tls,
                              .follows_redirects = true,
                              .body = c->body,
                              .body_stream = body,
                              .body_size = c->body_size,
                              .cancel = c->cancel,
                              .n_body_ceiling = c->ceiling };
    c->seen = out;
    return c->sink ? http_fetch(r->http, &q, out, c->sink, err) : http_send(r->http, &q, out, err);
}

static void keep_challenge(struct remote *r, const struct host *h, const char *challenge)
{
    pthread_mutex_lock(&r->lock);
    map_set_str(&r->challenges, h->registry, challenge);
    pthread_mutex_unlock(&r->lock);
}

/* A token before the first refusal, where the registry is known to ask for one. */
static int token_ahead(struct remote *r, struct call *c, const struct host *h, const char *scope,
                       char **out, struct err *err)
{
    *out = token_find(r, h, scope);
    if (*out)
        return 0;
    pthread_mutex_lock(&r->lock);
    AUTO_FREE char *challenge = xstrdup_or_null(map_find_str(&r->challenges, h->registry));
    pthread_mutex_unlock(&r->lock);
    if (!challenge)
        return 0;
    struct token_wish wish = { .host = h,
                               .repository = c->ref->repository,
                               .scope = scope,
                               .challenge = challenge,
                               .cancel = c->cancel };
    return token_get(r, &wish, out, err);
}

/* Whether it was the registry that answered, not a place to which it sent us: whoever asks for
 * credentials there does not get the registry's. */
static bool is_own_answer(const struct http_response *response, const struct call *c,
                          const struct host *h)
{
    AUTO_FREE char *asked = call_url(c, h);
    return is_same_host(response->final_url ? response->final_url : asked, h);
}

/* One try, with at most one more for a 401. */
static int send_authorized(struct remote *r, struct call *c, const struct host *h,
                           struct http_response *out, struct err *err)
{
    AUTO_FREE char *scope = call_scope(c);
    AUTO_FREE char *token = NULL;
    if (token_ahead(r, c, h, scope, &token, err) || send_once(r, c, h, token, out, err))
        return -1;
    const char *header = map_find_str(&out->headers, "www-authenticate");
    if (out->status != 401 || !header || !is_own_answer(out, c, h))
        return 0;
    const char *challenge = challenge_pick(header);
    keep_challenge(r, h, challenge);
    AUTO_FREE char *fresh = NULL;
    struct token_wish wish = { .host = h,
                               .repository = c->ref->repository,
                               .scope = scope,
                               .challenge = challenge,
                               .stale = token,
                               .cancel = c->cancel };
    if (token_get(r, &wish, &fresh, err))
        return -1;
    if (!fresh)
        return 0;
    http_response_clear(out);
    *out = (struct http_response){ 0 };
    return send_once(r, c, h, fresh, out, err);
}

static bool is_worth_a_retry(int status, const struct http_response *response,
                             const struct err *err)
{
    if (status)
        return err->kind == ERR_NETWORK || err->kind == ERR_TIMEOUT;
    int s = response->status;
    return s == 408 || s == 429 || s == 500 || s == 502 || s == 503 || s == 504;
}

static int pause_ms(int n_tries, const struct http_response *response)
{
    const char *after = map_find_str(&response->headers, "retry-after");
    uint64_t seconds = 0;
    if (after && span_u64(span_of(after), UINT64_MAX, &seconds))
        return (int)(seconds < RETRY_AFTER_MAX_S ? seconds : RETRY_AFTER_MAX_S) * 1000;
    return RETRY_FIRST_MS << (n_tries < 6 ? n_tries : 6);
}

static int send_with_retries(struct remote *r, struct call *c, const struct host *h,
                             struct http_response *out, struct err *err)
{
    c->is_new_host = true;
    for (int n_tries = 0;; n_tries++) {
        *out = (struct http_response){ 0 };
        int status = send_authorized(r, c, h, out, err);
        if (!is_worth_a_retry(status, out, err) || c->is_tried_once || n_tries >= r->n_retries)
            return status;
        int wait_ms = pause_ms(n_tries, out);
        log_event(LOG_INFO, "registry", "try again in_ms=%d host=%s status=%d error=\"%s\"",
                  wait_ms, h->registry, out->status, status ? err->text : "");
        http_response_clear(out);
        err_clear(err);
        if (cancel_sleep_ms(c->cancel, wait_ms, err))
            return -1;
    }
}

/* True when a mirror gave the answer. */
static bool ask_mirrors(struct remote *r, struct call *c, struct http_response *out)
{
    const char *list = map_find_str(&r->mirrors, c->ref->registry);
    struct span rest = span_of(list);
    while (list && rest.ptr && rest.len > 0) {
        AUTO_FREE char *mirror = span_dup(span_trim(span_cut(&rest, ',')));
        const struct host *h = NULL;
        struct err err = { 0 };
        if (host_get(r, mirror, c->cancel, &h, &err) == 0 &&
            send_with_retries(r, c, h, out, &err) == 0 && out->status >= 200 && out->status <= 299)
            return true;
        log_event(LOG_INFO, "registry", "mirror gave nothing mirror=%s status=%d error=\"%s\"",
                  mirror, out->status, err.text);
        http_response_clear(out);
    }
    return false;
}

int call_send(struct remote *r, struct call *c, struct http_response *out, struct err *err)
{
    const struct host *h = NULL;
    c->is_from_mirror = c->asks_mirrors && ask_mirrors(r, c, out);
    if (c->is_from_mirror)
        return 0;
    if (host_get(r, c->ref->registry, c->cancel, &h, err))
        return -1;
    if (send_with_retries(r, c, h, out, err)) /* what a sink refuses, its owner tells */
        return err->kind == ERR_CORRUPT ? -1 : err_wrap(err, "%s", c->what);
    if (out->status == 401 || out->status == 429 || out->status >= 500)
        return call_fail(r, c, out, err);
    return 0;
}

/* The registry's own words: {"errors":[{"code":..,"message":..}]}. */
static char *own_words(const struct http_response *response)
{
    struct err ignored = { 0 };
    AUTO(json_free) struct json *body = NULL;
    if (response->body.len == 0 || json_parse(buf_span(&response->body), &body, &ignored))
        return xstrdup("");
    const struct json *first = json_at(json_get(body, "errors"), 0);
    const char *code = json_get_str(first, "code"), *message = json_get_str(first, "message");
    if (!code && !message)
        return xstrdup("");
    return xasprintf(": %.100s%s%.300s", code ? code : "", code && message ? ": " : "",
                     message ? message : "");
}

static enum err_kind kind_of_status(int status)
{
    switch (status) {
    case 401:
    case 403:
        return ERR_DENIED;
    case 404:
        return ERR_NOT_FOUND;
    case 405:
    case 501:
        return ERR_UNSUPPORTED;
    case 413:
    case 429:
        return ERR_LIMIT;
    default:
        return status >= 500 || status == 408 ? ERR_NETWORK : ERR_INVALID;
    }
}

static void say_who(struct remote *r, const struct call *c, struct err *err)
{
    AUTO_VALUE(credential_clear) struct credential who = { 0 };
    struct err ignored = { 0 };
    if (credential_find(r->auth_file, c->ref->registry, c->ref->repository, &who, NULL, &ignored))
        return;
    if (who.user || who.identity_token)
        err_hint(err, "the credentials%s%s from %s were used; kiln login %s takes others",
                 who.user ? " of user " : "", who.user ? who.user : "", who.origin,
                 c->ref->registry);
    else
        err_hint(err, "no credentials for %s in %s; kiln login %s stores them", c->ref->registry,
                 who.origin ? who.origin : r->auth_file, c->ref->registry);
}

int call_fail(struct remote *r, const struct call *c, const struct http_response *response,
              struct err *err)
{
    AUTO_FREE char *words = own_words(response);
    int s = response->status;
    const char *meaning = s == 401   ? "not authorized"
                          : s == 403 ? "forbidden"
                          : s == 404 ? "not found"
                          : s == 429 ? "too many requests"
                          : s == 413 ? "too large"
                                     : "refused";
    err_set(err, kind_of_status(s), "%s: %s%s%s answers %d, %s%s", c->what, c->ref->registry,
            *c->ref->repository ? "/" : "", c->ref->repository, s, meaning, words);
    if (s == 401 || s == 403)
        say_who(r, c, err);
    return -1;
}

int call_location(struct remote *r, const struct call *c, const struct http_response *response,
                  char **out, struct err *err)
{
    const char *location = map_find_str(&response->headers, "location");
    const struct host *h = NULL;
    if (!location)
        return err_set(err, ERR_INVALID, "%s: %s names no Location", c->what, c->ref->registry);
    if (host_get(r, c->ref->registry, c->cancel, &h, err))
        return -1;
    AUTO_FREE char *at = response->final_url ? xstrdup(response->final_url) : call_url(c, h);
    AUTO_VALUE(url_clear) struct url base = { 0 }, whole = { 0 };
    if (url_parse(span_of(at), &base, err) || url_resolve(&base, span_of(location), &whole, err))
        return err_wrap(err, "%s: the Location given by %s", c->what, c->ref->registry);
    *out = url_text(&whole);
    return 0;
}
