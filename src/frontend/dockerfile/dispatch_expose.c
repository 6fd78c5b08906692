/* frontend/dockerfile/dispatch_expose.c - EXPOSE: ports and ranges, each with its protocol.
 *
 * What stands in front of the last ':' is docker run's notation for the host and means nothing
 * here; it is read so that what is no such notation is refused.
 *
 * Spec: dockerfile reference "EXPOSE"; BuildKit dockerfile2llb/convert_expose.go.
 * Threads: a converter belongs to one thread. */
#include <arpa/inet.h>
#include <string.h>

#include "frontend/dockerfile/convert_internal.h"

/* [[ip:]host:]port[-port][/protocol] */
struct port_spec {
    const char *ip, *host, *port, *protocol; /* "" what is not there */
};

/* A text with more colons has an address of IPv6 in front. */
static void split_spec(const char *text, struct arena *a, struct port_spec *out)
{
    const char *last = strrchr(text, ':'), *rest = last ? last + 1 : text;
    const char *slash = strchrnul(rest, '/');
    *out = (struct port_spec){ .ip = "",
                               .host = "",
                               .port = arena_strndup(a, rest, (size_t)(slash - rest)),
                               .protocol = *slash && slash[1] ? slash + 1 : "tcp" };
    if (!last)
        return;
    const char *front = arena_strndup(a, text, (size_t)(last - text));
    const char *middle = strrchr(front, ':');
    out->host = middle ? middle + 1 : front;
    if (middle)
        out->ip = arena_strndup(a, front, (size_t)(middle - front));
}

static bool is_address(const char *text, struct arena *a)
{
    char bytes[sizeof(struct in6_addr)];
    struct span s = span_of(text);
    if (span_starts(s, "[") && span_ends(s, "]"))
        s = span_skip(span_first(s, s.len - 1), 1);
    const char *bare = arena_strndup(a, s.ptr, s.len);
    return inet_pton(AF_INET, bare, bytes) == 1 || inet_pton(AF_INET6, bare, bytes) == 1;
}

static bool port_range(const char *text, uint64_t *first, uint64_t *last)
{
    const char *dash = strchr(text, '-');
    AUTO_FREE char *start = dash ? xstrndup(text, (size_t)(dash - text)) : xstrdup(text);
    if (!unsigned_parse(start, 10, 65535, first))
        return false;
    *last = *first;
    return !dash || (unsigned_parse(dash + 1, 10, 65535, last) && *last >= *first);
}

static int check_protocol(const char *text, const struct port_spec *s, struct arena *a,
                          struct err *err)
{
    static const char *const known[] = { "tcp", "udp", "sctp" };
    if (!s->port[0])
        err_set(err, ERR_INVALID, "no port specified");
    else if (strings_have(&(struct strings){ known, 3 }, lower_case(a, s->protocol)))
        return 0;
    else
        err_set(err, ERR_INVALID, "invalid proto: %s", s->protocol);
    return err_wrap(err, "invalid port: %s", quoted(a, text));
}

/* A port of the host: a range fits one of the same length, or a single port. */
static int check_host(const struct port_spec *s, uint64_t n_ports, struct err *err)
{
    uint64_t first, last;
    if (!s->host[0])
        return 0;
    if (!port_range(s->host, &first, &last))
        return err_set(err, ERR_INVALID, "invalid hostPort: %s", s->host);
    if (n_ports > 1 && last - first + 1 != n_ports)
        return err_set(err, ERR_INVALID,
                       "invalid ranges specified for container and host Ports: %s and %s", s->port,
                       s->host);
    return 0;
}

/* Adds "port/protocol" for each port. */
static int read_port(struct dispatch *d, const char *text, struct text_list *out, struct err *err)
{
    struct port_spec s;
    uint64_t first, last;
    split_spec(text, d->arena, &s);
    if (check_protocol(text, &s, d->arena, err))
        return -1;
    const char *protocol = lower_case(d->arena, s.protocol);
    check_port(d, text, strcmp(s.protocol, protocol) == 0, s.ip[0] || s.host[0]);
    if (s.ip[0] && !is_address(s.ip, d->arena))
        return err_set(err, ERR_INVALID, "invalid IP address: %s", s.ip);
    if (!port_range(s.port, &first, &last))
        return err_set(err, ERR_INVALID, "invalid containerPort: %s", s.port);
    if (check_host(&s, last - first + 1, err))
        return -1;
    for (uint64_t p = first; p <= last; p++)
        *vec_push(out) = arena_printf(d->arena, "%llu/%s", (unsigned long long)p, protocol);
    return 0;
}

static int read_ports(struct dispatch *d, struct text_list *out, struct err *err)
{
    const struct shell_lex lex = {
        .find = env_find,
        .env = &d->stage->state.env,
        .escape = d->c->df->directives.escape,
    };
    for (size_t i = 0; i < d->in->ports.n; i++) {
        struct shell_result r;
        if (shell_lex_words(&lex, d->in->ports.items[i], d->arena, &r, err) ||
            spend(d->c, strlen(r.text), err))
            return -1;
        for (size_t k = 0; k < r.words.n; k++)
            if (read_port(d, r.words.items[k], out, err))
                return -1;
    }
    return 0;
}

int dispatch_expose(struct dispatch *d, struct err *err)
{
    AUTO_VALUE(text_list_clear) struct text_list ports = { 0 };
    if (read_ports(d, &ports, err))
        return -1;
    struct str_list *exposed = &d->stage->state.config.exposed_ports;
    for (size_t i = 0; i < ports.n; i++)
        if (!str_list_has(exposed, ports.items[i]))
            str_list_push(exposed, ports.items[i]);
    const struct strings list = { ports.items, ports.n };
    return history_add(d, arena_printf(d->arena, "EXPOSE [%s]", joined(&list, d->arena)), false,
                       err);
}
