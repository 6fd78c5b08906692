/* Blobs: in, out, verified, and never half there. */
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "fixture.h"

TEST("a blob comes back as it went in, under the digest that sha256sum gives")
{
    AUTO(store_close) struct store *st = open_store(NULL);
    struct digest d = put(st, "hello\n");
    EXPECT_STR(digest_text(&d).s,
               "sha256:5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
    AUTO_VALUE(buf_clear) struct buf b = { 0 };
    buf_init(&b, 100);
    EXPECT_OK(blob_read(st, &d, &b, &err), &err);
    EXPECT_STR(b.data, "hello\n");
    EXPECT_STR(shell("cd %s/blobs/sha256 && sha256sum *", store_path(st)),
               "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03  "
               "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
}

TEST("a blob that is not what was promised never appears")
{
    AUTO(store_close) struct store *st = open_store(NULL);
    struct digest want = digest_of(SPAN("right"));
    AUTO(ingest_close) struct ingest *in = NULL;
    REQUIRE_OK(ingest_open(st, &want, 5, &in, &err), &err);
    REQUIRE_OK(ingest_write(in, SPAN("wrong"), &err), &err);
    EXPECT_ERR(ingest_commit(in, NULL, &err), &err, ERR_CORRUPT);
    EXPECT_CONTAINS(err.text, "arrived as sha256:");
    EXPECT(!has(st, &want));
    EXPECT_STR(shell("ls %s/blobs/sha256", store_path(st)), "");
}

TEST("more bytes than promised are refused as they come")
{
    AUTO(store_close) struct store *st = open_store(NULL);
    struct digest want = digest_of(SPAN("right"));
    AUTO(ingest_close) struct ingest *in = NULL;
    REQUIRE_OK(ingest_open(st, &want, 5, &in, &err), &err);
    EXPECT_ERR(ingest_write(in, SPAN("rightandmore"), &err), &err, ERR_CORRUPT);
    EXPECT_CONTAINS(err.text, "longer than the 5 bytes promised");
}

TEST("fewer bytes than promised are refused at the end")
{
    AUTO(store_close) struct store *st = open_store(NULL);
    AUTO(ingest_close) struct ingest *in = NULL;
    REQUIRE_OK(ingest_open(st, NULL, 9, &in, &err), &err);
    REQUIRE_OK(ingest_write(in, SPAN("short"), &err), &err);
    EXPECT_ERR(ingest_commit(in, NULL, &err), &err, ERR_CORRUPT);
    EXPECT_CONTAINS(err.text, "ended after 5 of the 9 bytes");
}

TEST("an ingest can start again")
{
    AUTO(store_close) struct store *st = open_store(NULL);
    struct digest want = digest_of(SPAN("right"));
    AUTO(ingest_close) struct ingest *in = NULL;
    REQUIRE_OK(ingest_open(st, &want, 5, &in, &err), &err);
    REQUIRE_OK(ingest_write(in, SPAN("wro"), &err), &err);
    REQUIRE_OK(ingest_restart(in, &err), &err);
    REQUIRE_OK(ingest_write(in, SPAN("right"), &err), &err);
    EXPECT_OK(ingest_commit(in, NULL, &err), &err);
    EXPECT(has(st, &want));
}

TEST("the same content twice is one blob, and sha512 has its own folder")
{
    AUTO(store_close) struct store *st = open_store(NULL);
    put(st, "same");
    put(st, "same");
    struct digest want;
    const char *sha512 = shell("printf same | sha512sum | cut -d' ' -f1");
    AUTO_FREE char *text = xasprintf("sha512:%s", sha512);
    REQUIRE_OK(digest_parse(span_of(text), &want, &err), &err);
    AUTO(ingest_close) struct ingest *in = NULL;
    REQUIRE_OK(ingest_open(st, &want, 4, &in, &err), &err);
    REQUIRE_OK(ingest_write(in, SPAN("same"), &err), &err);
    EXPECT_OK(ingest_commit(in, NULL, &err), &err);
    EXPECT_STR(shell("cd %s/blobs && ls -1 * | wc -l", store_path(st)), "5");
}

TEST("a file cut short by a power cut counts as never fetched")
{
    AUTO(store_close) struct store *st = open_store(NULL);
    struct digest d = put(st, "some content");
    shell("f=%s/blobs/sha256/%s; chmod +w $f; : > $f", store_path(st), digest_hex(&d).s);
    EXPECT(!has(st, &d));
    int fd = -1;
    EXPECT_ERR(blob_open(st, &d, &fd, NULL, &err), &err, ERR_NOT_FOUND);
    put(st, "some content");
    EXPECT(has(st, &d));
}

TEST("a blob with flipped bits is found by verification and forgotten")
{
    AUTO(store_close) struct store *st = open_store(NULL);
    struct digest d = put(st, "some content");
    shell("f=%s/blobs/sha256/%s; chmod +w $f; printf 'SOME CONTENT' > $f", store_path(st),
          digest_hex(&d).s);
    EXPECT_ERR(blob_verify(st, &d, &err), &err, ERR_CORRUPT);
    EXPECT(!has(st, &d));
}

TEST("a process killed in mid-write leaves nothing")
{
    AUTO(store_close) struct store *st = open_store(NULL);
    int ready[2];
    REQUIRE(pipe(ready) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct store *own = NULL;
        struct ingest *in = NULL;
        AUTO_FREE char *path = xasprintf("%s/store", tap_dir());
        if (store_open(path, NULL, &own, &err) || ingest_open(own, NULL, UINT64_MAX, &in, &err) ||
            ingest_write(in, SPAN("half"), &err) || write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    char c;
    EXPECT(read(ready[0], &c, 1) == 1);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    close(ready[0]);
    close(ready[1]);
    EXPECT_STR(shell("find %s/blobs -type f | wc -l", store_path(st)), "0");
    uint64_t n = 1, size = 1;
    EXPECT_OK(store_usage(st, "", &n, &size, &err), &err);
    EXPECT_INT(n, 0);
}

TEST("a read-only store gives what is there and takes nothing")
{
    struct store *st = open_store(NULL);
    struct digest d = put(st, "content");
    store_close(st);
    AUTO(store_close) struct store *ro = open_store(&(struct store_options){ .is_readonly = true });
    REQUIRE(ro != NULL);
    EXPECT(has(ro, &d));
}

TEST("a folder that holds another version of the layout is refused")
{
    shell("mkdir -p %s/store && echo '{\"imageLayoutVersion\":\"2.0.0\"}' > %s/store/oci-layout",
          tap_dir(), tap_dir());
    struct store *st = NULL;
    AUTO_FREE char *path = xasprintf("%s/store", tap_dir());
    EXPECT_ERR(store_open(path, NULL, &st, &err), &err, ERR_UNSUPPORTED);
    EXPECT_CONTAINS(err.text, "version 2.0.0");
}

TEST("a store that cannot be made says how to choose another folder")
{
    struct store *st = NULL;
    EXPECT(store_open("/proc/nothing/here", NULL, &st, &err) != 0);
    EXPECT_CONTAINS(err.hint, "KILN_ROOT");
}

TAP_MAIN()
