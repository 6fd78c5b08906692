/* tests/unit/base/codec/test_pattern.c - path patterns: Go's filepath.Match and lists with their
 * rules of precedence. */
#include "base/codec/pattern.h"

#include "base/core/mem.h"
#include "tap.h"

/* The rows that Go's documentation and its own behaviour settle. */
TEST("one pattern matches as Go's filepath.Match does")
{
    static const struct {
        const char *pattern, *name;
        bool matches;
    } rows[] = {
        { "abc", "abc", true },
        { "abc", "abcd", false },
        { "", "", true },
        { "", "a", false },
        { "*", "abc", true },
        { "*", "", true },
        { "*c", "abc", true },
        { "a*", "a", true },
        { "a*", "ab/c", false },
        { "a*/b", "abc/b", true },
        { "a*/b", "a/c/b", false },
        { "a*b*c*d*e*/f", "axbxcxdxe/f", true },
        { "a*b*c*d*e*/f", "axbxcxdxexxx/f", true },
        { "a*b*c*d*e*/f", "axbxcxdxe/xxx/f", false },
        { "a*b?c*x", "abxbbxdbxebxczzx", true },
        { "a*b?c*x", "abxbbxdbxebxczzy", false },
        { "**", "ab", true },
        { "a**b", "a/b", false },
        { "a?b",
          "a\xe2\x98\xba"
          "b",
          true },
        { "a???b",
          "a\xe2\x98\xba"
          "b",
          false },
        { "a[^a]b",
          "a\xe2\x98\xba"
          "b",
          true },
        { "a[^a][^a][^a]b",
          "a\xe2\x98\xba"
          "b",
          false },
        { "?", "/", false },
        { "a?b", "a/b", false },
        { "a*b", "a/b", false },
        { "ab[c]", "abc", true },
        { "ab[b-d]", "abc", true },
        { "ab[e-g]", "abc", false },
        { "ab[^c]", "abc", false },
        { "ab[^b-d]", "abc", false },
        { "ab[^e-g]", "abc", true },
        { "a\\*b", "a*b", true },
        { "a\\*b", "ab", false },
        { "[a-\xce\xb6]*", "\xce\xb1", true },
        { "*[a-\xce\xb6]", "A", false },
        { "[\\]a]", "]", true },
        { "[\\-]", "-", true },
        { "[x\\-]", "x", true },
        { "[x\\-]", "z", false },
        { "[\\-x]", "-", true },
        { "[[]", "[", true },
        { "*x", "xxx", true },
        { "[*?]", "*", true },
        { "[*?]", "a", false },
        { "\xff", "\xff", true },
        { "?", "\xff", true },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = { 0 };
        EXPECT_OK(pattern_check(rows[i].pattern, &err), &err);
        if (pattern_match(rows[i].pattern, rows[i].name) != rows[i].matches)
            tap_fail(__FILE__, __LINE__, "\"%s\" with \"%s\" should%s match", rows[i].pattern,
                     rows[i].name, rows[i].matches ? "" : " not");
    }
}

TEST("a pattern with broken syntax is refused and matches nothing")
{
    static const char *const rows[] = { "[",       "[]",  "[]a]", "[-]",   "[x-]", "[-x]",
                                        "[a-b-c]", "a[",  "[^",   "[^bc",  "[a-]", "\\",
                                        "a\\",     "[\\", "[a\\", "[x-\\", "x[",   "[a-b-]" };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = { 0 };
        struct pattern_list *list = NULL;
        EXPECT_ERR(pattern_check(rows[i], &err), &err, ERR_INVALID);
        EXPECT_CONTAINS(err.text, "syntax error in pattern");
        EXPECT(!pattern_match(rows[i], "a"));
        EXPECT_ERR(pattern_list_of(&rows[i], 1, &list, &err), &err, ERR_INVALID);
        EXPECT_CONTAINS(err.text, "line 1: ");
    }
}

TEST("paths are cleaned as Go does")
{
    static const struct {
        const char *path, *want;
    } rows[] = {
        { "", "." },
        { ".", "." },
        { "a//b/", "a/b" },
        { "./a/./b", "a/b" },
        { "a/../b", "b" },
        { "../../a", "../../a" },
        { "a/../../b", "../b" },
        { "/", "/" },
        { "//", "/" },
        { "/../a", "/a" },
        { "/a/b/../..", "/" },
        { "a/..", "." },
        { "abc/./../def", "def" },
        { "abc/def/..", "abc" },
        { "..", ".." },
        { "/.", "/" },
        { "../a/..", ".." },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO_FREE char *got = pattern_clean(span_of(rows[i].path));
        EXPECT_STR(got, rows[i].want);
    }
}

TEST("wildcards are told from plain names")
{
    EXPECT(pattern_has_wildcard("a*") && pattern_has_wildcard("?") && pattern_has_wildcard("[a]"));
    EXPECT(pattern_has_wildcard("a\\b"));
    EXPECT(!pattern_has_wildcard("a/b.c") && !pattern_has_wildcard(""));
}

/* A list of lines, one per '\n'. */
static struct pattern_list *list_of(const char *text)
{
    struct pattern_line lines[16];
    AUTO_FREE char *copy = xstrdup(text);
    size_t n = 0;
    for (char *rest = copy, *line; (line = strsep(&rest, "\n"));) {
        lines[n] = (struct pattern_line){ .text = line, .line = (int)n + 1 };
        n++;
    }
    struct pattern_list *list = NULL;
    struct err err = { 0 };
    EXPECT_OK(pattern_list_new(lines, n, &list, &err), &err);
    return list;
}

TEST("a list excludes what its last matching line says")
{
    static const struct {
        const char *lines, *path;
        int line; /* that decides; 0 none; negative: it takes back in */
    } rows[] = {
        /* ** is any number of folders */
        { "**", "file", 1 },
        { "**", "dir/file", 1 },
        { "**/", "file", 1 },
        { "**/", "dir/file", 1 },
        { "**/**", "dir/file", 1 },
        { "dir/**", "dir/file", 1 },
        { "dir/**", "dir/dir2/file", 1 },
        { "dir/**", "dir", 0 },
        { "**/dir", "dir", 1 },
        { "**/dir", "a/b/dir", 1 },
        { "**/dir", "a/dirx", 0 },
        { "**/dir2/*", "dir/dir2/file", 1 },
        { "**/dir2/**", "dir/dir2/dir2/file", 1 },
        { "**/file", "dir/dir/file", 1 },
        { "**/file*", "dir/file.txt", 1 },
        { "**/*.go", "a.go", 1 },
        { "**/*.go", "a/b.go", 1 },
        { "a/**/b", "a/b", 1 },
        { "a/**/b", "a/x/y/b", 1 },
        { "a/**/b", "ab", 0 },
        { "a**b", "ab", 1 },
        { "a**/b", "a/x/b", 1 },
        { "foo**bar", "fooXbar", 0 },
        /* one * stays in its folder, a folder takes its content with it */
        { "a*", "abc/d", 1 },
        { "*", "a/b/c", 1 },
        { "*/*", "a", 0 },
        { "*/*", "a/b/c", 1 },
        { "docs", "docs/a/b", 1 },
        { "docs", "docsx", 0 },
        { "docs/a", "docs", 0 },
        { "a.b", "axb", 0 },
        { "a(b)+{c}|$", "a(b)+{c}|$", 1 },
        { "a\\*b", "a*b", 1 },
        { "a\\*b", "axb", 0 },
        { "[a-c]?", "b1", 1 },
        { "x[^a]y", "x/y", 1 },
        /* lines are cleaned */
        { " docs ", "docs", 1 },
        { "/docs", "docs", 1 },
        { "./docs//a/", "docs/a", 1 },
        { "a/../b", "b", 1 },
        { "! docs", "docs", -1 },
        { ".", "a", 0 },
        { "/", "a", 0 },
        { "", "a", 0 },
        /* the last one wins */
        { "docs\n!docs/README.md", "docs/a", 1 },
        { "docs\n!docs/README.md", "docs/README.md", -2 },
        { "docs\n!docs/README.md\ndocs/README.md", "docs/README.md", 3 },
        { "docs\n!docs", "docs/a/b", -2 },
        { "*.md\n!README*.md\nREADME-secret.md", "README.md", -2 },
        { "*.md\n!README*.md\nREADME-secret.md", "README-secret.md", 3 },
        { "*.md\nREADME-secret.md\n!README*.md", "README-secret.md", -3 },
        { "**\n!util/docker/web", "util/docker/web/foo", -2 },
        { "**\n!util/docker/web\nutil/docker/web/foo", "util/docker/web/foo", 3 },
        { "**\n!dist/*", "dist/a", -2 },
        { "**\n!dist/*", "dist", 1 },
        { "!docs", "docs", -1 },
        { "!docs\ndocs", "docs", 2 },
        { "a\n\nb", "b", 3 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO(pattern_list_free) struct pattern_list *list = list_of(rows[i].lines);
        REQUIRE(list);
        int line;
        bool is_out = pattern_list_excludes(list, rows[i].path, &line);
        int got = is_out ? line : -line;
        if (got != rows[i].line || pattern_list_excludes(list, rows[i].path, NULL) != is_out)
            tap_fail(__FILE__, __LINE__, "\"%s\" with \"%s\" gives %d, expected %d", rows[i].lines,
                     rows[i].path, got, rows[i].line);
    }
}

TEST("a folder is left out as a whole when nothing below it comes back")
{
    static const struct {
        const char *lines, *folder;
        bool is_pruned;
    } rows[] = {
        { "docs", "docs", true },
        { "docs", "docs/a", true },
        { "docs", "src", false },
        { "docs\n!docs/a/b", "docs", false },
        { "docs\n!docs/a/b", "docs/a", false },
        { "docs\n!docs/a/b", "docs/c", true },
        { "docs\n!src/a", "docs", true },
        { "**\n!**/keep", "any/where", false },
        { "*\n!a/*.c", "a", false },
        { "*\n!a/*.c", "b", true },
        { "*\n!a*/x", "abc", false },
        { "*\n!a*/x", "b", true },
        { "*\n!a[^b]x", "a", false },
        { "*\n!a", "a", false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO(pattern_list_free) struct pattern_list *list = list_of(rows[i].lines);
        REQUIRE(list);
        if (pattern_list_prunes(list, rows[i].folder) != rows[i].is_pruned)
            tap_fail(__FILE__, __LINE__, "\"%s\": \"%s\" should%s be left out whole", rows[i].lines,
                     rows[i].folder, rows[i].is_pruned ? "" : " not");
    }
}

TEST("a list of what is wanted tells which folders to look into")
{
    AUTO(pattern_list_free) struct pattern_list *list = list_of("a/b/c\n*.d/e\n!x/y");
    REQUIRE(list);
    EXPECT(pattern_list_reaches(list, "") && pattern_list_reaches(list, "a"));
    EXPECT(pattern_list_reaches(list, "a/b") && pattern_list_reaches(list, "q.d"));
    EXPECT(!pattern_list_reaches(list, "a/b/c") && !pattern_list_reaches(list, "b"));
    EXPECT(!pattern_list_reaches(list, "x"));
}

TEST("no list excludes, prunes and reaches nothing")
{
    int line = 7;
    EXPECT(!pattern_list_excludes(NULL, "a", &line));
    EXPECT_INT(line, 0);
    EXPECT(!pattern_list_prunes(NULL, "a") && !pattern_list_reaches(NULL, "a"));
    pattern_list_free(NULL);
}

TEST("an exclamation mark alone is refused with its line")
{
    struct err err = { 0 };
    struct pattern_list *list = NULL;
    const struct pattern_line lines[] = { { "a", 3 }, { " ! ", 5 } };
    EXPECT_ERR(pattern_list_new(lines, 2, &list, &err), &err, ERR_INVALID);
    EXPECT_STR(err.text, "line 5: illegal exclusion pattern: \"!\"");
    EXPECT(err.hint[0]);
}

TEST("stars without end cost no more than pattern times name")
{
    char name[3000];
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    EXPECT(!pattern_match("a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", name));
    AUTO(pattern_list_free)
    struct pattern_list *list = list_of("**/a*a*a*a*a*a/**/b**/c\n**/*a*a*a*a*a*b");
    REQUIRE(list);
    for (size_t i = 1; i < sizeof name - 1; i += 2)
        name[i] = '/';
    EXPECT(!pattern_list_excludes(list, name, NULL));
}

TAP_MAIN()
