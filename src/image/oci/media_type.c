/* image/oci/media_type.c - media types, by table.
 *
 * Spec: image-spec media-types.md; distribution "Image Manifest Version 2, Schema 2".
 * Threads: constants only. */
#include "image/oci/media_type.h"

#include <string.h>

static const struct {
    const char *type;
    enum compression compression;
} layers[] = {
    { MEDIA_OCI_LAYER, COMPRESSION_NONE },
    { MEDIA_OCI_LAYER_GZIP, COMPRESSION_GZIP },
    { MEDIA_OCI_LAYER_ZSTD, COMPRESSION_ZSTD },
    { "application/vnd.oci.image.layer.nondistributable.v1.tar", COMPRESSION_NONE },
    { "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", COMPRESSION_GZIP },
    { "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", COMPRESSION_ZSTD },
    { MEDIA_DOCKER_LAYER, COMPRESSION_NONE },
    { MEDIA_DOCKER_LAYER_GZIP, COMPRESSION_GZIP },
    { MEDIA_DOCKER_LAYER_ZSTD, COMPRESSION_ZSTD },
    { "application/vnd.docker.image.rootfs.foreign.diff.tar", COMPRESSION_NONE },
    { "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", COMPRESSION_GZIP },
    { "application/vnd.docker.image.rootfs.foreign.diff.tar.zstd", COMPRESSION_ZSTD },
};

static bool is_one_of(const char *type, const char *a, const char *b)
{
    return type && (strcmp(type, a) == 0 || strcmp(type, b) == 0);
}

bool media_is_index(const char *type)
{
    return is_one_of(type, MEDIA_OCI_INDEX, MEDIA_DOCKER_LIST);
}

bool media_is_manifest(const char *type)
{
    return is_one_of(type, MEDIA_OCI_MANIFEST, MEDIA_DOCKER_MANIFEST);
}

bool media_is_config(const char *type)
{
    return is_one_of(type, MEDIA_OCI_CONFIG, MEDIA_DOCKER_CONFIG);
}

bool media_is_layer(const char *type, enum compression *out)
{
    for (size_t i = 0; type && i < sizeof layers / sizeof layers[0]; i++)
        if (strcmp(type, layers[i].type) == 0) {
            *out = layers[i].compression;
            return true;
        }
    return false;
}

const char *media_layer_type(enum media_family family, enum compression c)
{
    static const char *const types[2][4] = {
        [MEDIA_FAMILY_OCI] = { MEDIA_OCI_LAYER, MEDIA_OCI_LAYER_GZIP, MEDIA_OCI_LAYER_ZSTD,
                               MEDIA_OCI_LAYER_GZIP },
        [MEDIA_FAMILY_DOCKER] = { MEDIA_DOCKER_LAYER, MEDIA_DOCKER_LAYER_GZIP,
                                  MEDIA_DOCKER_LAYER_ZSTD, MEDIA_DOCKER_LAYER_GZIP },
    };
    return types[family][c];
}
