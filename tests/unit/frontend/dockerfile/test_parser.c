/* tests/unit/frontend/dockerfile/test_parser.c - lines, places, limits, excerpts. */
#include "frontend/dockerfile/parser.h"

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "dump.h"

TEST("the raw level keeps what was written")
{
    AUTO(arena_free) struct arena *a = arena_new();
    struct raw_dockerfile raw;
    struct source_lines where;
    struct err err = { 0 };
    REQUIRE_OK(
        dockerfile_split(SPAN("# c\n  fRom  --platform=x \"--y=a b\" z as w  \nfoo bar \\\n\n"
                              "  # no\n baz \\\n"),
                         "D", a, &raw, &where, &err),
        &err);
    REQUIRE(raw.n == 2);
    EXPECT_STR(raw.items[0].name, "fRom");
    EXPECT_STR(raw.items[0].text, "fRom  --platform=x \"--y=a b\" z as w");
    EXPECT_STR(raw.items[0].line, "fRom  --platform=x \"--y=a b\" z as w  ");
    EXPECT_STR(raw.items[0].args, "\"--y=a b\" z as w");
    EXPECT_INT(raw.items[0].flags.n, 1);
    EXPECT_STR(raw.items[0].flags.items[0], "--platform=x");
    EXPECT_STR(raw.items[0].comment, "c");
    EXPECT_INT(raw.items[0].where.first, 2);
    EXPECT_STR(raw.items[1].text, "foo bar  baz");
    EXPECT_INT(raw.items[1].where.first, 3);
    EXPECT_INT(raw.items[1].where.last, 6);
    EXPECT_INT(raw.warnings.n, 1);
    EXPECT_STR(raw.warnings.items[0].rule, "NoEmptyContinuation");
    EXPECT_INT(raw.warnings.items[0].where.first, 6);
}

TEST("flags lose their quotes and end at the first word that is none, or at --")
{
    static const struct {
        const char *line, *flags, *args;
    } rows[] = {
        { "RUN --a --b=c d --e", "--a|--b=c|", "d --e" },
        { "RUN --a='x y' \"z\"", "--a=x y|", "\"z\"" },
        { "RUN --a=\\\"x\\ y z", "--a=\"x y|", "z" },
        { "RUN --a=\"x\\\"y\" z", "--a=x\"y|", "z" },
        { "RUN --a=x\\", "--a=x|", "" },
        { "RUN --a -- --b c", "--a|", "--b c" },
        { "RUN --", "", "" },
        { "RUN -a b", "", "-a b" },
        { "RUN --a='x", "--a=x|", "" },
        { "RUN --a", "--a|", "" },
        { "RUN --\u00e9=\u00fc\u00a0x", "--\u00e9=\u00fc|", "x" },
    };
    AUTO(arena_free) struct arena *a = arena_new();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct raw_dockerfile raw;
        struct source_lines where;
        struct err err = { 0 };
        /* A line feed keeps a backslash at the end from being a continuation of nothing. */
        REQUIRE_OK(dockerfile_split(span_of(rows[i].line), "D", a, &raw, &where, &err), &err);
        struct buf flags;
        buf_init(&flags, MIB);
        buf_puts(&flags, "");
        for (size_t k = 0; k < raw.items[0].flags.n; k++)
            buf_printf(&flags, "%s|", raw.items[0].flags.items[k]);
        EXPECT_STR(flags.data ? flags.data : "", rows[i].flags);
        EXPECT_STR(raw.items[0].args, rows[i].args);
        buf_clear(&flags);
    }
}

static char *repeat(const char *head, const char *part, size_t n, const char *tail)
{
    struct buf b;
    buf_init(&b, 64 * MIB);
    buf_puts(&b, head);
    for (size_t i = 0; i < n; i++)
        buf_puts(&b, part);
    buf_puts(&b, tail);
    return buf_take(&b);
}

static void expect_refused(const char *text, size_t len, const char *want)
{
    AUTO(dockerfile_free) struct dockerfile *df = NULL;
    struct source_lines where;
    struct err err = { 0 };
    EXPECT_ERR(dockerfile_parse(span_bytes(text, len), "Dockerfile", &df, &where, &err), &err,
               ERR_LIMIT);
    EXPECT_STR(err.text, want);
}

TEST("a line may have 65535 bytes and no more, wherever it stands")
{
    AUTO_FREE char *fits = repeat("FROM a\nRUN ", "x", 65531, "\n");
    AUTO(dockerfile_free) struct dockerfile *df = NULL;
    struct source_lines where;
    struct err err = { 0 };
    EXPECT_OK(dockerfile_parse(span_of(fits), "D", &df, &where, &err), &err);
    static const char why[] = "dockerfile line greater than max allowed size of 65535";
    AUTO_FREE char *line = repeat("FROM a\nRUN ", "x", 65532, "\n");
    AUTO_FREE char *continued = repeat("FROM a\nRUN \\\n", "x", 65536, "\nRUN b");
    AUTO_FREE char *body = repeat("FROM a\nRUN <<E\n", "x", 65536, "\nE\n");
    AUTO_FREE char *at_2 = xasprintf("Dockerfile:2: %s", why);
    AUTO_FREE char *at_3 = xasprintf("Dockerfile:3: %s", why);
    expect_refused(line, strlen(line), at_2);
    expect_refused(continued, strlen(continued), at_3);
    expect_refused(body, strlen(body), at_3);
}

TEST("there is a ceiling for instructions, for heredocs and for the file")
{
    AUTO_FREE char *docs = repeat("FROM a\nRUN x", " <<a", 1001, "");
    expect_refused(docs, strlen(docs), "Dockerfile:2: more than 1000 heredocs");
    AUTO_FREE char *many = repeat("FROM a\n", "CMD\n", 20000, "");
    expect_refused(many, strlen(many), "Dockerfile:20001: more than 20000 instructions");
    AUTO_FREE char *large = repeat("FROM a\n", "# 3456789012345678901234567890\n", 300000, "");
    expect_refused(large, strlen(large), "Dockerfile: larger than 8388608 bytes");
}

TEST("an excerpt shows the lines around, the wrong ones marked")
{
    static const struct {
        const char *text;
        struct source_lines where;
        const char *want;
    } rows[] = {
        { "a\nb\nc\n", { 2, 2 }, "D:2\n   1 |     a\n   2 | >>> b\n   3 |     c\n" },
        { "a\nb\nc", { 1, 3 }, "D:1\n   1 | >>> a\n   2 | >>> b\n   3 | >>> c\n" },
        { "1\n2\n3\n4\r\n5\n6\n7\n",
          { 4, 4 },
          "D:4\n   2 |     2\n   3 |     3\n   4 | >>> 4\n   5 |     5\n   6 |     6\n" },
        { "a\n\nb\n", { 2, 2 }, "D:2\n   1 |     a\n   2 | >>>\n   3 |     b\n" },
        { "a\n", { 0, 0 }, "" },
        { "a\n", { 9, 9 }, "" },
        { "a\n", { 2, 1 }, "" },
        { "", { 1, 1 }, "" },
        { "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n16\n17\n18\n19\n20\n21\n22\n23\n24\n",
          { 1, 23 },
          "D:1\n   1 | >>> 1\n   2 | >>> 2\n   3 | >>> 3\n   4 | >>> 4\n   5 | >>> 5\n"
          "   6 | >>> 6\n   7 | >>> 7\n   8 | >>> 8\n   9 | >>> 9\n  10 | >>> 10\n"
          "  11 | >>> 11\n  12 | >>> 12\n  13 | >>> 13\n  14 | >>> 14\n  15 | >>> 15\n"
          "  16 | >>> 16\n  17 | >>> 17\n  18 | >>> 18\n  19 | >>> 19\n  20 | >>> 20\n"
          "     | ...\n  23 | >>> 23\n  24 |     24\n" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf out;
        buf_init(&out, MIB);
        dockerfile_excerpt(span_of(rows[i].text), "D", rows[i].where, &out);
        EXPECT_STR(out.data ? out.data : "", rows[i].want);
        buf_clear(&out);
    }
    AUTO_FREE char *wide = repeat("", "x", 300, "\n");
    AUTO_FREE char *want = repeat("D:1\n   1 | >>> ", "x", 200, "...\n");
    struct buf out;
    buf_init(&out, MIB);
    dockerfile_excerpt(span_of(wide), "D", (struct source_lines){ 1, 1 }, &out);
    EXPECT_STR(out.data, want);
    buf_clear(&out);
}

TEST("stray escapes at the end are forgiven, and one that is alone is no instruction")
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        { "FROM a\nRUN b \\", "1-1 FROM base=\"a\"\n  2-2 RUN shell-form args=[\"b\"]\n" },
        { "FROM a\nRUN b\\\n\n\n", "1-1 FROM base=\"a\"\n  2-4 RUN shell-form args=[\"b\"]\n"
                                   "warning 4-4 NoEmptyContinuation: Empty continuation line\n" },
        { "FROM a\n\\\nRUN b\n", "1-1 FROM base=\"a\"\n  2-3 RUN shell-form args=[\"b\"]\n" },
        { "FROM a\nRUN \\\n  # x\n", "1-1 FROM base=\"a\"\n  2-3 RUN shell-form\n" },
        { "FROM a\n\\\n",
          "error: Dockerfile:2: unknown instruction: \n"
          "hint: a line that goes on needs a backslash at the end of the line above\n"
          "Dockerfile:2\n   1 |     FROM a\n   2 | >>> \\\n" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO_FREE char *got = parse_and_dump(span_of(rows[i].text));
        EXPECT_STR(got, rows[i].want);
    }
}

TAP_MAIN()
