/* frontend/dockerfile/scan_targets.c - which stages and contexts are to be scanned besides the
 * result: ARG BUILDKIT_SBOM_SCAN_STAGE and BUILDKIT_SBOM_SCAN_CONTEXT.
 *
 * A value is true, false, or the names of stages that it is true for.  Of a stage it asks for the
 * stage's files, when another one is the target; of the target it may ask for the main context's.
 *
 * Spec: BuildKit docs/attestations/sbom.md.  Threads: a converter belongs to one thread. */
#include <string.h>

#include "frontend/dockerfile/convert_internal.h"

static bool is_for(const struct build_stage *s, const char *value)
{
    struct span rest = span_of(value);
    bool is_all = false;
    if (span_bool(rest, &is_all) && is_all)
        return true;
    while (rest.ptr) {
        struct span name = span_trim(span_cut(&rest, ','));
        if (name.len && (span_is(name, s->name) || span_is(name, s->label)))
            return true;
    }
    return false;
}

bool scan_arg(struct dispatch *d, const char *name, const char *value)
{
    struct build_stage *s = d->stage;
    if (strcmp(name, "BUILDKIT_SBOM_SCAN_STAGE") == 0)
        s->scans_stage = value && is_for(s, value);
    else if (strcmp(name, "BUILDKIT_SBOM_SCAN_CONTEXT") == 0)
        s->scans_context = value && is_for(s, value);
    else
        return false;
    if (!d->c->o->wants_scans)
        return true;
    if (s->scans_stage)
        stage_uses_path(s, "/");
    if (s->scans_context && s == d->c->target)
        map_set(&d->c->main.paths, "/", NULL);
    return true;
}

int scan_targets(struct converter *c, struct edge *edges, size_t *n, struct err *err)
{
    struct arena *a = c->result->arena;
    const char **names = arena_alloc(a, (c->stages.n + 1) * sizeof *names);
    size_t n_names = 0;
    c->result->scans = (struct strings){ names, 0 };
    if (!c->o->wants_scans)
        return 0;
    if (c->target->scans_context) {
        if (context_edge(c, &c->main, &edges[(*n)++], err))
            return -1;
        names[n_names++] = "context";
    }
    vec_each (&c->stages, s) {
        if (*s == c->target || !(*s)->scans_stage || !(*s)->state.is_done)
            continue;
        edges[(*n)++] = (*s)->state.root;
        names[n_names++] = arena_strdup(a, *(*s)->name ? (*s)->name : (*s)->label);
    }
    c->result->scans.n = n_names;
    return 0;
}
