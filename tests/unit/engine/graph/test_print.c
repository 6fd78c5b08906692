/* Graphs as texts for people: the lines and, whole, the JSON of fixtures. */
#include "base/core/limits.h"
#include "engine/graph/builder.h"
#include "fixture.h"

static struct graph *read_fixture(const char *name)
{
    struct err err = { 0 };
    struct graph *g = NULL;
    struct span bytes = fixture_read("llb", name);
    EXPECT_OK(graph_unmarshal(bytes, &g, &err), &err);
    free((void *)(uintptr_t)bytes.ptr);
    return g;
}

TEST("one line per vertex, numbered, inputs first")
{
    static const struct {
        const char *file, *want;
    } rows[] = {
        { "buildkit-2017.pb",
          "#0 source sha256:74ecb5d790c3  docker-image://docker.io/library/busybox:latest\n"
          "#1 exec sha256:1de5701b9364 inputs #0:0  /bin/sleep 1\n"
          "#2 exec sha256:dcfef0f97703 inputs #1:0  /bin/sh -c echo foo > /bar\n"
          "result #2:0\n" },
        { "exec.pb",
          "#0 source sha256:32acdd6bca25 [linux/arm/v7]  "
          "docker-image://docker.io/library/alpine:latest\n"
          "#1 source sha256:10effb9df523  local://context\n"
          "#2 exec sha256:859fce4a1a6c [linux/arm/v7] inputs #0:0 #1:0 no-cache  RUN make\n"
          "result #2:1\n" },
        { "file.pb",
          "#0 source sha256:665ba8b2cdc0 [linux/amd64]  "
          "docker-image://docker.io/library/alpine:latest\n"
          "#1 source sha256:1c696f1034a5  local://context\n"
          "#2 file sha256:4d910f7f1b35 inputs #0:0 #1:0  copy /conf /etc/app/, copy /a /b, "
          "mkfile /hello, mkdir /d, symlink /link -> /hello, rm /tmp/*\n"
          "result #2:0\n" },
        { "sources.pb", "#0 source sha256:d97b4cae16f1  Dockerfile:1  local://a\n"
                        "#1 source sha256:994e814c161f  local://b\n"
                        "#2 merge sha256:e79a2104be95 inputs #0:0 #1:0  Dockerfile:2  merge\n"
                        "result #2:0\n" },
        { "unknown-fields.pb", "#0 source sha256:8f4627331af7  local://a\n"
                               "#1 passthrough sha256:ae22688f2577 inputs #0:0  passthrough\n"
                               "#2 build sha256:4496f6a3040d inputs #1:0  build\n"
                               "result #2:0\n" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        AUTO(graph_free) struct graph *g = read_fixture(rows[i].file);
        REQUIRE(g);
        AUTO_VALUE(buf_clear) struct buf text;
        buf_init(&text, LIMIT_GRAPH_BYTES);
        graph_print(g, &text);
        EXPECT_STR(text.data, rows[i].want);
    }
}

TEST("the JSON of a graph has all fields that are not at their default")
{
    static const char *const names[] = { "exec", "file", "merge", "sources", "unknown-fields" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        AUTO_FREE char *pb = xasprintf("%s.pb", names[i]);
        AUTO_FREE char *json = xasprintf("%s.json", names[i]);
        AUTO(graph_free) struct graph *g = read_fixture(pb);
        REQUIRE(g);
        AUTO_VALUE(buf_clear) struct buf text;
        buf_init(&text, LIMIT_GRAPH_BYTES);
        graph_print_json(g, &text);
        struct span want = fixture_read("llb", json);
        AUTO_FREE char *expected = xstrndup(want.ptr, want.len);
        free((void *)(uintptr_t)want.ptr);
        EXPECT_STR(text.data, expected);
    }
}

TEST("scratch is printed as such")
{
    struct err err = { 0 };
    AUTO(graph_free) struct graph *g = NULL;
    AUTO_VALUE(buf_clear) struct buf text;
    REQUIRE_OK(graph_unmarshal(span_bytes("", 0), &g, &err), &err);
    buf_init(&text, 4096);
    graph_print(g, &text);
    EXPECT_STR(text.data, "result scratch\n");
    buf_reset(&text);
    graph_print_json(g, &text);
    EXPECT_STR(text.data, "[]");
}

TEST("the name that somebody gave comes first")
{
    struct err err = { 0 };
    AUTO(graph_builder_free) struct graph_builder *b = graph_builder_new();
    struct op_source op = { .identifier = "local://a" };
    struct edge e;
    AUTO_VALUE(buf_clear) struct buf text;
    buf_init(&text, 4096);
    REQUIRE_OK(graph_add_source(b, &op, NULL, &e, &err), &err);
    vertex_print_name(e.vertex, &text);
    EXPECT_STR(text.data, "local://a");
    buf_reset(&text);
    REQUIRE_OK(graph_add_source(b, &op, &(struct vertex_about){ .name = "context" }, &e, &err),
               &err);
    vertex_print_name(e.vertex, &text);
    EXPECT_STR(text.data, "context");
}

TEST("a name of several lines stays on its line")
{
    struct err err = { 0 };
    AUTO(graph_builder_free) struct graph_builder *b = graph_builder_new();
    AUTO(graph_free) struct graph *g = NULL;
    AUTO_VALUE(buf_clear) struct buf text;
    struct op_source op = { .identifier = "local://a" };
    struct edge e;
    REQUIRE_OK(graph_add_source(b, &op, &(struct vertex_about){ .name = "RUN <<E\n\x1b[1mx\tE" },
                                &e, &err),
               &err);
    REQUIRE_OK(graph_builder_finish(b, &e, 1, &g, &err), &err);
    buf_init(&text, 4096);
    graph_print(g, &text);
    EXPECT_CONTAINS(text.data, "  RUN <<E  [1mx E\nresult #0:0\n");
}

TAP_MAIN()
