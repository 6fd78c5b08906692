/* Which records a vertex is.  The graph: base <- run <- copy (which reads of base, and by content
 * of `other`, a second step on base). */
#include "engine/remotecache/match.h"

#include "base/core/mem.h"
#include "engine/graph/builder.h"
#include "tap.h"

static struct err err;

enum { BASE, RUN, OTHER, COPY, N_VERTICES };

static struct world {
    struct graph *graph;
    const struct vertex *vertices[N_VERTICES];
    struct ledger ledger;
    struct imported_cache *cache;
    struct cache_match *match;
} w;

static struct digest named(const char *text)
{
    return digest_of(span_of(text));
}

static struct edge step(struct graph_builder *b, const char *name, struct edge root,
                        struct edge other)
{
    struct edge e = { 0 };
    struct platform p = platform_host();
    struct op_mount mounts[] = { { .dest = "/", .from = root },
                                 { .dest = "/other", .from = other, .is_readonly = true } };
    struct op_exec op = { .args = { .items = &name, .n = 1 },
                          .cwd = "/",
                          .mounts = mounts,
                          .n_mounts = other.vertex ? 2 : 1 };
    EXPECT_OK(graph_add_exec(b, &op, &(struct vertex_about){ .platform = &p }, &e, &err), &err);
    return e;
}

static void make_graph(void)
{
    struct graph_builder *b = graph_builder_new();
    struct platform p = platform_host();
    struct op_source image = { .identifier = "docker-image://base" };
    struct edge none = { 0 }, base = { 0 };
    EXPECT_OK(graph_add_source(b, &image, &(struct vertex_about){ .platform = &p }, &base, &err),
              &err);
    struct edge run = step(b, "run", base, none), other = step(b, "other", base, none);
    struct edge copy = step(b, "copy", run, other);
    struct digest digests[N_VERTICES] = { base.vertex->digest, run.vertex->digest,
                                          other.vertex->digest, copy.vertex->digest };
    EXPECT_OK(graph_builder_finish(b, &copy, 1, &w.graph, &err), &err);
    graph_builder_free(b);
    for (size_t i = 0; i < N_VERTICES; i++)
        w.vertices[i] = graph_find(w.graph, &digests[i]);
}

/* Tells of a vertex: its operation is named; its second input is read as `content` (NULL: not known
 * yet). */
static void know(int which, const char *op, const char *content)
{
    const struct vertex *v = w.vertices[which];
    struct op_key_input inputs[2] = { { .selector = named("/") },
                                      { .by_content = true, .selector = named("/made") } };
    struct digest contents[2] = { 0 };
    struct op_key key = { .digest = named(op), .inputs = v->n_inputs ? inputs : NULL };
    if (content)
        contents[1] = named(content);
    cache_match_vertex(
        w.match, ledger_know(&w.ledger, &(struct vertex_keys){ .vertex = v,
                                                               .key = &key,
                                                               .definition = named("definition"),
                                                               .input_content = contents }));
}

static void record(struct buf *out, const char *text, int64_t output)
{
    struct digest op = named(text), d = record_digest(&op, output);
    buf_printf(out, "\"digest\":\"%s\"", digest_text(&d).s);
}

/* [base] [run: base by "/"] [other: base by "/"] [content] [copy: run by "/"; SECOND], each but
 * base and content with a layer. */
static void make_cache(const char *second)
{
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    struct digest root = named("/"), blob = named("blob"), part = named("/made");
    buf_init(&text, 1 << 16);
    buf_printf(&text, "{\"layers\":[{\"blob\":\"%s\",\"parent\":-1}],\"records\":[{",
               digest_text(&blob).s);
    record(&text, "base", 0);
    static const char *const names[] = { "run", "other" };
    for (size_t i = 0; i < 2; i++) {
        buf_puts(&text, "},{\"layers\":[{\"layer\":0,\"createdAt\":\"2020-01-01T00:00:00Z\"}],");
        record(&text, names[i], 0);
        buf_printf(&text, ",\"inputs\":[[{\"selector\":\"%s\",\"link\":0}]]", digest_text(&root).s);
    }
    buf_puts(&text, "},{");
    record(&text, "content", -1);
    buf_puts(&text, "},{\"layers\":[{\"layer\":0,\"createdAt\":\"2021-01-01T00:00:00Z\"}],");
    record(&text, "copy", 0);
    buf_printf(&text, ",\"inputs\":[[{\"selector\":\"%s\",\"link\":1}],[", digest_text(&root).s);
    if (strcmp(second, "definition") == 0)
        buf_printf(&text, "{\"selector\":\"%s\",\"link\":2}", digest_text(&part).s);
    else if (strcmp(second, "another part") == 0)
        buf_printf(&text, "{\"selector\":\"%s\",\"link\":2}", digest_text(&root).s);
    else if (strcmp(second, "content") == 0)
        buf_puts(&text, "{\"link\":3}");
    else if (strcmp(second, "content by part") == 0)
        buf_printf(&text, "{\"selector\":\"%s\",\"link\":3}", digest_text(&part).s);
    buf_puts(&text, "]]}]}");
    w.cache = xcalloc(1, sizeof *w.cache);
    EXPECT_OK(cache_document_parse(buf_span(&text), &w.cache->document, &err), &err);
    struct layer_ref *ref = vec_push(&w.cache->refs);
    *ref = (struct layer_ref){ .blob = descriptor_make("x", &blob, 1), .diff_id = blob };
    w.cache->layers = xcalloc(1, sizeof *w.cache->layers);
    w.cache->layers[0].ref = ref;
}

static void start(const char *second)
{
    err_clear(&err);
    make_graph();
    make_cache(second);
    ledger_init(&w.ledger, w.graph);
    w.match = cache_match_new(w.cache, w.graph);
}

static void stop(void)
{
    cache_match_free(w.match);
    imported_cache_free(w.cache);
    ledger_clear(&w.ledger);
    graph_free(w.graph);
    w = (struct world){ 0 };
}

static void know_all(const char *content)
{
    know(BASE, "base", NULL);
    know(RUN, "run", NULL);
    know(OTHER, "other", NULL);
    know(COPY, "copy", content);
}

static bool is_found(int which)
{
    return cache_match_result(w.match, w.vertices[which], 0) != NULL;
}

TEST("a chain is matched from its source up, by operation and part")
{
    start("definition");
    know_all(NULL);
    EXPECT(!is_found(BASE)); /* it is known, and has nothing to give */
    EXPECT(is_found(RUN) && is_found(OTHER) && is_found(COPY));
    EXPECT_INT(cache_match_result(w.match, w.vertices[COPY], 0)->created.tv_sec, 1609459200);
    stop();
}

TEST("another source below is another record")
{
    start("definition");
    know(BASE, "newer base", NULL);
    know(RUN, "run", NULL);
    know(OTHER, "other", NULL);
    know(COPY, "copy", NULL);
    EXPECT(!is_found(RUN) && !is_found(OTHER) && !is_found(COPY));
    stop();
}

TEST("another part of an input is another record")
{
    start("another part");
    know_all(NULL);
    EXPECT(is_found(OTHER) && !is_found(COPY));
    stop();
}

TEST("what is read is known later, and then enough, whatever made it")
{
    start("content");
    know(BASE, "base", NULL);
    know(RUN, "run", NULL);
    know(OTHER, "made in another way", NULL);
    know(COPY, "copy", NULL);
    EXPECT(!is_found(OTHER) && !is_found(COPY));
    know(COPY, "copy", "content");
    EXPECT(is_found(COPY));
    know(COPY, "copy", "other content");
    EXPECT(!is_found(COPY));
    stop();
}

TEST("content is matched without a part, as BuildKit links it")
{
    start("content by part");
    know_all("content");
    EXPECT(!is_found(COPY));
    stop();
}

TEST("an input that nothing is linked to matches nothing")
{
    start("nothing");
    know_all("content");
    EXPECT(!is_found(COPY));
    stop();
}

TEST("a result of layers that cannot be had is none")
{
    start("definition");
    w.cache->layers[0].ref = NULL;
    know_all(NULL);
    size_t n = 0;
    cache_match_records(w.match, w.vertices[COPY], 0, &n);
    EXPECT_INT(n, 1);
    EXPECT(!is_found(COPY));
    stop();
}

TAP_MAIN()
