/* engine/remotecache/importer.c - see importer.h. */
#include "engine/remotecache/importer.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/core/mem.h"
#include "engine/ops/ops.h"
#include "engine/remotecache/match.h"

struct importer {
    struct snapshots *snapshots;
    const struct imported_caches *caches;
    struct ledger *ledger;        /* its lock guards the matches too */
    struct cache_match **matches; /* owned; one for each cache */
    atomic_size_t n_hits;
    struct solver_import ops;
};

static void know(void *arg, const struct vertex_keys *k)
{
    struct importer *i = arg;
    pthread_mutex_lock(&i->ledger->lock);
    const struct ledger_vertex *v = ledger_know(i->ledger, k);
    for (size_t n = 0; n < i->caches->n; n++)
        cache_match_vertex(i->matches[n], v);
    pthread_mutex_unlock(&i->ledger->lock);
}

/* Of the first cache that has it. */
static bool find_chain(struct importer *i, const struct vertex *v, uint32_t output,
                       struct layer_chain *out, const char **origin)
{
    bool is_there = false;
    pthread_mutex_lock(&i->ledger->lock);
    for (size_t n = 0; n < i->caches->n && !is_there; n++) {
        const struct imported_cache *c = i->caches->items[n];
        const struct cache_result *r = cache_match_result(i->matches[n], v, output);
        is_there = r != NULL;
        *origin = c->origin;
        if (r)
            imported_cache_chain(c, r, out);
    }
    pthread_mutex_unlock(&i->ledger->lock);
    return is_there;
}

int importer_find(struct importer *i, const struct vertex *v, uint32_t output,
                  struct snapshot **out, bool *is_there, struct err *err)
{
    AUTO_VALUE(layer_chain_clear) struct layer_chain chain = { 0 };
    const char *origin = NULL;
    *out = NULL;
    *is_there = false;
    if (v->type == OP_SOURCE)
        return 0;
    *is_there = find_chain(i, v, output, &chain, &origin);
    if (!*is_there)
        return 0;
    return snapshot_of_layers(i->snapshots, chain.items, chain.n, origin, out, err) ||
                   snapshot_set_created(i->snapshots, *out, chain.created_s, err)
               ? err_wrap(err, "take a result from the cache %s", origin)
               : 0;
}

/* All outputs or none. */
static int find(void *arg, const struct vertex *v, struct result **outputs, bool *is_there,
                struct err *err)
{
    struct importer *i = arg;
    struct result **found = xcalloc(v->n_outputs + 1, sizeof *found);
    int status = 0;
    *is_there = v->n_outputs > 0;
    for (uint32_t k = 0; k < v->n_outputs && *is_there && status == 0; k++) {
        struct snapshot *s = NULL;
        status = importer_find(i, v, k, &s, is_there, err);
        found[k] = status == 0 ? result_of_snapshot(s) : NULL;
        if (status)
            snapshot_unref(s);
    }
    bool is_good = status == 0 && *is_there;
    for (uint32_t k = 0; k < v->n_outputs; k++) {
        if (is_good)
            outputs[k] = found[k];
        else
            result_unref(found[k]);
    }
    free(found);
    i->n_hits += is_good;
    return status;
}

struct importer *importer_new(struct snapshots *s, const struct imported_caches *caches,
                              struct ledger *l)
{
    struct importer *i = xcalloc(1, sizeof *i);
    *i = (struct importer){ .snapshots = s, .caches = caches, .ledger = l };
    i->ops = (struct solver_import){ .arg = i, .know = know, .find = caches->n ? find : NULL };
    i->matches = xcalloc(caches->n + 1, sizeof(struct cache_match *));
    for (size_t n = 0; n < caches->n; n++)
        i->matches[n] = cache_match_new(caches->items[n], l->graph);
    return i;
}

void importer_free(struct importer *i)
{
    if (!i)
        return;
    for (size_t n = 0; n < i->caches->n; n++)
        cache_match_free(i->matches[n]);
    free(i->matches);
    free(i);
}

const struct solver_import *importer_ops(struct importer *i)
{
    return &i->ops;
}

size_t importer_n_hits(struct importer *i)
{
    return i->n_hits;
}

void importer_each_leaf(struct importer *i, const struct vertex *v, size_t input,
                        void (*take)(void *arg, const struct digest *record,
                                     const struct digest *selector),
                        void *arg)
{
    for (size_t n = 0; n < i->caches->n; n++) {
        const struct cache_document *d = &i->caches->items[n]->document;
        for (uint32_t output = 0; output < v->n_outputs; output++) {
            size_t n_records = 0;
            const uint32_t *records = cache_match_records(i->matches[n], v, output, &n_records);
            for (size_t k = 0; k < n_records; k++) {
                const struct cache_links *links = &d->records[records[k]].inputs[input];
                for (size_t l = 0; l < links->n; l++)
                    if (d->records[links->items[l].record].n_inputs == 0)
                        take(arg, &d->records[links->items[l].record].digest,
                             &links->items[l].selector);
            }
        }
    }
}
