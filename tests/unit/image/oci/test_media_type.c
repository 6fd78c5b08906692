/* tests/unit/image/oci/test_media_type.c - what a media type is. */
#include "image/oci/media_type.h"

#include "tap.h"

enum what { NOTHING, INDEX, MANIFEST, CONFIG, LAYER };
static const struct {
    const char *type;
    enum what what;
    enum compression compression;
} types[] = {
    { MEDIA_OCI_INDEX, INDEX, 0 },
    { MEDIA_DOCKER_LIST, INDEX, 0 },
    { MEDIA_OCI_MANIFEST, MANIFEST, 0 },
    { MEDIA_DOCKER_MANIFEST, MANIFEST, 0 },
    { MEDIA_OCI_CONFIG, CONFIG, 0 },
    { MEDIA_DOCKER_CONFIG, CONFIG, 0 },
    { MEDIA_OCI_LAYER, LAYER, COMPRESSION_NONE },
    { MEDIA_OCI_LAYER_GZIP, LAYER, COMPRESSION_GZIP },
    { MEDIA_OCI_LAYER_ZSTD, LAYER, COMPRESSION_ZSTD },
    { MEDIA_DOCKER_LAYER, LAYER, COMPRESSION_NONE },
    { MEDIA_DOCKER_LAYER_GZIP, LAYER, COMPRESSION_GZIP },
    { MEDIA_DOCKER_LAYER_ZSTD, LAYER, COMPRESSION_ZSTD },
    { "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", LAYER, COMPRESSION_GZIP },
    { "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", LAYER, COMPRESSION_ZSTD },
    { "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", LAYER, COMPRESSION_GZIP },
    { MEDIA_OCI_EMPTY, NOTHING, 0 },
    { "application/vnd.oci.image.layer.v1.tar+gzip+encrypted", NOTHING, 0 },
    { "application/vnd.docker.distribution.manifest.v1+prettyjws", NOTHING, 0 },
    { "text/plain", NOTHING, 0 },
    { "", NOTHING, 0 },
    { NULL, NOTHING, 0 },
};

TEST("each media type is one thing, and layers say how they are compressed")
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        enum compression c = COMPRESSION_NONE;
        EXPECT_INT(media_is_index(types[i].type), types[i].what == INDEX);
        EXPECT_INT(media_is_manifest(types[i].type), types[i].what == MANIFEST);
        EXPECT_INT(media_is_config(types[i].type), types[i].what == CONFIG);
        EXPECT_INT(media_is_layer(types[i].type, &c), types[i].what == LAYER);
        EXPECT_INT(c, types[i].compression);
    }
}

TEST("layer types of both families are made and recognised again")
{
    for (int family = MEDIA_FAMILY_OCI; family <= MEDIA_FAMILY_DOCKER; family++)
        for (int c = COMPRESSION_NONE; c <= COMPRESSION_ZSTD; c++) {
            enum compression again = COMPRESSION_NONE;
            const char *type = media_layer_type((enum media_family)family, (enum compression)c);
            EXPECT(media_is_layer(type, &again));
            EXPECT_INT(again, c);
        }
    EXPECT_STR(media_layer_type(MEDIA_FAMILY_OCI, COMPRESSION_ZSTD),
               "application/vnd.oci.image.layer.v1.tar+zstd");
}

TAP_MAIN()
