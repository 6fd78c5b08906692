/* tests/unit/engine/source/test_layout_source.c - images of OCI layouts, made by the shell; their
 * layers are read when they are wanted, and not before. */
#include "engine/source/layout_source.h"

#include "engine/source/image_source.h"
#include "fixture.h"
#include "image/store/blob.h"

/* A layout "lay" with two images, "one" and "two", each of one layer; names of blobs in the files
 * one.manifest, one.layer and so on. */
static void make_layout(void)
{
    err_clear(&err);
    shell(
        "mkdir -p lay/blobs/sha256 t; entries=\n"
        "put() { h=$(sha256sum <$1 | cut -c-64); cp $1 lay/blobs/sha256/$h; echo $h; }\n"
        "for n in one two; do echo $n >t/f; tar -cf layer.tar -C t f; l=$(put layer.tar)\n"
        "printf '{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\","
        "\"diff_ids\":[\"sha256:%%s\"]}}' $l >config; c=$(put config)\n"
        "printf '{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
        "\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":"
        "\"sha256:%%s\",\"size\":%%d},\"layers\":[{\"mediaType\":"
        "\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"sha256:%%s\",\"size\":%%d}]}' "
        "$c $(stat -c %%s config) $l $(stat -c %%s layer.tar) >manifest; m=$(put manifest)\n"
        "entries=\"$entries${entries:+,}{\\\"mediaType\\\":"
        "\\\"application/vnd.oci.image.manifest.v1+json\\\",\\\"digest\\\":\\\"sha256:$m\\\","
        "\\\"size\\\":$(stat -c %%s manifest),\\\"annotations\\\":"
        "{\\\"org.opencontainers.image.ref.name\\\":\\\"$n\\\"}}\"\n"
        "printf sha256:%%s $m >$n.manifest; printf sha256:%%s $l >$n.layer; done\n"
        "echo '{\"imageLayoutVersion\":\"1.0.0\"}' >lay/oci-layout\n"
        "printf '{\"schemaVersion\":2,\"manifests\":[%%s]}' \"$entries\" >lay/index.json\n");
}

static char *path_of(const char *name)
{
    return xasprintf("%s/%s", tap_dir(), name);
}

static struct digest digest_in(const char *file)
{
    AUTO_VALUE(buf_clear) struct buf text;
    AUTO_FREE char *path = path_of(file);
    struct digest d = { 0 };
    buf_init(&text, MIB);
    EXPECT_OK(fs_read_file(AT_FDCWD, path, &text, &err), &err);
    EXPECT_OK(digest_parse(buf_span(&text), &d, &err), &err);
    return d;
}

TEST("a tag becomes a digest")
{
    static const struct {
        const char *layout, *tag, *want; /* file with the digest, or part of the error */
        enum err_kind kind;
    } rows[] = {
        { "lay", "one", "one.manifest", ERR_NONE },
        { "lay", "two", "two.manifest", ERR_NONE },
        { "lay", "three", "three: not in index.json", ERR_NOT_FOUND },
        { "lay", NULL, "index.json has 2 images", ERR_INVALID },
        { "none", "one", "/none", ERR_NOT_FOUND },
        { "t", "one", "index.json", ERR_NOT_FOUND },
    };
    make_layout();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO_FREE char *path = path_of(rows[i].layout);
        AUTO_VALUE(descriptor_clear) struct descriptor got = { 0 };
        err_clear(&err);
        int status = layout_find(path, rows[i].tag, &got, &err);
        EXPECT_INT(err.kind, rows[i].kind);
        if (status) {
            EXPECT_CONTAINS(err.text, rows[i].want);
            continue;
        }
        struct digest want = digest_in(rows[i].want);
        EXPECT(digest_equal(&got.digest, &want));
    }
}

TEST("an image of a layout is lazy: its layer comes when it is wanted")
{
    make_layout();
    AUTO_FREE char *layout = path_of("lay"), *at = path_of("store");
    AUTO(store_close) struct store *st = NULL;
    struct platform p = { 0 };
    const struct image *image = NULL, *again = NULL;
    bool is_there = true;
    REQUIRE_OK(platform_parse(SPAN("linux/amd64"), &p, &err), &err);
    REQUIRE_OK(store_open(at, NULL, &st, &err), &err);
    AUTO(image_source_free) struct image_source *s = image_source_new(NULL, st);
    struct digest d = digest_in("one.manifest"), layer = digest_in("one.layer");
    REQUIRE_OK(image_source_get_layout(s, layout, &d, &p, NULL, &image, &err), &err);
    REQUIRE_OK(image_source_get_layout(s, layout, &d, &p, NULL, &again, &err), &err);
    EXPECT(image == again);
    EXPECT_INT(image->layers.n, 1);
    EXPECT(digest_equal(&image->layers.items[0].blob.digest, &layer));
    REQUIRE_OK(blob_find(st, &layer, &is_there, NULL, &err), &err);
    EXPECT(!is_there);
    REQUIRE_OK(image_source_fetch(s, image->origin, &image->layers.items[0].blob, NULL, &err),
               &err);
    REQUIRE_OK(blob_find(st, &layer, &is_there, NULL, &err), &err);
    EXPECT(is_there);
}

TEST("what is not there or not what its name says is refused")
{
    make_layout();
    AUTO_FREE char *layout = path_of("lay"), *at = path_of("store");
    AUTO(store_close) struct store *st = NULL;
    struct platform p = platform_host();
    const struct image *image = NULL;
    REQUIRE_OK(store_open(at, NULL, &st, &err), &err);
    AUTO(image_source_free) struct image_source *s = image_source_new(NULL, st);
    struct digest one = digest_in("one.manifest"), layer = digest_in("two.layer"), no = layer;
    struct descriptor blob = descriptor_make("application/x", &layer, 10240);
    no.bytes[0] ^= 1;
    EXPECT_ERR(image_source_get_layout(s, layout, &no, &p, NULL, &image, &err), &err,
               ERR_NOT_FOUND);
    shell("f=lay/blobs/sha256/$(cut -c8- one.manifest); echo ' ' >>$f");
    err_clear(&err);
    EXPECT_ERR(image_source_get_layout(s, layout, &one, &p, NULL, &image, &err), &err, ERR_CORRUPT);
    shell("f=lay/blobs/sha256/$(cut -c8- two.layer); tr t T <$f >x; cp x $f");
    err_clear(&err);
    EXPECT_ERR(layout_import(st, layout, &blob, &err), &err, ERR_CORRUPT);
    shell("f=lay/blobs/sha256/$(cut -c8- two.layer); rm $f; ln -s /etc/passwd $f");
    err_clear(&err);
    EXPECT(layout_import(st, layout, &blob, &err) != 0);
    descriptor_clear(&blob);
}

TAP_MAIN()
