/* Paths of the API, taken apart. */
#include "base/core/mem.h"
#include "serve/registry/route.h"
#include "tap.h"

static const struct {
    const char *path, *want; /* "KIND REPOSITORY LAST", or the kind of the refusal */
} rows[] = {
    { "/v2/", "base - -" },
    { "/v2", "base - -" },
    { "/v2/_catalog", "catalog - -" },
    { "/v2/app/manifests/latest", "manifest app latest" },
    { "/v2/a/b/c/manifests/sha256:00", "manifest a/b/c sha256:00" },
    { "/v2/app/manifests/.no tag", "manifest app .no tag" },
    { "/v2/app/blobs/sha256:00", "blob app sha256:00" },
    { "/v2/app/blobs/uploads/", "uploads app -" },
    { "/v2/app/blobs/uploads", "uploads app -" },
    { "/v2/app/blobs/uploads/1234", "upload app 1234" },
    { "/v2/app/tags/list", "tags app -" },
    { "/v2/app/referrers/sha256:00", "referrers app sha256:00" },
    /* repositories that are called like endpoints */
    { "/v2/blobs/uploads/blobs/uploads/", "uploads blobs/uploads -" },
    { "/v2/blobs/uploads/blobs/uploads/7", "upload blobs/uploads 7" },
    { "/v2/manifests/manifests/manifests", "manifest manifests manifests" },
    { "/v2/tags/list/tags/list", "tags tags/list -" },
    { "/v2/a/manifests/manifests/v1", "manifest a/manifests v1" },
    /* nothing here */
    { "/", "not found" },
    { "", "not found" },
    { "*", "not found" },
    { "/v1/app/tags/list", "not found" },
    { "/v22/app/tags/list", "not found" },
    { "/v2/app", "not found" },
    { "/v2/app/tags", "not found" },
    { "/v2/app/tags/other", "not found" },
    { "/v2/app/manifests/", "not found" },
    { "/v2/app/blobs/", "not found" },
    { "/v2/app/referrers/", "not found" },
    { "/v2/app/other/uploads/1", "not found" },
    { "/v2/_catalog/", "not found" },
    /* no names of repositories */
    { "/v2/App/tags/list", "invalid" },
    { "/v2/tags/list", "invalid" },
    { "/v2/manifests/latest", "invalid" },
    { "/v2/blobs/uploads/", "invalid" },
    { "/v2/../app/tags/list", "invalid" },
    { "/v2/a..b/manifests/x", "invalid" },
    { "/v2/a b/manifests/x", "invalid" },
    { "/v2/-a/manifests/x", "invalid" },
    { "/v2/a\nb/manifests/x", "invalid" },
};

static char *parse_and_print(const char *path)
{
    static const char *const kinds[] = { "base",    "catalog", "manifest", "blob",
                                         "uploads", "upload",  "tags",     "referrers" };
    struct err err = { 0 };
    AUTO_VALUE(route_clear) struct route r = { 0 };
    if (route_parse(path, &r, &err))
        return xstrdup(err_kind_name(err.kind));
    return xasprintf("%s %s %s", kinds[r.kind], r.repository ? r.repository : "-",
                     r.last ? r.last : "-");
}

TEST("each path is the endpoint that the specification says, or none")
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        AUTO_FREE char *got = parse_and_print(rows[i].path);
        if (strcmp(got, rows[i].want) != 0)
            tap_fail(__FILE__, __LINE__, "%s is \"%s\", expected \"%s\"", rows[i].path, got,
                     rows[i].want);
    }
}

TEST("a name of 10,000 bytes is refused and its error shortened")
{
    char path[10100] = "/v2/";
    memset(path + 4, 'a', 10000);
    snprintf(path + 10004, 50, "/tags/list");
    AUTO_FREE char *got = parse_and_print(path);
    EXPECT_STR(got, "invalid");
}

TAP_MAIN()
