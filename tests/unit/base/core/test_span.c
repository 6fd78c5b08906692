#include "base/core/span.h"

#include "base/core/mem.h"
#include "tap.h"

#define EXPECT_SPAN(got, want)                                                                     \
    do {                                                                                           \
        struct span span_ = (got);                                                                 \
        if (!span_is(span_, want))                                                                 \
            tap_fail(__FILE__, __LINE__, "%s is \"%.*s\", expected \"%s\"", #got, SPAN_ARG(span_), \
                     want);                                                                        \
    } while (0)

static const struct span none = { 0 };

TEST("the empty span answers everything")
{
    EXPECT_INT(span_of(NULL).len, 0);
    EXPECT(span_equal(none, SPAN("")));
    EXPECT(span_is(none, ""));
    EXPECT(span_starts(none, "") && !span_starts(none, "a"));
    EXPECT(span_ends(none, "") && !span_ends(none, "a"));
    EXPECT_SPAN(span_skip(none, 3), "");
    EXPECT_SPAN(span_first(none, 3), "");
    EXPECT_SPAN(span_trim(none), "");
    EXPECT_INT(span_find(none, 'a'), -1);
    EXPECT_INT(span_rfind(none, 'a'), -1);
    AUTO_FREE char *copy = span_dup(none);
    EXPECT_STR(copy, "");
}

TEST("comparison is of bytes, NUL included")
{
    EXPECT(span_equal(SPAN("a\0b"), span_bytes("a\0b", 3)));
    EXPECT(!span_equal(SPAN("a\0b"), SPAN("a\0c")));
    EXPECT(!span_is(SPAN("a\0b"), "a"));
    EXPECT(span_starts(SPAN("sha256:ab"), "sha256:"));
    EXPECT(!span_starts(SPAN("sha"), "sha256:"));
    EXPECT(span_ends(SPAN("x.tar.gz"), ".gz"));
    EXPECT(!span_ends(SPAN("gz"), ".gz"));
}

TEST("cutting past the end gives what there is")
{
    EXPECT_SPAN(span_skip(SPAN("layer"), 2), "yer");
    EXPECT_SPAN(span_skip(SPAN("layer"), 9), "");
    EXPECT_SPAN(span_first(SPAN("layer"), 2), "la");
    EXPECT_SPAN(span_first(SPAN("layer"), SIZE_MAX), "layer");
    EXPECT_SPAN(span_trim(SPAN(" \t\r\na b\n ")), "a b");
    EXPECT_SPAN(span_trim(SPAN(" \n ")), "");
    EXPECT_INT(span_find(SPAN("a/b/c"), '/'), 1);
    EXPECT_INT(span_rfind(SPAN("a/b/c"), '/'), 3);
}

TEST("a list is cut at its separators, an empty last item told from the end")
{
    struct span rest = SPAN("a,,b,");
    EXPECT_SPAN(span_cut(&rest, ','), "a");
    EXPECT_SPAN(span_cut(&rest, ','), "");
    EXPECT_SPAN(span_cut(&rest, ','), "b");
    EXPECT(rest.ptr && rest.len == 0);
    EXPECT_SPAN(span_cut(&rest, ','), "");
    EXPECT(!rest.ptr && rest.len == 0);
}

TEST("numbers are decimal digits within bounds")
{
    static const struct {
        const char *text;
        uint64_t max, want;
        bool is_number;
    } rows[] = {
        { "0", 0, 0, true },
        { "007", 7, 7, true },
        { "8", 7, 0, false },
        { "18446744073709551615", UINT64_MAX, UINT64_MAX, true },
        { "18446744073709551616", UINT64_MAX, 0, false },
        { "99999999999999999999999", UINT64_MAX, 0, false },
        { "", 9, 0, false },
        { "-1", 9, 0, false },
        { "+1", 9, 0, false },
        { " 1", 9, 0, false },
        { "1 ", 9, 0, false },
        { "0x1", 9, 0, false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t got = 42;
        bool is_number = span_u64(span_of(rows[i].text), rows[i].max, &got);
        if (is_number != rows[i].is_number || got != (is_number ? rows[i].want : 42))
            tap_fail(__FILE__, __LINE__, "\"%s\" gave %d, %ju", rows[i].text, is_number,
                     (uintmax_t)got);
    }
}

TEST("true and false are Go's words for them, and no others")
{
    static const char *const good[] = { "1", "t", "T", "true", "TRUE", "True" },
                             *const bad[] = { "0", "f", "F", "false", "FALSE", "False" },
                             *const neither[] = { "", "yes", "tRUE", "2", "true " };
    for (size_t i = 0; i < 6; i++) {
        bool value = false;
        EXPECT(span_bool(span_of(good[i]), &value) && value);
        EXPECT(span_bool(span_of(bad[i]), &value) && !value);
    }
    for (size_t i = 0; i < sizeof neither / sizeof *neither; i++) {
        bool value = true;
        EXPECT(!span_bool(span_of(neither[i]), &value) && value);
    }
}

TAP_MAIN()
