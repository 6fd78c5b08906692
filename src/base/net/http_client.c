/* base/net/http_client.c - the client: its lanes, what they share, and where the environment is
 * read.
 *
 * libcurl can share open connections between threads only with known races, so each running request
 * has a lane (a handle with its own connections) to itself, and idle lanes are handed out to
 * whoever speaks to the same host next.  DNS answers and TLS sessions are shared by all lanes.
 *
 * Threads: locked inside. */
#include "base/net/http_client.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/net/curl_internal.h"

#define LOOPBACK "localhost,127.0.0.0/8,::1"

enum { N_IDLE_LANES = 16, CONNECT_TIMEOUT_MS = 30000, IDLE_TIMEOUT_MS = 60000 };

struct http_client {
    pthread_mutex_t mutex; /* guards idle and n_idle */
    struct lane *idle;     /* owned, the last used one first */
    size_t n_idle;
    CURLSH *share; /* owned */
    pthread_mutex_t share_mutexes[CURL_LOCK_DATA_LAST];
    struct client_config config;
};

static void init_curl(void)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        abort();
}

static void share_lock(CURL *easy, curl_lock_data data, curl_lock_access access, void *arg)
{
    (void)easy, (void)access;
    struct http_client *c = arg;
    pthread_mutex_lock(&c->share_mutexes[data]);
}

static void share_unlock(CURL *easy, curl_lock_data data, void *arg)
{
    (void)easy;
    struct http_client *c = arg;
    pthread_mutex_unlock(&c->share_mutexes[data]);
}

static bool share_open(struct http_client *c)
{
    c->share = curl_share_init();
    return c->share && !curl_share_setopt(c->share, CURLSHOPT_LOCKFUNC, share_lock) &&
           !curl_share_setopt(c->share, CURLSHOPT_UNLOCKFUNC, share_unlock) &&
           !curl_share_setopt(c->share, CURLSHOPT_USERDATA, c) &&
           !curl_share_setopt(c->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS) &&
           !curl_share_setopt(c->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
}

static const char *env_of(const char *small, const char *capital)
{
    const char *value = getenv(small);
    if (!value || !*value)
        value = getenv(capital);
    return value && *value ? value : NULL;
}

static void config_init(struct client_config *config, const struct http_client_options *o)
{
    const char *no_proxy = env_of("no_proxy", "NO_PROXY");
    bool is_none_proxied = no_proxy && !strcmp(no_proxy, "*");
    *config = (struct client_config){
        .user_agent = xstrdup(o && o->user_agent ? o->user_agent : "kiln/" KILN_VERSION),
        .no_proxy = is_none_proxied
                        ? xstrdup("*")
                        : xasprintf("%s%s" LOOPBACK, no_proxy ? no_proxy : "", no_proxy ? "," : ""),
        .ca_file = xstrdup_or_null(env_of("SSL_CERT_FILE", "SSL_CERT_FILE")),
        .ca_path = xstrdup_or_null(env_of("SSL_CERT_DIR", "SSL_CERT_DIR")),
        .connect_timeout_ms =
            o && o->connect_timeout_ms ? o->connect_timeout_ms : CONNECT_TIMEOUT_MS,
        .idle_timeout_ms = o && o->idle_timeout_ms ? o->idle_timeout_ms : IDLE_TIMEOUT_MS,
    };
    /* In a CGI program HTTP_PROXY is the "Proxy" header of a stranger (CVE-2016-5385). */
    if (!getenv("http_proxy") && !getenv("REQUEST_METHOD"))
        config->http_proxy = xstrdup_or_null(env_of("HTTP_PROXY", "HTTP_PROXY"));
}

static void config_clear(struct client_config *config)
{
    free(config->user_agent);
    free(config->no_proxy);
    free(config->http_proxy);
    free(config->ca_file);
    free(config->ca_path);
}

int http_client_new(const struct http_client_options *o, struct http_client **out, struct err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_curl);

    AUTO(http_client_free) struct http_client *c = xcalloc(1, sizeof *c);
    pthread_mutex_init(&c->mutex, NULL);
    for (size_t i = 0; i < CURL_LOCK_DATA_LAST; i++)
        pthread_mutex_init(&c->share_mutexes[i], NULL);
    config_init(&c->config, o);
    if (!share_open(c))
        return err_set(err, ERR_SYSTEM, "start the HTTP client: libcurl refuses to share");
    *out = STEAL(c);
    return 0;
}

static void lane_free(struct lane *lane)
{
    curl_easy_cleanup(lane->easy);
    curl_multi_cleanup(lane->multi);
    free(lane->origin);
    free(lane);
}
DEFINE_AUTO(struct lane, lane_free)

void http_client_free(struct http_client *c)
{
    if (!c)
        return;
    while (c->idle) {
        struct lane *lane = c->idle;
        c->idle = lane->next;
        lane_free(lane);
    }
    curl_share_cleanup(c->share);
    for (size_t i = 0; i < CURL_LOCK_DATA_LAST; i++)
        pthread_mutex_destroy(&c->share_mutexes[i]);
    pthread_mutex_destroy(&c->mutex);
    config_clear(&c->config);
    free(c);
}

/* NULL when libcurl has no handle to give. */
static struct lane *lane_new(struct http_client *c)
{
    AUTO(lane_free) struct lane *lane = xcalloc(1, sizeof *lane);
    lane->multi = curl_multi_init();
    lane->easy = curl_easy_init();
    if (!lane->multi || !lane->easy || curl_easy_setopt(lane->easy, CURLOPT_SHARE, c->share))
        return NULL;
    return STEAL(lane);
}

/* Takes the lane that spoke to `origin` last; else, when many are idle, the one longest unused. */
static struct lane *take_idle(struct http_client *c, const char *origin)
{
    struct lane **found = NULL;
    for (struct lane **p = &c->idle; *p; p = &(*p)->next) {
        bool is_same = !strcmp((*p)->origin, origin);
        if (is_same || (!(*p)->next && c->n_idle >= N_IDLE_LANES))
            found = p;
        if (is_same)
            break;
    }
    if (!found)
        return NULL;
    struct lane *lane = *found;
    *found = lane->next;
    c->n_idle--;
    return lane;
}

static int lane_take(struct http_client *c, const struct url *url, struct lane **out,
                     struct err *err)
{
    AUTO_FREE char *origin = xasprintf("%s://%s:%u", url->scheme, url->host, url->port);
    pthread_mutex_lock(&c->mutex);
    struct lane *lane = take_idle(c, origin);
    pthread_mutex_unlock(&c->mutex);
    if (!lane)
        lane = lane_new(c);
    if (!lane)
        return err_set(err, ERR_SYSTEM, "start an HTTP request: libcurl gives no handle");
    free(lane->origin);
    lane->origin = STEAL(origin);
    *out = lane;
    return 0;
}

static void lane_give(struct http_client *c, struct lane *lane)
{
    /* nothing of this request may be seen by the next, its credentials least of all */
    curl_easy_reset(lane->easy);
    pthread_mutex_lock(&c->mutex);
    bool is_kept = c->n_idle < N_IDLE_LANES;
    if (is_kept) {
        lane->next = c->idle;
        c->idle = lane;
        c->n_idle++;
    }
    pthread_mutex_unlock(&c->mutex);
    if (!is_kept)
        lane_free(lane);
}

void http_response_clear(struct http_response *r)
{
    map_clear(&r->headers);
    buf_clear(&r->body);
    free(r->final_url);
    r->final_url = NULL;
    r->status = 0;
}

static void transfer_clear(struct transfer *t)
{
    url_clear(&t->url);
    free(t->name);
    curl_slist_free_all(t->headers);
    buf_clear(&t->ca);
}

static int parse_url(struct transfer *t, struct err *err)
{
    const struct http_request *q = t->request;
    if (url_parse(span_of(q->url), &t->url, err))
        return err_wrap(err, "%s", q->method);
    AUTO_FREE char *shown = url_text_redacted(&t->url);
    t->name = xasprintf("%s %s", q->method, shown);
    if (strcmp(t->url.scheme, "http") != 0 && strcmp(t->url.scheme, "https") != 0)
        return err_set(err, ERR_INVALID, "%s: no http or https URL", t->name);
    return 0;
}

int http_fetch(struct http_client *c, const struct http_request *q, struct http_response *out,
               struct writer *sink, struct err *err)
{
    *out = (struct http_response){ .headers = STR_MAP };
    buf_init(&out->body, q->n_body_ceiling ? (size_t)q->n_body_ceiling : LIMIT_HTTP_TEXT);
    AUTO_VALUE(transfer_clear)
    struct transfer t = {
        .config = &c->config,
        .request = q,
        .response = out,
        .sink = sink,
    };
    if (cancel_check(q->cancel, err) || parse_url(&t, err) || lane_take(c, &t.url, &t.lane, err))
        return -1;
    int status = transfer_run(&t, err);
    lane_give(c, t.lane);
    return status;
}

int http_send(struct http_client *c, const struct http_request *q, struct http_response *out,
              struct err *err)
{
    return http_fetch(c, q, out, NULL, err);
}
