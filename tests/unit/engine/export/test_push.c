/* Images sent to registries: the embedded one over stores of their own, read back by skopeo. */
#include <pthread.h>

#include "fixture.h"

#include "engine/source/image_source.h"
#include "serve/registry/registry.h"

/* A registry and what it was asked for. */
struct place {
    struct store *store;
    struct registry *registry;
    char *host;           /* 127.0.0.1:PORT */
    pthread_mutex_t lock; /* guards the counts */
    int n_uploads, n_mounts, n_blob_gets, n_blob_heads, n_manifest_puts;
};

static void count(void *arg, const struct registry_event *e)
{
    struct place *p = arg;
    pthread_mutex_lock(&p->lock);
    p->n_mounts += strcmp(e->method, "POST") == 0 && e->status == 201;
    p->n_uploads += strcmp(e->method, "PUT") == 0 && strstr(e->path, "/uploads/");
    p->n_blob_gets += strcmp(e->method, "GET") == 0 && strstr(e->path, "/blobs/sha256");
    p->n_blob_heads += strcmp(e->method, "HEAD") == 0 && strstr(e->path, "/blobs/sha256");
    p->n_manifest_puts += strcmp(e->method, "PUT") == 0 && strstr(e->path, "/manifests/");
    pthread_mutex_unlock(&p->lock);
}

static bool place_open(struct place *p, const char *name)
{
    AUTO_FREE char *path = xasprintf("%s/%s", tap_dir(), name);
    *p = (struct place){ .lock = PTHREAD_MUTEX_INITIALIZER };
    err_clear(&err);
    if (store_open(path, NULL, &p->store, &err) ||
        registry_start(&(struct registry_options){ .store = p->store, .log = count, .log_arg = p },
                       &p->registry, &err)) {
        tap_fail(__FILE__, __LINE__, "open: %s", err.text);
        return false;
    }
    p->host = xasprintf("127.0.0.1:%d", registry_port(p->registry));
    return true;
}

static void place_close(struct place *p)
{
    registry_stop(p->registry, 1000);
    store_close(p->store);
    free(p->host);
}

static struct remote *client(void)
{
    struct remote *r = NULL;
    struct remote_options o = { .is_all_insecure = true, .n_retries = 1 };
    EXPECT_OK(remote_open(&o, &r, &err), &err);
    return r;
}

/* Of `image` as an output whose text has `places` in it. */
__attribute__((format(printf, 4, 5))) static int push(struct lab *l, struct export_result *r,
                                                      struct snapshot *top, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    AUTO_FREE char *text = xvasprintf(fmt, args);
    va_end(args);
    struct export_spec s;
    struct export_image image = { .snapshot = top,
                                  .config = &l->config,
                                  .n_base_history = l->n_base_history };
    err_clear(&err);
    *r = (struct export_result){ 0 };
    if (export_spec_parse(text, &s, &err))
        return -1;
    int status = export_images(&l->host, &s, &image, 1, r, &err);
    export_spec_clear(&s);
    return status;
}

TEST("an image is pushed to every name, layers once for each repository, and named in the store")
{
    LAB(l);
    struct place p;
    struct export_result r;
    REQUIRE(place_open(&p, "served"));
    l.host.remote = client();
    REQUIRE_OK(push(&l, &r, l.top, "type=registry,\"name=%s/app:1,%s/app:2,%s/other\"", p.host,
                    p.host, p.host),
               &err);
    REQUIRE(r.pinned.n == 3);
    AUTO_FREE char *pinned = xasprintf("%s/app@%s", p.host, digest_text(&r.target.digest).s);
    EXPECT_STR(r.pinned.items[0], pinned);
    EXPECT_STR(r.pinned.items[1], pinned);
    struct names names = { 0 };
    EXPECT_OK(name_list(l.host.store, NAME_IMAGE, "", NULL, 0, &names, &err), &err);
    EXPECT_INT(names.n, 3);
    names_clear(&names);
    if (has_program("skopeo")) {
        RUN("for i in app:1 app:2 other; do rm -rf copy; skopeo copy -q --src-tls-verify=false "
            "docker://%s/$i dir:copy; sha256sum <copy/manifest.json | grep -q %s; done",
            p.host, digest_hex(&r.target.digest).s);
    }
    registry_stop(STEAL(p.registry), 1000);
    EXPECT_INT(p.n_manifest_puts, 3);
    EXPECT(p.n_uploads <= 6);
    export_result_clear(&r);
    place_close(&p);
    remote_close(l.host.remote);
    lab_close(&l);
}

TEST("by digest there is no tag")
{
    LAB(l);
    struct place p;
    struct export_result r;
    AUTO_VALUE(reference_clear) struct reference ref = { 0 };
    AUTO_VALUE(descriptor_clear) struct descriptor found = { 0 };
    REQUIRE(place_open(&p, "served"));
    l.host.remote = client();
    REQUIRE_OK(push(&l, &r, l.top, "type=image,name=%s/app,push=true,push-by-digest=true", p.host),
               &err);
    AUTO_FREE char *tagged = xasprintf("%s/app:latest", p.host);
    REQUIRE_OK(reference_parse(span_of(tagged), &ref, &err), &err);
    EXPECT_ERR(remote_resolve(l.host.remote, &ref, &found, NULL, &err), &err, ERR_NOT_FOUND);
    err_clear(&err);
    reference_clear(&ref);
    REQUIRE(r.pinned.n == 1);
    REQUIRE_OK(reference_parse(span_of(r.pinned.items[0]), &ref, &err), &err);
    EXPECT_OK(remote_resolve(l.host.remote, &ref, &found, NULL, &err), &err);
    export_result_clear(&r);
    place_close(&p);
    remote_close(l.host.remote);
    lab_close(&l);
}

/* A second builder's store: it knows the base by what the registry says of it alone. */
struct builder {
    struct lab lab;
    struct image_source *images;
    struct snapshot *top; /* one layer on the base's */
    struct layer_ref base;
};

static bool builder_open(struct builder *b, const char *base)
{
    AUTO_FREE char *path = xasprintf("%s/second", tap_dir());
    AUTO_VALUE(reference_clear) struct reference ref = { 0 };
    const struct image *image = NULL;
    struct snapshot *s = NULL;
    struct platform p = { .is_set = true, .os = "linux", .architecture = "amd64" };
    *b = (struct builder){ 0 };
    struct export_host *h = &b->lab.host;
    h->pool = h->transfers = pool_new(2);
    h->remote = client();
    h->has_epoch = true;
    if (clock_init(&h->clock, "1000000000", &err) || store_open(path, NULL, &h->store, &err))
        return false;
    b->images = image_source_new(h->remote, h->store);
    if (snapshots_open(&(struct snapshots_options){ .store = h->store,
                                                    .pool = h->pool,
                                                    .ids = the_ids,
                                                    .fetch = image_source_fetch,
                                                    .fetch_arg = b->images },
                       &h->snapshots, &err) ||
        reference_parse(span_of(base), &ref, &err) ||
        image_source_get(b->images, &ref, &p, RESOLVE_DEFAULT, NULL, &image, &err) ||
        snapshot_of_layers(h->snapshots, image->layers.items, image->layers.n, image->origin, &s,
                           &err)) {
        tap_fail(__FILE__, __LINE__, "open: %s", err.text);
        return false;
    }
    image_config_copy(&b->lab.config, &image->config);
    b->lab.n_base_history = image->config.history.n;
    layer_ref_copy(&b->base, &image->layers.items[0]);
    /* A layer that was made without looking into the base, as COPY --link makes it. */
    AUTO(snapshot_unref) struct snapshot *alone = add_layer(&b->lab, NULL, "echo new >new");
    struct seal_options seal = { .compression = COMPRESSION_GZIP, .level = -1 };
    if (snapshot_stack(h->snapshots, s, NULL, alone, &seal, &b->top, &err))
        tap_fail(__FILE__, __LINE__, "stack: %s", err.text);
    snapshot_unref(s);
    return b->top != NULL;
}

static void builder_close(struct builder *b)
{
    layer_ref_clear(&b->base);
    snapshot_unref(b->top);
    image_config_clear(&b->lab.config);
    snapshots_close(b->lab.host.snapshots);
    image_source_free(b->images);
    remote_close(b->lab.host.remote);
    store_close(b->lab.host.store);
    pool_free(b->lab.host.pool);
}

static bool has_base(const struct builder *b)
{
    bool is_there = true;
    EXPECT_OK(blob_find(b->lab.host.store, &b->base.blob.digest, &is_there, NULL, &err), &err);
    return is_there;
}

TEST("a base in the same registry is mounted and never comes here; elsewhere it comes through")
{
    LAB(l);
    struct place near, far;
    struct builder b;
    struct export_result r;
    REQUIRE(place_open(&near, "near") && place_open(&far, "far"));
    l.host.remote = client();
    REQUIRE_OK(push(&l, &r, l.top, "type=registry,name=%s/base:1", near.host), &err);
    export_result_clear(&r);
    AUTO_FREE char *base = xasprintf("%s/base:1", near.host);
    REQUIRE(builder_open(&b, base));
    int uploads = near.n_uploads, fetched = near.n_blob_gets;
    REQUIRE_OK(push(&b.lab, &r, b.top, "type=registry,name=%s/app:1", near.host), &err);
    EXPECT(!has_base(&b));
    EXPECT_INT(near.n_blob_gets, fetched);
    EXPECT_INT(near.n_uploads - uploads, 2); /* config and new layer */
    struct names names = { 0 };
    EXPECT_OK(name_list(b.lab.host.store, NAME_IMAGE, "", NULL, 0, &names, &err), &err);
    EXPECT_INT(names.n, 0); /* a name would promise the layers */
    names_clear(&names);
    export_result_clear(&r);
    REQUIRE_OK(push(&b.lab, &r, b.top, "type=registry,name=%s/app:1", far.host), &err);
    EXPECT(has_base(&b));
    EXPECT_INT(far.n_blob_heads,
               4); /* two layers of the base, the new one, the config: once each */
    if (has_program("skopeo"))
        for (int i = 0; i < 2; i++)
            RUN("rm -rf copy; skopeo copy -q --src-tls-verify=false docker://%s/app:1 dir:copy",
                i ? far.host : near.host);
    export_result_clear(&r);
    builder_close(&b);
    place_close(&near);
    place_close(&far);
    remote_close(l.host.remote);
    lab_close(&l);
}

TEST("layers that are sent while the build runs are asked for once, and never again")
{
    LAB(l);
    struct place near, far;
    struct builder b;
    struct export_result r;
    struct export_spec s;
    REQUIRE(place_open(&near, "near") && place_open(&far, "far"));
    l.host.remote = client();
    REQUIRE_OK(push(&l, &r, l.top, "type=registry,name=%s/base:1", near.host), &err);
    export_result_clear(&r);
    AUTO_FREE char *base = xasprintf("%s/base:1", near.host);
    REQUIRE(builder_open(&b, base));
    AUTO_FREE char *text = xasprintf("type=registry,name=%s/app:1", far.host);
    REQUIRE_OK(export_spec_parse(text, &s, &err), &err);
    for (struct snapshot *at = b.top; at; at = snapshot_parent(at))
        EXPECT_OK(export_push_layer(&b.lab.host, &s, at, at != b.top, &err), &err);
    EXPECT_INT(far.n_blob_heads, 3);
    EXPECT_INT(far.n_uploads, 3);
    REQUIRE_OK(push(&b.lab, &r, b.top, "type=registry,name=%s/app:1", far.host), &err);
    EXPECT_INT(far.n_blob_heads, 4); /* the config */
    EXPECT_INT(far.n_uploads, 4);
    export_result_clear(&r);
    export_spec_clear(&s);
    builder_close(&b);
    place_close(&near);
    place_close(&far);
    remote_close(l.host.remote);
    lab_close(&l);
}

TEST("two outputs that want layers alike share them, others have their own")
{
    LAB(l);
    static const char *const specs[] = { "type=image,name=a", "type=image,name=b,store=false",
                                         "type=image,name=c,compression=zstd" };
    char *counts[3] = { 0 };
    for (size_t i = 0; i < 3; i++) {
        struct export_spec s;
        REQUIRE_OK(export_spec_parse(specs[i], &s, &err), &err);
        for (struct snapshot *at = l.top; at; at = snapshot_parent(at))
            EXPECT_OK(export_seal(&l.host, &s, at, &err), &err);
        counts[i] = shell("ls store/blobs/sha256 | wc -l");
        export_spec_clear(&s);
    }
    EXPECT_STR(counts[0], "2");
    EXPECT_STR(counts[1], "2");
    EXPECT_STR(counts[2], "4");
    for (size_t i = 0; i < 3; i++)
        free(counts[i]);
    lab_close(&l);
}

TEST("an image that is only kept here brings its base along")
{
    LAB(l);
    struct place p;
    struct builder b;
    struct export_result r;
    struct names names = { 0 };
    REQUIRE(place_open(&p, "served"));
    l.host.remote = client();
    REQUIRE_OK(push(&l, &r, l.top, "type=registry,name=%s/base:1", p.host), &err);
    export_result_clear(&r);
    AUTO_FREE char *base = xasprintf("%s/base:1", p.host);
    REQUIRE(builder_open(&b, base));
    REQUIRE_OK(push(&b.lab, &r, b.top, "type=image,name=app"), &err);
    EXPECT(has_base(&b));
    EXPECT_OK(name_list(b.lab.host.store, NAME_IMAGE, "", NULL, 0, &names, &err), &err);
    EXPECT_INT(names.n, 1);
    names_clear(&names);
    export_result_clear(&r);
    builder_close(&b);
    place_close(&p);
    remote_close(l.host.remote);
    lab_close(&l);
}

TEST("no name, and a registry that is not there, are told")
{
    LAB(l);
    struct export_result r;
    l.host.remote = client();
    EXPECT_ERR(push(&l, &r, l.top, "type=image,push=true"), &err, ERR_INVALID);
    EXPECT_STR(err.text, "export: push: the image has no name");
    EXPECT_CONTAINS(err.hint, "-t REGISTRY/REPOSITORY:TAG");
    export_result_clear(&r);
    EXPECT_ERR(push(&l, &r, l.top, "type=registry,name=127.0.0.1:1/app"), &err, ERR_NETWORK);
    export_result_clear(&r);
    struct names names = { 0 };
    EXPECT_OK(name_list(l.host.store, NAME_IMAGE, "", NULL, 0, &names, &err), &err);
    EXPECT_INT(names.n, 0);
    names_clear(&names);
    remote_close(l.host.remote);
    lab_close(&l);
}

int main(int argc, char **argv)
{
    return lab_main(argc, argv);
}
