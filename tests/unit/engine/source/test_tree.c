/* The walk over a tree: order, hidden parts, filters, what ends it. */
#include "fixture.h"

struct listing {
    struct buf text;
    const char *pruned; /* a folder whose content the visit declines */
    const char *stop;   /* a path at which the visit fails */
};

static int list_entry(void *arg, const struct tree_entry *e, struct err *error)
{
    struct listing *l = arg;
    struct stat st;
    if (l->stop && strcmp(e->path, l->stop) == 0)
        return err_set(error, ERR_INVALID, "stopped");
    /* dir_fd and name must lead to the very entry */
    if (fstatat(e->dir_fd, e->name, &st, AT_SYMLINK_NOFOLLOW) || st.st_ino != e->stat.ino)
        tap_fail(__FILE__, __LINE__, "%s is not reached by its folder", e->path);
    buf_printf(&l->text, "%s%s%s", l->text.len ? " " : "", *e->path ? e->path : ".",
               S_ISDIR(e->stat.mode)   ? "/"
               : S_ISLNK(e->stat.mode) ? "@"
                                       : "");
    return l->pruned && strcmp(e->path, l->pruned) == 0;
}

struct walk_row {
    const char *name, *script, *ignore, *start, *include, *exclude, *want;
};

static char *walk(const struct walk_row *row, struct listing *l)
{
    AUTO(pattern_list_free)
    struct pattern_list *ignore = row->ignore ? patterns(row->ignore) : NULL;
    AUTO(pattern_list_free) struct pattern_list *in = row->include ? patterns(row->include) : NULL;
    AUTO(pattern_list_free) struct pattern_list *ex = row->exclude ? patterns(row->exclude) : NULL;
    AUTO(tree_free) struct tree *t = context(NULL, "c", ignore);
    struct tree_walk how = { .visit = list_entry, .arg = l, .include = in, .exclude = ex };
    buf_init(&l->text, MIB);
    buf_puts(&l->text, "");
    if (tree_walk(t, row->start, &how, &err)) {
        buf_clear(&l->text);
        return NULL;
    }
    return buf_take(&l->text);
}

static const char *const some_files =
    "mkdir -p c/a/b c/a-b c/d c/empty; touch c/a/b/x c/a/y c/a-b/z c/d/k c/Z; ln -s a c/link;"
    "ln -s ../.. c/d/out";

TEST("folders come before their content, names sorted by bytes, symlinks are not followed")
{
    static const struct walk_row rows[] = {
        { "everything", NULL, NULL, "", NULL, NULL,
          "./ Z a/ a/b/ a/b/x a/y a-b/ a-b/z d/ d/k d/out@ empty/ link@" },
        { "a part", NULL, NULL, "a/b", NULL, NULL, "a/b/ a/b/x" },
        { "one file", NULL, NULL, "a/y", NULL, NULL, "a/y" },
        { "a symlink is itself", NULL, NULL, "link", NULL, NULL, "link@" },
        { "hidden", NULL, "a d/k", "", NULL, NULL, "./ Z a-b/ a-b/z d/ d/out@ empty/ link@" },
        { "a hidden folder is there for what is taken back in below it", NULL, "a !a/b", "", NULL,
          NULL, "./ Z a/ a/b/ a/b/x a-b/ a-b/z d/ d/k d/out@ empty/ link@" },
        { "and not when nothing is", NULL, "a empty !a/nothing !**/none", "", NULL, NULL,
          "./ Z a-b/ a-b/z d/ d/k d/out@ link@" },
        { "all but one", NULL, "* !a/b/x", "", NULL, NULL, "./ a/ a/b/ a/b/x" },
        { "inside a hidden folder", NULL, "* !a/b/x", "a/b", NULL, NULL, "a/b/ a/b/x" },
        { "only what is included, and the folders on the way", NULL, NULL, "", "a/*/x d", NULL,
          "./ a/ a/b/ a/b/x d/ d/k d/out@" },
        { "no folder for nothing", NULL, NULL, "", "*/nothing", NULL, "./" },
        { "patterns are relative to the start", NULL, NULL, "a", "b", NULL, "a/ a/b/ a/b/x" },
        { "excluded", NULL, NULL, "", NULL, "**/x a-b",
          "./ Z a/ a/b/ a/y d/ d/k d/out@ empty/ link@" },
        { "excluded but for some", NULL, NULL, "", NULL, "a !a/b/x",
          "./ Z a/ a/b/ a/b/x a-b/ a-b/z d/ d/k d/out@ empty/ link@" },
        { "the start itself is never filtered", NULL, NULL, "a", "none", "*", "a/" },
        { "all three at once", NULL, "d", "", "a d", "**/y", "./ a/ a/b/ a/b/x" },
    };
    shell("%s", some_files);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct listing l = { 0 };
        AUTO_FREE char *got = walk(&rows[i], &l);
        if (!got || strcmp(got, rows[i].want) != 0)
            tap_fail(__FILE__, __LINE__, "%s:\n%s\nexpected\n%s", rows[i].name,
                     got ? got : err.text, rows[i].want);
    }
}

TEST("a visit may decline a folder's content, or end the walk")
{
    struct walk_row row = { .start = "" };
    struct listing l = { .pruned = "a" };
    shell("%s", some_files);
    AUTO_FREE char *got = walk(&row, &l);
    EXPECT_STR(got, "./ Z a/ a-b/ a-b/z d/ d/k d/out@ empty/ link@");
    struct listing stopped = { .stop = "a/y" };
    AUTO_FREE char *none = walk(&row, &stopped);
    EXPECT(none == NULL);
    EXPECT_INT(err.kind, ERR_INVALID);
    EXPECT_STR(err.text, "stopped");
}

TEST("declining a hidden folder declines what was taken back in below it")
{
    struct walk_row row = { .start = "", .ignore = "a !a/b !a/y" };
    struct listing l = { .pruned = "a" };
    shell("%s", some_files);
    AUTO_FREE char *got = walk(&row, &l);
    EXPECT_STR(got, "./ Z a/ a-b/ a-b/z d/ d/k d/out@ empty/ link@");
}

TEST("names with blanks, newlines and bytes that are no UTF-8 are names")
{
    struct walk_row row = { .start = "" };
    struct listing l = { 0 };
    shell("mkdir c; cd c; touch 'a b' \"$(printf 'n\\nl')\" \"$(printf '\\377')\" -- -x '*'");
    AUTO_FREE char *got = walk(&row, &l);
    EXPECT_STR(got, "./ * -x a b n\nl \377");
}

TEST("an absent start, a start below a file and a canceled walk fail")
{
    shell("%s", some_files);
    AUTO(tree_free) struct tree *t = context(NULL, "c", NULL);
    struct listing l = { 0 };
    buf_init(&l.text, MIB);
    struct tree_walk how = { .visit = list_entry, .arg = &l };
    EXPECT_ERR(tree_walk(t, "none", &how, &err), &err, ERR_NOT_FOUND);
    EXPECT_CONTAINS(err.text, "walk none");
    err_clear(&err);
    EXPECT_ERR(tree_walk(t, "Z/below", &how, &err), &err, ERR_SYSTEM);
    err_clear(&err);
    AUTO(cancel_free) struct cancel *cancel = cancel_new();
    how.cancel = cancel;
    cancel_fire(cancel);
    EXPECT_ERR(tree_walk(t, "", &how, &err), &err, ERR_CANCELED);
    buf_clear(&l.text);
}

TEST("folders that nest too deep are refused")
{
    shell("mkdir c; cd c; for i in $(seq 130); do mkdir -p a/a/a/a; cd -P a/a/a/a; done");
    struct walk_row row = { .start = "" };
    struct listing l = { 0 };
    AUTO_FREE char *got = walk(&row, &l);
    EXPECT(got == NULL);
    EXPECT_INT(err.kind, ERR_LIMIT);
    EXPECT_CONTAINS(err.text, "folders nest deeper than 512");
}

static int note_owner(void *arg, const struct tree_entry *e, struct err *error)
{
    (void)error;
    if (strcmp(e->path, "f") == 0)
        *(uint32_t *)arg = e->stat.uid;
    return 0;
}

TEST("in a context all is owned by root; in a folder by who owns it")
{
    if (geteuid() != 0)
        SKIP("needs root");
    shell("mkdir c; touch c/f; chown 7:8 c/f");
    AUTO(tree_free) struct tree *t = context(NULL, "c", NULL);
    AUTO(tree_free) struct tree *folder = tree_of_folder(tree_fd(t), NULL);
    uint32_t uid = 99;
    struct tree_walk how = { .visit = note_owner, .arg = &uid };
    EXPECT(tree_is_context(t) && !tree_is_context(folder));
    EXPECT_OK(tree_walk(t, "", &how, &err), &err);
    EXPECT_INT(uid, 0);
    EXPECT_OK(tree_walk(folder, "", &how, &err), &err);
    EXPECT_INT(uid, 7);
}

TEST("a context that is not there is told by its path")
{
    struct tree *t = NULL;
    EXPECT_ERR(tree_of_context(NULL, "/nowhere/at/all", NULL, &t, &err), &err, ERR_NOT_FOUND);
    EXPECT_CONTAINS(err.text, "open the build context /nowhere/at/all");
    err_clear(&err);
    shell("touch file");
    AUTO_FREE char *path = xasprintf("%s/file", tap_dir());
    EXPECT_ERR(tree_of_context(NULL, path, NULL, &t, &err), &err, ERR_SYSTEM);
}

TEST("what is hidden is told with the line that hides it")
{
    AUTO(pattern_list_free) struct pattern_list *ignore = patterns("*.log !keep.log conf");
    shell("mkdir c");
    AUTO(tree_free) struct tree *t = context(NULL, "c", ignore);
    int line = 0;
    EXPECT(tree_hides(t, "a.log", &line));
    EXPECT_INT(line, 1);
    EXPECT(!tree_hides(t, "keep.log", &line));
    EXPECT_INT(line, 2);
    EXPECT(tree_hides(t, "conf/deep/x", &line));
    EXPECT_INT(line, 3);
    EXPECT(!tree_hides(t, "other", &line));
    EXPECT_INT(line, 0);
    EXPECT(!tree_hides(t, "", NULL));
}

TAP_MAIN()
