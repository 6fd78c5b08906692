/* engine/ops/source.h - what the schemes of sources share. */
#pragma once
#include "base/core/limits.h"
#include "engine/ops/internal.h"

/* One kind of source, known by how its identifier begins. */
struct scheme {
    const char *prefix; /* "docker-image://" */
    int (*key)(struct ops *ops, const struct vertex *v, struct op_key *out,
               const struct cancel *cancel, struct err *err);
    int (*run)(struct ops *ops, const struct op_run *run, struct err *err);
};
extern const struct scheme image_scheme, local_scheme, http_scheme, https_scheme, git_scheme,
    layout_scheme;

/* BuildKit's cache key of a source ("the commit, .git, ...") as the digest that it makes of it. */
struct digest source_digest(const char *key);

/* Between key() and run() of a vertex: allocated with malloc, all in one piece.  `answer_keep`
 * takes it; once kept it lives as long as the operations do. */
void *answer_find(struct ops *ops, const struct vertex *v);
void answer_keep(struct ops *ops, const struct vertex *v, void *answer);

/* The same for all operations of a build (ops_options.pins): false when nothing is pinned. */
bool pin_find(struct ops *ops, const struct vertex *v, void *answer, size_t size);
void pin_keep(struct ops *ops, const struct vertex *v, const void *answer, size_t size);

#define LIMIT_SECRET ((size_t)(64 * KIB))
/* The secret `id` behind `prefix`, for a header: *out (the caller's, secret_free()) NULL when
 * nobody gave it. Blanks around it are dropped. */
NODISCARD int authorization_read(const struct ops *ops, const char *id, const char *prefix,
                                 char **out, struct err *err);
void secret_clear(struct buf *b);
void secret_free(char *secret);
DEFINE_AUTO(char, secret_free)

/* The chain of an image's layers as the result. */
NODISCARD int image_result(struct ops *ops, const struct op_run *run, const struct image *image,
                           struct err *err);
/* Tag or digest, mirror or not: what an image holds is told by its layers. */
struct digest image_key(const struct image *image);
