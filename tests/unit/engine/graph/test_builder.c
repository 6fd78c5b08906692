/* Making graphs: the bytes are those that protoc makes of the same operation written by hand as
 * BuildKit's client numbers it; equal work is one vertex; what is wrong is refused. */
#include "engine/graph/builder.h"

#include "base/core/limits.h"
#include "fixture.h"

#define ITEMS(...)                                                                                 \
    (struct strings)                                                                               \
    {                                                                                              \
        (const char *const[]){ __VA_ARGS__ },                                                      \
            sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *)                    \
    }
#define PAIRS(...)                                                                                 \
    (struct pairs)                                                                                 \
    {                                                                                              \
        (const struct pair[]){ __VA_ARGS__ },                                                      \
            sizeof((const struct pair[]){ __VA_ARGS__ }) / sizeof(struct pair)                     \
    }
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const struct platform amd64 = { .is_set = true, .os = "linux", .architecture = "amd64" };
static const struct platform arm = {
    .is_set = true, .os = "Linux", .architecture = "armhf" /* linux/arm/v7 once normalised */
};

static struct edge add_local(struct graph_builder *b, const char *name)
{
    struct err err = { 0 };
    struct edge e = { 0 };
    AUTO_FREE char *identifier = xasprintf("local://%s", name);
    struct op_source op = { .identifier = identifier };
    EXPECT_OK(graph_add_source(b, &op, NULL, &e, &err), &err);
    return e;
}

static struct edge add_image(struct graph_builder *b, const struct platform *platform)
{
    struct err err = { 0 };
    struct edge e = { 0 };
    struct op_source op = { .identifier = "docker-image://docker.io/library/alpine:latest" };
    EXPECT_OK(graph_add_source(b, &op, &(struct vertex_about){ .platform = platform }, &e, &err),
              &err);
    return e;
}

/* Finishes the graph of `result` and compares its definition with a fixture. */
static void expect_definition(struct graph_builder *b, struct edge result, const char *fixture)
{
    struct err err = { 0 };
    AUTO(graph_free) struct graph *g = NULL;
    AUTO_VALUE(buf_clear) struct buf out;
    buf_init(&out, LIMIT_GRAPH_BYTES);
    REQUIRE_OK(graph_builder_finish(b, &result, 1, &g, &err), &err);
    REQUIRE_OK(graph_marshal(g->results[0], &out, &err), &err);
    struct span want = fixture_read("llb", fixture);
    EXPECT_INT(out.len, want.len);
    EXPECT(out.len == want.len && memcmp(out.data, want.ptr, want.len) == 0);
    free((void *)(uintptr_t)want.ptr);
}

TEST("the Dockerfile's source has the digest that BuildKit gave it")
{
    struct err err = { 0 };
    AUTO(graph_builder_free) struct graph_builder *b = graph_builder_new();
    struct op_source op = {
        .identifier = "local://dockerfile",
        .attrs = PAIRS(
            { ATTR_LOCAL_SHARED_KEY, "dockerfile" },
            { ATTR_LOCAL_SESSION, "n9304zdc39cpzj2gv1y30br80" },
            { ATTR_LOCAL_FOLLOW, "[\"Dockerfile\",\"Dockerfile.dockerignore\",\"dockerfile\"]" },
            { ATTR_LOCAL_DIFFER, "overwritten by the last" }, { ATTR_LOCAL_DIFFER, "none" }),
    };
    struct vertex_about about = {
        .platform = &amd64, /* means nothing to a folder */
        .name = "[internal] load build definition from Dockerfile",
        .caps = ITEMS("source.local.sharedkeyhint", "source.local", "source.local.sessionid",
                      "source.local.followpaths", "source.local"),
    };
    struct edge e;
    REQUIRE_OK(graph_add_source(b, &op, &about, &e, &err), &err);
    EXPECT_STR(digest_text(&e.vertex->digest).s,
               "sha256:1cc241fb208c87a4f48e4be89464f8bb27786c60a2571faf5d9158493b70a7e5");
    expect_definition(b, e, "buildkit-local.pb");
}

TEST("images have the digests that BuildKit gives them")
{
    static const struct {
        const char *image, *digest;
    } rows[] = {
        /* as published graphs of public Dockerfiles show them */
        { "docker-image://docker.io/library/alpine:latest",
          "sha256:665ba8b2cdc0cb0200e2a42a6b3c0f8f684089f4cd1b81494fbb9805879120f7" },
        { "docker-image://docker.io/library/golang:1.11",
          "sha256:70458f1ba33251020a20232472588685ceff7a78e8ba6f0f755bc53a822ba531" },
        { "docker-image://docker.io/library/golang:alpine",
          "sha256:4530882d321e760e5e25d5b2a3fa86274678c0cd51fb182037c54497bddc7847" },
    };
    AUTO(graph_builder_free) struct graph_builder *b = graph_builder_new();
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err err = { 0 };
        struct op_source op = { .identifier = rows[i].image };
        struct vertex_about about = { .platform = &amd64 };
        struct edge e;
        REQUIRE_OK(graph_add_source(b, &op, &about, &e, &err), &err);
        EXPECT_STR(digest_text(&e.vertex->digest).s, rows[i].digest);
    }
}

/* The step of exec.llb, its mounts in another order. */
static int add_full_step(struct graph_builder *b, struct edge base, struct edge local,
                         const struct vertex_about *about, struct edge *out, struct err *err)
{
    const struct op_mount mounts[] = {
        { .type = MOUNT_SECRET, .dest = "/run/secrets/b", .id = "b", .mode = 0400 },
        { .type = MOUNT_SSH,
          .dest = "/run/agent",
          .id = "default",
          .uid = 1,
          .gid = 2,
          .mode = 0600,
          .is_optional = true },
        { .dest = "/x", .from = local, .has_no_output = true, .content_cache = CONTENT_CACHE_OFF },
        { .dest = "/work", .from = local },
        { .type = MOUNT_TMPFS, .dest = "/tmp", .size = 1 << 20 },
        { .type = MOUNT_SECRET,
          .dest = "/run/secrets/a",
          .id = "a",
          .uid = 7,
          .gid = 8,
          .mode = 0440,
          .is_optional = true },
        { .dest = "/in",
          .from = local,
          .selector = "/sub",
          .is_readonly = true,
          .content_cache = CONTENT_CACHE_ON },
        { .type = MOUNT_CACHE, .dest = "/cache", .id = "/cache", .sharing = CACHE_LOCKED },
        { .dest = "/", .from = base },
    };
    const struct exec_host hosts[] = { { "db", "10.0.0.7" }, { "v6", "::1" } };
    const struct exec_ulimit ulimits[] = { { "nofile", 1024, 4096 }, { "core", 0, -1 } };
    const int32_t exit_codes[] = { 0, 2, 300 };
    const struct exec_secret_env secrets[] = { { "token", "TOKEN", false }, { "o", "O", true } };
    const struct exec_device device = { "vendor.com/gpu=all", true };
    struct op_exec op = {
        .args = ITEMS("/bin/sh", "-c", "make"),
        .env = ITEMS("PATH=/bin", "A=\xc3\xa4"),
        .cwd = "/src",
        .user = "1000:app",
        .hostname = "builder",
        .mounts = mounts,
        .n_mounts = COUNT(mounts),
        .network = NETWORK_HOST,
        .security = SECURITY_INSECURE,
        .proxy = { true, "http://p:3128", "http://q:3128", "f", "localhost", "a" },
        .hosts = hosts,
        .n_hosts = COUNT(hosts),
        .ulimits = ulimits,
        .n_ulimits = COUNT(ulimits),
        .cgroup_parent = "/slice",
        .exit_codes = exit_codes,
        .n_exit_codes = COUNT(exit_codes),
        .secret_env = secrets,
        .n_secret_env = COUNT(secrets),
        .devices = &device,
        .n_devices = 1,
    };
    return graph_add_exec(b, &op, about, out, err);
}

TEST("a step with all that a step can have is numbered and written as BuildKit does")
{
    struct err err = { 0 };
    AUTO(graph_builder_free) struct graph_builder *b = graph_builder_new();
    struct op_source image = {
        .identifier = "docker-image://docker.io/library/alpine:latest",
        .attrs = PAIRS({ ATTR_IMAGE_RESOLVE_MODE, "pull" }),
    };
    struct op_source context = {
        .identifier = "local://context",
        .attrs = PAIRS({ ATTR_LOCAL_SESSION, "s1" }),
    };
    struct vertex_about about = {
        .platform = &arm,
        .constraints = ITEMS("gpu==true", "zone==a"),
        .name = "RUN make",
        .description = PAIRS({ "com.example", "" }, { "llb.customname", "loses to name" }),
        .ignores_cache = true,
        .export_cache = EXPORT_CACHE_NO,
        .caps = ITEMS("exec.mount.bind", "exec.meta.base"),
        .group = { .is_set = true, .id = "g", .name = "compile", .is_weak = true },
    };
    struct edge base, local, root, work;
    REQUIRE_OK(graph_add_source(b, &image, &(struct vertex_about){ .platform = &arm }, &base, &err),
               &err);
    REQUIRE_OK(graph_add_source(b, &context, NULL, &local, &err), &err);
    REQUIRE_OK(add_full_step(b, base, local, &about, &root, &err), &err);
    EXPECT(root.index == 0);
    REQUIRE(vertex_mount_output(root.vertex, "/work", &work));
    expect_definition(b, work, "exec.pb");
}

TEST("all changes of a file operation are numbered and written as BuildKit does")
{
    struct err err = { 0 };
    AUTO(graph_builder_free) struct graph_builder *b = graph_builder_new();
    struct edge base = add_image(b, &amd64), local = add_local(b, "context"), out;
    const struct op_action actions[] = {
        { .type = ACTION_COPY,
          .path = "/etc/app/",
          .owner = { true, { .kind = OWNER_NAME, .name = "app" }, { .kind = OWNER_ID, .id = 0 } },
          .mode = 0644,
          .timestamp_ns = 1000000000,
          .from = local,
          .src = "/conf",
          .mode_text = "u=rwX",
          .include = ITEMS("*.c", "*.h"),
          .exclude = ITEMS("x"),
          .required = ITEMS("a"),
          .follows_symlinks = true,
          .copies_dir_contents = true,
          .unpacks_archives = true,
          .creates_dest_path = true,
          .has_wildcards = true,
          .may_match_nothing = true,
          .replaces_existing = true },
        { .type = ACTION_COPY,
          .path = "/b",
          .mode = MODE_KEEP,
          .timestamp_ns = TIMESTAMP_NONE,
          .from = local,
          .src = "/a" },
        { .type = ACTION_MKFILE,
          .path = "/hello",
          .owner = { true, { .kind = OWNER_ID, .id = 1 }, { 0 } },
          .mode = 0600,
          .timestamp_ns = TIMESTAMP_NONE,
          .data = { "\0\xff", 2 } },
        { .type = ACTION_MKDIR,
          .path = "/d",
          .mode = 0755,
          .timestamp_ns = TIMESTAMP_NONE,
          .makes_parents = true },
        { .type = ACTION_SYMLINK,
          .path = "/link",
          .target = "/hello",
          .owner = { true, { 0 }, { .kind = OWNER_ID, .id = 5 } },
          .timestamp_ns = TIMESTAMP_NONE },
        { .type = ACTION_RM, .path = "/tmp/*", .has_wildcards = true, .may_be_missing = true },
    };
    REQUIRE_OK(graph_add_file(b, base, actions, COUNT(actions), NULL, &out, &err), &err);
    expect_definition(b, out, "file.pb");
}

TEST("merges and differences are written as BuildKit does")
{
    struct err err = { 0 };
    AUTO(graph_builder_free) struct graph_builder *b = graph_builder_new();
    struct edge scratch = { 0 }, a = add_local(b, "a"), c = add_local(b, "b"), diff, none, merged;
    REQUIRE_OK(graph_add_diff(b, a, c, NULL, &diff, &err), &err);
    REQUIRE_OK(graph_add_diff(b, c, scratch, NULL, &none, &err), &err);
    const struct edge inputs[] = { a, scratch, diff, none };
    REQUIRE_OK(graph_add_merge(b, inputs, 4, NULL, &merged, &err), &err);
    expect_definition(b, merged, "merge.pb");
}

TEST("lines are written beside the operations that come from them")
{
    struct err err = { 0 };
    AUTO(graph_builder_free) struct graph_builder *b = graph_builder_new();
    const struct source_file *unused = graph_add_source_file(b, "unused", NULL, span_of("x"));
    const struct source_file *f =
        graph_add_source_file(b, "Dockerfile", "Dockerfile", span_of("FROM scratch\n"));
    const struct source_file *g = graph_add_source_file(b, "bake.hcl", "", span_of("\xff"));
    const struct source_range first = { f, 1, 0, 1, 9 };
    const struct source_range ranges[] = {
        { f, 2, 0, 3, 0 }, { f, 5, 4, 5, 8 }, { g, 0, 0, 0, 0 }, { f, 9, 0, 9, 0 }
    };
    struct op_source local = { .identifier = "local://a" };
    struct edge edges[2], merged;
    EXPECT(unused && unused->language[0] == '\0');
    REQUIRE_OK(graph_add_source(b, &local,
                                &(struct vertex_about){ .ranges = &first, .n_ranges = 1 },
                                &edges[0], &err),
               &err);
    edges[1] = add_local(b, "b");
    REQUIRE_OK(graph_add_merge(b, edges, 2,
                               &(struct vertex_about){ .ranges = ranges, .n_ranges = 4 }, &merged,
                               &err),
               &err);
    expect_definition(b, merged, "sources.pb");
}

TEST("the order in which vertices are added does not matter")
{
    struct err err = { 0 };
    AUTO(graph_builder_free) struct graph_builder *b = graph_builder_new();
    struct edge scratch = { 0 }, none, diff, merged;
    struct edge unneeded = add_local(b, "unneeded"), c = add_local(b, "b"), a = add_local(b, "a");
    REQUIRE_OK(graph_add_diff(b, c, scratch, NULL, &none, &err), &err);
    REQUIRE_OK(graph_add_diff(b, a, c, NULL, &diff, &err), &err);
    EXPECT(unneeded.vertex != a.vertex);
    const struct edge inputs[] = { a, diff, none };
    REQUIRE_OK(graph_add_merge(b, inputs, 3, NULL, &merged, &err), &err);
    expect_definition(b, merged, "merge.pb");
}

TAP_MAIN()
