/* Facts of steps: what is written down, and how a difference is told. */
#include "engine/explain/facts.h"

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "engine/graph/builder.h"
#include "tap.h"

static struct err err;

/* A graph of one step, with this variable, on an image of this digest. */
static struct graph *step(const char *variable, char digit)
{
    struct graph_builder *b = graph_builder_new();
    struct edge base, e;
    struct platform p = platform_host();
    const char *args[] = { "/bin/sh", "-c", "make" }, *env[] = { "PATH=/bin", variable };
    char digest[65] = { 0 };
    memset(digest, digit, 64);
    AUTO_FREE char *image =
        xasprintf("docker-image://docker.io/library/debian:12@sha256:%s", digest);
    struct vertex_about about = { .platform = &p };
    EXPECT_OK(graph_add_source(b, &(struct op_source){ .identifier = image }, &about, &base, &err),
              &err);
    struct op_mount root = { .dest = "/", .from = base };
    struct op_exec op = {
        .args = { args, 3 }, .env = { env, 2 }, .cwd = "/", .mounts = &root, .n_mounts = 1
    };
    EXPECT_OK(graph_add_exec(b, &op, &about, &e, &err), &err);
    struct graph *g = NULL;
    EXPECT_OK(graph_builder_finish(b, &e, 1, &g, &err), &err);
    graph_builder_free(b);
    return g;
}

/* Source and step together, as the collector puts them. */
static struct map facts(const struct graph *g)
{
    struct map m = STR_MAP;
    facts_of_vertex(g->results[0].vertex, &m);
    facts_of_source(g->results[0].vertex->inputs[0].vertex, &m);
    return m;
}

static void expect_difference(const char *variable, char digit, const char *want)
{
    AUTO(graph_free) struct graph *before = step("A=1", '1');
    AUTO(graph_free) struct graph *now = step(variable, digit);
    AUTO_VALUE(map_clear) struct map old = facts(before), new = facts(now);
    AUTO_FREE char *got = facts_difference(&new, &old, now->results[0].vertex);
    EXPECT_STR(got ? got : "none", want);
}

TEST("a difference names the variable or the base image; what is equal has none")
{
    expect_difference("A=1", '1', "none");
    expect_difference("A=2", '1', "variable A changed");
    expect_difference("B=1", '1', "variable B is new, and 1 more");
    expect_difference(
        "A=1", '2', "docker.io/library/debian:12 was sha256:111111111111, is sha256:222222222222");
}

TEST("values of variables are not in the facts, since some are secret")
{
    AUTO(graph_free) struct graph *g = step("TOKEN=swordfish", '1');
    AUTO_VALUE(map_clear) struct map m = facts(g);
    EXPECT(map_has(&m, "vTOKEN"));
    map_each (&m, e)
        EXPECT(!strstr(e->value, "swordfish"));
}

TEST("facts come back as they were written; damaged ones are refused")
{
    AUTO(graph_free) struct graph *g = step("A=1", '1');
    AUTO_VALUE(map_clear) struct map m = facts(g), same = STR_MAP, none = STR_MAP;
    AUTO_VALUE(buf_clear) struct buf bytes = { 0 };
    facts_add(&m, FACT_FILE, "a name\nwith a line", "d");
    buf_init(&bytes, 1 << 20);
    EXPECT_OK(facts_write(&m, &bytes, &err), &err);
    EXPECT_OK(facts_read(buf_span(&bytes), &same, &err), &err);
    EXPECT_INT(same.n, m.n);
    map_each (&m, e)
        EXPECT_STR(map_find_str(&same, e->key), e->value);
    EXPECT_ERR(facts_read(span_first(buf_span(&bytes), bytes.len - 9), &none, &err), &err,
               ERR_CORRUPT);
}

TEST("files that are new and gone are told, and how many more")
{
    AUTO(graph_free) struct graph *g = step("A=1", '1');
    const struct vertex *v = g->results[0].vertex;
    AUTO_VALUE(map_clear) struct map now = STR_MAP, before = STR_MAP;
    facts_add(&now, FACT_FILE, "src/a.c", "1");
    facts_add(&now, FACT_FILE, "src/b.c", "2");
    facts_add(&before, FACT_FILE, "src/a.c", "1");
    facts_add(&before, FACT_FILE, "src/c.c", "3");
    AUTO_FREE char *one = facts_difference(&now, &before, v);
    EXPECT_STR(one, "file src/b.c is new, and 1 more");
    AUTO_FREE char *other = facts_difference(&before, &now, v);
    EXPECT_STR(other, "file src/c.c is new, and 1 more");
    map_set_str(&before, "fsrc/b.c", "4");
    map_remove(&before, "fsrc/c.c");
    AUTO_FREE char *third = facts_difference(&now, &before, v);
    EXPECT_STR(third, "file src/b.c changed");
}

TAP_MAIN()
