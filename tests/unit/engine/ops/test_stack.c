/* Images as roots, and merges and differences of layers: nothing is unpacked before somebody looks
 * inside. */
#include "lab.h"

#include "image/oci/manifest.h"
#include "image/oci/media_type.h"
#include "image/store/blob.h"
#include "image/store/name.h"

static bool is_ready;

/* A lab whose store has the image NAME of two layers (files a, then b). */
struct image_lab {
    struct lab lab;
    struct remote *remote;
    struct image_source *images;
};
#define NAME "example.org/base:1"

static struct snapshot *one_file(struct lab *l, struct snapshot *parent, const char *name)
{
    AUTO(work_close) struct work *w = NULL;
    struct snapshot *out = NULL;
    if (work_open(l->all, parent, NULL, &w, &err))
        tap_fail(__FILE__, __LINE__, "work_open: %s", err.text);
    else {
        RUN("echo %s >%s/%s", name, work_path(w), name);
        EXPECT_OK(work_commit(w, NULL, &out, &err), &err);
    }
    snapshot_unref(parent);
    return out;
}

static void store_image(struct lab *l)
{
    struct snapshot *a = one_file(l, NULL, "a");
    AUTO(snapshot_unref) struct snapshot *top = one_file(l, snapshot_ref(a), "b");
    struct snapshot *const chain[] = { a, top };
    AUTO_VALUE(manifest_clear) struct manifest m = { .annotations = STR_MAP };
    AUTO_VALUE(image_config_clear) struct image_config c = { 0 };
    AUTO_VALUE(descriptor_clear) struct descriptor d = { 0 };
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    struct platform p = platform_host();
    struct digest digest = { 0 };
    image_config_init(&c, &p);
    for (int i = 0; i < 2; i++) {
        AUTO_VALUE(layer_ref_clear) struct layer_ref layer = { 0 };
        struct seal_options o = { .compression = COMPRESSION_GZIP, .level = -1 };
        EXPECT_OK(snapshot_seal(l->all, chain[i], &o, &layer, &err), &err);
        descriptor_copy(vec_push(&m.layers), &layer.blob);
        *vec_push(&c.diff_ids) = layer.diff_id;
    }
    snapshot_unref(a);
    buf_init(&text, MIB);
    image_config_print(&c, &text);
    EXPECT_OK(blob_put(l->store, buf_span(&text), &digest, &err), &err);
    m.config = descriptor_make(MEDIA_OCI_CONFIG, &digest, text.len);
    buf_reset(&text);
    manifest_print(&m, &text);
    EXPECT_OK(manifest_put(l->store, buf_span(&text), MEDIA_OCI_MANIFEST, &d, &err), &err);
    EXPECT_OK(name_set(l->store, NAME_IMAGE, NAME, &d, &err), &err);
}

static bool image_lab_open(struct image_lab *l)
{
    struct remote_options o = { .n_retries = 1 };
    *l = (struct image_lab){ 0 };
    err_clear(&err);
    if (!lab_open(&l->lab, (struct ops_options){ 0 }) || remote_open(&o, &l->remote, &err))
        return false;
    store_image(&l->lab);
    l->images = image_source_new(l->remote, l->lab.store);
    ops_free(l->lab.ops);
    l->lab.ops = ops_new(&(struct ops_options){
        .store = l->lab.store,
        .snapshots = l->lab.all,
        .images = l->images,
        .pool = l->lab.pool,
        .ids = the_ids,
        .contexts = l->lab.contexts,
        .n_contexts = 2,
        .seal = { .compression = COMPRESSION_GZIP, .level = -1 },
    });
    return true;
}

static void image_lab_close(struct image_lab *l)
{
    lab_close(&l->lab);
    image_source_free(l->images);
    remote_close(l->remote);
}
#define LAB(l)                                                                                     \
    struct image_lab l;                                                                            \
    if (!is_ready)                                                                                 \
        SKIP("needs namespaces");                                                                  \
    if (!image_lab_open(&l))                                                                       \
    return

static struct edge add_image(struct graph_builder *b, const char *identifier, const char *mode)
{
    struct platform p = platform_host();
    struct pair attr = { ATTR_IMAGE_RESOLVE_MODE, mode };
    struct op_source op = { .identifier = identifier, .attrs = { &attr, mode != NULL } };
    struct vertex_about about = { .platform = &p };
    struct edge e = { 0 };
    EXPECT_OK(graph_add_source(b, &op, &about, &e, &err), &err);
    return e;
}

/* Makes the file `name` in `base`. */
static struct edge add_file(struct graph_builder *b, struct edge base, const char *path)
{
    struct op_action a = {
        .type = ACTION_MKFILE, .path = path, .mode = 0644, .timestamp_ns = TIMESTAMP_NONE
    };
    return add_actions(b, base, &a, 1);
}

TEST("an image is a chain of its layers")
{
    LAB(l);
    AUTO(graph_builder_free) struct graph_builder *b = graph_builder_new();
    AUTO(snapshot_unref) struct snapshot *s = NULL;
    struct edge image = add_image(b, "docker-image://" NAME, NULL);
    REQUIRE_OK(lab_solve(&l.lab, b, add_file(b, image, "/c"), &s), &err);
    EXPECT_INT(snapshot_depth(s), 3);
    EXPECT_STR(snapshot_origin(snapshot_parent(s)), "example.org/base");
    AUTO_FREE char *got = inside(&l.lab, s, NAMES);
    EXPECT_STR(got, "a b c ");
    snapshot_unref(STEAL(s));
    image_lab_close(&l);
}

TEST("what stands on an image counts by what the image is, not by what it is called")
{
    LAB(l);
    for (int i = 0; i < 2; i++) {
        AUTO(graph_builder_free) struct graph_builder *b = graph_builder_new();
        AUTO(snapshot_unref) struct snapshot *s = NULL;
        AUTO_VALUE(descriptor_clear) struct descriptor d = { 0 };
        bool is_there = false;
        EXPECT_OK(name_find(l.lab.store, NAME_IMAGE, NAME, &d, &is_there, &err), &err);
        AUTO_FREE char *pinned =
            xasprintf("docker-image://other.example/name@%s", digest_text(&d.digest).s);
        struct edge image = add_image(b, i ? pinned : "docker-image://" NAME, NULL);
        REQUIRE_OK(lab_solve(&l.lab, b, add_file(b, image, "/c"), &s), &err);
        EXPECT_INT(l.lab.n_run, i ? 0 : 2);
    }
    image_lab_close(&l);
}

TEST("sources that are not there, or of kinds not known, are told")
{
    static const struct {
        const char *identifier, *mode, *want;
    } rows[] = {
        { "docker-image://example.org/none:1", "local", "not in the store" },
        { "docker-image://UPPER", NULL, "UPPER" },
        { "git://example.org/x.git", NULL, "no repositories are fetched here" },
        { "https://example.org/x", NULL, "nothing is fetched from the web here" },
        { "oci-layout://there@sha256:00", NULL, "OCI layout \"there\": nobody gave one" },
        { "file:///etc/passwd", NULL, "file:///etc/passwd: sources of this kind" },
        { "ftp://example.org/x", NULL, "ftp://example.org/x: sources of this kind" },
    };
    LAB(l);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO(graph_builder_free) struct graph_builder *b = graph_builder_new();
        AUTO(snapshot_unref) struct snapshot *s = NULL;
        struct edge e = add_image(b, rows[i].identifier, rows[i].mode);
        EXPECT(lab_solve(&l.lab, b, add_file(b, e, "/c"), &s) != 0);
        EXPECT_CONTAINS(err.text, rows[i].want);
    }
    image_lab_close(&l);
}

TEST("a merge has the layers of all, later ones on top; a difference those above")
{
    LAB(l);
    for (int round = 0; round < 2; round++) {
        AUTO(graph_builder_free) struct graph_builder *b = graph_builder_new();
        AUTO(snapshot_unref) struct snapshot *s = NULL;
        struct edge image = add_image(b, "docker-image://" NAME, NULL), merged = { 0 };
        struct edge inputs[] = { image, add_file(b, (struct edge){ 0 }, "/x"),
                                 add_file(b, (struct edge){ 0 }, "/a") };
        REQUIRE_OK(graph_add_merge(b, inputs, 3, NULL, &merged, &err), &err);
        REQUIRE_OK(lab_solve(&l.lab, b, merged, &s), &err);
        EXPECT_INT(snapshot_depth(s), 4);
        EXPECT_INT(l.lab.n_run, round ? 0 : 4);
        AUTO_FREE char *got = inside(&l.lab, s, NAMES "; cat a");
        EXPECT_STR(got, "a b x ");
    }
    AUTO(graph_builder_free) struct graph_builder *b = graph_builder_new();
    AUTO(snapshot_unref) struct snapshot *s = NULL;
    struct edge image = add_image(b, "docker-image://" NAME, NULL), difference = { 0 };
    struct edge upper = add_file(b, add_file(b, image, "/x"), "/y");
    REQUIRE_OK(graph_add_diff(b, image, upper, NULL, &difference, &err), &err);
    REQUIRE_OK(lab_solve(&l.lab, b, difference, &s), &err);
    EXPECT_INT(snapshot_depth(s), 2);
    AUTO_FREE char *got = inside(&l.lab, s, NAMES);
    EXPECT_STR(got, "x y ");
    snapshot_unref(STEAL(s));
    AUTO(graph_builder_free) struct graph_builder *b2 = graph_builder_new();
    image = add_image(b2, "docker-image://" NAME, NULL);
    upper = add_file(b2, (struct edge){ 0 }, "/z");
    REQUIRE_OK(graph_add_diff(b2, image, upper, NULL, &difference, &err), &err);
    EXPECT_ERR(lab_solve(&l.lab, b2, difference, &s), &err, ERR_UNSUPPORTED);
    EXPECT_CONTAINS(err.text, "one is not made from the other");
    image_lab_close(&l);
}

int main(int argc, char **argv)
{
    is_ready = lab_enter();
    return tap_main(argc, argv);
}
