/* Images put together: config, manifest and index, compared whole. */
#include <time.h>

#include "fixture.h"

#include "image/oci/manifest.h"

/* {"mediaType":...} of layer i as the config and the blobs say; sizes and digests are checked with
 * sha256sum.  The caller's. */
static char *manifest_of(struct lab *l, const struct export_result *r, struct manifest *m)
{
    char *text = blob_text(l, &r->target.digest);
    *m = (struct manifest){ 0 };
    EXPECT_OK(manifest_parse(span_of(text), r->target.media_type, m, &err), &err);
    return text;
}

static void check_blobs(struct lab *l, const struct manifest *m, const char *decompress)
{
    AUTO_FREE char *config = blob_text(l, &m->config.digest);
    vec_each (&m->layers, layer) {
        const char *hex = digest_hex(&layer->digest).s;
        AUTO_FREE char *got = shell("sha256sum <store/blobs/sha256/%s | cut -c-64", hex);
        EXPECT_STR(got, digest_hex(&layer->digest).s);
        AUTO_FREE char *diff_id =
            shell("%s <store/blobs/sha256/%s | sha256sum | cut -c-64", decompress, got);
        EXPECT_CONTAINS(config, diff_id);
        AUTO_FREE char *size = shell("stat -c %%s store/blobs/sha256/%s", got);
        EXPECT_INT(strtoll(size, NULL, 10), layer->size);
    }
}

TEST("config and manifest have BuildKit's fields in BuildKit's order")
{
    LAB(l);
    struct export_result r;
    struct manifest m;
    REQUIRE_OK(export_as(&l, "type=image,name=app", &r), &err);
    AUTO_FREE char *got = manifest_of(&l, &r, &m);
    REQUIRE(m.layers.n == 2);
    AUTO_FREE char *want = xasprintf(
        "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
        "\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":\"%s\","
        "\"size\":%" PRIu64 "},\"layers\":["
        "{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar+gzip\",\"digest\":\"%s\","
        "\"size\":%" PRIu64 "},{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar+gzip\","
        "\"digest\":\"%s\",\"size\":%" PRIu64 "}]}",
        digest_text(&m.config.digest).s, m.config.size, digest_text(&m.layers.items[0].digest).s,
        m.layers.items[0].size, digest_text(&m.layers.items[1].digest).s, m.layers.items[1].size);
    EXPECT_STR(got, want);
    AUTO_FREE char *config = blob_text(&l, &m.config.digest);
    struct image_config c = { 0 };
    REQUIRE_OK(image_config_parse(span_of(config), &c, &err), &err);
    REQUIRE(c.diff_ids.n == 2);
    AUTO_FREE char *want_config = xasprintf(
        "{\"architecture\":\"amd64\",\"config\":{\"Env\":[\"PATH=/bin\"],\"Cmd\":[\"sh\"]},"
        "\"created\":\"2001-09-09T01:46:40Z\",\"history\":["
        "{\"created\":\"2001-09-09T01:46:40Z\",\"created_by\":\"ADD base\"},"
        "{\"created\":\"2001-09-09T01:46:40Z\",\"created_by\":\"CMD [\\\"sh\\\"]\","
        "\"empty_layer\":true},"
        "{\"created\":\"2001-09-09T01:46:40Z\",\"created_by\":\"RUN seq\"}],\"os\":\"linux\","
        "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"%s\",\"%s\"]}}",
        digest_text(&c.diff_ids.items[0]).s, digest_text(&c.diff_ids.items[1]).s);
    EXPECT_STR(config, want_config);
    EXPECT(digest_equal(&r.config_digest, &m.config.digest));
    check_blobs(&l, &m, "gunzip");
    image_config_clear(&c);
    manifest_clear(&m);
    export_result_clear(&r);
    lab_close(&l);
}

TEST("the same image is the same digest, in another store and another day")
{
    struct digest digests[2] = { 0 };
    for (int i = 0; i < 2; i++) {
        LAB(l);
        struct export_result r;
        REQUIRE_OK(export_as(&l, "type=image,name=app", &r), &err);
        digests[i] = r.target.digest;
        export_result_clear(&r);
        lab_close(&l);
        RUN("rm -rf store");
    }
    EXPECT(digest_equal(&digests[0], &digests[1]));
}

TEST("compression and media types are what was asked for")
{
    static const struct {
        const char *spec, *manifest, *config, *layer, *decompress, *program;
    } rows[] = {
        { "type=image,name=a", MEDIA_OCI_MANIFEST, MEDIA_OCI_CONFIG, MEDIA_OCI_LAYER_GZIP, "gunzip",
          "gunzip" },
        { "type=image,name=a,compression=zstd", MEDIA_OCI_MANIFEST, MEDIA_OCI_CONFIG,
          "application/vnd.oci.image.layer.v1.tar+zstd", "zstd -qdc", "zstd" },
        { "type=image,name=a,compression=uncompressed", MEDIA_OCI_MANIFEST, MEDIA_OCI_CONFIG,
          "application/vnd.oci.image.layer.v1.tar", "cat", "cat" },
        { "type=image,name=a,oci-mediatypes=false", MEDIA_DOCKER_MANIFEST, MEDIA_DOCKER_CONFIG,
          "application/vnd.docker.image.rootfs.diff.tar.gzip", "gunzip", "gunzip" },
        { "type=docker,name=a", MEDIA_DOCKER_MANIFEST, MEDIA_DOCKER_CONFIG,
          "application/vnd.docker.image.rootfs.diff.tar.gzip", "gunzip", "gunzip" },
        { "type=docker,name=a,oci-mediatypes=true", MEDIA_OCI_MANIFEST, MEDIA_OCI_CONFIG,
          MEDIA_OCI_LAYER_GZIP, "gunzip", "gunzip" },
    };
    LAB(l);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct export_result r;
        struct manifest m;
        if (!has_program(rows[i].program))
            continue;
        /* a new store: a layer that is a blob already keeps its compression */
        lab_close(&l);
        RUN("rm -rf store");
        REQUIRE(lab_open(&l));
        REQUIRE_OK(export_as(&l, rows[i].spec, &r), &err);
        AUTO_FREE char *text = manifest_of(&l, &r, &m);
        EXPECT_STR(r.target.media_type, rows[i].manifest);
        EXPECT_STR(m.config.media_type, rows[i].config);
        vec_each (&m.layers, layer)
            EXPECT_STR(layer->media_type, rows[i].layer);
        check_blobs(&l, &m, rows[i].decompress);
        manifest_clear(&m);
        export_result_clear(&r);
    }
    lab_close(&l);
}

TEST("names are kept in the store when all is there, and only when asked")
{
    static const struct {
        const char *spec;
        const char *names[3];
    } rows[] = {
        { "type=image,\"name=app,localhost:5000/x:2\"",
          { "docker.io/library/app:latest", "localhost:5000/x:2" } },
        { "type=image,name=other,store=false", { NULL } },
        { "type=image", { NULL } },
        { "type=docker,name=loaded:1", { "docker.io/library/loaded:1" } },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        LAB(l);
        struct export_result r;
        struct names names = { 0 };
        REQUIRE_OK(export_as(&l, rows[i].spec, &r), &err);
        REQUIRE_OK(name_list(l.host.store, NAME_IMAGE, "", NULL, 0, &names, &err), &err);
        size_t n = 0;
        for (; rows[i].names[n]; n++) {
            REQUIRE(n < names.n);
            EXPECT_STR(names.items[n].name, rows[i].names[n]);
            EXPECT(digest_equal(&names.items[n].target.digest, &r.target.digest));
        }
        EXPECT_INT(names.n, n);
        names_clear(&names);
        export_result_clear(&r);
        lab_close(&l);
        RUN("rm -rf store");
    }
}

TEST("the names of the whole build stand in for those that the output has not")
{
    LAB(l);
    struct export_result r;
    AUTO_VALUE(str_list_clear) struct str_list tags = { 0 };
    struct descriptor found = { 0 };
    bool is_there = false;
    str_list_push(&tags, "from-t:3");
    l.host.names = &tags;
    REQUIRE_OK(export_as(&l, "type=image", &r), &err);
    EXPECT_OK(
        name_find(l.host.store, NAME_IMAGE, "docker.io/library/from-t:3", &found, &is_there, &err),
        &err);
    EXPECT(is_there);
    descriptor_clear(&found);
    export_result_clear(&r);
    lab_close(&l);
}

TEST("a config that nobody would read is refused, whatever its bytes become in JSON")
{
    LAB(l);
    struct export_result r;
    enum { N = 12 << 20 };
    AUTO_FREE char *text = xcalloc(1, N + 1);
    memset(text, '<', N);
    image_config_set_env(&l.config, "LONG", text);
    EXPECT_ERR(export_as(&l, "type=image,name=t", &r), &err, ERR_LIMIT);
    EXPECT_CONTAINS(err.text, "the image's config has ");
    export_result_clear(&r);
    lab_close(&l);
}

TEST("annotations stand in the manifest")
{
    LAB(l);
    struct export_result r;
    REQUIRE_OK(export_as(&l, "type=image,annotation.org.b=2,annotation.org.a=1", &r), &err);
    AUTO_FREE char *text = blob_text(&l, &r.target.digest);
    EXPECT_CONTAINS(text, ",\"annotations\":{\"org.a\":\"1\",\"org.b\":\"2\"}}");
    export_result_clear(&r);
    lab_close(&l);
}

TEST("several platforms are an index of their manifests")
{
    LAB(l);
    struct export_spec s;
    struct export_result r;
    struct image_config arm = { 0 };
    image_config_copy(&arm, &l.config);
    arm.platform =
        (struct platform){ .is_set = true, .os = "linux", .architecture = "arm", .variant = "v7" };
    struct export_image images[] = { { .snapshot = l.top, .config = &l.config },
                                     { .snapshot = l.top, .config = &arm } };
    REQUIRE_OK(export_spec_parse("type=image,name=multi,annotation-index.k=v", &s, &err), &err);
    REQUIRE_OK(export_images(&l.host, &s, images, 2, &r, &err), &err);
    AUTO_FREE char *text = blob_text(&l, &r.target.digest);
    struct index index = { 0 };
    REQUIRE_OK(index_parse(span_of(text), r.target.media_type, &index, &err), &err);
    REQUIRE(index.manifests.n == 2);
    AUTO_FREE char *want = xasprintf(
        "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\","
        "\"manifests\":[{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":"
        "\"%s\",\"size\":%" PRIu64 ",\"platform\":{\"architecture\":\"amd64\",\"os\":\"linux\"}},"
        "{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"%s\",\"size\":"
        "%" PRIu64 ",\"platform\":{\"architecture\":\"arm\",\"os\":\"linux\",\"variant\":\"v7\"}}],"
        "\"annotations\":{\"k\":\"v\"}}",
        digest_text(&index.manifests.items[0].digest).s, index.manifests.items[0].size,
        digest_text(&index.manifests.items[1].digest).s, index.manifests.items[1].size);
    EXPECT_STR(text, want);
    export_spec_clear(&s);
    AUTO_FREE char *docker = xasprintf("type=docker,dest=%s/x", tap_dir());
    REQUIRE_OK(export_spec_parse(docker, &s, &err), &err);
    struct export_result refused;
    EXPECT_ERR(export_images(&l.host, &s, images, 2, &refused, &err), &err, ERR_INVALID);
    EXPECT_CONTAINS(err.text,
                    "docker exporter does not currently support exporting manifest lists");
    export_spec_clear(&s);
    export_result_clear(&refused);
    index_clear(&index);
    image_config_clear(&arm);
    export_result_clear(&r);
    lab_close(&l);
}

TEST("an image without layers has none")
{
    LAB(l);
    struct export_result r;
    snapshot_unref(STEAL(l.top));
    REQUIRE_OK(export_as(&l, "type=image", &r), &err);
    AUTO_FREE char *text = blob_text(&l, &r.target.digest);
    AUTO_FREE char *config = blob_text(&l, &r.config_digest);
    EXPECT_CONTAINS(text, "\"layers\":");
    EXPECT(!strstr(text, "image.layer"));
    EXPECT_CONTAINS(config, "\"diff_ids\":");
    export_result_clear(&r);
    lab_close(&l);
}

TEST("times after SOURCE_DATE_EPOCH become it in layers, unless that is declined")
{
    for (int i = 0; i < 2; i++) {
        LAB(l);
        struct export_result r;
        struct manifest m;
        REQUIRE_OK(export_as(&l,
                             i ? "type=image,rewrite-timestamp=false,compression=uncompressed"
                               : "type=image,compression=uncompressed",
                             &r),
                   &err);
        AUTO_FREE char *text = manifest_of(&l, &r, &m);
        REQUIRE(m.layers.n == 2);
        AUTO_FREE char *got =
            shell("for b in %s %s; do tar --full-time -tvf store/blobs/sha256/$b; done | grep -o "
                  "'[0-9-]* [0-9:]* [a-z].*'",
                  digest_hex(&m.layers.items[0].digest).s, digest_hex(&m.layers.items[1].digest).s);
        EXPECT_CONTAINS(got, "1998-07-09 16:00:00 bin/sh");
        if (i == 0)
            EXPECT_CONTAINS(got, "2001-09-09 01:46:40 app/data");
        else
            EXPECT(!strstr(got, "2001-09-09 01:46:40"));
        manifest_clear(&m);
        export_result_clear(&r);
        lab_close(&l);
        RUN("rm -rf store");
    }
}

TEST("without SOURCE_DATE_EPOCH times are those at which the layers were made")
{
    LAB(l);
    struct export_result r, again;
    struct image_config c = { 0 };
    struct timespec created = { 0 };
    l.host.has_epoch = l.host.clock.is_fixed = false;
    time_t before = time(NULL) - 60;
    REQUIRE_OK(export_as(&l, "type=image", &r), &err);
    AUTO_FREE char *text = blob_text(&l, &r.config_digest);
    REQUIRE_OK(image_config_parse(span_of(text), &c, &err), &err);
    REQUIRE(c.history.n == 3);
    REQUIRE_OK(time_parse(c.created, &created, &err), &err);
    EXPECT(created.tv_sec > before && created.tv_sec <= time(NULL));
    EXPECT_STR(c.history.items[2].created, c.created);
    EXPECT_STR(c.history.items[1].created, c.history.items[0].created);
    REQUIRE_OK(export_as(&l, "type=image", &again), &err);
    EXPECT(digest_equal(&r.target.digest, &again.target.digest));
    image_config_clear(&c);
    export_result_clear(&r);
    export_result_clear(&again);
    lab_close(&l);
}

TEST("layers may be sealed before the image is put together")
{
    LAB(l);
    struct export_result r;
    struct export_spec s, local;
    export_spec_init(&s, EXPORT_IMAGE);
    export_spec_init(&local, EXPORT_LOCAL);
    EXPECT_OK(export_seal(&l.host, &local, l.top, &err), &err);
    EXPECT_OK(export_seal(&l.host, &s, NULL, &err), &err);
    EXPECT_OK(export_seal(&l.host, &s, l.top, &err), &err);
    AUTO_FREE char *before = shell("ls store/blobs/sha256");
    REQUIRE_OK(export_as(&l, "type=image", &r), &err);
    AUTO_FREE char *after = shell("ls store/blobs/sha256 | wc -l");
    EXPECT_INT(strlen(before), 64);
    EXPECT_STR(after, "4"); /* two layers, config, manifest */
    export_spec_clear(&s);
    export_spec_clear(&local);
    export_result_clear(&r);
    lab_close(&l);
}

int main(int argc, char **argv)
{
    return lab_main(argc, argv);
}
