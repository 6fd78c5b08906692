/* tests/unit/engine/ops/lab.h - graphs solved with a real store, snapshots and cache. */
#pragma once
#include <pthread.h>

#include "base/sys/user.h"
#include "engine/cache/cache.h"
#include "engine/graph/builder.h"
#include "fixture.h"

struct lab {
    struct store *store;
    struct pool *pool;
    struct snapshots *all;
    struct cache *cache;
    struct ops *ops;
    struct context_option contexts[2];
    char *paths[2];
    struct progress progress;
    /* Of the last solve */
    pthread_mutex_t lock; /* guards what follows */
    int n_run, n_cached;
    struct buf log; /* what steps printed */
};

static struct id_map the_ids;
static struct sandbox *the_sandbox; /* NULL where there is none */

static void watch(void *arg, const struct progress_event *e)
{
    struct lab *l = arg;
    pthread_mutex_lock(&l->lock);
    l->n_run += e->kind == PROGRESS_START;
    l->n_cached += e->kind == PROGRESS_CACHED;
    if (e->kind == PROGRESS_LOG)
        buf_put(&l->log, e->bytes);
    pthread_mutex_unlock(&l->lock);
}

static int load(void *arg, const char *text, struct result **out, struct err *error)
{
    return result_load(arg, text, out, error);
}

/* Secrets and the like come in `o`, whose other fields are filled in.  The contexts "context" and
 * "other" are the folders c and o of the case. */
static bool lab_open(struct lab *l, struct ops_options o)
{
    *l = (struct lab){ .progress = { watch, l }, .lock = PTHREAD_MUTEX_INITIALIZER };
    AUTO_FREE char *path = xasprintf("%s/store", tap_dir());
    RUN("mkdir -p c o");
    l->paths[0] = xasprintf("%s/c", tap_dir());
    l->paths[1] = xasprintf("%s/o", tap_dir());
    l->contexts[0] = (struct context_option){ "context", l->paths[0] };
    l->contexts[1] = (struct context_option){ "other", l->paths[1] };
    l->pool = pool_new(2);
    buf_init(&l->log, MIB);
    err_clear(&err);
    if (store_open(path, NULL, &l->store, &err) ||
        snapshots_open(
            &(struct snapshots_options){ .store = l->store, .pool = l->pool, .ids = the_ids },
            &l->all, &err) ||
        cache_open(l->store,
                   &(struct cache_codec){ .arg = l->all, .save = result_save, .load = load },
                   &l->cache, &err)) {
        tap_fail(__FILE__, __LINE__, "open: %s", err.text);
        return false;
    }
    o.store = l->store;
    o.snapshots = l->all;
    o.sandbox = the_sandbox;
    o.pool = l->pool;
    o.ids = the_ids;
    o.contexts = l->contexts;
    o.n_contexts = 2;
    l->ops = ops_new(&o);
    return true;
}

static void lab_close(struct lab *l)
{
    ops_free(l->ops);
    cache_close(l->cache);
    snapshots_close(l->all);
    pool_free(l->pool);
    store_close(l->store);
    buf_clear(&l->log);
    free(l->paths[0]);
    free(l->paths[1]);
}

/* ---- graphs ---- */

/* The context `name`; `ignore`: a JSON array of patterns or NULL. */
__attribute__((unused)) static struct edge add_context(struct graph_builder *b, const char *name,
                                                       const char *ignore)
{
    AUTO_FREE char *identifier = xasprintf("local://%s", name);
    struct pair attr = { ATTR_LOCAL_EXCLUDE, ignore };
    struct pair words[] = { { "kiln.ignore.file", ".dockerignore" },
                            { "kiln.ignore.lines", "2 5 7" } };
    struct op_source op = { .identifier = identifier, .attrs = { &attr, ignore != NULL } };
    struct vertex_about about = { .description = { words, 2 } };
    struct edge e = { 0 };
    EXPECT_OK(graph_add_source(b, &op, &about, &e, &err), &err);
    return e;
}

static struct edge add_actions(struct graph_builder *b, struct edge base,
                               const struct op_action *actions, size_t n)
{
    struct edge e = { 0 };
    EXPECT_OK(graph_add_file(b, base, actions, n, NULL, &e, &err), &err);
    return e;
}

/* COPY src dest, as the front end writes it. */
__attribute__((unused)) static struct op_action copy_of(struct edge from, const char *src,
                                                        const char *dest)
{
    struct op_action a = copy_action(dest);
    a.from = from;
    a.src = src;
    a.has_wildcards = a.may_match_nothing = true;
    return a;
}

/* Solves the graph of one result, which it ends.  -1 leaves err. */
static int lab_solve(struct lab *l, struct graph_builder *b, struct edge result,
                     struct snapshot **out)
{
    AUTO(graph_free) struct graph *g = NULL;
    AUTO(cancel_free) struct cancel *cancel = cancel_new();
    struct result *r = NULL;
    *out = NULL;
    l->n_run = l->n_cached = 0;
    buf_reset(&l->log);
    err_clear(&err);
    struct solve_options o = { .ops = ops_table(l->ops),
                               .cache = cache_ops(l->cache),
                               .pool = l->pool,
                               .progress = &l->progress,
                               .cancel = cancel };
    if (graph_builder_finish(b, &result, 1, &g, &err) || solve(g, &o, &r, NULL, &err))
        return -1;
    struct snapshot *s = NULL;
    EXPECT_OK(result_snapshot(r, &s, &err), &err);
    *out = snapshot_ref(s);
    result_unref(r);
    return 0;
}

/* What a script prints in the root of a snapshot.  The caller's. */
__attribute__((unused, format(printf, 3, 4))) static char *inside(struct lab *l, struct snapshot *s,
                                                                  const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    AUTO_FREE char *script = xvasprintf(fmt, args);
    va_end(args);
    AUTO(view_close) struct view *v = NULL;
    if (view_open(l->all, s, NULL, &v, &err)) {
        tap_fail(__FILE__, __LINE__, "look inside: %s", err.text);
        return xstrdup("");
    }
    return shell("cd %s; %s", view_path(v), script);
}

#define NAMES "find . -mindepth 1 | sort | cut -c3- | tr '\\n' ' '"

/* Enters the namespaces in which all cases run. */
__attribute__((unused)) static bool lab_enter(void)
{
    err_clear(&err);
    return (user_is_privileged() ? mountns_enter(&err) || id_map_current(&the_ids, &err)
                                 : userns_enter(&the_ids, &err)) == 0;
}
