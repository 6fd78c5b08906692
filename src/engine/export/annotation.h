/* engine/export/annotation.h - annotations that an output asks for, and where they go.
 *
 * Four places: the manifest of each image, the index, and the descriptors of both.  That of a
 * manifest stands in the index (in a layout's index.json when there is none), that of an index in
 * the index.json of a layout only.  Those of manifests and of their descriptors may be for one
 * platform; that counts more than what is said for all.
 *
 * Spec: BuildKit docs/annotations.md; docker buildx build "--annotation".  Threads: no state. */
#pragma once
#include "base/core/map.h"
#include "base/core/vec.h"
#include "image/oci/platform.h"

enum annotation_place {
    ANNOTATION_MANIFEST,
    ANNOTATION_INDEX,
    ANNOTATION_MANIFEST_DESCRIPTOR,
    ANNOTATION_INDEX_DESCRIPTOR
};

struct annotation {
    enum annotation_place place;
    struct platform platform; /* is_set false: of all */
    char *key, *value;        /* owned */
};
struct annotations {
    struct annotation *items;
    size_t n, cap;
};
void annotations_clear(struct annotations *l);
void annotations_copy(struct annotations *to, const struct annotations *from); /* appends */

/* Whether a key of -o is an annotation's. */
bool annotation_is_key(const char *key);
/* "annotation[-PLACE][[PLATFORM]].KEY" as in -o.  Fails: INVALID. */
NODISCARD int annotations_add(struct annotations *l, const char *key, const char *value,
                              struct err *err);
/* "[PLACE[[PLATFORM]],...:]KEY=VALUE" as in --annotation.  Fails: INVALID. */
NODISCARD int annotations_parse(struct annotations *l, const char *text, struct err *err);

/* Whether there are some that only OCI's media types can carry, as BuildKit sees it: all but those
 * of manifests. */
bool annotations_need_oci(const struct annotations *l);
/* Fails: INVALID when there is one for a platform that is none of `platforms` (n), or for an index
 * where there is none. */
NODISCARD int annotations_check(const struct annotations *l, const struct platform *platforms,
                                size_t n, bool has_index, struct err *err);
/* Sets in `out` (string to string) those of a place; `p` NULL: of all platforms. */
void annotations_collect(const struct annotations *l, enum annotation_place place,
                         const struct platform *p, struct map *out);
