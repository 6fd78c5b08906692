/* tests/unit/frontend/dockerfile/test_directives.c - the lines at the top of a Dockerfile. */
#include "frontend/dockerfile/directives.h"

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
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        EXPECT_STR(directives_find_syntax(span_of(rows[i].text), a), rows[i].want);
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

TEST("check options say which rules to skip")
{
    AUTO(arena_free) struct arena *a = arena_new();
    struct directives d = { 0 };
    struct err err = { 0 };
    EXPECT(!directives_skips(&d, "FromAsCasing", false));
    EXPECT(directives_skips(&d, "CopyIgnoredFile", true));
    REQUIRE_OK(directives_parse_check("skip=FromAsCasing, StageNameCasing;error=1;experimental=Exp",
                                      a, &d, &err),
               &err);
    EXPECT(d.fails_on_warnings);
    EXPECT(directives_skips(&d, "FromAsCasing", false));
    EXPECT(directives_skips(&d, "StageNameCasing", false));
    EXPECT(!directives_skips(&d, "Other", false));
    EXPECT(!directives_skips(&d, "Exp", true));
    EXPECT(directives_skips(&d, "Exp2", true));
    REQUIRE_OK(directives_parse_check("skip=all", a, &d, &err), &err);
    EXPECT(directives_skips(&d, "Other", false));
    REQUIRE_OK(directives_parse_check("error=false;skip=;experimental=all", a, &d, &err), &err);
    EXPECT(!d.fails_on_warnings);
    EXPECT(!directives_skips(&d, "Other", true));
    EXPECT_ERR(directives_parse_check("", a, &d, &err), &err, ERR_INVALID);
    EXPECT_STR(err.text, "invalid check option \"\"");
}

TAP_MAIN()
