/* frontend/dockerfile/convert.h - a Dockerfile in; a build graph and an image config out.
 *
 * Nothing is fetched, read or run here: base images' configs and the context's ignore file come
 * from the caller's `struct frontend_host`, times from its options.  The same input gives the same
 * graph, byte for byte; where arguments are equal, operations are those that BuildKit's client
 * makes.
 *
 * Local contexts become sources "local://NAME", NAME "context" for the main one; see the comments
 * of `struct dockerfile_options`.  Their vertices carry two words beside their identity, for
 * messages about files that are not there: "kiln.ignore.file" (".dockerignore") and
 * "kiln.ignore.lines" ("1 3 4": the line of each pattern in ATTR_LOCAL_EXCLUDE).
 *
 * Spec: dockerfile reference; BuildKit frontend/dockerfile/dockerfile2llb.
 * Threads: none is used; the host's functions are called from the caller's thread. */
#pragma once
#include "base/core/arena.h"
#include "base/core/map.h"
#include "engine/graph/graph.h"
#include "frontend/dockerfile/source.h"
#include "image/oci/config.h"
#include "image/oci/reference.h"

/* What the host says of an image. */
struct image_meta {
    struct digest digest;       /* what the reference points to (an index or a manifest) */
    struct image_config config; /* for the platform asked for */
};
void image_meta_clear(struct image_meta *m);

enum image_resolve { IMAGE_RESOLVE_DEFAULT, IMAGE_RESOLVE_PULL, IMAGE_RESOLVE_LOCAL };

/* oci-layout://PATH[:TAG][@DIGEST] */
struct image_in_layout {
    const char *path, *tag;
    struct digest digest; /* not set: none was given */
};
NODISCARD int image_in_layout_parse(const char *text, struct arena *a, struct image_in_layout *out,
                                    struct err *err);

/* What a front end asks of its caller.  All return 0, or -1 with err set. */
struct frontend_host {
    void *arg;
    /* Fills the zeroed *out, which the front end clears.  Called once for each (reference,
     * platform) that a stage in use needs. */
    int (*resolve_image)(void *arg, const struct reference *ref, const struct platform *p,
                         enum image_resolve mode, struct image_meta *out, struct err *err);
    /* The same of an image in an OCI layout: what its index calls `tag` ("": the only one), or,
     * when it is set, `digest`. */
    int (*resolve_layout)(void *arg, const struct image_in_layout *image, const struct platform *p,
                          struct image_meta *out, struct err *err);
    /* Appends the file at `path` of a local context to `out`; *is_there false when it is absent.
     * `context` is the main context's name, a named one's SOURCE, or "dockerfile": the folder that
     * options.filename is relative to (its own ignore file may stand beside it). */
    int (*read_context_file)(void *arg, const char *context, const char *path, struct buf *out,
                             bool *is_there, struct err *err);
    /* The newest file of what the graph gives, in seconds since 1970; *has_time false: it has no
     * time.  For SOURCE_DATE_EPOCH; NULL: nobody can tell. */
    int (*time_of)(void *arg, const struct graph *g, bool *has_time, int64_t *seconds,
                   struct err *err);
};

struct dockerfile_options {
    const char *filename; /* NULL: "Dockerfile"; names the file in errors and its ignore file */
    const char *target;   /* NULL, "": the last stage; else its name, or its number from 0 */
    const struct map *build_args;    /* string to string; NULL: none */
    const struct map *labels;        /* the same; they win over LABEL */
    struct platform build_platform;  /* not set: this machine's */
    struct platform target_platform; /* not set: the build platform */
    bool is_multi_platform;          /* names of steps tell the platform */
    /* NAME or NAME::PLATFORM to "docker-image://REF", "oci-layout://PATH[:TAG][@DIGEST]",
     * "local:SOURCE", "scratch", a git or http URL:
     * takes the place of a stage or image of that name.  "local:SOURCE" is read as local://SOURCE
     * and SOURCE is the name that read_context_file() gets. */
    const struct map *named_contexts;
    /* The main context: NULL: local://context.  Or a git or http URL. */
    const char *context;
    bool has_archive; /* what it gives is one file "context", an archive that is unpacked */
    enum image_resolve resolve_mode;
    bool ignores_cache;             /* --no-cache */
    struct strings no_cache_stages; /* --no-cache-filter */
    /* RFC 3339 time of config and history when SOURCE_DATE_EPOCH is not given; NULL: left out, for
     * the exporter to fill in. */
    const char *created;
    /* Seconds, "context", the name of a named context or of a stage; NULL: the build argument of
     * that name. */
    const char *source_date_epoch;
    enum exec_network network;     /* of RUN steps that do not say */
    const struct exec_host *hosts; /* --add-host */
    size_t n_hosts;
    const struct exec_ulimit *ulimits;
    size_t n_ulimits;
    const char *hostname, *cgroup_parent; /* NULL: none */
    bool wants_scans; /* results of stages and contexts that are to be scanned, too */
    int64_t shm_size; /* bytes of /dev/shm; 0: default */
};

struct base_image {
    const char *reference; /* complete: docker.io/library/alpine:latest */
    struct platform platform;
    struct digest digest;
};

struct dockerfile_result {
    struct graph *graph; /* owned; results[0] is the image's root file system, scratch if empty */
    /* Without diff_ids of what is yet to be built; those of the base are in it.  History is
     * complete: every entry that this Dockerfile added and that is not is_empty_layer stands for
     * exactly one layer above the base's, in order. */
    struct image_config config;
    size_t n_base_history;               /* entries of config.history that are the base's */
    struct dockerfile_warnings warnings; /* by line */
    const struct base_image *base_images;
    size_t n_base_images;
    /* Of options.wants_scans: what ARG BUILDKIT_SBOM_SCAN_STAGE and _CONTEXT ask for.  scans[i] is
     * the name of graph->results[i + 1]. */
    struct strings scans;
    bool has_epoch;            /* SOURCE_DATE_EPOCH */
    int64_t epoch;             /* seconds since 1970 */
    struct source_lines where; /* on failure: the lines at fault; see dockerfile_excerpt() */
    struct arena *arena;       /* owned; warnings, base images */
};
void dockerfile_result_clear(struct dockerfile_result *r);

/* The graph of the main context alone, the same that dockerfile_convert() will use: to read the
 * Dockerfile from what it gives.  Fails: INVALID (a git URL, an option). */
NODISCARD int dockerfile_context_graph(const struct dockerfile_options *o,
                                       const struct frontend_host *host, struct graph **out,
                                       struct err *err);

/* Converts `text`.  On failure only where, warnings and arena of *out are filled and err->text
 * begins with "NAME:LINE: " (without the line where none is at fault).  The result must be cleared
 * in both cases.  Fails: INVALID (the Dockerfile, an option), NOT_FOUND (target, an image),
 * UNSUPPORTED naming what is not there yet, LIMIT, and as the host does. */
NODISCARD int dockerfile_convert(struct span text, const struct dockerfile_options *o,
                                 const struct frontend_host *host, struct dockerfile_result *out,
                                 struct err *err);
