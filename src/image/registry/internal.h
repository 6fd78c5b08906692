/* image/registry/internal.h - what the calls share. */
#pragma once
#include <pthread.h>

#include "base/core/buf.h"
#include "base/net/http_client.h"
#include "image/registry/credentials.h"
#include "image/registry/remote.h"

/* How a registry is reached; never changes once made, lives as long as the remote. */
struct host {
    char *registry; /* "docker.io" */
    char *base_url; /* "https://registry-1.docker.io", no slash at the end */
    bool is_unverified;
    struct str_list ca_files;
    char *client_cert, *client_key; /* owned or NULL */
};

/* An Authorization header for one (registry, scope). */
struct token {
    char *value;            /* "Bearer ..." or "Basic ..."; NULL: none is needed */
    uint64_t expires_at_ms; /* of clock_monotonic_ms(); UINT64_MAX: never */
    bool is_fetching;       /* by another thread; wait for remote->changed */
};

struct remote {
    pthread_mutex_t lock; /* guards insecure and all maps but mirrors */
    pthread_cond_t changed;
    struct map hosts;  /* "registry" -> struct host */
    struct map tokens; /* "registry scope" -> struct token */
    struct map
        challenges;    /* registry -> the last WWW-Authenticate, so that later scopes need no 401 */
    struct map known;  /* "registry/repository@digest" of blobs that were seen or put there */
    struct map absent; /* the same of blobs that were not there, until they are pushed */
    struct map uploads; /* "registry/repository" to which a blob was sent */
    struct map moving;  /* what is under way; see move_enter() */
    struct http_client *http;
    char *auth_file, *certs_dir; /* owned; certs_dir may be NULL */
    struct str_list insecure;
    bool is_all_insecure;
    struct map mirrors; /* string to string */
    int n_retries;
    void (*moved)(void *arg, const struct digest *blob, bool is_push, uint64_t current,
                  uint64_t total);
    void *moved_arg;
};

/* subject.c: of a manifest that was put; where the registry did not say that it took note of its
 * subject, the list of referrers is kept here. */
struct subject_put {
    const struct reference *ref;
    const char *media_type;
    struct span bytes;
};
NODISCARD int subject_announce(struct remote *r, const struct subject_put *put,
                               const struct map *headers, const struct cancel *cancel,
                               struct err *err);
NODISCARD int host_get(struct remote *r, const char *registry, const struct cancel *cancel,
                       const struct host **out, struct err *err);
void host_free(void *host);
struct http_tls host_tls(const struct host *h);

/* The header for a scope ("repository:library/app:pull"), as known so far; NULL: try without. Owned
 * by the caller. */
char *token_find(struct remote *r, const struct host *h, const char *scope);
/* What a 401 asks for; all borrowed. */
struct token_wish {
    const struct host *host;
    const char *repository, *scope;
    const char *challenge; /* WWW-Authenticate */
    const char *stale;     /* the value that was refused, or NULL */
    const struct cancel *cancel;
};
/* *out is the caller's; NULL when there is nothing more to try.  Fails: DENIED, NETWORK, ... of the
 * token server. */
NODISCARD int token_get(struct remote *r, const struct token_wish *wish, char **out,
                        struct err *err);
void token_free(void *token);
/* Of the challenges in a WWW-Authenticate header the one to follow: Bearer where it is offered. */
const char *challenge_pick(const char *header);
/* The parameter of a challenge: challenge_find(`Bearer realm="x"`, "realm").  Owned by the caller;
 * NULL. */
char *challenge_find(const char *challenge, const char *name);

/* Whether the registry itself, no mirror, has this under the reference; false too when it does not
 * say.  Asked with the token that a push needs anyway. */
bool remote_has_manifest(struct remote *r, const struct reference *ref, const struct digest *d,
                         const struct cancel *cancel);

/* A blob moves once at a time: who comes second waits, and then finds it there.  `move` says what
 * goes where.  Fails: CANCELED. */
NODISCARD int move_enter(struct remote *r, const char *move, const struct cancel *cancel,
                         struct err *err);
void move_leave(struct remote *r, const char *move);
/* Whether a blob was sent to the repository: then it lacked it, and so every manifest with it. */
bool remote_has_sent(struct remote *r, const struct reference *ref);

/* One call of the API. */
struct call {
    const struct reference *ref;
    const char *method;
    const char *path;    /* behind /v2/REPOSITORY/; or NULL: `url` */
    const char *url;     /* absolute, or from the host's root: a Location */
    const char *actions; /* "pull", "pull,push", "*" */
    const char *also;    /* repository of the same registry that is read too, or NULL */
    const struct map *headers;
    struct span body;
    /* A body that can be made again for each try; NULL: `body`. */
    int (*open_body)(void *arg, struct reader **out, struct err *err);
    void *body_arg;
    uint64_t body_size;
    /* A sink for a 2xx body; NULL: it is kept.  Before each try restart() is asked, which may set a
     * header (Range). */
    struct writer *sink;
    int (*restart)(void *arg, struct map *headers, struct err *err);
    void *sink_arg;
    const struct http_response *seen; /* set: the response being received, for the sink */
    bool is_new_host;                 /* set: this try is the first at its host, for restart() */
    bool is_from_mirror;              /* set: who answered */
    size_t ceiling;                   /* of a kept body; 0: the default */
    const struct cancel *cancel;
    bool asks_mirrors;
    bool is_tried_once; /* the caller knows better how to go on after a broken connection */
    const char *what;   /* for errors: "manifest", "blob sha256:..." */
};
/* Sends with authorization and retries until the answer is final.  Any status but 401, 429 and 5xx
 * is a success here. Fails: NETWORK, TIMEOUT, CANCELED, DENIED (401), LIMIT (429 to the end). */
NODISCARD int call_send(struct remote *r, struct call *c, struct http_response *out,
                        struct err *err);
/* The error of an answer that is none of the good ones: kind by status, the registry's own words,
 * who we were. */
int call_fail(struct remote *r, const struct call *c, const struct http_response *response,
              struct err *err);
/* The URL of a Location header, resolved against the host.  Owned by the caller.  Fails: INVALID.
 */
NODISCARD int call_location(struct remote *r, const struct call *c,
                            const struct http_response *response, char **out, struct err *err);
