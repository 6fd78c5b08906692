/* engine/graph/builder.c - vertices out of what front ends say.
 *
 * A draft with borrowed texts is written as protobuf, looked up by its digest, and, when new, read
 * back into the graph's memory by the same decoder that reads foreign graphs: one copy routine, one
 * check.
 *
 * How inputs and outputs are numbered is part of the digest; it follows BuildKit's client/llb.
 * Threads: a builder belongs to one thread. */
#include "engine/graph/builder.h"

#include <stdlib.h>
#include <string.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "engine/graph/internal.h"

struct graph_builder {
    struct arena *arena; /* owned until finished */
    struct map vertices; /* digest text to struct vertex, in the arena */
    size_t n_bytes;      /* of all operations and texts */
};

/* Edges of a draft, each once. */
struct edge_list {
    struct edge *items;
    size_t n, cap;
};

static void edge_list_clear(struct edge_list *l)
{
    vec_clear(l);
}

/* The index of `e`, -1 for scratch. */
static int32_t edge_list_add(struct edge_list *l, struct edge e)
{
    if (!e.vertex)
        return -1;
    for (size_t i = 0; i < l->n; i++)
        if (l->items[i].vertex == e.vertex && l->items[i].index == e.index)
            return (int32_t)i;
    *vec_push(l) = e;
    return (int32_t)l->n - 1;
}

struct graph_builder *graph_builder_new(void)
{
    struct graph_builder *b = xcalloc(1, sizeof *b);
    b->arena = arena_new();
    return b;
}

void graph_builder_free(struct graph_builder *b)
{
    if (!b)
        return;
    map_clear(&b->vertices);
    arena_free(b->arena);
    free(b);
}

static struct span keep(struct graph_builder *b, struct span s)
{
    b->n_bytes = size_add(b->n_bytes, s.len);
    return bytes_copy(b->arena, s);
}

const struct source_file *graph_add_source_file(struct graph_builder *b, const char *name,
                                                const char *language, struct span data)
{
    struct source_file *f = arena_alloc(b->arena, sizeof *f);
    f->name = arena_strdup(b->arena, name);
    f->language = arena_strdup(b->arena, language ? language : "");
    f->data = keep(b, data);
    return f;
}

static void add_ranges(struct graph_builder *b, struct vertex *v, const struct source_range *ranges,
                       size_t n)
{
    if (!n)
        return;
    struct source_range *all = arena_alloc(b->arena, (v->n_ranges + n) * sizeof *all);
    if (v->n_ranges)
        memcpy(all, v->ranges, v->n_ranges * sizeof *all);
    memcpy(all + v->n_ranges, ranges, n * sizeof *all);
    v->ranges = all;
    v->n_ranges += n;
}

/* What is said later wins, as in BuildKit's mergeMetadata. */
static void merge_about(struct graph_builder *b, struct vertex *v, const struct vertex_about *about)
{
    struct pair name = { "llb.customname", about->name };
    v->description = pairs_merge(b->arena, v->description, about->description);
    if (about->name)
        v->description = pairs_merge(b->arena, v->description, (struct pairs){ &name, 1 });
    v->ignores_cache = v->ignores_cache || about->ignores_cache;
    if (about->export_cache != EXPORT_CACHE_DEFAULT)
        v->export_cache = about->export_cache;
    v->caps = strings_merge(b->arena, v->caps, about->caps);
    if (about->group.is_set) {
        v->group = about->group;
        v->group.id = arena_strdup(b->arena, about->group.id ? about->group.id : "");
        v->group.name = arena_strdup(b->arena, about->group.name ? about->group.name : "");
    }
    add_ranges(b, v, about->ranges, about->n_ranges);
}

static int check_room(const struct graph_builder *b, size_t more, struct err *err)
{
    if (b->vertices.n >= LIMIT_GRAPH_VERTICES)
        return err_set(err, ERR_LIMIT, "build graph: has more than %d operations",
                       LIMIT_GRAPH_VERTICES);
    if (b->n_bytes > LIMIT_GRAPH_BYTES || more > LIMIT_GRAPH_BYTES - b->n_bytes)
        return err_set(err, ERR_LIMIT, "build graph: is larger than %zu bytes", LIMIT_GRAPH_BYTES);
    return 0;
}

/* The vertex of these bytes, new or known. */
static int intern(struct graph_builder *b, struct span encoded, struct vertex **out,
                  struct err *err)
{
    struct digest digest = digest_of(encoded);
    *out = map_find(&b->vertices, digest_text(&digest).s);
    if (*out)
        return 0;
    AUTO(arena_free) struct arena *scratch = arena_new();
    ProtobufCMessage *m;
    size_t room = UNPACK_ROOM;
    if (check_room(b, encoded.len, err) ||
        message_unpack(&llb__op__descriptor, encoded, scratch, &room, "operation", &m, err) ||
        vertex_decode((const Llb__Op *)m, encoded, b->arena, &b->vertices, out, err))
        return -1;
    b->n_bytes += encoded.len;
    map_set(&b->vertices, digest_text(&digest).s, *out);
    return 0;
}

static int check_about(const struct vertex_about *about, struct err *err)
{
    if (text_check(span_of(about->name), "name", err) ||
        text_check(span_of(about->group.id), "progress group", err) ||
        text_check(span_of(about->group.name), "progress group", err))
        return -1;
    for (size_t i = 0; i < about->description.n; i++)
        if (text_check(span_of(about->description.items[i].key), "description", err) ||
            text_check(span_of(about->description.items[i].value), "description", err))
            return -1;
    for (size_t i = 0; i < about->caps.n; i++)
        if (text_check(span_of(about->caps.items[i]), "caps", err))
            return -1;
    return 0;
}

static int add_draft(struct graph_builder *b, struct vertex *draft,
                     const struct vertex_about *about, struct vertex **out, struct err *err)
{
    static const struct vertex_about nothing;
    AUTO_VALUE(buf_clear) struct buf encoded;
    buf_init(&encoded, LIMIT_GRAPH_BYTES);
    if (!about)
        about = &nothing;
    draft->constraints = about->constraints;
    if (check_about(about, err) || vertex_encode(draft, &encoded, err) ||
        intern(b, buf_span(&encoded), out, err))
        return -1;
    merge_about(b, *out, about);
    return 0;
}

static int require_platform(struct vertex *draft, const struct vertex_about *about, struct err *err)
{
    if (!about || !about->platform || !about->platform->is_set)
        return err_set(err, ERR_INVALID, "%s: a platform is needed", op_type_name(draft->type));
    draft->platform = *about->platform;
    platform_normalize(&draft->platform);
    return 0;
}

int graph_add_source(struct graph_builder *b, const struct op_source *op,
                     const struct vertex_about *about, struct edge *out, struct err *err)
{
    struct vertex draft = { .type = OP_SOURCE, .source = *op };
    struct vertex *v;
    struct span id = span_of(op->identifier);
    bool has_platform = span_starts(id, "docker-image://") || span_starts(id, "oci-layout://");
    if ((has_platform && require_platform(&draft, about, err)) ||
        add_draft(b, &draft, about, &v, err))
        return -1;
    *out = (struct edge){ v, 0 };
    return 0;
}

/* Order of mounts: by destination; then secrets, then sockets, as they came. */
struct sort_mount {
    struct op_mount mount;
    size_t position;
};

static int mount_group(const struct op_mount *m)
{
    return m->type == MOUNT_SECRET ? 1 : m->type == MOUNT_SSH ? 2 : 0;
}

static int compare_mounts(const void *a, const void *b)
{
    const struct sort_mount *x = a, *y = b;
    int order = mount_group(&x->mount) - mount_group(&y->mount);
    if (!order && !mount_group(&x->mount))
        order = strcmp(x->mount.dest, y->mount.dest);
    if (order)
        return order;
    return x->position < y->position ? -1 : 1;
}

static struct op_mount *number_mounts(const struct op_exec *op, struct edge_list *inputs)
{
    struct sort_mount *sorted = xcalloc(op->n_mounts + 1, sizeof *sorted);
    struct op_mount *mounts = xcalloc(op->n_mounts + 1, sizeof *mounts);
    int32_t n_outputs = 0;
    for (size_t i = 0; i < op->n_mounts; i++) {
        sorted[i] = (struct sort_mount){ op->mounts[i], i };
        if (!sorted[i].mount.dest)
            sorted[i].mount.dest = "";
    }
    qsort(sorted, op->n_mounts, sizeof *sorted, compare_mounts);
    for (size_t i = 0; i < op->n_mounts; i++) {
        struct op_mount *m = &mounts[i];
        *m = sorted[i].mount;
        bool has_content = m->type == MOUNT_BIND || m->type == MOUNT_CACHE;
        m->input = has_content ? edge_list_add(inputs, m->from) : -1;
        m->output =
            m->type == MOUNT_BIND && !m->is_readonly && !m->has_no_output ? n_outputs++ : -1;
    }
    free(sorted);
    return mounts;
}

bool vertex_mount_output(const struct vertex *v, const char *dest, struct edge *out)
{
    for (size_t i = 0; v->type == OP_EXEC && i < v->exec.n_mounts; i++) {
        const struct op_mount *m = &v->exec.mounts[i];
        if (m->output < 0 || strcmp(m->dest, dest) != 0)
            continue;
        *out = (struct edge){ v, (uint32_t)m->output };
        return true;
    }
    return false;
}

int graph_add_exec(struct graph_builder *b, const struct op_exec *op,
                   const struct vertex_about *about, struct edge *out, struct err *err)
{
    struct vertex draft = { .type = OP_EXEC, .exec = *op };
    struct vertex *v;
    AUTO_VALUE(edge_list_clear) struct edge_list inputs = { 0 };
    AUTO_FREE struct op_mount *mounts = number_mounts(op, &inputs);
    draft.exec.mounts = mounts;
    draft.exec.removes_mount_stubs = true; /* BuildKit's client always asks for it */
    draft.inputs = inputs.items;
    draft.n_inputs = inputs.n;
    if (require_platform(&draft, about, err) || add_draft(b, &draft, about, &v, err))
        return -1;
    if (!vertex_mount_output(v, "/", out))
        *out = (struct edge){ v, 0 };
    return 0;
}

static void number_action(struct op_action *act, struct edge base, struct edge_list *inputs)
{
    int32_t first = edge_list_add(inputs, base);
    act->secondary = act->type == ACTION_COPY ? edge_list_add(inputs, act->from) : -1;
    act->output = -1;
    act->owner.user.input = act->owner.group.input = first;
}

int graph_add_file(struct graph_builder *b, struct edge base, const struct op_action *actions,
                   size_t n, const struct vertex_about *about, struct edge *out, struct err *err)
{
    struct vertex *v;
    AUTO_VALUE(edge_list_clear) struct edge_list inputs = { 0 };
    AUTO_FREE struct op_action *numbered = xcalloc(n + 1, sizeof *numbered);
    for (size_t i = 0; i < n; i++) {
        numbered[i] = actions[i];
        number_action(&numbered[i], base, &inputs);
    }
    for (size_t i = 0; i < n; i++)
        numbered[i].input = i ? (int32_t)(inputs.n + i - 1) : base.vertex ? 0 : -1;
    if (n)
        numbered[n - 1].output = 0;
    struct vertex draft = {
        .type = OP_FILE,
        .file = { numbered, n },
        .inputs = inputs.items,
        .n_inputs = inputs.n,
    };
    if (add_draft(b, &draft, about, &v, err))
        return -1;
    *out = (struct edge){ v, 0 };
    return 0;
}

int graph_add_merge(struct graph_builder *b, const struct edge *inputs, size_t n,
                    const struct vertex_about *about, struct edge *out, struct err *err)
{
    struct vertex *v;
    AUTO_FREE struct edge *edges = xcalloc(n + 1, sizeof *edges);
    AUTO_FREE int32_t *indexes = xcalloc(n + 1, sizeof *indexes);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (!inputs[i].vertex)
            continue;
        indexes[kept] = (int32_t)kept;
        edges[kept++] = inputs[i];
    }
    if (kept < 2) {
        *out = edges[0];
        return 0;
    }
    struct vertex draft = {
        .type = OP_MERGE,
        .merge = { indexes, kept },
        .inputs = edges,
        .n_inputs = kept,
    };
    if (add_draft(b, &draft, about, &v, err))
        return -1;
    *out = (struct edge){ v, 0 };
    return 0;
}

int graph_add_diff(struct graph_builder *b, struct edge lower, struct edge upper,
                   const struct vertex_about *about, struct edge *out, struct err *err)
{
    struct vertex *v;
    struct edge edges[2] = { lower, upper };
    struct vertex draft = {
        .type = OP_DIFF,
        .diff = { .lower = 0, .upper = upper.vertex ? 1 : -1 },
        .inputs = edges,
        .n_inputs = upper.vertex ? 2 : 1,
    };
    *out = upper;
    if (!lower.vertex)
        return 0;
    if (add_draft(b, &draft, about, &v, err))
        return -1;
    *out = (struct edge){ v, 0 };
    return 0;
}

/* Files of the other graph are copied once each; `files` goes from old to new by position. */
static const struct source_file *own_file(struct graph_builder *b, const struct graph *g,
                                          const struct source_file **files,
                                          const struct source_file *f)
{
    for (size_t i = 0; i < g->n_files; i++) {
        if (g->files[i] != f)
            continue;
        if (!files[i])
            files[i] = graph_add_source_file(b, f->name, f->language, f->data);
        return files[i];
    }
    abort();
}

static void copy_about(struct graph_builder *b, const struct graph *g,
                       const struct source_file **files, const struct vertex *from,
                       struct vertex *to)
{
    struct vertex_about about = {
        .description = from->description,
        .ignores_cache = from->ignores_cache,
        .export_cache = from->export_cache,
        .caps = from->caps,
        .group = from->group,
    };
    AUTO_FREE struct source_range *ranges = xcalloc(from->n_ranges + 1, sizeof *ranges);
    for (size_t i = 0; i < from->n_ranges; i++) {
        ranges[i] = from->ranges[i];
        ranges[i].file = own_file(b, g, files, ranges[i].file);
    }
    about.ranges = ranges;
    about.n_ranges = from->n_ranges;
    merge_about(b, to, &about);
}

int graph_add_graph(struct graph_builder *b, const struct graph *g, struct edge *out,
                    struct err *err)
{
    AUTO_FREE const struct source_file **files = xcalloc(g->n_files + 1, sizeof *files);
    struct edge result = g->results[0];
    *out = (struct edge){ 0 };
    for (size_t i = 0; i < g->n_vertices; i++) {
        struct vertex *v;
        if (intern(b, g->vertices[i]->encoded, &v, err))
            return -1;
        copy_about(b, g, files, g->vertices[i], v);
        if (g->vertices[i] == result.vertex)
            *out = (struct edge){ v, result.index };
    }
    return 0;
}

int graph_builder_finish(struct graph_builder *b, const struct edge *results, size_t n,
                         struct graph **out, struct err *err)
{
    for (size_t i = 0; i < n; i++)
        if (results[i].vertex && results[i].index >= results[i].vertex->n_outputs)
            return err_set(err, ERR_INVALID,
                           "build graph: result %zu: the operation has no output %u", i,
                           results[i].index);
    if (!n)
        return err_set(err, ERR_INVALID, "build graph: has no result");
    *out = graph_new(STEAL(b->arena), results, n);
    map_clear(&b->vertices);
    return 0;
}
