/* tests/unit/engine/snapshot/test_overlay.c - the overlay driver as root. */
#include "fixture.h"

TEST("layers of an image are fetched when somebody looks, and seen as one tree")
{
    struct bench b;
    REQUIRE(bench_open(&b, "overlay"));
    struct layer_ref l[3] = {
        make_layer("mkdir a b; echo one >a/one; echo two >a/two; echo x >b/x; chmod 750 b", NULL,
                   "gzip -n"),
        make_layer("mkdir a b; echo ONE >a/one; touch a/.wh.two; touch b/.wh..wh..opq; echo y >b/y",
                   NULL, "zstd -q"),
        make_layer("mkdir c; ln -s ../a/one c/link", NULL, "cat"),
    };
    AUTO(snapshot_unref) struct snapshot *s = chain(&b, l, 3);
    REQUIRE(s);
    EXPECT_INT(snapshot_depth(s), 3);
    EXPECT_INT(b.n_fetched, 0);
    AUTO(view_close) struct view *v = NULL;
    REQUIRE_OK(view_open(b.all, s, NULL, &v, &err), &err);
    EXPECT_INT(b.n_fetched, 3);
    AUTO_FREE char *names =
        shell("cd %s; find . -mindepth 1 | sort; cat a/one c/link", view_path(v));
    EXPECT_STR(names, "./a\n./a/one\n./b\n./b/y\n./c\n./c/link\nONE\nONE");
    view_close(STEAL(v));
    for (int i = 0; i < 3; i++)
        layer_ref_clear(&l[i]);
    snapshot_unref(STEAL(s));
    bench_close(&b);
}

TEST("a step's changes are its layer, found again by another process")
{
    struct bench b;
    REQUIRE(bench_open(&b, "overlay"));
    struct layer_ref l = make_layer(
        "mkdir a; echo one >a/one; echo two >a/two; echo 3 >a/three; mkdir gone; echo 1 >gone/f",
        NULL, "gzip -n");
    struct snapshot *base = chain(&b, &l, 1);
    struct snapshot *s = step(&b, base,
                              "echo more >>a/one; rm a/two; touch a/three -r a/three; rm -r gone; "
                              "mkdir gone; echo new >gone/new; mkdir -p n/m; ln a/one n/m/hard");
    REQUIRE(s);
    AUTO_FREE char *names = sealed_names(&b, s);
    EXPECT_STR(names, "a/one\na/.wh.two\ngone/.wh.f\ngone/new\nn/\nn/m/\nn/m/hard");
    AUTO_FREE char *before = tree_of(&b, s);
    AUTO_FREE char *id = xstrdup(snapshot_id(s));
    snapshot_unref(s);
    snapshot_unref(base);
    bench_close(&b);
    REQUIRE(bench_open(&b, "overlay"));
    REQUIRE_OK(snapshot_find(b.all, id, &s, &err), &err);
    REQUIRE(s);
    EXPECT_INT(snapshot_depth(s), 2);
    AUTO_FREE char *after = tree_of(&b, s);
    EXPECT_STR(after, before);
    snapshot_unref(s);
    layer_ref_clear(&l);
    bench_close(&b);
}

int main(int argc, char **argv)
{
    struct err e = { 0 };
    if (!user_is_privileged() || mountns_enter(&e) || id_map_current(&test_ids, &e)) {
        printf("1..1\nok 1 - overlay as root # SKIP needs root with CAP_SYS_ADMIN\n");
        return 0;
    }
    return tap_main(argc, argv);
}
