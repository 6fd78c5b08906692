/* engine/solver/solve.c - from the results down: ask the cache, else the inputs first, then run.
 *
 * Two passes over the same nodes, each a set of tasks on the pool that never wait for one another:
 * a task that ends adds those it was the last to hold up.
 *   1. identify: from the sources up, every vertex gets its definition key; vertices with equal
 * keys become one.
 *   2. demand: from the results down, the cache is asked; where it knows nothing the inputs are
 * demanded, and once they are there the content key is asked for; then the vertex runs. What nobody
 * demands is not touched, so a cached build does nothing below its results. */
#include <stdlib.h>
#include <string.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "engine/solver/internal.h"

static int task_identify(void *arg, struct err *err);
static int task_look(void *arg, struct err *err);
static int task_work(void *arg, struct err *err);

struct node *edge_node(struct solve *s, struct edge e)
{
    if (!e.vertex)
        return NULL;
    struct node *n = &s->nodes[e.vertex->position];
    return n->same ? n->same : n;
}

const struct op_impl *node_impl(const struct node *n)
{
    return n->solve->options->ops->impls[n->vertex->type];
}

struct result *node_input(const struct node *n, size_t i)
{
    struct edge e = n->vertex->inputs[i];
    const struct node *input = edge_node(n->solve, e);
    return input ? input->outputs[e.index] : NULL;
}

/* Says where in the source the failed vertex stands, and stops all others. */
static int fail(struct node *n, struct err *err)
{
    struct solve *s = n->solve;
    const struct vertex *v = n->vertex;
    if (err->kind != ERR_CANCELED) {
        AUTO_VALUE(buf_clear) struct buf name = { 0 };
        buf_init(&name, LIMIT_GRAPH_BYTES);
        vertex_print_name(v, &name);
        if (v->n_ranges > 0 && v->ranges[0].file)
            err_wrap(err, "%s:%d: %.200s", v->ranges[0].file->name, v->ranges[0].start_line,
                     name.data ? name.data : "");
        else
            err_wrap(err, "%.200s", name.data ? name.data : "");
    }
    pthread_mutex_lock(&s->lock);
    if (!s->failed && err->kind != ERR_CANCELED)
        s->failed = v;
    pthread_mutex_unlock(&s->lock);
    if (s->options->cancel)
        cancel_fire(s->options->cancel);
    return -1;
}

static void add_task(struct node *n, task_fn fn)
{
    task_group_add(n->solve->group, fn, n);
}

/* The node has its outputs: those that waited for it alone may go on. */
static void finish(struct node *n)
{
    struct solve *s = n->solve;
    if (s->options->on_result)
        for (uint32_t i = 0; i < n->vertex->n_outputs; i++)
            s->options->on_result(s->options->on_result_arg,
                                  (struct edge){ .vertex = n->vertex, .index = i }, n->outputs[i]);
    pthread_mutex_lock(&s->lock);
    n->state = NODE_DONE;
    vec_each (&n->dependents, waiting)
        if (--(*waiting)->n_unfinished == 0)
            add_task(*waiting, task_work);
    pthread_mutex_unlock(&s->lock);
}

/* Wants the node's outputs; with the lock held.  True when they are there. */
static bool demand(struct node *n)
{
    if (n->state == NODE_DONE)
        return true;
    if (n->state == NODE_IDLE) {
        n->state = NODE_LOOKING;
        add_task(n, task_look);
    }
    return false;
}

static bool may_be_known(const struct node *n)
{
    return !n->solve->options->ignores_cache && !n->vertex->ignores_cache && !n->key.is_free;
}

static bool may_ask_cache(const struct node *n)
{
    return n->solve->options->cache && may_be_known(n);
}

static struct solver_record record_of(const struct node *n)
{
    return (struct solver_record){ .vertex = n->vertex,
                                   .content = n->content,
                                   .input_content = n->input_content,
                                   .outputs = n->outputs };
}

/* Tells what is known of the node to those who make keys in their own way. */
static void let_know(struct node *n)
{
    const struct solver_import *import = n->solve->options->import;
    if (import)
        import->know(import->arg, &(struct vertex_keys){ .vertex = n->vertex,
                                                         .key = &n->key,
                                                         .definition = n->definition,
                                                         .input_content = n->input_content });
}

static void found(struct node *n, enum solve_how how)
{
    const struct solve_options *o = n->solve->options;
    struct solver_record r = record_of(n);
    if (o->on_found)
        o->on_found(o->on_found_arg, &r, how);
}

static int ask_cache(struct node *n, const struct digest *key, bool *is_there, struct err *err)
{
    const struct solver_cache *cache = n->solve->options->cache;
    struct solver_record r = record_of(n);
    if (cache->find(cache->arg, key, &r, is_there, err))
        return -1;
    if (*is_there) {
        n->content = r.content;
        let_know(n); /* the record may know what was read */
    }
    return 0;
}

static int ask_import(struct node *n, bool *is_there, struct err *err)
{
    const struct solver_import *import = n->solve->options->import;
    *is_there = false;
    if (!import || !import->find)
        return 0;
    return import->find(import->arg, n->vertex, n->outputs, is_there, err);
}

/* Demands each input once; with the lock held. */
static void demand_inputs(struct node *n)
{
    n->n_unfinished = 1; /* kept above zero until all are counted */
    for (size_t i = 0; i < n->vertex->n_inputs; i++) {
        struct node *input = edge_node(n->solve, n->vertex->inputs[i]);
        if (!input || demand(input))
            continue;
        *vec_push(&input->dependents) = n;
        n->n_unfinished++;
    }
    n->state = NODE_WAITING;
    if (--n->n_unfinished == 0)
        add_task(n, task_work);
}

/* Under its definition, and under what it reads where that is another key. */
static int remember(struct node *n, struct err *err)
{
    const struct solver_cache *cache = n->solve->options->cache;
    if (!cache || n->key.is_free)
        return 0;
    struct digest keys[] = { n->definition, n->content };
    struct solver_record r = record_of(n);
    return cache->put(cache->arg, keys, digest_equal(&keys[0], &keys[1]) ? 1 : 2, &r, err);
}

/* What others made of the same inputs.  They may not have told what they read: then the definition,
 * which is no other vertex's content key, stands for that too. */
static int look_elsewhere(struct node *n, bool *is_there, struct err *err)
{
    if (ask_import(n, is_there, err))
        return -1;
    if (!*is_there)
        return 0;
    n->content = n->definition;
    return remember(n, err);
}

/* Is the result known by its definition?  Else the inputs are wanted. */
static int task_look(void *arg, struct err *err)
{
    struct node *n = arg;
    struct solve *s = n->solve;
    bool is_there = n->key.is_volatile;
    if (!is_there && may_be_known(n)) {
        if (may_ask_cache(n) && ask_cache(n, &n->definition, &is_there, err))
            return fail(n, err);
        enum solve_how how = is_there ? SOLVE_BY_DEFINITION : SOLVE_BY_IMPORT;
        if (!is_there && look_elsewhere(n, &is_there, err))
            return fail(n, err);
        if (is_there) {
            found(n, how);
            node_tell(n, PROGRESS_CACHED, NULL);
        }
    }
    if (is_there) {
        finish(n);
        return 0;
    }
    pthread_mutex_lock(&s->lock);
    demand_inputs(n);
    pthread_mutex_unlock(&s->lock);
    return 0;
}

/* By what it reads; of equal content what is here first, then what others have. */
static int look_by_content(struct node *n, bool *is_there, struct err *err)
{
    *is_there = false;
    if (!may_be_known(n))
        return 0;
    struct digest content = n->content;
    if (may_ask_cache(n) && ask_cache(n, &content, is_there, err))
        return -1;
    n->content = content;
    enum solve_how how = *is_there ? SOLVE_BY_CONTENT : SOLVE_BY_IMPORT;
    if (!*is_there && ask_import(n, is_there, err))
        return -1;
    if (*is_there)
        found(n, how);
    return 0;
}

/* Nobody else makes the same meanwhile; who was first may just have made it. */
static int look_or_run(struct node *n, struct err *err)
{
    bool is_there = false;
    struct digest content = n->content;
    if (node_claim(n, err) ||
        (n->claim && may_ask_cache(n) && ask_cache(n, &content, &is_there, err)))
        return -1;
    n->content = content;
    found(n, is_there ? SOLVE_BY_ANOTHER : SOLVE_BY_RUNNING);
    if (is_there)
        node_tell(n, n->is_started ? PROGRESS_DONE : PROGRESS_CACHED, NULL);
    else if (node_run(n, err))
        return -1;
    return remember(n, err);
}

/* All inputs are there: is the result known by content?  Else it is made. */
static int task_work(void *arg, struct err *err)
{
    struct node *n = arg;
    bool is_there = false;
    if (cancel_check(n->solve->options->cancel, err) || node_find_content(n, err))
        return fail(n, err);
    let_know(n);
    if (look_by_content(n, &is_there, err))
        return fail(n, err);
    if (is_there)
        node_tell(n, PROGRESS_CACHED, NULL);
    int status = is_there ? remember(n, err) : look_or_run(n, err);
    node_release(n);
    if (status)
        return fail(n, err);
    finish(n);
    return 0;
}

static int task_identify(void *arg, struct err *err)
{
    struct node *n = arg;
    struct solve *s = n->solve;
    if (cancel_check(s->options->cancel, err) || node_identify(n, err))
        return fail(n, err);
    let_know(n);
    pthread_mutex_lock(&s->lock);
    if (!n->key.is_volatile) {
        struct digest_text key = digest_text(&n->definition);
        n->same = map_find(&s->by_definition, key.s);
        if (!n->same)
            map_set(&s->by_definition, key.s, n);
    }
    vec_each (&s->users[n->vertex->position], user)
        if (--(*user)->n_unidentified == 0)
            add_task(*user, task_identify);
    pthread_mutex_unlock(&s->lock);
    return 0;
}

static void identify_all(struct solve *s)
{
    for (size_t i = 0; i < s->graph->n_vertices; i++) {
        struct node *n = &s->nodes[i];
        for (size_t k = 0; k < n->vertex->n_inputs; k++) {
            *vec_push(&s->users[n->vertex->inputs[k].vertex->position]) = n;
            n->n_unidentified++;
        }
    }
    /* Counted before any task runs: those without inputs start the rest. */
    for (size_t i = 0; i < s->graph->n_vertices; i++)
        if (s->nodes[i].vertex->n_inputs == 0)
            add_task(&s->nodes[i], task_identify);
}

static void demand_results(struct solve *s)
{
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->graph->n_results; i++) {
        struct node *n = edge_node(s, s->graph->results[i]);
        if (n)
            (void)demand(n);
    }
    pthread_mutex_unlock(&s->lock);
}

static void solve_init(struct solve *s, const struct graph *g, const struct solve_options *o)
{
    *s = (struct solve){ .graph = g, .options = o };
    pthread_mutex_init(&s->lock, NULL);
    s->nodes = xcalloc(g->n_vertices + 1, sizeof *s->nodes);
    s->users = xcalloc(g->n_vertices + 1, sizeof *s->users);
    for (size_t i = 0; i < g->n_vertices; i++)
        s->nodes[i] = (struct node){ .vertex = g->vertices[i], .solve = s };
    s->group = task_group_new(o->pool, 0);
}

static void solve_clear(struct solve *s)
{
    task_group_free(s->group);
    for (size_t i = 0; i < s->graph->n_vertices; i++) {
        struct node *n = &s->nodes[i];
        for (uint32_t k = 0; n->outputs && k < n->vertex->n_outputs; k++)
            result_unref(n->outputs[k]);
        vec_clear(&n->dependents);
        arena_free(n->arena);
        vec_clear(&s->users[i]);
    }
    map_clear(&s->by_definition);
    free(s->users);
    free(s->nodes);
    pthread_mutex_destroy(&s->lock);
}

/* What was never looked at stands behind something cached. */
static void tell_the_rest(struct solve *s)
{
    for (size_t i = 0; i < s->graph->n_vertices; i++)
        if (!s->nodes[i].is_reported)
            node_tell(&s->nodes[i], PROGRESS_CACHED, NULL);
}

static int solve_passes(struct solve *s, struct err *err)
{
    identify_all(s);
    if (task_group_wait(s->group, err))
        return -1;
    demand_results(s);
    return task_group_wait(s->group, err);
}

int solve(const struct graph *g, const struct solve_options *o, struct result **results,
          const struct vertex **failed, struct err *err)
{
    AUTO_VALUE(solve_clear) struct solve s;
    solve_init(&s, g, o);
    if (failed)
        *failed = NULL;
    if (solve_passes(&s, err)) {
        if (failed)
            *failed = s.failed;
        return -1;
    }
    for (size_t i = 0; i < g->n_results; i++) {
        struct node *n = edge_node(&s, g->results[i]);
        results[i] = n ? result_ref(n->outputs[g->results[i].index]) : NULL;
    }
    tell_the_rest(&s);
    return 0;
}
