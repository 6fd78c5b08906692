/* image/registry/host.c - how a registry is reached: scheme, certificates, who is trusted.
 *
 * HTTPS unless: the host is loopback (then what answers), or somebody allowed it to be insecure
 * (then HTTPS without verifying, else plain HTTP).  What answers is found by one GET /v2/, once per
 * registry.
 *
 * Spec: containers-certs.d(5): DIR/HOST[:PORT]/ca.crt, client.cert with client.key. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "image/registry/internal.h"

void host_free(void *host)
{
    struct host *h = host;
    if (!h)
        return;
    free(h->registry);
    free(h->base_url);
    str_list_clear(&h->ca_files);
    free(h->client_cert);
    free(h->client_key);
    free(h);
}

struct http_tls host_tls(const struct host *h)
{
    return (struct http_tls){ .is_unverified = h->is_unverified,
                              .ca_files = &h->ca_files,
                              .client_cert = h->client_cert,
                              .client_key = h->client_key };
}

/* Without port and brackets. */
static char *host_name(const char *registry)
{
    if (registry[0] == '[') {
        const char *end = strchr(registry, ']');
        return end ? xstrndup(registry + 1, (size_t)(end - registry - 1)) : xstrdup(registry);
    }
    return xstrndup(registry, strcspn(registry, ":"));
}

static bool is_loopback(const char *registry)
{
    AUTO_FREE char *name = host_name(registry);
    return strcmp(name, "localhost") == 0 || strncmp(name, "127.", 4) == 0 ||
           strcmp(name, "::1") == 0 || span_ends(span_of(name), ".localhost");
}

static bool is_insecure(struct remote *r, const char *registry)
{
    AUTO_FREE char *name = host_name(registry);
    pthread_mutex_lock(&r->lock);
    bool is_allowed = r->is_all_insecure || str_list_has(&r->insecure, registry) ||
                      str_list_has(&r->insecure, name);
    pthread_mutex_unlock(&r->lock);
    return is_allowed;
}

void remote_allow_insecure(struct remote *r, const char *registry)
{
    pthread_mutex_lock(&r->lock);
    if (!str_list_has(&r->insecure, registry))
        str_list_push(&r->insecure, registry);
    pthread_mutex_unlock(&r->lock);
}

static void read_certs(struct host *h, const char *folder)
{
    AUTO_VALUE(str_list_clear) struct str_list names = { 0 };
    struct err absent = { 0 };
    AUTO_FREE char *path = xasprintf("%s/%s", folder, h->registry);
    if (fs_list(AT_FDCWD, path, &names, &absent))
        return;
    vec_each (&names, name) {
        struct span s = span_of(*name);
        if (span_ends(s, ".crt"))
            str_list_take(&h->ca_files, xasprintf("%s/%s", path, *name));
        if (!span_ends(s, ".cert") || h->client_cert)
            continue;
        h->client_cert = xasprintf("%s/%s", path, *name);
        AUTO_FREE char *key = xasprintf("%s/%.*s.key", path, (int)s.len - 5, *name);
        if (access(key, F_OK) == 0)
            h->client_key = STEAL(key);
    }
}

/* Whether something that speaks the scheme answers.  A server of TLS answers plain HTTP with a 400
 * that says so. */
static bool answers(struct remote *r, struct host *h, const char *scheme, const char *address,
                    const struct cancel *cancel)
{
    struct err err = { 0 };
    AUTO_FREE char *url = xasprintf("%s://%s/v2/", scheme, address);
    struct http_tls tls = host_tls(h);
    struct http_request q = { .method = "GET", .url = url, .tls = &tls, .cancel = cancel };
    AUTO_VALUE(http_response_clear) struct http_response response = { 0 };
    if (http_send(r->http, &q, &response, &err))
        return false;
    return response.status != 400 || strcmp(scheme, "https") == 0;
}

static void choose_scheme(struct remote *r, struct host *h, const char *address,
                          const struct cancel *cancel)
{
    const char *scheme = "https";
    bool insecure = is_insecure(r, h->registry), loopback = is_loopback(h->registry);
    if (insecure)
        h->is_unverified = true;
    if (loopback)
        scheme = answers(r, h, "http", address, cancel) ? "http" : "https";
    else if (insecure && !answers(r, h, "https", address, cancel) &&
             answers(r, h, "http", address, cancel))
        scheme = "http";
    h->base_url = xasprintf("%s://%s", scheme, address);
}

static struct host *host_new(struct remote *r, const char *registry, const struct cancel *cancel)
{
    struct host *h = xcalloc(1, sizeof *h);
    h->registry = xstrdup(registry);
    if (r->certs_dir) {
        read_certs(h, r->certs_dir);
    } else {
        read_certs(h, "/etc/containers/certs.d");
        read_certs(h, "/etc/docker/certs.d");
    }
    bool is_hub = strcmp(registry, "docker.io") == 0;
    choose_scheme(r, h, is_hub ? "registry-1.docker.io" : registry, cancel);
    return h;
}

static struct host *host_known(struct remote *r, const char *registry)
{
    pthread_mutex_lock(&r->lock);
    struct host *h = map_find(&r->hosts, registry);
    pthread_mutex_unlock(&r->lock);
    return h;
}

/* Found once: who comes second waits for the first. */
int host_get(struct remote *r, const char *registry, const struct cancel *cancel,
             const struct host **out, struct err *err)
{
    if (cancel_check(cancel, err))
        return -1;
    *out = host_known(r, registry);
    if (*out)
        return 0;
    AUTO_FREE char *move = xasprintf("reach %s", registry);
    if (move_enter(r, move, cancel, err))
        return -1;
    *out = host_known(r, registry);
    if (!*out) {
        struct host *made = host_new(r, registry, cancel);
        pthread_mutex_lock(&r->lock);
        map_set(&r->hosts, registry, made);
        pthread_mutex_unlock(&r->lock);
        *out = made;
    }
    move_leave(r, move);
    return 0;
}
