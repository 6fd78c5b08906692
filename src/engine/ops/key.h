/* engine/ops/key.h - cache keys as BuildKit makes them, so that caches may travel between the two.
 *
 * An operation's key is the SHA-256 of a JSON document: the operation as Go's encoding/json prints
 * BuildKit's protobuf structs (fields in the order of their numbers, zeros and empty lists left
 * out), without what is of the machine or of the moment.  Which part of an input is read is no part
 * of it but the input's selector: the SHA-256 of the paths.  Where what is read can be told by
 * content, that is the SHA-256 of the content checksums (engine/source/tree.h) of the paths.
 *
 * The JSON is that of BuildKit 0.17 and later; earlier ones wrote "input":0 and "output":0 of
 * mounts and "byID" for "byId" of owners, so their records of such steps are not found.
 *
 * Spec: BuildKit solver/llbsolver/ops, solver/pb/json.go; of sources: engine/ops/source.h. */
#pragma once
#include "base/codec/json.h"
#include "engine/ops/internal.h"

/* ---- documents: members that are left out when they say nothing ---- */
void key_put_text(struct json *object, const char *name, const char *text);
void key_put_int(struct json *object, const char *name, int64_t n);
void key_put_flag(struct json *object, const char *name, bool is_set);
void key_put_list(struct json *object, const char *name, const struct strings *texts);
void key_put_array(struct json *object, const char *name, struct json *array); /* takes it */
struct digest key_digest(const struct json *document);

/* ---- operations ---- */
struct digest key_of_exec(const struct vertex *v);
struct digest key_of_file(const struct vertex *v);
struct digest key_of_merge(const struct vertex *v);
struct digest key_of_diff(const struct vertex *v);

/* ---- what is read of an input ---- */

/* A path of an input, as BuildKit's selectors. */
struct key_path {
    const char *path;
    bool follows, has_wildcards;
    const struct strings *include, *exclude; /* NULL: none */
};
struct key_paths {
    const struct vertex *vertex; /* whose, and of which input */
    size_t input;
    struct key_path *items; /* owned */
    size_t n, cap;
};
void key_paths_clear(struct key_paths *paths);
/* Appends the parts of input i that v reads, in the order in which it names them; none: all of it,
 * or it is changed in place.  Texts are the vertex's or the arena's. */
void exec_input_paths(const struct vertex *v, size_t i, struct arena *a, struct key_paths *out);
void file_input_paths(const struct vertex *v, size_t i, struct key_paths *out);
struct digest exec_selector(const struct key_paths *paths); /* in this order */
struct digest file_selector(const struct key_paths *paths); /* sorted, the last first */
struct digest key_order(const struct key_paths *paths);     /* not set for less than two */
/* The content of the paths; each is told once, and none that lies below another. */
NODISCARD int key_content(struct ops *ops, struct result *r, const struct key_paths *paths,
                          const struct cancel *cancel, struct digest *out, struct err *err);
