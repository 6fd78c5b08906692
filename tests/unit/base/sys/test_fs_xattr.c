#include <sys/xattr.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "base/sys/user.h"
#include "child.h"

/* The value of an attribute, or "[absent]". */
static char *value_of(int dir, const char *path, const char *name)
{
    struct err err = { 0 };
    bool is_there = false;
    AUTO_VALUE(buf_clear) struct buf b;
    buf_init(&b, LIMIT_XATTR_VALUE);
    EXPECT_OK(fs_get_xattr(dir, path, name, &b, &is_there, &err), &err);
    return is_there ? buf_take(&b) : xstrdup("[absent]");
}

#define EXPECT_XATTR(dir, path, name, want)                                                        \
    do {                                                                                           \
        AUTO_FREE char *value_ = value_of(dir, path, name);                                        \
        EXPECT_STR(value_, want);                                                                  \
    } while (0)

/* Whether the case's file system keeps attributes of users. */
static bool has_xattrs(int dir)
{
    return fsetxattr(dir, "user.probe", "1", 1, 0) == 0 && fremovexattr(dir, "user.probe") == 0;
}

static void use_attributes(void)
{
    struct err err = { 0 };
    AUTO_FD int dir = open_dir();
    AUTO_FD int file = openat(dir, "f", O_CREAT | O_RDWR | O_CLOEXEC, 0644);
    EXPECT_XATTR(dir, "f", "user.a", "[absent]");
    EXPECT_OK(fs_set_xattr(dir, "f", "user.b", SPAN("two"), &err), &err);
    EXPECT_OK(fs_set_xattr(dir, "f", "user.a", SPAN("one"), &err), &err);
    EXPECT_OK(fs_set_xattr(dir, "f", "user.a", SPAN("1"), &err), &err);
    EXPECT_OK(fs_set_xattr(dir, "f", "user.empty", (struct span){ 0 }, &err), &err);
    EXPECT_XATTR(dir, "f", "user.a", "1");
    EXPECT_XATTR(file, "", "user.b", "two");
    EXPECT_XATTR(dir, "f", "user.empty", "");
    AUTO_VALUE(str_list_clear) struct str_list names = { 0 };
    EXPECT_OK(fs_list_xattrs(dir, "f", &names, &err), &err);
    REQUIRE(names.n >= 3); /* a security module may add its own */
    EXPECT_STR(names.items[names.n - 3], "user.a");
    EXPECT_STR(names.items[names.n - 2], "user.b");
    EXPECT_STR(names.items[names.n - 1], "user.empty");
    EXPECT_OK(fs_set_xattr(dir, ".", "user.of-folder", SPAN("x"), &err), &err);
    EXPECT_XATTR(dir, "", "user.of-folder", "x");
    AUTO_FREE char *absolute = xasprintf("%s/f", tap_dir());
    EXPECT_XATTR(AT_FDCWD, absolute, "user.b", "two");
    AUTO_FD int path_only = openat(dir, "f", O_PATH | O_CLOEXEC);
    EXPECT_XATTR(path_only, "", "user.b", "two");
}

TEST("attributes are set, read and listed in order")
{
    AUTO_FD int dir = open_dir();
    if (!has_xattrs(dir))
        SKIP("needs a file system with attributes of users");
    use_attributes();
}

static void as_nobody(void)
{
    REQUIRE(become_nobody());
    use_attributes();
}

TEST("an ordinary user does so too")
{
    AUTO_FD int dir = open_dir();
    if (!has_xattrs(dir))
        SKIP("needs a file system with attributes of users");
    in_child(as_nobody);
}

TEST("a link is not followed")
{
    struct err err = { 0 };
    AUTO_FD int dir = open_dir();
    if (!has_xattrs(dir))
        SKIP("needs a file system with attributes of users");
    AUTO_FD int file = openat(dir, "f", O_CREAT | O_RDWR | O_CLOEXEC, 0644);
    EXPECT_OK(fs_set_xattr(file, "", "user.a", SPAN("1"), &err), &err);
    EXPECT_INT(symlinkat("f", dir, "link"), 0);
    AUTO_FD int link = openat(dir, "link", O_PATH | O_NOFOLLOW | O_CLOEXEC);
    EXPECT_XATTR(dir, "link", "user.a", "[absent]");
    EXPECT_XATTR(link, "", "user.a", "[absent]");
    EXPECT_ERR(fs_set_xattr(dir, "link", "user.a", SPAN("2"), &err), &err, ERR_DENIED);
    EXPECT_XATTR(dir, "f", "user.a", "1");
    if (!user_is_privileged())
        return; /* only root sets attributes of links */
    EXPECT_OK(fs_set_xattr(dir, "link", "trusted.a", SPAN("of the link"), &err), &err);
    EXPECT_XATTR(link, "", "trusted.a", "of the link");
    EXPECT_XATTR(dir, "f", "trusted.a", "[absent]");
}

TEST("many names and a value past the ceiling")
{
    struct err err = { 0 };
    AUTO_FD int dir = open_dir();
    if (!has_xattrs(dir))
        SKIP("needs a file system with attributes of users");
    AUTO_FD int file = openat(dir, "f", O_CREAT | O_RDWR | O_CLOEXEC, 0644);
    char name[250];
    for (int i = 0; i < 10; i++) { /* more than the first buffer of names */
        snprintf(name, sizeof name, "user.%d%0200d", 9 - i, 0);
        EXPECT_OK(fs_set_xattr(file, "", name, SPAN("value"), &err), &err);
    }
    AUTO_VALUE(str_list_clear) struct str_list names = { 0 };
    EXPECT_OK(fs_list_xattrs(dir, "f", &names, &err), &err);
    REQUIRE(names.n >= 10);
    for (size_t i = names.n - 9; i < names.n; i++)
        EXPECT(strcmp(names.items[i - 1], names.items[i]) < 0);
    AUTO_VALUE(buf_clear) struct buf small;
    buf_init(&small, 4);
    bool is_there;
    EXPECT_ERR(fs_get_xattr(dir, "f", name, &small, &is_there, &err), &err, ERR_LIMIT);
}

TEST("a file system without attributes has none; a path that is not there is told")
{
    struct err err = { 0 };
    AUTO_VALUE(str_list_clear) struct str_list names = { 0 };
    EXPECT_XATTR(AT_FDCWD, "/proc/self/status", "user.a", "[absent]");
    EXPECT_OK(fs_list_xattrs(AT_FDCWD, "/proc/self/status", &names, &err), &err);
    EXPECT_INT(names.n, 0);
    EXPECT_ERR(fs_list_xattrs(AT_FDCWD, "/no/such", &names, &err), &err, ERR_NOT_FOUND);
    EXPECT_STR(err.text, "list attributes of /no/such: no such file or directory");
}

TAP_MAIN()
