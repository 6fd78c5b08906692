/* What a builder promises beside the bytes: equal work is one vertex, scratch is nothing, graphs
 * are taken over, what is wrong is refused. */
#include "base/core/limits.h"
#include "engine/graph/builder.h"
#include "fixture.h"

static const struct platform amd64 = { .is_set = true, .os = "linux", .architecture = "amd64" };
static const struct vertex_about on_amd64 = { .platform = &amd64 };
static const struct edge scratch;

static struct edge add_local(struct graph_builder *b, const char *identifier,
                             const struct vertex_about *about)
{
    struct err err = { 0 };
    struct edge e = { 0 };
    struct op_source op = { .identifier = identifier };
    EXPECT_OK(graph_add_source(b, &op, about, &e, &err), &err);
    return e;
}

static const char *const command[] = { "true" };
static const struct op_mount root_mount = { .dest = "/" };
static const struct op_exec step = {
    .args = { command, 1 }, .cwd = "/", .mounts = &root_mount, .n_mounts = 1
};

TEST("equal work is one vertex, and what is said of it is merged")
{
    struct err err = { 0 };
    AUTO(graph_builder_free) struct graph_builder *b = graph_builder_new();
    const struct source_file *f = graph_add_source_file(b, "Dockerfile", "", span_of("x\n"));
    const struct source_range lines[] = { { f, 1, 0, 1, 0 }, { f, 7, 0, 8, 0 } };
    const char *const caps_a[] = { "b", "a" }, *const caps_b[] = { "c", "a" };
    const struct pair said[] = { { "k", "1" }, { "other", "2" } }, later = { "k", "3" };
    struct edge a = add_local(b, "local://a",
                              &(struct vertex_about){ .name = "first",
                                                      .description = { said, 2 },
                                                      .ignores_cache = true,
                                                      .export_cache = EXPORT_CACHE_YES,
                                                      .caps = { caps_a, 2 },
                                                      .ranges = &lines[0],
                                                      .n_ranges = 1 });
    struct edge again = add_local(b, "local://a",
                                  &(struct vertex_about){ .name = "second",
                                                          .description = { &later, 1 },
                                                          .caps = { caps_b, 2 },
                                                          .group = { .is_set = true, .id = "g" },
                                                          .ranges = &lines[1],
                                                          .n_ranges = 1 });
    add_local(b, "local://a", NULL); /* says nothing, takes nothing away */
    EXPECT(a.vertex == again.vertex);
    AUTO(graph_free) struct graph *g = NULL;
    REQUIRE_OK(graph_builder_finish(b, &a, 1, &g, &err), &err);
    AUTO_VALUE(buf_clear) struct buf text;
    buf_init(&text, 65536);
    graph_print_json(g, &text);
    EXPECT_CONTAINS(text.data, "\"other\": \"2\"");
    const struct vertex *v = g->vertices[0];
    EXPECT_STR(pairs_find(&v->description, "llb.customname"), "second");
    EXPECT_STR(pairs_find(&v->description, "k"), "3");
    EXPECT_STR(pairs_find(&v->description, "other"), "2");
    EXPECT_INT(v->description.n, 3);
    EXPECT(v->ignores_cache && v->export_cache == EXPORT_CACHE_YES);
    EXPECT(v->caps.n == 3 && strcmp(v->caps.items[0], "a") == 0 &&
           strcmp(v->caps.items[2], "c") == 0);
    EXPECT(v->group.is_set && strcmp(v->group.id, "g") == 0 && v->group.name[0] == '\0');
    EXPECT(v->n_ranges == 2 && v->ranges[0].start_line == 1 && v->ranges[1].start_line == 7);
}

TEST("what is said changes no digest; constraints and platforms do")
{
    struct err err = { 0 };
    AUTO(graph_builder_free) struct graph_builder *b = graph_builder_new();
    const char *const filter[] = { "x==y" };
    const struct platform arm = {
        .is_set = true, .os = "linux", .architecture = "arm", .variant = "v7"
    };
    struct edge plain, named, elsewhere, filtered;
    struct vertex_about about = { .platform = &amd64, .name = "n", .ignores_cache = true };
    REQUIRE_OK(graph_add_exec(b, &step, &on_amd64, &plain, &err), &err);
    REQUIRE_OK(graph_add_exec(b, &step, &about, &named, &err), &err);
    EXPECT(plain.vertex == named.vertex);
    about.platform = &arm;
    REQUIRE_OK(graph_add_exec(b, &step, &about, &elsewhere, &err), &err);
    about.constraints = (struct strings){ filter, 1 };
    REQUIRE_OK(graph_add_exec(b, &step, &about, &filtered, &err), &err);
    EXPECT(plain.vertex != elsewhere.vertex && elsewhere.vertex != filtered.vertex);
    EXPECT_STR(elsewhere.vertex->platform.variant, "v7");
}

TEST("the builder keeps copies of all that it is given")
{
    struct err err = { 0 };
    AUTO(graph_builder_free) struct graph_builder *b = graph_builder_new();
    char identifier[] = "local://a", name[] = "name", text[] = "FROM a\n";
    const struct source_file *f = graph_add_source_file(b, name, name, span_of(text));
    struct source_range lines = { f, 1, 0, 1, 0 };
    struct edge e = add_local(
        b, identifier, &(struct vertex_about){ .name = name, .ranges = &lines, .n_ranges = 1 });
    memset(identifier, 'x', sizeof identifier - 1);
    memset(name, 'x', sizeof name - 1);
    memset(text, 'x', sizeof text - 1);
    memset(&lines, 0, sizeof lines);
    AUTO(graph_free) struct graph *g = NULL;
    REQUIRE_OK(graph_builder_finish(b, &e, 1, &g, &err), &err);
    EXPECT_STR(g->vertices[0]->source.identifier, "local://a");
    EXPECT_STR(pairs_find(&g->vertices[0]->description, "llb.customname"), "name");
    EXPECT_STR(g->files[0]->name, "name");
    EXPECT_INT(g->vertices[0]->ranges[0].start_line, 1);
    EXPECT(memcmp(g->files[0]->data.ptr, "FROM a\n", 7) == 0);
}

TEST("scratch needs no vertex")
{
    struct err err = { 0 };
    AUTO(graph_builder_free) struct graph_builder *b = graph_builder_new();
    struct edge a = add_local(b, "local://a", NULL), out = a;
    const struct edge one[] = { scratch, a, scratch }, none[] = { scratch, scratch };
    REQUIRE_OK(graph_add_merge(b, none, 2, NULL, &out, &err), &err);
    EXPECT(out.vertex == NULL);
    REQUIRE_OK(graph_add_merge(b, NULL, 0, NULL, &out, &err), &err);
    EXPECT(out.vertex == NULL);
    REQUIRE_OK(graph_add_merge(b, one, 3, NULL, &out, &err), &err);
    EXPECT(out.vertex == a.vertex);
    REQUIRE_OK(graph_add_diff(b, scratch, scratch, NULL, &out, &err), &err);
    EXPECT(out.vertex == NULL);
    REQUIRE_OK(graph_add_diff(b, scratch, a, NULL, &out, &err), &err);
    EXPECT(out.vertex == a.vertex);
    REQUIRE_OK(graph_add_diff(b, a, scratch, NULL, &out, &err), &err); /* removes all of a */
    EXPECT(out.vertex->type == OP_DIFF && out.vertex->diff.upper == -1);
    const struct edge results[] = { scratch, a };
    AUTO(graph_free) struct graph *g = NULL;
    REQUIRE_OK(graph_builder_finish(b, results, 2, &g, &err), &err);
    EXPECT(g->n_results == 2 && g->n_vertices == 1 && g->results[0].vertex == NULL);
}

TEST("a step on a root that it may not change still has an edge")
{
    struct err err = { 0 };
    AUTO(graph_builder_free) struct graph_builder *b = graph_builder_new();
    struct edge a = add_local(b, "local://a", NULL), out;
    const struct op_mount mounts[] = { { .dest = "/out" },
                                       { .dest = "/", .from = a, .is_readonly = true } };
    struct op_exec op = step;
    op.mounts = mounts;
    op.n_mounts = 2;
    REQUIRE_OK(graph_add_exec(b, &op, &on_amd64, &out, &err), &err);
    EXPECT_INT(out.index, 0);
    EXPECT_INT(out.vertex->n_outputs, 1);
    EXPECT(vertex_mount_output(out.vertex, "/out", &out) && out.index == 0);
    EXPECT(!vertex_mount_output(out.vertex, "/", &out));
    EXPECT(!vertex_mount_output(a.vertex, "/", &out));
}

TEST("one input of two mounts is one input")
{
    struct err err = { 0 };
    AUTO(graph_builder_free) struct graph_builder *b = graph_builder_new();
    struct edge a = add_local(b, "local://a", NULL), out, other;
    const struct op_mount mounts[] = { { .dest = "/", .from = a },
                                       { .dest = "/a", .from = a },
                                       { .dest = "/b" } };
    struct op_exec op = step;
    op.mounts = mounts;
    op.n_mounts = 3;
    REQUIRE_OK(graph_add_exec(b, &op, &on_amd64, &out, &err), &err);
    EXPECT_INT(out.vertex->n_inputs, 1);
    REQUIRE(vertex_mount_output(out.vertex, "/a", &other));
    const struct op_mount two[] = { { .dest = "/", .from = out }, { .dest = "/a", .from = other } };
    op.mounts = two;
    op.n_mounts = 2;
    REQUIRE_OK(graph_add_exec(b, &op, &on_amd64, &out, &err), &err);
    EXPECT_INT(out.vertex->n_inputs, 2);
    EXPECT_INT(out.vertex->inputs[1].index, 1);
}

TEST("another graph is taken over with its texts, and may be freed")
{
    struct err err = { 0 };
    AUTO(graph_builder_free) struct graph_builder *b = graph_builder_new();
    struct span bytes = fixture_read("llb", "sources.pb");
    struct graph *other = NULL;
    struct edge mine = add_local(b, "local://b", NULL), taken, both[2], merged;
    REQUIRE_OK(graph_unmarshal(bytes, &other, &err), &err);
    REQUIRE_OK(graph_add_graph(b, other, &taken, &err), &err);
    graph_free(other);
    EXPECT(taken.vertex->inputs[1].vertex == mine.vertex); /* it was there already */
    both[0] = taken;
    both[1] = mine;
    REQUIRE_OK(graph_add_merge(b, both, 2, NULL, &merged, &err), &err);
    AUTO(graph_free) struct graph *g = NULL;
    AUTO_VALUE(buf_clear) struct buf out;
    buf_init(&out, LIMIT_GRAPH_BYTES);
    REQUIRE_OK(graph_builder_finish(b, &merged, 1, &g, &err), &err);
    EXPECT_INT(g->n_vertices, 4);
    EXPECT_INT(g->n_files, 2);
    REQUIRE_OK(graph_marshal(g->results[0].vertex->inputs[0], &out, &err), &err);
    EXPECT(out.len == bytes.len && memcmp(out.data, bytes.ptr, out.len) == 0);
    free((void *)(uintptr_t)bytes.ptr);
}

TEST("a graph whose result is scratch is taken over as scratch")
{
    struct err err = { 0 };
    AUTO(graph_builder_free) struct graph_builder *b = graph_builder_new();
    AUTO(graph_free) struct graph *nothing = NULL;
    struct edge out = add_local(b, "local://a", NULL);
    REQUIRE_OK(graph_unmarshal(span_bytes("", 0), &nothing, &err), &err);
    REQUIRE_OK(graph_add_graph(b, nothing, &out, &err), &err);
    EXPECT(out.vertex == NULL);
}

TEST("what is wrong with a vertex is refused, and the builder goes on")
{
    struct err err = { 0 };
    AUTO(graph_builder_free) struct graph_builder *b = graph_builder_new();
    struct edge out, a = add_local(b, "local://a", NULL);
    struct op_source source = { .identifier = "" };
    EXPECT_ERR(graph_add_source(b, &source, NULL, &out, &err), &err, ERR_INVALID);
    source.identifier = "docker-image://docker.io/library/alpine";
    EXPECT_ERR(graph_add_source(b, &source, NULL, &out, &err), &err, ERR_INVALID);
    EXPECT_STR(err.text, "source: a platform is needed");
    source.identifier = "local://\xff";
    EXPECT_ERR(graph_add_source(b, &source, NULL, &out, &err), &err, ERR_INVALID);
    struct op_exec op = step;
    EXPECT_ERR(graph_add_exec(b, &op, NULL, &out, &err), &err, ERR_INVALID);
    op.args.n = 0;
    EXPECT_ERR(graph_add_exec(b, &op, &on_amd64, &out, &err), &err, ERR_INVALID);
    op = step;
    op.n_mounts = 0;
    EXPECT_ERR(graph_add_exec(b, &op, &on_amd64, &out, &err), &err, ERR_INVALID);
    op = step;
    op.cwd = NULL;
    EXPECT_ERR(graph_add_exec(b, &op, &on_amd64, &out, &err), &err, ERR_INVALID);
    EXPECT_ERR(graph_add_file(b, a, NULL, 0, NULL, &out, &err), &err, ERR_INVALID);
    struct vertex_about about = { .platform = &amd64, .name = "\xc3" };
    EXPECT_ERR(graph_add_exec(b, &step, &about, &out, &err), &err, ERR_INVALID);
    EXPECT_STR(err.text, "field name: byte 0 is not UTF-8");
    REQUIRE_OK(graph_add_exec(b, &step, &on_amd64, &out, &err), &err);
}

TEST("a result that no vertex has is refused")
{
    struct err err = { 0 };
    AUTO(graph_builder_free) struct graph_builder *b = graph_builder_new();
    struct edge a = add_local(b, "local://a", NULL);
    AUTO(graph_free) struct graph *g = NULL;
    EXPECT_ERR(graph_builder_finish(b, &a, 0, &g, &err), &err, ERR_INVALID);
    a.index = 1;
    EXPECT_ERR(graph_builder_finish(b, &a, 1, &g, &err), &err, ERR_INVALID);
    EXPECT_STR(err.text, "build graph: result 0: the operation has no output 1");
    a.index = 0;
    REQUIRE_OK(graph_builder_finish(b, &a, 1, &g, &err), &err);
}

TEST("operations that are too large, alone or together, are refused")
{
    struct err err = { 0 };
    AUTO(graph_builder_free) struct graph_builder *b = graph_builder_new();
    size_t half = LIMIT_GRAPH_BYTES / 2;
    char *bytes = xcalloc(1, LIMIT_GRAPH_BYTES + 1);
    struct op_action write = { .type = ACTION_MKFILE,
                               .path = "/a",
                               .timestamp_ns = TIMESTAMP_NONE };
    struct edge out;
    write.data = span_bytes(bytes, LIMIT_GRAPH_BYTES + 1);
    EXPECT_ERR(graph_add_file(b, scratch, &write, 1, NULL, &out, &err), &err, ERR_LIMIT);
    write.data = span_bytes(bytes, half);
    EXPECT_OK(graph_add_file(b, scratch, &write, 1, NULL, &out, &err), &err);
    EXPECT_OK(graph_add_file(b, scratch, &write, 1, NULL, &out, &err), &err); /* the same again */
    write.path = "/b";
    EXPECT_ERR(graph_add_file(b, scratch, &write, 1, NULL, &out, &err), &err, ERR_LIMIT);
    EXPECT_STR(err.text, "build graph: is larger than 67108864 bytes");
    free(bytes);
}

TAP_MAIN()
