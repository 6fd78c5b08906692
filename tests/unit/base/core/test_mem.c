#include "base/core/mem.h"

#include <errno.h>
#include <fcntl.h>

#include "dies.h"
#include "tap.h"

static volatile size_t huge = SIZE_MAX;

static void add_too_much(void)
{
    (void)size_add(huge, 1);
}

static void multiply_too_much(void)
{
    (void)size_mul(huge / 2, 3);
}

static void allocate_too_many(void)
{
    free(xcalloc(huge / 2, 4));
}

TEST("a sum or product that does not fit ends the program")
{
    EXPECT(dies(add_too_much));
    EXPECT(dies(multiply_too_much));
    EXPECT_INT(size_add(huge - 1, 1), huge);
    EXPECT_INT(size_mul(huge / 2, 2), huge - 1);
    EXPECT_INT(size_mul(0, huge), 0);
}

TEST("an array whose size does not fit ends the program")
{
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
    SKIP("the sanitizer's allocator ends the program in its own way");
#endif
    EXPECT(dies(allocate_too_many));
}

TEST("format sizes that do not fit are told, and leave the result alone")
{
    uint64_t out = 7;
    EXPECT(!u64_add(UINT64_MAX, 1, &out));
    EXPECT_INT(out, 7);
    EXPECT(u64_add(UINT64_MAX - 1, 1, &out));
    EXPECT(out == UINT64_MAX);
}

TEST("nothing is something: size 0 gives memory, zeroed where promised")
{
    AUTO_FREE void *a = xmalloc(0), *b = xrealloc(NULL, 0);
    AUTO_FREE char *c = xcalloc(0, 8), *d = xcalloc(3, 5);
    EXPECT(a && b && c);
    EXPECT(memcmp(d, (char[15]){ 0 }, 15) == 0);
}

TEST("copies and formats are NUL-terminated")
{
    AUTO_FREE char *whole = xstrdup("layer"), *part = xstrndup("layer", 3);
    AUTO_FREE char *more = xstrndup("lay", 9), *text = xasprintf("%s-%d", "a", 12);
    EXPECT_STR(whole, "layer");
    EXPECT_STR(part, "lay");
    EXPECT_STR(more, "lay");
    EXPECT_STR(text, "a-12");
    EXPECT(xstrdup_or_null(NULL) == NULL);
}

TEST("the end of a scope closes and frees, and keeps errno")
{
    int seen = -1;
    errno = 42;
    {
        AUTO_FREE char *text = xstrdup("x");
        AUTO_FD int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        AUTO_FD int none = -1;
        (void)text, (void)none;
        seen = fd;
        errno = 42;
    }
    EXPECT_INT(errno, 42);
    REQUIRE(seen >= 0);
    EXPECT_INT(fcntl(seen, F_GETFD), -1);
}

TEST("what was stolen survives the scope")
{
    char *out = NULL;
    int out_fd = -1;
    {
        AUTO_FREE char *text = xstrdup("kept");
        AUTO_FD int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        out = STEAL(text);
        out_fd = STEAL_FD(fd);
        EXPECT(!text && fd == -1);
    }
    EXPECT_STR(out, "kept");
    EXPECT_INT(fcntl(out_fd, F_GETFD), FD_CLOEXEC);
    close(out_fd);
    free(out);
}

TAP_MAIN()
