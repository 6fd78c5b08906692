/* engine/graph/definition.c - a result of a graph as pb.Definition.
 *
 *     def       the bytes of each operation, inputs first; last the terminal one, which names the
 * result metadata  per digest what does not belong to the identity, sorted by digest source    the
 * texts, and per digest the lines of them, sorted by digest
 *
 * Spec: engine/graph/ops.proto; BuildKit client/llb/state.go, sourcemap.go.  Threads: nothing
 * shared. */
#include <stdlib.h>
#include <string.h>

#include "base/core/limits.h"
#include "engine/graph/internal.h"

#define NEW(a, type, init)                                                                         \
    ({                                                                                             \
        type *new_ = arena_alloc((a), sizeof *new_);                                               \
        init(new_);                                                                                \
        new_;                                                                                      \
    })

struct writer_state {
    struct arena *a;
    const struct vertex **sorted; /* by digest */
    size_t n;
    struct {
        const struct source_file **items;
        size_t n, cap;
    } files;
};

static int compare_digests(const void *a, const void *b)
{
    const struct vertex *const *x = a, *const *y = b;
    return digest_compare(&(*x)->digest, &(*y)->digest);
}

static ProtobufCBinaryData digest_data(struct arena *a, const struct digest *d)
{
    return data_of_text(arena_strdup(a, digest_text(d).s));
}

static Llb__Pair **description(struct arena *a, struct pairs p)
{
    Llb__Pair **items = arena_alloc(a, (p.n + 1) * sizeof *items);
    for (size_t i = 0; i < p.n; i++) {
        items[i] = NEW(a, Llb__Pair, llb__pair__init);
        items[i]->has_key = items[i]->has_value = true;
        items[i]->key = data_of_text(p.items[i].key);
        items[i]->value = data_of_text(p.items[i].value);
    }
    return items;
}

static Llb__Cap **caps(struct arena *a, struct strings names)
{
    Llb__Cap **items = arena_alloc(a, (names.n + 1) * sizeof *items);
    for (size_t i = 0; i < names.n; i++) {
        items[i] = NEW(a, Llb__Cap, llb__cap__init);
        items[i]->has_key = items[i]->has_value = items[i]->value = true;
        items[i]->key = data_of_text(names.items[i]);
    }
    return items;
}

static Llb__ProgressGroup *group(struct arena *a, const struct progress_group *g)
{
    Llb__ProgressGroup *m = NEW(a, Llb__ProgressGroup, llb__progress_group__init);
    m->id = data_of_text(g->id);
    m->has_id = m->id.len != 0;
    m->name = data_of_text(g->name);
    m->has_name = m->name.len != 0;
    m->has_weak = m->weak = g->is_weak;
    return m;
}

static Llb__OpMetadata *metadata(struct arena *a, const struct vertex *v)
{
    Llb__OpMetadata *m = NEW(a, Llb__OpMetadata, llb__op_metadata__init);
    m->has_ignore_cache = m->ignore_cache = v->ignores_cache;
    m->description = description(a, v->description);
    m->n_description = v->description.n;
    if (v->export_cache != EXPORT_CACHE_DEFAULT) {
        m->export_cache = NEW(a, Llb__ExportCache, llb__export_cache__init);
        m->export_cache->has_value = m->export_cache->value = v->export_cache == EXPORT_CACHE_YES;
    }
    m->caps = caps(a, v->caps);
    m->n_caps = v->caps.n;
    if (v->group.is_set)
        m->progress_group = group(a, &v->group);
    return m;
}

/* What a reader must know to honour the metadata of these operations. */
static struct strings terminal_caps(struct writer_state *w)
{
    const char *names[5];
    size_t n = 0;
    bool ignores = false, describes = false, exports = false;
    for (size_t i = 0; i < w->n; i++) {
        ignores = ignores || w->sorted[i]->ignores_cache;
        describes = describes || w->sorted[i]->description.n;
        exports = exports || w->sorted[i]->export_cache != EXPORT_CACHE_DEFAULT;
    }
    names[n++] = "constraints";
    names[n++] = "platform";
    if (ignores)
        names[n++] = "meta.ignorecache";
    if (describes)
        names[n++] = "meta.description";
    if (exports)
        names[n++] = "meta.exportcache";
    return strings_merge(w->a, (struct strings){ names, n }, (struct strings){ 0 });
}

static void write_metadata(struct writer_state *w, const struct digest *terminal,
                           Llb__Definition *def)
{
    struct vertex last = { .digest = *terminal, .caps = terminal_caps(w) };
    def->metadata = arena_alloc(w->a, (w->n + 2) * sizeof *def->metadata);
    size_t i = 0;
    bool is_last_done = false;
    while (i < w->n || !is_last_done) {
        bool is_last =
            !is_last_done && (i == w->n || digest_compare(terminal, &w->sorted[i]->digest) < 0);
        const struct vertex *v = is_last ? &last : w->sorted[i++];
        is_last_done = is_last_done || is_last;
        Llb__MetadataEntry *e = NEW(w->a, Llb__MetadataEntry, llb__metadata_entry__init);
        e->has_key = true;
        e->key = digest_data(w->a, &v->digest);
        e->value = metadata(w->a, v);
        def->metadata[def->n_metadata++] = e;
    }
}

static int32_t file_index(struct writer_state *w, const struct source_file *f)
{
    for (size_t i = 0; i < w->files.n; i++)
        if (w->files.items[i] == f)
            return (int32_t)i;
    *vec_push(&w->files) = f;
    return (int32_t)w->files.n - 1;
}

static Llb__Position *position(struct arena *a, int32_t line, int32_t character)
{
    Llb__Position *m = NEW(a, Llb__Position, llb__position__init);
    m->line = line;
    m->has_line = line != 0;
    m->character = character;
    m->has_character = character != 0;
    return m;
}

/* Neighbouring ranges of one file are one location. */
static Llb__Locations *locations(struct writer_state *w, const struct vertex *v)
{
    Llb__Locations *m = NEW(w->a, Llb__Locations, llb__locations__init);
    m->locations = arena_alloc(w->a, (v->n_ranges + 1) * sizeof *m->locations);
    Llb__Location *l = NULL;
    for (size_t i = 0; i < v->n_ranges; i++) {
        const struct source_range *r = &v->ranges[i];
        if (!l || v->ranges[i - 1].file != r->file) {
            l = m->locations[m->n_locations++] = NEW(w->a, Llb__Location, llb__location__init);
            l->source_index = file_index(w, r->file);
            l->has_source_index = l->source_index != 0;
            l->ranges = arena_alloc(w->a, (v->n_ranges - i) * sizeof *l->ranges);
        }
        Llb__Range *range = l->ranges[l->n_ranges++] = NEW(w->a, Llb__Range, llb__range__init);
        range->start = position(w->a, r->start_line, r->start_character);
        range->end = position(w->a, r->end_line, r->end_character);
    }
    return m;
}

static void write_source(struct writer_state *w, Llb__Definition *def)
{
    Llb__Source *m = def->source = NEW(w->a, Llb__Source, llb__source__init);
    m->locations = arena_alloc(w->a, (w->n + 1) * sizeof *m->locations);
    for (size_t i = 0; i < w->n; i++) {
        if (!w->sorted[i]->n_ranges)
            continue;
        Llb__LocationsEntry *e = NEW(w->a, Llb__LocationsEntry, llb__locations_entry__init);
        e->has_key = true;
        e->key = digest_data(w->a, &w->sorted[i]->digest);
        e->value = locations(w, w->sorted[i]);
        m->locations[m->n_locations++] = e;
    }
    m->infos = arena_alloc(w->a, (w->files.n + 1) * sizeof *m->infos);
    for (size_t i = 0; i < w->files.n; i++) {
        Llb__SourceInfo *info = m->infos[m->n_infos++] =
            NEW(w->a, Llb__SourceInfo, llb__source_info__init);
        info->filename = data_of_text(w->files.items[i]->name);
        info->has_filename = info->filename.len != 0;
        info->data = data_of(w->files.items[i]->data);
        info->has_data = info->data.len != 0;
        info->language = data_of_text(w->files.items[i]->language);
        info->has_language = info->language.len != 0;
    }
}

/* Files are numbered by the order of operations, not of digests. */
static void number_files(struct writer_state *w, const struct vertex_list *order)
{
    for (size_t i = 0; i < order->n; i++)
        for (size_t r = 0; r < order->items[i]->n_ranges; r++)
            file_index(w, order->items[i]->ranges[r].file);
}

static int write_definition(struct writer_state *w, const struct vertex_list *order,
                            struct edge result, struct buf *out, struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf terminal;
    Llb__Definition *def = NEW(w->a, Llb__Definition, llb__definition__init);
    buf_init(&terminal, 4096);
    terminal_encode(result, &terminal);
    struct digest digest = digest_of(buf_span(&terminal));
    def->def = arena_alloc(w->a, (order->n + 1) * sizeof *def->def);
    for (size_t i = 0; i < order->n; i++)
        def->def[def->n_def++] = data_of(order->items[i]->encoded);
    def->def[def->n_def++] = data_of(buf_span(&terminal));
    number_files(w, order);
    write_metadata(w, &digest, def);
    write_source(w, def);
    return message_pack(&def->base, out, err);
}

int graph_marshal(struct edge result, struct buf *out, struct err *err)
{
    struct vertex_list order = { 0 };
    if (!result.vertex)
        return 0;
    AUTO(arena_free) struct arena *a = arena_new();
    struct writer_state w = { .a = a };
    vertices_collect(&result, 1, &order);
    w.n = order.n;
    w.sorted = arena_alloc(a, (order.n + 1) * sizeof *w.sorted);
    memcpy(w.sorted, order.items, order.n * sizeof *w.sorted);
    qsort(w.sorted, w.n, sizeof *w.sorted, compare_digests);
    int failed = write_definition(&w, &order, result, out, err);
    vec_clear(&w.files);
    vec_clear(&order);
    return failed;
}
