/* tests/unit/frontend/dockerfile/test_outline.c - what a target takes, and which targets there
 * are. */
#include "convert_fixture.h"
#include "frontend/dockerfile/outline.h"
#include "tap.h"

static char *outline_text(const char *text, const char *options, bool is_json)
{
    AUTO_VALUE(conversion_clear) struct conversion v;
    AUTO_VALUE(dockerfile_outline_clear) struct dockerfile_outline outline;
    struct buf out;
    struct err err = { 0 };
    buf_init(&out, MIB);
    conversion_setup(&v, options);
    const struct frontend_host host = { &v, host_resolve, NULL, host_read, host_time };
    if (dockerfile_outline_read(span_of(text), &v.options, &host, &outline, &err)) {
        buf_printf(&out, "%d: %s\n", outline.where.first, err.text);
        return buf_take(&out);
    }
    if (is_json) {
        AUTO(json_free) struct json *o = dockerfile_outline_json(&outline, SPAN("x"));
        json_print(o, &out);
    } else {
        dockerfile_outline_print(&outline, &out);
    }
    if (outline.unknown.kind)
        buf_printf(&out, "unknown: %s\n", outline.unknown.text);
    return out.data ? buf_take(&out) : xstrdup("");
}

static const char arguments[] = "ARG inherited=box\n"
                                "ARG inherited2=box2\n"
                                "ARG unused=abc${inherited2}\n"
                                "# sfx is a suffix\n"
                                "ARG sfx=\"usy${inherited}\"\n"
                                "\n"
                                "FROM b${sfx} AS first\n"
                                "# this is not assigned to anything\n"
                                "ARG FOO=123\n"
                                "# BAR is a number\n"
                                "ARG BAR=456\n"
                                "RUN true\n"
                                "\n"
                                "FROM alpine${unused} AS second\n"
                                "ARG BAZ\n"
                                "\n"
                                "FROM scratch AS third\n"
                                "ARG ABC=a TARGETARCH\n"
                                "\n"
                                "# target defines build target\n"
                                "FROM third AS target\n"
                                "COPY --from=first /etc/passwd /\n"
                                "\n"
                                "FROM second\n";

TEST("arguments of the stages that the target needs, and those that they are made of")
{
    AUTO_FREE char *got = outline_text(arguments, "target=target\nbuild-arg:BAR=678", false);
    EXPECT_STR(got, "TARGET:      target\n"
                    "DESCRIPTION: defines build target\n"
                    "\n"
                    "BUILD ARG   VALUE    DESCRIPTION\n"
                    "inherited   box      \n"
                    "sfx         usybox   is a suffix\n"
                    "FOO         123      \n"
                    "BAR         678      is a number\n"
                    "ABC         a        \n"
                    "\n"
                    "unknown: Dockerfile:7: FROM b${sfx} AS first: busybox: not in any registry\n");
}

TEST("an argument without value of its own is the global one")
{
    AUTO_FREE char *got =
        outline_text("# V is the version\nARG V=1\nFROM scratch\nARG V\nARG W\n", "", true);
    EXPECT_STR(got, "{\"args\":[{\"name\":\"V\",\"description\":\"is the version\",\"value\":\"1\","
                    "\"location\":{\"ranges\":[{\"start\":{\"line\":2},\"end\":{\"line\":2}}]}},"
                    "{\"name\":\"W\",\"location\":{\"ranges\":[{\"start\":{\"line\":5},\"end\":{"
                    "\"line\":5}}]}}],\"sources\":[\"eA==\"]}");
}

TEST("secrets, agents and caches, required or not, with their lines")
{
    static const char text[] =
        "FROM alpine AS first\n"
        "RUN --mount=type=secret,target=/etc/passwd,required=true --mount=type=ssh true\n"
        "FROM alpine AS second\n"
        "RUN --mount=type=secret,id=unused --mount=type=ssh,id=ssh2 true\n"
        "FROM scratch AS third\n"
        "ARG BAR\n"
        "RUN --mount=type=secret,id=second${BAR} --mount=type=cache,target=/c x\n"
        "FROM third AS target\n"
        "COPY --from=first /foo /\n"
        "RUN --mount=type=ssh,id=ssh3,required --mount=type=cache,id=go,target=/go x\n"
        "RUN --mount=type=ssh,id=ssh3 x\n"
        "FROM second\n";
    AUTO_FREE char *table = outline_text(text, "target=target\nbuild-arg:BAR=678", false);
    EXPECT_STR(table, "TARGET: target\n"
                      "\n"
                      "BUILD ARG   VALUE   DESCRIPTION\n"
                      "BAR         678     \n"
                      "\n"
                      "SECRET      REQUIRED\n"
                      "passwd      true\n"
                      "second678   \n"
                      "\n"
                      "SSH       REQUIRED\n"
                      "default   \n"
                      "ssh3      true\n"
                      "\n"
                      "CACHE\n"
                      "/c\n"
                      "go\n"
                      "\n");
    AUTO_FREE char *json = outline_text(text, "target=target", true);
    EXPECT_CONTAINS(json, "\"secrets\":[{\"name\":\"passwd\",\"required\":true,\"location\":{"
                          "\"ranges\":[{\"start\":{\"line\":2},\"end\":{\"line\":2}}]}},");
    EXPECT_CONTAINS(json, "\"cache\":[{\"ID\":\"/c\",\"location\"");
}

TEST("triggers of the base take something too, and an error has its line")
{
    AUTO_FREE char *got = outline_text(
        "FROM scratch AS a\nONBUILD ARG FROM_TRIGGER=1\nFROM a\nARG OWN=2\n", "", false);
    EXPECT_STR(got, "BUILD ARG      VALUE   DESCRIPTION\n"
                    "FROM_TRIGGER   1       \n"
                    "OWN            2       \n"
                    "\n");
    AUTO_FREE char *failed = outline_text("FROM scratch\nARG x=${\n", "", false);
    EXPECT_CONTAINS(failed, "2: Dockerfile:2: ARG x=${: ");
    AUTO_FREE char *target = outline_text("FROM scratch\n", "target=gone", false);
    EXPECT_CONTAINS(target, "target stage \"gone\" could not be found");
    AUTO_FREE char *nothing = outline_text("FROM scratch\n", "", false);
    EXPECT_STR(nothing, "");
}

static const char stages[] = "\n"
                             "# build defines stage for compiling the binary\n"
                             "FROM --platform=$BUILDPLATFORM alpine AS build\n"
                             "RUN true\n"
                             "FROM busybox AS second\n"
                             "FROM alpine:$V\n"
                             "# binary returns the compiled binary\n"
                             "FROM second AS binary\n";

TEST("targets are read from the text alone")
{
    AUTO_VALUE(dockerfile_targets_clear) struct dockerfile_targets l;
    AUTO_VALUE(buf_clear) struct buf out;
    const struct dockerfile_options o = { 0 };
    struct err err = { 0 };
    buf_init(&out, MIB);
    REQUIRE_OK(dockerfile_targets_read(span_of(stages), &o, &l, &err), &err);
    dockerfile_targets_print(&l, &out);
    EXPECT_STR(out.data, "TARGET           DESCRIPTION\n"
                         "build            defines stage for compiling the binary\n"
                         "second           \n"
                         "                 \n"
                         "binary (default) returns the compiled binary\n");
    AUTO(json_free) struct json *json = dockerfile_targets_json(&l, SPAN("x"));
    buf_reset(&out);
    json_print(json, &out);
    EXPECT_STR(
        out.data,
        "{\"targets\":[{\"name\":\"build\",\"description\":\"defines stage for compiling the "
        "binary\",\"base\":\"alpine\",\"platform\":\"$BUILDPLATFORM\",\"location\":{"
        "\"ranges\":[{\"start\":{\"line\":3},\"end\":{\"line\":3}}]}},{\"name\":\"second\","
        "\"base\":\"busybox\",\"location\":{\"ranges\":[{\"start\":{\"line\":5},\"end\":{"
        "\"line\":5}}]}},{\"base\":\"alpine:$V\",\"location\":{\"ranges\":[{\"start\":{"
        "\"line\":6},\"end\":{\"line\":6}}]}},{\"name\":\"binary\",\"default\":true,"
        "\"description\":\"returns the compiled binary\",\"base\":\"second\",\"location\":{"
        "\"ranges\":[{\"start\":{\"line\":8},\"end\":{\"line\":8}}]}}],\"sources\":["
        "\"eA==\"]}");
}

TEST("targets of a file that is none")
{
    const struct dockerfile_options o = { .filename = "D" };
    static const struct {
        const char *text, *want;
    } rows[] = {
        { "RUN x\n", "D:1: no build stage in current context" },
        { "# syntax=a/b\n", "D:1: # syntax=a/b: " },
        { "", "D: the Dockerfile cannot be empty" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO_VALUE(dockerfile_targets_clear) struct dockerfile_targets l;
        struct err err = { 0 };
        EXPECT(dockerfile_targets_read(span_of(rows[i].text), &o, &l, &err) == -1);
        EXPECT_CONTAINS(err.text, rows[i].want);
    }
}

TAP_MAIN()
