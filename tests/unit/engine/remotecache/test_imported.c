/* Caches that BuildKit wrote, in all three forms, and ones that are broken, read from folders. */
#include "engine/remotecache/imported.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/sys/fs.h"
#include "engine/source/image_source.h"
#include "fixture.h"
#include "tap.h"

static struct err err;
static const struct export_host host;

static int read_folder(const char *folder, const char *tag, const char *digest,
                       struct imported_caches *out)
{
    struct cache_spec spec = { .type = CACHE_LOCAL,
                               .folder = xstrdup(folder),
                               .tag = xstrdup(tag) };
    AUTO(cache_place_close) struct cache_place *place = NULL;
    err_clear(&err);
    int status = digest ? digest_parse(span_of(digest), &spec.digest, &err) : 0;
    if (status == 0)
        status = cache_place_open(&host, &spec, false, &place, &err) ||
                         imported_caches_read(place, out, &err)
                     ? -1
                     : 0;
    cache_place_close(STEAL(place));
    cache_spec_clear(&spec);
    return status;
}

/* Records with a result that can be had. */
static size_t count_results(const struct imported_cache *c)
{
    size_t n = 0;
    for (size_t i = 0; i < c->document.n_records; i++)
        for (size_t k = 0; k < c->document.records[i].n_results; k++)
            n += imported_cache_has(c, &c->document.records[i].results[k]);
    return n;
}

TEST("an index and an image manifest of BuildKit's give all their results")
{
    static const char *const folders[] = { "remotecache/buildkit-0.13",
                                           "remotecache/buildkit-0.25" };
    static const size_t n_results[] = { 6, 4 };
    for (size_t i = 0; i < 2; i++) {
        AUTO_VALUE(imported_caches_clear) struct imported_caches found = { 0 };
        AUTO_FREE char *path = fixture_path(folders[i], "");
        EXPECT_OK(read_folder(path, "latest", NULL, &found), &err);
        EXPECT_INT(found.n, 1);
        if (found.n != 1)
            continue;
        EXPECT_INT(count_results(found.items[0]), n_results[i]);
        EXPECT_INT(found.items[0]->mounts.n, 0);
        EXPECT(strncmp(found.items[0]->origin, IMAGE_ORIGIN_LAYOUT "/", 12) == 0);
    }
}

TEST("a chain has its layers from the base up, with what they unpack to and when they were made")
{
    AUTO_VALUE(imported_caches_clear) struct imported_caches found = { 0 };
    AUTO_VALUE(layer_chain_clear) struct layer_chain chain = { 0 };
    AUTO_FREE char *path = fixture_path("remotecache/buildkit-0.25", "");
    REQUIRE_OK(read_folder(path, "latest", NULL, &found), &err);
    const struct imported_cache *c = found.items[0];
    const struct cache_record *last = &c->document.records[c->document.n_records - 1];
    imported_cache_chain(c, &last->results[0], &chain);
    EXPECT_INT(chain.n, 4);
    EXPECT_STR(digest_text(&chain.items[0].blob.digest).s,
               "sha256:2045245f4c0c2481b04ad0ce028bb2be2db6f1615dd77a2419a29adc90f522ef");
    EXPECT_STR(digest_text(&chain.items[3].diff_id).s,
               "sha256:86a3270937eab6c7d6d3b94390c4dc09eb98c132a1bd802c68054abecc3b39de");
    EXPECT_INT(chain.items[0].blob.size, 1079938);
    EXPECT_INT(chain.created_s[3] - chain.created_s[0], 1027);
}

TEST("an image that carries records is a cache of its own layers")
{
    AUTO_VALUE(imported_caches_clear) struct imported_caches found = { 0 };
    AUTO_VALUE(layer_chain_clear) struct layer_chain chain = { 0 };
    AUTO_FREE char *path = fixture_path("remotecache/buildkit-0.13-inline", "");
    REQUIRE_OK(
        read_folder(path, "latest",
                    "sha256:c405285ba783bf0ed1b1fc37a487c5f57248a156f861ee04f628300ba2f18eaa",
                    &found),
        &err);
    EXPECT_INT(found.n, 1);
    const struct imported_cache *c = found.items[0];
    EXPECT_INT(c->document.n_layers, 5);
    EXPECT_INT(count_results(c), 5);
    imported_cache_chain(c, &c->document.records[0].results[0], &chain);
    EXPECT_INT(chain.n, 5);
    EXPECT(chain.created_s[4] > chain.created_s[0] && chain.created_s[0] > 0);
}

/* ---- broken ones ---- */

static char *new_layout(void)
{
    AUTO_FREE char *blobs = xasprintf("%s/c/blobs/sha256", tap_dir());
    EXPECT_OK(fs_make_dirs(AT_FDCWD, blobs, 0755, &err), &err);
    return xasprintf("%s/c", tap_dir());
}

static struct digest put(const char *layout, struct span bytes)
{
    struct digest d = digest_of(bytes);
    AUTO_FREE char *path = xasprintf("%s/blobs/sha256/%s", layout, digest_hex(&d).s);
    EXPECT_OK(fs_write_file(AT_FDCWD, path, bytes, 0644, false, &err), &err);
    return d;
}

/* A layout whose "latest" is this manifest. */
static void put_manifest(const char *layout, const char *manifest)
{
    struct digest d = put(layout, span_of(manifest));
    AUTO_FREE char *index = xasprintf(
        "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"application/vnd.oci.image.manifest.v1"
        "+json\",\"digest\":\"%s\",\"size\":%zu,\"annotations\":{"
        "\"org.opencontainers.image.ref.name\":\"latest\"}}]}",
        digest_text(&d).s, strlen(manifest));
    AUTO_FREE char *path = xasprintf("%s/index.json", layout);
    EXPECT_OK(fs_write_file(AT_FDCWD, path, span_of(index), 0644, false, &err), &err);
}

#define CONFIG_TYPE "application/vnd.buildkit.cacheconfig.v0"
#define LAYER_TYPE "application/vnd.oci.image.layer.v1.tar+gzip"

/* One record of two layers, of which the manifest lists those that `listed` says. */
static void put_cache(const char *layout, const char *document, const char *listed)
{
    struct digest d = put(layout, span_of(document));
    AUTO_FREE char *manifest = xasprintf(
        "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\""
        ",\"config\":{\"mediaType\":\"" CONFIG_TYPE "\",\"digest\":\"%s\",\"size\":%zu},"
        "\"layers\":[%s]}",
        digest_text(&d).s, strlen(document), listed);
    put_manifest(layout, manifest);
}

static char *two_layers(void)
{
    struct digest a = digest_of(SPAN("a")), b = digest_of(SPAN("b"));
    return xasprintf("{\"layers\":[{\"blob\":\"%s\",\"parent\":-1},{\"blob\":\"%s\"}],\"records\":["
                     "{\"layers\":[{\"layer\":1}],\"digest\":\"%s\"}]}",
                     digest_text(&a).s, digest_text(&b).s, digest_text(&a).s);
}

static char *entry(const char *content, const char *note)
{
    struct digest d = digest_of(span_of(content));
    return xasprintf("{\"mediaType\":\"" LAYER_TYPE "\",\"digest\":\"%s\",\"size\":1,"
                     "\"annotations\":{\"%s\":\"%s\"}}",
                     digest_text(&d).s, note, digest_text(&d).s);
}

TEST("a result of a layer that the manifest does not list, or says too little of, is none")
{
    static const char *const notes[] = { "containerd.io/uncompressed", "something else", NULL };
    for (size_t i = 0; i < 3; i++) {
        AUTO_VALUE(imported_caches_clear) struct imported_caches found = { 0 };
        AUTO_FREE char *layout = new_layout();
        AUTO_FREE char *document = two_layers();
        AUTO_FREE char *first = entry("a", "containerd.io/uncompressed");
        AUTO_FREE char *second = notes[i] ? entry("b", notes[i]) : xstrdup(first);
        AUTO_FREE char *both = xasprintf("%s,%s", first, second);
        put_cache(layout, document, both);
        EXPECT_OK(read_folder(layout, "latest", NULL, &found), &err);
        EXPECT_INT(found.n, 1);
        if (found.n)
            EXPECT_INT(count_results(found.items[0]), i == 0);
    }
}

TEST("the content of a cache mount is no layer of a result")
{
    AUTO_VALUE(imported_caches_clear) struct imported_caches found = { 0 };
    AUTO_FREE char *layout = new_layout();
    struct digest a = digest_of(SPAN("a"));
    AUTO_FREE char *listed =
        xasprintf("{\"mediaType\":\"" LAYER_TYPE "\",\"digest\":\"%s\",\"size\":1,\"annotations\":"
                  "{\"containerd.io/uncompressed\":\"%s\",\"dev.kiln.cache-mount.id\":\"/go\"}}",
                  digest_text(&a).s, digest_text(&a).s);
    put_cache(layout, "{}", listed);
    REQUIRE_OK(read_folder(layout, "latest", NULL, &found), &err);
    EXPECT_INT(found.items[0]->mounts.n, 1);
    EXPECT_STR(found.items[0]->mounts.items[0].id, "/go");
    EXPECT_INT(found.items[0]->refs.n, 0);
}

TEST("what is no cache says so")
{
    AUTO_VALUE(imported_caches_clear) struct imported_caches found = { 0 };
    AUTO_FREE char *layout = new_layout();
    EXPECT_ERR(read_folder(layout, "latest", NULL, &found), &err, ERR_NOT_FOUND);
    put_manifest(layout, "{\"schemaVersion\":2}");
    EXPECT_ERR(read_folder(layout, "latest", NULL, &found), &err, ERR_INVALID);
    EXPECT_ERR(read_folder(layout, "other", NULL, &found), &err, ERR_NOT_FOUND);
    put_cache(layout, "{\"records\":[{\"digest\":\"x\"}]}", "");
    EXPECT_ERR(read_folder(layout, "latest", NULL, &found), &err, ERR_INVALID);
    EXPECT_INT(found.n, 0);
}

TEST("a document with another content than its name says is refused, one that is gone too")
{
    AUTO_VALUE(imported_caches_clear) struct imported_caches found = { 0 };
    AUTO_FREE char *layout = new_layout();
    AUTO_FREE char *document = two_layers();
    struct digest d = digest_of(span_of(document));
    put_cache(layout, document, "");
    AUTO_FREE char *path = xasprintf("%s/blobs/sha256/%s", layout, digest_hex(&d).s);
    EXPECT_OK(fs_write_file(AT_FDCWD, path, SPAN("{}"), 0644, false, &err), &err);
    EXPECT_ERR(read_folder(layout, "latest", NULL, &found), &err, ERR_CORRUPT);
    EXPECT_INT(unlink(path), 0);
    EXPECT_ERR(read_folder(layout, "latest", NULL, &found), &err, ERR_NOT_FOUND);
}

TEST("an image without records is no cache, and no mistake")
{
    AUTO_VALUE(imported_caches_clear) struct imported_caches found = { 0 };
    AUTO_FREE char *layout = new_layout();
    static const char config[] = "{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":"
                                 "{\"type\":\"layers\",\"diff_ids\":[]}}";
    struct digest d = put(layout, span_of(config));
    AUTO_FREE char *manifest = xasprintf("{\"schemaVersion\":2,\"config\":{\"mediaType\":"
                                         "\"application/vnd.oci.image.config.v1+json\""
                                         ",\"digest\":\"%s\",\"size\":%zu},\"layers\":[]}",
                                         digest_text(&d).s, strlen(config));
    put_manifest(layout, manifest);
    EXPECT_OK(read_folder(layout, "latest", NULL, &found), &err);
    EXPECT_INT(found.n, 0);
}

TAP_MAIN()
