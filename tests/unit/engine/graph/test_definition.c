/* Reading and writing pb.Definition: what other programs wrote is read, named as BuildKit names it
 * and written again byte by byte. */
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

/* The definition of the graph's result. */
static struct buf written(const struct graph *g)
{
    struct err err = { 0 };
    struct buf out;
    buf_init(&out, LIMIT_GRAPH_BYTES);
    EXPECT_OK(graph_marshal(g->results[0], &out, &err), &err);
    return out;
}

static void expect_bytes(const struct buf *got, const char *fixture)
{
    struct span want = fixture_read("llb", fixture);
    EXPECT_INT(got->len, want.len);
    EXPECT(got->len == want.len && memcmp(got->data, want.ptr, want.len) == 0);
    free((void *)(uintptr_t)want.ptr);
}

TEST("digests are those that BuildKit printed for its first example")
{
    static const char *const digests[] = {
        "sha256:74ecb5d790c33a213ba00f8f43d62947df1d4dea72f5ec13353a9b943f469f0f",
        "sha256:1de5701b93648843bf2cf6ebf982b4f63ea55dcb9259e73a5bd6737505660d06",
        "sha256:dcfef0f97703c4df76cba8f40891d2a851ae78d3bedce839e43e2e505e691341",
    };
    AUTO(graph_free) struct graph *g = read_fixture("buildkit-2017.pb");
    REQUIRE(g && g->n_vertices == 3);
    for (size_t i = 0; i < 3; i++) {
        EXPECT_STR(digest_text(&g->vertices[i]->digest).s, digests[i]);
        EXPECT_INT(g->vertices[i]->position, i);
        EXPECT(graph_find(g, &g->vertices[i]->digest) == g->vertices[i]);
    }
    EXPECT(g->results[0].vertex == g->vertices[2]);
    EXPECT(g->vertices[1]->inputs[0].vertex == g->vertices[0]);
    EXPECT_STR(g->vertices[2]->exec.args.items[2], "echo foo > /bar");
    EXPECT(!g->vertices[0]->platform.is_set);
}

TEST("a step and a folder of 2019 have the digests that BuildKit gave them")
{
    AUTO(graph_free) struct graph *g = read_fixture("buildkit-2019.pb");
    REQUIRE(g && g->n_vertices == 2);
    EXPECT_STR(digest_text(&g->vertices[0]->digest).s,
               "sha256:665ba8b2cdc0cb0200e2a42a6b3c0f8f684089f4cd1b81494fbb9805879120f7");
    EXPECT_STR(digest_text(&g->vertices[1]->digest).s,
               "sha256:7156115684219992d715d910caa1a89fea8becfe16e4ad29bad6cb66a15151fa");
    AUTO(graph_free) struct graph *workdir = read_fixture("buildkit-2019-workdir.pb");
    REQUIRE(workdir && workdir->n_vertices == 2);
    EXPECT_STR(digest_text(&workdir->vertices[1]->digest).s,
               "sha256:9c0a9acba9d24cc4caa63333bcf0727c2b5dd687d17b2637ac7a7fc5561d4cfd");
}

TEST("the local source of a real build record keeps its digest")
{
    AUTO(graph_free) struct graph *g = read_fixture("buildkit-local.pb");
    REQUIRE(g && g->n_vertices == 1);
    const struct vertex *v = g->vertices[0];
    EXPECT_STR(digest_text(&v->digest).s,
               "sha256:1cc241fb208c87a4f48e4be89464f8bb27786c60a2571faf5d9158493b70a7e5");
    EXPECT_STR(pairs_find(&v->source.attrs, ATTR_LOCAL_SHARED_KEY), "dockerfile");
    EXPECT_INT(v->caps.n, 4);
}

TEST("a definition that is in order is written as it was read")
{
    static const char *const files[] = { "buildkit-local.pb", "exec.pb",    "file.pb",
                                         "merge.pb",          "sources.pb", "unknown-fields.pb" };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        AUTO(graph_free) struct graph *g = read_fixture(files[i]);
        REQUIRE(g);
        AUTO_VALUE(buf_clear) struct buf out = written(g);
        expect_bytes(&out, files[i]);
    }
}

TEST("order, repeats and what nobody needs do not matter")
{
    AUTO(graph_free) struct graph *g = read_fixture("shuffled.pb");
    REQUIRE(g);
    EXPECT_INT(g->n_vertices, 3);
    EXPECT_INT(g->n_files, 2);
    AUTO_VALUE(buf_clear) struct buf out = written(g);
    expect_bytes(&out, "sources.pb");
}

TEST("one vertex of a graph is a definition of its own")
{
    struct err err = { 0 };
    AUTO(graph_free) struct graph *whole = read_fixture("merge.pb");
    REQUIRE(whole && whole->n_vertices == 5);
    const struct vertex *diff = whole->results[0].vertex->inputs[1].vertex;
    AUTO_VALUE(buf_clear) struct buf out;
    buf_init(&out, LIMIT_GRAPH_BYTES);
    REQUIRE_OK(graph_marshal((struct edge){ diff, 0 }, &out, &err), &err);
    AUTO(graph_free) struct graph *part = NULL;
    REQUIRE_OK(graph_unmarshal(buf_span(&out), &part, &err), &err);
    EXPECT_INT(part->n_vertices, 3);
    EXPECT(digest_equal(&part->results[0].vertex->digest, &diff->digest));
    EXPECT(graph_find(part, &whole->results[0].vertex->digest) == NULL);
}

TEST("scratch is the empty definition, both ways")
{
    struct err err = { 0 };
    AUTO(graph_free) struct graph *g = NULL;
    REQUIRE_OK(graph_unmarshal(span_bytes("", 0), &g, &err), &err);
    EXPECT_INT(g->n_vertices, 0);
    EXPECT_INT(g->n_results, 1);
    EXPECT(g->results[0].vertex == NULL);
    AUTO_VALUE(buf_clear) struct buf out = written(g);
    EXPECT_INT(out.len, 0);
}

TEST("a graph borrows nothing of the bytes it was read from")
{
    struct err err = { 0 };
    AUTO(graph_free) struct graph *g = NULL;
    struct span bytes = fixture_read("llb", "exec.pb");
    char *own = xmalloc(bytes.len);
    memcpy(own, bytes.ptr, bytes.len);
    free((void *)(uintptr_t)bytes.ptr);
    REQUIRE_OK(graph_unmarshal(span_bytes(own, bytes.len), &g, &err), &err);
    memset(own, 0xa5, bytes.len);
    free(own);
    AUTO_VALUE(buf_clear) struct buf out = written(g);
    expect_bytes(&out, "exec.pb");
}

TEST("a step is read with its mounts, inputs and outputs")
{
    AUTO(graph_free) struct graph *g = read_fixture("exec.pb");
    REQUIRE(g);
    const struct vertex *v = g->results[0].vertex;
    REQUIRE(v && v->type == OP_EXEC && v->exec.n_mounts == 9);
    EXPECT_INT(g->results[0].index, 1);
    EXPECT_INT(v->n_outputs, 2);
    const struct op_mount *m = v->exec.mounts;
    EXPECT(m[0].from.vertex == g->vertices[0] && m[2].from.vertex == g->vertices[1]);
    EXPECT(m[1].from.vertex == NULL && m[1].type == MOUNT_CACHE && m[1].sharing == CACHE_LOCKED);
    EXPECT(m[2].is_readonly && m[2].has_no_output && m[2].content_cache == CONTENT_CACHE_ON);
    EXPECT_INT(m[3].size, 1048576);
    EXPECT_INT(m[4].output, 1);
    EXPECT_INT(m[7].mode, 0440);
    EXPECT_STR(m[8].id, "default");
    EXPECT_INT(v->exec.ulimits[1].hard, -1);
    EXPECT_INT(v->exec.exit_codes[2], 300);
    struct edge work;
    EXPECT(vertex_mount_output(v, "/work", &work) && work.index == 1 && work.vertex == v);
    EXPECT(!vertex_mount_output(v, "/in", &work) && !vertex_mount_output(v, "/none", &work));
    EXPECT(v->ignores_cache && v->export_cache == EXPORT_CACHE_NO && v->group.is_weak);
}

TEST("lines of two files are read in their order")
{
    AUTO(graph_free) struct graph *g = read_fixture("sources.pb");
    REQUIRE(g && g->n_files == 2);
    const struct vertex *v = g->results[0].vertex;
    REQUIRE(v->n_ranges == 4);
    EXPECT_STR(g->files[0]->name, "Dockerfile");
    EXPECT_STR(g->files[0]->language, "Dockerfile");
    EXPECT(g->files[1]->data.len == 1 && (unsigned char)g->files[1]->data.ptr[0] == 0xff);
    EXPECT(v->ranges[1].file == g->files[0] && v->ranges[2].file == g->files[1]);
    EXPECT_INT(v->ranges[1].start_character, 4);
    EXPECT_INT(v->ranges[1].end_character, 8);
    EXPECT_INT(v->ranges[3].start_line, 9);
    EXPECT_INT(g->vertices[1]->n_ranges, 0);
}

TEST("writing above the ceiling is refused and appends nothing")
{
    struct err err = { 0 };
    AUTO(graph_free) struct graph *g = read_fixture("exec.pb");
    REQUIRE(g);
    struct span whole = fixture_read("llb", "exec.pb");
    AUTO_VALUE(buf_clear) struct buf out;
    buf_init(&out, whole.len - 1);
    EXPECT_ERR(graph_marshal(g->results[0], &out, &err), &err, ERR_LIMIT);
    EXPECT_INT(out.len, 0);
    free((void *)(uintptr_t)whole.ptr);
}

TAP_MAIN()
