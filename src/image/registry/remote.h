/* image/registry/remote.h - a registry as seen from a client.
 *
 * One `struct remote` serves a whole program: it keeps connections, tokens (one per registry and
 * scope) and credentials, and knows how each registry is to be reached (TLS, plain HTTP, mirrors).
 * Every call names its repository by a `struct reference`.
 *
 * 429, 5xx, time-outs and broken connections are retried with growing pauses, honouring
 * Retry-After; a broken download goes on where it stopped (Range).  What comes is verified while it
 * streams.  Errors say what was tried and which credentials were used, never their value.
 *
 * Spec: distribution-spec 1.1; distribution "Token Authentication Specification";
 * containers-certs.d(5) for certs.d. Threads: locked inside. */
#pragma once
#include "base/core/cancel.h"
#include "base/core/err.h"
#include "base/core/map.h"
#include "base/core/vec.h"
#include "image/oci/manifest.h"
#include "image/oci/reference.h"
#include "image/store/ingest.h"
#include "image/store/store.h"

struct remote_options {
    const char
        *auth_file; /* --authfile; NULL: $REGISTRY_AUTH_FILE, $DOCKER_CONFIG/config.json, ... */
    const struct str_list
        *insecure;        /* host[:port] that may be spoken to in plain HTTP or without verifying */
    bool is_all_insecure; /* --insecure */
    const struct map
        *mirrors; /* registry -> comma-separated mirrors, asked first for pulls; may be NULL */
    const char *certs_dir;  /* NULL: /etc/containers/certs.d and /etc/docker/certs.d */
    const char *user_agent; /* NULL: kiln/VERSION */
    int n_retries;          /* 0: 4 */
    /* Moved bytes, for progress; called from any thread.  May be NULL. */
    void (*moved)(void *arg, const struct digest *blob, bool is_push, uint64_t current,
                  uint64_t total);
    void *moved_arg;
};
struct remote;
NODISCARD int remote_open(const struct remote_options *o, struct remote **out, struct err *err);
void remote_close(struct remote *r);
DEFINE_AUTO(struct remote, remote_close)

/* As if the registry were in remote_options.insecure; of no effect once it was reached otherwise.
 */
void remote_allow_insecure(struct remote *r, const char *registry);

/* Who somebody is at a registry; from the credentials file or helper.  For `kiln login`. */
NODISCARD int remote_login(struct remote *r, const char *registry, const char *user,
                           const char *password, struct err *err);
NODISCARD int remote_logout(struct remote *r, const char *registry, bool *was_there,
                            struct err *err);

/* What `ref` (tag or digest) points to, without fetching it (HEAD; GET where a registry gives no
 * digest). Fails: NOT_FOUND, DENIED, NETWORK, TIMEOUT. */
NODISCARD int remote_resolve(struct remote *r, const struct reference *ref, struct descriptor *out,
                             const struct cancel *cancel, struct err *err);
/* The manifest or index itself, verified against `want` where its digest is set; its raw bytes into
 * `out` (born with a ceiling), *got what it is.  Fails also: CORRUPT, LIMIT. */
NODISCARD int remote_manifest(struct remote *r, const struct reference *ref,
                              const struct digest *want, struct buf *out, struct descriptor *got,
                              const struct cancel *cancel, struct err *err);
/* A blob of the repository into the store; present is a success. */
NODISCARD int remote_pull_blob(struct remote *r, const struct reference *ref,
                               const struct descriptor *blob, struct store *st,
                               const struct cancel *cancel, struct err *err);

/* A blob of the store to the repository: nothing when it is there already (HEAD), mounted from
 * `mount_from` ("library/debian" of the same registry; NULL: none) where the registry can, else
 * uploaded.  *was_there (may be NULL): nothing was sent. Fails: NOT_FOUND when it is neither there
 * nor mountable nor in the store. */
NODISCARD int remote_push_blob(struct remote *r, const struct reference *ref,
                               const struct descriptor *blob, const char *mount_from,
                               struct store *st, bool *was_there, const struct cancel *cancel,
                               struct err *err);
/* Puts a manifest under the reference's tag, or, without one, under its digest. */
NODISCARD int remote_push_manifest(struct remote *r, const struct reference *ref,
                                   const char *media_type, struct span bytes,
                                   const struct cancel *cancel, struct err *err);
NODISCARD int remote_has_blob(struct remote *r, const struct reference *ref, const struct digest *d,
                              bool *is_there, const struct cancel *cancel, struct err *err);
NODISCARD int remote_tags(struct remote *r, const struct reference *ref, struct str_list *out,
                          const struct cancel *cancel, struct err *err);
/* By the referrers API, else by the tag schema. */
NODISCARD int remote_referrers(struct remote *r, const struct reference *ref,
                               const struct digest *subject, const char *artifact_type,
                               struct descriptors *out, const struct cancel *cancel,
                               struct err *err);
NODISCARD int remote_delete_manifest(struct remote *r, const struct reference *ref,
                                     const struct cancel *cancel, struct err *err);
