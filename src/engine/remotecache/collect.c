/* engine/remotecache/collect.c - see collect.h. */
#include "engine/remotecache/collect.h"

#include <stdlib.h>
#include <string.h>

#include "base/core/mem.h"
#include "engine/ops/ops.h"

enum { NO_DRAFT = -1 };

struct links {
    struct cache_link *items; /* `record` is an index of drafts */
    size_t n, cap;
};

/* A record in the making. */
struct draft {
    struct digest digest;
    struct links *inputs; /* owned; [n_inputs] */
    size_t n_inputs;
    struct snapshot *result; /* a reference; NULL: none */
    int32_t next;            /* one with the same digest; NO_DRAFT */
    bool is_needed;          /* leads to a result */
};

struct collector {
    const struct export_host *host;
    const struct solver_cache *cache;
    struct {
        struct draft *items;
        size_t n, cap;
    } drafts;
    struct map by_digest; /* -> the last draft's index + 1 */
    struct map layers;    /* snapshot id -> struct collected_layer */
    vec(struct collected_layer *) list;
    /* of the part that is being added */
    const struct cache_part *part;
    int32_t **of_outputs; /* [n_vertices][n_outputs]: index of a draft */
    struct map in_result; /* ids of the snapshots of the result's chain */
};

static void layer_free(void *p)
{
    struct collected_layer *l = p;
    snapshot_unref(l->snapshot);
    layer_ref_clear(&l->sealed);
    free(l);
}

struct collector *collector_new(const struct export_host *h, const struct solver_cache *cache)
{
    struct collector *c = xcalloc(1, sizeof *c);
    *c = (struct collector){ .host = h, .cache = cache };
    c->layers.free_value = layer_free;
    return c;
}

static void draft_clear(struct draft *d)
{
    for (size_t i = 0; i < d->n_inputs; i++)
        vec_clear(&d->inputs[i]);
    free(d->inputs);
    snapshot_unref(d->result);
}

void collector_free(struct collector *c)
{
    if (!c)
        return;
    vec_each (&c->drafts, d)
        draft_clear(d);
    vec_clear(&c->drafts);
    map_clear(&c->by_digest);
    vec_clear(&c->list);
    map_clear(&c->layers);
    free(c);
}

/* ---- drafts ---- */

static bool has_link(const struct links *l, const struct cache_link *link)
{
    vec_each (l, at)
        if (at->record == link->record && digest_equal(&at->selector, &link->selector))
            return true;
    return false;
}

static void add_link(struct links *l, const struct digest *selector, uint32_t record)
{
    struct cache_link link = { .selector = *selector, .record = record };
    if (!has_link(l, &link))
        *vec_push(l) = link;
}

static bool share_a_link(const struct links *a, const struct links *b)
{
    vec_each (a, link)
        if (has_link(b, link))
            return true;
    return false;
}

/* Whether both may be one record: somebody could take either for the other. */
static bool is_same(const struct draft *a, const struct draft *b)
{
    if (a->n_inputs != b->n_inputs)
        return false;
    for (size_t i = 0; i < a->n_inputs; i++)
        if (!share_a_link(&a->inputs[i], &b->inputs[i]))
            return false;
    return true;
}

/* Whether `from` needs `to`, however far down. */
static bool leads_to(const struct collector *c, uint32_t from, uint32_t to)
{
    AUTO_FREE bool *was_seen = xcalloc(c->drafts.n + 1, sizeof *was_seen);
    AUTO_FREE uint32_t *waiting = xcalloc(c->drafts.n + 1, sizeof *waiting);
    size_t n = 1;
    waiting[0] = from;
    was_seen[from] = true;
    while (n > 0 && waiting[n - 1] != to) {
        const struct draft *d = &c->drafts.items[waiting[--n]];
        for (size_t i = 0; i < d->n_inputs; i++)
            vec_each (&d->inputs[i], l) {
                if (!was_seen[l->record])
                    waiting[n++] = l->record;
                was_seen[l->record] = true;
            }
    }
    return n > 0;
}

/* Adds to `at` what `from` has more, but for links by which it would need itself. */
static void merge(struct collector *c, uint32_t at, struct draft *from)
{
    struct draft *to = &c->drafts.items[at];
    for (size_t i = 0; i < from->n_inputs; i++)
        vec_each (&from->inputs[i], l)
            if (!has_link(&to->inputs[i], l) && !leads_to(c, l->record, at))
                *vec_push(&to->inputs[i]) = *l;
    if (!to->result)
        to->result = STEAL(from->result);
    draft_clear(from);
}

/* Takes it; returns its index, or that of the one that it is. */
static int32_t put_draft(struct collector *c, struct draft *d)
{
    struct digest_text key = digest_text(&d->digest);
    size_t last = (size_t)map_find(&c->by_digest, key.s);
    for (int32_t at = (int32_t)last - 1; at >= 0; at = c->drafts.items[at].next)
        if (is_same(&c->drafts.items[at], d)) {
            merge(c, (uint32_t)at, d);
            return at;
        }
    d->next = (int32_t)last - 1;
    *vec_push(&c->drafts) = *d;
    map_set(&c->by_digest, key.s, (void *)c->drafts.n);
    return (int32_t)c->drafts.n - 1;
}

static uint32_t put_leaf(struct collector *c, const struct digest *digest)
{
    struct draft leaf = { .digest = *digest };
    return (uint32_t)put_draft(c, &leaf);
}

/* ---- from vertices ---- */

/* What the store, or a cache that was imported, knows of a vertex that nobody wanted. */
static int complete(struct collector *c, struct ledger_vertex *v, struct err *err)
{
    const struct vertex *vertex = v->vertex;
    bool is_there = false;
    if (vertex->n_inputs == 0 || v->is_volatile || vertex->n_outputs == 0 || v->has_result[0])
        return 0;
    struct solver_record r = { .vertex = vertex,
                               .input_content = v->contents,
                               .outputs = v->results };
    if (c->cache && c->cache->find(c->cache->arg, &v->definition, &r, &is_there, err))
        return -1;
    for (uint32_t i = 0; i < vertex->n_outputs; i++) {
        struct snapshot *s = NULL;
        bool is_elsewhere = false;
        if (!is_there && importer_find(c->part->importer, vertex, i, &s, &is_elsewhere, err))
            return -1;
        v->has_result[i] = is_there || is_elsewhere;
        if (is_elsewhere)
            v->results[i] = result_of_snapshot(s);
    }
    return 0;
}

/* The part of a build that others may want: what a step made, and, without is_max, of that only
 * what is in the result. */
static int find_result(struct collector *c, const struct ledger_vertex *v, uint32_t output,
                       bool is_max, struct snapshot **out, struct err *err)
{
    *out = NULL;
    if (v->vertex->n_inputs == 0 || !v->has_result[output] ||
        v->vertex->export_cache == EXPORT_CACHE_NO)
        return 0;
    if (result_snapshot(v->results[output], out, err))
        return -1;
    if (*out && !is_max && !map_has(&c->in_result, snapshot_id(*out)))
        *out = NULL;
    return 0;
}

struct leaf_target {
    struct collector *collector;
    struct links *links;
};

static void take_leaf(void *arg, const struct digest *record, const struct digest *selector)
{
    struct leaf_target *t = arg;
    add_link(t->links, selector, put_leaf(t->collector, record));
}

static void link_input(struct collector *c, const struct ledger_vertex *v, size_t i,
                       struct links *out)
{
    static const struct digest none;
    struct edge e = v->vertex->inputs[i];
    int32_t below = c->of_outputs[e.vertex->position][e.index];
    if (below != NO_DRAFT)
        add_link(out, &v->selectors[i], (uint32_t)below);
    if (digest_is_set(&v->contents[i])) {
        struct digest d = record_digest(&v->contents[i], -1);
        add_link(out, &none, put_leaf(c, &d));
    }
    importer_each_leaf(c->part->importer, v->vertex, i, take_leaf,
                       &(struct leaf_target){ .collector = c, .links = out });
}

static int add_output(struct collector *c, const struct ledger_vertex *v, uint32_t output,
                      bool is_max, struct err *err)
{
    struct snapshot *result = NULL;
    bool is_whole = true;
    if (find_result(c, v, output, is_max, &result, err))
        return -1;
    struct draft d = { .digest = record_digest(&v->op, output), .n_inputs = v->vertex->n_inputs };
    d.inputs = xcalloc(d.n_inputs + 1, sizeof *d.inputs);
    for (size_t i = 0; i < d.n_inputs; i++) {
        link_input(c, v, i, &d.inputs[i]);
        is_whole &= d.inputs[i].n > 0;
    }
    d.result = snapshot_ref(result);
    if (is_whole)
        c->of_outputs[v->vertex->position][output] = put_draft(c, &d);
    else
        draft_clear(&d); /* of a context nobody can say again what it was */
    return 0;
}

static int add_vertices(struct collector *c, bool is_max, struct err *err)
{
    struct ledger *l = c->part->ledger;
    for (size_t i = 0; i < l->graph->n_vertices; i++) {
        struct ledger_vertex *v = &l->vertices[i];
        for (uint32_t k = 0; k < v->vertex->n_outputs; k++)
            c->of_outputs[i][k] = NO_DRAFT;
        if (!v->is_known || v->is_volatile)
            continue;
        if (complete(c, v, err))
            return -1;
        for (uint32_t k = 0; k < v->vertex->n_outputs; k++)
            if (add_output(c, v, k, is_max, err))
                return -1;
    }
    return 0;
}

/* ---- layers ---- */

static void add_layers(struct collector *c, struct snapshot *s)
{
    for (; s && !map_has(&c->layers, snapshot_id(s)); s = snapshot_parent(s)) {
        struct collected_layer *l = xcalloc(1, sizeof *l);
        *l = (struct collected_layer){ .snapshot = snapshot_ref(s), .place = -1 };
        map_set(&c->layers, snapshot_id(s), l);
        *vec_push(&c->list) = l;
    }
}

int collector_add(struct collector *c, const struct cache_part *part, bool is_max, struct err *err)
{
    const struct graph *g = part->ledger->graph;
    c->part = part;
    c->of_outputs = xcalloc(g->n_vertices + 1, sizeof *c->of_outputs);
    for (size_t i = 0; i < g->n_vertices; i++)
        c->of_outputs[i] = xcalloc(g->vertices[i]->n_outputs + 1, sizeof **c->of_outputs);
    for (struct snapshot *s = part->result; s; s = snapshot_parent(s))
        map_set(&c->in_result, snapshot_id(s), s);
    int status = add_vertices(c, is_max, err);
    vec_each (&c->drafts, d)
        add_layers(c, d->result);
    for (size_t i = 0; i < g->n_vertices; i++)
        free(c->of_outputs[i]);
    free(STEAL(c->of_outputs));
    map_clear(&c->in_result);
    c->part = NULL;
    return status;
}

struct collected_layer **collector_layers(struct collector *c, size_t *n)
{
    *n = c->list.n;
    return c->list.items;
}

struct collected_layer *collector_layer_of(struct collector *c, const struct snapshot *s)
{
    return map_find(&c->layers, snapshot_id(s));
}

/* ---- the document ---- */

/* Marks a draft that has a result, and all that it may be made of. */
static void need(struct collector *c, struct draft *d)
{
    if (d->is_needed)
        return;
    d->is_needed = true;
    for (size_t i = 0; i < d->n_inputs; i++)
        vec_each (&d->inputs[i], l)
            need(c, &c->drafts.items[l->record]);
}

/* Of layers that are the same blob on the same one below there is one. */
static int32_t put_layer(struct collector *c, struct cache_document *d, struct map *known,
                         struct snapshot *s)
{
    if (!s)
        return -1;
    struct collected_layer *l = collector_layer_of(c, s);
    if (l->place >= 0)
        return l->place;
    int32_t parent = put_layer(c, d, known, snapshot_parent(s));
    AUTO_FREE char *key = xasprintf("%s %d", digest_text(&l->sealed.blob.digest).s, parent);
    size_t place = (size_t)map_find(known, key);
    if (!place) {
        d->layers[d->n_layers++] =
            (struct cache_layer){ .blob = l->sealed.blob.digest, .parent = parent };
        place = d->n_layers;
        map_set(known, key, (void *)place);
    }
    l->place = (int32_t)place - 1;
    return l->place;
}

static void copy_links(struct arena *a, const struct links *from, const uint32_t *places,
                       struct cache_links *to)
{
    to->n = from->n;
    to->items = arena_alloc(a, sizeof *to->items * (from->n + 1));
    for (size_t i = 0; i < from->n; i++) {
        to->items[i] = from->items[i];
        to->items[i].record = places[from->items[i].record];
    }
}

static void copy_draft(struct collector *c, const struct draft *from, const uint32_t *places,
                       struct map *known, struct cache_document *d)
{
    struct cache_record *r = &d->records[d->n_records++];
    *r = (struct cache_record){ .digest = from->digest, .n_inputs = from->n_inputs };
    r->inputs = arena_alloc(d->arena, sizeof *r->inputs * (r->n_inputs + 1));
    for (size_t i = 0; i < r->n_inputs; i++)
        copy_links(d->arena, &from->inputs[i], places, &r->inputs[i]);
    r->results = arena_alloc(d->arena, sizeof *r->results);
    if (from->result)
        r->results[r->n_results++] =
            (struct cache_result){ .layer = put_layer(c, d, known, from->result),
                                   .created.tv_sec = snapshot_created_s(from->result) };
}

/* Which layer each place of the sorted document is. */
static struct collected_layer **order_layers(struct collector *c, const struct cache_document *d,
                                             const struct cache_layer *unsorted)
{
    struct collected_layer **out = xcalloc(d->n_layers + 1, sizeof(struct collected_layer *));
    struct map by_blob = { 0 };
    vec_each (&c->list, l)
        if ((*l)->place >= 0)
            map_set(&by_blob, digest_text(&unsorted[(*l)->place].blob).s, *l);
    for (size_t i = 0; i < d->n_layers; i++)
        out[i] = map_find(&by_blob, digest_text(&d->layers[i].blob).s);
    map_clear(&by_blob);
    return out;
}

void collector_document(struct collector *c, struct cache_document *out,
                        struct collected_layer ***layers)
{
    struct cache_document d = { .arena = arena_new() };
    struct map known = { 0 };
    AUTO_FREE uint32_t *places = xcalloc(c->drafts.n + 1, sizeof *places);
    uint32_t n = 0;
    vec_each (&c->drafts, draft)
        if (draft->result)
            need(c, draft);
    for (size_t i = 0; i < c->drafts.n; i++)
        if (c->drafts.items[i].is_needed)
            places[i] = n++;
    vec_each (&c->list, l)
        (*l)->place = -1;
    d.layers = arena_alloc(d.arena, sizeof *d.layers * (c->list.n + 1));
    d.records = arena_alloc(d.arena, sizeof *d.records * (n + 1));
    vec_each (&c->drafts, draft)
        if (draft->is_needed)
            copy_draft(c, draft, places, &known, &d);
    map_clear(&known);
    const struct cache_layer *unsorted = d.layers;
    cache_document_sort(&d);
    *layers = order_layers(c, &d, unsorted);
    *out = d;
}
