/* tests/unit/engine/snapshot/layers.h - layers of images become trees, with both drivers. */
#pragma once
#include "fixture.h"

static void clear_layers(struct layer_ref *l, size_t n)
{
    for (size_t i = 0; i < n; i++)
        layer_ref_clear(&l[i]);
}

/* What the layers look like with a driver, as the command sees them in the tree. */
static char *seen(const char *driver, const struct layer_ref *l, size_t n, const char *command)
{
    struct bench b;
    if (!bench_open(&b, driver))
        return xstrdup("");
    struct snapshot *s = chain(&b, l, n);
    struct view *v = NULL;
    char *text = NULL;
    if (view_open(b.all, s, NULL, &v, &err))
        tap_fail(__FILE__, __LINE__, "view_open: %s", err.text);
    else
        text = shell("cd %s; %s", view_path(v), command);
    view_close(v);
    snapshot_unref(s);
    bench_close(&b);
    return text ? text : xstrdup("");
}

TEST("layers are fetched when somebody looks, whiteouts and opaque folders hide what is below")
{
    struct layer_ref l[3] = {
        make_layer("mkdir a b; echo one >a/one; echo two >a/two; echo x >b/x; chmod 750 b", NULL,
                   "gzip -n"),
        make_layer("mkdir a b; echo ONE >a/one; touch a/.wh.two; touch b/.wh..wh..opq; echo y >b/y",
                   NULL, "zstd -q"),
        make_layer("mkdir c; ln -s ../a/one c/link", NULL, "cat"),
    };
    EACH_DRIVER(driver)
    {
        struct bench b;
        REQUIRE(bench_open(&b, *driver));
        struct snapshot *s = chain(&b, l, 3);
        struct view *v = NULL;
        EXPECT_INT(snapshot_depth(s), 3);
        EXPECT_STR(snapshot_origin(s), "example.org/base");
        EXPECT_INT(b.n_fetched, 0);
        REQUIRE_OK(view_open(b.all, s, NULL, &v, &err), &err);
        EXPECT_INT(b.n_fetched, 3);
        AUTO_FREE char *names = shell(
            "cd %s; find . -mindepth 1 | sort; cat a/one c/link; stat -c %%a b", view_path(v));
        EXPECT_STR(names, "./a\n./a/one\n./b\n./b/y\n./c\n./c/link\nONE\nONE\n755");
        view_close(v);
        snapshot_unref(s);
        bench_close(&b);
    }
    clear_layers(l, 3);
}

TEST("what a manifest writes of a layer beside its type, digest and size is not kept")
{
    enum { N = 3 << 20 };
    struct layer_ref l = make_layer("echo a >a", NULL, "cat");
    AUTO_FREE char *text = xcalloc(1, N + 1);
    memset(text, '<', N); /* six bytes each in JSON */
    map_set_str(&l.blob.annotations, "k", text);
    EACH_DRIVER(driver)
    {
        AUTO_FREE char *names = seen(*driver, &l, 1, "find . -mindepth 1 | sort");
        EXPECT_STR(names, "./a");
    }
    clear_layers(&l, 1);
}

TEST("a whiteout in the lowest layer hides nothing and is not seen")
{
    struct layer_ref l =
        make_layer("echo a >a; touch .wh.b; mkdir d; touch d/.wh..wh..opq d/f", NULL, "gzip -n");
    EACH_DRIVER(driver)
    {
        AUTO_FREE char *names = seen(*driver, &l, 1, "find . -mindepth 1 | sort");
        EXPECT_STR(names, "./a\n./d\n./d/f");
    }
    clear_layers(&l, 1);
}

TEST("folders that a layer has no entry for are as the layers below have them")
{
    struct layer_ref l[2] = {
        make_layer(
            "mkdir -p a/b c; chmod 700 a; chmod 2711 a/b; touch -d @1500000000 a/b a; chmod 750 .",
            NULL, "gzip -n"),
        make_layer("mkdir -p a/b/n c; echo f >a/b/n/f; echo g >c/g",
                   "tar -cf ../layer.tar a/b/n/f c/g", "gzip -n"),
    };
    EACH_DRIVER(driver)
    {
        AUTO_FREE char *modes = seen(*driver, l, 2, "stat -c '%n %a' . a a/b a/b/n a/b/n/f c/g");
        EXPECT_STR(modes, ". 750\na 700\na/b 2711\na/b/n 2755\na/b/n/f 644\nc/g 644");
    }
    clear_layers(l, 2);
}

TEST("entries below a symlink of a layer below go where it leads")
{
    struct layer_ref l[2] = {
        make_layer("mkdir -p usr/bin var/real/deep; ln -s usr/bin bin; ln -s /var/real lib; "
                   "echo old >usr/bin/old; chmod 711 usr/bin var/real/deep",
                   NULL, "gzip -n"),
        make_layer("mkdir -p bin lib/deep usr/bin; echo new >bin/new; echo o >lib/deep/o; "
                   "echo other >usr/bin/other; touch bin/.wh.old",
                   "tar -cf ../layer.tar bin/new bin/.wh.old lib/deep/o usr/bin/other", "gzip -n"),
    };
    EACH_DRIVER(driver)
    {
        AUTO_FREE char *names = seen(
            *driver, l, 2,
            "find . -mindepth 1 -printf '%P %y %l\\n' | sort; stat -c %a usr/bin var/real/deep");
        EXPECT_STR(names, "bin l usr/bin\nlib l /var/real\nusr d \nusr/bin d \nusr/bin/new f \n"
                          "usr/bin/other f \nvar d \nvar/real d \nvar/real/deep d \n"
                          "var/real/deep/o f \n711\n711");
    }
    clear_layers(l, 2);
}

TEST("a hard link to a file of a layer below")
{
    struct layer_ref l[3] = {
        make_layer("mkdir a; echo one >a/one; echo two >a/two", NULL, "gzip -n"),
        make_layer(
            "mkdir a; echo one >a/one; ln a/one a/link; echo three >a/three; touch a/.wh.two",
            "tar -cf ../all.tar a/one a/link a/three a/.wh.two; "
            "tar --delete -f ../all.tar a/one; mv ../all.tar ../layer.tar",
            "gzip -n"),
        make_layer("echo top >top", NULL, "gzip -n"),
    };
    EACH_DRIVER(driver)
    {
        AUTO_FREE char *names = seen(*driver, l, 3, "find . -type f | sort | xargs tail -n +1");
        EXPECT_STR(names,
                   "==> ./a/link <==\none\n\n==> ./a/one <==\none\n\n==> ./a/three <==\nthree\n\n"
                   "==> ./top <==\ntop");
    }
    clear_layers(l, 3);
}

TEST("a folder over a file and a file over a folder, across layers")
{
    struct layer_ref l[2] = {
        make_layer("echo f >one; mkdir two; echo i >two/i; ln -s one three", NULL, "gzip -n"),
        make_layer("mkdir one; echo i >one/i; echo f >two; mkdir three", NULL, "gzip -n"),
    };
    EACH_DRIVER(driver)
    {
        AUTO_FREE char *names = seen(*driver, l, 2, "find . -mindepth 1 -printf '%P %y\\n' | sort");
        EXPECT_STR(names, "one d\none/i f\nthree d\ntwo f");
    }
    clear_layers(l, 2);
}

TEST("chains share what they have in common")
{
    struct layer_ref l[3] = { make_layer("echo a >a", NULL, "gzip -n"),
                              make_layer("echo b >b", NULL, "gzip -n"),
                              make_layer("echo c >c", NULL, "gzip -n") };
    EACH_DRIVER(driver)
    {
        struct bench b;
        REQUIRE(bench_open(&b, *driver));
        struct snapshot *two = chain(&b, l, 2), *again = chain(&b, l, 2);
        EXPECT(two == again);
        struct layer_ref other[2] = { l[0], l[2] };
        struct snapshot *side = chain(&b, other, 2);
        EXPECT(snapshot_parent(side) == snapshot_parent(two));
        EXPECT(strcmp(snapshot_id(side), snapshot_id(two)) != 0);
        AUTO_FREE char *t1 = tree_of(&b, two);
        AUTO_FREE char *t2 = tree_of(&b, side);
        EXPECT_INT(b.n_fetched, 3);
        snapshot_unref(two);
        snapshot_unref(again);
        snapshot_unref(side);
        bench_close(&b);
    }
    clear_layers(l, 3);
}

TEST("no layers, and scratch: an empty folder")
{
    EACH_DRIVER(driver)
    {
        struct bench b;
        REQUIRE(bench_open(&b, *driver));
        struct snapshot *s = NULL;
        EXPECT_OK(snapshot_of_layers(b.all, NULL, 0, NULL, &s, &err), &err);
        EXPECT(s == NULL);
        struct view *v = NULL;
        REQUIRE_OK(view_open(b.all, NULL, NULL, &v, &err), &err);
        AUTO_FREE char *names = shell("ls -A %s; stat -c %%a %s", view_path(v), view_path(v));
        EXPECT_STR(names, "755");
        view_close(v);
        s = step(&b, NULL, "echo first >first");
        AUTO_FREE char *first = sealed_names(&b, s);
        EXPECT_STR(first, "first");
        snapshot_unref(s);
        bench_close(&b);
    }
}

TEST("130 layers, the last of them steps")
{
    enum { N = 120, STEPS = 10 };
    struct layer_ref l[N];
    for (int i = 0; i < N; i++) {
        AUTO_FREE char *script = xasprintf("mkdir d; echo %d >d/%d; echo %d >top", i, i, i);
        l[i] = make_layer(script, NULL, "cat");
    }
    EACH_DRIVER(driver)
    {
        struct bench b;
        REQUIRE(bench_open(&b, *driver));
        struct snapshot *s = chain(&b, l, N);
        for (int i = 0; i < STEPS && s; i++) {
            struct snapshot *next = step(&b, s, "date +%N >>d/0");
            snapshot_unref(s);
            s = next;
        }
        REQUIRE(s);
        EXPECT_INT(snapshot_depth(s), N + STEPS);
        struct view *v = NULL;
        REQUIRE_OK(view_open(b.all, s, NULL, &v, &err), &err);
        AUTO_FREE char *text = shell("cd %s; cat top; ls d | wc -l; wc -l <d/0", view_path(v));
        EXPECT_STR(text, "119\n120\n11");
        view_close(v);
        snapshot_unref(s);
        bench_close(&b);
    }
    clear_layers(l, N);
}
