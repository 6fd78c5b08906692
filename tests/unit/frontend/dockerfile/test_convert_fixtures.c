/* tests/unit/frontend/dockerfile/test_convert_fixtures.c - whole Dockerfiles, whole results.
 *
 * tests/fixtures/dockerfile/convert holds NAME.Dockerfile, NAME.options (may be absent) and
 * NAME.want: graph, config, warnings, base images, and what the host was asked.  The wants were
 * read against the reference line by line; after a change, read what differs before taking it. */
#include "convert_fixture.h"

static void check(const char *name, struct span text)
{
    AUTO_FREE char *stem = xstrndup(name, strlen(name) - strlen(".Dockerfile"));
    AUTO_FREE char *options_name = xasprintf("convert/%s.options", stem);
    AUTO_FREE char *want_name = xasprintf("convert/%s.want", stem);
    size_t len;
    AUTO_FREE char *options = fixture_read(options_name, &len);
    AUTO_FREE char *want = fixture_read(want_name, &len);
    AUTO_VALUE(conversion_clear) struct conversion v;
    AUTO_VALUE(buf_clear) struct buf got;
    buf_init(&got, 16 * MIB);
    conversion_run(&v, text, options ? options : "");
    conversion_print(&v, &got);
    if (!want || strcmp(want, got.data) != 0) {
        AUTO_FREE char *path =
            xasprintf("%s/%s.got", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp", stem);
        FILE *f = fopen(path, "wb");
        if (f) {
            fputs(got.data, f);
            fclose(f);
        }
        tap_fail(__FILE__, __LINE__, "%s differs from its want; what came is in %s", name, path);
    }
}

TEST("each Dockerfile gives the graph and the config that stand beside it")
{
    int n = fixture_each("convert/", "", check);
    EXPECT(n >= 10);
}

TEST("the same input gives the same graph, byte for byte")
{
    struct span text =
        SPAN("FROM alpine:3.20 AS a\nRUN x\nCOPY f /\nFROM a\nCOPY --from=a /f /g\n");
    AUTO_VALUE(conversion_clear) struct conversion v, w;
    conversion_run(&v, text, "");
    conversion_run(&w, text, "");
    REQUIRE(!v.has_failed && !w.has_failed);
    EXPECT(digest_equal(&v.result.graph->results[0].vertex->digest,
                        &w.result.graph->results[0].vertex->digest));
}

TAP_MAIN()
