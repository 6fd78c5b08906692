/* build/attest.c - what is said of one platform's result: it is scanned, and how it was made is
 * written down.
 *
 * With SOURCE_DATE_EPOCH everything that is said is a function of the inputs: times are it, and the
 * build has no id of its own.  Without, a bill has the time at which the image's top layer was
 * made, so that a build from the cache says the same again; provenance has the times of this build.
 */
#include <stdlib.h>
#include <string.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "build/internal.h"
#include "engine/attest/spdx.h"
#include "engine/scan/scan.h"

void said_clear(struct said *s)
{
    vec_clear(&s->attestations);
    str_list_clear(&s->texts);
}

/* Takes the texts. */
static int add(struct said *s, const char *type, char *file, struct buf *predicate, struct err *err)
{
    str_list_take(&s->texts, file);
    if (predicate->len > LIMIT_ATTESTATION)
        return err_set(err, ERR_LIMIT, "%s has %zu bytes, more than %zu", file, predicate->len,
                       LIMIT_ATTESTATION);
    size_t len = predicate->len;
    str_list_take(&s->texts, buf_take(predicate));
    *vec_push(&s->attestations) =
        (struct attestation){ .predicate_type = type,
                              .file = file,
                              .predicate = span_bytes(s->texts.items[s->texts.n - 1], len) };
    return 0;
}

/* ---- the bill ---- */

/* When the newest part of the result was made. */
static struct timespec made_at(const struct attesting *a, const struct snapshot *top)
{
    int64_t layer = top ? snapshot_created_s(top) : 0;
    const struct image_config *c = &a->converted->config;
    struct timespec t = clock_now(&a->host->clock);
    struct err bad = { 0 };
    if (a->host->has_epoch)
        return t;
    if (layer)
        return (struct timespec){ .tv_sec = layer };
    for (size_t i = c->history.n; i-- > 0;)
        if (c->history.items[i].created && time_parse(c->history.items[i].created, &t, &bad) == 0)
            return t;
    return t;
}

static bool hides(void *tree, const char *path)
{
    return tree_hides(tree, path, NULL);
}

/* A snapshot, or the files of a context. */
static int scan_result_of(const struct attesting *a, struct result *r, struct scan_result *out,
                          struct timespec *made, struct err *err)
{
    struct tree *tree = result_tree(r);
    struct snapshot *snapshot = NULL;
    struct scan_options o = { .hides = tree ? hides : NULL,
                              .hides_arg = tree,
                              .cancel = a->host->cancel };
    if (tree) {
        *made = made_at(a, NULL);
        return scan_root(tree_fd(tree), &o, out, err);
    }
    AUTO(view_close) struct view *view = NULL;
    if (result_snapshot(r, &snapshot, err) ||
        view_open(a->host->snapshots, snapshot, a->host->cancel, &view, err))
        return -1;
    *made = made_at(a, snapshot);
    return scan_root(view_fd(view), &o, out, err);
}

/* `name` is "sbom", or "sbom-STAGE". */
static int add_bill(const struct attesting *a, struct result *r, const char *name, struct said *out,
                    struct err *err)
{
    AUTO_VALUE(scan_result_clear) struct scan_result found = { 0 };
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    char created[TIME_TEXT_MAX];
    struct timespec made = { 0 };
    if (scan_result_of(a, r, &found, &made, err))
        return -1;
    made.tv_nsec = 0; /* SPDX knows no parts of seconds */
    time_print(made, created);
    struct spdx_options o = { .name = name, .created = created };
    buf_init(&text, (size_t)(4 * GIB));
    spdx_print(&found, &o, &text);
    return add(out, SPDX_PREDICATE, xasprintf("%s.spdx.json", name), &text, err);
}

static int add_bills(const struct attesting *a, struct said *out, struct err *err)
{
    static const char shown[] = "generating sbom";
    progress_task_start(a->host->progress, shown, shown);
    int status = add_bill(a, a->results[0], "sbom", out, err);
    for (size_t i = 0; status == 0 && i < a->converted->scans.n; i++) {
        AUTO_FREE char *name = xasprintf("sbom-%s", a->converted->scans.items[i]);
        status = add_bill(a, a->results[i + 1], name, out, err);
    }
    if (status)
        err_wrap(err, "sbom");
    progress_task_end(a->host->progress, shown, status, err);
    return status;
}

/* ---- provenance ---- */

void source_facts_clear(struct source_facts *l)
{
    vec_each (l, fact)
        source_fact_clear(fact);
    vec_clear(l);
}

void source_facts_gather(struct ops *ops, const struct graph *g, struct source_facts *out)
{
    for (size_t i = 0; i < g->n_vertices; i++) {
        struct source_fact fact;
        if (ops_source_fact(ops, g->vertices[i], &fact))
            *vec_push(out) = fact;
    }
}

struct facts {
    struct map args; /* string to string */
    vec(struct material) materials;
    struct str_list texts; /* that they point into */
    struct descriptors layers;
    vec(struct step_layers) steps;
};

static void facts_clear(struct facts *f)
{
    map_clear(&f->args);
    vec_clear(&f->materials);
    str_list_clear(&f->texts);
    descriptors_clear(&f->layers);
    vec_clear(&f->steps);
}

static void set_prefixed(struct map *to, const char *prefix, const char *key, const char *value)
{
    AUTO_FREE char *whole = xasprintf("%s%s", prefix, key);
    map_set_str(to, whole, value);
}

/* As BuildKit's front end is told them; but not what decides only how the same result is come by
 * (no-cache, cache-imports). */
static void list_args(const struct build_request *q, struct map *out)
{
    map_each (&q->build_args, e)
        set_prefixed(out, "build-arg:", e->key, e->value);
    map_each (&q->labels, e)
        set_prefixed(out, "label:", e->key, e->value);
    map_each (&q->named_contexts, e) {
        bool is_local = strncmp(e->value, "local:", 6) == 0; /* where, is nobody's business */
        set_prefixed(out, "context:", e->key, is_local ? "local" : e->value);
    }
    if (q->target && *q->target)
        map_set_str(out, "target", q->target);
    if (q->network && strcmp(q->network, "default") != 0)
        map_set_str(out, "force-network-mode", q->network);
}

static const char *keep(struct facts *f, char *text)
{
    str_list_take(&f->texts, text);
    return text;
}

static int list_images(const struct dockerfile_result *d, struct facts *f, struct err *err)
{
    for (size_t i = 0; i < d->n_base_images; i++) {
        const struct base_image *image = &d->base_images[i];
        AUTO_VALUE(reference_clear) struct reference ref = { 0 };
        if (reference_parse(span_of(image->reference), &ref, err))
            return -1;
        struct material *m = vec_push(&f->materials);
        m->uri = keep(f, reference_purl(&ref, &image->platform));
        m->algorithm = digest_algorithm_name(image->digest.algorithm);
        m->hex = keep(f, xstrdup(digest_hex(&image->digest).s));
    }
    return 0;
}

/* Of images alone: what files are made of has no layers. */
static int list_layers(const struct attesting *a, struct snapshot *top, struct descriptors *out,
                       struct err *err)
{
    const struct export_spec *s = &a->request->exports.items[0];
    struct export_image image = { .snapshot = top,
                                  .config = &a->converted->config,
                                  .n_base_history = a->converted->n_base_history };
    return export_is_image(s) ? export_list_layers(a->host, s, &image, out, err) : 0;
}

/* Every step down from the result adds one layer to those below it; what is below an image or a
 * merge is not looked at. */
static int tell_layers(const struct attesting *a, struct facts *f, struct err *err)
{
    struct edge at = a->converted->graph->results[0];
    struct snapshot *top = NULL;
    if (!a->request->attest.is_max || !at.vertex)
        return 0;
    if (result_snapshot(a->results[0], &top, err) || list_layers(a, top, &f->layers, err))
        return -1;
    for (size_t n = f->layers.n; at.vertex && n > 0; n--) {
        *vec_push(&f->steps) = (struct step_layers){ at.vertex, at.index, f->layers.items, n };
        at = layer_base(at.vertex);
    }
    return 0;
}

static int add_provenance(const struct attesting *a, struct said *out, struct err *err)
{
    const struct attest_options *o = &a->request->attest;
    AUTO_VALUE(facts_clear) struct facts f = { .args = STR_MAP };
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    char started[TIME_TEXT_MAX], finished[TIME_TEXT_MAX];
    struct provenance p = { .version = o->version,
                            .is_max = o->is_max,
                            .is_reproducible = o->is_reproducible,
                            .builder_id = o->builder_id,
                            .invocation_id = a->host->has_epoch ? NULL : a->invocation_id,
                            .started = started,
                            .finished = finished,
                            .builder_platform = platform_host(),
                            .frontend = "dockerfile.v0",
                            .config_path = a->recipe->name,
                            .args = &f.args,
                            .graph = a->converted->graph };
    time_print(a->host->has_epoch ? a->host->clock.fixed : a->started, started);
    time_print(clock_now(&a->host->clock), finished);
    if (strstr(a->request->context, "://"))
        p.config_uri = a->request->context;
    list_args(a->request, &f.args);
    if (list_images(a->converted, &f, err) || tell_layers(a, &f, err))
        return err_wrap(err, "provenance");
    vec_each (a->facts, fact)
        *vec_push(&f.materials) = (struct material){ fact->uri, fact->algorithm, fact->hex };
    p.materials = f.materials.items;
    p.n_materials = f.materials.n;
    p.layers = f.steps.items;
    p.n_layers = f.steps.n;
    buf_init(&text, (size_t)(4 * GIB));
    provenance_print(&p, &text);
    if (add(out, provenance_predicate_type(o->version),
            xstrdup(o->filename ? o->filename : "provenance.json"), &text, err))
        return -1;
    out->attestations.items[out->attestations.n - 1].is_inline_only = o->is_inline_only;
    return 0;
}

int attest_part(const struct attesting *a, struct said *out, struct err *err)
{
    const struct attest_options *o = &a->request->attest;
    if ((o->has_sbom && add_bills(a, out, err)) ||
        (o->has_provenance && add_provenance(a, out, err)))
        return err_wrap(err, "attest");
    return 0;
}
