/* tests/unit/engine/snapshot/test_plain.c - a user without any privilege or namespace, as in a Pod
 * under Pod Security "restricted": the directory driver. */
#include "as_user.h"
#include "faults.h"
#include "kept.h"

TEST("where nothing may be mounted, overlay says so and directory is chosen")
{
    struct bench b;
    struct snapshots *all = NULL;
    REQUIRE(bench_open(&b, NULL));
    EXPECT_STR(snapshots_driver(b.all), "directory");
    struct snapshots_options o = {
        .store = b.store, .pool = b.pool, .ids = test_ids, .driver = "overlay"
    };
    EXPECT_ERR(snapshots_open(&o, &all, &err), &err, ERR_UNSUPPORTED);
    EXPECT_CONTAINS(err.text, "snapshots with the driver overlay: mount");
    err_clear(&err);
    bench_close(&b);
}

TEST("owners and devices that this user cannot make are seen and packed all the same")
{
    struct bench b;
    struct layer_ref l = make_layer("echo a >a; mkdir d; echo b >d/b",
                                    "tar --owner=33 --group=44 -cf ../layer.tar a d", "cat");
    REQUIRE(bench_open(&b, "directory"));
    struct snapshot *base = chain(&b, &l, 1);
    struct snapshot *s = step(&b, base, "echo more >>a; mv d e");
    struct layer_ref sealed = seal(&b, s, COMPRESSION_NONE);
    AUTO_FREE char *path = blob_path_of(&b, &sealed);
    AUTO_FREE char *text =
        shell("tar --numeric-owner -tvf %s | tr -s ' ' | cut -d' ' -f1,2,6", path);
    EXPECT_STR(text, "-rw-r--r-- 33/44 a\n---------- 0/0 .wh.d\ndrwxr-xr-x 33/44 e/\n"
                     "-rw-r--r-- 33/44 e/b");
    layer_ref_clear(&sealed);
    layer_ref_clear(&l);
    snapshot_unref(s);
    snapshot_unref(base);
    bench_close(&b);
}

int main(int argc, char **argv)
{
    become_user("", argv);
    if (geteuid() == 0 || user_is_privileged())
        skip_all("needs a user without privilege");
    if (id_map_current(&test_ids, &err))
        skip_all(err.text);
    first_driver = 1;
    return tap_main(argc, argv);
}
