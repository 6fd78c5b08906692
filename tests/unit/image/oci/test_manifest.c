/* tests/unit/image/oci/test_manifest.c - image manifests and indexes of other programs. */
#include "image/oci/manifest.h"

#include "base/core/limits.h"
#include "fixture.h"

static char *print_manifest(const struct manifest *m)
{
    struct buf b;
    buf_init(&b, LIMIT_MANIFEST);
    manifest_print(m, &b);
    return buf_take(&b);
}

static char *print_index(const struct index *i)
{
    struct buf b;
    buf_init(&b, LIMIT_MANIFEST);
    index_print(i, &b);
    return buf_take(&b);
}

static const struct {
    const char *file, *type, *artifact_type;
    size_t n_layers;
} manifests[] = {
    { "umoci-manifest.json", MEDIA_OCI_MANIFEST, NULL, 2 },
    { "skopeo-docker-manifest.json", MEDIA_DOCKER_MANIFEST, NULL, 2 },
    { "skopeo-zstd-manifest.json", MEDIA_OCI_MANIFEST, NULL, 2 },
    { "artifact-manifest.json", MEDIA_OCI_MANIFEST, "application/vnd.example.sbom", 1 },
    { "sha512-manifest.json", MEDIA_OCI_MANIFEST, NULL, 1 },
};

TEST("manifests of other programs are read, and printed byte for byte")
{
    for (size_t i = 0; i < sizeof manifests / sizeof manifests[0]; i++) {
        AUTO_VALUE(manifest_clear) struct manifest m = { 0 };
        struct err err = { 0 };
        struct span bytes = fixture_read("oci", manifests[i].file);
        AUTO_FREE char *text = span_dup(bytes);
        free((void *)(uintptr_t)bytes.ptr);
        text[strcspn(text, "\n")] = '\0';
        EXPECT_STR(manifest_sniff(span_of(text)), manifests[i].type);
        REQUIRE_OK(manifest_parse(span_of(text), manifests[i].type, &m, &err), &err);
        EXPECT_STR(manifest_media_type(&m), manifests[i].type);
        EXPECT_INT(m.layers.n, manifests[i].n_layers);
        EXPECT(media_is_config(m.config.media_type) || manifests[i].artifact_type);
        EXPECT_STR(m.artifact_type, manifests[i].artifact_type);
        AUTO_FREE char *again = print_manifest(&m);
        EXPECT_STR(again, text);
    }
}

static const struct {
    const char *file, *type;
    size_t n;
} indexes[] = {
    { "umoci-index.json", MEDIA_OCI_INDEX, 1 },
    { "buildah-index.json", MEDIA_OCI_INDEX, 3 },
    { "buildah-docker-list.json", MEDIA_DOCKER_LIST, 3 },
    { "buildkit-index.json", MEDIA_OCI_INDEX, 2 },
};

TEST("indexes of other programs are read, and printed byte for byte")
{
    for (size_t i = 0; i < sizeof indexes / sizeof indexes[0]; i++) {
        AUTO_VALUE(index_clear) struct index x = { 0 };
        struct err err = { 0 };
        struct span bytes = fixture_read("oci", indexes[i].file);
        AUTO_FREE char *text = span_dup(bytes);
        free((void *)(uintptr_t)bytes.ptr);
        text[strcspn(text, "\n")] = '\0';
        EXPECT_STR(manifest_sniff(span_of(text)), indexes[i].type);
        REQUIRE_OK(index_parse(span_of(text), NULL, &x, &err), &err);
        EXPECT_STR(index_media_type(&x), indexes[i].type);
        EXPECT_INT(x.manifests.n, indexes[i].n);
        AUTO_FREE char *again = print_index(&x);
        EXPECT_STR(again, text);
    }
}

static int n_tried;
static void refuse_manifest(const char *name, struct span bytes)
{
    struct manifest m = { 0 };
    struct err err = { 0 };
    enum err_kind kind = strstr(name, "too-many") ? ERR_LIMIT
                         : strstr(name, "schema-1.") || strstr(name, "unknown-digest")
                             ? ERR_UNSUPPORTED
                             : ERR_INVALID;
    n_tried++;
    if (manifest_parse(bytes, NULL, &m, &err) == 0)
        tap_fail(__FILE__, __LINE__, "%s was accepted", name);
    else if (err.kind != kind)
        tap_fail(__FILE__, __LINE__, "%s: %s (%s)", name, err_kind_name(err.kind), err.text);
    EXPECT_CONTAINS(err.text, "parse image manifest: ");
    manifest_clear(&m);
}

TEST("broken manifests are refused")
{
    n_tried = 0;
    EXPECT_INT(fixture_each("oci", "refuse-manifest-", refuse_manifest), 26);
    EXPECT_INT(n_tried, 26);
}

static void refuse_index(const char *name, struct span bytes)
{
    struct index i = { 0 };
    struct err err = { 0 };
    if (index_parse(bytes, NULL, &i, &err) == 0)
        tap_fail(__FILE__, __LINE__, "%s was accepted", name);
    EXPECT_INT(err.kind, strstr(name, "too-many") ? ERR_LIMIT : ERR_INVALID);
    index_clear(&i);
}

TEST("broken indexes are refused")
{
    EXPECT_INT(fixture_each("oci", "refuse-index-", refuse_index), 4);
}

TEST("schema 1 is unsupported and says how to convert it")
{
    struct manifest m = { 0 };
    struct err err = { 0 };
    struct span bytes = fixture_read("oci", "refuse-manifest-schema-1.json");
    EXPECT_ERR(manifest_parse(bytes, NULL, &m, &err), &err, ERR_UNSUPPORTED);
    EXPECT_CONTAINS(err.hint, "skopeo copy --format oci");
    EXPECT(manifest_sniff(bytes) == NULL);
    free((void *)(uintptr_t)bytes.ptr);
}

TEST("a document that is another thing than announced is refused")
{
    struct manifest m = { 0 };
    struct index x = { 0 };
    struct err err = { 0 };
    struct span docker = fixture_read("oci", "skopeo-docker-manifest.json");
    struct span untyped = fixture_read("oci", "umoci-manifest.json");
    struct span list = fixture_read("oci", "buildah-docker-list.json");
    EXPECT_ERR(manifest_parse(docker, MEDIA_OCI_MANIFEST, &m, &err), &err, ERR_INVALID);
    EXPECT_CONTAINS(err.text, "announced as " MEDIA_OCI_MANIFEST);
    EXPECT_ERR(index_parse(docker, NULL, &x, &err), &err, ERR_INVALID);
    EXPECT_ERR(index_parse(untyped, MEDIA_OCI_INDEX, &x, &err), &err, ERR_INVALID);
    EXPECT_ERR(index_parse(untyped, NULL, &x, &err), &err, ERR_INVALID);
    EXPECT_ERR(manifest_parse(list, NULL, &m, &err), &err, ERR_INVALID);
    EXPECT_ERR(manifest_parse(untyped, MEDIA_OCI_INDEX, &m, &err), &err, ERR_INVALID);
    EXPECT_ERR(manifest_parse(SPAN("{}"), MEDIA_OCI_MANIFEST, &m, &err), &err, ERR_INVALID);
    EXPECT_OK(manifest_parse(untyped, MEDIA_DOCKER_MANIFEST, &m, &err), &err);
    EXPECT_INT(m.family, MEDIA_FAMILY_DOCKER);
    manifest_clear(&m);
    free((void *)(uintptr_t)docker.ptr);
    free((void *)(uintptr_t)untyped.ptr);
    free((void *)(uintptr_t)list.ptr);
}

static struct index read_index(const char *file)
{
    struct index x = { 0 };
    struct err err = { 0 };
    struct span bytes = fixture_read("oci", file);
    if (index_parse(bytes, NULL, &x, &err))
        abort();
    free((void *)(uintptr_t)bytes.ptr);
    return x;
}

static const struct {
    const char *file, *platform, *digest; /* digest NULL: nothing fits */
} selects[] = {
    { "buildah-index.json", "linux/amd64", "sha256:d6dfbaee" },
    { "buildah-index.json", "linux/amd64/v3", "sha256:d6dfbaee" },
    { "buildah-index.json", "linux/arm64", "sha256:ff57bc6e" },
    { "buildah-index.json", "linux/arm/v7", "sha256:ca6d1f38" },
    { "buildah-index.json", "linux/arm/v8", "sha256:ca6d1f38" },
    { "buildah-index.json", "linux/arm/v6", NULL },
    { "buildah-index.json", "linux/s390x", NULL },
    { "buildah-docker-list.json", "linux/arm64", "sha256:6a790c83" },
    { "buildkit-index.json", "linux/amd64", "sha256:aaaaaaaa" },
    { "buildkit-index.json", "linux/arm64", NULL },
    { "umoci-index.json", "linux/amd64", "sha256:" },
};

TEST("the entry for a platform is found, attestations never")
{
    for (size_t i = 0; i < sizeof selects / sizeof selects[0]; i++) {
        AUTO_VALUE(index_clear) struct index x = read_index(selects[i].file);
        struct platform want;
        const struct descriptor *got = NULL;
        struct err err = { 0 };
        REQUIRE_OK(platform_parse(span_of(selects[i].platform), &want, &err), &err);
        int failed = index_select(&x, &want, &got, &err);
        EXPECT_INT(failed, selects[i].digest ? 0 : -1);
        if (!failed)
            EXPECT_CONTAINS(digest_text(&got->digest).s, selects[i].digest);
        else
            EXPECT_INT(err.kind, ERR_NOT_FOUND);
    }
}

TEST("when nothing fits, the error lists what there is")
{
    AUTO_VALUE(index_clear) struct index x = read_index("buildah-index.json");
    struct platform want;
    const struct descriptor *got = NULL;
    struct err err = { 0 };
    REQUIRE_OK(platform_parse(SPAN("linux/s390x"), &want, &err), &err);
    EXPECT_ERR(index_select(&x, &want, &got, &err), &err, ERR_NOT_FOUND);
    EXPECT_STR(err.text, "select linux/s390x: in image index: there is linux/amd64, linux/arm64, "
                         "linux/arm/v7");
    EXPECT_CONTAINS(err.hint, "--platform");
}

TEST("a made manifest and a made index have the order of the specification")
{
    struct digest d = digest_of(SPAN("x"));
    AUTO_VALUE(manifest_clear) struct manifest m = { .annotations = STR_MAP };
    m.config = descriptor_make(MEDIA_OCI_CONFIG, &d, 1);
    *vec_push(&m.layers) = descriptor_make(MEDIA_OCI_LAYER_GZIP, &d, 2);
    map_set_str(&m.annotations, "k", "v");
    AUTO_FREE char *text = print_manifest(&m);
    AUTO_FREE char *want = xasprintf(
        "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"config\":{\"mediaType\":"
        "\"" MEDIA_OCI_CONFIG "\",\"digest\":\"%s\",\"size\":1},\"layers\":[{\"mediaType\":"
        "\"" MEDIA_OCI_LAYER_GZIP
        "\",\"digest\":\"%s\",\"size\":2}],\"annotations\":{\"k\":\"v\"}}",
        digest_text(&d).s, digest_text(&d).s);
    EXPECT_STR(text, want);

    AUTO_VALUE(index_clear) struct index x = { .family = MEDIA_FAMILY_DOCKER };
    AUTO_FREE char *empty = print_index(&x);
    EXPECT_STR(empty,
               "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_DOCKER_LIST "\",\"manifests\":[]}");
}

TEST("a layer put onto a manifest that was read leaves the rest alone")
{
    AUTO_VALUE(manifest_clear) struct manifest m = { 0 };
    struct err err = { 0 };
    struct span bytes = fixture_read("oci", "artifact-manifest.json");
    REQUIRE_OK(manifest_parse(bytes, NULL, &m, &err), &err);
    free((void *)(uintptr_t)bytes.ptr);
    *vec_push(&m.layers) = descriptor_make("a/b", &m.config.digest, 5);
    AUTO_FREE char *text = print_manifest(&m);
    EXPECT_CONTAINS(text, "\"x-vendor\":{\"b\":1,\"a\":2}},{\"mediaType\":\"a/b\"");
    EXPECT_CONTAINS(text, "\"data\":\"e30=\"");
    EXPECT_CONTAINS(text, "\"x-unknown\":[1,2]}");
}

TAP_MAIN()
