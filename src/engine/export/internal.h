/* engine/export/internal.h - what the files of the room share. */
#pragma once
#include "engine/export/export.h"
#include "engine/source/tree.h"

/* One key of -o.  Fails: INVALID (with the nearest known key), UNSUPPORTED. */
NODISCARD int spec_set(struct export_spec *s, const char *key, const char *value, struct err *err);

/* An image put together: its layers are known, its manifest is in the store. */
struct made_layer {
    struct layer_ref ref;
    struct snapshot *snapshot; /* borrowed */
};
struct made_image {
    struct {
        struct made_layer *items; /* items[0] is the base */
        size_t n, cap;
    } layers;
    struct descriptor manifest; /* with its platform and annotations */
    struct descriptor config;
    struct descriptor attestation;        /* a manifest; media_type NULL: nothing is said */
    struct descriptors attestation_blobs; /* its config, then its layers */
    char *created;                        /* owned: of the config, RFC 3339 */
};
void made_image_clear(struct made_image *m);

NODISCARD int image_make(const struct export_host *h, const struct export_spec *s,
                         const struct export_image *image, struct made_image *out, struct err *err);
/* Several as an index. */
NODISCARD int index_make(const struct export_host *h, const struct export_spec *s,
                         const struct made_image *made, size_t n, struct descriptor *out,
                         struct err *err);
/* attest.c: the statements and their manifest, of an image whose own manifest is made. */
NODISCARD int attest_make(const struct export_host *h, const struct export_spec *s,
                          const struct export_image *image, struct made_image *made,
                          struct err *err);
/* Whether an index is needed for one image, too. */
bool attest_is_asked(const struct export_image *images, size_t n);
/* The same for files: names (prefix included) to texts, of which `tree` is the subject. */
NODISCARD int attest_files(const struct export_host *h, const struct export_spec *s,
                           const struct export_image *image, const struct tree *tree,
                           struct map *out, struct err *err);
/* Brings every layer's blob into the store. */
NODISCARD int image_complete(const struct export_host *h, const struct made_image *m,
                             struct err *err);
/* To every name of the spec. */
NODISCARD int image_send(const struct export_host *h, const struct export_spec *s,
                         const struct made_image *made, size_t n, const struct descriptor *target,
                         struct export_result *out, struct err *err);
NODISCARD int archive_write(const struct export_host *h, const struct export_spec *s,
                            const struct made_image *made, size_t n,
                            const struct descriptor *target, struct err *err);
NODISCARD int rootfs_write(const struct export_host *h, const struct export_spec *s,
                           const struct export_image *images, size_t n, struct err *err);

/* The host as an output sees it: with a SOURCE_DATE_EPOCH of its own. */
struct export_host export_host_of(const struct export_host *h, const struct export_spec *s);
/* The spec's names, else the host's. */
const struct str_list *export_names(const struct export_host *h, const struct export_spec *s);

/* Where bytes go: a file that appears when it is whole; stdout for "-"; a device or pipe. */
struct sink {
    struct writer *writer;
    int fd;                 /* owned; -1: stdout */
    char *path, *temporary; /* owned; NULL but for a file */
};
NODISCARD int sink_open(const char *dest, struct sink *out, struct err *err);
NODISCARD int sink_commit(struct sink *s, struct err *err);
void sink_close(struct sink *s);
