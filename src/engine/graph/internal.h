/* engine/graph/internal.h - between structs and protobuf bytes; what the room shares. */
#pragma once
#include <protobuf-c/protobuf-c.h>

#include "base/core/arena.h"
#include "base/core/limits.h"
#include "base/core/map.h"
#include "engine/graph/builder.h"
#include "engine/graph/graph.h"
#include "engine/graph/ops.pb-c.h"

/* Appends a message.  Fails: LIMIT above the ceiling of `out`. */
NODISCARD int message_pack(const ProtobufCMessage *m, struct buf *out, struct err *err);
/* Reads a message into memory of `a`; nothing is to be freed.  It may take *room bytes at most,
 * which become less: two bytes of a repeated empty message cost a hundred of ours.  Fails: INVALID
 * naming `what`; LIMIT when the room is used up. */
NODISCARD int message_unpack(const ProtobufCMessageDescriptor *type, struct span bytes,
                             struct arena *a, size_t *room, const char *what,
                             ProtobufCMessage **out, struct err *err);
#define UNPACK_ROOM (3 * LIMIT_GRAPH_BYTES) /* definition, its operations, what they become */
ProtobufCBinaryData data_of(struct span bytes);
ProtobufCBinaryData data_of_text(const char *text); /* NULL: empty */
struct span span_of_data(ProtobufCBinaryData d);

/* Appends the Op of type, operation, inputs, platform and constraints of `v`. */
NODISCARD int vertex_encode(const struct vertex *v, struct buf *out, struct err *err);
/* The bytes of the last Op of a definition, which names the result. */
void terminal_encode(struct edge result, struct buf *out);

/* What decoding of one operation works with. */
struct decoder {
    struct arena *arena; /* where results go */
    struct vertex *v;    /* inputs are known first */
    struct err *err;
};
/* Makes the vertex of an Op in `a`, which takes a copy of `encoded`.  `known` finds the inputs by
 * the text of their digest.  Checks all that graph_unmarshal() promises. Fails: INVALID,
 * UNSUPPORTED. */
NODISCARD int vertex_decode(const Llb__Op *op, struct span encoded, struct arena *a,
                            const struct map *known, struct vertex **out, struct err *err);
NODISCARD int decode_file(struct decoder *d, const Llb__FileOp *op, struct op_file *out);
/* Fails: INVALID naming `field` when the text has a NUL or is not UTF-8. */
NODISCARD int text_check(struct span text, const char *field, struct err *err);
/* A copy that ends with NUL.  Fails: INVALID naming `field` when it has a NUL or is not UTF-8. */
NODISCARD int decode_text(struct decoder *d, ProtobufCBinaryData data, const char *field,
                          const char **out);
NODISCARD int decode_texts(struct decoder *d, const ProtobufCBinaryData *items, size_t n,
                           const char *field, struct strings *out);
NODISCARD int decode_pairs(struct decoder *d, Llb__Pair *const *items, size_t n, const char *field,
                           struct pairs *out);
/* An index of -1 .. limit - 1. */
NODISCARD int decode_index(struct decoder *d, int64_t index, size_t limit, const char *field,
                           int32_t *out);
/* Sets the vertex's n_outputs from the output of each part (-1: none).  Fails: INVALID unless they
 * are 0, 1, ... each once. */
NODISCARD int decode_outputs(struct decoder *d, const int32_t *outputs, size_t n);

/* A copy in `a`, of bytes of any value. */
struct span bytes_copy(struct arena *a, struct span bytes);

/* Sorted copies in `a`; of equal keys the last wins. */
struct pairs pairs_merge(struct arena *a, struct pairs first, struct pairs second);
struct strings strings_merge(struct arena *a, struct strings first, struct strings second);

/* Puts every vertex that the results need into `order` (borrowed), inputs first; the order depends
 * on the results and the graph alone. */
struct vertex_list {
    const struct vertex **items; /* owned */
    size_t n, cap;
};
void vertices_collect(const struct edge *results, size_t n, struct vertex_list *order);
/* A graph of `results`, with all in `a`, which it takes. */
struct graph *graph_new(struct arena *a, const struct edge *results, size_t n);
