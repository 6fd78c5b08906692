/* serve/registry/registry.h - the embedded registry: the distribution API over a store.
 *
 * It serves the builder's own store, so a build that pushes to it copies nothing: HEAD finds the
 * blob.  Blobs belong to the store, and whoever may read one repository may read any blob of the
 * store whose digest he knows, whatever brought it there.  Manifests belong to repositories: one is
 * seen in a repository once it was put there.  Uploads are nameless files and end with the process.
 *
 * While it runs it holds a lease begun ten minutes ago at most: what clients uploaded lately stays,
 * though no manifest names it yet.
 *
 * Spec: distribution-spec 1.1, all of it; `_catalog` as distribution has it.
 * Threads: locked inside. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/core/err.h"
#include "image/store/store.h"

/* One request that was answered. */
struct registry_event {
    const char *peer;   /* address */
    const char *user;   /* NULL: nobody in particular */
    const char *method; /* control characters in texts of the client's are "?" */
    const char *path;
    int status;
    uint64_t size;     /* bytes that were uploaded, else of the answer's body */
    const char *error; /* for the operator: may name folders of this machine; NULL: none */
};

struct registry_limits {    /* 0: as said */
    unsigned n_connections; /* each has a thread; 256 */
    unsigned n_uploads;     /* sessions at once; 256 */
    uint64_t manifest_size; /* LIMIT_MANIFEST, which is the most */
    uint64_t upload_size;   /* of one blob; no limit but the store's */
    int upload_idle_ms;     /* a session that nobody touches is dropped; one hour */
    int idle_timeout_ms;    /* of a connection; 60 s */
    int upkeep_ms; /* how often the lease is renewed and idle sessions are dropped; one minute */
    unsigned page; /* tags or repositories in one answer; 10,000 */
};

struct registry_options {
    struct store *store; /* borrowed until registry_stop() */
    const char *address; /* IP; NULL: "127.0.0.1" */
    uint16_t port;       /* 0: the kernel chooses */
    bool is_readonly;    /* no push, no deletion: 405.  Needed when the store is read-only */
    /* Lines user:bcrypt as htpasswd -B writes them; NULL: everybody may do everything.  Read again
     * when it changes. */
    const char *htpasswd;
    const char *realm;              /* of the Basic challenge; NULL: "kiln" */
    const char *tls_cert, *tls_key; /* PEM files, both or none */
    struct registry_limits limits;
    void (*log)(void *arg, const struct registry_event *event); /* from any thread; may be NULL */
    void *log_arg;
};

struct registry;
/* Listens when it returns.  Copies the options' texts.  Fails: INVALID (address, certificate, a
 * line of htpasswd), EXISTS (the port is taken), NOT_FOUND (a file), SYSTEM. */
NODISCARD int registry_start(const struct registry_options *o, struct registry **out,
                             struct err *err);
uint16_t registry_port(const struct registry *r);
/* Takes no more connections, lets running requests end for at most `grace_ms`, then closes; what
 * was not uploaded to the end is gone.  NULL is fine. */
void registry_stop(struct registry *r, int grace_ms);
