/* tests/unit/frontend/dockerfile/test_convert.c - rules of precedence, names, paths; whole results
 * are in test_convert_fixtures.c, refusals in test_convert_refuse.c. */
#include "convert_fixture.h"

/* The environment of the last step that runs something, as "A=b C=d", without PATH. */
static char *last_env(const struct conversion *v)
{
    const struct graph *g = v->result.graph;
    AUTO_VALUE(buf_clear) struct buf out;
    buf_init(&out, MIB);
    for (size_t i = g->n_vertices; i-- > 0;) {
        const struct vertex *x = g->vertices[i];
        if (x->type != OP_EXEC)
            continue;
        for (size_t k = 0; k < x->exec.env.n; k++)
            if (!span_starts(span_of(x->exec.env.items[k]), "PATH="))
                buf_printf(&out, "%s%s", out.len ? " " : "", x->exec.env.items[k]);
        break;
    }
    return out.data ? buf_take(&out) : xstrdup("");
}

static const char *last_history(const struct conversion *v)
{
    const struct image_config *c = &v->result.config;
    return c->history.n ? c->history.items[c->history.n - 1].created_by : "";
}

static char *config_env(const struct conversion *v, const char *name)
{
    const char *value = image_config_env(&v->result.config, name);
    return xstrdup(value ? value : "(unset)");
}

TEST("arguments and environment take precedence in the order of lines")
{
    static const struct {
        const char *text, *options, *env;
        const char *config_a; /* A in the image's config */
    } rows[] = {
        /* where the value of an ARG comes from */
        { "FROM alpine\nARG A=1\nRUN x", "", "A=1", "(unset)" },
        { "FROM alpine\nARG A=1\nRUN x", "build-arg:A=2", "A=2", "(unset)" },
        { "FROM alpine\nARG A\nRUN x", "", "", "(unset)" },
        { "FROM alpine\nARG A\nRUN x", "build-arg:A=2", "A=2", "(unset)" },
        { "FROM alpine\nARG A\nRUN x", "build-arg:A=", "A=", "(unset)" },
        { "FROM alpine\nRUN x", "build-arg:A=2", "", "(unset)" },
        { "ARG A=g\nFROM alpine\nRUN x", "", "", "(unset)" },
        { "ARG A=g\nFROM alpine\nARG A\nRUN x", "", "A=g", "(unset)" },
        { "ARG A=g\nFROM alpine\nARG A=own\nRUN x", "", "A=own", "(unset)" },
        { "ARG A=g\nFROM alpine\nARG A=own\nRUN x", "build-arg:A=cli", "A=cli", "(unset)" },
        { "ARG A=g\nARG B=$A-b\nFROM alpine\nARG B\nRUN x", "", "B=g-b", "(unset)" },
        { "ARG A=g\nARG B=$A-b\nFROM alpine\nARG B\nRUN x", "build-arg:A=c", "B=c-b", "(unset)" },
        { "ARG A\nFROM alpine\nARG A\nRUN x", "", "", "(unset)" },
        /* only from its line on */
        { "FROM alpine\nRUN x\nARG A=1", "", "", "(unset)" },
        { "FROM alpine\nARG A=1 B=$A\nRUN x", "", "A=1 B=1", "(unset)" },
        { "FROM alpine\nENV A=1 B=$A-\nRUN x", "", "A=1 B=-", "1" },
        { "FROM alpine\nENV A=0\nENV A=1 B=$A\nRUN x", "", "A=1 B=0", "1" },
        /* the last of ARG with a value and ENV wins for RUN; ENV alone goes into the config */
        { "FROM alpine\nARG A=1\nENV A=2\nRUN x", "", "A=2", "2" },
        { "FROM alpine\nARG A=1\nENV A=2\nRUN x", "build-arg:A=3", "A=2", "2" },
        { "FROM alpine\nENV A=1\nARG A=2\nRUN x", "", "A=2", "1" },
        { "FROM alpine\nENV A=1\nARG A\nRUN x", "", "A=1", "1" },
        { "FROM alpine\nENV A=1\nARG A\nRUN x", "build-arg:A=3", "A=3", "1" },
        { "FROM alpine\nARG A=1\nENV A=$A-x\nRUN y", "", "A=1-x", "1-x" },
        { "FROM trigger:1\nRUN x", "file:context/.dockerignore=", "A=image", "image" },
        /* a stage hands on what it has; its ENV counts again at the child's FROM */
        { "FROM alpine AS a\nARG A=1\nFROM a\nRUN x", "", "A=1", "(unset)" },
        { "FROM alpine AS a\nENV A=1\nFROM a\nRUN x", "", "A=1", "1" },
        { "FROM alpine AS a\nENV A=1\nARG A=2\nFROM a\nRUN x", "", "A=1", "1" },
        { "FROM alpine AS a\nARG A=1\nFROM alpine\nRUN x", "", "", "(unset)" },
        { "FROM alpine AS a\nARG A=1\nRUN x\nFROM alpine\nCOPY --from=a / /", "", "A=1",
          "(unset)" },
        /* automatic and predefined ones */
        { "FROM alpine\nARG TARGETPLATFORM\nRUN x", "", "TARGETPLATFORM=linux/amd64", "(unset)" },
        { "FROM alpine\nARG TARGETARCH TARGETVARIANT TARGETOS\nRUN x", "platform=linux/arm/v7",
          "TARGETARCH=arm TARGETVARIANT=v7 TARGETOS=linux", "(unset)" },
        { "FROM alpine\nARG BUILDARCH BUILDOS BUILDPLATFORM BUILDVARIANT\nRUN x",
          "platform=linux/arm64",
          "BUILDARCH=amd64 BUILDOS=linux BUILDPLATFORM=linux/amd64 "
          "BUILDVARIANT=",
          "(unset)" },
        { "FROM alpine\nARG TARGETARCH\nRUN x", "build-arg:TARGETARCH=mine", "TARGETARCH=mine",
          "(unset)" },
        { "FROM alpine\nARG TARGETARCH=own\nRUN x", "", "TARGETARCH=own", "(unset)" },
        { "FROM alpine\nARG TARGETSTAGE\nRUN x", "", "TARGETSTAGE=default", "(unset)" },
        { "FROM alpine AS last\nARG TARGETSTAGE\nRUN x", "", "TARGETSTAGE=last", "(unset)" },
        { "FROM alpine AS a\nARG TARGETSTAGE\nRUN x\nFROM a", "target=a", "TARGETSTAGE=a",
          "(unset)" },
        { "FROM alpine\nRUN x", "build-arg:HTTP_PROXY=p", "", "(unset)" },
        { "FROM alpine\nARG HTTP_PROXY\nRUN x", "build-arg:HTTP_PROXY=p", "HTTP_PROXY=p",
          "(unset)" },
        { "FROM alpine\nARG BUILDKIT_SBOM_SCAN_STAGE=true\nRUN x", "", "", "(unset)" },
        /* setting a name again moves it to the end */
        { "FROM alpine\nENV A=1 B=2\nENV A=3\nRUN x", "", "B=2 A=3", "3" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO_VALUE(conversion_clear) struct conversion v;
        conversion_run(&v, span_of(rows[i].text), rows[i].options);
        if (v.has_failed) {
            tap_fail(__FILE__, __LINE__, "%s: %s", rows[i].text, v.err.text);
            continue;
        }
        AUTO_FREE char *env = last_env(&v), *a = config_env(&v, "A");
        if (strcmp(env, rows[i].env) != 0 || strcmp(a, rows[i].config_a) != 0)
            tap_fail(__FILE__, __LINE__, "%s (%s)\ngives %s and config %s\nexpected %s and %s",
                     rows[i].text, rows[i].options, env, a, rows[i].env, rows[i].config_a);
    }
}

TEST("history tells arguments with their values of the moment")
{
    static const struct {
        const char *text, *options, *want;
    } rows[] = {
        { "RUN x", "", "RUN /bin/sh -c x # buildkit" },
        { "ARG A\nRUN x", "", "RUN |1 A= /bin/sh -c x # buildkit" },
        { "ARG A=1 B\nARG A=2\nRUN [\"x\", \"y z\"]", "", "RUN |2 A=2 B= x y z # buildkit" },
        { "ARG A=1\nENV A=env2\nRUN x", "", "RUN |1 A=env2 /bin/sh -c x # buildkit" },
        { "RUN x", "build-arg:HTTP_PROXY=p", "RUN /bin/sh -c x # buildkit" },
        { "SHELL [\"/bin/bash\", \"-lc\"]\nRUN x  y", "", "RUN /bin/bash -lc x  y # buildkit" },
        { "RUN", "", "RUN /bin/sh -c  # buildkit" },
        { "WORKDIR /", "", "WORKDIR /" },
        { "WORKDIR a/./b/..", "", "WORKDIR /a" },
        { "USER a b", "", "USER a b" },
        { "CMD", "", "CMD [\"/bin/sh\" \"-c\" \"\"]" },
        { "CMD []", "", "CMD []" },
        { "CMD [\"a\\\"b\", \"c\"]", "", "CMD [\"a\\\"b\" \"c\"]" },
        { "LABEL a='x y' \"b c\"=2", "", "LABEL a=x y b c=2" },
        { "ENV a b c", "", "ENV a=b c" },
        { "ARG A B=2", "", "ARG A B=2" },
        { "VOLUME [\"/a\", \"/b\"]", "", "VOLUME [/a /b]" },
        { "STOPSIGNAL RTMIN+3", "", "STOPSIGNAL RTMIN+3" },
        { "STOPSIGNAL 9", "", "STOPSIGNAL 9" },
        { "EXPOSE [::1]:90-95:80 1.2.3.4::81", "", "EXPOSE [81/tcp 80/tcp]" },
        { "EXPOSE 8000-8002/UDP", "", "EXPOSE [8000/udp 8001/udp 8002/udp]" },
        { "ARG P=\"80 81\"\nEXPOSE $P/tcp", "", "EXPOSE [80/tcp 81/tcp]" },
        { "HEALTHCHECK --interval=1h1m1s --timeout=1500us --start-period=100ms "
          "--start-interval=2m CMD [\"a\", \"b\"]",
          "",
          "HEALTHCHECK &{[\"CMD\" \"a\" \"b\"] \"1h1m1s\" \"1.5ms\" \"100ms\" \"2m0s\" '\\x00'}" },
        { "HEALTHCHECK --retries=10 CMD a b", "",
          "HEALTHCHECK &{[\"CMD-SHELL\" \"a b\"] \"0s\" \"0s\" \"0s\" \"0s\" '\\n'}" },
        { "COPY --link --from=alpine /x /y", "", "COPY /x /y # buildkit" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO_FREE char *text = xasprintf("FROM alpine\n%s", rows[i].text);
        AUTO_VALUE(conversion_clear) struct conversion v;
        conversion_run(&v, span_of(text), rows[i].options);
        EXPECT_STR(v.has_failed ? v.err.text : last_history(&v), rows[i].want);
    }
}

TEST("stages that the target does not need are neither resolved nor built")
{
    AUTO_VALUE(conversion_clear) struct conversion v;
    conversion_run(&v,
                   SPAN("FROM not-there AS a\nRUN --mount=type=nonsense-later x\n"
                        "FROM alpine AS b\nRUN y\nFROM not-there-either\nCOPY --from=b / /\n"),
                   "target=b");
    EXPECT(v.has_failed); /* but what is written wrong is told */
    AUTO_VALUE(conversion_clear) struct conversion w;
    conversion_run(&w,
                   SPAN("FROM not-there AS a\nENV A=${B:?unset}\nFROM alpine AS b\nRUN y\n"
                        "FROM not-there-either\nCOPY --from=b / /\n"),
                   "target=b");
    REQUIRE_OK(w.has_failed, &w.err);
    EXPECT_STR(w.calls.data, "resolve docker.io/library/alpine:latest for linux/amd64\n");
    EXPECT_INT(w.result.graph->n_vertices, 2);
}

TEST("an image is asked for once for each platform, however often it is named")
{
    AUTO_VALUE(conversion_clear) struct conversion v;
    conversion_run(&v,
                   SPAN("FROM alpine AS a\nFROM docker.io/library/alpine:latest AS b\n"
                        "FROM --platform=linux/arm64 alpine AS c\nFROM a\n"
                        "COPY --from=b / /\nCOPY --from=c / /\nCOPY --from=alpine / /\n"),
                   "");
    REQUIRE_OK(v.has_failed, &v.err);
    EXPECT_STR(v.calls.data, "resolve docker.io/library/alpine:latest for linux/amd64\n"
                             "resolve docker.io/library/alpine:latest for linux/arm64\n");
    EXPECT_INT(v.result.n_base_images, 2);
}

/* The target's stage as the first word of its only step, "b". */
TEST("a target is found by name, whatever its case")
{
    static const struct {
        const char *target, *args;
    } rows[] = { { "two", "two" }, { "TWO", "two" }, { "first", "one" }, { "", "three" } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO_FREE char *options = xasprintf("target=%s", rows[i].target);
        AUTO_VALUE(conversion_clear) struct conversion v;
        conversion_run(&v,
                       SPAN("FROM alpine AS first\nRUN [\"one\"]\nFROM alpine AS two\n"
                            "RUN [\"two\"]\nFROM alpine\nRUN [\"three\"]\n"),
                       options);
        REQUIRE_OK(v.has_failed, &v.err);
        EXPECT_STR(v.result.graph->results[0].vertex->exec.args.items[0], rows[i].args);
    }
}

TEST("of two stages with one name the later one counts from there on")
{
    AUTO_VALUE(conversion_clear) struct conversion v;
    conversion_run(&v,
                   SPAN("FROM alpine AS a\nENV A=1\nFROM a AS b\nFROM alpine AS a\nENV A=2\n"
                        "FROM b\nRUN x\n"),
                   "");
    REQUIRE_OK(v.has_failed, &v.err);
    AUTO_FREE char *env = last_env(&v);
    EXPECT_STR(env, "A=1");
}

TEST("the last CMD and ENTRYPOINT count, and an ENTRYPOINT drops an inherited CMD alone")
{
    static const struct {
        const char *text, *cmd, *entrypoint;
    } rows[] = {
        { "FROM node:20", "node", "docker-entrypoint.sh" },
        { "FROM node:20\nENTRYPOINT [\"e\"]", "", "e" },
        { "FROM node:20\nCMD [\"c\"]\nENTRYPOINT [\"e\"]", "c", "e" },
        { "FROM node:20\nENTRYPOINT [\"e\"]\nCMD [\"c\"]", "c", "e" },
        { "FROM node:20\nCMD [\"1\"]\nCMD [\"2\"]", "2", "docker-entrypoint.sh" },
        { "FROM node:20 AS a\nCMD [\"c\"]\nFROM a\nENTRYPOINT [\"e\"]", "", "e" },
        { "FROM node:20\nCMD []", "", "docker-entrypoint.sh" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO_VALUE(conversion_clear) struct conversion v;
        conversion_run(&v, span_of(rows[i].text), "");
        REQUIRE_OK(v.has_failed, &v.err);
        const struct image_config *c = &v.result.config;
        EXPECT_STR(c->cmd.n ? c->cmd.items[0] : "", rows[i].cmd);
        EXPECT_STR(c->entrypoint.n ? c->entrypoint.items[0] : "", rows[i].entrypoint);
        EXPECT(c->has_cmd == (c->cmd.n > 0));
    }
}

TEST("every entry of history that is no empty layer is one operation of the target's chain")
{
    AUTO_VALUE(conversion_clear) struct conversion v;
    conversion_run(&v,
                   SPAN("FROM alpine:3.20\nENV A=1\nRUN x\nWORKDIR /w\nWORKDIR /\nCOPY --link a /\n"
                        "ADD b c /d/\nUSER u\nLABEL l=1\nRUN y\n"),
                   "");
    REQUIRE_OK(v.has_failed, &v.err);
    const struct image_config *c = &v.result.config;
    size_t n_layers = 0, n_ops = 0;
    for (size_t i = v.result.n_base_history; i < c->history.n; i++)
        n_layers += !c->history.items[i].is_empty_layer;
    for (const struct vertex *x = v.result.graph->results[0].vertex; x->type != OP_SOURCE;
         x = x->inputs[0].vertex)
        n_ops++;
    EXPECT_INT(n_layers, 5);
    EXPECT_INT(n_ops, 5);
}

TEST("destinations are absolute, clean and keep what says \"into this folder\"")
{
    static const struct {
        const char *dest, *want;
    } rows[] = {
        { "/a", "/a" },  { "a", "/w/a" },     { "a/", "/w/a/" },     { ".", "/w/" },
        { "./", "/w/" }, { "..", "/" },       { "/", "/" },          { "/a/.", "/a/." },
        { "/.", "/." },  { "../../x", "/x" }, { "/a//b/", "/a/b/" }, { "/a/./b", "/a/b" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO_FREE char *text = xasprintf("FROM alpine\nWORKDIR /w\nCOPY f %s\n", rows[i].dest);
        AUTO_VALUE(conversion_clear) struct conversion v;
        conversion_run(&v, span_of(text), "");
        REQUIRE_OK(v.has_failed, &v.err);
        EXPECT_STR(v.result.graph->results[0].vertex->file.actions[0].path, rows[i].want);
    }
}

TEST("owners are numbers or names, of a user, a group or both")
{
    static const struct {
        const char *chown;
        enum owner_kind user, group;
    } rows[] = {
        { "1", OWNER_ID, OWNER_KEEP },          { "a", OWNER_NAME, OWNER_KEEP },
        { "1:2", OWNER_ID, OWNER_ID },          { "a:b", OWNER_NAME, OWNER_NAME },
        { "0:b", OWNER_ID, OWNER_NAME },        { ":5", OWNER_KEEP, OWNER_ID },
        { "4294967294", OWNER_ID, OWNER_KEEP }, { "4294967295", OWNER_NAME, OWNER_KEEP },
        { "$U:$G", OWNER_ID, OWNER_NAME },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO_FREE char *text =
            xasprintf("FROM alpine\nARG U=7 G=g\nCOPY --chown=%s f /\n", rows[i].chown);
        AUTO_VALUE(conversion_clear) struct conversion v;
        conversion_run(&v, span_of(text), "");
        REQUIRE_OK(v.has_failed, &v.err);
        const struct owner *o = &v.result.graph->results[0].vertex->file.actions[0].owner;
        EXPECT(o->is_set && o->user.kind == rows[i].user && o->group.kind == rows[i].group);
    }
}

TEST("BuildKit's build arguments do their work and are seen in no step and no history")
{
    static const char args[] = "build-arg:BUILDKIT_SANDBOX_HOSTNAME=box\n"
                               "build-arg:BUILDKIT_CACHE_MOUNT_NS=ns\n"
                               "build-arg:BUILDKIT_BUILD_NAME=name\n"
                               "build-arg:BUILDKIT_INLINE_CACHE=1\n"
                               "build-arg:BUILDKIT_MULTI_PLATFORM=1\n"
                               "build-arg:BUILDKIT_CONTEXT_KEEP_GIT_DIR=1\n"
                               "build-arg:BUILDKIT_SBOM_SCAN_STAGE=1\n"
                               "build-arg:BUILDKIT_DOCKERFILE_CHECK=skip=all\n"
                               "build-arg:BUILDKIT_SYNTAX=docker/dockerfile:1\n";
    AUTO_VALUE(conversion_clear) struct conversion v;
    conversion_run(&v, SPAN("# syntax=x/y\nFROM scratch\nRUN --mount=type=cache,target=/c x\n"),
                   args);
    REQUIRE_OK(v.has_failed, &v.err);
    const struct op_exec *op = &v.result.graph->results[0].vertex->exec;
    EXPECT_STR(op->hostname, "box");
    EXPECT_STR(op->mounts[1].id, "ns//c");
    for (size_t i = 0; i < op->env.n; i++)
        EXPECT(!strstr(op->env.items[i], "BUILDKIT"));
    EXPECT_STR(v.result.config.history.items[0].created_by, "RUN /bin/sh -c x # buildkit");
    EXPECT_INT(v.result.config.env.n, 1); /* PATH */
}

/* What the context's vertex must bring. */
TEST("only the paths in use are asked of a context")
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        { "COPY b a c/ /", "[\"a\",\"b\",\"c\"]" },
        { "COPY a*/x /\nADD /y/../z /", "[\"a*/x\",\"z\"]" },
        { "COPY . /", NULL },
        { "COPY a /\nCOPY ./ /", NULL },
        { "RUN --mount=source=s,target=/m x\nCOPY a /", "[\"a\",\"s\"]" },
        { "RUN --mount=target=/m x\nCOPY a /", NULL },
        { "ADD https://x/y a /", "[\"a\"]" },
        { "COPY --parents a/./b/*.c /", "[\"a/b/*.c\"]" },
        { "COPY <<E a /\nx\nE", "[\"a\"]" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO_FREE char *text = xasprintf("FROM alpine\n%s\n", rows[i].text);
        AUTO_VALUE(conversion_clear) struct conversion v;
        conversion_run(&v, span_of(text), "");
        REQUIRE_OK(v.has_failed, &v.err);
        const struct graph *g = v.result.graph;
        bool is_found = false;
        for (size_t k = 0; k < g->n_vertices; k++) {
            if (strcmp(g->vertices[k]->type == OP_SOURCE ? g->vertices[k]->source.identifier : "",
                       "local://context") != 0)
                continue;
            is_found = true;
            EXPECT_STR(pairs_find(&g->vertices[k]->source.attrs, ATTR_LOCAL_FOLLOW), rows[i].want);
        }
        EXPECT(is_found);
    }
}

TEST("a Dockerfile that copies nothing does not look at the context")
{
    AUTO_VALUE(conversion_clear) struct conversion v;
    conversion_run(&v, SPAN("FROM scratch\nENV A=1\n"), "file:context/.dockerignore=broken");
    REQUIRE_OK(v.has_failed, &v.err);
    EXPECT(!v.result.graph->results[0].vertex);
    EXPECT_INT(v.calls.len, 0);
}

TEST("signals are names with or without SIG, or numbers")
{
    static const char *const rows[] = { "SIGTERM", "term",     "SIGKILL",     "1",     "64",
                                        "RTMIN",   "RTMAX-14", "SIGRTMIN+15", "sigint" };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO_FREE char *text = xasprintf("FROM alpine\nSTOPSIGNAL %s\n", rows[i]);
        AUTO_VALUE(conversion_clear) struct conversion v;
        conversion_run(&v, span_of(text), "");
        REQUIRE_OK(v.has_failed, &v.err);
        EXPECT_STR(v.result.config.stop_signal, rows[i]);
    }
}

TEST("platforms in names of steps tell what a step is for")
{
    static const struct {
        const char *args, *options, *want;
    } rows[] = {
        { "", "multi-platform=", "[linux/amd64 2/2] RUN x" },
        { "ARG TARGETOS TARGETARCH\n", "multi-platform=\nplatform=linux/arm/v7",
          "[linux/amd64->arm/v7 2/2] RUN x" },
        { "ARG TARGETOS TARGETARCH TARGETVARIANT\n", "multi-platform=\nplatform=linux/arm/v6",
          "[linux/amd64->arm/v6 2/2] RUN x" },
        { "ARG TARGETPLATFORM\n", "multi-platform=\nplatform=freebsd/amd64",
          "[linux/amd64->freebsd/amd64 2/2] RUN x" },
        { "ARG TARGETPLATFORM=nonsense/a/b/c/d\n", "multi-platform=", "[linux/amd64 2/2] RUN x" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO_FREE char *text =
            xasprintf("FROM --platform=linux/amd64 alpine\n%sRUN x\n", rows[i].args);
        AUTO_VALUE(conversion_clear) struct conversion v;
        AUTO_VALUE(buf_clear) struct buf name;
        buf_init(&name, MIB);
        conversion_run(&v, span_of(text), rows[i].options);
        REQUIRE_OK(v.has_failed, &v.err);
        vertex_print_name(v.result.graph->results[0].vertex, &name);
        EXPECT_STR(name.data, rows[i].want);
    }
}

TEST("a time is taken from the option, the build argument, the global ARG, in this order")
{
    static const struct {
        const char *text, *options, *created;
        bool has_epoch;
    } rows[] = {
        { "FROM alpine", "", NULL, false },
        { "FROM alpine", "created=2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z", false },
        { "FROM alpine", "created=2020-01-01T00:00:00Z\nsource-date-epoch=0",
          "1970-01-01T00:00:00Z", true },
        { "FROM alpine", "build-arg:SOURCE_DATE_EPOCH=1", "1970-01-01T00:00:01Z", true },
        { "ARG SOURCE_DATE_EPOCH=2\nFROM alpine", "", "1970-01-01T00:00:02Z", true },
        { "ARG SOURCE_DATE_EPOCH=2\nFROM alpine", "build-arg:SOURCE_DATE_EPOCH=3",
          "1970-01-01T00:00:03Z", true },
        { "FROM alpine", "build-arg:SOURCE_DATE_EPOCH=", NULL, false },
        { "FROM alpine", "build-arg:SOURCE_DATE_EPOCH=context", NULL, false },
        { "FROM alpine", "source-date-epoch=253402300799", "9999-12-31T23:59:59Z", true },
        { "FROM alpine", "source-date-epoch=context\ncontext=https://a/b.git",
          "2001-09-09T01:46:40Z", true },
        { "FROM alpine", "source-date-epoch=context\ncontext=https://a/timeless", NULL, false },
        { "FROM alpine", "source-date-epoch=context\narchive", "2001-09-09T01:46:40Z", true },
        { "FROM alpine", "source-date-epoch=lib\ncontext:lib=https://a/b.tar",
          "2001-09-09T01:46:40Z", true },
        { "FROM alpine", "source-date-epoch=lib\ncontext:lib=local:lib", NULL, false },
        { "FROM scratch AS src\nARG V=1\nADD https://a/$V.tar /\nFROM alpine",
          "source-date-epoch=SRC", "2001-09-09T01:46:40Z", true },
        { "FROM scratch AS src\nADD https://a/b.git /\nFROM alpine", "source-date-epoch=src",
          "2001-09-09T01:46:40Z", true },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO_VALUE(conversion_clear) struct conversion v;
        conversion_run(&v, span_of(rows[i].text), rows[i].options);
        REQUIRE_OK(v.has_failed, &v.err);
        EXPECT_STR(v.result.config.created, rows[i].created);
        EXPECT(v.result.has_epoch == rows[i].has_epoch);
    }
}

TEST("checks that are skipped are not told")
{
    AUTO_VALUE(conversion_clear) struct conversion v;
    conversion_run(&v, SPAN("FROM alpine\nWORKDIR a\nCMD b\n"),
                   "build-arg:BUILDKIT_DOCKERFILE_CHECK=skip=JSONArgsRecommended");
    REQUIRE_OK(v.has_failed, &v.err);
    REQUIRE(v.result.warnings.n == 1);
    EXPECT_STR(v.result.warnings.items[0].rule, "WorkdirRelativePath");
}

TEST("a variable that an ARG declares without a value is no surprise")
{
    AUTO_VALUE(conversion_clear) struct conversion v;
    conversion_run(&v, SPAN("FROM alpine\nARG A\nLABEL a=$A b=$B c=${C:-x}\n"), "");
    REQUIRE_OK(v.has_failed, &v.err);
    REQUIRE(v.result.warnings.n == 1);
    EXPECT_STR(v.result.warnings.items[0].text, "Usage of undefined variable '$B'");
}

TEST("small letters name a proxy before capitals do")
{
    AUTO_VALUE(conversion_clear) struct conversion v;
    conversion_run(&v, SPAN("FROM alpine\nRUN x\n"),
                   "build-arg:http_proxy=small\nbuild-arg:HTTP_PROXY=large\n"
                   "build-arg:NO_PROXY=n\nbuild-arg:ftp_proxy=f\nbuild-arg:ALL_PROXY=a");
    REQUIRE_OK(v.has_failed, &v.err);
    const struct exec_proxy *p = &v.result.graph->results[0].vertex->exec.proxy;
    EXPECT_STR(p->http, "small");
    EXPECT_STR(p->no, "n");
    EXPECT_STR(p->ftp, "f");
    EXPECT_STR(p->all, "a");
}

TEST("the platform of the result is the one asked for, else the base's")
{
    static const struct {
        const char *text, *options, *want;
    } rows[] = {
        { "FROM scratch", "", "linux/amd64" },
        { "FROM scratch", "platform=linux/arm/v7", "linux/arm/v7" },
        { "FROM --platform=linux/arm64 scratch", "", "linux/amd64" },
        { "FROM foreign:1", "", "linux/arm64" },
        { "FROM alpine:3.20", "platform=linux/arm64", "linux/arm64" },
        { "FROM foreign:1", "platform=linux/arm64", "linux/arm64" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO_VALUE(conversion_clear) struct conversion v;
        conversion_run(&v, span_of(rows[i].text), rows[i].options);
        REQUIRE_OK(v.has_failed, &v.err);
        EXPECT_STR(platform_text(&v.result.config.platform).s, rows[i].want);
    }
}

TEST("a cleared result may be cleared again")
{
    struct dockerfile_result r = { 0 };
    dockerfile_result_clear(&r);
    dockerfile_result_clear(&r);
    EXPECT(!r.graph);
}

TAP_MAIN()
