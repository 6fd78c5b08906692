#include "base/core/arena.h"

#include "tap.h"

TEST("every allocation is zeroed, aligned to 16 and its own")
{
    AUTO(arena_free) struct arena *a = arena_new();
    enum { N = 3000 };
    static unsigned char *parts[N];
    for (size_t i = 0; i < N; i++) {
        size_t size = (i * 37) % 700;
        parts[i] = arena_alloc(a, size);
        EXPECT_INT((uintptr_t)parts[i] % 16, 0);
        for (size_t k = 0; k < size; k++)
            if (parts[i][k] != 0)
                tap_fail(__FILE__, __LINE__, "byte %zu of allocation %zu is not zero", k, i);
        memset(parts[i], (int)(i & 0xff), size);
    }
    for (size_t i = 0; i < N; i++)
        for (size_t k = 0; k < (i * 37) % 700; k++)
            if (parts[i][k] != (i & 0xff))
                tap_fail(__FILE__, __LINE__, "allocation %zu was written over", i);
}

TEST("an allocation may be larger than any block, and small ones go on after it")
{
    AUTO(arena_free) struct arena *a = arena_new();
    char *small = arena_strdup(a, "small");
    char *large = arena_alloc(a, 10 * 1024 * 1024);
    memset(large, 'x', 10 * 1024 * 1024);
    char *after = arena_strdup(a, "after");
    EXPECT_STR(small, "small");
    EXPECT_STR(after, "after");
    EXPECT(after > small && after - small < 4096); /* the first block was not given up */
}

TEST("texts are copied, cut and printed")
{
    AUTO(arena_free) struct arena *a = arena_new();
    EXPECT_STR(arena_strdup(a, ""), "");
    EXPECT_STR(arena_strndup(a, "manifest", 4), "mani");
    EXPECT_STR(arena_strndup(a, "ab", 9), "ab");
    EXPECT_STR(arena_strndup(a, NULL, 0), "");
    EXPECT_STR(arena_printf(a, "%s:%d", "tag", 5), "tag:5");
}

TEST("freeing nothing is fine")
{
    arena_free(NULL);
    arena_free(arena_new());
}

TAP_MAIN()
