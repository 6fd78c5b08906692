/* engine/remotecache/match.c - see match.h.
 *
 * Records are found by digest in a sorted list.  What the inputs of a vertex may be is marked by a
 * number of that turn, so that a look costs the links of the records that have its digest and no
 * more, whatever a document does. */
#include "engine/remotecache/match.h"

#include <stdlib.h>

#include "base/core/mem.h"

struct matched {
    uint32_t *items; /* owned */
    size_t n, cap;
};

struct cache_match {
    const struct imported_cache *cache;
    const struct graph *graph;
    uint32_t *by_digest;      /* [n_records]: indexes, sorted by the records' digests */
    struct matched **outputs; /* [n_vertices][n_outputs] */
    uint32_t *by_record;      /* [n_records]: the turn in which the record may be the input */
    uint32_t *by_content;     /* the same for what it reads */
    uint32_t turn;
};

static const struct cache_record *record_at(const struct cache_match *m, size_t i)
{
    return &m->cache->document.records[i];
}

static int compare(const void *a, const void *b, void *match)
{
    const struct cache_match *m = match;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    int order = digest_compare(&record_at(m, x)->digest, &record_at(m, y)->digest);
    return order ? order : (x > y) - (x < y);
}

struct cache_match *cache_match_new(const struct imported_cache *c, const struct graph *g)
{
    struct cache_match *m = xcalloc(1, sizeof *m);
    size_t n = c->document.n_records;
    *m = (struct cache_match){ .cache = c, .graph = g };
    m->by_digest = xcalloc(n + 1, sizeof *m->by_digest);
    m->by_record = xcalloc(n + 1, sizeof *m->by_record);
    m->by_content = xcalloc(n + 1, sizeof *m->by_content);
    for (size_t i = 0; i < n; i++)
        m->by_digest[i] = (uint32_t)i;
    qsort_r(m->by_digest, n, sizeof *m->by_digest, compare, m);
    m->outputs = xcalloc(g->n_vertices + 1, sizeof *m->outputs);
    for (size_t i = 0; i < g->n_vertices; i++)
        m->outputs[i] = xcalloc(g->vertices[i]->n_outputs + 1, sizeof **m->outputs);
    return m;
}

void cache_match_free(struct cache_match *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->graph->n_vertices; i++) {
        for (uint32_t k = 0; k < m->graph->vertices[i]->n_outputs; k++)
            vec_clear(&m->outputs[i][k]);
        free(m->outputs[i]);
    }
    free(m->outputs);
    free(m->by_digest);
    free(m->by_record);
    free(m->by_content);
    free(m);
}

/* Where records of this digest begin in by_digest. */
static size_t first_of(const struct cache_match *m, const struct digest *d)
{
    size_t low = 0, high = m->cache->document.n_records;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (digest_compare(&record_at(m, m->by_digest[middle])->digest, d) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_of(const struct cache_match *m, size_t place, const struct digest *d)
{
    return place < m->cache->document.n_records &&
           digest_equal(&record_at(m, m->by_digest[place])->digest, d);
}

/* Marks all that input i may be with a number of its own. */
static void mark_input(struct cache_match *m, const struct ledger_vertex *v, size_t i)
{
    struct edge e = v->vertex->inputs[i];
    m->turn++;
    const struct matched *below = &m->outputs[e.vertex->position][e.index];
    vec_each (below, record)
        m->by_record[*record] = m->turn;
    if (!digest_is_set(&v->contents[i]))
        return;
    struct digest d = record_digest(&v->contents[i], -1);
    for (size_t at = first_of(m, &d); is_of(m, at, &d); at++)
        if (record_at(m, m->by_digest[at])->n_inputs == 0)
            m->by_content[m->by_digest[at]] = m->turn;
}

static bool may_be_linked(const struct cache_match *m, const struct cache_links *links,
                          const struct digest *selector)
{
    for (size_t i = 0; i < links->n; i++) {
        const struct cache_link *l = &links->items[i];
        if (m->by_record[l->record] == m->turn && digest_equal(&l->selector, selector))
            return true;
        if (m->by_content[l->record] == m->turn && !digest_is_set(&l->selector))
            return true;
    }
    return false;
}

/* Takes out of `may` what input i cannot be. */
static void keep_linked(struct cache_match *m, const struct ledger_vertex *v, size_t i,
                        struct matched *may)
{
    size_t n = 0;
    mark_input(m, v, i);
    vec_each (may, record) {
        const struct cache_record *r = record_at(m, *record);
        if (may_be_linked(m, &r->inputs[i], &v->selectors[i]))
            may->items[n++] = *record;
    }
    may->n = n;
}

void cache_match_vertex(struct cache_match *m, const struct ledger_vertex *v)
{
    for (uint32_t output = 0; output < v->vertex->n_outputs; output++) {
        struct digest d = record_digest(&v->op, output);
        struct matched *may = &m->outputs[v->vertex->position][output];
        may->n = 0;
        if (v->is_volatile)
            continue;
        for (size_t at = first_of(m, &d); is_of(m, at, &d); at++)
            if (record_at(m, m->by_digest[at])->n_inputs == v->vertex->n_inputs)
                *vec_push(may) = m->by_digest[at];
        for (size_t i = 0; i < v->vertex->n_inputs && may->n; i++)
            keep_linked(m, v, i, may);
    }
}

const uint32_t *cache_match_records(const struct cache_match *m, const struct vertex *v,
                                    uint32_t output, size_t *n)
{
    const struct matched *found = &m->outputs[v->position][output];
    *n = found->n;
    return found->items;
}

static bool is_younger(const struct cache_result *a, const struct cache_result *b)
{
    return !b || a->created.tv_sec > b->created.tv_sec ||
           (a->created.tv_sec == b->created.tv_sec && a->created.tv_nsec > b->created.tv_nsec);
}

const struct cache_result *cache_match_result(const struct cache_match *m, const struct vertex *v,
                                              uint32_t output)
{
    const struct cache_result *best = NULL;
    const struct matched *found = &m->outputs[v->position][output];
    vec_each (found, record) {
        const struct cache_record *r = record_at(m, *record);
        for (size_t i = 0; i < r->n_results; i++)
            if (is_younger(&r->results[i], best) && imported_cache_has(m->cache, &r->results[i]))
                best = &r->results[i];
    }
    return best;
}
