/* USER and --chown: names looked up in the image's own files. */
#include "fixture.h"

static const char *const tables =
    "mkdir -p r/etc; printf '%s' 'root:x:0:0:root:/root:/bin/sh\n"
    "app:x:1000:1001:,,,:/home/app:/bin/sh\n42:x:4242:4243::/h42:\nbroken:x:zz:1::\nshort:x:9\n"
    "nohome:x:7:8\nlast:x:77:78::/last:' >r/etc/passwd;"
    "printf '%s' 'root:x:0:\nstaff:x:50:app,other\nvideo:x:44: "
    "app\nwheel:x:10:app\nnumber:x:55:42\n"
    "bad:x:y:app\n' >r/etc/group";

static void make_tables(void)
{
    RUN("%s", tables);
}

TEST("USER is resolved as docker resolves it")
{
    static const struct {
        const char *user, *want; /* uid:gid home groups... ; or the error */
    } rows[] = {
        { "", "0:0 /root" },
        { "root", "0:0 /root" },
        { "0", "0:0 /root" },
        { "app", "1000:1001 /home/app 50 44 10" },
        { "1000", "1000:1001 /home/app 50 44 10" },
        { "app:video", "1000:44 /home/app" },
        { "app:12", "1000:12 /home/app" },
        { "1000:0", "1000:0 /home/app" },
        { "app:", "1000:1001 /home/app 50 44 10" },
        { ":staff", "0:50 /root" },
        { "5000", "5000:0 -" },
        { "5000:6000", "5000:6000 -" },
        { "42", "4242:4243 /h42 55" },
        { "nohome", "7:8 -" },
        { "last", "77:78 /last" },
        { "4294967295", "4294967295:0 -" },
        { "ghost", "user \"ghost\": not in the image's /etc/passwd" },
        { "broken", "user \"broken\": not in the image's /etc/passwd" },
        { "short", "user \"short\": not in the image's /etc/passwd" },
        { "4294967296", "user \"4294967296\": not in the image's /etc/passwd" },
        { "-1", "user \"-1\": not in the image's /etc/passwd" },
        { "app:ghosts", "group \"ghosts\": not in the image's /etc/group" },
        { "app:bad", "group \"bad\": not in the image's /etc/group" },
    };
    make_tables();
    AUTO_FD int root = folder("r");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO_VALUE(account_clear) struct account a = { 0 };
        AUTO_VALUE(buf_clear) struct buf got = { 0 };
        buf_init(&got, MIB);
        err_clear(&err);
        if (account_find(root, rows[i].user, &a, &err))
            buf_puts(&got, err.text);
        else
            buf_printf(&got, "%" PRIu32 ":%" PRIu32 " %s", a.uid, a.gid, a.home ? a.home : "-");
        vec_each (&a.groups, g)
            buf_printf(&got, " %" PRIu32, *g);
        if (strcmp(got.data, rows[i].want) != 0)
            tap_fail(__FILE__, __LINE__, "\"%s\" is\n%s\nexpected\n%s", rows[i].user, got.data,
                     rows[i].want);
    }
    EXPECT_CONTAINS(err.text, "group");
}

TEST("a user that is not there comes with a remedy")
{
    struct account a;
    RUN("mkdir r");
    AUTO_FD int root = folder("r");
    EXPECT_ERR(account_find(root, "ghost", &a, &err), &err, ERR_NOT_FOUND);
    EXPECT_CONTAINS(err.hint, "earlier RUN");
}

TEST("without the files a number is a number and root is 0")
{
    RUN("mkdir r");
    AUTO_FD int root = folder("r");
    AUTO_VALUE(account_clear) struct account a = { 0 };
    EXPECT_OK(account_find(root, "", &a, &err), &err);
    EXPECT_INT(a.uid + a.gid, 0);
    EXPECT_OK(account_find(root, "12:34", &a, &err), &err);
    EXPECT_INT(a.uid, 12);
    EXPECT_INT(a.gid, 34);
}

TEST("the files are those inside the root, whatever symlinks say; a fifo is not waited for")
{
    RUN("mkdir -p r/etc r/real; ln -s /real/passwd r/etc/passwd; mkfifo r/etc/group;"
        "echo 'in:x:5:6::/in:' >r/real/passwd");
    AUTO_FD int root = folder("r");
    uint32_t uid = 0, gid = 0;
    EXPECT(account_find_user(root, "in", &uid, &gid));
    EXPECT_INT(uid, 5);
    EXPECT_INT(gid, 6);
    EXPECT(!account_find_group(root, "in", &gid));
    RUN("ln -sfn ../../../../etc/passwd r/etc/passwd");
    EXPECT(!account_find_user(root, "root", &uid, &gid));
}

TAP_MAIN()
