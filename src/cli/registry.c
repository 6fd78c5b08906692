/* cli/registry.c - kiln registry serve: the store as a registry. */
#include <poll.h>
#include <signal.h>
#include <string.h>

#include "base/core/mem.h"
#include "cli/cli.h"
#include "serve/registry/registry.h"

enum { DEFAULT_PORT = 5000, GRACE_MS = 5000 };

struct serve_flags {
    const char *address, *htpasswd, *tls_cert, *tls_key;
    bool read_only, quiet;
};
static const struct flag flags_table[] = {
    { "address", 0, FLAG_TEXT, offsetof(struct serve_flags, address), "[IP]:PORT",
      "where to listen (default 127.0.0.1:5000); port 0: any free one", NULL, COMPLETES_NOTHING },
    { "htpasswd", 0, FLAG_TEXT, offsetof(struct serve_flags, htpasswd), "FILE",
      "who may come in, as htpasswd -B writes it (default: everybody)", NULL, COMPLETES_FILE },
    { "tls-cert", 0, FLAG_TEXT, offsetof(struct serve_flags, tls_cert), "FILE", "PEM", NULL,
      COMPLETES_FILE },
    { "tls-key", 0, FLAG_TEXT, offsetof(struct serve_flags, tls_key), "FILE", "PEM", NULL,
      COMPLETES_FILE },
    { "read-only", 0, FLAG_SWITCH, offsetof(struct serve_flags, read_only), NULL,
      "no pushes, no deletions", NULL, COMPLETES_NOTHING },
    { "quiet", 'q', FLAG_SWITCH, offsetof(struct serve_flags, quiet), NULL, "do not log requests",
      NULL, COMPLETES_NOTHING },
    { 0 },
};

/* "127.0.0.1:5000", "[::]:5000", ":5000" (everywhere), "5000".  *host is the caller's; NULL: the
 * default. */
static int read_address(const char *text, char **host, uint16_t *port, struct err *err)
{
    struct span all = span_of(text), name = { 0 };
    ptrdiff_t colon = span_rfind(all, ':');
    uint64_t n = DEFAULT_PORT;
    if (colon >= 0)
        name = span_first(all, (size_t)colon);
    if (text && !span_u64(span_skip(all, (size_t)(colon + 1)), UINT16_MAX, &n))
        return err_set(err, ERR_INVALID, "--address %s: ends with no port", text);
    if (span_starts(name, "[") && span_ends(name, "]"))
        name = span_bytes(name.ptr + 1, name.len - 2);
    *port = (uint16_t)n;
    *host = name.len ? span_dup(name) : colon >= 0 ? xstrdup("::") : NULL;
    return 0;
}

static void log_request(void *arg, const struct registry_event *e)
{
    (void)arg;
    note("%s %s %s %s %d %s%s%s", e->peer, e->user ? e->user : "-", e->method, e->path, e->status,
         size_text(e->size).s, e->error ? " " : "", e->error ? e->error : "");
}

static int serve(struct cli *cli, const struct registry_options *o, struct err *err)
{
    struct registry *r = NULL;
    if (registry_start(o, &r, err))
        return err_wrap(err, "start the registry");
    const char *host = o->address ? o->address : "127.0.0.1";
    bool is_ipv6 = strchr(host, ':');
    if (cli->wants_json) {
        AUTO(json_free) struct json *json = json_new_object();
        json_set_str(json, "address", host);
        json_set_int(json, "port", registry_port(r));
        json_set_str(json, "store", store_path(o->store));
        say_json(json);
    } else {
        say("%s%s%s:%u", is_ipv6 ? "[" : "", host, is_ipv6 ? "]" : "", registry_port(r));
    }
    int status = say_flush(err);
    struct pollfd fd = { .fd = cancel_fd(cli->cancel), .events = POLLIN };
    while (!status && !cancel_fired(cli->cancel))
        poll(&fd, 1, -1);
    registry_stop(r, GRACE_MS);
    return status; /* being told to stop is how a server ends well */
}

static int run(struct cli *cli, const void *values, struct err *err)
{
    const struct serve_flags *flags = values;
    AUTO(engine_close) struct engine *e = NULL;
    AUTO_FREE char *host = NULL;
    uint16_t port = DEFAULT_PORT;
    if (read_address(flags->address, &host, &port, err))
        return cli_misuse(cli, -1);
    if (!flags->tls_cert != !flags->tls_key)
        return cli_misuse(cli, err_set(err, ERR_INVALID, "--tls-cert and --tls-key go together"));
    if (cli_engine(cli, false, NULL, &e, err))
        return -1;
    struct registry_options o = { .store = engine_store(e),
                                  .address = host,
                                  .port = port,
                                  .is_readonly = flags->read_only,
                                  .htpasswd = flags->htpasswd,
                                  .tls_cert = flags->tls_cert,
                                  .tls_key = flags->tls_key,
                                  .log = flags->quiet ? NULL : log_request };
    return serve(cli, &o, err);
}

const struct command command_registry_serve = {
    .name = "registry serve",
    .args = "",
    .summary = "Serves the store as a registry until told to stop",
    .about =
        "Prints the address once it listens.  What was pushed to it is kept in the store, and a\n"
        "build of the same store that pushes here copies nothing.",
    .examples = "kiln registry serve --address :5000",
    .flags = flags_table,
    .flags_size = sizeof(struct serve_flags),
    .run = run,
};
