/* tests/unit/frontend/dockerfile/test_ignore.c - lines of .dockerignore. */
#include "frontend/dockerfile/ignore.h"

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "tap.h"

TEST("lines are cleaned and keep their numbers")
{
    static const char text[] = "\xef\xbb\xbf# a comment\n"
                               "node_modules\r\n"
                               "\n"
                               "  /dist/  \n"
                               " # no comment\n"
                               "!dist//keep/./x\n"
                               "! /b\n"
                               "**/*.log\n"
                               "../up\n"
                               ".\n"
                               "/";
    static const struct pattern_line want[] = {
        { "node_modules", 2 }, { "dist", 4 }, { "# no comment", 5 },
        { "!dist/keep/x", 6 }, { "!b", 7 },   { "**/*.log", 8 },
        { "../up", 9 },        { ".", 10 },   { "/", 11 },
    };
    struct err err = { 0 };
    struct ignore_rules rules;
    AUTO(arena_free) struct arena *a = arena_new();
    REQUIRE_OK(ignore_parse(span_of(text), ".dockerignore", a, &rules, &err), &err);
    REQUIRE(rules.n == sizeof want / sizeof *want);
    for (size_t i = 0; i < rules.n; i++) {
        EXPECT_STR(rules.lines[i].text, want[i].text);
        EXPECT_INT(rules.lines[i].line, want[i].line);
    }
}

TEST("an empty file has no rules")
{
    struct err err = { 0 };
    struct ignore_rules rules;
    AUTO(arena_free) struct arena *a = arena_new();
    REQUIRE_OK(ignore_parse(SPAN(""), ".dockerignore", a, &rules, &err), &err);
    EXPECT_INT(rules.n, 0);
    REQUIRE_OK(ignore_parse(SPAN("\n\n# x\n"), ".dockerignore", a, &rules, &err), &err);
    EXPECT_INT(rules.n, 0);
}

TEST("a line that means nothing is refused with its place")
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        { "a\n!\n", ".dockerignore:2: illegal exclusion pattern: \"!\"" },
        { "\n\n! \n", ".dockerignore:3: illegal exclusion pattern: \"!\"" },
        { "[a\n", ".dockerignore:1: pattern \"[a\": syntax error in pattern" },
        { "a\\\n", ".dockerignore:1: pattern \"a\\\": syntax error in pattern" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = { 0 };
        struct ignore_rules rules;
        AUTO(arena_free) struct arena *a = arena_new();
        EXPECT_ERR(ignore_parse(span_of(rows[i].text), ".dockerignore", a, &rules, &err), &err,
                   ERR_INVALID);
        EXPECT_STR(err.text, rows[i].want);
        EXPECT(err.hint[0]);
    }
}

TEST("a line or a file that is too long is refused")
{
    struct err err = { 0 };
    struct ignore_rules rules;
    AUTO(arena_free) struct arena *a = arena_new();
    AUTO_FREE char *line = xmalloc(LIMIT_PATH + 2);
    memset(line, 'a', LIMIT_PATH + 1);
    line[LIMIT_PATH + 1] = '\0';
    EXPECT_ERR(ignore_parse(span_of(line), ".dockerignore", a, &rules, &err), &err, ERR_LIMIT);
    EXPECT_ERR(
        ignore_parse(span_bytes(line, LIMIT_IGNORE_FILE + 1), ".dockerignore", a, &rules, &err),
        &err, ERR_LIMIT);
}

TAP_MAIN()
