#include "base/core/err.h"

#include <errno.h>
#include <locale.h>

#include "tap.h"

TEST("each caller that knows more adds one prefix")
{
    struct err err = { 0 };
    EXPECT_INT(err_set(&err, ERR_INVALID, "not in the build %s", "context"), -1);
    EXPECT_INT(err_wrap(&err, "Dockerfile:%d", 12), -1);
    EXPECT_INT(err_wrap(&err, "build ./app"), -1);
    EXPECT_STR(err.text, "build ./app: Dockerfile:12: not in the build context");
    EXPECT_INT(err.kind, ERR_INVALID);
    EXPECT_INT(err.sys, 0);
}

TEST("a system call's error is told in lower case with the kind that fits")
{
    static const struct {
        int code;
        enum err_kind kind;
        const char *text;
    } rows[] = {
        { ENOENT, ERR_NOT_FOUND, "open x: no such file or directory" },
        { EEXIST, ERR_EXISTS, "open x: file exists" },
        { EACCES, ERR_DENIED, "open x: permission denied" },
        { EPERM, ERR_DENIED, "open x: operation not permitted" },
        { ETIMEDOUT, ERR_TIMEOUT, "open x: connection timed out" },
        { ENOSPC, ERR_SYSTEM, "open x: no space left on device" },
        { EIO, ERR_SYSTEM, "open x: input/output error" },
        { 99999, ERR_SYSTEM, "open x: error 99999" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = { 0 };
        errno = rows[i].code;
        EXPECT_INT(err_sys(&err, "open %s", "x"), -1);
        EXPECT_STR(err.text, rows[i].text);
        EXPECT_INT(err.kind, rows[i].kind);
        EXPECT_INT(err.sys, rows[i].code);
        EXPECT_INT(errno, rows[i].code);
    }
}

TEST("an argument may be the old text itself")
{
    struct err err = { 0 };
    err_set(&err, ERR_NETWORK, "connection refused");
    err_set(&err, ERR_NETWORK, "3 tries: %s", err.text);
    EXPECT_STR(err.text, "3 tries: connection refused");
    err_hint(&err, "see");
    err_hint(&err, "%s the log", err.hint);
    EXPECT_STR(err.hint, "see the log");
}

TEST("a text too long is cut and says so")
{
    struct err err = { 0 };
    char big[3000];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    err_set(&err, ERR_INVALID, "%s", big);
    EXPECT_INT(strlen(err.text), ERR_TEXT_MAX - 1);
    EXPECT_STR(err.text + ERR_TEXT_MAX - 4, "...");
    err_set(&err, ERR_INVALID, "short");
    err_wrap(&err, "%s", big);
    EXPECT_INT(strlen(err.text), ERR_TEXT_MAX - 1);
    EXPECT_STR(err.text + ERR_TEXT_MAX - 4, "...");
    err_hint(&err, "%s", big);
    EXPECT_INT(strlen(err.hint), ERR_HINT_MAX - 1);
}

TEST("a new error drops the old hint, a prefix keeps it, clearing leaves nothing")
{
    struct err err = { 0 };
    err_set(&err, ERR_DENIED, "a");
    EXPECT_INT(err_hint(&err, "do b"), -1);
    err_wrap(&err, "c");
    EXPECT_STR(err.hint, "do b");
    errno = EIO;
    err_sys(&err, "d");
    EXPECT_STR(err.hint, "");
    err_set(&err, ERR_DENIED, "e");
    EXPECT_INT(err.sys, 0);
    err_clear(&err);
    EXPECT_INT(err.kind, ERR_NONE);
    EXPECT_STR(err.text, "");
}

TEST("every kind has a name")
{
    for (int kind = ERR_NONE; kind <= ERR_SYSTEM; kind++)
        EXPECT(strcmp(err_kind_name((enum err_kind)kind), "unknown") != 0);
    EXPECT_STR(err_kind_name(ERR_NOT_FOUND), "not found");
    EXPECT_STR(err_kind_name(ERR_CANCELED), "canceled");
    EXPECT_STR(err_kind_name((enum err_kind)77), "unknown");
}

TAP_MAIN()
