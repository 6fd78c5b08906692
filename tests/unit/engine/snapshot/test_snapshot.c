/* tests/unit/engine/snapshot/test_snapshot.c - layers, faults and what is kept, as root. */
#include "faults.h"
#include "kept.h"

#include "engine/snapshot/mount.h"

TEST("a driver that does not exist is refused")
{
    struct store *st = NULL;
    struct snapshots *all = NULL;
    struct pool *pool = pool_new(1);
    AUTO_FREE char *path = xasprintf("%s/store", tap_dir());
    REQUIRE_OK(store_open(path, NULL, &st, &err), &err);
    struct snapshots_options o = { .store = st, .pool = pool, .driver = "btrfs" };
    EXPECT_ERR(snapshots_open(&o, &all, &err), &err, ERR_INVALID);
    EXPECT_CONTAINS(err.text, "btrfs");
    err_clear(&err);
    o.driver = NULL;
    o.ids = test_ids;
    REQUIRE_OK(snapshots_open(&o, &all, &err), &err);
    EXPECT_STR(snapshots_driver(all), "overlay");
    snapshots_close(all);
    store_close(st);
    pool_free(pool);
}

TEST("the old way of mounting takes 300 layers with names as ours are")
{
    enum { N = 300 };
    char names[N][16];
    const char *lowers[N];
    AUTO_FD int fd = -1;
    RUN("mkdir %s/at", tap_dir());
    for (int i = 0; i < N; i++) {
        snprintf(names[i], sizeof names[i], "%06d/fs", i);
        lowers[i] = names[i];
        RUN("mkdir -p %s/%s; echo %d >%s/%s/f%d", tap_dir(), names[i], i, tap_dir(), names[i], i);
    }
    REQUIRE_OK(fs_open(AT_FDCWD, tap_dir(), O_RDONLY | O_DIRECTORY, 0, &fd, &err), &err);
    AUTO_FREE char *target = xasprintf("%s/at", tap_dir());
    struct overlay_mount m = {
        .base_fd = fd, .lowers = lowers, .n_lowers = N, .target = target, .is_old = true
    };
    REQUIRE_OK(overlay_mount(&m, &err), &err);
    AUTO_FREE char *n = shell("ls %s | wc -l", target);
    EXPECT_STR(n, "300");
    overlay_unmount(target);
    m.upper = "000001/fs";
    m.work = "at";
    m.n_lowers = 2;
    lowers[1] = "000002/fs";
    RUN("mkdir %s/w", tap_dir());
    m.work = "w";
    REQUIRE_OK(overlay_mount(&m, &err), &err);
    RUN("echo new >%s/new", target);
    overlay_unmount(target);
    AUTO_FREE char *upper = shell("cat %s/000001/fs/new", tap_dir());
    EXPECT_STR(upper, "new");
}

TEST("more layers than a page names are refused by the old way, with a remedy")
{
    enum { N = 600 };
    const char *lowers[N];
    for (int i = 0; i < N; i++)
        lowers[i] = "000000/fs";
    struct overlay_mount m = {
        .base_fd = AT_FDCWD, .lowers = lowers, .n_lowers = N, .target = "/nowhere", .is_old = true
    };
    EXPECT_ERR(overlay_mount(&m, &err), &err, ERR_LIMIT);
    EXPECT_CONTAINS(err.hint, "6.8");
    err_clear(&err);
}

int main(int argc, char **argv)
{
    struct err e = { 0 };
    if (!user_is_privileged() || mountns_enter(&e) || id_map_current(&test_ids, &e)) {
        printf("1..1\nok 1 - snapshots as root # SKIP needs root with CAP_SYS_ADMIN\n");
        return 0;
    }
    return tap_main(argc, argv);
}
