/* tests/unit/frontend/dockerfile/test_directives.c - the lines at the top of a Dockerfile. */
#include "base/core/map.h"
#include "frontend/dockerfile/directives.h"
#include "frontend/dockerfile/syntax.h"

#include "base/core/mem.h"
#include "tap.h"

TEST("the frontend image is found in every form that BuildKit knows")
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        { "# syntax=docker/dockerfile:1\nFROM a\n", "docker/dockerfile:1" },
        { "#syntax=a", "a" },
        { "#\tSyNtAx = a b c\n", "a" },
        { "\xef\xbb\xbf# syntax=a\n", "a" },
        { "# escape=`\n# check=skip=all\n# syntax=a\r\n", "a" },
        { "#!/usr/bin/env x\n# syntax=a\n", "a" },
        { "// syntax=a\n{}\n", "a" },
        { "#!/x\n// escape=`\n// syntax=a\n", "a" },
        { "{\"syntax\": \"a/b:1\", \"x\": 1}", "a/b:1" },
        { "#!/x\n{\"syntax\": \"a\"}", "a" },
        { "{\"syntax\": 1}", "" },
        { "{\"other\": \"a\"}", "" },
        { "{not json", "" },
        { "[\"syntax\"]", "" },
        { "# comment\n# syntax=a\n", "" },
        { "\n# syntax=a\n", "" },
        { "FROM a\n# syntax=a\n", "" },
        { "# unknown=x\n# syntax=a\n", "" },
        { "// unknown=x\n// syntax=a\n", "" },
        { "# syntax=\n", "" },
        { "# syntax\n", "" },
        { "# 1syntax=a\n", "" },
        { "#!/x", "" },
        { "", "" },
    };
    AUTO(arena_free) struct arena *a = arena_new();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct source_lines where;
        EXPECT_STR(directives_find_syntax(span_of(rows[i].text), a, &where), rows[i].want);
        const char *found = strstr(rows[i].text, "syntax");
        int line = 1;
        for (const char *p = rows[i].text; p < found; p++)
            line += *p == '\n';
        if (rows[i].want[0])
            EXPECT_INT(where.first, line);
    }
}

TEST("directives end at the first line that is none")
{
    AUTO(arena_free) struct arena *a = arena_new();
    struct directives d;
    struct source_lines where;
    struct err err = { 0 };
    REQUIRE_OK(directives_parse(SPAN("# escape=`\n#syntax=x/y args here\n\n# check=error=true\n"),
                                a, &d, &where, &err),
               &err);
    EXPECT_INT(d.escape, '`');
    EXPECT_STR(d.syntax, "x/y");
    EXPECT_STR(d.syntax_args, "args here");
    EXPECT_INT(d.syntax_where.first, 2);
    EXPECT_INT(d.n_lines, 2);
    EXPECT(!d.fails_on_warnings);
    REQUIRE_OK(directives_parse(SPAN("FROM a"), a, &d, &where, &err), &err);
    EXPECT_INT(d.escape, '\\');
    EXPECT_STR(d.syntax, "");
    EXPECT_INT(d.n_lines, 0);
}

TEST("behind a #! line BuildKit looks for syntax and check alone")
{
    AUTO(arena_free) struct arena *a = arena_new();
    struct directives d;
    struct source_lines where;
    struct err err = { 0 };
    REQUIRE_OK(directives_parse(SPAN("#!/bin/x\n# escape=`\n# check=skip=all\nFROM a\n"), a, &d,
                                &where, &err),
               &err);
    EXPECT_INT(d.escape, '\\');
    EXPECT(directives_skips(&d, &check_rules[RULE_FROM_AS_CASING]));
    EXPECT_INT(d.n_lines, 3);
}

TEST("check options say which rules to skip")
{
    AUTO(arena_free) struct arena *a = arena_new();
    const struct check_rule *as = check_rule_find("FromAsCasing"),
                            *stage = check_rule_find("StageNameCasing"),
                            *other = check_rule_find("UndefinedVar"),
                            *experimental = check_rule_find("InvalidDefinitionDescription");
    struct directives d = { 0 };
    struct err err = { 0 };
    REQUIRE(as && stage && other && experimental && !check_rule_find("fromascasing"));
    EXPECT(!directives_skips(&d, as));
    EXPECT(directives_skips(&d, experimental));
    REQUIRE_OK(directives_parse_check("skip=FromAsCasing, StageNameCasing;error=1;"
                                      "experimental=InvalidDefinitionDescription",
                                      a, &d, &err),
               &err);
    EXPECT(d.fails_on_warnings);
    EXPECT(directives_skips(&d, as) && directives_skips(&d, stage));
    EXPECT(!directives_skips(&d, other) && !directives_skips(&d, experimental));
    REQUIRE_OK(directives_parse_check("skip=all", a, &d, &err), &err);
    EXPECT(directives_skips(&d, other));
    EXPECT(!directives_skips(&d, experimental)); /* who asks for one hears it */
    REQUIRE_OK(directives_parse_check("error=false;skip=;experimental=Other", a, &d, &err), &err);
    EXPECT(!d.fails_on_warnings);
    EXPECT(!directives_skips(&d, other) && directives_skips(&d, experimental));
    REQUIRE_OK(directives_parse_check("experimental=all", a, &d, &err), &err);
    EXPECT(!directives_skips(&d, experimental));
    EXPECT_ERR(directives_parse_check("", a, &d, &err), &err, ERR_INVALID);
    EXPECT_STR(err.text, "invalid check option \"\"");
}

TEST("every build check has a name, a description and a page of its own")
{
    struct map seen = { 0 };
    for (size_t i = 0; i < N_CHECK_RULES; i++) {
        const struct check_rule *rule = &check_rules[i];
        EXPECT(check_rule_find(rule->name) == rule && rule->description[0]);
        EXPECT(!map_has(&seen, rule->name) && !map_has(&seen, rule->url));
        map_set(&seen, rule->name, NULL);
        map_set(&seen, rule->url, NULL);
        EXPECT_INT(rule->is_experimental, i == RULE_INVALID_DEFINITION_DESCRIPTION);
    }
    EXPECT_INT(N_CHECK_RULES, 22);
    map_clear(&seen);
}

/* Rows: an image, whether it is the front end that is built in. */
TEST("docker/dockerfile is this front end, from wherever it comes")
{
    static const struct {
        const char *image;
        bool is_ours;
    } rows[] = {
        { "docker/dockerfile", true },
        { "docker/dockerfile:1", true },
        { "docker/dockerfile:1.7-labs", true },
        { "docker.io/docker/dockerfile:1.7-labs", true },
        { "docker/dockerfile-upstream:master", true },
        { "mirror.example.com:5000/hub/docker/dockerfile:1", true },
        { "docker/dockerfile:1@sha256:"
          "1111111111111111111111111111111111111111111111111111111111111111",
          true },
        { "dockerfile.v0", true },
        { "docker/dockerfile-other", false },
        { "dockerfile", false },
        { "mydocker/dockerfile", false },
        { "docker/dockerfile/more", false },
        { "ghcr.io/x/frontend:1", false },
        { "Not:An:Image", false },
        { "", false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (syntax_is_dockerfile(rows[i].image) != rows[i].is_ours)
            tap_fail(__FILE__, __LINE__, "%s", rows[i].image);
}

/* Rows: BUILDKIT_SYNTAX, the file, the line and the error; NULL: taken. */
TEST("another front end is refused, wherever the file asks for it")
{
    static const struct {
        const char *arg, *text;
        int line;
        const char *want;
    } rows[] = {
        { NULL, "FROM a\n", 0, NULL },
        { NULL, "# syntax=docker/dockerfile:1\nFROM a\n", 0, NULL },
        { NULL, "# escape=`\n# syntax=a/b:1 more\n", 2, "# syntax=a/b:1: " },
        { NULL, "// syntax=a/b:1\n{}", 1, "# syntax=a/b:1: " },
        { NULL, "#!/x\n{\"syntax\":\"a/b\"}", 2, "# syntax=a/b: " },
        { "docker/dockerfile:1 x", "# syntax=a/b:1\n", 0, NULL },
        { "a/b:2 x", "# syntax=docker/dockerfile:1\n", 0, "BUILDKIT_SYNTAX=a/b:2: " },
        { "", "FROM a\n", 0, "BUILDKIT_SYNTAX=: " },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct source_lines where;
        struct err err = { 0 };
        int status = syntax_check(span_of(rows[i].text), rows[i].arg, &where, &err);
        EXPECT_INT(status, rows[i].want ? -1 : 0);
        EXPECT_INT(where.first, rows[i].line);
        if (!rows[i].want)
            continue;
        EXPECT_INT(err.kind, ERR_UNSUPPORTED);
        EXPECT(span_starts(span_of(err.text), rows[i].want) && err.hint[0]);
    }
}

TAP_MAIN()
