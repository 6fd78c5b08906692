/* build/given.c - see given.h.
 *
 * Spec: buildx "--allow", "--add-host", "--network"; docker's warnings about limits. */
#include "build/given.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/core/mem.h"
#include "build/context.h"
#include "build/internal.h"

int given_network(const char *text, enum exec_network *out, struct err *err)
{
    *out = NETWORK_DEFAULT;
    if (!text || strcmp(text, "default") == 0)
        return 0;
    if (strcmp(text, "host") == 0)
        *out = NETWORK_HOST;
    else if (strcmp(text, "none") == 0)
        *out = NETWORK_NONE;
    else
        return err_set(err, ERR_INVALID, "--network %s: default, host or none is expected", text);
    return 0;
}

/* "[::1]" loses its brackets. */
static int read_ip(struct span text, struct arena *a, const char **out, struct err *err)
{
    char bytes[sizeof(struct in6_addr)];
    if (span_is(text, "host-gateway")) /* steps share this machine's network */
        text = SPAN("127.0.0.1");
    if (span_starts(text, "[") && span_ends(text, "]"))
        text = span_skip(span_first(text, text.len - 1), 1);
    const char *ip = arena_strndup(a, text.ptr, text.len);
    if (inet_pton(AF_INET, ip, bytes) != 1 && inet_pton(AF_INET6, ip, bytes) != 1)
        return err_set(err, ERR_INVALID, "\"%s\" is no IP address", ip);
    *out = ip;
    return 0;
}

int given_hosts(const struct str_list *texts, struct arena *a, struct exec_host **out,
                struct err *err)
{
    *out = arena_alloc(a, (texts->n + 1) * sizeof **out);
    for (size_t i = 0; i < texts->n; i++) {
        const char *text = texts->items[i], *cut = strpbrk(text, "=:");
        if (!cut || cut == text || !cut[1])
            return err_set(err, ERR_INVALID, "--add-host %s: HOST:IP is expected", text);
        (*out)[i].host = arena_strndup(a, text, (size_t)(cut - text));
        if (read_ip(span_of(cut + 1), a, &(*out)[i].ip, err))
            return err_wrap(err, "--add-host %s", text);
    }
    return 0;
}

/* ---- entitlements ---- */

enum entitlement { NETWORK_HOST_ALLOWED, INSECURE_ALLOWED, DEVICE_ALLOWED };

static int read_entitlement(const char *text, enum entitlement *out, const char **device,
                            struct err *err)
{
    *device = NULL;
    if (strcmp(text, "network.host") == 0)
        *out = NETWORK_HOST_ALLOWED;
    else if (strcmp(text, "security.insecure") == 0)
        *out = INSECURE_ALLOWED;
    else if (strcmp(text, "device") == 0 || strncmp(text, "device=", 7) == 0)
        *out = DEVICE_ALLOWED;
    else {
        err_set(err, ERR_INVALID, "--allow: unknown entitlement %s", text);
        return err_hint(err, "there are network.host, security.insecure, device, device=NAME");
    }
    if (*out == DEVICE_ALLOWED && text[6] == '=')
        *device = text + 7;
    return 0;
}

int entitlement_check(const char *text, struct err *err)
{
    enum entitlement ignored;
    const char *device;
    return read_entitlement(text, &ignored, &device, err);
}

int given_grants(const struct build_request *q, bool is_root, struct arena *a,
                 struct ops_grants *out, struct err *err)
{
    const char **devices = arena_alloc(a, (q->allows.n + 1) * sizeof *devices);
    enum exec_network network;
    if (given_network(q->network, &network, err))
        return -1;
    *out = (struct ops_grants){ .devices = devices, .has_network_host = network == NETWORK_HOST };
    vec_each (&q->allows, text) {
        enum entitlement what;
        const char *device;
        if (read_entitlement(*text, &what, &device, err))
            return -1;
        out->has_network_host |= what == NETWORK_HOST_ALLOWED;
        out->has_security_insecure |= what == INSECURE_ALLOWED;
        out->has_every_device |= what == DEVICE_ALLOWED && !device;
        if (device)
            devices[out->n_devices++] = device;
    }
    if (!out->has_security_insecure || is_root)
        return 0;
    err_set(err, ERR_DENIED,
            "granting entitlement security.insecure is not allowed: kiln is not root here");
    return err_hint(err, "a step cannot get more than kiln has: run kiln as root of the machine "
                         "(a privileged Pod), or build without RUN --security=insecure");
}

/* ---- limits ---- */

static const struct {
    unsigned resource;
    const char *text;
} warnings[] = {
    { STEP_MEMORY, "memory" },         { STEP_SWAP, "swap" },
    { STEP_CPU_SHARES, "CPU shares" }, { STEP_CPU_QUOTA, "a CPU quota" },
    { STEP_CPUSET, "cpusets" },        { STEP_PIDS, "processes" },
};

void given_warn(unsigned not_applied, struct build_result *out)
{
    for (size_t i = 0; i < sizeof warnings / sizeof *warnings; i++)
        if (not_applied & warnings[i].resource)
            *vec_push(&out->warnings) = (struct build_warning){
                .text = xasprintf("LimitDiscarded: this place has no writable cgroup for a limit "
                                  "of %s; steps ran without it",
                                  warnings[i].text)
            };
}

/* ---- operations ---- */

/* Folders of OCI layouts, by the name that the graph calls them: their path. */
static void list_layouts(const struct asked *a, struct arena *arena, struct ops_options *o)
{
    const struct map *contexts = &a->request->named_contexts;
    struct layout_option *list = arena_alloc(arena, (contexts->n + 1) * sizeof *list);
    size_t n = 0;
    map_each (contexts, e) {
        struct image_in_layout image;
        struct err ignored = { 0 };
        if (strncmp(e->value, "oci-layout://", 13) == 0 &&
            image_in_layout_parse(e->value, arena, &image, &ignored) == 0)
            list[n++] = (struct layout_option){ .name = image.path, .path = image.path };
    }
    o->layouts = list;
    o->n_layouts = n;
}

/* Local contexts by the names that the graph calls them. */
static void list_contexts(const struct asked *a, struct arena *arena, struct ops_options *o)
{
    const struct build_request *q = a->request;
    struct context_option *list = arena_alloc(arena, (q->named_contexts.n + 1) * sizeof *list);
    size_t n = 0;
    if (a->contexts->folder)
        list[n++] = (struct context_option){ .name = "context", .path = a->contexts->folder };
    map_each (&q->named_contexts, e) {
        const char *value = e->value;
        if (strncmp(value, "local:", 6) == 0)
            list[n++] = (struct context_option){ .name = value + 6, .path = value + 6 };
    }
    o->contexts = list;
    o->n_contexts = n;
}

int given_ops(const struct asked *a, struct arena *arena, struct ops_options *out, struct err *err)
{
    const struct engine *e = a->engine;
    const struct build_request *q = a->request;
    *out = (struct ops_options){ .store = e->store,
                                 .snapshots = e->snapshots,
                                 .images = e->images,
                                 .http = e->http,
                                 .git = e->git,
                                 .progress = a->progress,
                                 .resolve_mode = a->mode,
                                 .sandbox = e->sandbox,
                                 .pool = e->pool,
                                 .ids = e->ids,
                                 .secrets = q->secrets,
                                 .n_secrets = q->n_secrets,
                                 .ssh = q->ssh,
                                 .n_ssh = q->n_ssh,
                                 .resources = q->resources,
                                 .pins = a->pins,
                                 .cdi_folders = getenv("KILN_CDI_FOLDERS") };
    list_contexts(a, arena, out);
    list_layouts(a, arena, out);
    return given_grants(q, e->is_root, arena, &out->grants, err);
}

int given_index(const struct build_request *q, bool *out, struct err *err)
{
    const char *text = map_find_str(&q->build_args, "BUILDKIT_MULTI_PLATFORM");
    *out = false;
    if (!text || span_bool(span_of(text), out))
        return 0;
    return err_set(err, ERR_INVALID, "BUILDKIT_MULTI_PLATFORM=%s: true or false is expected", text);
}

int given_options(const struct asked *a, struct arena *arena, struct dockerfile_options *out,
                  struct err *err)
{
    const struct build_request *q = a->request;
    struct exec_host *hosts = NULL;
    *out = (struct dockerfile_options){
        .filename = a->recipe->name,
        .target = q->target,
        .build_args = &q->build_args,
        .labels = &q->labels,
        .context = a->contexts->source,
        .has_archive = a->contexts->has_archive,
        .named_contexts = &q->named_contexts,
        .resolve_mode = q->pulls ? IMAGE_RESOLVE_PULL : IMAGE_RESOLVE_DEFAULT,
        .ignores_cache = q->ignores_cache,
        .no_cache_stages = strings_of(&q->no_cache_stages),
        .source_date_epoch = q->source_date_epoch,
        .n_hosts = q->add_hosts.n,
        .ulimits = q->ulimits,
        .n_ulimits = q->n_ulimits,
        .cgroup_parent = q->cgroup_parent,
        .shm_size = q->shm_size,
        .wants_scans = q->attest.has_sbom,
    };
    if (given_network(q->network, &out->network, err) ||
        given_hosts(&q->add_hosts, arena, &hosts, err))
        return -1;
    out->hosts = hosts;
    return 0;
}
