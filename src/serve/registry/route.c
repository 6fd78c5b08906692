/* serve/registry/route.c - see route.h. */
#include "serve/registry/route.h"

#include <stdlib.h>

#include "base/core/mem.h"
#include "base/core/span.h"
#include "image/oci/reference.h"

void route_clear(struct route *r)
{
    free(r->repository);
    free(r->last);
    *r = (struct route){ 0 };
}

/* Cuts the last part off `path`: "a/b/c" becomes "a/b", and "c" is returned. */
static struct span cut_last(struct span *path)
{
    ptrdiff_t slash = span_rfind(*path, '/');
    struct span last = span_skip(*path, (size_t)(slash + 1));
    *path = span_first(*path, slash < 0 ? 0 : (size_t)slash);
    return last;
}

/* What REPOSITORY/NOUN/LAST is; *path loses what follows the repository. */
static bool find_kind(struct span *path, struct span *last, enum route_kind *kind)
{
    *last = cut_last(path);
    struct span noun = cut_last(path);
    if (span_is(noun, "manifests")) {
        *kind = ROUTE_MANIFEST;
    } else if (span_is(noun, "referrers")) {
        *kind = ROUTE_REFERRERS;
    } else if (span_is(noun, "tags") && span_is(*last, "list")) {
        *kind = ROUTE_TAGS;
    } else if (span_is(noun, "blobs")) {
        *kind = span_is(*last, "uploads") ? ROUTE_UPLOADS : ROUTE_BLOB;
    } else if (span_is(noun, "uploads")) {
        *kind = last->len ? ROUTE_UPLOAD : ROUTE_UPLOADS;
        return span_is(cut_last(path), "blobs");
    } else {
        return false;
    }
    return last->len > 0;
}

int route_parse(const char *path, struct route *out, struct err *err)
{
    struct span rest = span_of(path), last;
    *out = (struct route){ .kind = ROUTE_BASE };
    if (span_is(rest, "/v2") || span_is(rest, "/v2/"))
        return 0;
    if (span_is(rest, "/v2/_catalog")) {
        out->kind = ROUTE_CATALOG;
        return 0;
    }
    if (!span_starts(rest, "/v2/"))
        return err_set(err, ERR_NOT_FOUND, "there is nothing here but /v2/");
    rest = span_skip(rest, 4);
    if (!find_kind(&rest, &last, &out->kind))
        return err_set(err, ERR_NOT_FOUND, "the distribution API has no such endpoint");
    if (!reference_is_repository(rest))
        return err_set(err, ERR_INVALID, "\"%.*s\" is no name of a repository",
                       SPAN_ARG(span_first(rest, 300)));
    out->repository = span_dup(rest);
    if (out->kind != ROUTE_UPLOADS && out->kind != ROUTE_TAGS)
        out->last = span_dup(last);
    return 0;
}
