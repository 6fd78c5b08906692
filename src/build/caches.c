/* build/caches.c - see caches.h. */
#include "build/caches.h"

#include <stdlib.h>
#include <string.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "build/internal.h"
#include "engine/remotecache/mounts.h"

/* One of --cache-from, being read. */
struct reading {
    struct caches *caches;
    const struct cache_spec *spec;
    struct imported_caches found;
    struct err err; /* why it could not be read */
};

struct caches {
    struct engine *engine;
    const struct export_host *host;
    const struct build_request *request;
    struct build_result *out;
    bool has_inline;
    struct reading *readings;      /* [request->cache_from.n] */
    struct task_group *group;      /* NULL: settled */
    struct imported_caches all;    /* items of the readings, in their order; borrowed */
    struct imported_caches mounts; /* those whose cache mounts are wanted; borrowed */
    struct cache_mount_restorer restorer;
    pthread_mutex_t lock; /* guards out->warnings */
};

struct caches_part {
    struct caches *caches;
    struct ledger ledger;
    struct importer *importer;
    struct snapshot *result; /* a reference */
    char *inlined;
    void (*on_result)(void *arg, struct edge edge, struct result *r);
    void *on_result_arg;
};

static void warn(void *caches, const char *text)
{
    struct caches *c = caches;
    pthread_mutex_lock(&c->lock);
    *vec_push(&c->out->warnings) = (struct build_warning){ .text = xstrdup(text) };
    pthread_mutex_unlock(&c->lock);
}

/* ---- reading ---- */

static const char *type_name(const struct cache_spec *s)
{
    return s->type == CACHE_LOCAL ? "local" : "registry";
}

static int read_one(void *arg, struct err *err)
{
    struct reading *r = arg;
    const struct export_host *h = r->caches->host;
    AUTO(cache_place_close) struct cache_place *place = NULL;
    AUTO_FREE char *name = cache_spec_name(r->spec);
    AUTO_FREE char *task = xasprintf("importing cache manifest from %s", name);
    (void)err; /* of no other's interest */
    progress_task_start(h->progress, task, task);
    int status = cache_place_open(h, r->spec, false, &place, &r->err) ||
                         imported_caches_read(place, &r->found, &r->err)
                     ? -1
                     : 0;
    if (status)
        err_wrap(&r->err, "failed to configure %s cache importer: %s", type_name(r->spec), name);
    progress_task_end(h->progress, task, status, &r->err);
    return 0;
}

void caches_settle(struct caches *c)
{
    struct err ignored = { 0 };
    if (!c || !c->group)
        return;
    (void)!task_group_wait(c->group, &ignored);
    task_group_free(STEAL(c->group));
    for (size_t i = 0; i < c->request->cache_from.n; i++) {
        struct reading *r = &c->readings[i];
        const struct cache_spec *s = r->spec;
        if (r->err.kind && r->err.kind != ERR_CANCELED)
            warn(c, r->err.text);
        vec_each (&r->found, one) {
            *vec_push(&c->all) = *one;
            if (s->has_all_mounts)
                *vec_push(&c->mounts) = *one;
        }
    }
}

/* ---- opening ---- */

static bool wants_inline(const struct build_request *q)
{
    vec_each (&q->cache_to, s)
        if (s->type == CACHE_INLINE)
            return true;
    bool is_wanted = false;
    const char *text = map_find_str(&q->build_args, "BUILDKIT_INLINE_CACHE");
    return text && span_bool(span_of(text), &is_wanted) && is_wanted;
}

struct caches *caches_start(struct engine *e, const struct build_request *q,
                            const struct export_host *h, struct build_result *out)
{
    bool has_inline = wants_inline(q);
    if (!has_inline && !q->cache_from.n && !q->cache_to.n)
        return NULL;
    struct caches *c = xcalloc(1, sizeof *c);
    *c = (struct caches){
        .engine = e, .host = h, .request = q, .out = out, .has_inline = has_inline
    };
    pthread_mutex_init(&c->lock, NULL);
    c->readings = xcalloc(q->cache_from.n + 1, sizeof *c->readings);
    c->group = task_group_new(h->transfers, 0);
    for (size_t i = 0; i < q->cache_from.n; i++) {
        c->readings[i] = (struct reading){ .caches = c, .spec = &q->cache_from.items[i] };
        task_group_add(c->group, read_one, &c->readings[i]);
    }
    c->restorer = (struct cache_mount_restorer){ .host = h,
                                                 .images = e->images,
                                                 .ids = &e->ids,
                                                 .caches = &c->mounts,
                                                 .failed = warn,
                                                 .failed_arg = c };
    cache_mount_restorer_init(&c->restorer);
    return c;
}

void caches_free(struct caches *c)
{
    if (!c)
        return;
    task_group_free(c->group);
    for (size_t i = 0; i < c->request->cache_from.n; i++)
        imported_caches_clear(&c->readings[i].found);
    free(c->readings);
    vec_clear(&c->all);
    vec_clear(&c->mounts);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

const struct cache_mount_source *caches_mounts(struct caches *c)
{
    return c && c->mounts.n ? &c->restorer.source : NULL;
}

/* ---- parts ---- */

static void take_result(void *arg, struct edge edge, struct result *r)
{
    struct caches_part *p = arg;
    ledger_take(&p->ledger, edge, r);
    if (p->on_result)
        p->on_result(p->on_result_arg, edge, r);
}

struct caches_part *caches_join(struct caches *c, const struct graph *g,
                                struct solve_options *solving)
{
    if (!c)
        return NULL;
    struct caches_part *p = xcalloc(1, sizeof *p);
    p->caches = c;
    p->on_result = solving->on_result;
    p->on_result_arg = solving->on_result_arg;
    ledger_init(&p->ledger, g);
    p->importer = importer_new(c->engine->snapshots, &c->all, &p->ledger);
    solving->import = importer_ops(p->importer);
    solving->on_result = take_result;
    solving->on_result_arg = p;
    return p;
}

void caches_part_free(struct caches_part *p)
{
    if (!p)
        return;
    importer_free(p->importer);
    ledger_clear(&p->ledger);
    snapshot_unref(p->result);
    free(p->inlined);
    free(p);
}

/* ---- writing ---- */

static struct cache_part part_of(const struct caches_part *p)
{
    return (struct cache_part){ .ledger = (struct ledger *)(uintptr_t)&p->ledger,
                                .importer = p->importer,
                                .result = p->result };
}

static struct cache_export export_of(const struct caches *c)
{
    return (struct cache_export){ .host = c->host,
                                  .cache = cache_ops(c->engine->cache),
                                  .ids = &c->engine->ids };
}

int caches_result(struct caches_part *p, struct snapshot *result, const char **inlined,
                  struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    if (!p)
        return 0;
    p->result = snapshot_ref(result);
    if (!p->caches->has_inline || !result)
        return 0;
    struct cache_export e = export_of(p->caches);
    struct cache_part part = part_of(p);
    buf_init(&text, 8 * LIMIT_JSON);
    if (cache_export_inline(&e, &part, &text, err))
        return err_wrap(err, "put the cache into the image");
    p->inlined = text.data ? buf_take(&text) : NULL;
    *inlined = p->inlined;
    return 0;
}

/* The ids of all cache mounts of a graph, each once. */
static void list_mounts(const struct graph *g, struct str_list *out)
{
    for (size_t i = 0; i < g->n_vertices; i++) {
        const struct vertex *v = g->vertices[i];
        for (size_t k = 0; v->type == OP_EXEC && k < v->exec.n_mounts; k++) {
            const struct op_mount *m = &v->exec.mounts[k];
            if (m->type == MOUNT_CACHE && !str_list_has(out, m->id))
                str_list_push(out, m->id);
        }
    }
}

struct writing {
    struct caches *caches;
    const struct cache_export *export;
    const struct cache_spec *spec;
};

static int write_one(void *arg, struct err *err)
{
    struct writing *w = arg;
    if (cache_export(w->export, w->spec, err) == 0)
        return 0;
    if (!w->spec->ignores_errors || err->kind == ERR_CANCELED)
        return -1;
    warn(w->caches, err->text);
    err_clear(err);
    return 0;
}

int caches_export(struct caches *c, struct caches_part *const *parts, size_t n, struct err *err)
{
    AUTO_VALUE(str_list_clear) struct str_list ids = { 0 };
    if (!c)
        return 0;
    AUTO_FREE struct cache_part *list = xcalloc(n + 1, sizeof *list);
    AUTO_FREE struct writing *tasks = xcalloc(c->request->cache_to.n + 1, sizeof *tasks);
    struct cache_export e = export_of(c);
    for (size_t i = 0; i < n; i++) {
        list[i] = part_of(parts[i]);
        list_mounts(parts[i]->ledger.graph, &ids);
    }
    e.parts = list;
    e.n_parts = n;
    e.mount_ids = &ids;
    /* One after the other looks things up in the ledgers; sending goes side by side within each. */
    for (size_t i = 0; i < c->request->cache_to.n; i++) {
        tasks[i] =
            (struct writing){ .caches = c, .export = &e, .spec = &c->request->cache_to.items[i] };
        if (tasks[i].spec->type != CACHE_INLINE && write_one(&tasks[i], err))
            return -1;
    }
    return 0;
}
