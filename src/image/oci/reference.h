/* image/oci/reference.h - names of images: [registry/]repository[:tag][@digest].
 *
 * Completed as docker does: "alpine" is docker.io/library/alpine:latest; index.docker.io and
 * registry-1.docker.io are docker.io; a first part with '.', ':' or "localhost" is a registry.
 *
 * Spec: distribution-spec "Pulling manifests" (name and reference grammar). */
#pragma once
#include "base/codec/digest.h"
#include "base/core/err.h"
#include "base/core/span.h"
#include "image/oci/platform.h"

struct reference {
    char *registry;       /* owned: "docker.io", "localhost:5000" */
    char *repository;     /* owned: "library/alpine" */
    char *tag;            /* owned; NULL when there is a digest and no tag */
    struct digest digest; /* DIGEST_NONE when absent */
};

void reference_clear(struct reference *r);
void reference_copy(struct reference *to, const struct reference *from);
/* Completes and checks.  Fails: INVALID saying which part and why. */
NODISCARD int reference_parse(struct span text, struct reference *out, struct err *err);
char *
reference_text(const struct reference *r); /* complete: docker.io/library/alpine:latest[@...] */
char *reference_familiar(const struct reference *r); /* as docker shows it: alpine:latest */
char *reference_pinned(const struct reference *r,
                       const struct digest *d); /* registry/repository@digest */
const char *reference_part(const struct reference *r,
                           char text[DIGEST_TEXT_MAX]); /* digest, else tag: for URLs */
/* Its package URL, "pkg:docker/debian@12?platform=linux%2Famd64"; owned by the caller. */
char *reference_purl(const struct reference *r, const struct platform *p);
/* Host to talk to: docker.io becomes registry-1.docker.io. */
const char *reference_host(const struct reference *r);
bool reference_is_tag(struct span text);
bool reference_is_repository(struct span text);
