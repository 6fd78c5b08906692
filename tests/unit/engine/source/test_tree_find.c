/* What a COPY source finds: wildcards, symlinks, attempts to get out, hidden things. */
#include "fixture.h"

struct find_row {
    const char *name, *path;
    bool is_plain;             /* no wildcards */
    bool follows;              /* the last symlink */
    const char *ignore, *want; /* want: paths joined by '|' */
};

static void run_rows(const struct find_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct find_row *row = &rows[i];
        AUTO(pattern_list_free)
        struct pattern_list *ignore = row->ignore ? patterns(row->ignore) : NULL;
        AUTO(tree_free) struct tree *t = context(NULL, "c", ignore);
        AUTO_VALUE(str_list_clear) struct str_list found = { 0 };
        AUTO_VALUE(buf_clear) struct buf got = { 0 };
        buf_init(&got, MIB);
        buf_puts(&got, "");
        if (tree_find(t, row->path, !row->is_plain, row->follows, &found, &err))
            buf_puts(&got, err.text);
        for (size_t k = 0; k < found.n; k++)
            buf_printf(&got, "%s%s", k ? "|" : "", *found.items[k] ? found.items[k] : ".");
        if (strcmp(got.data, row->want) != 0)
            tap_fail(__FILE__, __LINE__, "%s: %s gives\n%s\nexpected\n%s", row->name, row->path,
                     got.data, row->want);
        err_clear(&err);
    }
}
#define RUN_ROWS(rows) run_rows(rows, sizeof(rows) / sizeof *(rows))

TEST("wildcards are Go's, one component at a time")
{
    static const struct find_row rows[] = {
        { .name = "star", .path = "*.txt", .want = "a.txt|b.txt" },
        { .name = "question mark", .path = "?.txt", .want = "a.txt|b.txt" },
        { .name = "class", .path = "[b-z].txt", .want = "b.txt" },
        { .name = "negated class", .path = "[^b].txt", .want = "a.txt" },
        { .name = "a star stays in its folder", .path = "*", .want = ".dot|[x]|a.txt|b.txt|d|e" },
        { .name = "in the middle", .path = "*/f*", .want = "d/f1|d/f2|e/f1" },
        { .name = "behind plain parts", .path = "d/*", .want = "d/f1|d/f2|d/sub" },
        { .name = "plain behind a wildcard", .path = "?/f1", .want = "d/f1|e/f1" },
        { .name = "a bracket by class", .path = "[[]x]", .want = "[x]" },
        { .name = "a bracket by backslash", .path = "\\[x]", .want = "[x]" },
        { .name = "nothing", .path = "*.none", .want = "" },
        { .name = "nothing below a file", .path = "a.txt/*", .want = "" },
        { .name = "rooted", .path = "/d/f?", .want = "d/f1|d/f2" },
        { .name = "malformed", .path = "d/[", .want = "pattern \"d/[\": syntax error in pattern" },
        { .name = "plain, with wildcards off", .path = "[x]", .is_plain = true, .want = "[x]" },
        { .name = "no wildcard when off", .path = "*.txt", .is_plain = true, .want = "" },
    };
    shell("mkdir -p c/d/sub c/e; cd c; touch a.txt b.txt .dot '[x]' d/f1 d/f2 e/f1");
    RUN_ROWS(rows);
}

TEST("paths are cleaned and end at the root")
{
    static const struct find_row rows[] = {
        { .name = "all", .path = ".", .is_plain = true, .want = "." },
        { .name = "root", .path = "/", .is_plain = true, .want = "." },
        { .name = "empty", .path = "", .is_plain = true, .want = "." },
        { .name = "dots", .path = "./d//../d/./f/", .is_plain = true, .want = "d/f" },
        { .name = "above the root", .path = "../../d/f", .is_plain = true, .want = "d/f" },
        { .name = "absolute above", .path = "/../../../etc/passwd", .is_plain = true, .want = "" },
        { .name = "far up", .path = "d/../../../c", .is_plain = true, .want = "" },
        { .name = "up with wildcards", .path = "*/../../d/f", .want = "d/f" },
        { .name = "a file is no folder", .path = "d/f/x", .is_plain = true, .want = "" },
    };
    shell("mkdir -p c/d; touch c/d/f");
    RUN_ROWS(rows);
}

TEST("symlinks lead inside the root only, folders always, the last part when asked")
{
    static const struct find_row rows[] = {
        { .name = "itself", .path = "l", .is_plain = true, .want = "l" },
        { .name = "followed", .path = "l", .is_plain = true, .follows = true, .want = "d/f" },
        { .name = "a folder on the way", .path = "dl/f", .is_plain = true, .want = "d/f" },
        { .name = "wildcard below it", .path = "dl/*", .want = "d/f|d/up" },
        { .name = "absolute, from the root",
          .path = "abs",
          .is_plain = true,
          .follows = true,
          .want = "d" },
        { .name = "chain", .path = "chain/f", .is_plain = true, .want = "d/f" },
        { .name = "to a file outside",
          .path = "passwd",
          .is_plain = true,
          .follows = true,
          .want = "" },
        { .name = "to a folder outside", .path = "etc/passwd", .is_plain = true, .want = "" },
        { .name = "up and out lands inside", .path = "d/up/d/f", .is_plain = true, .want = "d/f" },
        { .name = "dangling itself", .path = "none", .is_plain = true, .want = "none" },
        { .name = "dangling followed",
          .path = "none",
          .is_plain = true,
          .follows = true,
          .want = "" },
        { .name = "loop", .path = "loop", .is_plain = true, .follows = true, .want = "" },
        { .name = "below a loop", .path = "loop/x", .is_plain = true, .want = "" },
        { .name = "found once by two names", .path = "[dl]*/f", .want = "d/f" },
    };
    shell("mkdir -p c/d; cd c; touch d/f; ln -s d/f l; ln -s d dl; ln -s /d abs; ln -s dl chain;"
          "ln -s /etc/passwd passwd; ln -s /etc etc; ln -s ../../../.. d/up; ln -s gone none;"
          "ln -s loop loop");
    RUN_ROWS(rows);
}

TEST("what is hidden is not found, by whatever way")
{
    static const struct find_row rows[] = {
        { .name = "by name", .path = "secret", .is_plain = true, .ignore = "secret", .want = "" },
        { .name = "by wildcard", .path = "*", .ignore = "secret d", .want = "e|l" },
        { .name = "below a hidden folder",
          .path = "d/f",
          .is_plain = true,
          .ignore = "d",
          .want = "" },
        { .name = "taken back in",
          .path = "d/f",
          .is_plain = true,
          .ignore = "d !d/f",
          .want = "d/f" },
        { .name = "a hidden folder with something shown",
          .path = "d",
          .is_plain = true,
          .ignore = "d !d/f",
          .want = "d" },
        { .name = "a hidden folder with nothing shown",
          .path = "d",
          .is_plain = true,
          .ignore = "d !d/none",
          .want = "" },
        { .name = "through a symlink",
          .path = "l",
          .is_plain = true,
          .follows = true,
          .ignore = "secret",
          .want = "" },
    };
    shell("mkdir -p c/d c/e; cd c; touch secret d/f e/g; ln -s secret l");
    RUN_ROWS(rows);
}

TEST("wildcards do not go through symlinks, what stands before the first does")
{
    static const struct find_row rows[] = {
        { .name = "a folder by a wildcard", .path = "*/f", .want = "d/f" },
        { .name = "a link behind a wildcard", .path = "?/in/f", .want = "" },
        { .name = "before the first", .path = "l/*", .want = "d/f|d/in" },
        { .name = "the last part stays", .path = "?", .want = "d|l" },
        { .name = "the last part followed", .path = "?", .follows = true, .want = "d" },
    };
    shell("mkdir c c/d; cd c; touch d/f; ln -s d l; ln -s ../d d/in");
    RUN_ROWS(rows);
}

TEST("a name with a newline is found whole, also through symlinks")
{
    static const struct find_row rows[] = {
        { .name = "wildcard", .path = "n*", .want = "n\nl" },
        { .name = "through a symlink", .path = "l/x", .is_plain = true, .want = "n\nl/x" },
    };
    shell("mkdir c; cd c; n=$(printf 'n\\nl'); mkdir \"$n\"; touch \"$n/x\"; ln -s \"$n\" l");
    RUN_ROWS(rows);
}

TEST("a folder that may not be read is a failure, not an absence")
{
    static const struct find_row wildcard[] = {
        { .name = "wildcard", .path = "d/*", .want = "open d: permission denied" },
    };
    static const struct find_row plain[] = {
        { .name = "plain",
          .path = "d/f",
          .is_plain = true,
          .want = "find d/f: open f: permission denied" },
    };
    if (geteuid() != 0)
        SKIP("needs root to become another user");
    shell("mkdir -p c/d; touch c/d/f; chmod 755 . c; chmod 700 c/d");
    REQUIRE(seteuid(65534) == 0);
    RUN_ROWS(wildcard);
    RUN_ROWS(plain);
    EXPECT(seteuid(0) == 0);
}

TAP_MAIN()
