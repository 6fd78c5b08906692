/* frontend/dockerfile/capture.c - what stages take from their user, noted while they are converted.
 *
 * Threads: a converter belongs to one thread. */
#include "frontend/dockerfile/capture.h"

void capture_arg(struct dispatch *d, const struct arg *arg, const char *value)
{
    if (!d->c->capture)
        return;
    bool is_own = arg->has_default || build_arg(d->c, arg->name);
    *vec_push(&d->c->capture->items) = (struct captured){
        .stage = d->stage,
        .item = { .kind = OUTLINE_ARG,
                  .name = arg->name,
                  .value = value ? value : "",
                  .description = arg->description,
                  .where = d->step->where },
        .is_global = !is_own && env_find(&d->c->globals, arg->name),
    };
}

void capture_mount(struct dispatch *d, enum outline_kind kind, const char *id, bool is_required)
{
    if (!d->c->capture)
        return;
    *vec_push(&d->c->capture->items) = (struct captured){
        .stage = d->stage,
        .item = { .kind = kind,
                  .name = id,
                  .value = "",
                  .description = "",
                  .is_required = is_required,
                  .where = d->step->where },
    };
}
