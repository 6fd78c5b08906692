/* fuzz/convert.c - any Dockerfile becomes a graph or is refused: what came out can be written and
 * read as LLB, is the same the second time, and has one operation for each layer that the history
 * tells; an error has a kind and a place.
 *
 * The first line of the input, up to its line feed, is the context's ignore file in small: its
 * words are the lines.  The rest is the Dockerfile. */
#include <assert.h>
#include <string.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "frontend/dockerfile/convert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every image is there; those whose name has an "o" bring triggers. */
static int resolve(void *arg, const struct reference *ref, const struct platform *p,
                   enum image_resolve mode, struct image_meta *out, struct err *err)
{
    static const char plain[] = "{\"os\":\"linux\",\"config\":{\"Env\":[\"A=1\",\"PATH=/b\"]},"
                                "\"history\":[{\"created_by\":\"x\"}]}";
    static const char trigger[] = "{\"config\":{\"OnBuild\":[\"COPY --from=a /x /y\",\"RUN b\"]}}";
    (void)arg, (void)mode;
    image_config_clear(&out->config);
    if (image_config_parse(span_of(strchr(ref->repository, 'o') ? trigger : plain), &out->config,
                           err))
        return -1;
    out->config.platform = *p;
    out->digest = digest_of(span_of(ref->repository));
    return 0;
}

static int read_file(void *arg, const char *context, const char *path, struct buf *out,
                     bool *is_there, struct err *err)
{
    struct span rest = *(const struct span *)arg;
    *is_there = strcmp(context, "dockerfile") != 0 && path[0] == '.';
    while (*is_there && rest.len) {
        if (buf_append(out, span_cut(&rest, ' '), err) || buf_append(out, SPAN("\n"), err))
            return -1;
    }
    return 0;
}

/* Operations between the result and where its stage begins. */
static size_t chain_length(const struct vertex *v)
{
    size_t n = 0;
    while (v && v->type != OP_SOURCE) {
        n++;
        const struct edge *next = v->n_inputs ? &v->inputs[0] : NULL;
        if (v->type == OP_FILE && v->file.actions[0].input < 0)
            next = NULL;
        if (v->type == OP_EXEC)
            for (size_t i = 0; i < v->exec.n_mounts; i++)
                if (strcmp(v->exec.mounts[i].dest, "/") == 0 && v->exec.mounts[i].input < 0)
                    next = NULL;
        v = next ? next->vertex : NULL;
    }
    return n;
}

static void check_result(const struct dockerfile_result *r, const struct dockerfile_result *again)
{
    AUTO_VALUE(buf_clear) struct buf llb;
    AUTO_VALUE(buf_clear) struct buf config;
    AUTO_VALUE(image_config_clear) struct image_config parsed = { 0 };
    AUTO(graph_free) struct graph *back = NULL;
    struct err err = { 0 };
    buf_init(&llb, LIMIT_GRAPH_BYTES);
    buf_init(&config, SIZE_MAX);
    const struct vertex *v = r->graph->results[0].vertex, *w = again->graph->results[0].vertex;
    assert((v == NULL) == (w == NULL) && (!v || digest_equal(&v->digest, &w->digest)));
    if (v && graph_marshal(r->graph->results[0], &llb, &err) == 0)
        assert(graph_unmarshal(buf_span(&llb), &back, &err) == 0 || err.kind == ERR_LIMIT);
    size_t n_layers = 0;
    assert(r->n_base_history <= r->config.history.n);
    for (size_t i = r->n_base_history; i < r->config.history.n; i++)
        n_layers += !r->config.history.items[i].is_empty_layer;
    assert(chain_length(v) <= n_layers); /* equal work in a row is one vertex */
    image_config_print(&r->config, &config);
    if (config.len <= LIMIT_CONFIG)
        assert(image_config_parse(buf_span(&config), &parsed, &err) == 0 || err.kind == ERR_LIMIT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 64 * KIB)
        return 0;
    struct span text = span_bytes(data, size), ignore = span_cut(&text, '\n');
    struct dockerfile_options o = { .filename = "D" };
    struct frontend_host host = { .arg = &ignore,
                                  .resolve_image = resolve,
                                  .read_context_file = read_file };
    AUTO_VALUE(dockerfile_result_clear) struct dockerfile_result r, again;
    struct err err = { 0 }, err_again = { 0 };
    int failed = dockerfile_convert(text, &o, &host, &r, &err);
    int failed_again = dockerfile_convert(text, &o, &host, &again, &err_again);
    assert(failed == failed_again && strcmp(err.text, err_again.text) == 0);
    if (!failed) {
        check_result(&r, &again);
    } else {
        assert(err.kind != ERR_NONE && err.text[0] == 'D' && err.text[1] == ':');
        assert(r.where.first <= r.where.last && !r.graph);
    }
    dockerfile_result_clear(&again);
    return 0;
}
