/* tests/unit/engine/snapshot/kept.h - steps are kept, found again, sealed, and collected. */
#pragma once
#include "layers.h"

TEST("a step is found again by another process, with its chain")
{
    struct layer_ref l = make_layer("mkdir a; echo one >a/one; echo two >a/two", NULL, "gzip -n");
    EACH_DRIVER(driver)
    {
        struct bench b;
        REQUIRE(bench_open(&b, *driver));
        struct snapshot *base = chain(&b, &l, 1);
        struct snapshot *s =
            step(&b, base, "echo more >>a/one; rm a/two; mkdir -p n/m; ln a/one n/m/h");
        REQUIRE(s);
        AUTO_FREE char *names = sealed_names(&b, s);
        EXPECT_STR(names, "a/\na/one\na/.wh.two\nn/\nn/m/\nn/m/h");
        AUTO_FREE char *before = tree_of(&b, s);
        AUTO_FREE char *id = xstrdup(snapshot_id(s));
        EXPECT_CONTAINS(id, "snapshot:");
        EXPECT(snapshot_origin(s) == NULL);
        snapshot_unref(s);
        snapshot_unref(base);
        bench_close(&b);
        REQUIRE(bench_open(&b, *driver));
        REQUIRE_OK(snapshot_find(b.all, id, &s, &err), &err);
        REQUIRE(s);
        EXPECT_INT(snapshot_depth(s), 2);
        EXPECT_STR(snapshot_origin(snapshot_parent(s)), "example.org/base");
        AUTO_FREE char *after = tree_of(&b, s);
        EXPECT_STR(after, before);
        AUTO_FREE char *again = sealed_names(&b, s);
        EXPECT_STR(again, names);
        snapshot_unref(s);
        bench_close(&b);
    }
    clear_layers(&l, 1);
}

TEST("an id that is not there is not found, one that is none is refused")
{
    EACH_DRIVER(driver)
    {
        struct bench b;
        REQUIRE(bench_open(&b, *driver));
        struct snapshot *s = NULL;
        EXPECT_OK(snapshot_find(b.all, "snapshot:step-00", &s, &err), &err);
        EXPECT(s == NULL);
        EXPECT_ERR(snapshot_find(b.all, "sha256:00", &s, &err), &err, ERR_INVALID);
        err_clear(&err);
        bench_close(&b);
    }
}

TEST("a step of one driver is not found by the other")
{
    if (first_driver)
        SKIP("needs overlay");
    struct bench b;
    REQUIRE(bench_open(&b, "overlay"));
    struct snapshot *s = step(&b, NULL, "echo a >a"), *found = NULL;
    AUTO_FREE char *id = xstrdup(snapshot_id(s));
    snapshot_unref(s);
    bench_close(&b);
    RUN("mv %s/store-overlay %s/store-directory", tap_dir(), tap_dir());
    REQUIRE(bench_open(&b, "directory"));
    EXPECT_OK(snapshot_find(b.all, id, &found, &err), &err);
    EXPECT(found == NULL);
    bench_close(&b);
}

TEST("changes that are not committed vanish")
{
    struct layer_ref l = make_layer("echo a >a", NULL, "gzip -n");
    EACH_DRIVER(driver)
    {
        struct bench b;
        REQUIRE(bench_open(&b, *driver));
        struct snapshot *base = chain(&b, &l, 1);
        struct work *w = NULL;
        REQUIRE_OK(work_open(b.all, base, NULL, &w, &err), &err);
        RUN("cd %s; rm a; echo b >b", work_path(w));
        work_close(w);
        AUTO_FREE char *names = seen(*driver, &l, 1, "ls");
        EXPECT_STR(names, "a");
        AUTO_FREE char *here = tree_of(&b, base);
        EXPECT_CONTAINS(here, "a f 644");
        snapshot_unref(base);
        bench_close(&b);
    }
    clear_layers(&l, 1);
}

TEST("who looks at a snapshot sees nothing of the works on top of it")
{
    struct layer_ref l[2] = { make_layer("echo a >a", NULL, "gzip -n"),
                              make_layer("echo b >b", NULL, "gzip -n") };
    EACH_DRIVER(driver)
    {
        struct bench b;
        REQUIRE(bench_open(&b, *driver));
        struct snapshot *base = chain(&b, l, 2), *s[2] = { 0 };
        struct view *before = NULL, *after = NULL;
        struct work *w[2] = { 0 };
        REQUIRE_OK(view_open(b.all, base, NULL, &before, &err), &err);
        for (int i = 0; i < 2; i++) {
            REQUIRE_OK(work_open(b.all, base, NULL, &w[i], &err), &err);
            RUN("cd %s; rm a; echo %d >b; echo %d >c%d", work_path(w[i]), i, i, i);
        }
        REQUIRE_OK(view_open(b.all, base, NULL, &after, &err), &err);
        for (int i = 0; i < 2; i++)
            EXPECT_OK(work_commit(w[i], NULL, &s[i], &err), &err);
        AUTO_FREE char *seen_before = shell("cd %s; ls; cat b", view_path(before));
        AUTO_FREE char *seen_after = shell("cd %s; ls; cat b", view_path(after));
        EXPECT_STR(seen_before, "a\nb\nb");
        EXPECT_STR(seen_after, "a\nb\nb");
        for (int i = 0; i < 2; i++) {
            AUTO_FREE char *names = sealed_names(&b, s[i]);
            EXPECT_STR(names, i ? ".wh.a\nb\nc1" : ".wh.a\nb\nc0");
            work_close(w[i]);
            snapshot_unref(s[i]);
        }
        view_close(before);
        view_close(after);
        snapshot_unref(base);
        bench_close(&b);
    }
    clear_layers(l, 2);
}

TEST("the directory driver keeps no folder of what nobody holds")
{
    struct layer_ref l[2] = { make_layer("echo a >a", NULL, "gzip -n"),
                              make_layer("echo b >b", NULL, "gzip -n") };
    struct bench b;
    REQUIRE(bench_open(&b, "directory"));
    for (int i = 0; i < 2; i++) {
        struct snapshot *base = chain(&b, &l[i], 1), *s = step(&b, base, "echo n >n");
        AUTO_FREE char *text = tree_of(&b, s);
        EXPECT_CONTAINS(text, "n f 644");
        snapshot_unref(base);
        snapshot_unref(s);
        AUTO_FREE char *roots =
            shell("ls %s/snapshots/tmp/*/ | grep -c root-", store_path(b.store));
        EXPECT_STR(roots, "1");
    }
    clear_layers(l, 2);
    bench_close(&b);
}

/* ---- sealing ---- */

static bool takes_pulled; /* layers from elsewhere are this build's, out of a cache */

static struct layer_ref seal_with(struct bench *b, struct snapshot *s, struct seal_options o)
{
    struct layer_ref l = { 0 };
    o.keeps_pulled = !takes_pulled;
    EXPECT_OK(snapshot_seal(b->all, s, &o, &l, &err), &err);
    return l;
}

TEST("an empty step is an empty tar")
{
    EACH_DRIVER(driver)
    {
        struct bench b;
        REQUIRE(bench_open(&b, *driver));
        struct snapshot *s = step(&b, NULL, ":");
        struct layer_ref l = seal(&b, s, COMPRESSION_NONE);
        EXPECT_INT(l.blob.size, 1024);
        EXPECT_STR(digest_text(&l.diff_id).s,
                   "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef");
        EXPECT_STR(l.blob.media_type, MEDIA_OCI_LAYER);
        layer_ref_clear(&l);
        snapshot_unref(s);
        bench_close(&b);
    }
}

TEST("one layer for each set of options, remembered, with the same bytes from both drivers")
{
    struct layer_ref base = make_layer("mkdir d; echo a >d/a; echo b >d/b", NULL, "gzip -n");
    static const struct seal_options options[] = {
        { .compression = COMPRESSION_GZIP, .level = -1 },
        { .compression = COMPRESSION_GZIP, .level = 9 },
        { .compression = COMPRESSION_ZSTD, .level = -1 },
        { .compression = COMPRESSION_NONE, .level = -1 },
        { .compression = COMPRESSION_GZIP, .level = -1, .has_epoch = true, .epoch_s = 1000000000 },
        { .compression = COMPRESSION_NONE, .level = -1, .has_epoch = true, .epoch_s = 1650000000 },
        { .compression = COMPRESSION_ESTARGZ, .level = -1 },
        { .compression = COMPRESSION_ESTARGZ,
          .level = 1,
          .has_epoch = true,
          .epoch_s = 1000000000 },
    };
    enum { N = sizeof options / sizeof *options };
    struct digest_text of_overlay[N];
    EACH_DRIVER(driver)
    {
        struct bench b;
        REQUIRE(bench_open(&b, *driver));
        struct snapshot *below = chain(&b, &base, 1);
        struct snapshot *s = step(&b, below,
                                  "seq 10000 >s; touch -d @1600000000 s; rm d/a; "
                                  "echo n >d/n; touch -d @1700000000 d/n; mkdir e; "
                                  "touch -d @1700000000.7 e d");
        for (int i = 0; i < N; i++) {
            struct layer_ref l = seal_with(&b, s, options[i]), again = seal_with(&b, s, options[i]);
            EXPECT(digest_equal(&l.blob.digest, &again.blob.digest));
            AUTO_FREE char *path = blob_path_of(&b, &l);
            static const char *const unpack[] = { "cat", "gzip -dc", "zstd -dcq", "gzip -dc" };
            bool is_estargz = options[i].compression == COMPRESSION_ESTARGZ;
            EXPECT_INT(l.blob.annotations.n, is_estargz ? 2 : 0);
            EXPECT_INT(again.blob.annotations.n, is_estargz ? 2 : 0);
            AUTO_FREE char *diff_id =
                shell("%s <%s | sha256sum | cut -c-64", unpack[options[i].compression], path);
            EXPECT_STR(diff_id, digest_hex(&l.diff_id).s);
            if (driver == drivers + first_driver)
                of_overlay[i] = digest_text(&l.blob.digest);
            else
                EXPECT_STR(digest_text(&l.blob.digest).s, of_overlay[i].s);
            layer_ref_clear(&l);
            layer_ref_clear(&again);
        }
        snapshot_unref(s);
        snapshot_unref(below);
        bench_close(&b);
    }
    layer_ref_clear(&base);
}

TEST("a layer of an image is handed out as it is, unless it is forced")
{
    struct layer_ref l = make_layer("echo a >a; touch -d @1700000000 a", NULL, "gzip -n");
    EACH_DRIVER(driver)
    {
        struct bench b;
        REQUIRE(bench_open(&b, *driver));
        struct snapshot *s = chain(&b, &l, 1);
        struct layer_ref as_it_is = seal(&b, s, COMPRESSION_ZSTD);
        EXPECT(digest_equal(&as_it_is.blob.digest, &l.blob.digest));
        EXPECT_INT(b.n_fetched, 0);
        struct layer_ref same =
            seal_with(&b, s,
                      (struct seal_options){
                          .compression = COMPRESSION_GZIP, .level = -1, .is_forced = true });
        EXPECT(digest_equal(&same.blob.digest, &l.blob.digest));
        EXPECT_INT(b.n_fetched, 0);
        struct layer_ref anew =
            seal_with(&b, s,
                      (struct seal_options){
                          .compression = COMPRESSION_ZSTD, .level = -1, .is_forced = true });
        EXPECT(digest_equal(&anew.diff_id, &l.diff_id));
        EXPECT_STR(anew.blob.media_type, MEDIA_OCI_LAYER_ZSTD);
        /* SOURCE_DATE_EPOCH is of what is built, not of what it is built on */
        struct layer_ref old = seal_with(&b, s,
                                         (struct seal_options){ .compression = COMPRESSION_NONE,
                                                                .has_epoch = true,
                                                                .epoch_s = 1000000000,
                                                                .is_forced = true });
        EXPECT(digest_equal(&old.diff_id, &l.diff_id));
        EXPECT(digest_equal(&old.blob.digest, &l.diff_id));
        struct layer_ref indexed =
            seal_with(&b, s,
                      (struct seal_options){
                          .compression = COMPRESSION_ESTARGZ, .level = -1, .is_forced = true });
        EXPECT_STR(indexed.blob.media_type, MEDIA_OCI_LAYER_GZIP);
        AUTO_FREE char *path = blob_path_of(&b, &indexed);
        AUTO_FREE char *names =
            shell("tar --full-time -tzvf %s | tr -s ' ' | cut -d' ' -f4-", path);
        EXPECT_CONTAINS(names, "1970-01-01 00:00:00 .no.prefetch.landmark\n");
        EXPECT_CONTAINS(names, "2023-11-14 22:13:20 a\n1970-01-01 00:00:00 stargz.index.json");
        layer_ref_clear(&indexed);
        layer_ref_clear(&as_it_is);
        layer_ref_clear(&same);
        layer_ref_clear(&anew);
        layer_ref_clear(&old);
        snapshot_unref(s);
        bench_close(&b);
    }
    layer_ref_clear(&l);
}

TEST("a layer from a cache is sealed as the step's own would be")
{
    static const struct seal_options options[] = {
        { .compression = COMPRESSION_GZIP, .level = -1, .has_epoch = true, .epoch_s = 1000000000 },
        { .compression = COMPRESSION_ZSTD, .level = -1 },
        { .compression = COMPRESSION_ESTARGZ, .level = -1 },
        { .compression = COMPRESSION_GZIP, .level = -1 },
    };
    EACH_DRIVER(driver)
    {
        struct bench b;
        REQUIRE(bench_open(&b, *driver));
        struct snapshot *own = step(
            &b, NULL, "mkdir d; echo n >d/n; touch -d @1700000000 d/n d; touch -d @900000000 o");
        struct layer_ref cached = seal_with(
            &b, own, (struct seal_options){ .compression = COMPRESSION_GZIP, .level = -1 });
        struct snapshot *s = chain(&b, &cached, 1);
        takes_pulled = true;
        for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
            struct layer_ref want = seal_with(&b, own, options[i]);
            struct layer_ref got = seal_with(&b, s, options[i]);
            EXPECT_STR(digest_text(&got.blob.digest).s, digest_text(&want.blob.digest).s);
            layer_ref_clear(&want);
            layer_ref_clear(&got);
        }
        takes_pulled = false;
        layer_ref_clear(&cached);
        snapshot_unref(s);
        snapshot_unref(own);
        bench_close(&b);
    }
}

TEST("an estargz of an image stays what it is, and says so again")
{
    EACH_DRIVER(driver)
    {
        struct layer_ref l = make_layer("echo a >a", NULL, "gzip -n");
        struct bench b;
        REQUIRE(bench_open(&b, *driver));
        map_set_str(&l.blob.annotations, "containerd.io/snapshot/stargz/toc.digest",
                    digest_text(&l.diff_id).s);
        map_set_str(&l.blob.annotations, "other", "not kept");
        snapshot_unref(chain(&b, &l, 1));
        bench_close(&b); /* what is known now is what the database says */
        REQUIRE(bench_open(&b, *driver));
        struct snapshot *s = chain(&b, &l, 1);
        struct layer_ref same =
            seal_with(&b, s,
                      (struct seal_options){
                          .compression = COMPRESSION_ESTARGZ, .level = -1, .is_forced = true });
        EXPECT(digest_equal(&same.blob.digest, &l.blob.digest));
        EXPECT_INT(b.n_fetched, 0);
        EXPECT_INT(same.blob.annotations.n, 1);
        struct layer_ref plain =
            seal_with(&b, s,
                      (struct seal_options){
                          .compression = COMPRESSION_GZIP, .level = -1, .is_forced = true });
        EXPECT(!digest_equal(&plain.blob.digest, &l.blob.digest));
        EXPECT(digest_equal(&plain.diff_id, &l.diff_id));
        layer_ref_clear(&same);
        layer_ref_clear(&plain);
        layer_ref_clear(&l);
        snapshot_unref(s);
        bench_close(&b);
    }
}

TEST("a step's layer in another chain is sealed as asked, as the step's own would be")
{
    struct layer_ref base = make_layer("mkdir d; echo a >d/a", NULL, "gzip -n");
    static const struct seal_options options[] = {
        { .compression = COMPRESSION_GZIP, .level = -1, .has_epoch = true, .epoch_s = 1000000000 },
        { .compression = COMPRESSION_GZIP, .level = 9 },
        { .compression = COMPRESSION_ZSTD, .level = -1 },
        { .compression = COMPRESSION_ESTARGZ, .level = -1 },
        { .compression = COMPRESSION_GZIP, .level = -1 },
    };
    EACH_DRIVER(driver)
    {
        struct bench b;
        REQUIRE(bench_open(&b, *driver));
        struct snapshot *below = chain(&b, &base, 1), *stacked = NULL;
        struct snapshot *alone = step(&b, NULL, "mkdir d; echo n >d/n; touch -d @1700000000 d/n d");
        struct seal_options inside = { .compression = COMPRESSION_GZIP, .level = -1 };
        REQUIRE_OK(snapshot_stack(b.all, below, NULL, alone, &inside, &stacked, &err), &err);
        for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
            struct layer_ref l = seal_with(&b, stacked, options[i]);
            struct layer_ref own = seal_with(&b, alone, options[i]);
            EXPECT_STR(digest_text(&l.blob.digest).s, digest_text(&own.blob.digest).s);
            EXPECT(digest_equal(&l.diff_id, &own.diff_id));
            layer_ref_clear(&l);
            layer_ref_clear(&own);
        }
        snapshot_unref(stacked);
        snapshot_unref(alone);
        snapshot_unref(below);
        bench_close(&b);
    }
    layer_ref_clear(&base);
}

struct sealer {
    struct bench *b;
    struct snapshot *s;
    struct digest digest;
};

static int seal_task(void *arg, struct err *e)
{
    struct sealer *t = arg;
    struct layer_ref l = { 0 };
    if (snapshot_seal(t->b->all, t->s,
                      &(struct seal_options){ .compression = COMPRESSION_GZIP, .level = -1 }, &l,
                      e))
        return -1;
    t->digest = l.blob.digest;
    layer_ref_clear(&l);
    return 0;
}

TEST("eight threads seal one step, once")
{
    EACH_DRIVER(driver)
    {
        struct bench b;
        REQUIRE(bench_open(&b, *driver));
        struct snapshot *s = step(&b, NULL, "seq 100000 >a");
        struct sealer t[8];
        struct task_group *group = task_group_new(b.pool, 0);
        for (int i = 0; i < 8; i++) {
            t[i] = (struct sealer){ .b = &b, .s = s };
            task_group_add(group, seal_task, &t[i]);
        }
        EXPECT_OK(task_group_wait(group, &err), &err);
        task_group_free(group);
        for (int i = 1; i < 8; i++)
            EXPECT(digest_equal(&t[i].digest, &t[0].digest));
        AUTO_FREE char *n = shell("ls %s/blobs/sha256 | wc -l", store_path(b.store));
        EXPECT_STR(n, driver == drivers ? "1" : "2"); /* and the tar that directory keeps */
        snapshot_unref(s);
        bench_close(&b);
    }
}

/* ---- collection ---- */

TEST("what nobody uses is collected, folders and all; what is in use stays")
{
    struct layer_ref l = make_layer("echo a >a", NULL, "gzip -n");
    EACH_DRIVER(driver)
    {
        struct bench b;
        struct gc_result result;
        struct lease *lease = NULL;
        REQUIRE(bench_open(&b, *driver));
        REQUIRE_OK(lease_open(b.store, 0, &lease, &err), &err);
        struct snapshot *base = chain(&b, &l, 1), *s = step(&b, base, "echo b >b"), *gone = NULL;
        AUTO_FREE char *id = xstrdup(snapshot_id(s));
        snapshot_unref(s);
        snapshot_unref(base);
        EXPECT_OK(store_gc(b.store, &(struct gc_options){ 0 }, &result, &err), &err);
        REQUIRE_OK(snapshot_find(b.all, id, &s, &err), &err);
        EXPECT(s != NULL);
        snapshot_unref(s);
        lease_close(lease);
        age(&b);
        EXPECT_OK(store_gc(b.store, &(struct gc_options){ 0 }, &result, &err), &err);
        EXPECT(result.n_objects >= 2);
        EXPECT_OK(snapshot_find(b.all, id, &gone, &err), &err);
        EXPECT(gone == NULL);
        AUTO_FREE char *left =
            shell("ls %s/snapshots; ls %s/trash %s/blobs/sha256 | grep -v : | grep . || :",
                  store_path(b.store), store_path(b.store), store_path(b.store));
        EXPECT_STR(left, "tmp");
        /* And the image works again, from its origin. */
        base = chain(&b, &l, 1);
        AUTO_FREE char *again = tree_of(&b, base);
        EXPECT_CONTAINS(again, "a f 644");
        snapshot_unref(base);
        bench_close(&b);
    }
    clear_layers(&l, 1);
}
