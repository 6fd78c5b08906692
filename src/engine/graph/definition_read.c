/* engine/graph/definition_read.c - a graph out of pb.Definition.
 *
 * Operations are looked up by the digest of their bytes, so their order does not matter; only the
 * last one, the terminal, has a place.  Those that it needs are decoded inputs first, without
 * recursion.
 *
 * Spec: engine/graph/ops.proto; BuildKit solver/llbsolver/vertex.go.  Threads: nothing shared. */
#include <stdlib.h>
#include <string.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "engine/graph/internal.h"

struct pending {
    Llb__Op *op;
    struct span encoded;
    size_t next;     /* input to look at */
    bool is_entered; /* on the stack or done */
    bool is_done;
};

struct reader_state {
    struct arena *scratch, *arena;
    const Llb__Definition *def;
    struct pending *ops;  /* one per def, the terminal too */
    struct map by_digest; /* to struct pending */
    struct map vertices;  /* to struct vertex, decoded ones */
    struct {
        struct pending **items;
        size_t n, cap;
    } stack;
    size_t room; /* what unpacking may still take */
    struct err *err;
};

static int unpack_ops(struct reader_state *r)
{
    if (r->def->n_def > LIMIT_GRAPH_VERTICES)
        return err_set(r->err, ERR_LIMIT, "has more than %d operations", LIMIT_GRAPH_VERTICES);
    r->ops = arena_alloc(r->scratch, (r->def->n_def + 1) * sizeof *r->ops);
    for (size_t i = 0; i < r->def->n_def; i++) {
        ProtobufCMessage *m;
        struct pending *p = &r->ops[i];
        p->encoded = span_of_data(r->def->def[i]);
        if (message_unpack(&llb__op__descriptor, p->encoded, r->scratch, &r->room, "operation", &m,
                           r->err))
            return err_wrap(r->err, "operation %zu", i);
        p->op = (Llb__Op *)m;
        struct digest digest = digest_of(p->encoded);
        if (!map_has(&r->by_digest, digest_text(&digest).s))
            map_set(&r->by_digest, digest_text(&digest).s, p);
    }
    return 0;
}

/* The operation that an input names; `of` is who asks. */
static int find_input(struct reader_state *r, const Llb__Input *input, struct pending **out)
{
    char text[DIGEST_TEXT_MAX] = "";
    if (input->digest.len < sizeof text)
        memcpy(text, input->digest.data ? (const char *)input->digest.data : "", input->digest.len);
    struct digest digest;
    if (digest_parse(span_of_data(input->digest), &digest, r->err))
        return err_wrap(r->err, "input");
    *out = map_find(&r->by_digest, text);
    if (!*out)
        return err_set(r->err, ERR_INVALID, "input %s: there is no such operation", text);
    return 0;
}

static int finish_op(struct reader_state *r, struct pending *p)
{
    struct vertex *v;
    if (vertex_decode(p->op, p->encoded, r->arena, &r->vertices, &v, r->err))
        return -1;
    map_set(&r->vertices, digest_text(&v->digest).s, v);
    p->is_done = true;
    r->stack.n--;
    return 0;
}

static int enter_op(struct reader_state *r, struct pending *p)
{
    if (p->is_done)
        return 0;
    if (p->is_entered)
        return err_set(r->err, ERR_INVALID, "an operation needs its own result");
    p->is_entered = true;
    *vec_push(&r->stack) = p;
    return 0;
}

static int decode_from(struct reader_state *r, struct pending *root)
{
    if (enter_op(r, root))
        return -1;
    while (r->stack.n) {
        struct pending *top = r->stack.items[r->stack.n - 1], *input;
        if (top->next == top->op->n_inputs) {
            if (finish_op(r, top))
                return -1;
            continue;
        }
        if (find_input(r, top->op->inputs[top->next++], &input) || enter_op(r, input))
            return -1;
    }
    return 0;
}

static int read_result(struct reader_state *r, struct edge *result)
{
    *result = (struct edge){ 0 };
    if (!r->def->n_def)
        return 0;
    const Llb__Op *last = r->ops[r->def->n_def - 1].op;
    if (last->op_case != LLB__OP__OP__NOT_SET || last->n_inputs != 1)
        return err_set(r->err, ERR_INVALID, "the last operation does not name one result");
    struct pending *root;
    if (find_input(r, last->inputs[0], &root) || decode_from(r, root))
        return -1;
    struct digest digest = digest_of(root->encoded);
    const struct vertex *v = map_find(&r->vertices, digest_text(&digest).s);
    int64_t index = last->inputs[0]->index;
    if (index < 0 || index >= (int64_t)v->n_outputs)
        return err_set(r->err, ERR_INVALID, "result: the operation has no output %lld",
                       (long long)index);
    *result = (struct edge){ v, (uint32_t)index };
    return 0;
}

static struct vertex *find_vertex(struct reader_state *r, ProtobufCBinaryData key)
{
    char text[DIGEST_TEXT_MAX] = "";
    if (!key.len || key.len >= sizeof text)
        return NULL;
    memcpy(text, key.data, key.len);
    return map_find(&r->vertices, text);
}

static int read_caps(struct decoder *d, const Llb__OpMetadata *m, struct strings *out)
{
    const char **names = arena_alloc(d->arena, (m->n_caps + 1) * sizeof *names);
    size_t n = 0;
    for (size_t i = 0; i < m->n_caps; i++) {
        if (!m->caps[i]->value)
            continue;
        if (decode_text(d, m->caps[i]->key, "caps", &names[n++]))
            return -1;
    }
    *out = strings_merge(d->arena, (struct strings){ names, n }, (struct strings){ 0 });
    return 0;
}

static int read_metadata_of(struct decoder *d, const Llb__OpMetadata *m, struct vertex *v)
{
    v->ignores_cache = m->ignore_cache;
    if (m->export_cache)
        v->export_cache = m->export_cache->value ? EXPORT_CACHE_YES : EXPORT_CACHE_NO;
    if (decode_pairs(d, m->description, m->n_description, "description", &v->description) ||
        read_caps(d, m, &v->caps))
        return -1;
    if (!m->progress_group)
        return 0;
    v->group.is_set = true;
    v->group.is_weak = m->progress_group->weak;
    if (decode_text(d, m->progress_group->id, "progress group", &v->group.id) ||
        decode_text(d, m->progress_group->name, "progress group", &v->group.name))
        return -1;
    return 0;
}

static int read_metadata(struct reader_state *r)
{
    for (size_t i = 0; i < r->def->n_metadata; i++) {
        const Llb__MetadataEntry *e = r->def->metadata[i];
        struct decoder d = { .arena = r->arena, .v = find_vertex(r, e->key), .err = r->err };
        if (d.v && e->value && read_metadata_of(&d, e->value, d.v))
            return err_wrap(r->err, "metadata");
    }
    return 0;
}

static int read_files(struct reader_state *r, const Llb__Source *m,
                      const struct source_file **files)
{
    for (size_t i = 0; i < m->n_infos; i++) {
        struct source_file *f = arena_alloc(r->arena, sizeof *f);
        struct decoder d = { .arena = r->arena, .err = r->err };
        if (decode_text(&d, m->infos[i]->filename, "filename", &f->name) ||
            decode_text(&d, m->infos[i]->language, "language", &f->language))
            return -1;
        f->data = bytes_copy(r->arena, span_of_data(m->infos[i]->data));
        files[i] = f;
    }
    return 0;
}

static struct source_range range_of(const Llb__Range *m, const struct source_file *f)
{
    struct source_range r = { .file = f };
    if (m->start) {
        r.start_line = m->start->line;
        r.start_character = m->start->character;
    }
    if (m->end) {
        r.end_line = m->end->line;
        r.end_character = m->end->character;
    }
    return r;
}

static int read_ranges(struct reader_state *r, const Llb__Locations *m,
                       const struct source_file **files, size_t n_files, struct vertex *v)
{
    size_t n = 0;
    for (size_t i = 0; i < m->n_locations; i++)
        n += m->locations[i]->n_ranges;
    struct source_range *ranges = arena_alloc(r->arena, (n + 1) * sizeof *ranges);
    v->n_ranges = 0;
    for (size_t i = 0; i < m->n_locations; i++) {
        const Llb__Location *l = m->locations[i];
        if (l->source_index < 0 || (size_t)l->source_index >= n_files)
            return err_set(r->err, ERR_INVALID, "source: there is no file %d", l->source_index);
        for (size_t k = 0; k < l->n_ranges; k++)
            ranges[v->n_ranges++] = range_of(l->ranges[k], files[l->source_index]);
    }
    v->ranges = ranges;
    return 0;
}

static int read_source(struct reader_state *r)
{
    const Llb__Source *m = r->def->source;
    if (!m)
        return 0;
    const struct source_file **files = arena_alloc(r->scratch, (m->n_infos + 1) * sizeof *files);
    if (read_files(r, m, files))
        return err_wrap(r->err, "source");
    for (size_t i = 0; i < m->n_locations; i++) {
        struct vertex *v = find_vertex(r, m->locations[i]->key);
        if (v && m->locations[i]->value &&
            read_ranges(r, m->locations[i]->value, files, m->n_infos, v))
            return -1;
    }
    return 0;
}

static int read_definition(struct reader_state *r, struct span bytes, struct edge *result)
{
    ProtobufCMessage *m;
    if (bytes.len > LIMIT_GRAPH_BYTES)
        return err_set(r->err, ERR_LIMIT, "is larger than %zu bytes", LIMIT_GRAPH_BYTES);
    if (message_unpack(&llb__definition__descriptor, bytes, r->scratch, &r->room, "definition", &m,
                       r->err))
        return -1;
    r->def = (const Llb__Definition *)m;
    if (unpack_ops(r) || read_result(r, result) || read_metadata(r) || read_source(r))
        return -1;
    return 0;
}

int graph_unmarshal(struct span bytes, struct graph **out, struct err *err)
{
    AUTO(arena_free) struct arena *scratch = arena_new();
    AUTO(arena_free) struct arena *arena = arena_new();
    struct reader_state r = { .scratch = scratch, .arena = arena, .room = UNPACK_ROOM, .err = err };
    struct edge result;
    int failed = read_definition(&r, bytes, &result);
    map_clear(&r.by_digest);
    map_clear(&r.vertices);
    vec_clear(&r.stack);
    if (failed)
        return err_wrap(err, "read build graph");
    *out = graph_new(STEAL(arena), &result, 1);
    return 0;
}
