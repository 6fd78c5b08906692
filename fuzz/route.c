/* fuzz/route.c - paths of the distribution API: what was taken apart and put together again is the
 * same. */
#include <assert.h>
#include <string.h>

#include "base/core/mem.h"
#include "base/core/span.h"
#include "image/oci/reference.h"
#include "serve/registry/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *joined(const struct route *r)
{
    static const char *const nouns[] = {
        [ROUTE_MANIFEST] = "manifests/",    [ROUTE_BLOB] = "blobs/",
        [ROUTE_UPLOADS] = "blobs/uploads/", [ROUTE_UPLOAD] = "blobs/uploads/",
        [ROUTE_TAGS] = "tags/list",         [ROUTE_REFERRERS] = "referrers/",
    };
    if (r->kind == ROUTE_BASE || r->kind == ROUTE_CATALOG)
        return xstrdup(r->kind == ROUTE_BASE ? "/v2/" : "/v2/_catalog");
    return xasprintf("/v2/%s/%s%s", r->repository, nouns[r->kind], r->last ? r->last : "");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_FREE char *path = span_dup(span_bytes(data, size));
    AUTO_VALUE(route_clear) struct route r = { 0 }, again = { 0 };
    struct err err = { 0 };
    if (route_parse(path, &r, &err)) {
        assert(err.kind == ERR_NOT_FOUND || err.kind == ERR_INVALID);
        return 0;
    }
    assert(!r.repository || reference_is_repository(span_of(r.repository)));
    assert(!r.last || (*r.last && !strchr(r.last, '/')));
    AUTO_FREE char *whole = joined(&r);
    int result = route_parse(whole, &again, &err);
    assert(result == 0 && again.kind == r.kind);
    assert(!r.repository || strcmp(again.repository, r.repository) == 0);
    assert(!r.last || strcmp(again.last, r.last) == 0);
    return 0;
}
