#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "base/sys/user.h"
#include "child.h"

/* Eleven bytes of a path each. */
#define FOLDER "some-folder"

/* A chain of `depth` folders below `at`, in every tenth a file and a link to "/". */
static void make_chain(int dir, const char *at, int depth)
{
    struct err err = { 0 };
    EXPECT_OK(fs_make_dirs(dir, at, 0755, &err), &err);
    int fd = openat(dir, at, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < depth; i++) {
        if (i % 10 == 0) {
            AUTO_FD int file = openat(fd, "file", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
            EXPECT(file >= 0 && symlinkat("/", fd, "link") == 0);
        }
        EXPECT_INT(mkdirat(fd, FOLDER, 0755), 0);
        int next = openat(fd, FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        close(fd);
        fd = next;
    }
    close(fd);
}

static void remove_deep(void)
{
    struct err err = { 0 };
    AUTO_FD int dir = open_dir();
    make_chain(dir, "top", 500);
    make_chain(dir, "top/" FOLDER "/" FOLDER "/side", 60);
    int before = count_fds();
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){ (rlim_t)before + 40, (rlim_t)before + 40 });
    EXPECT_OK(fs_remove_tree(dir, "top", &err), &err);
    EXPECT(!fs_exists(dir, "top"));
    EXPECT_INT(count_fds(), before);
}

TEST("a tree deeper than any path, with few descriptors to spare, goes")
{
    in_child(remove_deep);
}

TEST("a wide tree goes")
{
    struct err err = { 0 };
    AUTO_FD int dir = open_dir();
    char path[64];
    for (int i = 0; i < 10; i++)
        for (int k = 0; k < 20; k++) {
            snprintf(path, sizeof path, "top/%d/%d", i, k);
            EXPECT_OK(fs_make_dirs(dir, path, 0755, &err), &err);
        }
    EXPECT_OK(fs_remove_tree(dir, "top/", &err), &err);
    EXPECT(!fs_exists(dir, "top"));
}

TEST("links are removed, what they lead to stays")
{
    struct err err = { 0 };
    AUTO_FD int dir = open_dir();
    EXPECT_OK(fs_make_dirs(dir, "kept/deep", 0755, &err), &err);
    EXPECT_OK(fs_make_dirs(dir, "top", 0755, &err), &err);
    EXPECT_INT(symlinkat("../kept", dir, "top/link"), 0);
    EXPECT_INT(symlinkat("kept", dir, "alone"), 0);
    EXPECT_OK(fs_remove_tree(dir, "top", &err), &err);
    EXPECT_OK(fs_remove_tree(dir, "alone", &err), &err);
    EXPECT(fs_exists(dir, "kept/deep") && !fs_exists(dir, "top") && !fs_exists(dir, "alone"));
}

TEST("a file goes, a device and a socket too, and what is absent is a success")
{
    struct err err = { 0 };
    AUTO_FD int dir = open_dir();
    EXPECT_OK(fs_write_file(dir, "f", SPAN(""), 0, false, &err), &err);
    EXPECT_INT(mkfifoat(dir, "fifo", 0600), 0);
    EXPECT_OK(fs_remove_tree(dir, "f", &err), &err);
    EXPECT_OK(fs_remove_tree(dir, "fifo", &err), &err);
    EXPECT_OK(fs_remove_tree(dir, "f", &err), &err);
    EXPECT_OK(fs_remove_tree(dir, "no/such", &err), &err);
    EXPECT(!fs_exists(dir, "f") && !fs_exists(dir, "fifo"));
    AUTO_FREE char *absolute = xasprintf("%s/x", tap_dir());
    EXPECT_OK(fs_make_dirs(AT_FDCWD, absolute, 0755, &err), &err);
    EXPECT_OK(fs_remove_tree(AT_FDCWD, absolute, &err), &err);
    EXPECT(!fs_exists(dir, "x"));
}

TEST("what names no entry is refused")
{
    static const char *const refused[] = { "", ".", "..", "/", "///", "a/..", "a/." };
    AUTO_FD int dir = open_dir();
    struct err err = { 0 };
    EXPECT_OK(fs_make_dirs(dir, "a", 0755, &err), &err);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        EXPECT_ERR(fs_remove_tree(dir, refused[i], &err), &err, ERR_INVALID);
    EXPECT(fs_exists(dir, "a"));
}

static void remove_closed(void)
{
    struct err err = { 0 };
    REQUIRE(become_nobody());
    AUTO_FD int dir = open_dir();
    EXPECT_OK(fs_make_dirs(dir, "top/closed/inner", 0755, &err), &err);
    EXPECT_OK(fs_make_dirs(dir, "top/readonly/inner", 0755, &err), &err);
    EXPECT_OK(fs_write_file(dir, "top/readonly/f", SPAN(""), 0, false, &err), &err);
    EXPECT_OK(fs_write_file(dir, "top/closed/f", SPAN(""), 0, false, &err), &err);
    EXPECT_INT(fchmodat(dir, "top/closed/inner", 0, 0), 0);
    EXPECT_INT(fchmodat(dir, "top/closed", 0, 0), 0);
    EXPECT_INT(fchmodat(dir, "top/readonly", 0555, 0), 0);
    EXPECT_INT(fchmodat(dir, "top", 0, 0), 0);
    EXPECT_OK(fs_remove_tree(dir, "top", &err), &err);
    EXPECT(!fs_exists(dir, "top"));
}

TEST("an ordinary user removes folders of his that he may not read or write")
{
    in_child(remove_closed);
}

static void remove_foreign(void)
{
    struct err err = { 0 };
    REQUIRE(become_nobody());
    AUTO_FD int dir = open_dir();
    EXPECT_ERR(fs_remove_tree(dir, "top", &err), &err, ERR_DENIED);
    EXPECT_STR(err.text, "remove top/of-root/f: permission denied");
}

TEST("what is another's is told by its path")
{
    struct err err = { 0 };
    if (geteuid() != 0)
        SKIP("needs root to make another's files");
    AUTO_FD int dir = open_dir();
    EXPECT_OK(fs_make_dirs(dir, "top/of-root", 0755, &err), &err);
    EXPECT_OK(fs_write_file(dir, "top/of-root/f", SPAN(""), 0644, false, &err), &err);
    in_child(remove_foreign);
    EXPECT(fs_exists(dir, "top/of-root/f"));
}

static void remove_around_mount(void)
{
    struct err err = { 0 };
    AUTO_FD int dir = open_dir();
    AUTO_FREE char *from = xasprintf("%s/kept", tap_dir()), *to = xasprintf("%s/top/m", tap_dir());
    REQUIRE(unshare(CLONE_NEWNS) == 0);
    REQUIRE(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
    REQUIRE(mount(from, to, NULL, MS_BIND, NULL) == 0);
    EXPECT_ERR(fs_remove_tree(dir, "top", &err), &err, ERR_SYSTEM);
    EXPECT_CONTAINS(err.text, "remove top/m: ");
    EXPECT_CONTAINS(err.hint, "unmount it first");
    EXPECT_ERR(fs_remove_tree(AT_FDCWD, to, &err), &err, ERR_SYSTEM);
    EXPECT(fs_exists(dir, "kept/precious"));
}

TEST("a file system mounted inside is not emptied")
{
    struct err err = { 0 };
    if (!user_is_privileged())
        SKIP("needs root to mount");
    AUTO_FD int dir = open_dir();
    EXPECT_OK(fs_make_dirs(dir, "kept/precious", 0755, &err), &err);
    EXPECT_OK(fs_make_dirs(dir, "top/m", 0755, &err), &err);
    in_child(remove_around_mount);
}

static void remove_with_fault(void)
{
    struct err err = { 0 };
    AUTO_FD int dir = open_dir();
    int before = count_fds();
    refuse(SCMP_SYS(getdents64), EIO);
    EXPECT_ERR(fs_remove_tree(dir, "top", &err), &err, ERR_SYSTEM);
    EXPECT_STR(err.text, "remove top: input/output error");
    EXPECT_INT(count_fds(), before);
}

static void remove_without_openat2(void)
{
    struct err err = { 0 };
    AUTO_FD int dir = open_dir();
    refuse(SCMP_SYS(openat2), ENOSYS);
    EXPECT_OK(fs_remove_tree(dir, "top", &err), &err);
    EXPECT(!fs_exists(dir, "top"));
}

TEST("a disk that cannot be read is told, an old kernel is no hindrance")
{
    struct err err = { 0 };
    AUTO_FD int dir = open_dir();
    EXPECT_OK(fs_make_dirs(dir, "top/a/b", 0755, &err), &err);
    in_child(remove_with_fault);
    in_child(remove_without_openat2);
}

TAP_MAIN()
