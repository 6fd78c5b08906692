/* tests/unit/frontend/dockerfile/test_fixtures.c - whole Dockerfiles, read and compared with what
 * is written beside them: NAME.want holds the dump of NAME.Dockerfile, or the error it must give.
 */
#include "dump.h"
#include "fixture.h"

static void compare(const char *name, struct span text)
{
    size_t len;
    AUTO_FREE char *stem = xstrndup(name, strlen(name) - strlen(".Dockerfile"));
    AUTO_FREE char *want_name = xasprintf("%s.want", stem);
    AUTO_FREE char *want = fixture_read(want_name, &len);
    AUTO_FREE char *got = parse_and_dump(text);
    if (!want || strcmp(got, want) != 0)
        tap_fail(__FILE__, __LINE__, "%s gives\n%s\nexpected\n%s", name, got,
                 want ? want : "(no file)");
}

static void compare_read(const char *name, struct span text)
{
    if (!span_starts(span_of(name), "refuse-"))
        compare(name, text);
}

TEST("Dockerfiles as people write them are read whole")
{
    EXPECT(fixture_each("", "", compare_read) >= 20);
}

TEST("what BuildKit refuses is refused in its words, with the place and what to do")
{
    EXPECT(fixture_each("", "refuse-", compare) >= 40);
}

/* Every file cut off at every byte: no crash, and an error has a place or is about the whole. */
static void cut_off(const char *name, struct span text)
{
    (void)name;
    for (size_t n = 0; n < text.len; n++) {
        AUTO_FREE char *copy = xmalloc(n + 1); /* exact, so that a sanitizer sees a read past it */
        memcpy(copy, text.ptr, n);
        AUTO_FREE char *got = parse_and_dump(span_bytes(copy, n));
        EXPECT(got != NULL);
    }
}

TEST("a file that ends anywhere is read or refused")
{
    EXPECT(fixture_each("", "heredoc", cut_off) > 0);
    EXPECT(fixture_each("", "go", cut_off) > 0);
    EXPECT(fixture_each("", "windows", cut_off) > 0);
}

TAP_MAIN()
