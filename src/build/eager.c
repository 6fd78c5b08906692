/* build/eager.c - layers are packed, compressed and pushed while later steps still run.
 *
 * Which vertices will be layers of the image is known from the graph: the chain from the result
 * down, each through the input that it changes.  Layers of the base image are sent (or mounted, or
 * found there) as soon as the base is known; a step's layer is sealed, then
 * sent.  Of several outputs each has it sealed as it asks; who asks alike finds the other's blob,
 * and what a registry was sent it is not sent again.  An error is of no interest here: the export
 * does the same again and tells. */
#include <stdatomic.h>
#include <stdlib.h>

#include "base/core/mem.h"
#include "build/internal.h"

enum { SEALS_AT_ONCE = 2, PUSHES_AT_ONCE = 4 };

struct eager {
    struct export_host host;
    const struct export_spec *specs; /* [n_specs] */
    size_t n_specs;
    const struct graph *graph;
    bool *is_layer; /* [n_vertices]: of the image */
    struct task_group *seals, *pushes;
    atomic_size_t n_unsealed; /* layers that wait to be packed, or are being packed */
    pthread_mutex_t lock;     /* guards tasks */
    vec(struct eager_task *) tasks;
};

struct eager_task {
    struct eager *eager;
    struct snapshot *snapshot; /* a reference */
    bool is_base;              /* of the base image */
};

struct edge layer_base(const struct vertex *v)
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

struct eager *eager_new(const struct export_host *h, const struct export_spec *specs, size_t n,
                        const struct graph *g)
{
    struct eager *e = xcalloc(1, sizeof *e);
    e->host = *h;
    e->specs = specs;
    e->n_specs = n;
    e->graph = g;
    e->is_layer = xcalloc(g->n_vertices + 1, sizeof *e->is_layer);
    /* Not on the computing pool: who packs a layer mostly waits for those that compress it. */
    e->seals = task_group_new(h->transfers, SEALS_AT_ONCE);
    e->pushes = task_group_new(h->transfers, PUSHES_AT_ONCE);
    pthread_mutex_init(&e->lock, NULL);
    for (struct edge at = g->results[0]; at.vertex; at = layer_base(at.vertex))
        e->is_layer[at.vertex->position] = true;
    return e;
}

static int push(void *arg, struct err *err)
{
    struct eager_task *t = arg;
    const struct eager *e = t->eager;
    (void)err;
    for (size_t i = 0; i < e->n_specs; i++) {
        struct err own = { 0 };
        (void)!export_push_layer(&e->host, &e->specs[i], t->snapshot, t->is_base, &own);
    }
    return 0;
}

static int seal(void *arg, struct err *err)
{
    struct eager_task *t = arg;
    struct eager *e = t->eager;
    (void)err;
    for (size_t i = 0; i < e->n_specs; i++) {
        struct err own = { 0 };
        (void)!export_seal(&e->host, &e->specs[i], t->snapshot, &own);
    }
    task_group_add(e->pushes, push, t);
    atomic_fetch_sub(&e->n_unsealed, 1);
    return 0;
}

static struct eager_task *task_new(struct eager *e, struct snapshot *s, bool is_base)
{
    struct eager_task *t = xcalloc(1, sizeof *t);
    *t = (struct eager_task){ .eager = e, .snapshot = snapshot_ref(s), .is_base = is_base };
    pthread_mutex_lock(&e->lock);
    *vec_push(&e->tasks) = t;
    pthread_mutex_unlock(&e->lock);
    return t;
}

void eager_take(void *eager, struct edge edge, struct result *r)
{
    struct eager *e = eager;
    struct snapshot *s = NULL;
    struct err own = { 0 };
    if (!e->is_layer[edge.vertex->position] || edge.index != 0 || result_snapshot(r, &s, &own) ||
        !s)
        return;
    if (edge.vertex->type != OP_SOURCE) {
        atomic_fetch_add(&e->n_unsealed, 1);
        task_group_add(e->seals, seal, task_new(e, s, false));
    } else {
        for (; s; s = snapshot_parent(s))
            task_group_add(e->pushes, push, task_new(e, s, true));
    }
}

void eager_wait(struct eager *e)
{
    static const char shown[] = "exporting layers";
    struct err ignored = { 0 };
    if (atomic_load(&e->n_unsealed) == 0)
        return;
    progress_task_start(e->host.progress, shown, shown);
    (void)!task_group_wait(e->seals, &ignored);
    progress_task_end(e->host.progress, shown, 0, NULL);
}

void eager_free(struct eager *e)
{
    if (!e)
        return;
    task_group_free(e->seals); /* first: seals add pushes */
    task_group_free(e->pushes);
    vec_each (&e->tasks, t) {
        snapshot_unref((*t)->snapshot);
        free(*t);
    }
    vec_clear(&e->tasks);
    pthread_mutex_destroy(&e->lock);
    free(e->is_layer);
    free(e);
}
