#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "child.h"

enum { SIZE = 1000003 };

static char pattern(size_t i)
{
    return (char)(i * 31 + i / 997);
}

static int make_source(int dir)
{
    struct err err = { 0 };
    AUTO_FREE char *bytes = xmalloc(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = pattern(i);
    EXPECT_OK(fs_write_file(dir, "from", span_bytes(bytes, SIZE), 0644, false, &err), &err);
    return openat(dir, "from", O_RDONLY | O_CLOEXEC);
}

/* Copies from offset `start`, and again what is left, behind three bytes that are there. */
static void copy_in_parts(size_t start, size_t first)
{
    struct err err = { 0 };
    AUTO_FD int dir = open_dir();
    AUTO_FD int from = make_source(dir);
    AUTO_FD int to = openat(dir, "to", O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0644);
    size_t rest = SIZE - start - first, head = start ? 3 : 0;
    if (start)
        EXPECT(lseek(from, (off_t)start, SEEK_SET) >= 0 && write(to, "abc", 3) == 3);
    EXPECT_OK(fs_copy_bytes(from, to, first, &err), &err);
    EXPECT_OK(fs_copy_bytes(from, to, rest, &err), &err);
    EXPECT_INT(lseek(from, 0, SEEK_CUR), SIZE);
    EXPECT_INT(lseek(to, 0, SEEK_CUR), head + first + rest);
    AUTO_VALUE(buf_clear) struct buf b;
    buf_init(&b, 2 * SIZE);
    EXPECT_OK(fs_read_file(dir, "to", &b, &err), &err);
    REQUIRE(b.len == head + first + rest);
    for (size_t i = head; i < b.len; i++)
        if (b.data[i] != pattern(i - head + start)) {
            tap_fail(__FILE__, __LINE__, "byte %zu of a copy from %zu is wrong", i, start);
            break;
        }
}

static void copy_all_ways(void)
{
    copy_in_parts(0, SIZE);   /* all of it: where blocks can be shared, they are */
    copy_in_parts(0, 0);      /* nothing, then all */
    copy_in_parts(0, 500000); /* a part is never shared */
    copy_in_parts(12345, 70000);
    copy_in_parts(SIZE - 100, 7); /* few bytes */
}

TEST("bytes are copied at the offsets where the files are, and both move on")
{
    copy_all_ways();
}

static void without_kernel_copy(void)
{
    refuse(SCMP_SYS(copy_file_range), EXDEV);
    refuse(SCMP_SYS(ioctl), EOPNOTSUPP);
    copy_all_ways();
}

TEST("the same where the kernel does not copy")
{
    in_child(without_kernel_copy);
}

TEST("a file that ends early is CORRUPT and says where")
{
    static const uint64_t sizes[] = { SIZE + 1, 3 * MIB };
    for (size_t i = 0; i < 2; i++) {
        struct err err = { 0 };
        AUTO_FD int dir = open_dir();
        AUTO_FD int from = make_source(dir);
        AUTO_FD int to = openat(dir, "to", O_CREAT | O_RDWR | O_TRUNC | O_CLOEXEC, 0644);
        EXPECT_ERR(fs_copy_bytes(from, to, sizes[i], &err), &err, ERR_CORRUPT);
        EXPECT_CONTAINS(err.text, "ends after 1000003 of");
    }
}

TEST("an end that cannot be read or written says why")
{
    struct err err = { 0 };
    AUTO_FD int dir = open_dir();
    AUTO_FD int from = make_source(dir);
    AUTO_FD int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    EXPECT_ERR(fs_copy_bytes(from, full, SIZE, &err), &err, ERR_SYSTEM);
    EXPECT_STR(err.text, "copy: write: no space left on device");
    EXPECT_ERR(fs_copy_bytes(dir, full, 10, &err), &err, ERR_SYSTEM);
    EXPECT_STR(err.text, "copy: read: is a directory");
}

TEST("a pipe can be copied from")
{
    struct err err = { 0 };
    AUTO_FD int dir = open_dir();
    AUTO_FD int to = openat(dir, "to", O_CREAT | O_RDWR | O_CLOEXEC, 0644);
    int fd[2];
    REQUIRE(pipe(fd) == 0);
    EXPECT_INT(write(fd[1], "piped", 5), 5);
    close(fd[1]);
    EXPECT_OK(fs_copy_bytes(fd[0], to, 5, &err), &err);
    EXPECT_ERR(fs_copy_bytes(fd[0], to, 100000, &err), &err, ERR_CORRUPT);
    close(fd[0]);
}

TAP_MAIN()
