/* base/sys/fs_copy.c - moving the content of files, with the least work that the file system
 * offers. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "base/sys/fs.h"

/* Below SMALL a read and a write are quicker than asking for anything better. */
enum { SMALL = 64 * 1024, CHUNK = 256 * 1024 };

/* Shares the blocks when both files are at their start and all of `from_fd` is wanted. */
static bool clone_whole(int from_fd, int to_fd, uint64_t size)
{
    struct stat st;
    if (fstat(from_fd, &st) < 0 || (uint64_t)st.st_size != size || size > INT64_MAX ||
        lseek(from_fd, 0, SEEK_CUR) != 0 || lseek(to_fd, 0, SEEK_CUR) != 0)
        return false;
    if (ioctl(to_fd, FICLONE, from_fd) < 0)
        return false;
    return lseek(from_fd, (off_t)size, SEEK_SET) >= 0 && lseek(to_fd, (off_t)size, SEEK_SET) >= 0;
}

/* Lets the kernel copy as far as it will.  Whatever stops it, the caller goes on by hand, and meets
 * a real error again there. */
static uint64_t copy_in_kernel(int from_fd, int to_fd, uint64_t size)
{
    uint64_t done = 0;
    while (done < size) {
        uint64_t want = size - done < 1U << 30 ? size - done : 1U << 30;
        ssize_t n = copy_file_range(from_fd, NULL, to_fd, NULL, (size_t)want, 0);
        if (n <= 0)
            break;
        done += (uint64_t)n;
    }
    return done;
}

static int copy_by_hand(int from_fd, int to_fd, uint64_t done, uint64_t size, struct err *err)
{
    size_t cap = size - done < CHUNK ? (size_t)(size - done) : CHUNK;
    AUTO_FREE char *chunk = xmalloc(cap);
    while (done < size) {
        ssize_t n = read(from_fd, chunk, size - done < cap ? (size_t)(size - done) : cap);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, "copy: read");
        if (n == 0)
            return err_set(err, ERR_CORRUPT, "copy: ends after %" PRIu64 " of %" PRIu64 " bytes",
                           done, size);
        if (fs_write_all(to_fd, span_bytes(chunk, (size_t)n), err) < 0)
            return err_wrap(err, "copy");
        done += (uint64_t)n;
    }
    return 0;
}

int fs_copy_bytes(int from_fd, int to_fd, uint64_t size, struct err *err)
{
    if (size == 0)
        return 0;
    uint64_t done = 0;
    if (size >= SMALL) {
        if (clone_whole(from_fd, to_fd, size))
            return 0;
        done = copy_in_kernel(from_fd, to_fd, size);
    }
    return done < size ? copy_by_hand(from_fd, to_fd, done, size, err) : 0;
}
