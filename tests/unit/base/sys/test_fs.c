#include "base/sys/fs.h"

#include "base/core/mem.h"
#include "child.h"

static void put(int dir, const char *path, const char *text)
{
    struct err err = { 0 };
    EXPECT_OK(fs_write_file(dir, path, span_of(text), 0644, false, &err), &err);
}

/* The text of a file opened below `root`, or the kind of the error in brackets. */
static char *read_in_root(int root, const char *path)
{
    struct err err = { 0 };
    AUTO_FD int fd = -1;
    AUTO_VALUE(buf_clear) struct buf b;
    buf_init(&b, 1000);
    if (fs_open_in_root(root, path, O_RDONLY, 0, &fd, &err) < 0 || fs_read_fd(fd, &b, &err) < 0)
        return xasprintf("[%s]", err_kind_name(err.kind));
    return buf_take(&b);
}

/* ROOT/etc/passwd says "inside", the folder above has a file "secret"; links try to get out. */
static void make_rootfs(int dir)
{
    struct err err = { 0 };
    EXPECT_OK(fs_make_dirs(dir, "root/etc/deep", 0755, &err), &err);
    put(dir, "root/etc/passwd", "inside");
    put(dir, "secret", "outside");
    static const struct {
        const char *target, *at;
    } links[] = {
        { "/etc/passwd", "root/absolute" },
        { "../../../../etc/passwd", "root/etc/deep/dots" },
        { "../secret", "root/up" },
        { "/../secret", "root/above" },
        { "/", "root/etc/top" },
        { "loop", "root/loop" },
        { "/proc/self/root/etc/passwd", "root/magic" },
        { "..", "root/etc/parent" },
    };
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        EXPECT_INT(symlinkat(links[i].target, dir, links[i].at), 0);
}

TEST("no link and no dots lead out of a root")
{
    static const struct {
        const char *path, *want;
    } rows[] = {
        { "etc/passwd", "inside" },
        { "/etc/passwd", "inside" },
        { "absolute", "inside" },
        { "etc/deep/dots", "inside" },
        { "../../../etc/passwd", "inside" },
        { "etc/top/etc/passwd", "inside" },
        { "etc/parent/../../etc/passwd", "inside" },
        { "up", "[not found]" },
        { "above", "[not found]" },
        { "../secret", "[not found]" },
        { "etc/parent/../secret", "[not found]" },
        { "loop", "[system]" },
        { "magic", "[not found]" },
        { "", "[not found]" },
    };
    AUTO_FD int dir = open_dir();
    make_rootfs(dir);
    AUTO_FD int root = openat(dir, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO_FREE char *got = read_in_root(root, rows[i].path);
        if (strcmp(got, rows[i].want) != 0)
            tap_fail(__FILE__, __LINE__, "%s gave %s, expected %s", rows[i].path, got,
                     rows[i].want);
    }
}

TEST("magic links of /proc are not followed below a root")
{
    struct err err = { 0 };
    AUTO_FD int proc = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = -1;
    if (proc < 0)
        SKIP("needs /proc");
    EXPECT_ERR(fs_open_in_root(proc, "root/etc/passwd", O_RDONLY, 0, &fd, &err), &err, ERR_SYSTEM);
    EXPECT_INT(err.sys, ELOOP);
}

TEST("files made below a root land inside it, with the mode asked for and close-on-exec")
{
    struct err err = { 0 };
    AUTO_FD int dir = open_dir();
    make_rootfs(dir);
    AUTO_FD int root = openat(dir, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = -1;
    struct stat st;
    mode_t old = umask(0);
    EXPECT_OK(fs_open_in_root(root, "etc/parent/../new", O_WRONLY | O_CREAT, 0640, &fd, &err),
              &err);
    umask(old);
    REQUIRE(fstatat(dir, "root/new", &st, 0) == 0);
    EXPECT_INT(st.st_mode & 07777, 0640);
    EXPECT_INT(fcntl(fd, F_GETFD), FD_CLOEXEC);
    AUTO_FD int again = -1; /* a mode without O_CREAT is not the kernel's business */
    EXPECT_OK(fs_open_in_root(root, "new", O_RDONLY, 0640, &again, &err), &err);
}

static void without_openat2(void)
{
    struct err err = { 0 };
    int fd;
    refuse(SCMP_SYS(openat2), ENOSYS);
    EXPECT_ERR(fs_open_in_root(AT_FDCWD, "x", O_RDONLY, 0, &fd, &err), &err, ERR_SYSTEM);
    EXPECT_STR(err.text, "open x: function not implemented");
    EXPECT_CONTAINS(err.hint, "Linux 5.6");
}

TEST("a kernel without openat2 is named, nothing is opened in a weaker way")
{
    in_child(without_openat2);
}

TEST("a file is read whole up to the ceiling, LIMIT past it")
{
    AUTO_FD int dir = open_dir();
    put(dir, "five", "12345");
    for (size_t ceiling = 4; ceiling <= 6; ceiling++) {
        struct err err = { 0 };
        AUTO_VALUE(buf_clear) struct buf b;
        buf_init(&b, ceiling);
        if (ceiling < 5) {
            EXPECT_ERR(fs_read_file(dir, "five", &b, &err), &err, ERR_LIMIT);
            EXPECT_STR(err.text, "five: read: more than 4 bytes");
        } else {
            EXPECT_OK(fs_read_file(dir, "five", &b, &err), &err);
            EXPECT_STR(b.data, "12345");
        }
    }
}

TEST("files that tell no size are read to their end")
{
    struct err err = { 0 };
    AUTO_VALUE(buf_clear) struct buf b;
    buf_init(&b, 1 << 20);
    EXPECT_OK(fs_read_file(AT_FDCWD, "/proc/self/status", &b, &err), &err);
    EXPECT_CONTAINS(b.data, "Name:");
    EXPECT_OK(fs_read_file(AT_FDCWD, "/dev/null", &b, &err), &err);
}

TEST("what cannot be read or written says which and why")
{
    struct err err = { 0 };
    AUTO_FD int dir = open_dir();
    AUTO_VALUE(buf_clear) struct buf b;
    buf_init(&b, 10);
    EXPECT_ERR(fs_read_file(dir, "none", &b, &err), &err, ERR_NOT_FOUND);
    EXPECT_STR(err.text, "open none: no such file or directory");
    EXPECT_ERR(fs_read_file(dir, ".", &b, &err), &err, ERR_SYSTEM);
    EXPECT_STR(err.text, ".: read: is a directory");
    AUTO_FD int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    EXPECT_ERR(fs_write_all(full, SPAN("x"), &err), &err, ERR_SYSTEM);
    EXPECT_STR(err.text, "write: no space left on device");
}

TEST("folders are made with those above, what is there already is fine")
{
    struct err err = { 0 };
    struct stat st;
    AUTO_FD int dir = open_dir();
    static const char *const paths[] = { "a/b/c", "a/b/c", "a/b/c/", "a//d///e/",
                                         "",      ".",     "/",      "a/../f/g" };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        EXPECT_OK(fs_make_dirs(dir, paths[i], 0755, &err), &err);
    static const char *const made[] = { "a/b/c", "a/d/e", "f/g" };
    for (size_t i = 0; i < sizeof made / sizeof *made; i++)
        EXPECT(fstatat(dir, made[i], &st, 0) == 0 && S_ISDIR(st.st_mode));
    EXPECT_INT(symlinkat("a", dir, "link"), 0);
    EXPECT_OK(fs_make_dirs(dir, "link/h", 0755, &err), &err);
    EXPECT(fs_exists(dir, "a/h"));
    AUTO_FREE char *absolute = xasprintf("%s/x/y", tap_dir());
    EXPECT_OK(fs_make_dirs(AT_FDCWD, absolute, 0755, &err), &err);
    EXPECT(fs_exists(dir, "x/y"));
}

TEST("a file where a folder must be is told by its name")
{
    struct err err = { 0 };
    AUTO_FD int dir = open_dir();
    put(dir, "file", "");
    EXPECT_ERR(fs_make_dirs(dir, "file", 0755, &err), &err, ERR_SYSTEM);
    EXPECT_STR(err.text, "make folder file: not a directory");
    EXPECT_ERR(fs_make_dirs(dir, "file/a/b", 0755, &err), &err, ERR_SYSTEM);
    EXPECT_INT(err.sys, ENOTDIR);
}

TEST("names are listed in the order of their bytes, without dots, after what was there")
{
    struct err err = { 0 };
    AUTO_FD int dir = open_dir();
    static const char *const names[] = { "b", "a", "B", "\xc3\xa9", "a.b", ".hidden", "10", "9" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        put(dir, names[i], "");
    AUTO_VALUE(str_list_clear) struct str_list list = { 0 };
    str_list_push(&list, "zero");
    EXPECT_OK(fs_list(dir, ".", &list, &err), &err);
    AUTO_VALUE(buf_clear) struct buf b;
    buf_init(&b, 1000);
    vec_each (&list, name)
        buf_printf(&b, "%s ", *name);
    EXPECT_STR(b.data, "zero .hidden 10 9 B a a.b b \xc3\xa9 ");
    EXPECT_ERR(fs_list(dir, "b", &list, &err), &err, ERR_SYSTEM);
    EXPECT_STR(err.text, "open b: not a directory");
}

TEST("a link is read and not followed; existence is the link's own")
{
    struct err err = { 0 };
    AUTO_FD int dir = open_dir();
    EXPECT_INT(symlinkat("nowhere/at all", dir, "link"), 0);
    AUTO_FREE char *target = NULL;
    EXPECT_OK(fs_read_link(dir, "link", &target, &err), &err);
    EXPECT_STR(target, "nowhere/at all");
    EXPECT(fs_exists(dir, "link"));
    errno = 9;
    EXPECT(!fs_exists(dir, "none"));
    EXPECT_INT(errno, 9);
    char *none = NULL;
    EXPECT_ERR(fs_read_link(dir, ".", &none, &err), &err, ERR_SYSTEM);
    EXPECT_ERR(fs_read_link(dir, "none", &none, &err), &err, ERR_NOT_FOUND);
}

TEST("a lock keeps others out until its descriptor is closed; readers share")
{
    struct err err = { 0 };
    AUTO_FD int dir = open_dir();
    AUTO_FD int other = -1;
    int mine = -1, shared = -1, also = -1;
    REQUIRE_OK(fs_lock(dir, "lock", true, false, &mine, &err), &err);
    EXPECT_INT(fcntl(mine, F_GETFD), FD_CLOEXEC);
    EXPECT_ERR(fs_lock(dir, "lock", true, false, &other, &err), &err, ERR_EXISTS);
    EXPECT_STR(err.text, "lock lock: held by another process");
    EXPECT_ERR(fs_lock(dir, "lock", false, false, &other, &err), &err, ERR_EXISTS);
    close(mine);
    REQUIRE_OK(fs_lock(dir, "lock", false, false, &shared, &err), &err);
    REQUIRE_OK(fs_lock(dir, "lock", false, true, &also, &err), &err);
    EXPECT_ERR(fs_lock(dir, "lock", true, false, &other, &err), &err, ERR_EXISTS);
    close(shared);
    close(also);
    EXPECT_OK(fs_lock(dir, "lock", true, true, &other, &err), &err);
    EXPECT_ERR(fs_lock(dir, "no/folder", true, true, &mine, &err), &err, ERR_NOT_FOUND);
}

static void wait_for_lock(void)
{
    struct err err = { 0 };
    AUTO_FD int dir = open_dir();
    int fd = -1;
    EXPECT_OK(fs_lock(dir, "lock", true, true, &fd, &err), &err);
    struct stat st, named;
    EXPECT(fstat(fd, &st) == 0 && fstatat(dir, "lock", &named, 0) == 0 &&
           st.st_ino == named.st_ino);
}

TEST("who waited for a lock whose file was removed locks the new file")
{
    struct err err = { 0 };
    AUTO_FD int dir = open_dir();
    int mine = -1, ready[2];
    REQUIRE_OK(fs_lock(dir, "lock", true, true, &mine, &err), &err);
    REQUIRE(pipe(ready) == 0);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        close(mine); /* the parent's copy holds the lock */
        close(ready[1]);
        tap.has_failed = false;
        wait_for_lock();
        _exit(tap.has_failed);
    }
    close(ready[0]);
    close(ready[1]);
    EXPECT_INT(unlinkat(dir, "lock", 0), 0);
    close(mine);
    int status = 1;
    waitpid(pid, &status, 0);
    EXPECT_INT(status, 0);
}

static void as_nobody(void)
{
    struct err err = { 0 };
    REQUIRE(become_nobody());
    int fd = -1;
    AUTO_FD int dir = open_dir();
    EXPECT_OK(fs_make_dirs(dir, "closed", 0, &err), &err);
    EXPECT_ERR(fs_open_in_root(dir, "closed/x", O_RDONLY, 0, &fd, &err), &err, ERR_DENIED);
    EXPECT_STR(err.text, "open closed/x: permission denied");
    EXPECT_ERR(fs_make_dirs(AT_FDCWD, "/usr/kiln-test", 0755, &err), &err, ERR_DENIED);
    EXPECT_OK(fs_make_dirs(AT_FDCWD, "/usr/lib", 0755, &err), &err);
}

TEST("an ordinary user is told what is denied")
{
    in_child(as_nobody);
}

TAP_MAIN()
