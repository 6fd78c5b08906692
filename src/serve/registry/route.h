/* serve/registry/route.h - what a path of the API names.
 *
 * Paths are taken apart from their end, since a repository may itself be called "blobs/uploads".
 *
 * Spec: distribution-spec "Endpoints".  Threads: values. */
#pragma once
#include "base/core/err.h"

enum route_kind {
    ROUTE_BASE,      /* /v2/ */
    ROUTE_CATALOG,   /* /v2/_catalog */
    ROUTE_MANIFEST,  /* /v2/REPOSITORY/manifests/REFERENCE */
    ROUTE_BLOB,      /* /v2/REPOSITORY/blobs/DIGEST */
    ROUTE_UPLOADS,   /* /v2/REPOSITORY/blobs/uploads/ */
    ROUTE_UPLOAD,    /* /v2/REPOSITORY/blobs/uploads/ID */
    ROUTE_TAGS,      /* /v2/REPOSITORY/tags/list */
    ROUTE_REFERRERS, /* /v2/REPOSITORY/referrers/DIGEST */
};

struct route {
    enum route_kind kind;
    char *repository; /* owned; well-formed; NULL where the kind has none */
    char *last;       /* owned; REFERENCE, DIGEST or ID as it came; NULL where the kind has none */
};
void route_clear(struct route *r);
/* `path` is decoded.  Fails: NOT_FOUND (no endpoint), INVALID (no name of a repository). */
NODISCARD int route_parse(const char *path, struct route *out, struct err *err);
