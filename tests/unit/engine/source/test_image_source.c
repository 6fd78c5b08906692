/* Base images by reference: what is asked of registry and store, and how often.  The registry is
 * the embedded one over a store of its own. */
#include <pthread.h>

#include "fixture.h"

#include "engine/source/image_source.h"
#include "image/oci/media_type.h"
#include "image/store/blob.h"
#include "image/store/name.h"
#include "serve/registry/registry.h"

struct lab {
    struct store *served, *store;
    struct registry *registry;
    struct remote *remote;
    struct image_source *source;
    pthread_mutex_t lock; /* guards the requests */
    struct buf requests;  /* "GET manifests|..."; complete once the registry was stopped */
};

static void note_request(void *arg, const struct registry_event *e)
{
    struct lab *l = arg;
    pthread_mutex_lock(&l->lock);
    const char *kind = strstr(e->path, "/manifests/") ? "manifests"
                       : strstr(e->path, "/blobs/")   ? "blobs"
                                                      : NULL;
    if (kind)
        buf_printf(&l->requests, "%s %s|", e->method, kind);
    pthread_mutex_unlock(&l->lock);
}

static bool open_client(struct lab *l, const char *name)
{
    AUTO_FREE char *path = xasprintf("%s/%s", tap_dir(), name);
    struct remote_options o = { .is_all_insecure = true, .n_retries = 1 };
    if (store_open(path, NULL, &l->store, &err) || remote_open(&o, &l->remote, &err)) {
        tap_fail(__FILE__, __LINE__, "open: %s", err.text);
        return false;
    }
    l->source = image_source_new(l->remote, l->store);
    return true;
}

static void close_client(struct lab *l)
{
    image_source_free(l->source);
    remote_close(l->remote);
    store_close(l->store);
    l->source = NULL;
    l->remote = NULL;
    l->store = NULL;
}

static bool lab_open(struct lab *l)
{
    *l = (struct lab){ .lock = PTHREAD_MUTEX_INITIALIZER };
    AUTO_FREE char *path = xasprintf("%s/served", tap_dir());
    buf_init(&l->requests, MIB);
    err_clear(&err);
    if (store_open(path, NULL, &l->served, &err) ||
        registry_start(
            &(struct registry_options){ .store = l->served, .log = note_request, .log_arg = l },
            &l->registry, &err)) {
        tap_fail(__FILE__, __LINE__, "open: %s", err.text);
        return false;
    }
    return open_client(l, "store");
}

static void lab_close(struct lab *l)
{
    close_client(l);
    registry_stop(l->registry, 1000);
    store_close(l->served);
    buf_clear(&l->requests);
}

static struct descriptor put(struct store *st, const char *type, const char *text)
{
    struct digest d = { 0 };
    EXPECT_OK(blob_put(st, span_of(text), &d, &err), &err);
    return descriptor_make(type, &d, strlen(text));
}

/* An image of one layer with the variable A=`value`, in a store. */
static struct descriptor put_image(struct store *st, const char *value, const char *layer_type)
{
    AUTO_FREE char *layer_text = xasprintf("layer of %s", value);
    struct digest diff_id = digest_of(span_of(layer_text));
    AUTO_FREE char *config_text =
        xasprintf("{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Env\":[\"A=%s\"]},"
                  "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"%s\"]}}",
                  value, digest_text(&diff_id).s);
    AUTO_VALUE(descriptor_clear) struct descriptor config = put(st, MEDIA_OCI_CONFIG, config_text);
    AUTO_VALUE(descriptor_clear) struct descriptor layer = put(st, layer_type, layer_text);
    AUTO_VALUE(manifest_clear) struct manifest m = { .annotations = STR_MAP };
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    struct descriptor out = { 0 };
    descriptor_copy(&m.config, &config);
    descriptor_copy(vec_push(&m.layers), &layer);
    buf_init(&text, MIB);
    manifest_print(&m, &text);
    EXPECT_OK(manifest_put(st, buf_span(&text), MEDIA_OCI_MANIFEST, &out, &err), &err);
    return out;
}

/* As if it had been pushed under the tag 1. */
static void serve_as(struct lab *l, const char *repository, const struct descriptor *d)
{
    AUTO_FREE char *tagged = xasprintf("%s:1", repository);
    AUTO_FREE char *pinned = xasprintf("%s@%s", repository, digest_text(&d->digest).s);
    EXPECT_OK(name_set(l->served, NAME_SERVED, pinned, d, &err), &err);
    EXPECT_OK(name_set(l->served, NAME_SERVED, tagged, d, &err), &err);
}

static void serve(struct lab *l, const char *repository, const char *value)
{
    AUTO_VALUE(descriptor_clear)
    struct descriptor d = put_image(l->served, value, MEDIA_OCI_LAYER);
    serve_as(l, repository, &d);
}

/* What the image says of A, or the error. */
static const char *ask_for(struct lab *l, const char *name, const char *arch,
                           enum resolve_mode mode, const struct image **out)
{
    AUTO_VALUE(reference_clear) struct reference ref = { 0 };
    AUTO_FREE char *text = strchr(name, '/')
                               ? xstrdup(name)
                               : xasprintf("127.0.0.1:%d/%s", registry_port(l->registry), name);
    struct platform p = { .is_set = true, .os = "linux" };
    const struct image *image = NULL;
    snprintf(p.architecture, sizeof p.architecture, "%s", arch);
    err_clear(&err);
    EXPECT_OK(reference_parse(span_of(text), &ref, &err), &err);
    if (image_source_get(l->source, &ref, &p, mode, NULL, &image, &err))
        return err.text;
    if (out)
        *out = image;
    return image_config_env(&image->config, "A");
}

static const char *ask(struct lab *l, const char *name)
{
    return ask_for(l, name, "amd64", RESOLVE_DEFAULT, NULL);
}

TEST("an image is its manifest and config; layers stay where they are until somebody looks inside")
{
    struct lab l;
    const struct image *image = NULL;
    REQUIRE(lab_open(&l));
    serve(&l, "base", "one");
    EXPECT_STR(ask_for(&l, "base:1", "amd64", RESOLVE_DEFAULT, &image), "one");
    REQUIRE(image && image->layers.n == 1);
    const struct layer_ref *layer = &image->layers.items[0];
    AUTO_FREE char *origin = xasprintf("127.0.0.1:%d/base", registry_port(l.registry));
    bool is_there = true;
    EXPECT_STR(image->origin, origin);
    EXPECT(digest_equal(&layer->diff_id, &layer->blob.digest));
    EXPECT(digest_equal(&image->target.digest, &image->manifest.digest));
    EXPECT_OK(blob_find(l.store, &layer->blob.digest, &is_there, NULL, &err), &err);
    EXPECT(!is_there);
    EXPECT_OK(image_source_fetch(l.source, image->origin, &layer->blob, NULL, &err), &err);
    EXPECT_OK(blob_find(l.store, &layer->blob.digest, &is_there, NULL, &err), &err);
    EXPECT(is_there);
    lab_close(&l);
}

TEST("what was resolved stays so for a build, and is asked for again by the next")
{
    struct lab l;
    REQUIRE(lab_open(&l));
    serve(&l, "base", "one");
    EXPECT_STR(ask(&l, "base:1"), "one");
    serve(&l, "base", "two");
    EXPECT_STR(ask(&l, "base:1"), "one");
    close_client(&l);
    REQUIRE(open_client(&l, "store"));
    EXPECT_STR(ask(&l, "base:1"), "two");
    lab_close(&l);
}

TEST("a second look at an image that is known costs one HEAD; by digest nothing")
{
    struct lab l;
    const struct image *image = NULL;
    REQUIRE(lab_open(&l));
    serve(&l, "base", "one");
    EXPECT_STR(ask_for(&l, "base:1", "amd64", RESOLVE_DEFAULT, &image), "one");
    REQUIRE(image);
    AUTO_FREE char *pinned = xasprintf("base@%s", digest_text(&image->manifest.digest).s);
    for (int by_digest = 0; by_digest < 2; by_digest++) {
        close_client(&l);
        registry_stop(l.registry, 1000); /* all requests have been noted then */
        buf_reset(&l.requests);
        REQUIRE_OK(
            registry_start(
                &(struct registry_options){ .store = l.served, .log = note_request, .log_arg = &l },
                &l.registry, &err),
            &err);
        REQUIRE(open_client(&l, "store"));
        EXPECT_STR(ask(&l, by_digest ? pinned : "base:1"), "one");
        close_client(&l);
        REQUIRE(open_client(&l, "store"));
        EXPECT_STR(ask(&l, by_digest ? pinned : "base:1"), "one");
        registry_stop(STEAL(l.registry), 1000);
        buf_puts(&l.requests, "");
        /* The registry came back at another port, so its name was new the first time. */
        EXPECT_STR(l.requests.data, by_digest ? "" : "GET manifests|HEAD manifests|");
        REQUIRE_OK(
            registry_start(&(struct registry_options){ .store = l.served }, &l.registry, &err),
            &err);
    }
    lab_close(&l);
}

TEST("the store's own name comes first, unless the registry is to be asked; local asks nobody")
{
    struct lab l;
    REQUIRE(lab_open(&l));
    serve(&l, "base", "served");
    AUTO_FREE char *name = xasprintf("127.0.0.1:%d/base:1", registry_port(l.registry));
    EXPECT_CONTAINS(ask_for(&l, "base:1", "amd64", RESOLVE_LOCAL, NULL), "not in the store");
    EXPECT_INT(err.kind, ERR_NOT_FOUND);
    AUTO_VALUE(descriptor_clear)
    struct descriptor d = put_image(l.store, "stored", MEDIA_OCI_LAYER);
    EXPECT_OK(name_set(l.store, NAME_IMAGE, name, &d, &err), &err);
    EXPECT_STR(ask_for(&l, "base:1", "amd64", RESOLVE_LOCAL, NULL), "stored");
    EXPECT_STR(ask_for(&l, "base:1", "amd64", RESOLVE_DEFAULT, NULL), "stored");
    EXPECT_STR(ask_for(&l, "base:1", "amd64", RESOLVE_PULL, NULL), "served");
    lab_close(&l);
}

TEST("an index gives the image of the platform, or says what there is")
{
    struct lab l;
    static const char *const archs[] = { "amd64", "arm64" };
    AUTO_VALUE(index_clear) struct index index = { .annotations = STR_MAP };
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    AUTO_VALUE(descriptor_clear) struct descriptor d = { 0 };
    REQUIRE(lab_open(&l));
    for (int i = 0; i < 2; i++) {
        struct descriptor *entry = vec_push(&index.manifests);
        *entry = put_image(l.served, archs[i], MEDIA_OCI_LAYER);
        entry->platform.is_set = true;
        snprintf(entry->platform.os, sizeof entry->platform.os, "linux");
        snprintf(entry->platform.architecture, sizeof entry->platform.architecture, "%s", archs[i]);
        serve_as(&l, "multi", entry);
    }
    buf_init(&text, MIB);
    index_print(&index, &text);
    EXPECT_OK(manifest_put(l.served, buf_span(&text), MEDIA_OCI_INDEX, &d, &err), &err);
    serve_as(&l, "multi", &d);
    const struct image *image = NULL;
    EXPECT_STR(ask_for(&l, "multi:1", "arm64", RESOLVE_DEFAULT, &image), "arm64");
    EXPECT(image && !digest_equal(&image->target.digest, &image->manifest.digest));
    EXPECT_STR(ask_for(&l, "multi:1", "amd64", RESOLVE_DEFAULT, NULL), "amd64");
    EXPECT_CONTAINS(ask_for(&l, "multi:1", "s390x", RESOLVE_DEFAULT, NULL), "s390x");
    EXPECT_INT(err.kind, ERR_NOT_FOUND);
    lab_close(&l);
}

TEST("what is not there, is no image or makes no sense is told with its name")
{
    struct lab l;
    REQUIRE(lab_open(&l));
    AUTO_VALUE(descriptor_clear)
    struct descriptor odd = put_image(l.served, "odd", "application/vnd.wasm");
    serve_as(&l, "odd", &odd);
    EXPECT_CONTAINS(ask(&l, "none:1"), "resolve ");
    EXPECT_CONTAINS(err.text, "/none:1 for linux/amd64: ");
    EXPECT_INT(err.kind, ERR_NOT_FOUND);
    EXPECT_CONTAINS(ask(&l, "odd:1"), "layer 0 has the media type application/vnd.wasm");
    EXPECT_INT(err.kind, ERR_UNSUPPORTED);
    EXPECT_CONTAINS(ask(&l, "127.0.0.1:1/gone:1"), "resolve 127.0.0.1:1/gone:1");
    EXPECT_INT(err.kind, ERR_NETWORK);
    /* a failure is not remembered */
    serve(&l, "none", "now");
    EXPECT_STR(ask(&l, "none:1"), "now");
    lab_close(&l);
}

struct asker {
    struct lab *lab;
    struct reference ref;
    const struct image *image;
};

static int ask_in_task(void *arg, struct err *error)
{
    struct asker *a = arg;
    struct platform p = { .is_set = true, .os = "linux", .architecture = "amd64" };
    return image_source_get(a->lab->source, &a->ref, &p, RESOLVE_DEFAULT, NULL, &a->image, error);
}

TEST("many who ask at once get one answer, fetched once")
{
    struct lab l;
    struct asker askers[16] = { 0 };
    REQUIRE(lab_open(&l));
    serve(&l, "base", "one");
    AUTO_FREE char *name = xasprintf("127.0.0.1:%d/base:1", registry_port(l.registry));
    struct pool *pool = pool_new(8);
    struct task_group *g = task_group_new(pool, 0);
    for (int i = 0; i < 16; i++) {
        askers[i].lab = &l;
        EXPECT_OK(reference_parse(span_of(name), &askers[i].ref, &err), &err);
        task_group_add(g, ask_in_task, &askers[i]);
    }
    EXPECT_OK(task_group_wait(g, &err), &err);
    task_group_free(g);
    pool_free(pool);
    for (int i = 0; i < 16; i++) {
        EXPECT(askers[i].image && askers[i].image == askers[0].image);
        reference_clear(&askers[i].ref);
    }
    close_client(&l);
    registry_stop(STEAL(l.registry), 1000);
    buf_puts(&l.requests, "");
    EXPECT_STR(l.requests.data, "GET manifests|GET blobs|");
    lab_close(&l);
}

TAP_MAIN()
