/* Objects, leases and what collection takes. */
#include <signal.h>
#include <sys/wait.h>

#include "fixture.h"

static struct gc_result collect(struct store *st, uint64_t keep)
{
    struct gc_result result = { 0 };
    EXPECT_OK(store_gc(st, &(struct gc_options){ .keep = keep }, &result, &err), &err);
    return result;
}

TEST("what a name leads to stays, the rest goes, and its files too")
{
    AUTO(store_close) struct store *st = open_store(NULL);
    AUTO_VALUE(descriptor_clear) struct descriptor kept = put_image(st, "{\"k\":1}", "kept layer");
    AUTO_VALUE(descriptor_clear) struct descriptor gone = put_image(st, "{\"g\":1}", "gone layer");
    EXPECT_OK(name_set(st, NAME_IMAGE, "kept:1", &kept, &err), &err);
    age(st, 10);
    EXPECT_INT(collect(st, 0).n_objects, 3);
    EXPECT(has(st, &kept.digest));
    EXPECT(!has(st, &gone.digest));
    EXPECT_STR(
        shell("ls %s/blobs/sha256 | wc -l; ls %s/trash | wc -l", store_path(st), store_path(st)),
        "3\n0");
}

TEST("nobody else looks into the trash: what a step left there may be a program of root's")
{
    AUTO(store_close) struct store *st = open_store(NULL);
    EXPECT_STR(shell("stat -c %%a %s/trash", store_path(st)), "700");
}

TEST("a dry collection counts and takes nothing")
{
    AUTO(store_close) struct store *st = open_store(NULL);
    struct digest d = put(st, "unnamed");
    age(st, 10);
    struct gc_result result;
    EXPECT_OK(store_gc(st, &(struct gc_options){ .is_dry = true }, &result, &err), &err);
    EXPECT_INT(result.n_objects, 1);
    EXPECT_INT(result.size, 7);
    EXPECT(has(st, &d));
}

TEST("the least recently used goes first, and only as much as must")
{
    AUTO(store_close) struct store *st = open_store(NULL);
    struct digest oldest = put(st, "1234567890"), middle, newest;
    age(st, 10);
    middle = put(st, "abcdefghij");
    age(st, 10);
    newest = put(st, "ABCDEFGHIJ");
    age(st, 10);
    struct gc_result result = collect(st, 25);
    EXPECT_INT(result.n_objects, 1);
    EXPECT_INT(result.kept, 20);
    EXPECT(!has(st, &oldest));
    EXPECT(has(st, &middle));
    EXPECT(has(st, &newest));
}

TEST("what something needs goes after what needs it")
{
    AUTO(store_close) struct store *st = open_store(NULL);
    AUTO_VALUE(str_list_clear) struct str_list needs = { 0 };
    EXPECT_OK(object_put(st, "snapshot:1", 10, NULL, &err), &err);
    age(st, 100);
    str_list_push(&needs, "snapshot:1");
    EXPECT_OK(object_put(st, "record:a", 1, &needs, &err), &err);
    age(st, 10);
    EXPECT_INT(collect(st, 10).n_objects, 1); /* the record, though the snapshot is older */
    bool is_there = false;
    EXPECT_OK(object_touch(st, "snapshot:1", &is_there, &err), &err);
    EXPECT(is_there);
}

TEST("an object whose need is gone is gone as well")
{
    AUTO(store_close) struct store *st = open_store(NULL);
    AUTO_VALUE(str_list_clear) struct str_list needs = { 0 };
    str_list_push(&needs, "snapshot:missing");
    EXPECT_OK(object_put(st, "record:a", 1, &needs, &err), &err);
    bool is_there = true;
    EXPECT_OK(object_touch(st, "record:a", &is_there, &err), &err);
    EXPECT(!is_there);
    uint64_t n = 1, size;
    EXPECT_OK(store_usage(st, "record:", &n, &size, &err), &err);
    EXPECT_INT(n, 0);
}

TEST("removing an object takes along what needs it and hides it by its kind")
{
    AUTO(store_close) struct store *st = open_store(NULL);
    AUTO_VALUE(str_list_clear) struct str_list needs = { 0 };
    EXPECT_OK(object_put(st, "snapshot:1", 10, NULL, &err), &err);
    str_list_push(&needs, "snapshot:1");
    EXPECT_OK(object_put(st, "record:a", 1, &needs, &err), &err);
    EXPECT_OK(object_remove(st, "snapshot:1", &err), &err);
    uint64_t n = 1, size;
    EXPECT_OK(store_usage(st, "", &n, &size, &err), &err);
    EXPECT_INT(n, 0);
}

TEST("what was used since a living lease began is not taken, by other processes either")
{
    AUTO(store_close) struct store *st = open_store(NULL);
    struct digest before = put(st, "before");
    age(st, 10);
    AUTO(lease_close) struct lease *lease = NULL;
    REQUIRE_OK(lease_open(st, 5, &lease, &err), &err);
    struct digest during = put(st, "during");
    EXPECT_INT(collect(st, 0).n_objects, 1);
    EXPECT(!has(st, &before));
    EXPECT(has(st, &during));
    lease_close(STEAL(lease));
    age(st, 10);
    EXPECT_INT(collect(st, 0).n_objects, 1);
    EXPECT(!has(st, &during));
}

/* Somebody takes a lease and uses what the next round would take. */
static struct lease *late_lease;
static int use_other(void *arg, struct store *st, const char *id, struct err *e)
{
    bool is_there = false;
    (void)id;
    EXPECT_OK(lease_open(st, 0, &late_lease, e), e);
    EXPECT_OK(object_touch(st, arg, &is_there, e), e);
    EXPECT(is_there);
    return 0;
}

TEST("a lease that begins while a collection is at work protects what it uses from then on")
{
    static char used[] = "plain:used";
    AUTO(store_close) struct store *st = open_store(NULL);
    AUTO_VALUE(str_list_clear) struct str_list needs = { 0 };
    object_kind_add(st, &(struct object_kind){ .prefix = "user:", .hide = use_other, .arg = used });
    EXPECT_OK(object_put(st, used, 1, NULL, &err), &err);
    str_list_push(&needs, used);
    EXPECT_OK(object_put(st, "user:1", 1, &needs, &err), &err);
    age(st, 10);
    EXPECT_INT(collect(st, 0).n_objects, 1);
    bool is_there = false;
    EXPECT_OK(object_touch(st, used, &is_there, &err), &err);
    EXPECT(is_there);
    lease_close(STEAL(late_lease));
}

TEST("the lease of a killed process protects nothing")
{
    AUTO(store_close) struct store *st = open_store(NULL);
    int ready[2];
    REQUIRE(pipe(ready) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct lease *lease = NULL;
        if (lease_open(st, 1000, &lease, &err) || write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    char c;
    EXPECT(read(ready[0], &c, 1) == 1);
    put(st, "content");
    age(st, 10);
    EXPECT_INT(collect(st, 0).n_objects, 0);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    EXPECT_INT(collect(st, 0).n_objects, 1);
    close(ready[0]);
    close(ready[1]);
}

TEST("under a ceiling old content makes room for new, and what does not fit is refused")
{
    AUTO(store_close) struct store *st = open_store(&(struct store_options){ .ceiling = 25 });
    struct digest old = put(st, "1234567890");
    age(st, 10);
    put(st, "abcdefghij");
    age(st, 10);
    put(st, "ABCDEFGHIJ");
    EXPECT(!has(st, &old));
    struct digest d;
    EXPECT_ERR(blob_put(st, SPAN("more than twenty-five bytes of it"), &d, &err), &err, ERR_LIMIT);
    EXPECT_CONTAINS(err.hint, "raise the ceiling");
}

TEST("content of unknown length fits up to the last byte under the ceiling")
{
    AUTO(store_close) struct store *st = open_store(&(struct store_options){ .ceiling = 10 });
    AUTO(ingest_close) struct ingest *in = NULL;
    REQUIRE_OK(ingest_open(st, NULL, UINT64_MAX, &in, &err), &err);
    EXPECT_OK(ingest_write(in, SPAN("1234567890"), &err), &err);
    EXPECT_ERR(ingest_write(in, SPAN("x"), &err), &err, ERR_LIMIT);
}

TEST("what was used within the given time stays")
{
    AUTO(store_close) struct store *st = open_store(NULL);
    put(st, "recent");
    age(st, 50);
    struct gc_result result;
    EXPECT_OK(store_gc(st, &(struct gc_options){ .unused_for_s = 100 }, &result, &err), &err);
    EXPECT_INT(result.n_objects, 0);
    EXPECT_OK(store_gc(st, &(struct gc_options){ .unused_for_s = 40 }, &result, &err), &err);
    EXPECT_INT(result.n_objects, 1);
}

TAP_MAIN()
