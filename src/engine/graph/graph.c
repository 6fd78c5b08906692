/* engine/graph/graph.c - a finished graph: order, look-up, lists.
 *
 * Threads: a finished graph is only read. */
#include "engine/graph/graph.h"

#include <stdlib.h>
#include <string.h>

#include "base/core/mem.h"
#include "engine/graph/internal.h"

void graph_free(struct graph *g)
{
    if (g)
        arena_free(g->arena);
    free(g);
}

const struct vertex *graph_find(const struct graph *g, const struct digest *d)
{
    for (size_t i = 0; i < g->n_vertices; i++)
        if (digest_equal(&g->vertices[i]->digest, d))
            return g->vertices[i];
    return NULL;
}

const char *op_type_name(enum op_type type)
{
    static const char *const names[] = {
        [OP_SOURCE] = "source",
        [OP_EXEC] = "exec",
        [OP_FILE] = "file",
        [OP_MERGE] = "merge",
        [OP_DIFF] = "diff",
        [OP_BUILD] = "build",
        [OP_PASSTHROUGH] = "passthrough",
    };
    return names[type];
}

const char *pairs_find(const struct pairs *p, const char *key)
{
    for (size_t i = 0; i < p->n; i++)
        if (strcmp(p->items[i].key, key) == 0)
            return p->items[i].value;
    return NULL;
}

static int compare_keys(const void *a, const void *b)
{
    const struct pair *const *x = a, *const *y = b;
    int order = strcmp((*x)->key, (*y)->key);
    if (order)
        return order;
    return *x < *y ? -1 : *x > *y; /* the order in which they came */
}

struct pairs pairs_merge(struct arena *a, struct pairs first, struct pairs second)
{
    size_t n = first.n + second.n, kept = 0;
    struct pair *all = arena_alloc(a, (n + 1) * sizeof *all);
    const struct pair **sorted = arena_alloc(a, (n + 1) * sizeof *sorted);
    for (size_t i = 0; i < n; i++) {
        const struct pair *p = i < first.n ? &first.items[i] : &second.items[i - first.n];
        all[i] =
            (struct pair){ arena_strdup(a, p->key), arena_strdup(a, p->value ? p->value : "") };
        sorted[i] = &all[i];
    }
    qsort(sorted, n, sizeof *sorted, compare_keys);
    struct pair *out = arena_alloc(a, (n + 1) * sizeof *out);
    for (size_t i = 0; i < n; i++)
        if (i + 1 == n || strcmp(sorted[i]->key, sorted[i + 1]->key) != 0)
            out[kept++] = *sorted[i];
    return (struct pairs){ out, kept };
}

static int compare_texts(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

struct strings strings_merge(struct arena *a, struct strings first, struct strings second)
{
    size_t n = first.n + second.n, kept = 0;
    const char **all = arena_alloc(a, (n + 1) * sizeof *all);
    for (size_t i = 0; i < n; i++)
        all[i] = arena_strdup(a, i < first.n ? first.items[i] : second.items[i - first.n]);
    qsort(all, n, sizeof *all, compare_texts);
    for (size_t i = 0; i < n; i++)
        if (!kept || strcmp(all[kept - 1], all[i]) != 0)
            all[kept++] = all[i];
    return (struct strings){ all, kept };
}

struct span bytes_copy(struct arena *a, struct span bytes)
{
    char *copy = arena_alloc(a, bytes.len + 1);
    if (bytes.len)
        memcpy(copy, bytes.ptr, bytes.len);
    return span_bytes(copy, bytes.len);
}

struct visit {
    const struct vertex *v;
    size_t next; /* input to look at */
};
struct walk {
    struct {
        struct visit *items;
        size_t n, cap;
    } stack;
    struct map seen; /* by digest: vertices of two builders may be equal */
    struct vertex_list *order;
};

static void walk_enter(struct walk *w, const struct vertex *v)
{
    struct digest_text key = digest_text(&v->digest);
    if (map_has(&w->seen, key.s))
        return;
    map_set(&w->seen, key.s, w);
    *vec_push(&w->stack) = (struct visit){ .v = v };
}

/* Depth first without recursion: a chain may be as long as LIMIT_GRAPH_VERTICES. */
static void walk_from(struct walk *w, const struct vertex *root)
{
    walk_enter(w, root);
    while (w->stack.n) {
        struct visit *top = &w->stack.items[w->stack.n - 1];
        if (top->next < top->v->n_inputs) {
            walk_enter(w, top->v->inputs[top->next++].vertex);
            continue;
        }
        *vec_push(w->order) = top->v;
        w->stack.n--;
    }
}

void vertices_collect(const struct edge *results, size_t n, struct vertex_list *order)
{
    struct walk w = { .order = order };
    for (size_t i = 0; i < n; i++)
        if (results[i].vertex)
            walk_from(&w, results[i].vertex);
    vec_clear(&w.stack);
    map_clear(&w.seen);
}

static void collect_files(struct graph *g)
{
    struct {
        const struct source_file **items;
        size_t n, cap;
    } files = { 0 };
    for (size_t i = 0; i < g->n_vertices; i++)
        for (size_t r = 0; r < g->vertices[i]->n_ranges; r++) {
            const struct source_file *f = g->vertices[i]->ranges[r].file;
            size_t k = 0;
            while (k < files.n && files.items[k] != f)
                k++;
            if (k == files.n)
                *vec_push(&files) = f;
        }
    const struct source_file **copy = arena_alloc(g->arena, (files.n + 1) * sizeof *copy);
    for (size_t i = 0; i < files.n; i++)
        copy[i] = files.items[i];
    g->files = copy;
    g->n_files = files.n;
    vec_clear(&files);
}

struct graph *graph_new(struct arena *a, const struct edge *results, size_t n)
{
    struct graph *g = xcalloc(1, sizeof *g);
    struct vertex_list order = { 0 };
    g->arena = a;
    vertices_collect(results, n, &order);
    const struct vertex **vertices = arena_alloc(a, (order.n + 1) * sizeof *vertices);
    for (size_t i = 0; i < order.n; i++) {
        vertices[i] = order.items[i];
        /* The one who finishes a graph owns its vertices; to all others they are const. */
        ((struct vertex *)(uintptr_t)order.items[i])->position = i;
    }
    g->vertices = vertices;
    g->n_vertices = order.n;
    vec_clear(&order);
    struct edge *copy = arena_alloc(a, n * sizeof *copy);
    memcpy(copy, results, n * sizeof *copy);
    g->results = copy;
    g->n_results = n;
    collect_files(g);
    return g;
}
