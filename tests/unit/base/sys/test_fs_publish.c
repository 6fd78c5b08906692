#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "child.h"

/* The text of a file, or "[absent]". */
static char *text_of(int dir, const char *path)
{
    struct err err = { 0 };
    AUTO_VALUE(buf_clear) struct buf b;
    buf_init(&b, 1000);
    return fs_read_file(dir, path, &b, &err) < 0 ? xstrdup("[absent]") : buf_take(&b);
}

#define EXPECT_FILE(dir, path, want)                                                               \
    do {                                                                                           \
        AUTO_FREE char *text_ = text_of(dir, path);                                                \
        EXPECT_STR(text_, want);                                                                   \
    } while (0)

/* The names in a folder, one after the other. */
static char *names_in(int dir, const char *path)
{
    struct err err = { 0 };
    AUTO_VALUE(str_list_clear) struct str_list names = { 0 };
    AUTO_VALUE(buf_clear) struct buf b;
    buf_init(&b, 1000);
    EXPECT_OK(fs_list(dir, path, &names, &err), &err);
    vec_each (&names, name)
        buf_printf(&b, "%s ", *name);
    return buf_take(&b);
}

#define EXPECT_NAMES(dir, path, want)                                                              \
    do {                                                                                           \
        AUTO_FREE char *names_ = names_in(dir, path);                                              \
        EXPECT_STR(names_, want);                                                                  \
    } while (0)

static void publish(int from, int dir, const char *text, const char *path)
{
    struct err err = { 0 };
    AUTO_FD int fd = -1;
    EXPECT_OK(fs_open_temporary(from, 0444, &fd, &err), &err);
    EXPECT_INT(fcntl(fd, F_GETFD), FD_CLOEXEC);
    EXPECT_OK(fs_write_all(fd, span_of(text), &err), &err);
    EXPECT_OK(fs_publish(fd, dir, path, &err), &err);
}

static void publish_twice(void)
{
    struct err err = { 0 };
    AUTO_FD int dir = open_dir();
    EXPECT_OK(fs_make_dirs(dir, "blobs/sha256", 0755, &err), &err);
    AUTO_FD int blobs = openat(dir, "blobs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    publish(blobs, blobs, "content", "sha256/abc");
    EXPECT_FILE(blobs, "sha256/abc", "content");
    publish(blobs, dir, "second", "blobs/sha256/abc");
    EXPECT_FILE(blobs, "sha256/abc", "content");
    EXPECT_NAMES(blobs, "sha256", "abc ");
    EXPECT_NAMES(blobs, ".", "sha256 ");
    struct stat st;
    EXPECT(fstatat(blobs, "sha256/abc", &st, 0) == 0 && (st.st_mode & 07777) == 0444 &&
           st.st_nlink == 1);
}

TEST("a file appears when published; one that is there already stays and is a success")
{
    publish_twice();
}

static void without_tmpfile(void)
{
    refuse_with(SCMP_SYS(openat), 2, O_TMPFILE, EOPNOTSUPP);
    publish_twice();
}

TEST("the same where the file system has no nameless files")
{
    in_child(without_tmpfile);
}

static void without_noreplace(void)
{
    refuse_with(SCMP_SYS(openat), 2, O_TMPFILE, EOPNOTSUPP);
    refuse(SCMP_SYS(renameat2), EINVAL);
    AUTO_FD int dir = open_dir();
    publish(dir, dir, "same", "name");
    publish(dir, dir, "same", "name");
    EXPECT_FILE(dir, "name", "same");
    EXPECT_NAMES(dir, ".", "name ");
}

TEST("the same where it has no rename without replacement")
{
    in_child(without_noreplace);
}

static void publish_with_fault(void)
{
    struct err err = { 0 };
    AUTO_FD int dir = open_dir();
    AUTO_FD int fd = -1;
    REQUIRE_OK(fs_open_temporary(dir, 0600, &fd, &err), &err);
    refuse(SCMP_SYS(linkat), EDQUOT);
    EXPECT_ERR(fs_publish(fd, dir, "name", &err), &err, ERR_SYSTEM);
    EXPECT_STR(err.text, "publish name: disk quota exceeded");
    refuse(SCMP_SYS(openat), ENOSPC);
    EXPECT_ERR(fs_open_temporary(dir, 0600, &fd, &err), &err, ERR_SYSTEM);
    EXPECT_STR(err.text, "create a temporary file: no space left on device");
}

static void publish_named_with_fault(void)
{
    struct err err = { 0 };
    AUTO_FD int dir = open_dir();
    AUTO_FD int fd = -1;
    refuse_with(SCMP_SYS(openat), 2, O_TMPFILE, EOPNOTSUPP);
    refuse(SCMP_SYS(renameat2), EDQUOT);
    REQUIRE_OK(fs_open_temporary(dir, 0600, &fd, &err), &err);
    EXPECT_ERR(fs_publish(fd, dir, "name", &err), &err, ERR_SYSTEM);
    EXPECT_STR(err.text, "publish name: disk quota exceeded");
}

static void without_room_for_names(void)
{
    struct err err = { 0 };
    AUTO_FD int dir = open_dir();
    int fd = -1;
    refuse_with(SCMP_SYS(openat), 2, O_TMPFILE, EOPNOTSUPP);
    refuse_with(SCMP_SYS(openat), 2, O_CREAT | O_EXCL, EEXIST);
    EXPECT_ERR(fs_open_temporary(dir, 0600, &fd, &err), &err, ERR_EXISTS);
    refuse(SCMP_SYS(getrandom), ENOSYS);
    EXPECT_ERR(fs_open_temporary(dir, 0600, &fd, &err), &err, ERR_SYSTEM);
    EXPECT_STR(err.text, "draw a random name: function not implemented");
}

TEST("whatever call of a publication fails, it is told and the name is not there")
{
    AUTO_FD int dir = open_dir();
    in_child(publish_with_fault);
    in_child(publish_named_with_fault);
    in_child(without_room_for_names);
    EXPECT(!fs_exists(dir, "name"));
}

static void as_nobody(void)
{
    REQUIRE(become_nobody());
    publish_twice();
}

TEST("an ordinary user publishes too")
{
    in_child(as_nobody);
}

TEST("what is not published leaves nothing behind")
{
    struct err err = { 0 };
    AUTO_FD int dir = open_dir();
    int fd = -1;
    REQUIRE_OK(fs_open_temporary(dir, 0600, &fd, &err), &err);
    EXPECT_OK(fs_write_all(fd, SPAN("half"), &err), &err);
    close(fd);
    EXPECT_NAMES(dir, ".", "");
}

TEST("publishing into a folder that is not there, or a file that has a name, is told")
{
    struct err err = { 0 };
    AUTO_FD int dir = open_dir();
    AUTO_FD int fd = -1, named = openat(dir, "named", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    REQUIRE_OK(fs_open_temporary(dir, 0600, &fd, &err), &err);
    EXPECT_ERR(fs_publish(fd, dir, "no/folder", &err), &err, ERR_NOT_FOUND);
    EXPECT_STR(err.text, "publish no/folder: no such file or directory");
    EXPECT_OK(fs_publish(fd, dir, "yes", &err), &err);
    EXPECT_ERR(fs_publish(named, dir, "again", &err), &err, ERR_INVALID);
    EXPECT_ERR(fs_publish(-1, dir, "again", &err), &err, ERR_SYSTEM);
    EXPECT_ERR(fs_open_temporary(-1, 0600, &fd, &err), &err, ERR_SYSTEM);
}

TEST("a written file replaces the old one, with exactly its mode")
{
    struct err err = { 0 };
    AUTO_FD int dir = open_dir();
    struct stat st;
    mode_t old = umask(077);
    EXPECT_OK(fs_write_file(dir, "f", SPAN("one"), 0644, false, &err), &err);
    EXPECT_OK(fs_write_file(dir, "f", SPAN("two"), 0666, true, &err), &err);
    umask(old);
    EXPECT_FILE(dir, "f", "two");
    EXPECT(fstatat(dir, "f", &st, 0) == 0 && (st.st_mode & 07777) == 0666);
    EXPECT_OK(fs_make_dirs(dir, "a/b", 0755, &err), &err);
    EXPECT_OK(fs_write_file(dir, "a/b/g", SPAN(""), 0600, true, &err), &err);
    EXPECT_FILE(dir, "a/b/g", "");
    AUTO_FREE char *absolute = xasprintf("%s/h", tap_dir());
    EXPECT_OK(fs_write_file(AT_FDCWD, absolute, SPAN("h"), 0600, true, &err), &err);
    EXPECT_NAMES(dir, ".", "a f h ");
}

static const struct {
    const char *what;
    int call, code;
} faults[] = {
    { "set mode of f: input/output error", SCMP_SYS(fchmod), EIO },
    { "sync f: no space left on device", SCMP_SYS(fsync), ENOSPC },
    { "write f: input/output error", SCMP_SYS(renameat), EIO },
};
static size_t fault;

static void write_with_fault(void)
{
    struct err err = { 0 };
    AUTO_FD int dir = open_dir();
    refuse(faults[fault].call, faults[fault].code);
    EXPECT_ERR(fs_write_file(dir, "f", SPAN("new"), 0644, true, &err), &err, ERR_SYSTEM);
    EXPECT_STR(err.text, faults[fault].what);
}

TEST("whatever call fails, the old file stays and nothing else")
{
    struct err err = { 0 };
    AUTO_FD int dir = open_dir();
    EXPECT_OK(fs_write_file(dir, "f", SPAN("old"), 0644, false, &err), &err);
    for (fault = 0; fault < sizeof faults / sizeof *faults; fault++) {
        in_child(write_with_fault);
        EXPECT_FILE(dir, "f", "old");
        EXPECT_NAMES(dir, ".", "f ");
    }
    EXPECT_ERR(fs_write_file(dir, "no/f", SPAN(""), 0644, true, &err), &err, ERR_NOT_FOUND);
    EXPECT_STR(err.text, "create a temporary file for no/f: no such file or directory");
}

TAP_MAIN()
