/* engine/remotecache/ledger.c - see ledger.h. */
#include "engine/remotecache/ledger.h"

void ledger_init(struct ledger *l, const struct graph *g)
{
    *l = (struct ledger){ .graph = g, .arena = arena_new() };
    pthread_mutex_init(&l->lock, NULL);
    l->vertices = arena_alloc(l->arena, sizeof *l->vertices * (g->n_vertices + 1));
    for (size_t i = 0; i < g->n_vertices; i++) {
        struct ledger_vertex *v = &l->vertices[i];
        const struct vertex *vertex = v->vertex = g->vertices[i];
        v->selectors = arena_alloc(l->arena, sizeof *v->selectors * (vertex->n_inputs + 1));
        v->contents = arena_alloc(l->arena, sizeof *v->contents * (vertex->n_inputs + 1));
        v->has_result = arena_alloc(l->arena, sizeof *v->has_result * (vertex->n_outputs + 1));
        v->results = arena_alloc(l->arena, sizeof *v->results * (vertex->n_outputs + 1));
    }
}

void ledger_clear(struct ledger *l)
{
    if (!l->arena)
        return;
    for (size_t i = 0; i < l->graph->n_vertices; i++)
        for (uint32_t k = 0; k < l->graph->vertices[i]->n_outputs; k++)
            result_unref(l->vertices[i].results[k]);
    arena_free(l->arena);
    pthread_mutex_destroy(&l->lock);
    *l = (struct ledger){ 0 };
}

struct ledger_vertex *ledger_know(struct ledger *l, const struct vertex_keys *k)
{
    struct ledger_vertex *v = &l->vertices[k->vertex->position];
    v->is_known = true;
    v->is_volatile = k->key->is_volatile;
    v->op = k->key->digest;
    v->definition = k->definition;
    for (size_t i = 0; i < k->vertex->n_inputs; i++) {
        if (k->key->inputs)
            v->selectors[i] = k->key->inputs[i].selector;
        v->contents[i] = k->input_content[i];
    }
    return v;
}

void ledger_take(void *ledger, struct edge edge, struct result *r)
{
    struct ledger *l = ledger;
    struct ledger_vertex *v = &l->vertices[edge.vertex->position];
    pthread_mutex_lock(&l->lock);
    if (!v->has_result[edge.index]) {
        v->has_result[edge.index] = true;
        v->results[edge.index] = result_ref(r);
    }
    pthread_mutex_unlock(&l->lock);
}
