/* build/build.c - one build: read, convert, solve, export. */
#include "build/build.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/codec/text.h"
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "build/caches.h"
#include "build/context.h"
#include "build/given.h"
#include "build/internal.h"
#include "image/store/lease.h"

struct run;

/* One platform's part of a build. */
struct part {
    struct run *run;
    struct platform platform;
    struct dockerfile_result converted;
    struct result **results; /* owned, references: as the graph's; NULL until solved */
    struct source_facts facts;
    struct said said;
    struct caches_part *caches;
    struct eager *eager; /* owned; sends layers while the image is put together */
};

struct run {
    struct engine *engine;
    const struct build_request *request;
    struct progress progress; /* counts, then tells the caller's */
    const struct progress *told;
    struct cancel *cancel;
    struct build_result *out;
    struct contexts contexts;
    struct source_pins *pins; /* owned */
    struct recipe recipe;
    struct export_host host;
    struct caches *caches;
    struct {
        struct part *items;
        size_t n, cap;
    } parts;
    struct timespec started;
    char invocation_id[33];
    unsigned not_applied;    /* enum step_resource: limits that steps could not have */
    struct explain *explain; /* owned */
    char *place;             /* owned: what `explain` knows this build by */
    pthread_mutex_t lock;    /* guards counts, excerpt, explanations, not_applied */
};

static void run_clear(struct run *r)
{
    recipe_clear(&r->recipe);
    contexts_close(&r->contexts);
    source_pins_free(r->pins);
    vec_each (&r->parts, part) {
        eager_free(part->eager); /* it knows the graph */
        for (size_t i = 0; part->results && i < part->converted.graph->n_results; i++)
            result_unref(part->results[i]);
        free(part->results);
        said_clear(&part->said);
        caches_part_free(part->caches);
        source_facts_clear(&part->facts);
        dockerfile_result_clear(&part->converted);
    }
    vec_clear(&r->parts);
    explain_free(r->explain);
    free(r->place);
    caches_free(r->caches);
    pthread_mutex_destroy(&r->lock);
}

static void count_and_tell(void *arg, const struct progress_event *e)
{
    struct run *r = arg;
    if (e->vertex && (e->kind == PROGRESS_CACHED || e->kind == PROGRESS_START)) {
        pthread_mutex_lock(&r->lock);
        r->out->n_vertices++;
        r->out->n_cached += e->kind == PROGRESS_CACHED;
        pthread_mutex_unlock(&r->lock);
    }
    if (r->told && r->told->tell)
        r->told->tell(r->told->arg, e);
}

/* ---- what the request says, as others want it ---- */

static int read_platforms(struct run *r, struct err *err)
{
    const struct str_list *texts = &r->request->platforms;
    if (texts->n == 0)
        *vec_push(&r->parts) = (struct part){ .run = r, .platform = platform_host() };
    vec_each (texts, text) {
        struct part *part = vec_push(&r->parts);
        *part = (struct part){ .run = r };
        if (platform_parse(span_of(*text), &part->platform, err))
            return err_wrap(err, "--platform %s", *text);
    }
    return 0;
}

/* ---- convert ---- */

/* What is said of one platform is not said again of the next. */
static bool is_told(const struct build_result *out, const char *text, int line)
{
    vec_each (&out->warnings, w)
        if (w->line == line && strcmp(w->text, text) == 0)
            return true;
    return false;
}

static void keep_warnings(struct run *r, const struct dockerfile_result *d)
{
    for (size_t i = 0; i < d->warnings.n; i++) {
        const struct dockerfile_warning *w = &d->warnings.items[i];
        AUTO_FREE char *text = xasprintf("%s: %s", w->rule, w->text);
        if (!is_told(r->out, text, w->where.first))
            *vec_push(&r->out->warnings) = (struct build_warning){ .text = STEAL(text),
                                                                   .rule = w->rule,
                                                                   .line = w->where.first };
    }
    for (size_t i = 0; i < d->n_base_images; i++)
        map_set_str(&r->out->base_images, d->base_images[i].reference,
                    digest_text(&d->base_images[i].digest).s);
}

static void keep_excerpt(struct run *r, struct source_lines where)
{
    struct buf text;
    buf_init(&text, LIMIT_DOCKERFILE);
    dockerfile_excerpt(buf_span(&r->recipe.text), r->recipe.name, where, &text);
    free(r->out->excerpt);
    r->out->excerpt = text.data ? buf_take(&text) : NULL;
}

static struct asked asked_of(struct run *r)
{
    return (struct asked){ .engine = r->engine,
                           .request = r->request,
                           .contexts = &r->contexts,
                           .pins = r->pins,
                           .recipe = &r->recipe,
                           .mode = r->request->pulls ? RESOLVE_PULL : RESOLVE_DEFAULT,
                           .progress = &r->progress,
                           .told = r->told,
                           .cancel = r->cancel };
}

static int convert(struct run *r, struct part *part, struct err *err)
{
    struct asked asked = asked_of(r);
    struct frontend_host host = frontend_host_of(&asked);
    AUTO(arena_free) struct arena *arena = arena_new();
    struct dockerfile_options o;
    if (given_options(&asked, arena, &o, err))
        return -1;
    o.target_platform = part->platform;
    o.is_multi_platform = r->parts.n > 1 || r->host.makes_index;
    int status = dockerfile_convert(buf_span(&r->recipe.text), &o, &host, &part->converted, err);
    keep_warnings(r, &part->converted);
    if (status)
        keep_excerpt(r, part->converted.where);
    return status;
}

/* ---- solve ---- */

static void excerpt_of_vertex(struct run *r, const struct vertex *v)
{
    if (!v || v->n_ranges == 0)
        return;
    const struct source_range *first = &v->ranges[0], *last = &v->ranges[v->n_ranges - 1];
    pthread_mutex_lock(&r->lock);
    if (!r->out->excerpt)
        keep_excerpt(r,
                     (struct source_lines){ .first = first->start_line, .last = last->end_line });
    pthread_mutex_unlock(&r->lock);
}

/* How layers that become part of others are kept meanwhile: without what may differ from one output
 * to the next, and from the next build, or would be seen inside.  Exporting seals them as asked. */
static struct seal_options seal_options_inside(const struct export_spec *s)
{
    bool is_plain = s->compression == COMPRESSION_ESTARGZ;
    return (struct seal_options){ .compression = is_plain ? COMPRESSION_GZIP : s->compression,
                                  .level = -1 };
}

/* Who is told of results. */
struct told {
    struct eager *eager;
    struct explain *explain;
};

static void take_result(void *arg, struct edge edge, struct result *result)
{
    struct told *t = arg;
    eager_take(t->eager, edge, result);
    explain_done(t->explain, edge.vertex);
}

/* What is said of the steps is asked for or it is not; that it could not be kept is no failure of
 * the build. */
static int explain_part(struct run *r, struct part *part, struct err *err)
{
    struct err own = { 0 };
    struct explanations *out = r->request->explains ? &r->out->explanations : NULL;
    pthread_mutex_lock(&r->lock);
    int status = explain_finish(r->explain, part->converted.graph, out, &own);
    pthread_mutex_unlock(&r->lock);
    if (status && out)
        *err = own;
    return status && out ? -1 : 0;
}

static int solve_part(void *arg, struct err *err)
{
    struct part *part = arg;
    struct run *r = part->run;
    struct engine *e = r->engine;
    const struct build_request *q = r->request;
    AUTO(arena_free) struct arena *arena = arena_new();
    struct asked asked = asked_of(r);
    struct ops_options o;
    if (given_ops(&asked, arena, &o, err))
        return -1;
    o.seal = seal_options_inside(&q->exports.items[0]);
    o.cache_mounts = caches_mounts(r->caches);
    o.on_read = explain_read;
    o.on_read_arg = r->explain;
    AUTO(ops_free) struct ops *ops = ops_new(&o);
    part->eager = eager_new(&r->host, q->exports.items, q->exports.n, part->converted.graph);
    struct told told = { .eager = part->eager, .explain = r->explain };
    struct solve_options solving = { .ops = ops_table(ops),
                                     .cache = cache_ops(e->cache),
                                     .pool = e->steps,
                                     .progress = &r->progress,
                                     .cancel = r->cancel,
                                     .ignores_cache = q->ignores_cache,
                                     .is_cache_only = q->is_cache_only,
                                     .on_result = take_result,
                                     .on_result_arg = &told,
                                     .on_found = explain_found,
                                     .on_found_arg = r->explain };
    const struct vertex *failed = NULL;
    part->caches = caches_join(r->caches, part->converted.graph, &solving);
    part->results = xcalloc(part->converted.graph->n_results, sizeof(struct result *));
    int status = solve(part->converted.graph, &solving, part->results, &failed, err);
    source_facts_gather(ops, part->converted.graph, &part->facts);
    pthread_mutex_lock(&r->lock);
    r->not_applied |= ops_not_applied(ops);
    pthread_mutex_unlock(&r->lock);
    struct err unused = { 0 };
    if (explain_part(r, part, status ? &unused : err))
        status = -1;
    if (status == 0)
        eager_wait(part->eager);
    else if (err->kind != ERR_CANCELED)
        excerpt_of_vertex(r, failed);
    return status;
}

/* Platforms side by side, each by a thread of its own that mostly waits; the first failure stops
 * the others. */
static int solve_parts(struct run *r, struct err *err)
{
    if (r->parts.n == 1)
        return solve_part(&r->parts.items[0], err);
    AUTO(pool_free) struct pool *threads = pool_new(r->parts.n);
    AUTO(task_group_free) struct task_group *g = task_group_new(threads, 0);
    vec_each (&r->parts, part)
        task_group_add(g, solve_part, part);
    return task_group_wait(g, err);
}

/* ---- export ---- */

static int list_images(const struct run *r, struct export_image *images, struct err *err)
{
    for (size_t i = 0; i < r->parts.n; i++) {
        struct part *part = &r->parts.items[i];
        struct attesting a = { .request = r->request,
                               .host = &r->host,
                               .recipe = &r->recipe,
                               .converted = &part->converted,
                               .results = part->results,
                               .facts = &part->facts,
                               .started = r->started,
                               .invocation_id = r->invocation_id };
        images[i] = (struct export_image){ .config = &part->converted.config,
                                           .n_base_history = part->converted.n_base_history };
        if (result_snapshot(part->results[0], &images[i].snapshot, err) ||
            caches_result(part->caches, images[i].snapshot, &images[i].inlined_cache, err) ||
            attest_part(&a, &part->said, err))
            return -1;
        images[i].attestations = part->said.attestations.items;
        images[i].n_attestations = part->said.attestations.n;
    }
    return 0;
}

static int export_all(struct run *r, struct err *err)
{
    AUTO_FREE struct export_image *images = xcalloc(r->parts.n, sizeof *images);
    if (list_images(r, images, err))
        return -1;
    for (size_t i = 0; i < r->request->exports.n; i++) {
        struct export_result *result = vec_push(&r->out->exports);
        r->host.n_before = i;
        if (export_images(&r->host, &r->request->exports.items[i], images, r->parts.n, result, err))
            return -1;
    }
    return 0;
}

static int export_caches(struct run *r, struct err *err)
{
    AUTO_FREE struct caches_part **parts = xcalloc(r->parts.n, sizeof(struct caches_part *));
    for (size_t i = 0; i < r->parts.n; i++)
        parts[i] = r->parts.items[i].caches;
    return caches_export(r->caches, parts, r->parts.n, err);
}

static int prepare(struct run *r, struct err *err)
{
    struct engine *e = r->engine;
    r->host = (struct export_host){ .store = e->store,
                                    .snapshots = e->snapshots,
                                    .remote = e->remote,
                                    .pool = e->pool,
                                    .transfers = e->steps,
                                    .names = &r->request->tags,
                                    .progress = &r->progress,
                                    .cancel = r->cancel };
    if (!e->sandbox)
        return err_set(err, ERR_INVALID, "build: this engine was opened without a sandbox");
    if (clock_init(&r->host.clock, NULL, err) || given_index(r->request, &r->host.makes_index, err))
        return -1;
    return read_platforms(r, err);
}

/* The front end knows of all that SOURCE_DATE_EPOCH may say; the exporters go by it. */
static int take_epoch(struct run *r, struct err *err)
{
    const struct dockerfile_result *first = &r->parts.items[0].converted;
    char seconds[24];
    if (!first->has_epoch)
        return 0;
    snprintf(seconds, sizeof seconds, "%jd", (intmax_t)first->epoch);
    r->host.has_epoch = true;
    return clock_init(&r->host.clock, seconds, err);
}

static int open_contexts(struct run *r, struct err *err)
{
    struct asked asked = asked_of(r);
    return contexts_open(&asked, &r->contexts, err);
}

static int load_recipe(struct run *r, struct err *err)
{
    struct asked asked = asked_of(r);
    return recipe_load(&asked, &r->recipe, err);
}

static int run_all(struct run *r, struct err *err)
{
    AUTO(lease_close) struct lease *lease = NULL;
    if (prepare(r, err) || lease_open(r->engine->store, 0, &lease, err) || open_contexts(r, err) ||
        load_recipe(r, err))
        return -1;
    AUTO_FREE char *place = xasprintf("%s\n%s", r->request->context, r->recipe.name);
    r->place = urls_redacted(place); /* it is kept */
    r->explain = explain_new(r->engine->store, r->place);
    r->caches = caches_start(r->engine, r->request, &r->host, r->out);
    vec_each (&r->parts, part)
        if (convert(r, part, err))
            return -1;
    caches_settle(r->caches);
    return take_epoch(r, err) || solve_parts(r, err) || export_all(r, err) || export_caches(r, err)
               ? -1
               : 0;
}

/* When, and a name for this build: provenance tells them where nothing says that it must not. */
static void begin(struct run *r)
{
    static const struct clock running = { 0 };
    uint8_t id[16] = { 0 };
    r->started = clock_now(&running);
    if (getrandom(id, sizeof id, 0) == sizeof id)
        hex_print(span_bytes(id, sizeof id), r->invocation_id);
}

static int run_once(struct engine *e, const struct build_request *q,
                    const struct progress *progress, struct cancel *cancel,
                    struct build_result *out, struct err *err)
{
    *out = (struct build_result){ .base_images = STR_MAP };
    struct build_request request = *q;
    struct export_spec as_image;
    AUTO_VALUE(run_clear)
    struct run r = {
        .engine = e, .request = &request, .told = progress, .cancel = cancel, .out = out
    };
    r.contexts.lock_fd = -1;
    r.pins = source_pins_new();
    pthread_mutex_init(&r.lock, NULL);
    begin(&r);
    r.progress = (struct progress){ .tell = count_and_tell, .arg = &r };
    if (q->exports.n == 0) {
        export_spec_init(&as_image, EXPORT_IMAGE);
        request.exports.items = &as_image;
        request.exports.n = 1;
    }
    struct watcher watcher = { .progress = &r.progress };
    engine_watch(e, &watcher);
    int status = run_all(&r, err);
    given_warn(r.not_applied, out);
    engine_watch(e, NULL);
    if (q->exports.n == 0)
        export_spec_clear(&as_image);
    return status;
}

/* Layers that a cache promised, lately or long ago, and that are nowhere: their results are
 * forgotten, and made in a second run, without caches. */
int build_run(struct engine *e, const struct build_request *q, const struct progress *progress,
              struct cancel *cancel, struct build_result *out, struct err *err)
{
    struct build_request alone = *q;
    AUTO(cancel_free) struct cancel *first = cancel_new_below(cancel);
    size_t n_lost = e->snapshots ? snapshots_n_lost(e->snapshots) : 0;
    int status = run_once(e, q, progress, first, out, err);
    if (status == 0 || !e->snapshots || snapshots_n_lost(e->snapshots) == n_lost ||
        cancel_fired(cancel))
        return status;
    struct build_warning why = { .text = xasprintf("built again without caches: %s", err->text) };
    build_result_clear(out);
    err_clear(err);
    alone.cache_from = (struct cache_specs){ 0 };
    status = run_once(e, &alone, progress, cancel, out, err);
    *vec_push(&out->warnings) = why;
    return status;
}
