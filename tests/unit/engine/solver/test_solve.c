/* The solver with operations that only keep count: what runs, how often, and what the cache is
 * asked.
 *
 * A vertex is an exec whose one argument is its name; `local://` sources are volatile, image
 * sources are free. A result is a text: the operation's name and the texts of its inputs; of "same"
 * it is always "same". */
#include <pthread.h>

#include "base/core/map.h"
#include "base/core/mem.h"
#include "base/core/vec.h"
#include "engine/graph/builder.h"
#include "engine/solver/solver.h"
#include "tap.h"

static struct err err;

struct text_result {
    struct result base;
    char *text;
};

static void text_free(struct result *r)
{
    free(((struct text_result *)r)->text);
    free(r);
}

static struct result *text_new(const char *text)
{
    struct text_result *r = xcalloc(1, sizeof *r);
    r->base = (struct result){ .n_refs = 1, .free = text_free };
    r->text = xstrdup(text);
    return &r->base;
}

static const char *text_of(const struct result *r)
{
    return r ? ((const struct text_result *)r)->text : "";
}

/* One world: what ran, what is remembered, what the context holds. */
static struct world {
    pthread_mutex_t lock;
    struct str_list ran;      /* names, in the order of their ends */
    struct str_list events;   /* "CACHED name" */
    struct map remembered;    /* key -> output text */
    struct map contents;      /* key -> content key */
    const char *context;      /* what the local source gives */
    const char *part;         /* what is read of inputs behind the first; NULL: all */
    const char *fails;        /* the operation that fails */
    pthread_barrier_t *meets; /* operations called "meet..." wait for one another */
    int n_lookups;
    struct map claimed;    /* keys that somebody makes */
    struct map elsewhere;  /* name -> output text: what others have made */
    struct str_list known; /* "name", with what is known of its inputs: "copy -6" */
} w = { .lock = PTHREAD_MUTEX_INITIALIZER, .remembered = STR_MAP, .contents = STR_MAP };

static void world_reset(void)
{
    str_list_clear(&w.ran);
    str_list_clear(&w.events);
    str_list_clear(&w.known);
    map_clear(&w.elsewhere);
    w.elsewhere = (struct map)STR_MAP;
    w.fails = NULL;
    w.part = NULL;
    w.meets = NULL;
    w.n_lookups = 0;
    err_clear(&err);
}

static void world_start(void)
{
    world_reset();
    map_clear(&w.remembered);
    map_clear(&w.contents);
    w.remembered = w.contents = (struct map)STR_MAP;
    w.context = "files";
}

static const char *name_of(const struct vertex *v)
{
    return v->type == OP_SOURCE ? v->source.identifier : v->exec.args.items[0];
}

static bool reads_content(const struct vertex *v)
{
    return v->type == OP_EXEC && strncmp(name_of(v), "copy", 4) == 0;
}

static int key(void *arg, const struct vertex *v, struct arena *a, struct op_key *out,
               const struct cancel *cancel, struct err *e)
{
    (void)arg, (void)cancel, (void)e;
    *out = (struct op_key){ .digest = digest_of(span_of(name_of(v))) };
    out->is_volatile = strncmp(name_of(v), "local://", 8) == 0;
    out->is_free = v->type == OP_SOURCE;
    struct op_key_input *inputs = arena_alloc(a, sizeof *inputs * (v->n_inputs + 1));
    for (size_t i = 0; i < v->n_inputs; i++) {
        inputs[i] = (struct op_key_input){ .by_content = reads_content(v) && i > 0 };
        if (w.part && i > 0)
            inputs[i].selector = digest_of(span_of(w.part));
    }
    out->inputs = inputs;
    return 0;
}

static int content(void *arg, const struct vertex *v, size_t i, struct result *r,
                   struct digest *out, const struct cancel *cancel, struct err *e)
{
    (void)arg, (void)v, (void)i, (void)cancel, (void)e;
    *out = digest_of(span_of(text_of(r)));
    return 0;
}

static int run(void *arg, const struct op_run *run, struct err *e)
{
    (void)arg;
    const char *name = name_of(run->vertex);
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    buf_init(&text, 1 << 16);
    if (w.meets && strncmp(name, "meet", 4) == 0)
        pthread_barrier_wait(w.meets);
    if (w.fails && strcmp(name, w.fails) == 0)
        return err_set(e, ERR_INVALID, "it was told to fail");
    buf_puts(&text, run->vertex->type == OP_SOURCE && strstr(name, "local") ? w.context : name);
    buf_putc(&text, '(');
    for (size_t i = 0; i < run->vertex->n_inputs; i++)
        buf_puts(&text, text_of(run->inputs[i]));
    buf_putc(&text, ')');
    bool is_same = strncmp(name, "same", 4) == 0;
    for (uint32_t i = 0; i < run->vertex->n_outputs; i++)
        run->outputs[i] = text_new(is_same ? "same" : text.data);
    pthread_mutex_lock(&w.lock);
    str_list_push(&w.ran, name);
    pthread_mutex_unlock(&w.lock);
    return 0;
}

static int find(void *arg, const struct digest *k, struct solver_record *r, bool *is_there,
                struct err *e)
{
    (void)arg;
    pthread_mutex_lock(&w.lock);
    w.n_lookups++;
    const char *text = map_find_str(&w.remembered, digest_text(k).s);
    *is_there = text != NULL;
    int status = 0;
    if (text)
        status = digest_parse(span_of(map_find_str(&w.contents, digest_text(k).s)), &r->content, e);
    for (size_t i = 0; text && i < r->vertex->n_outputs; i++)
        r->outputs[i] = text_new(text);
    pthread_mutex_unlock(&w.lock);
    return status;
}

static int put(void *arg, const struct digest *keys, size_t n_keys, const struct solver_record *r,
               struct err *e)
{
    (void)arg, (void)e;
    pthread_mutex_lock(&w.lock);
    for (size_t i = 0; i < n_keys; i++) {
        map_set_str(&w.remembered, digest_text(&keys[i]).s, text_of(r->outputs[0]));
        map_set_str(&w.contents, digest_text(&keys[i]).s, digest_text(&r->content).s);
    }
    pthread_mutex_unlock(&w.lock);
    return 0;
}

static int claim(void *arg, const struct digest *k, void **out, struct err *e)
{
    (void)arg, (void)e;
    AUTO_FREE char *text = xstrdup(digest_text(k).s);
    pthread_mutex_lock(&w.lock);
    *out = NULL;
    if (!map_has(&w.claimed, text)) {
        map_set(&w.claimed, text, &w);
        *out = STEAL(text);
    }
    pthread_mutex_unlock(&w.lock);
    return 0;
}

static void release(void *arg, void *held)
{
    (void)arg;
    pthread_mutex_lock(&w.lock);
    map_remove(&w.claimed, held);
    pthread_mutex_unlock(&w.lock);
    free(held);
}

/* "copy ??" once identified, "copy ?+" when the second input's content is known. */
static void know(void *arg, const struct vertex_keys *k)
{
    (void)arg;
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    buf_init(&text, 1 << 10);
    buf_printf(&text, "%s ", name_of(k->vertex));
    for (size_t i = 0; i < k->vertex->n_inputs; i++)
        buf_putc(&text, digest_is_set(&k->input_content[i]) ? '+' : '?');
    pthread_mutex_lock(&w.lock);
    str_list_push(&w.known, text.data);
    pthread_mutex_unlock(&w.lock);
}

static int find_elsewhere(void *arg, const struct vertex *v, struct result **outputs,
                          bool *is_there, struct err *e)
{
    (void)arg, (void)e;
    pthread_mutex_lock(&w.lock);
    const char *text = map_find_str(&w.elsewhere, name_of(v));
    *is_there = text != NULL;
    for (size_t i = 0; text && i < v->n_outputs; i++)
        outputs[i] = text_new(text);
    pthread_mutex_unlock(&w.lock);
    return 0;
}

static void tell(void *arg, const struct progress_event *e)
{
    (void)arg;
    static const char *const kinds[] = { [PROGRESS_CACHED] = "CACHED", [PROGRESS_FAIL] = "FAIL" };
    if (e->kind != PROGRESS_CACHED && e->kind != PROGRESS_FAIL)
        return;
    pthread_mutex_lock(&w.lock);
    str_list_take(&w.events, xasprintf("%s %s", kinds[e->kind], name_of(e->vertex)));
    pthread_mutex_unlock(&w.lock);
}

/* The text that the graph's first result comes out as; NULL on failure.  Frees the graph. */
static char *solve_graph(struct graph *g, bool ignores_cache)
{
    static const struct op_impl impl = { .key = key, .content = content, .run = run };
    static const struct op_table ops = { .impls = { [OP_SOURCE] = &impl, [OP_EXEC] = &impl } };
    static const struct solver_cache cache = {
        .find = find, .put = put, .claim = claim, .release = release
    };
    static const struct solver_import import = { .know = know, .find = find_elsewhere };
    static const struct progress progress = { .tell = tell };
    static char text[65536];
    AUTO(pool_free) struct pool *pool = pool_new(8);
    AUTO(cancel_free) struct cancel *cancel = cancel_new();
    struct solve_options o = { .ops = &ops,
                               .cache = &cache,
                               .import = &import,
                               .pool = pool,
                               .progress = &progress,
                               .cancel = cancel,
                               .ignores_cache = ignores_cache };
    struct result *results[4] = { 0 };
    int status = solve(g, &o, results, NULL, &err);
    snprintf(text, sizeof text, "%s", text_of(results[0]));
    for (size_t i = 0; i < g->n_results; i++)
        result_unref(results[i]);
    graph_free(g);
    return status == 0 ? text : NULL;
}

static struct edge source(struct graph_builder *b, const char *identifier)
{
    struct edge e = { 0 };
    struct platform p = platform_host();
    struct op_source op = { .identifier = identifier };
    EXPECT_OK(graph_add_source(b, &op, &(struct vertex_about){ .platform = &p }, &e, &err), &err);
    return e;
}

/* An exec on `root`, with `other` (may be scratch) mounted beside. */
static struct edge step_of(struct graph_builder *b, const char *name, struct edge root,
                           struct edge other, struct vertex_about about)
{
    struct edge e = { 0 };
    struct platform p = platform_host();
    about.platform = &p;
    struct op_mount mounts[] = { { .dest = "/", .from = root },
                                 { .dest = "/other", .from = other, .is_readonly = true } };
    struct op_exec op = { .args = { .items = &name, .n = 1 },
                          .cwd = "/",
                          .mounts = mounts,
                          .n_mounts = other.vertex ? 2 : 1 };
    EXPECT_OK(graph_add_exec(b, &op, &about, &e, &err), &err);
    return e;
}

static struct edge step(struct graph_builder *b, const char *name, struct edge root)
{
    return step_of(b, name, root, (struct edge){ 0 }, (struct vertex_about){ 0 });
}

static struct graph *finish(struct graph_builder *b, struct edge result)
{
    struct graph *g = NULL;
    EXPECT_OK(graph_builder_finish(b, &result, 1, &g, &err), &err);
    graph_builder_free(b);
    return g;
}

static char *ran(void)
{
    static char text[4096];
    text[0] = '\0';
    vec_each (&w.ran, name) {
        size_t n = strlen(text);
        snprintf(text + n, sizeof text - n, "%s%s", n ? " " : "", *name);
    }
    return text;
}

static struct graph *chain(const char *a, const char *b, const char *c)
{
    struct graph_builder *builder = graph_builder_new();
    struct edge e = source(builder, "docker-image://base");
    e = step(builder, a, e);
    e = step(builder, b, e);
    return finish(builder, step(builder, c, e));
}

TEST("a chain runs from its base to its end, once")
{
    world_start();
    EXPECT_STR(solve_graph(chain("one", "two", "three"), false),
               "three(two(one(docker-image://base())))");
    EXPECT_STR(ran(), "docker-image://base one two three");
}

TEST("again, nothing runs, and one look into the cache is enough")
{
    world_start();
    solve_graph(chain("one", "two", "three"), false);
    world_reset();
    EXPECT_STR(solve_graph(chain("one", "two", "three"), false),
               "three(two(one(docker-image://base())))");
    EXPECT_STR(ran(), "");
    EXPECT_INT(w.n_lookups, 1);
    EXPECT_INT(w.events.n, 4);
}

TEST("a changed step runs, and what follows it")
{
    world_start();
    solve_graph(chain("one", "two", "three"), false);
    world_reset();
    solve_graph(chain("one", "TWO", "three"), false);
    EXPECT_STR(ran(), "TWO three");
}

TEST("a changed step that gives the same as before runs alone: content decides what follows")
{
    world_start();
    for (int i = 0; i < 2; i++) {
        world_reset();
        struct graph_builder *b = graph_builder_new();
        struct edge base = source(b, "docker-image://base");
        struct edge made = step(b, i ? "same-2" : "same-1", base);
        struct edge copied = step_of(b, "copy", base, made, (struct vertex_about){ 0 });
        EXPECT(solve_graph(finish(b, step(b, "after", copied)), false) != NULL);
    }
    EXPECT_STR(ran(), "docker-image://base same-2");
}

static struct graph *context_copy(void)
{
    struct graph_builder *b = graph_builder_new();
    struct edge base = source(b, "docker-image://base");
    struct edge copied =
        step_of(b, "copy", base, source(b, "local://context"), (struct vertex_about){ 0 });
    return finish(b, step(b, "after", copied));
}

TEST("an unchanged context is looked at and copied no more")
{
    world_start();
    solve_graph(context_copy(), false);
    world_reset();
    EXPECT(solve_graph(context_copy(), false) != NULL);
    EXPECT_STR(ran(), "local://context");
    world_reset();
    w.context = "other files";
    EXPECT(solve_graph(context_copy(), false) != NULL);
    EXPECT_INT(w.ran.n, 4);
}

TEST("an operation that cannot say what it reads of a context depends on all of it")
{
    world_start();
    for (int i = 0; i < 3; i++) {
        world_reset();
        w.context = i == 2 ? "changed" : "files";
        struct graph_builder *b = graph_builder_new();
        EXPECT(solve_graph(finish(b, step(b, "on-context", source(b, "local://context"))), false));
        EXPECT_INT(w.ran.n, i == 1 ? 1 : 2);
    }
}

/* Solves a step that reads a part of what another made. */
static void read_part(const char *reader, const char *part)
{
    world_reset();
    w.part = part;
    struct graph_builder *b = graph_builder_new();
    struct edge base = source(b, "docker-image://base");
    struct edge made = step(b, "made", base);
    struct edge read = step_of(b, reader, base, made, (struct vertex_about){ 0 });
    EXPECT(solve_graph(finish(b, read), false) != NULL);
}

TEST("another part of an input is another key")
{
    world_start();
    read_part("read", "/a");
    read_part("read", "/b");
    EXPECT_STR(ran(), "docker-image://base read");
    read_part("read", "/a");
    EXPECT_STR(ran(), "");
}

TEST("the same content at another place in an input is the same")
{
    world_start();
    read_part("copy", "/a");
    read_part("copy", "/b");
    EXPECT_STR(ran(), "docker-image://base");
}

TEST("equal work in two places runs once")
{
    world_start();
    struct graph_builder *b = graph_builder_new();
    struct edge base = source(b, "docker-image://base");
    struct vertex_about named = { .name = "another name" };
    struct edge left = step(b, "equal", base);
    struct edge right = step_of(b, "equal", base, (struct edge){ 0 }, named);
    EXPECT(solve_graph(finish(b, step_of(b, "join", left, right, (struct vertex_about){ 0 })),
                       false) != NULL);
    EXPECT_STR(ran(), "docker-image://base equal join");
}

TEST("what turns out to read the same runs once, though it came about in two ways")
{
    for (int i = 0; i < 20; i++) {
        world_start();
        struct graph_builder *b = graph_builder_new();
        struct edge base = source(b, "docker-image://base");
        struct edge left =
            step_of(b, "copy", base, step(b, "same-1", base), (struct vertex_about){ 0 });
        struct edge right =
            step_of(b, "copy", base, step(b, "same-2", base), (struct vertex_about){ 0 });
        EXPECT(solve_graph(finish(b, step_of(b, "join", left, right, (struct vertex_about){ 0 })),
                           false) != NULL);
        size_t n_copies = 0;
        vec_each (&w.ran, name)
            n_copies += strcmp(*name, "copy") == 0;
        EXPECT_INT(n_copies, 1);
        EXPECT_INT(w.claimed.n, 0);
    }
}

TEST("a failure gives the claim back")
{
    world_start();
    w.fails = "two";
    EXPECT(solve_graph(chain("one", "two", "three"), false) == NULL);
    EXPECT_INT(w.claimed.n, 0);
}

TEST("--no-cache asks nothing and remembers everything; a vertex may ask for that alone")
{
    world_start();
    solve_graph(chain("one", "two", "three"), false);
    world_reset();
    solve_graph(chain("one", "two", "three"), true);
    EXPECT_STR(ran(), "docker-image://base one two three");
    EXPECT_INT(w.n_lookups, 0);
    world_reset();
    struct graph_builder *b = graph_builder_new();
    struct edge e = step(b, "one", source(b, "docker-image://base"));
    e = step_of(b, "two", e, (struct edge){ 0 }, (struct vertex_about){ .ignores_cache = true });
    EXPECT(solve_graph(finish(b, e), false) != NULL);
    EXPECT_STR(ran(), "two");
}

TEST("independent steps run side by side")
{
    world_start();
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, 2);
    w.meets = &barrier; /* neither ends unless both run at once */
    struct graph_builder *b = graph_builder_new();
    struct edge base = source(b, "docker-image://base");
    struct edge left = step(b, "meet-1", base), right = step(b, "meet-2", base);
    EXPECT(solve_graph(finish(b, step_of(b, "join", left, right, (struct vertex_about){ 0 })),
                       false) != NULL);
    pthread_barrier_destroy(&barrier);
}

TEST("a failure names the place in the source and the step, and what follows does not run")
{
    world_start();
    w.fails = "two";
    struct graph_builder *b = graph_builder_new();
    const struct source_file *file =
        graph_add_source_file(b, "Dockerfile", "Dockerfile", SPAN("FROM base\nRUN two\n"));
    struct source_range range = { .file = file, .start_line = 2, .end_line = 2 };
    struct edge e = source(b, "docker-image://base");
    e = step_of(b, "two", e, (struct edge){ 0 },
                (struct vertex_about){ .name = "RUN two", .ranges = &range, .n_ranges = 1 });
    EXPECT(solve_graph(finish(b, step(b, "three", e)), false) == NULL);
    EXPECT_INT(err.kind, ERR_INVALID);
    EXPECT_STR(err.text, "Dockerfile:2: RUN two: it was told to fail");
    EXPECT_STR(ran(), "docker-image://base");
    EXPECT_STR(w.events.items[0], "FAIL two");
}

TEST("what others made is taken before anything below it is wanted, and remembered")
{
    world_start();
    map_set_str(&w.elsewhere, "two", "theirs");
    EXPECT_STR(solve_graph(chain("one", "two", "three"), false), "three(theirs)");
    EXPECT_STR(ran(), "three");
    world_reset();
    EXPECT_STR(solve_graph(chain("one", "two", "other"), false), "other(theirs)");
    EXPECT_STR(ran(), "other");
}

TEST("steps of one kind on different things of others stay different")
{
    world_start();
    map_set_str(&w.elsewhere, "one", "1");
    map_set_str(&w.elsewhere, "uno", "2");
    EXPECT_STR(solve_graph(chain("one", "two", "three"), false), "three(two(1))");
    map_set_str(&w.elsewhere, "uno", "2");
    EXPECT_STR(solve_graph(chain("uno", "two", "three"), false), "three(two(2))");
}

TEST("--no-cache asks nobody")
{
    world_start();
    map_set_str(&w.elsewhere, "two", "theirs");
    EXPECT_STR(solve_graph(chain("one", "two", "three"), true),
               "three(two(one(docker-image://base())))");
}

TEST("who makes other keys is told a vertex when it is identified, and when more is known of it")
{
    world_start();
    struct graph_builder *b = graph_builder_new();
    struct edge base = source(b, "docker-image://base");
    struct edge made = step(b, "made", base);
    EXPECT(solve_graph(finish(b, step_of(b, "copy", base, made, (struct vertex_about){ 0 })),
                       false) != NULL);
    static const char *const want[] = { "docker-image://base ", "made ?", "copy ??", "made ?",
                                        "copy ?+" };
    EXPECT_INT(w.known.n, 6); /* with the base, which runs last but one */
    size_t at = 0;
    vec_each (&w.known, text)
        if (at < 5 && strcmp(*text, want[at]) == 0)
            at++;
    EXPECT_INT(at, 5);
}

TEST("scratch as the result is no work")
{
    world_start();
    struct graph_builder *b = graph_builder_new();
    EXPECT_STR(solve_graph(finish(b, (struct edge){ 0 }), false), "");
    EXPECT_STR(ran(), "");
}

TEST("a graph of a thousand vertices in one chain is solved")
{
    world_start();
    struct graph_builder *b = graph_builder_new();
    struct edge e = source(b, "docker-image://base");
    for (int i = 0; i < 1000; i++) {
        char name[32];
        snprintf(name, sizeof name, i % 2 ? "same-%d" : "s%d", i);
        e = step(b, name, e);
    }
    EXPECT(solve_graph(finish(b, e), false) != NULL);
    EXPECT_INT(w.ran.n, 1001);
}

TAP_MAIN()
