/* Root file systems as folders and tars. */
#include "fixture.h"

static const char *const rich = "mkdir -p d/deep; echo x >d/f; ln d/f d/deep/h; ln -s f d/l; "
                                "mkfifo p; chmod 4711 d/f; chmod 2750 "
                                "d; touch -hd @1000.25 d/l; touch -d @1000.25 d/f p; touch -d "
                                "@2000000000 late; touch -d @1000 d";

TEST("a folder gets files, links and times; owners and devices stay behind")
{
    LAB(l);
    struct export_result r;
    l.top = add_layer(&l, l.top, rich);
    if (geteuid() == 0 && !the_ids.is_single)
        l.top = add_layer(&l, l.top, "chown 7:8 late; mknod null c 1 3 2>/dev/null || true");
    REQUIRE_OK(export_as(&l, "type=local,dest=DIR/new/out", &r), &err);
    AUTO_FREE char *got = shell("cd new/out; find . -mindepth 1 -printf '%%P %%m %%U %%l %%n\\n' | "
                                "sort; stat -c '%%n %%.Y' d d/f d/l late");
    AUTO_FREE char *me = shell("id -u");
    AUTO_FREE char *want = xasprintf(
        "app 755 %s  2\napp/data 644 %s  1\nbin 755 %s  2\nbin/ash 777 %s sh 1\nbin/sh 755 %s  1\n"
        "d 2750 %s  3\nd/deep 755 %s  2\nd/deep/h 4711 %s  2\nd/f 4711 %s  2\nd/l 777 %s f 1\n"
        "etc 755 %s  2\netc/hosts 644 %s  1\nlate 644 %s  1\n"
        "d 1000.000000000\nd/f 1000.250000000\nd/l 1000.250000000\nlate 1000000000.000000000",
        me, me, me, me, me, me, me, me, me, me, me, me, me);
    EXPECT_STR(got, want);
    export_result_clear(&r);
    lab_close(&l);
}

TEST("what is in the folder stays, what has the same name gives way, nothing is followed out of it")
{
    LAB(l);
    struct export_result r;
    RUN("mkdir -p out/etc outside; echo mine >out/etc/mine; echo old >out/etc/hosts; ln -s "
        "../outside "
        "out/bin; echo kept >outside/sh");
    EXPECT_ERR(export_as(&l, "type=local,dest=DIR/out", &r), &err, ERR_EXISTS);
    EXPECT_CONTAINS(err.text, "make the folder bin");
    export_result_clear(&r);
    RUN("rm out/bin; ln -s ../../outside/sh out/etc/hosts 2>/dev/null || { rm out/etc/hosts; ln -s "
        "../../outside/sh out/etc/hosts; }");
    REQUIRE_OK(export_as(&l, "type=local,dest=DIR/out", &r), &err);
    AUTO_FREE char *got = shell("cat out/etc/mine out/etc/hosts outside/sh");
    EXPECT_STR(got, "mine\nh\nkept");
    export_result_clear(&r);
    lab_close(&l);
}

TEST("a tar keeps everything, hard links as links, the same bytes each time")
{
    LAB(l);
    struct export_result r;
    l.top = add_layer(&l, l.top, rich);
    REQUIRE_OK(export_as(&l, "type=tar,dest=DIR/x.tar", &r), &err);
    export_result_clear(&r);
    REQUIRE_OK(export_as(&l, "type=tar,dest=DIR/y.tar", &r), &err);
    AUTO_FREE char *got =
        shell("cmp x.tar y.tar; tar --numeric-owner --full-time -tvf x.tar d late p "
              "etc | sed 's/  */ /g'");
    EXPECT_CONTAINS(got, "drwxr-s--- 0/0 0 1970-01-01 00:16:40 d/\n");
    EXPECT_CONTAINS(got, "drwxr-xr-x 0/0 0 2001-09-09 01:46:40 d/deep/\n");
    EXPECT_CONTAINS(got, "-rws--x--x 0/0 2 1970-01-01 00:16:40 d/deep/h\n");
    EXPECT_CONTAINS(got, "hrws--x--x 0/0 0 1970-01-01 00:16:40 d/f link to d/deep/h\n");
    EXPECT_CONTAINS(got, "lrwxrwxrwx 0/0 0 1970-01-01 00:16:40 d/l -> f\n");
    EXPECT_CONTAINS(got, "-rw-r--r-- 0/0 0 2001-09-09 01:46:40 late\n");
    EXPECT_CONTAINS(got, "prw-r--r-- 0/0 0 1970-01-01 00:16:40 p");
    export_result_clear(&r);
    lab_close(&l);
}

TEST("owners, devices and capabilities are in the tar")
{
    if (geteuid() != 0 || the_ids.is_single || !has_program("setcap") || !has_program("bsdtar"))
        SKIP("needs root, setcap and bsdtar");
    LAB(l);
    struct export_result r;
    l.top = add_layer(&l, l.top,
                      "cp /bin/true ping; setcap cap_net_raw+ep ping; mknod null c 1 3; touch "
                      "f; chown 7:8 f");
    REQUIRE_OK(export_as(&l, "type=tar,dest=DIR/x.tar", &r), &err);
    AUTO_FREE char *got =
        shell("mkdir t; tar --xattrs --xattrs-include='*' --numeric-owner -C t -xf "
              "x.tar; cd t; getcap ping; stat -c '%%n %%u:%%g %%t:%%T' f null");
    EXPECT_STR(got, "ping cap_net_raw=ep\nf 7:8 0:0\nnull 0:0 1:3");
    export_result_clear(&r);
    lab_close(&l);
}

TEST("scratch is an empty folder and an empty tar")
{
    LAB(l);
    struct export_result r;
    snapshot_unref(STEAL(l.top));
    REQUIRE_OK(export_as(&l, "type=local,dest=DIR/out", &r), &err);
    export_result_clear(&r);
    REQUIRE_OK(export_as(&l, "type=tar,dest=DIR/x.tar", &r), &err);
    AUTO_FREE char *got = shell("ls -A out; tar -tf x.tar; stat -c %%s x.tar");
    EXPECT_STR(got, "1024");
    export_result_clear(&r);
    lab_close(&l);
}

TEST("nothing is exported when only the cache is wanted; several platforms need an image")
{
    LAB(l);
    struct export_result r;
    struct export_spec s;
    struct export_image images[2] = { { .config = &l.config }, { .config = &l.config } };
    REQUIRE_OK(export_as(&l, "type=cacheonly", &r), &err);
    EXPECT(!digest_is_set(&r.target.digest));
    export_result_clear(&r);
    REQUIRE_OK(export_spec_parse("type=local,dest=/nowhere", &s, &err), &err);
    EXPECT_ERR(export_images(&l.host, &s, images, 2, &r, &err), &err, ERR_UNSUPPORTED);
    export_result_clear(&r);
    export_spec_clear(&s);
    lab_close(&l);
}

int main(int argc, char **argv)
{
    return lab_main(argc, argv);
}
