/* image/oci/manifest.h - image manifests and indexes, OCI and Docker schema 2.
 *
 * A parsed one keeps its raw bytes: its digest is computed over those, never over our own
 * rendering. Spec: image-spec manifest.md, image-index.md. */
#pragma once
#include "image/oci/descriptor.h"
#include "image/oci/media_type.h"

struct descriptors {
    struct descriptor *items; /* owned */
    size_t n, cap;
};
void descriptors_clear(struct descriptors *l); /* items too */

struct manifest {
    enum media_family family;
    struct descriptor config;
    struct descriptors layers;  /* items[0] is the base */
    char *artifact_type;        /* owned or NULL */
    struct descriptor *subject; /* owned or NULL */
    struct map annotations;     /* string to string */
    struct json *raw; /* owned: what it was read from, for unknown fields; NULL when made here */
};

struct index {
    enum media_family family;
    struct descriptors manifests;
    char *artifact_type;
    struct descriptor *subject;
    struct map annotations;
    struct json *raw;
};

void manifest_clear(struct manifest *m);
void index_clear(struct index *i);

/* `media_type` as the registry or descriptor said, or NULL: then the document's own.  A document
 * that says another type than `media_type`, or has both `layers` and `manifests`, is refused
 * (INVALID); schema 1 is UNSUPPORTED with a hint. */
NODISCARD int manifest_parse(struct span bytes, const char *media_type, struct manifest *out,
                             struct err *err);
NODISCARD int index_parse(struct span bytes, const char *media_type, struct index *out,
                          struct err *err);
/* What a document is by its content: one of the MEDIA_* constants, or NULL. */
const char *manifest_sniff(struct span bytes);

void manifest_print(const struct manifest *m, struct buf *out); /* the bytes to store and push */
void index_print(const struct index *i, struct buf *out);
const char *manifest_media_type(const struct manifest *m);
const char *index_media_type(const struct index *i);
/* The entry for `want`: best platform_match(), first of equals; attestation entries
 * (unknown/unknown) are never chosen.  Fails: NOT_FOUND listing what there is. */
NODISCARD int index_select(const struct index *i, const struct platform *want,
                           const struct descriptor **out, struct err *err);
