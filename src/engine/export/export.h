/* engine/export/export.h - results out: an image in a registry, in the store, in a layout or an
 * archive; a root file system as a folder or a tar.
 *
 * An image is put together in two steps: its layers are sealed (export_seal(), may run while the
 * build still does), then config and manifest are made and go where they were asked for.  Bytes are
 * functions of the input alone: JSON in BuildKit's order of fields, times from the clock given.
 *
 * Spec: image-spec; docker load's archive (manifest.json, repositories); the keys of -o are those
 * of docker buildx build "--output" and BuildKit's README "Output"; BuildKit
 * docs/attestations/attestation-storage.md.  Threads: no state. */
#pragma once
#include "base/core/clock.h"
#include "engine/export/annotation.h"
#include "engine/snapshot/snapshot.h"
#include "engine/solver/progress.h"
#include "image/oci/config.h"
#include "image/oci/reference.h"
#include "image/registry/remote.h"

enum export_type {
    EXPORT_IMAGE,
    EXPORT_OCI,
    EXPORT_DOCKER,
    EXPORT_LOCAL,
    EXPORT_TAR,
    EXPORT_CACHEONLY
};

/* -o type=...,key=value,... */
struct export_spec {
    enum export_type type;
    struct str_list names; /* references; name=a,b */
    char *dest;            /* dest=, "-" is stdout; NULL: none */
    bool is_pushed;        /* push=true */
    bool by_digest;        /* push-by-digest=true */
    bool is_insecure;      /* registry.insecure=true: plain HTTP or no verifying, as there is */
    bool is_kept;          /* store=true: named in the store (the default) */
    bool is_unpacked;      /* unpack=true: its root file system is there too */
    bool has_canonical;    /* name-canonical=true: also named NAME@DIGEST in the store */
    char *dangling_prefix; /* dangling-name-prefix=: without a name it is PREFIX@DIGEST; NULL */
    bool is_tar;           /* tar=false: a layout in a folder (oci, docker) */
    bool has_docker_types; /* oci-mediatypes=false */
    enum compression compression;
    int compression_level; /* -1 */
    bool is_forced;        /* force-compression=true */
    int rewrites_times;    /* rewrite-timestamp: 1, 0, or -1: when there is a SOURCE_DATE_EPOCH */
    char *epoch;           /* source-date-epoch=: instead of the build's; NULL */
    int splits_platforms;  /* platform-split (local, tar): 1, 0, or -1: when there are several */
    bool deletes;          /* mode=delete (local): what else is in dest goes */
    struct annotations annotations;
    bool has_no_artifact;     /* oci-artifact=false: attestations as images of unknown/unknown */
    char *attestation_prefix; /* attestation-prefix=: of their files' names; NULL: none */
};
void export_spec_init(struct export_spec *s, enum export_type type);
void export_spec_clear(struct export_spec *s);
/* Reads -o's CSV; a lone path is type=local,dest=PATH and "-" type=tar,dest=-, as buildx.  Fails:
 * INVALID naming the key. */
NODISCARD int export_spec_parse(const char *text, struct export_spec *out, struct err *err);

/* One of --annotation, "[PLACE[[PLATFORM]],...:]KEY=VALUE", of an image.  Fails: INVALID. */
NODISCARD int export_spec_annotate(struct export_spec *s, const char *text, struct err *err);
/* Whether it makes an image, wherever that goes. */
bool export_is_image(const struct export_spec *s);

struct export_host {
    struct store *store;
    struct snapshots *snapshots;
    struct remote *remote;
    struct pool *pool;      /* of computing */
    struct pool *transfers; /* of waiting for the network */
    struct clock clock;
    bool has_epoch;
    bool makes_index;             /* also of one image without attestations */
    const struct str_list *names; /* of outputs that name none themselves; may be NULL */
    size_t n_before; /* outputs of this build before: their progress is told apart by it */
    const struct progress *progress;
    const struct cancel *cancel;
};

/* What is said of an image: an in-toto predicate, kept beside it.  All is borrowed. */
struct attestation {
    const char *predicate_type; /* "https://slsa.dev/provenance/v1" */
    const char *file;           /* what it is called among files: "provenance.json" */
    struct span predicate;      /* JSON, compact; at most LIMIT_ATTESTATION bytes */
    bool is_inline_only;        /* for images: a folder or a tar of files goes without */
};

/* One platform's result. */
struct export_image {
    struct snapshot *snapshot; /* NULL: no layers */
    /* As the front end left it: history of the base and of what was added; diff_ids are filled in
     * here. */
    const struct image_config *config;
    size_t n_base_history; /* entries of config.history that are the base's */
    /* Of what is said the image gets an attestation manifest in an index, which is then what names
     * lead to; a folder or tar gets files. */
    const struct attestation *attestations;
    size_t n_attestations;
    const char *inlined_cache; /* base64: what its config carries for other builds; NULL: nothing */
};

struct export_result {
    struct descriptor target;    /* what was named or pushed: manifest, or index of several */
    struct digest config_digest; /* of a manifest; not set for an index */
    struct str_list pinned;      /* name@digest for every name */
};
void export_result_clear(struct export_result *r);

/* How layers are sealed for an output; those of a base image with keeps_pulled set. */
struct seal_options export_seal_options(const struct export_host *h, const struct export_spec *s);
/* Seals the top layer of a snapshot that is going to be exported so, and, when it is going to be
 * pushed, sends it.  For eagerness: called as results come in, long before export_images(), which
 * does what is left. */
NODISCARD int export_seal(const struct export_host *h, const struct export_spec *s,
                          struct snapshot *snapshot, struct err *err);
NODISCARD int export_push_layer(const struct export_host *h, const struct export_spec *s,
                                struct snapshot *snapshot, bool is_base, struct err *err);
/* One sealed layer to a repository: nothing when it is there, mounted where the registry has it
 * elsewhere, else sent, fetched before from where the snapshot has it when it is not here. */
NODISCARD int export_layer_to(const struct export_host *h, const struct reference *ref,
                              const struct layer_ref *layer, struct snapshot *snapshot,
                              struct err *err);
/* Seals all layers of an image that is going to be exported so; the base comes first. */
NODISCARD int export_list_layers(const struct export_host *h, const struct export_spec *s,
                                 const struct export_image *image, struct descriptors *out,
                                 struct err *err);
/* images[0..n-1]: n > 1, attestations and host.makes_index make an index.  Fails: INVALID (docker
 * archive of several), what registry and disk may. */
NODISCARD int export_images(const struct export_host *h, const struct export_spec *s,
                            const struct export_image *images, size_t n, struct export_result *out,
                            struct err *err);
