/* engine/remotecache/spec.h - what --cache-from and --cache-to say: type=TYPE,key=value,...
 *
 * A lone name is type=registry,ref=NAME.  Keys are those of docker buildx, and one of ours:
 * mounts=ID,... (quoted as CSV wants it: "mounts=a,b"), mounts=all or mounts=none, for the contents
 * of RUN --mount=type=cache.
 *
 * Spec: docker buildx build "--cache-from", "--cache-to"; docs.docker.com/build/cache/backends. */
#pragma once
#include "base/codec/compress.h"
#include "base/codec/digest.h"
#include "base/core/vec.h"

enum cache_type { CACHE_REGISTRY, CACHE_LOCAL, CACHE_INLINE };

struct cache_spec {
    enum cache_type type;
    char *ref;            /* registry: as it was given */
    char *folder;         /* local: src=, dest= */
    char *tag;            /* local: "latest" */
    struct digest digest; /* local, src: of the manifest; not set: what `tag` says */
    bool is_max;          /* mode=max: results of all steps, not only of the image's */
    enum compression compression;
    int compression_level;  /* -1 */
    bool is_forced;         /* force-compression=true */
    bool has_docker_types;  /* oci-mediatypes=false */
    bool is_index;          /* image-manifest=false */
    bool ignores_errors;    /* ignore-error=true */
    bool resets;            /* local, dest: reset=true: what was there before goes */
    bool has_all_mounts;    /* mounts=all */
    struct str_list mounts; /* ids */
};
void cache_spec_clear(struct cache_spec *s);
struct cache_specs {
    struct cache_spec *items;
    size_t n, cap;
};
void cache_specs_clear(struct cache_specs *l);

/* Appends what one flag says: names without "=" may be several, with commas between them.  Fails:
 * INVALID naming the key, UNSUPPORTED (a type that is not there). */
NODISCARD int cache_specs_parse(const char *text, bool is_export, struct cache_specs *out,
                                struct err *err);
bool cache_spec_has_mount(const struct cache_spec *s, const char *id);
/* "registry.example.com/app:cache", "local:folder": how messages call it.  Owned by the caller. */
char *cache_spec_name(const struct cache_spec *s);
