/* Names, the layout that others read, referrers. */
#include "base/core/limits.h"
#include "fixture.h"

#define APP "docker.io/library/app:1"

TEST("a name can be set, moved, found and removed")
{
    AUTO(store_close) struct store *st = open_store(NULL);
    AUTO_VALUE(descriptor_clear) struct descriptor one = put_image(st, "{\"a\":1}", "layer one");
    AUTO_VALUE(descriptor_clear) struct descriptor two = put_image(st, "{\"a\":2}", "layer two");
    EXPECT_OK(name_set(st, NAME_IMAGE, APP, &one, &err), &err);
    EXPECT_OK(name_set(st, NAME_IMAGE, APP, &two, &err), &err);
    AUTO_VALUE(descriptor_clear) struct descriptor got = { 0 };
    bool is_there = false;
    EXPECT_OK(name_find(st, NAME_IMAGE, APP, &got, &is_there, &err), &err);
    REQUIRE(is_there);
    EXPECT(digest_equal(&got.digest, &two.digest));
    EXPECT_INT(got.size, two.size);
    EXPECT_OK(name_remove(st, NAME_IMAGE, APP, &is_there, &err), &err);
    EXPECT(is_there);
    EXPECT_OK(name_remove(st, NAME_IMAGE, APP, &is_there, &err), &err);
    EXPECT(!is_there);
    EXPECT_OK(name_find(st, NAME_IMAGE, APP, &got, &is_there, &err), &err);
    EXPECT(!is_there);
}

TEST("names of images and of the registry do not clash, and are listed in order, in pages")
{
    AUTO(store_close) struct store *st = open_store(NULL);
    AUTO_VALUE(descriptor_clear) struct descriptor d = put_image(st, "{}", "layer");
    static const char *const names[] = { "app:b", "app:a", "other:x", "app:c" };
    for (size_t i = 0; i < 4; i++)
        EXPECT_OK(name_set(st, NAME_SERVED, names[i], &d, &err), &err);
    EXPECT_OK(name_set(st, NAME_IMAGE, "app:a", &d, &err), &err);
    AUTO_VALUE(names_clear) struct names page = { 0 };
    EXPECT_OK(name_list(st, NAME_SERVED, "app:", "app:a", 2, &page, &err), &err);
    REQUIRE(page.n == 2);
    EXPECT_STR(page.items[0].name, "app:b");
    EXPECT_STR(page.items[1].name, "app:c");
}

TEST("index.json names what is there, and skopeo reads the store as a layout")
{
    AUTO(store_close) struct store *st = open_store(NULL);
    AUTO_VALUE(descriptor_clear)
    struct descriptor d = put_image(st,
                                    "{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{"
                                    "\"type\":\"layers\",\"diff_ids\":[]}}",
                                    "layer");
    EXPECT_OK(name_set(st, NAME_IMAGE, APP, &d, &err), &err);
    EXPECT_STR(shell("jq -r '.manifests[0].annotations[\"org.opencontainers.image.ref.name\"]' "
                     "%s/index.json",
                     store_path(st)),
               APP);
    if (*shell("command -v skopeo") == '\0')
        SKIP("needs skopeo");
    EXPECT_STR(shell("skopeo inspect --raw oci:%s | sha256sum | cut -d' ' -f1", store_path(st)),
               digest_hex(&d.digest).s);
}

TEST("a manifest that refers to another is found from it, with its type and annotations")
{
    AUTO(store_close) struct store *st = open_store(NULL);
    AUTO_VALUE(descriptor_clear) struct descriptor image = put_image(st, "{}", "layer");
    struct digest empty = put(st, "{}");
    AUTO_FREE char *text = xasprintf(
        "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"artifactType\":\"a/sbom\","
        "\"config\":{\"mediaType\":\"" MEDIA_OCI_EMPTY "\",\"digest\":\"%s\",\"size\":2},"
        "\"layers\":[],\"subject\":{\"mediaType\":\"" MEDIA_OCI_MANIFEST
        "\",\"digest\":\"%s\",\"size\":%d},\"annotations\":{\"k\":\"v\"}}",
        digest_text(&empty).s, digest_text(&image.digest).s, (int)image.size);
    AUTO_VALUE(descriptor_clear) struct descriptor referrer = { 0 };
    REQUIRE_OK(manifest_put(st, span_of(text), NULL, &referrer, &err), &err);
    AUTO_VALUE(descriptors_clear) struct descriptors found = { 0 };
    EXPECT_OK(manifest_referrers(st, &image.digest, &found, &err), &err);
    REQUIRE(found.n == 1);
    EXPECT(digest_equal(&found.items[0].digest, &referrer.digest));
    EXPECT_STR(found.items[0].artifact_type, "a/sbom");
    EXPECT_STR(map_find_str(&found.items[0].annotations, "k"), "v");
}

/* As long as a manifest may be; JSON prints each of it as six bytes. */
static char *many_brackets(void)
{
    size_t n = LIMIT_MANIFEST - 100000;
    char *text = xcalloc(1, n + 1);
    memset(text, '<', n);
    return text;
}

TEST("annotations that nobody could read again are refused, and spoil no listing")
{
    AUTO(store_close) struct store *st = open_store(NULL);
    AUTO_VALUE(descriptor_clear) struct descriptor image = put_image(st, "{}", "layer");
    AUTO_FREE char *long_text = many_brackets();
    struct digest empty = put(st, "{}");
    AUTO_FREE char *text = xasprintf(
        "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"a/b\",\"digest\":\"%s\",\"size\":2},"
        "\"layers\":[],\"subject\":{\"mediaType\":\"" MEDIA_OCI_MANIFEST
        "\",\"digest\":\"%s\",\"size\":%d},\"annotations\":{\"k\":\"%s\"}}",
        digest_text(&empty).s, digest_text(&image.digest).s, (int)image.size, long_text);
    struct descriptor referrer = { 0 };
    EXPECT_ERR(manifest_put(st, span_of(text), MEDIA_OCI_MANIFEST, &referrer, &err), &err,
               ERR_LIMIT);
    err_clear(&err);
    map_set_str(&image.annotations, "k", long_text);
    EXPECT_ERR(name_set(st, NAME_IMAGE, APP, &image, &err), &err, ERR_LIMIT);
    err_clear(&err);
    AUTO_VALUE(descriptors_clear) struct descriptors found = { 0 };
    EXPECT_OK(manifest_referrers(st, &image.digest, &found, &err), &err);
    EXPECT_INT(found.n, 0);
    AUTO_VALUE(names_clear) struct names names = { 0 };
    EXPECT_OK(name_list(st, NAME_IMAGE, "", NULL, 0, &names, &err), &err);
    EXPECT_INT(names.n, 0);
}

TEST("what is no manifest is refused")
{
    AUTO(store_close) struct store *st = open_store(NULL);
    struct descriptor d = { 0 };
    EXPECT_ERR(manifest_put(st, SPAN("{\"a\":1}"), NULL, &d, &err), &err, ERR_INVALID);
    EXPECT_ERR(manifest_put(st, SPAN("no json"), MEDIA_OCI_MANIFEST, &d, &err), &err, ERR_INVALID);
}

TEST("a name leads to its manifest, and to all that it needs, and to nothing else")
{
    AUTO(store_close) struct store *st = open_store(NULL);
    AUTO_VALUE(descriptor_clear) struct descriptor image = put_image(st, "config", "layer");
    struct digest layer = digest_of(SPAN("layer")), lone = put(st, "lone");
    bool leads = true;
    EXPECT_OK(name_leads_to(st, &layer, &leads, &err), &err);
    EXPECT(!leads);
    EXPECT_OK(name_set(st, NAME_SERVED, "a:1", &image, &err), &err);
    EXPECT_OK(name_leads_to(st, &layer, &leads, &err), &err);
    EXPECT(leads);
    EXPECT_OK(name_leads_to(st, &image.digest, &leads, &err), &err);
    EXPECT(leads);
    EXPECT_OK(name_leads_to(st, &lone, &leads, &err), &err);
    EXPECT(!leads);
}

TAP_MAIN()
