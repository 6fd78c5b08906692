/* build/build.h - one build put together: a request in, images out.
 *
 * The only thing that front doors call: the commands, later the executor, the daemon, the
 * controller.  A `struct engine` is what outlives one build: store, registry client, sandbox,
 * pools.
 *
 * Threads: engine_open() must be called while the process has one thread (it enters namespaces and
 * starts the sandbox); after that builds may run at the same time. */
#pragma once
#include "base/core/cancel.h"
#include "build/attest.h"
#include "engine/explain/explain.h"
#include "engine/export/export.h"
#include "engine/ops/ops.h"
#include "engine/remotecache/spec.h"
#include "engine/sandbox/sandbox.h"
#include "image/registry/remote.h"

struct engine_options {
    const char *root; /* NULL: $KILN_ROOT, else /var/lib/kiln as root, else $XDG_DATA_HOME/kiln */
    struct remote_options remote;
    const char *snapshot_driver; /* NULL: $KILN_SNAPSHOT_DRIVER, else chosen */
    size_t n_threads;            /* of computing; 0: $KILN_THREADS, else as many as processors */
    size_t n_parallel;           /* steps at once; 0: 16 */
    uint64_t ceiling;            /* bytes of the store; 0: none */
    bool has_no_sandbox;         /* for commands that run no steps: nothing is entered or started */
};
struct engine;
NODISCARD int engine_open(const struct engine_options *o, struct engine **out, struct err *err);
void engine_close(struct engine *e);
DEFINE_AUTO(struct engine, engine_close)
struct store *engine_store(struct engine *e);
struct remote *engine_remote(struct engine *e);
struct snapshots *
engine_snapshots(struct engine *e); /* opened on first use; NULL without a sandbox */
struct sandbox *engine_sandbox(struct engine *e);
struct pool *engine_pool(struct engine *e);
struct image_source *engine_images(struct engine *e);
/* The folder that engine_open() would take: for commands and messages.  Owned by the caller. */
char *engine_default_root(void);

struct build_request {
    const char *context; /* a folder, a git or http URL; of a stream, what it is called */
    int context_fd;      /* borrowed: a stream, which is a tar or a Dockerfile; -1: none */
    /* -f; NULL: Dockerfile in the context; "-": text below; or an http URL */
    const char *dockerfile;
    struct span dockerfile_text;
    const char *target;
    struct map build_args, labels;   /* string to string */
    struct map named_contexts;       /* name to value */
    struct str_list tags;            /* -t: names of the outputs that have none */
    struct str_list platforms;       /* empty: this machine's */
    struct str_list no_cache_stages; /* --no-cache-filter */
    bool ignores_cache;              /* --no-cache */
    bool explains;                   /* --explain: fills explanations */
    bool is_cache_only;              /* --cache-only: the first step that would run fails */
    bool pulls;                      /* --pull */
    struct cache_specs cache_from, cache_to;
    struct {
        struct export_spec *items;
        size_t n, cap;
    } exports; /* empty: one of type=image */
    const struct secret_option *secrets;
    size_t n_secrets;
    const char *source_date_epoch; /* text; NULL: none */
    const char *network;           /* default none host */
    struct str_list add_hosts;     /* host:ip */
    const struct ssh_option *ssh;
    size_t n_ssh;
    struct str_list allows;          /* --allow: see entitlement_check() */
    struct step_resources resources; /* of every step; texts borrowed */
    const struct exec_ulimit *ulimits;
    size_t n_ulimits;
    int64_t shm_size;             /* bytes of /dev/shm; 0: the default */
    const char *cgroup_parent;    /* NULL: "kiln" */
    struct attest_options attest; /* what is said of the images, beside them */
};
void build_request_init(struct build_request *q);
void build_request_clear(struct build_request *q);
/* True for what is no path: git and http(s) URLs, git@HOST:PATH, github.com/USER/NAME. */
bool context_is_remote(const char *text);

/* "network.host", "security.insecure", "device", "device=NAME"; else INVALID. */
NODISCARD int entitlement_check(const char *text, struct err *err);

struct build_warning {
    char *text;       /* owned; begins with the rule, if there is one */
    const char *rule; /* of a build check, see frontend/dockerfile/rules.h; NULL: none */
    int line;         /* 0: of no line */
};
struct build_result {
    struct {
        struct export_result *items; /* as the request's exports */
        size_t n, cap;
    } exports;
    size_t n_vertices, n_cached;
    struct {
        struct build_warning *items;
        size_t n, cap;
    } warnings;
    struct explanations explanations; /* of each step, platform by platform; on failure too */
    struct map base_images;           /* reference -> digest, as resolved */
    char *excerpt; /* on failure: the lines of the Dockerfile, marked; NULL when not known */
};
void build_result_clear(struct build_result *r);

/* Runs it.  On failure `out` still tells what is known (excerpt, counts).  The error's text starts
 * with the place: "Dockerfile:12: ...". */
NODISCARD int build_run(struct engine *e, const struct build_request *q,
                        const struct progress *progress, struct cancel *cancel,
                        struct build_result *out, struct err *err);
