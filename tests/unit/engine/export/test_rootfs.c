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
    l.host.has_epoch = false;
    REQUIRE_OK(export_as(&l, "type=local,dest=DIR/new/out", &r), &err);
    AUTO_FREE char *got = shell("cd new/out; find . -mindepth 1 -printf '%%P %%m %%U %%l %%n\\n' | "
                                "sort; stat -c '%%n %%.Y' d d/f d/l late");
    AUTO_FREE char *me = shell("id -u");
    AUTO_FREE char *want = xasprintf(
        "app 755 %s  2\napp/data 644 %s  1\nbin 755 %s  2\nbin/ash 777 %s sh 1\nbin/sh 755 %s  1\n"
        "d 2750 %s  3\nd/deep 755 %s  2\nd/deep/h 4711 %s  2\nd/f 4711 %s  2\nd/l 777 %s f 1\n"
        "etc 755 %s  2\netc/hosts 644 %s  1\nlate 644 %s  1\n"
        "d 1000.000000000\nd/f 1000.250000000\nd/l 1000.250000000\nlate 2000000000.000000000",
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
    l.host.has_epoch = false;
    REQUIRE_OK(export_as(&l, "type=tar,dest=DIR/x.tar", &r), &err);
    export_result_clear(&r);
    REQUIRE_OK(export_as(&l, "type=tar,dest=DIR/y.tar", &r), &err);
    AUTO_FREE char *got =
        shell("cmp x.tar y.tar; tar --numeric-owner --full-time -tvf x.tar d late p "
              "etc | sed 's/  */ /g'");
    EXPECT_CONTAINS(got, "drwxr-s--- 0/0 0 1970-01-01 00:16:40 d/\n");
    EXPECT_CONTAINS(got, "d/deep/\n");
    EXPECT_CONTAINS(got, "-rws--x--x 0/0 2 1970-01-01 00:16:40 d/deep/h\n");
    EXPECT_CONTAINS(got, "hrws--x--x 0/0 0 1970-01-01 00:16:40 d/f link to d/deep/h\n");
    EXPECT_CONTAINS(got, "lrwxrwxrwx 0/0 0 1970-01-01 00:16:40 d/l -> f\n");
    EXPECT_CONTAINS(got, "-rw-r--r-- 0/0 0 2033-05-18 03:33:20 late\n");
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

TEST("with SOURCE_DATE_EPOCH all times are it, and an output may have one of its own")
{
    LAB(l);
    struct export_result r;
    l.top = add_layer(&l, l.top, rich);
    REQUIRE_OK(export_as(&l, "type=tar,dest=DIR/x.tar", &r), &err);
    export_result_clear(&r);
    REQUIRE_OK(export_as(&l, "type=local,dest=DIR/out", &r), &err);
    export_result_clear(&r);
    REQUIRE_OK(export_as(&l, "type=local,dest=DIR/own,source-date-epoch=86400", &r), &err);
    export_result_clear(&r);
    AUTO_FREE char *got = shell("tar --full-time -tvf x.tar | awk '{print $4,$5}' | sort -u; for i "
                                "in out own; do find $i -mindepth 1 -printf '%%T@\n' | sort -u; "
                                "done");
    EXPECT_STR(got, "2001-09-09 01:46:40\n1000000000.0000000000\n86400.0000000000");
    lab_close(&l);
}

/* Two platforms of which the second has a file more. */
struct two_images {
    struct image_config config; /* of linux/arm64 */
    struct snapshot *top;
    struct export_image images[2];
};

static void pair_open(struct two_images *p, struct lab *l, const char *script)
{
    *p = (struct two_images){ 0 };
    image_config_copy(&p->config, &l->config);
    p->config.platform =
        (struct platform){ .is_set = true, .os = "linux", .architecture = "arm64" };
    p->top = add_layer(l, NULL, script);
    p->images[0] = (struct export_image){ .snapshot = l->top, .config = &l->config };
    p->images[1] = (struct export_image){ .snapshot = p->top, .config = &p->config };
}

static int pair_export(struct two_images *p, struct lab *l, const char *rest)
{
    struct export_spec s;
    struct export_result r = { 0 };
    AUTO_FREE char *text = xasprintf("%s,dest=%s/both", rest, tap_dir());
    err_clear(&err);
    if (export_spec_parse(text, &s, &err))
        return -1;
    int status = export_images(&l->host, &s, p->images, 2, &r, &err);
    export_result_clear(&r);
    export_spec_clear(&s);
    return status;
}

static void pair_close(struct two_images *p)
{
    snapshot_unref(p->top);
    image_config_clear(&p->config);
}

TEST("several platforms get a folder each, in folders and tars")
{
    LAB(l);
    struct two_images p;
    pair_open(&p, &l, "mkdir bin; echo arm >bin/sh; ln bin/sh bin/hard");
    REQUIRE_OK(pair_export(&p, &l, "type=local"), &err);
    AUTO_FREE char *folders =
        shell("cd both; ls; cat linux_amd64/bin/sh linux_arm64/bin/sh; find "
              "linux_arm64 -printf '%%p %%m %%n %%T@\n' | sort; rm -r ../both");
    EXPECT_STR(folders, "linux_amd64\nlinux_arm64\nbase\narm\n"
                        "linux_arm64 755 3 1000000000.0000000000\n"
                        "linux_arm64/bin 755 2 1000000000.0000000000\n"
                        "linux_arm64/bin/hard 644 2 1000000000.0000000000\n"
                        "linux_arm64/bin/sh 644 2 1000000000.0000000000");
    REQUIRE_OK(pair_export(&p, &l, "type=tar"), &err);
    AUTO_FREE char *tar =
        shell("tar -tvf both | sed 's/  */ /g' | grep arm64; tar -xOf both linux_amd64/bin/sh");
    EXPECT_STR(tar, "drwxr-xr-x 0/0 0 2001-09-09 01:46 linux_arm64/\n"
                    "drwxr-xr-x 0/0 0 2001-09-09 01:46 linux_arm64/bin/\n"
                    "-rw-r--r-- 0/0 4 2001-09-09 01:46 linux_arm64/bin/hard\n"
                    "hrw-r--r-- 0/0 0 2001-09-09 01:46 linux_arm64/bin/sh link to "
                    "linux_arm64/bin/hard\nbase");
    pair_close(&p);
    lab_close(&l);
}

TEST("without a split platforms share the place, but no file")
{
    LAB(l);
    struct two_images p;
    pair_open(&p, &l, "mkdir bin; echo arm >bin/sh-arm");
    REQUIRE_OK(pair_export(&p, &l, "type=local,platform-split=false"), &err);
    AUTO_FREE char *both = shell("cd both; cat bin/sh bin/sh-arm; rm -r ../both");
    EXPECT_STR(both, "base\narm");
    REQUIRE_OK(pair_export(&p, &l, "type=tar,platform-split=false"), &err);
    AUTO_FREE char *tar = shell("tar -tf both | grep bin; rm both");
    EXPECT_STR(tar, "bin/\nbin/ash\nbin/sh\nbin/sh-arm");
    pair_close(&p);
    pair_open(&p, &l, "mkdir bin; echo arm >bin/sh");
    EXPECT_ERR(pair_export(&p, &l, "type=local,platform-split=false"), &err, ERR_INVALID);
    EXPECT_CONTAINS(err.text, "cannot overwrite bin/sh from linux/amd64 with linux/arm64 when "
                              "platform-split is false");
    pair_close(&p);
    lab_close(&l);
}

TEST("one platform's symlink leads no file of another out of the folder")
{
    LAB(l);
    struct two_images p;
    RUN("mkdir outside");
    l.top = add_layer(&l, l.top, "ln -s ../outside way");
    pair_open(&p, &l, "mkdir way; echo out >way/file");
    EXPECT_ERR(pair_export(&p, &l, "type=local,platform-split=false"), &err, ERR_INVALID);
    EXPECT_CONTAINS(err.text, "cannot overwrite way from linux/amd64 with linux/arm64");
    AUTO_FREE char *got = shell("ls -A outside");
    EXPECT_STR(got, "");
    pair_close(&p);
    lab_close(&l);
}

TEST("one platform gets a folder when that is asked for")
{
    LAB(l);
    struct export_result r;
    REQUIRE_OK(export_as(&l, "type=local,dest=DIR/out,platform-split=true", &r), &err);
    export_result_clear(&r);
    AUTO_FREE char *got = shell("ls out; cat out/linux_amd64/bin/sh");
    EXPECT_STR(got, "linux_amd64\nbase");
    lab_close(&l);
}

TEST("mode=delete leaves nothing else in the folder, mode=copy does")
{
    LAB(l);
    struct export_result r;
    RUN("mkdir -p out/etc/old out/app/data outside; echo x >out/etc/stale; echo x >out/other; ln "
        "-s "
        "../outside out/link; echo kept >outside/file; ln -s ../../outside out/etc/away; echo file "
        ">out/bin");
    EXPECT(export_as(&l, "type=local,dest=DIR/out,mode=copy", &r) <
           0); /* a folder in a file's way */
    export_result_clear(&r);
    REQUIRE_OK(export_as(&l, "type=local,dest=DIR/out,mode=delete", &r), &err);
    export_result_clear(&r);
    AUTO_FREE char *got = shell("cat outside/file; cd out; find . | sort");
    EXPECT_STR(got, "kept\n.\n./app\n./app/data\n./bin\n./bin/ash\n./bin/sh\n./etc\n./etc/hosts");
    RUN("echo mine >out/mine");
    REQUIRE_OK(export_as(&l, "type=local,dest=DIR/out", &r), &err);
    export_result_clear(&r);
    AUTO_FREE char *kept = shell("cat out/mine");
    EXPECT_STR(kept, "mine");
    lab_close(&l);
}

TEST("mode=delete takes neither the root nor the folder that kiln runs in")
{
    LAB(l);
    struct export_result r;
    EXPECT_ERR(export_as(&l, "type=local,dest=/,mode=delete", &r), &err, ERR_INVALID);
    EXPECT_CONTAINS(err.text, "mode=delete: / holds the folder that kiln runs in");
    export_result_clear(&r);
    EXPECT_ERR(export_as(&l, "type=local,dest=.,mode=delete", &r), &err, ERR_INVALID);
    EXPECT_CONTAINS(err.hint, "give a folder of its own");
    export_result_clear(&r);
    lab_close(&l);
}

TEST("nothing is exported when only the cache is wanted")
{
    LAB(l);
    struct export_result r;
    REQUIRE_OK(export_as(&l, "type=cacheonly", &r), &err);
    EXPECT(!digest_is_set(&r.target.digest));
    export_result_clear(&r);
    lab_close(&l);
}

int main(int argc, char **argv)
{
    return lab_main(argc, argv);
}
