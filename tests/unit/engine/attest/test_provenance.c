/* Provenance in BuildKit's shape, min and max, v1 and v0.2; secrets are not in it. */
#include "base/codec/json.h"
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "engine/attest/provenance.h"
#include "engine/graph/builder.h"
#include "tap.h"

static struct err err;

/* An image, a context, a step with a secret, a copy. */
static struct graph *make(void)
{
    AUTO(graph_builder_free) struct graph_builder *b = graph_builder_new();
    struct platform amd64 = { .is_set = true, .os = "linux", .architecture = "amd64" };
    const struct source_file *file =
        graph_add_source_file(b, "Dockerfile", "Dockerfile", SPAN("FROM debian\nRUN make\n"));
    struct source_range line = { .file = file, .start_line = 2, .end_line = 2 };
    struct vertex_about about = { .platform = &amd64, .ranges = &line, .n_ranges = 1 };
    struct edge base = { 0 }, context = { 0 }, ran = { 0 }, copied = { 0 };
    static const char *const args[] = { "/bin/sh", "-c", "make" };
    struct pair attrs[] = { { ATTR_LOCAL_SESSION, "random" },
                            { ATTR_LOCAL_SHARED_KEY, "context" } };
    struct op_source image = { .identifier = "docker-image://docker.io/library/debian:12" };
    struct op_source local = { .identifier = "local://context", .attrs = { attrs, 2 } };
    struct graph *g = NULL;
    EXPECT_OK(graph_add_source(b, &image, &about, &base, &err), &err);
    EXPECT_OK(graph_add_source(b, &local, &about, &context, &err), &err);
    struct op_mount mounts[] = {
        { .dest = "/", .from = base },
        { .type = MOUNT_SECRET, .dest = "/run/secrets/token", .id = "token", .is_optional = true },
        { .type = MOUNT_SSH, .dest = "/run/ssh", .id = "default" },
    };
    struct op_exec exec = { .args = { args, 3 },
                            .cwd = "/src",
                            .mounts = mounts,
                            .n_mounts = 3,
                            .proxy = { .is_set = true, .http = "http://me:hidden@proxy:3128/" } };
    EXPECT_OK(graph_add_exec(b, &exec, &about, &ran, &err), &err);
    struct op_action copy = { .type = ACTION_COPY,
                              .path = "/src/",
                              .from = context,
                              .src = "/a",
                              .mode = MODE_KEEP,
                              .timestamp_ns = TIMESTAMP_NONE };
    EXPECT_OK(graph_add_file(b, ran, &copy, 1, &about, &copied, &err), &err);
    EXPECT_OK(graph_builder_finish(b, &copied, 1, &g, &err), &err);
    return g;
}

static struct json *print(struct provenance *p, struct buf *text)
{
    AUTO(graph_free) struct graph *g = make();
    AUTO_VALUE(map_clear) struct map args = STR_MAP;
    struct material materials[] = {
        { "pkg:docker/debian@12?platform=linux%2Famd64", "sha256", "00ff" },
        { "https://user:hidden@example.org/x.tar", NULL, NULL },
    };
    struct json *out = NULL;
    map_set_str(&args, "target", "release");
    map_set_str(&args, "build-arg:TOKEN", "argument");
    map_set_str(&args, "label:a", "b");
    map_set_str(&args, "context:x", "https://user:hidden@host/x.git");
    map_set_str(&args, "vcs:source", "https://user:hidden@host/y.git");
    map_set_str(&args, "vcs:revision", "0123");
    p->builder_id = "https://ci.example.org/run/1";
    p->builder_platform =
        (struct platform){ .is_set = true, .os = "linux", .architecture = "arm64" };
    p->frontend = "dockerfile.v0";
    p->config_path = "Dockerfile";
    p->args = &args;
    p->materials = materials;
    p->n_materials = 2;
    p->graph = g;
    err_clear(&err);
    buf_init(text, MIB);
    provenance_print(p, text);
    EXPECT_OK(json_parse(buf_span(text), &out, &err), &err);
    EXPECT(!strstr(text->data, "hidden"));
    EXPECT(!strstr(text->data, "random"));
    return out;
}

#define TYPE "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md"

TEST("min: no arguments, no labels, no secrets, no steps")
{
    struct provenance p = { .started = "2023-11-14T22:13:20Z", .finished = "2023-11-14T22:13:20Z" };
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    AUTO(json_free) struct json *o = print(&p, &text);
    EXPECT_STR(
        text.data,
        "{\"buildDefinition\":{\"buildType\":\"" TYPE "\",\"externalParameters\":{\"configSource\":"
        "{\"path\":\"Dockerfile\"},\"request\":{\"frontend\":\"dockerfile.v0\",\"args\":{"
        "\"context:x\":\"https://xxxxx:xxxxx@host/x.git\",\"target\":\"release\"},\"locals\":["
        "{\"name\":\"context\"},{\"name\":\"dockerfile\"}]}},\"internalParameters\":"
        "{\"builderPlatform\":\"linux/arm64\"},\"resolvedDependencies\":[{\"uri\":"
        "\"pkg:docker/debian@12?platform=linux%2Famd64\",\"digest\":{\"sha256\":\"00ff\"}},"
        "{\"uri\":\"https://xxxxx:xxxxx@example.org/x.tar\"}]},\"runDetails\":{\"builder\":"
        "{\"id\":\"https://ci.example.org/run/1\"},\"metadata\":{\"startedOn\":"
        "\"2023-11-14T22:13:20Z\",\"finishedOn\":\"2023-11-14T22:13:20Z\",\"buildkit_metadata\":"
        "{\"vcs\":{\"revision\":\"0123\",\"source\":\"https://xxxxx:xxxxx@host/y.git\"}},"
        "\"buildkit_completeness\":{\"request\":false,\"resolvedDependencies\":false}}}}");
}

TEST("max: arguments, ids of secrets, steps, the Dockerfile, layers")
{
    struct provenance p = { .is_max = true, .is_reproducible = true, .invocation_id = "abc" };
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    AUTO(json_free) struct json *o = print(&p, &text);
    EXPECT_CONTAINS(text.data, "\"build-arg:TOKEN\":\"argument\"");
    EXPECT_CONTAINS(text.data,
                    "\"secrets\":[{\"id\":\"token\",\"optional\":true}],\"ssh\":[{\"id\":"
                    "\"default\"}]");
    EXPECT_CONTAINS(text.data, "\"invocationId\":\"abc\"");
    EXPECT_CONTAINS(text.data, "\"request\":true");
    EXPECT_CONTAINS(text.data, "\"buildkit_reproducible\":true");
    EXPECT_CONTAINS(text.data,
                    "{\"id\":\"step0\",\"op\":{\"Op\":{\"source\":{\"identifier\":"
                    "\"docker-image://docker.io/library/debian:12\"}},\"platform\":"
                    "{\"Architecture\":\"amd64\",\"OS\":\"linux\"},\"constraints\":{}}}");
    EXPECT_CONTAINS(text.data, "\"meta\":{\"args\":[\"/bin/sh\",\"-c\",\"make\"],\"cwd\":\"/src\","
                               "\"proxy_env\":{\"http_proxy\":\"http://xxxxx:xxxxx@proxy:3128/\"}");
    EXPECT_CONTAINS(text.data,
                    "\"Action\":{\"copy\":{\"src\":\"/a\",\"dest\":\"/src/\",\"mode\":-1,"
                    "\"timestamp\":-1}}");
    EXPECT_CONTAINS(text.data, "\"locations\":{\"step0\":{\"locations\":[{\"ranges\":[{\"start\":"
                               "{\"line\":2},\"end\":{\"line\":2}}]}]}");
    EXPECT_CONTAINS(text.data,
                    "\"infos\":[{\"filename\":\"Dockerfile\",\"language\":\"Dockerfile\","
                    "\"data\":\"RlJPTSBkZWJpYW4KUlVOIG1ha2UK\"}]");
    const struct json *steps = json_get(
        json_get(json_get(json_get(o, "buildDefinition"), "internalParameters"), "buildConfig"),
        "llbDefinition");
    EXPECT_INT(json_len(steps), 5); /* the last one names the result */
    EXPECT(json_type(json_get(json_get(json_at(steps, 4), "op"), "Op")) == JSON_NULL);
    AUTO_VALUE(buf_clear) struct buf inputs = { 0 };
    buf_init(&inputs, MIB);
    json_print(json_get(json_at(steps, 3), "inputs"), &inputs);
    EXPECT(strstr(inputs.data, "\"step") != NULL);
}

TEST("v0.2: the same in its older names")
{
    struct provenance p = { .version = SLSA_02, .is_max = true, .invocation_id = "abc" };
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    AUTO(json_free) struct json *o = print(&p, &text);
    EXPECT_STR(json_get_str(o, "buildType"), "https://mobyproject.org/buildkit@v1");
    EXPECT_CONTAINS(text.data, "\"configSource\":{\"entryPoint\":\"Dockerfile\"}");
    EXPECT_CONTAINS(text.data, "\"environment\":{\"platform\":\"linux/arm64\"}");
    EXPECT_CONTAINS(text.data,
                    "\"metadata\":{\"buildInvocationID\":\"abc\",\"completeness\":"
                    "{\"parameters\":true,\"environment\":true,\"materials\":false},"
                    "\"reproducible\":false,\"https://mobyproject.org/buildkit@v1#metadata"
                    "\":{\"vcs\"");
    EXPECT_STR(provenance_predicate_type(SLSA_02), "https://slsa.dev/provenance/v0.2");
}

TAP_MAIN()
