/* build/attested.h - what is said of an image that exists: attached to it, or found by looking
 * inside.
 *
 * Looked for in the attestation manifests that its index names, else among its referrers; in the
 * store where the image is there, else at its registry.  Nothing is verified but digests: who said
 * it is for signatures to tell.
 *
 * Spec: BuildKit docs/attestations/attestation-storage.md; distribution-spec "Listing Referrers".
 * Threads: no state. */
#pragma once
#include "build/build.h"

struct attested_query {
    const struct reference *image;
    const struct platform *platform;
    bool is_remote;             /* the registry, whatever the store has */
    const char *predicate_type; /* how it begins: "https://slsa.dev/provenance/" */
    const struct cancel *cancel;
};
/* Appends the predicates, JSON, as they are attached; none is no error.  Fails: as
 * image_source_get(), remote_manifest(); CORRUPT, INVALID (something that is no statement), LIMIT.
 */
NODISCARD int attested_find(struct engine *e, const struct attested_query *q, struct str_list *out,
                            struct err *err);
/* Scans the image, fetching it where that is needed; appends an SPDX document named `name`.  The
 * engine has a sandbox. */
NODISCARD int attested_scan(struct engine *e, const struct attested_query *q, const char *name,
                            struct buf *out, struct err *err);
