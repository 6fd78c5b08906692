/* engine/solver/work.c - a node at work: claimed, so that nobody else does the same, run, told of.
 */
#include <stdlib.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "engine/solver/internal.h"

enum { PAUSE_FIRST_MS = 1, PAUSE_MAX_MS = 100 };

void node_tell(struct node *n, enum progress_kind kind, const char *text)
{
    AUTO_VALUE(buf_clear) struct buf name = { 0 };
    buf_init(&name, LIMIT_GRAPH_BYTES);
    if (kind == PROGRESS_START || kind == PROGRESS_CACHED)
        vertex_print_name(n->vertex, &name);
    struct digest_text id = digest_text(&n->vertex->digest);
    progress_tell(
        n->solve->options->progress,
        (struct progress_event){
            .kind = kind, .id = id.s, .name = name.data, .vertex = n->vertex, .text = text });
    if (kind != PROGRESS_START)
        n->is_reported = true;
}

static void tell_start(struct node *n)
{
    if (!n->is_started)
        node_tell(n, PROGRESS_START, NULL);
    n->is_started = true;
}

/* ---- claims ---- */

int node_claim(struct node *n, struct err *err)
{
    static const char waiting[] = "waiting for another build that runs the same";
    const struct solve_options *o = n->solve->options;
    struct digest_text id = digest_text(&n->vertex->digest);
    if (!o->cache || !o->cache->claim || n->key.is_free || o->ignores_cache ||
        n->vertex->ignores_cache)
        return 0;
    for (int pause_ms = PAUSE_FIRST_MS;;) {
        if (o->cache->claim(o->cache->arg, &n->content, &n->claim, err))
            return -1;
        if (n->claim)
            break;
        if (pause_ms >= PAUSE_MAX_MS) {
            tell_start(n);
            progress_status(o->progress, id.s, waiting, 0, 0);
        }
        if (cancel_sleep_ms(o->cancel, pause_ms, err)) {
            if (n->is_started)
                node_tell(n, PROGRESS_CANCELED, NULL);
            return -1;
        }
        pause_ms = pause_ms * 2 < PAUSE_MAX_MS ? pause_ms * 2 : PAUSE_MAX_MS;
    }
    if (n->is_started)
        progress_part_done(o->progress, id.s, waiting, 0);
    return 0;
}

void node_release(struct node *n)
{
    const struct solver_cache *cache = n->solve->options->cache;
    if (n->claim)
        cache->release(cache->arg, n->claim);
    n->claim = NULL;
}

/* ---- running ---- */

static int not_cached(struct node *n, struct err *err)
{
    err_set(err, ERR_NOT_FOUND, "not cached, and only what is cached may be used (--cache-only)");
    node_tell(n, PROGRESS_FAIL, err->text);
    return err_hint(err, "--explain says which input differs from the last build");
}

int node_run(struct node *n, struct err *err)
{
    const struct vertex *v = n->vertex;
    const struct op_impl *impl = node_impl(n);
    if (n->solve->options->is_cache_only && !n->key.is_free)
        return not_cached(n, err);
    struct result **inputs = xcalloc(v->n_inputs + 1, sizeof *inputs);
    for (size_t i = 0; i < v->n_inputs; i++)
        inputs[i] = node_input(n, i);
    tell_start(n);
    struct op_run run = { .vertex = v,
                          .inputs = inputs,
                          .outputs = n->outputs,
                          .progress = n->solve->options->progress,
                          .cancel = n->solve->options->cancel };
    int status = cancel_check(run.cancel, err) || impl->run(impl->arg, &run, err) ? -1 : 0;
    free(inputs);
    node_tell(n,
              status == 0                 ? PROGRESS_DONE
              : err->kind == ERR_CANCELED ? PROGRESS_CANCELED
                                          : PROGRESS_FAIL,
              status == 0 ? NULL : err->text);
    return status;
}
