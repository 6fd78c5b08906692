/* tests/unit/engine/snapshot/faults.h - what goes wrong: rotten blobs, wrong promises, dead
 * processes, somebody else at the same time; and what is kept and found again. */
#pragma once
#include <signal.h>
#include <sys/wait.h>

#include "layers.h"

TEST("a blob that rotted is refused, forgotten, and fetched again")
{
    struct layer_ref l = make_layer("echo a >a; head -c 100000 /dev/urandom >b", NULL, "cat");
    EACH_DRIVER(driver)
    {
        struct bench b;
        REQUIRE(bench_open(&b, *driver));
        struct snapshot *s = chain(&b, &l, 1);
        struct view *v = NULL;
        REQUIRE_OK(snapshot_fetch_blob(b.all, s, &l.blob, NULL, &err), &err);
        AUTO_FREE char *path = blob_path_of(&b, &l);
        RUN("chmod u+w %s; printf X | dd of=%s bs=1 seek=50000 conv=notrunc status=none", path,
            path);
        EXPECT_ERR(view_open(b.all, s, NULL, &v, &err), &err, ERR_CORRUPT);
        EXPECT_CONTAINS(err.text, "unpack the layer sha256:");
        err_clear(&err);
        EXPECT_OK(view_open(b.all, s, NULL, &v, &err), &err);
        EXPECT_INT(b.n_fetched, 2);
        view_close(v);
        snapshot_unref(s);
        bench_close(&b);
    }
    clear_layers(&l, 1);
}

TEST("a layer that is not what its diffID says is refused, and leaves nothing")
{
    struct layer_ref l[2] = { make_layer("echo a >a", NULL, "gzip -n"),
                              make_layer("echo b >b", NULL, "gzip -n") };
    l[1].diff_id = l[0].diff_id;
    EACH_DRIVER(driver)
    {
        struct bench b;
        REQUIRE(bench_open(&b, *driver));
        struct snapshot *s = chain(&b, l, 2);
        struct view *v = NULL;
        struct work *w = NULL;
        EXPECT_ERR(view_open(b.all, s, NULL, &v, &err), &err, ERR_CORRUPT);
        EXPECT_ERR(work_open(b.all, s, NULL, &w, &err), &err, ERR_CORRUPT);
        AUTO_FREE char *left = shell("cd %s/snapshots; find . -name b", store_path(b.store));
        EXPECT_STR(left, "");
        /* The one below is fine. */
        AUTO_FREE char *below = tree_of(&b, snapshot_parent(s));
        EXPECT_CONTAINS(below, "a f 644");
        snapshot_unref(s);
        bench_close(&b);
    }
    clear_layers(l, 2);
}

TEST("a blob that nobody can fetch is not found")
{
    struct layer_ref l = make_layer("echo a >a", NULL, "gzip -n");
    EACH_DRIVER(driver)
    {
        struct bench b;
        REQUIRE(bench_open(&b, *driver));
        struct snapshot *s = NULL;
        struct view *v = NULL;
        REQUIRE_OK(snapshot_of_layers(b.all, &l, 1, NULL, &s, &err), &err);
        EXPECT_ERR(view_open(b.all, s, NULL, &v, &err), &err, ERR_NOT_FOUND);
        EXPECT_CONTAINS(err.text, "nobody said where it is");
        snapshot_unref(s);
        bench_close(&b);
    }
    clear_layers(&l, 1);
}

TEST("a canceled look leaves nothing behind, and the next one works")
{
    struct layer_ref l = make_layer("echo a >a", NULL, "gzip -n");
    EACH_DRIVER(driver)
    {
        struct bench b;
        REQUIRE(bench_open(&b, *driver));
        AUTO(cancel_free) struct cancel *cancel = cancel_new();
        cancel_fire(cancel);
        struct snapshot *s = chain(&b, &l, 1);
        struct view *v = NULL;
        EXPECT_ERR(view_open(b.all, s, cancel, &v, &err), &err, ERR_CANCELED);
        err_clear(&err);
        AUTO_FREE char *names = tree_of(&b, s);
        EXPECT_CONTAINS(names, "a f 644");
        snapshot_unref(s);
        bench_close(&b);
    }
    clear_layers(&l, 1);
}

/* ---- other processes ---- */

static int kill_pipe[2];

static void told(void *arg, const struct digest *blob, const char *what, uint64_t current,
                 uint64_t total)
{
    (void)arg, (void)blob, (void)what, (void)current, (void)total;
    if (write(kill_pipe[1], "x", 1) == 1)
        for (;;)
            pause();
}

/* Dies in the middle of unpacking. */
static void die_unpacking(const char *driver, const struct layer_ref *l)
{
    struct bench b;
    REQUIRE(pipe(kill_pipe) == 0);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        struct view *v = NULL;
        test_watch.moved = told;
        if (bench_open(&b, driver) && view_open(b.all, chain(&b, l, 1), NULL, &v, &err))
            _exit(1);
        _exit(2);
    }
    char byte;
    close(kill_pipe[1]);
    EXPECT_INT(read(kill_pipe[0], &byte, 1), 1);
    kill(child, SIGKILL);
    int status;
    waitpid(child, &status, 0);
    EXPECT(WIFSIGNALED(status));
    close(kill_pipe[0]);
}

TEST("killed while it unpacks: the next process works, and takes away what was left")
{
    struct layer_ref l =
        make_layer("echo a >a; head -c 4000000 /dev/urandom >b; echo c >c", NULL, "gzip -n");
    EACH_DRIVER(driver)
    {
        struct bench b;
        die_unpacking(*driver, &l);
        AUTO_FREE char *left =
            shell("cd %s/store-%s/snapshots; find tmp -name b", tap_dir(), *driver);
        EXPECT_CONTAINS(left, "/fs/b");
        REQUIRE(bench_open(&b, *driver));
        AUTO_FREE char *gone =
            shell("cd %s/store-%s/snapshots; find tmp -name b", tap_dir(), *driver);
        EXPECT_STR(gone, "");
        struct snapshot *s = chain(&b, &l, 1);
        AUTO_FREE char *names = tree_of(&b, s);
        EXPECT_CONTAINS(names, "c f 644");
        snapshot_unref(s);
        bench_close(&b);
    }
    clear_layers(&l, 1);
}

TEST("a folder whose process died before its record is taken away")
{
    if (first_driver)
        SKIP("needs overlay");
    struct bench b;
    REQUIRE(bench_open(&b, "overlay"));
    struct snapshot *s = step(&b, NULL, "echo a >a");
    RUN("mkdir -p %s/store-overlay/snapshots/ffffff/fs", tap_dir());
    snapshot_unref(s);
    bench_close(&b);
    REQUIRE(bench_open(&b, "overlay"));
    AUTO_FREE char *n = shell("ls %s/store-overlay/snapshots | wc -l", tap_dir());
    EXPECT_STR(n, "2"); /* tmp, and the step's */
    bench_close(&b);
}

TEST("four processes unpack the same layers at once")
{
    struct layer_ref l[2] = { make_layer("seq 100000 >a; mkdir d", NULL, "gzip -n"),
                              make_layer("mkdir d; seq 100000 >b; echo e >d/e",
                                         "tar -cf ../layer.tar b d/e", "gzip -n") };
    EACH_DRIVER(driver)
    {
        pid_t children[4];
        fflush(stdout);
        for (int i = 0; i < 4; i++) {
            children[i] = fork();
            if (children[i] == 0) {
                struct bench b;
                if (!bench_open(&b, *driver))
                    _exit(1);
                struct snapshot *s = chain(&b, l, 2);
                AUTO_FREE char *names = tree_of(&b, s);
                snapshot_unref(s);
                bench_close(&b);
                _exit(strstr(names, "a f 644") && strstr(names, "d/e f 644") ? 0 : 2);
            }
        }
        for (int i = 0; i < 4; i++) {
            int status = -1;
            waitpid(children[i], &status, 0);
            EXPECT_INT(status, 0);
        }
        AUTO_FREE char *n = shell("ls %s/store-%s/snapshots | wc -l", tap_dir(), *driver);
        EXPECT_STR(n, strcmp(*driver, "overlay") == 0 ? "3" : "1");
    }
    clear_layers(l, 2);
}

/* ---- threads ---- */

struct looker {
    struct bench *b;
    struct snapshot *s;
    size_t n_names;
};

static int look_inside(void *arg, struct err *e)
{
    struct looker *l = arg;
    AUTO(view_close) struct view *v = NULL;
    AUTO_VALUE(str_list_clear) struct str_list names = { 0 };
    if (view_open(l->b->all, l->s, NULL, &v, e) || fs_list(view_fd(v), ".", &names, e))
        return -1;
    l->n_names = names.n;
    return 0;
}

TEST("views in many threads share the work")
{
    struct layer_ref l[3] = { make_layer("seq 50000 >a", NULL, "gzip -n"),
                              make_layer("seq 50000 >b", NULL, "gzip -n"),
                              make_layer("seq 50000 >c", NULL, "gzip -n") };
    EACH_DRIVER(driver)
    {
        struct bench b;
        REQUIRE(bench_open(&b, *driver));
        struct layer_ref side[2] = { l[0], l[2] };
        struct snapshot *s[2] = { chain(&b, l, 3), chain(&b, side, 2) };
        struct looker lookers[16];
        struct pool *pool = pool_new(8);
        struct task_group *group = task_group_new(pool, 0);
        for (int i = 0; i < 16; i++) {
            lookers[i] = (struct looker){ .b = &b, .s = s[i % 2] };
            task_group_add(group, look_inside, &lookers[i]);
        }
        EXPECT_OK(task_group_wait(group, &err), &err);
        task_group_free(group);
        pool_free(pool);
        for (int i = 0; i < 16; i++)
            EXPECT_INT(lookers[i].n_names, i % 2 ? 2 : 3);
        snapshot_unref(s[0]);
        snapshot_unref(s[1]);
        bench_close(&b);
    }
    clear_layers(l, 3);
}
