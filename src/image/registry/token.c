/* image/registry/token.c - what a 401 asks for: Basic credentials, or a bearer token from a token
 * server.
 *
 * A token is kept per registry and scope and shared by all threads: who finds it missing fetches it
 * while the others wait.  The last challenge of a registry is kept as well, so that a new scope
 * costs no refused request.
 *
 * Spec: distribution "Token Authentication Specification", "OAuth2 Token Authentication"; RFC 7235
 * (challenge). */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/codec/json.h"
#include "base/codec/text.h"
#include "base/core/clock.h"
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "image/registry/internal.h"

enum { TOKEN_DEFAULT_S = 60, TOKEN_MARGIN_S = 5 };

void token_free(void *token)
{
    struct token *t = token;
    if (!t)
        return;
    if (t->value)
        explicit_bzero(t->value, strlen(t->value));
    free(t->value);
    free(t);
}

const char *challenge_pick(const char *header)
{
    bool is_quoted = false;
    for (const char *p = header; *p; p++) {
        if (*p == '"')
            is_quoted = !is_quoted;
        bool is_start = p == header || p[-1] == ' ' || p[-1] == ',';
        if (!is_quoted && is_start && strncasecmp(p, "bearer ", 7) == 0)
            return p;
    }
    return header;
}

char *challenge_find(const char *challenge, const char *name)
{
    size_t len = strlen(name);
    for (const char *p = strchr(challenge, ' '); p && *p;) {
        p += strspn(p, " ,");
        const char *equals = strchr(p, '=');
        if (!equals)
            return NULL;
        bool is_it = (size_t)(equals - p) == len && strncasecmp(p, name, len) == 0;
        const char *value = equals + 1, *end;
        if (*value == '"') {
            value++;
            end = strchr(value, '"');
            if (!end)
                return NULL;
            p = end + 1;
        } else {
            end = p = value + strcspn(value, ",");
        }
        if (is_it)
            return xstrndup(value, (size_t)(end - value));
    }
    return NULL;
}

static char *token_key(const struct host *h, const char *scope)
{
    return xasprintf("%s %s", h->registry, scope);
}

char *token_find(struct remote *r, const struct host *h, const char *scope)
{
    AUTO_FREE char *key = token_key(h, scope);
    pthread_mutex_lock(&r->lock);
    struct token *t = map_find(&r->tokens, key);
    while (t && t->is_fetching) {
        pthread_cond_wait(&r->changed, &r->lock);
        t = map_find(&r->tokens, key);
    }
    char *value =
        t && t->value && clock_monotonic_ms() < t->expires_at_ms ? xstrdup(t->value) : NULL;
    pthread_mutex_unlock(&r->lock);
    return value;
}

static char *basic_header(const struct credential *c)
{
    AUTO_FREE char *plain = xasprintf("%s:%s", c->user, c->password ? c->password : "");
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    buf_init(&text, LIMIT_HTTP_TEXT);
    buf_puts(&text, "Basic ");
    base64_print(span_of(plain), &text);
    explicit_bzero(plain, strlen(plain));
    return buf_take(&text);
}

static void add_parameter(struct buf *b, const char *name, const char *value)
{
    if (!value)
        return;
    if (b->len > 0)
        buf_putc(b, '&');
    buf_printf(b, "%s=", name);
    percent_encode(span_of(value), "", b);
}

/* The parameters of either kind of request.  A scope may be several, separated by blanks: one
 * parameter each for GET. */
static void add_scopes(struct buf *b, const char *scope, bool is_post)
{
    if (is_post) {
        add_parameter(b, "scope", scope);
        return;
    }
    struct span rest = span_of(scope);
    while (rest.ptr && rest.len > 0) {
        AUTO_FREE char *one = span_dup(span_cut(&rest, ' '));
        add_parameter(b, "scope", one);
    }
}

struct token_request {
    const struct host *host;
    const struct credential *credential;
    const char *challenge, *scope;
    const struct cancel *cancel;
};

static int ask_token_server(struct remote *r, const struct token_request *t,
                            struct http_response *out, struct err *err)
{
    AUTO_FREE char *realm = challenge_find(t->challenge, "realm");
    AUTO_FREE char *service = challenge_find(t->challenge, "service");
    if (!realm)
        return err_set(err, ERR_INVALID, "the challenge names no server: %s", t->challenge);
    if (strncasecmp(realm, "http:", 5) == 0 && strncmp(t->host->base_url, "https:", 6) == 0 &&
        (t->credential->user || t->credential->identity_token))
        return err_set(err, ERR_DENIED,
                       "the token server %s has no TLS, though the registry has: no credentials go"
                       " there",
                       realm);
    AUTO_VALUE(buf_clear) struct buf q = { 0 };
    buf_init(&q, LIMIT_HTTP_TEXT);
    AUTO_VALUE(map_clear) struct map headers = STR_MAP;
    bool is_post = t->credential->identity_token != NULL;
    add_parameter(&q, "service", service);
    add_scopes(&q, t->scope, is_post);
    if (is_post) {
        add_parameter(&q, "grant_type", "refresh_token");
        add_parameter(&q, "client_id", "kiln");
        add_parameter(&q, "refresh_token", t->credential->identity_token);
        map_set_str(&headers, "Content-Type", "application/x-www-form-urlencoded");
    } else if (t->credential->user) {
        add_parameter(&q, "account", t->credential->user);
        AUTO_FREE char *basic = basic_header(t->credential);
        map_set_str(&headers, "Authorization", basic);
    }
    AUTO_FREE char *url = is_post || q.len == 0
                              ? xstrdup(realm)
                              : xasprintf("%s%c%s", realm, strchr(realm, '?') ? '&' : '?', q.data);
    struct http_tls tls = host_tls(t->host);
    struct http_request request = { .method = is_post ? "POST" : "GET",
                                    .url = url,
                                    .headers = &headers,
                                    .tls = &tls,
                                    .follows_redirects = true,
                                    .cancel = t->cancel,
                                    .body = is_post ? buf_span(&q) : (struct span){ 0 } };
    int status = http_send(r->http, &request, out, err);
    if (is_post && q.data)
        explicit_bzero(q.data, q.len);
    return status;
}

/* Goes into a header as it is. */
static bool is_token(const char *value)
{
    if (!value || !*value)
        return false;
    for (const char *p = value; *p; p++)
        if (*p <= ' ' || *p > '~')
            return false;
    return true;
}

static int read_token(const struct http_response *response, struct token *out, struct err *err)
{
    AUTO(json_free) struct json *answer = NULL;
    if (json_parse(buf_span(&response->body), &answer, err))
        return err_set(err, ERR_INVALID, "the token server's answer is no JSON");
    const char *value = json_get_str(answer, "token");
    if (!value)
        value = json_get_str(answer, "access_token");
    if (!is_token(value))
        return err_set(err, ERR_INVALID, "the token server's answer holds no token");
    int64_t seconds = json_get_int(answer, "expires_in", TOKEN_DEFAULT_S);
    if (seconds <= TOKEN_MARGIN_S)
        seconds = TOKEN_DEFAULT_S;
    out->value = xasprintf("Bearer %s", value);
    out->expires_at_ms = clock_monotonic_ms() + (uint64_t)(seconds - TOKEN_MARGIN_S) * 1000;
    return 0;
}

static int deny(const struct token_request *t, const struct http_response *response,
                struct err *err)
{
    const struct credential *c = t->credential;
    if (c->user || c->identity_token)
        err_set(err, ERR_DENIED, "%s refuses the credentials%s%s from %s (status %d)",
                t->host->registry, c->user ? " of user " : "", c->user ? c->user : "", c->origin,
                response->status);
    else
        err_set(err, ERR_DENIED, "%s gives no token to strangers (status %d)", t->host->registry,
                response->status);
    return err_hint(err, "kiln login %s", t->host->registry);
}

static int fetch_token(struct remote *r, const struct token_request *t, struct token *out,
                       struct err *err)
{
    if (strncasecmp(t->challenge, "basic", 5) == 0) {
        if (!t->credential->user)
            return 0;
        out->value = basic_header(t->credential);
        out->expires_at_ms = UINT64_MAX;
        return 0;
    }
    if (strncasecmp(t->challenge, "bearer", 6) != 0)
        return err_set(err, ERR_UNSUPPORTED,
                       "%s asks for authorization of a kind not known here: %s", t->host->registry,
                       t->challenge);
    AUTO_VALUE(http_response_clear) struct http_response response = { 0 };
    if (ask_token_server(r, t, &response, err))
        return err_wrap(err, "get a token for %s", t->host->registry);
    if (response.status == 401 || response.status == 403)
        return deny(t, &response, err);
    if (response.status != 200)
        return err_set(
            err, response.status >= 500 || response.status == 429 ? ERR_NETWORK : ERR_DENIED,
            "get a token for %s: the token server answers %d", t->host->registry, response.status);
    if (read_token(&response, out, err))
        return err_wrap(err, "get a token for %s", t->host->registry);
    return 0;
}

/* Marks the token as being fetched by this thread; false when another thread got a new one
 * meanwhile, which is *out then. */
static bool claim(struct remote *r, const char *key, const char *stale, char **out)
{
    pthread_mutex_lock(&r->lock);
    struct token *t;
    while ((t = map_find(&r->tokens, key)) && t->is_fetching)
        pthread_cond_wait(&r->changed, &r->lock);
    bool is_new = t && t->value && clock_monotonic_ms() < t->expires_at_ms &&
                  (!stale || strcmp(stale, t->value) != 0);
    if (is_new) {
        *out = xstrdup(t->value);
    } else {
        if (!t)
            map_set(&r->tokens, key, t = xcalloc(1, sizeof *t));
        t->is_fetching = true;
    }
    pthread_mutex_unlock(&r->lock);
    return !is_new;
}

static void settle(struct remote *r, const char *key, struct token *fetched, char **out)
{
    pthread_mutex_lock(&r->lock);
    struct token *t = map_find(&r->tokens, key);
    free(t->value);
    t->value = STEAL(fetched->value);
    t->expires_at_ms = fetched->expires_at_ms;
    t->is_fetching = false;
    *out = xstrdup_or_null(t->value);
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

int token_get(struct remote *r, const struct token_wish *wish, char **out, struct err *err)
{
    AUTO_FREE char *key = token_key(wish->host, wish->scope);
    *out = NULL;
    if (!claim(r, key, wish->stale, out))
        return 0;
    AUTO_VALUE(credential_clear) struct credential credential = { 0 };
    struct token fetched = { 0 };
    struct token_request t = { .host = wish->host,
                               .credential = &credential,
                               .challenge = wish->challenge,
                               .scope = wish->scope,
                               .cancel = wish->cancel };
    int status = credential_find(r->auth_file, wish->host->registry, wish->repository, &credential,
                                 wish->cancel, err);
    if (status == 0)
        status = fetch_token(r, &t, &fetched, err);
    settle(r, key, &fetched, out);
    /* Credentials that were refused once are refused again: nothing more to try. */
    if (*out && wish->stale && strcmp(*out, wish->stale) == 0) {
        free(*out);
        *out = NULL;
    }
    return status;
}
