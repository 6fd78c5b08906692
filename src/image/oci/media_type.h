/* image/oci/media_type.h - the media types of images, OCI's and Docker's schema 2.
 *
 * Spec: image-spec media-types.md; distribution "Image Manifest Version 2, Schema 2". */
#pragma once
#include <stdbool.h>

#include "base/codec/compress.h"

#define MEDIA_OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define MEDIA_OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_OCI_CONFIG "application/vnd.oci.image.config.v1+json"
#define MEDIA_OCI_LAYER "application/vnd.oci.image.layer.v1.tar"
#define MEDIA_OCI_LAYER_GZIP "application/vnd.oci.image.layer.v1.tar+gzip"
#define MEDIA_OCI_LAYER_ZSTD "application/vnd.oci.image.layer.v1.tar+zstd"
#define MEDIA_OCI_EMPTY "application/vnd.oci.empty.v1+json"
#define MEDIA_DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define MEDIA_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define MEDIA_DOCKER_CONFIG "application/vnd.docker.container.image.v1+json"
#define MEDIA_DOCKER_LAYER "application/vnd.docker.image.rootfs.diff.tar"
#define MEDIA_DOCKER_LAYER_GZIP "application/vnd.docker.image.rootfs.diff.tar.gzip"
#define MEDIA_DOCKER_LAYER_ZSTD "application/vnd.docker.image.rootfs.diff.tar.zstd"

/* All four manifest types, for an Accept header. */
#define MEDIA_ACCEPT_MANIFESTS                                                                     \
    MEDIA_OCI_MANIFEST ", " MEDIA_OCI_INDEX ", " MEDIA_DOCKER_MANIFEST ", " MEDIA_DOCKER_LIST

enum media_family { MEDIA_FAMILY_OCI, MEDIA_FAMILY_DOCKER };

bool media_is_index(const char *type);    /* OCI index or Docker list */
bool media_is_manifest(const char *type); /* OCI or Docker image manifest */
bool media_is_config(const char *type);
/* Layers of either family, distributable or not ("foreign"/"nondistributable"); *out says how it is
 * compressed.  False for anything else. */
bool media_is_layer(const char *type, enum compression *out);
/* Of estargz it is gzip's: what makes it more is said in annotations of the descriptor. */
const char *media_layer_type(enum media_family family, enum compression c);
