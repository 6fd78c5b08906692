/* build/eager.c - layers are packed and compressed while later steps still run.
 *
 * Which vertices will be layers of the image is known from the graph: the chain from the result
 * down, each through the input that it changes.  An error is of no interest here: the export does
 * the same again and tells. */
#include <stdlib.h>

#include "base/core/mem.h"
#include "build/internal.h"

struct eager {
    struct export_host host;
    const struct export_spec *spec;
    const struct graph *graph;
    bool *is_layer; /* [n_vertices]: of the image */
    struct task_group *group;
    pthread_mutex_t lock; /* guards tasks */
    vec(struct eager_task *) tasks;
};

struct eager_task {
    struct eager *eager;
    struct snapshot *snapshot; /* a reference */
};

/* The input that a vertex makes its layer on. */
static struct edge base_of(const struct vertex *v)
{
    struct edge none = { 0 };
    if (v->type == OP_EXEC)
        for (size_t i = 0; i < v->exec.n_mounts; i++) {
            const struct op_mount *m = &v->exec.mounts[i];
            if (m->dest[0] == '/' && !m->dest[1])
                return m->input >= 0 ? v->inputs[m->input] : none;
        }
    if (v->type == OP_FILE && v->file.n_actions > 0 && v->file.actions[0].input >= 0 &&
        (size_t)v->file.actions[0].input < v->n_inputs)
        return v->inputs[v->file.actions[0].input];
    return none;
}

struct eager *eager_new(const struct export_host *h, const struct export_spec *s,
                        const struct graph *g)
{
    struct eager *e = xcalloc(1, sizeof *e);
    e->host = *h;
    e->spec = s;
    e->graph = g;
    e->is_layer = xcalloc(g->n_vertices + 1, sizeof *e->is_layer);
    e->group = task_group_new(h->pool, 2);
    pthread_mutex_init(&e->lock, NULL);
    for (struct edge at = g->results[0]; at.vertex; at = base_of(at.vertex))
        e->is_layer[at.vertex->position] = at.vertex->type != OP_SOURCE;
    return e;
}

static int seal(void *arg, struct err *err)
{
    struct eager_task *t = arg;
    struct err own = { 0 };
    (void)err;
    (void)!export_seal(&t->eager->host, t->eager->spec, t->snapshot, &own);
    return 0;
}

void eager_take(void *eager, struct edge edge, struct result *r)
{
    struct eager *e = eager;
    struct snapshot *s = NULL;
    struct err own = { 0 };
    if (!e->is_layer[edge.vertex->position] || edge.index != 0 || result_snapshot(r, &s, &own) ||
        !s)
        return;
    struct eager_task *t = xcalloc(1, sizeof *t);
    *t = (struct eager_task){ .eager = e, .snapshot = snapshot_ref(s) };
    pthread_mutex_lock(&e->lock);
    *vec_push(&e->tasks) = t;
    pthread_mutex_unlock(&e->lock);
    task_group_add(e->group, seal, t);
}

void eager_free(struct eager *e)
{
    if (!e)
        return;
    task_group_free(e->group);
    vec_each (&e->tasks, t) {
        snapshot_unref((*t)->snapshot);
        free(*t);
    }
    vec_clear(&e->tasks);
    pthread_mutex_destroy(&e->lock);
    free(e->is_layer);
    free(e);
}
