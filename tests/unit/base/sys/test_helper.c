/* tests/unit/base/sys/test_helper.c - programs that stay while we need them. */
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "base/sys/helper.h"
#include "tap.h"

static const char *const *shell(const char *script)
{
    static const char *argv[4] = { "sh", "-c", NULL, NULL };
    argv[2] = script;
    return argv;
}

TEST("it is there when it says so, and what it said before is kept")
{
    struct err err = { 0 };
    AUTO(helper_stop) struct helper *h = NULL;
    AUTO_VALUE(buf_clear) struct buf said;
    bool is_there = false;
    buf_init(&said, 1000);
    EXPECT_OK(helper_start(shell("echo one; echo not ready; echo ready; cat"), NULL, &h, &err),
              &err);
    EXPECT_OK(helper_expect(h, "ready", 20000, NULL, &said, &is_there, &err), &err);
    EXPECT(is_there);
    EXPECT_STR(said.data, "one\nnot ready\n");
}

TEST("the end of its stdin is the end of it")
{
    struct err err = { 0 };
    struct helper *h = NULL;
    AUTO_VALUE(buf_clear) struct buf said;
    bool is_there = false;
    buf_init(&said, 1000);
    EXPECT_OK(helper_start(shell("echo $$; echo ready; cat; exit 0"), NULL, &h, &err), &err);
    EXPECT_OK(helper_expect(h, "ready", 20000, NULL, &said, &is_there, &err), &err);
    pid_t pid = (pid_t)strtol(said.data, NULL, 10);
    EXPECT(pid > 0 && kill(pid, 0) == 0);
    helper_stop(h);
    EXPECT(kill(pid, 0) < 0 && errno == ESRCH);
}

TEST("one that does not leave is killed")
{
    struct err err = { 0 };
    struct helper *h = NULL;
    AUTO_VALUE(buf_clear) struct buf said;
    bool is_there = false;
    buf_init(&said, 1000);
    EXPECT_OK(helper_start(shell("echo $$; echo ready; exec sleep 1000"), NULL, &h, &err), &err);
    EXPECT_OK(helper_expect(h, "ready", 20000, NULL, &said, &is_there, &err), &err);
    pid_t pid = (pid_t)strtol(said.data, NULL, 10);
    helper_stop(h);
    EXPECT(kill(pid, 0) < 0 && errno == ESRCH);
}

TEST("one that ends first has its last words kept")
{
    struct err err = { 0 };
    AUTO(helper_stop) struct helper *h = NULL;
    AUTO_VALUE(buf_clear) struct buf said;
    bool is_there = true;
    buf_init(&said, 1000);
    EXPECT_OK(helper_start(shell("echo no key >&2; exit 1"), NULL, &h, &err), &err);
    EXPECT_OK(helper_expect(h, "ready", 20000, NULL, &said, &is_there, &err), &err);
    EXPECT(!is_there);
    EXPECT_STR(said.data, "no key\n");
}

TEST("time that is up, words without end and a program that is not there are errors")
{
    struct err err = { 0 };
    AUTO(helper_stop) struct helper *quiet = NULL;
    AUTO(helper_stop) struct helper *loud = NULL;
    AUTO_VALUE(buf_clear) struct buf said;
    bool is_there = false;
    buf_init(&said, 1000);
    EXPECT_OK(helper_start(shell("cat"), NULL, &quiet, &err), &err);
    EXPECT_ERR(helper_expect(quiet, "ready", 1, NULL, &said, &is_there, &err), &err, ERR_TIMEOUT);
    err_clear(&err);
    EXPECT_OK(helper_start(shell("yes"), NULL, &loud, &err), &err);
    EXPECT_ERR(helper_expect(loud, "ready", 20000, NULL, &said, &is_there, &err), &err, ERR_LIMIT);
    err_clear(&err);
    struct helper *absent = NULL;
    const char *const argv[] = { "no-such-program-at-all", NULL };
    EXPECT_ERR(helper_start(argv, NULL, &absent, &err), &err, ERR_NOT_FOUND);
}

TAP_MAIN()
