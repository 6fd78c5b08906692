/* frontend/dockerfile/env.h - the environment of a stage while it is converted.
 *
 * ARG with a value and ENV write the same list, so for later instructions the last one wins; only
 * ENV also goes into the image config.  Setting a name again moves it to the end: the order is that
 * of the last settings, as in BuildKit's operations, and part of their identity.
 *
 * Threads: values; strings are an arena's. */
#pragma once
#include "base/core/arena.h"
#include "base/core/vec.h"
#include "engine/graph/op.h"

struct env {
    struct pair *items; /* owned; names once each */
    size_t n, cap;
};
void env_clear(struct env *e);
void env_copy(struct env *to, const struct env *from);            /* `to` is empty before */
void env_set(struct env *e, const char *name, const char *value); /* borrows both */
const char *env_find(const void *env, const char *name); /* NULL when unset; fits shell_env_fn */
struct strings env_strings(const struct env *e, struct arena *a); /* "K=V" */
