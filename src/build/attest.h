/* build/attest.h - what a build shall say of its images: --sbom and --provenance.
 *
 * Nothing, when nobody asks: an image then is one manifest, and the same inputs give the same
 * digest at any time (docs/decisions/041-attestations-on-request.md).
 *
 * Spec: docker buildx build "--attest"; BuildKit docs/attestations.  Threads: values. */
#pragma once
#include "engine/attest/provenance.h"

struct attest_options {
    bool has_sbom;
    bool has_provenance;
    enum slsa_version version;
    bool is_max;          /* mode=max */
    bool is_reproducible; /* reproducible=true: its author says so */
    bool is_inline_only;  /* inline-only=true: for images, not beside files */
    char *builder_id;     /* owned; NULL: "" */
    char *filename;       /* owned; NULL: "provenance.json" */
};
void attest_options_clear(struct attest_options *o);
/* --attest's CSV: "type=sbom", "type=provenance,mode=max,builder-id=URL", ",disabled=true".
 * Fails: INVALID (type, key, value), UNSUPPORTED (generator=: nothing but kiln itself makes bills).
 */
NODISCARD int attest_options_parse(const char *text, struct attest_options *out, struct err *err);
/* --sbom=VALUE, --provenance=VALUE: true, false, or the keys of their type. */
NODISCARD int attest_options_short(const char *type, const char *value, struct attest_options *out,
                                   struct err *err);
