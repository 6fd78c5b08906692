/* serve/registry/internal.h - what the files of the room share: a request on its way to its answer.
 *
 * A handler answers with one of reply_*(), or fails with an err; what the failure means to the
 * client (status and code) follows from the err's kind and from what the handler was `about`. */
#pragma once
#include "base/codec/digest.h"
#include "base/codec/json.h"
#include "base/net/http_server.h"
#include "serve/registry/registry.h"
#include "serve/registry/route.h"

/* What is looked at when something fails. */
enum about {
    ABOUT_REQUEST, /* path, method */
    ABOUT_WHO,     /* credentials */
    ABOUT_NAME,    /* the repository */
    ABOUT_PAGE,    /* n of a listing */
    ABOUT_DIGEST,
    ABOUT_BLOB,
    ABOUT_MANIFEST,
    ABOUT_NEEDED, /* what a manifest needs */
    ABOUT_UPLOAD,
    ABOUT_RANGE, /* of an upload's chunk */
    ABOUT_STORE, /* room for what comes */
};

struct auth;
struct sessions;
struct registry {
    struct registry_options o; /* texts owned, limits filled in */
    struct http_server *http;
    struct auth *auth; /* NULL: everybody */
    struct sessions *sessions;
    struct lease *lease; /* of the upkeep thread */
    struct cancel *stop;
    struct thread *upkeep;
};

struct request {
    struct registry *registry;
    struct http_exchange *x;
    struct store *store;
    struct route route;
    enum about about;
    char *user; /* owned; NULL: nobody in particular */
    int status; /* of the answer */
    uint64_t size;
    char *error; /* owned; for the log */
};

/* ---- answers (errors.c) ---- */
void reply_empty(struct request *q, int status);
void reply_json(struct request *q, int status, const struct json *body);
void reply_bytes(struct request *q, int status, const char *type, struct span body);
void reply_error(struct request *q, const struct err *err);
void set_header(struct request *q, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* ETag, and whether If-None-Match names it: then 304 is the answer. */
bool reply_unchanged(struct request *q, const char *digest);

/* ---- who (auth.c) ---- */
NODISCARD int auth_open(const char *htpasswd, struct auth **out, struct err *err);
void auth_close(struct auth *a);
/* `header`: Authorization, may be NULL.  *user is the caller's.  Fails: DENIED. */
NODISCARD int auth_check(struct auth *a, const char *header, char **user, struct err *err);

/* ---- handlers ---- */
NODISCARD int blob_get(struct request *q, struct err *err);
NODISCARD int blob_delete(struct request *q, struct err *err);
NODISCARD int upload_begin(struct request *q, struct err *err);
NODISCARD int upload_status(struct request *q, struct err *err);
NODISCARD int upload_append(struct request *q, struct err *err);
NODISCARD int upload_finish(struct request *q, struct err *err);
NODISCARD int upload_cancel(struct request *q, struct err *err);
NODISCARD int manifest_get(struct request *q, struct err *err);
NODISCARD int manifest_upload(struct request *q, struct err *err);
NODISCARD int manifest_delete(struct request *q, struct err *err);
NODISCARD int tags_get(struct request *q, struct err *err);
NODISCARD int catalog_get(struct request *q, struct err *err);
NODISCARD int referrers_get(struct request *q, struct err *err);

/* The digest that the path or a query names.  Fails: INVALID, about DIGEST. */
NODISCARD int request_digest(struct request *q, const char *text, struct digest *out,
                             struct err *err);
