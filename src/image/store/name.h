/* image/store/name.h - names of manifests: what a person or a registry calls them.
 *
 * Names come in two scopes: images by their complete reference ("docker.io/library/alpine:latest"),
 * and what the embedded registry serves ("repository:tag", "repository@sha256:..."), so that the
 * same repository name in both is no clash.  What a name points to, and all that it needs, is never
 * collected.  index.json is written anew after every change. */
#pragma once
#include "base/core/err.h"
#include "image/oci/descriptor.h"
#include "image/store/store.h"

enum name_scope { NAME_IMAGE, NAME_SERVED };

/* Sets or moves a name.  `target` was put with manifest_put(). */
NODISCARD int name_set(struct store *st, enum name_scope scope, const char *name,
                       const struct descriptor *target, struct err *err);
/* Absent: *is_there false, *out untouched. */
NODISCARD int name_find(struct store *st, enum name_scope scope, const char *name,
                        struct descriptor *out, bool *is_there, struct err *err);
/* *was_there may be NULL. */
NODISCARD int name_remove(struct store *st, enum name_scope scope, const char *name,
                          bool *was_there, struct err *err);

/* Whether some name, of either scope, leads to the blob: then it is never collected. */
NODISCARD int name_leads_to(struct store *st, const struct digest *d, bool *out, struct err *err);

struct named {
    char *name;
    struct descriptor target;
    int64_t set_at_s; /* since 1970 */
};
struct names {
    struct named *items; /* sorted by name */
    size_t n, cap;
};
void names_clear(struct names *l);
/* All names that start with `prefix` ("" all) and come after `after` (NULL: from the start), at
 * most `limit` (0: all). */
NODISCARD int name_list(struct store *st, enum name_scope scope, const char *prefix,
                        const char *after, size_t limit, struct names *out, struct err *err);
