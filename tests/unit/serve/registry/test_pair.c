/* Our client at our registry. */
#include "../../image/registry/cutter.h"
#include "image/registry/transfer.h"
#include "image/store/object.h"
#include "served.h"

static struct err err;
static struct remote *remote;
static struct reference ref;

static struct {
    pthread_mutex_t lock;
    char text[16384]; /* "METHOD STATUS SIZE\n" of each request that writes */
} writes = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void note(void *arg, const struct registry_event *e)
{
    (void)arg;
    if (strcmp(e->method, "GET") == 0 || strcmp(e->method, "HEAD") == 0)
        return;
    pthread_mutex_lock(&writes.lock);
    size_t len = strlen(writes.text);
    snprintf(writes.text + len, sizeof writes.text - len, "%s %d %" PRIu64 "\n", e->method,
             e->status, e->size);
    pthread_mutex_unlock(&writes.lock);
}

static void refer(unsigned port, const char *name)
{
    AUTO_FREE char *text = xasprintf("127.0.0.1:%u/%s", port, name);
    reference_clear(&ref);
    EXPECT_OK(reference_parse(span_of(text), &ref, &err), &err);
}

static void begin(struct registry_options o)
{
    AUTO_FREE char *auth = xasprintf("%s/auth.json", tap_dir());
    AUTO_FREE char *certs = xasprintf("%s/certs.d", tap_dir());
    struct remote_options r = { .auth_file = auth, .certs_dir = certs, .n_retries = 3 };
    writes.text[0] = '\0';
    err_clear(&err);
    o.log = note;
    serve(o);
    EXPECT_OK(remote_open(&r, &remote, &err), &err);
    refer(registry_port(served.registry), "lib/app:v1");
}

static void end(void)
{
    remote_close(remote);
    reference_clear(&ref);
    serve_end();
}

static struct store *open_store(const char *name)
{
    struct store *st = NULL;
    AUTO_FREE char *root = xasprintf("%s/%s", tap_dir(), name);
    EXPECT_OK(store_open(root, NULL, &st, &err), &err);
    return st;
}

static void add_layer(struct store *st, struct manifest *m, struct span bytes)
{
    struct digest d;
    EXPECT_OK(blob_put(st, bytes, &d, &err), &err);
    *vec_push(&m->layers) = descriptor_make(MEDIA_OCI_LAYER, &d, bytes.len);
}

/* An image with a layer of 5 MiB and one of a few bytes. */
static struct descriptor make_image(struct store *st, const char *mark)
{
    enum { SIZE = 5 << 20 };
    struct descriptor out = { 0 };
    struct digest config;
    AUTO_VALUE(manifest_clear) struct manifest m = { .annotations = STR_MAP };
    AUTO_FREE char *large = xmalloc(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        large[i] = (char)((i * 2654435761U) >> 11);
    EXPECT_OK(blob_put(st, SPAN("{\"rootfs\":{}}"), &config, &err), &err);
    m.config = descriptor_make(MEDIA_OCI_CONFIG, &config, strlen("{\"rootfs\":{}}"));
    add_layer(st, &m, span_bytes(large, SIZE));
    add_layer(st, &m, span_of(mark));
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    buf_init(&text, LIMIT_MANIFEST);
    manifest_print(&m, &text);
    EXPECT_OK(manifest_put(st, buf_span(&text), MEDIA_OCI_MANIFEST, &out, &err), &err);
    return out;
}

static int push(struct store *st, const struct descriptor *d)
{
    AUTO(pool_free) struct pool *pool = pool_new(4);
    struct push_options o = { .pool = pool };
    return image_push(remote, &ref, st, d, &o, &err);
}

static int pull(struct store *st, struct descriptor *out)
{
    AUTO(pool_free) struct pool *pool = pool_new(4);
    struct pull_options o = { .pool = pool };
    return image_pull(remote, &ref, st, &o, out, NULL, &err);
}

TEST("an image goes there and comes back the same")
{
    AUTO_VALUE(descriptor_clear) struct descriptor image = { 0 }, out = { 0 };
    begin((struct registry_options){ 0 });
    AUTO(store_close) struct store *from = open_store("from");
    AUTO(store_close) struct store *to = open_store("to");
    image = make_image(from, "small");
    EXPECT_OK(push(from, &image), &err);
    EXPECT_OK(pull(to, &out), &err);
    EXPECT(digest_equal(&out.digest, &image.digest));
    bool is_whole = false;
    EXPECT_OK(object_touch(to, digest_text(&image.digest).s, &is_whole, &err), &err);
    EXPECT(is_whole);
    end();
}

TEST("a build that pushes to the registry of its own store copies nothing")
{
    AUTO_VALUE(descriptor_clear) struct descriptor image = { 0 };
    begin((struct registry_options){ 0 });
    image = make_image(served.store, "own");
    EXPECT_OK(push(served.store, &image), &err);
    AUTO_FREE char *want = xasprintf("PUT 201 %" PRIu64 "\n", image.size);
    EXPECT_STR(writes.text, want); /* the manifest alone */
    EXPECT_OK(push(served.store, &image), &err);
    EXPECT_STR(writes.text, want); /* and that once */
    end();
}

TEST("an upload that is cut goes on where the registry stands")
{
    AUTO_VALUE(descriptor_clear) struct descriptor image = { 0 };
    begin((struct registry_options){ 0 });
    AUTO(store_close) struct store *from = open_store("from");
    image = make_image(from, "cut");
    cut_first("PUT /v2/lib/app/blobs/uploads/", 2 << 20, false);
    cutter.port = registry_port(served.registry);
    cutter.raw = raw_start(cut_serve, NULL);
    refer(cutter.raw->port, "lib/app:v1");
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    AUTO_VALUE(manifest_clear) struct manifest m = { .annotations = STR_MAP };
    buf_init(&text, LIMIT_MANIFEST);
    EXPECT_OK(blob_read(from, &image.digest, &text, &err), &err);
    EXPECT_OK(manifest_parse(buf_span(&text), NULL, &m, &err), &err);
    EXPECT_OK(remote_push_blob(remote, &ref, &m.layers.items[0], NULL, from, NULL, NULL, &err),
              &err);
    EXPECT(was_cut());
    uint64_t first = 0, rest = 0;
    int n =
        sscanf(writes.text, "POST 202 0\nPUT 400 %" SCNu64 "\nPATCH 202 %" SCNu64, &first, &rest);
    printf("# %" PRIu64 " bytes before the cut, %" PRIu64 " after\n", first, rest);
    EXPECT_INT(n, 2);
    EXPECT(first > 0);
    EXPECT_INT(first + rest, 5 << 20);
    EXPECT_OK(blob_verify(served.store, &m.layers.items[0].digest, &err), &err);
    end();
    raw_stop(cutter.raw);
}

TEST("tags over many pages, referrers, mounts and deletion")
{
    AUTO_VALUE(descriptor_clear) struct descriptor image = { 0 }, there = { 0 };
    begin((struct registry_options){ .limits = { .page = 2 } });
    image = make_image(served.store, "many");
    unsigned port = registry_port(served.registry);
    static const char *const names[] = { "lib/app:a", "lib/app:b", "lib/app:c", "lib/app:d",
                                         "lib/app:e" };
    for (int i = 0; i < 5; i++) {
        refer(port, names[i]);
        EXPECT_OK(push(served.store, &image), &err);
    }
    AUTO_VALUE(str_list_clear) struct str_list tags = { 0 };
    EXPECT_OK(remote_tags(remote, &ref, &tags, NULL, &err), &err);
    EXPECT_INT(tags.n, 5);
    EXPECT_STR(tags.items[4], "e");
    AUTO_VALUE(descriptors_clear) struct descriptors found = { 0 };
    EXPECT_OK(remote_referrers(remote, &ref, &image.digest, NULL, &found, NULL, &err), &err);
    EXPECT_INT(found.n, 0);
    AUTO_FREE char *by_digest = xasprintf("lib/app@%s", digest_text(&image.digest).s);
    refer(port, by_digest);
    EXPECT_OK(remote_delete_manifest(remote, &ref, NULL, &err), &err);
    EXPECT_ERR(remote_resolve(remote, &ref, &there, NULL, &err), &err, ERR_NOT_FOUND);
    err_clear(&err);
    end();
}

TEST("htpasswd: login with a wrong password and with the right one")
{
    AUTO_FREE char *file = xasprintf("%s/htpasswd", tap_dir());
    AUTO_FREE char *command = xasprintf("htpasswd -nbBC 4 user secret >%s 2>/dev/null", file);
    if (system(command) != 0)
        SKIP("needs htpasswd");
    AUTO_VALUE(descriptor_clear) struct descriptor image = { 0 };
    begin((struct registry_options){ .htpasswd = file });
    image = make_image(served.store, "own");
    EXPECT_ERR(push(served.store, &image), &err, ERR_DENIED);
    EXPECT_ERR(remote_login(remote, ref.registry, "user", "wrong", &err), &err, ERR_DENIED);
    err_clear(&err);
    EXPECT_OK(remote_login(remote, ref.registry, "user", "secret", &err), &err);
    EXPECT_OK(push(served.store, &image), &err);
    end();
}

TAP_MAIN()
