/* engine/attest/provenance.h - how an image was made, as SLSA provenance in BuildKit's shape.
 *
 * Nothing is measured here: times, names and digests are given.  Values of secrets are not even
 * given; URLs lose user and password.  mode=min leaves out what may tell more than its author
 * wants: build arguments, labels, ids of secrets, the steps themselves.
 *
 * Spec: SLSA provenance v1 and v0.2; BuildKit docs/attestations/slsa-definitions.md.
 * Threads: values. */
#pragma once
#include "base/core/map.h"
#include "engine/graph/graph.h"
#include "image/oci/descriptor.h"
#include "image/oci/manifest.h"

#define PROVENANCE_PREDICATE_1 "https://slsa.dev/provenance/v1"
#define PROVENANCE_PREDICATE_02 "https://slsa.dev/provenance/v0.2"

enum slsa_version { SLSA_1, SLSA_02 };

/* What came from elsewhere. */
struct material {
    const char *uri;       /* "pkg:docker/debian@12?platform=linux%2Famd64", "https://..." */
    const char *algorithm; /* "sha256", "sha1"; NULL: its digest is not known */
    const char *hex;
};

/* The layers that an output of a step consists of. */
struct step_layers {
    const struct vertex *vertex;
    uint32_t index;
    const struct descriptor *layers; /* layers[0] is the base */
    size_t n;
};

/* All is borrowed; NULL where nothing is to be said. */
struct provenance {
    enum slsa_version version;
    bool is_max;
    bool is_reproducible;
    const char *builder_id;
    const char *invocation_id;
    const char *started, *finished;   /* RFC 3339 */
    struct platform builder_platform; /* of the machine that built */
    const char *frontend;             /* "dockerfile.v0" */
    const char *config_uri;           /* the context, where that is a URL */
    const char *config_path;          /* "Dockerfile" */
    const struct map *args;           /* "build-arg:NAME", "label:NAME", "target", "vcs:source" */
    const struct material *materials;
    size_t n_materials;
    const struct graph *graph;
    const struct step_layers *layers;
    size_t n_layers;
};
/* Appends the predicate, compact. */
void provenance_print(const struct provenance *p, struct buf *out);
const char *provenance_predicate_type(enum slsa_version v);
