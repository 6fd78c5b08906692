/* File operations through the solver: chains, keys, owners, messages. */
#include "lab.h"

static bool is_ready;
#define LAB(l, o)                                                                                  \
    struct lab l;                                                                                  \
    if (!is_ready)                                                                                 \
        SKIP("needs namespaces");                                                                  \
    if (!lab_open(&l, o))                                                                          \
    return
#define NONE ((struct ops_options){ 0 })

/* COPY src dest from the context into scratch, solved; the names inside or the error.  The
 * caller's. */
static char *copy_names(struct lab *l, const char *src, const char *dest, const char *ignore)
{
    AUTO(graph_builder_free) struct graph_builder *b = graph_builder_new();
    AUTO(snapshot_unref) struct snapshot *s = NULL;
    struct op_action a = copy_of(add_context(b, "context", ignore), src, dest);
    if (lab_solve(l, b, add_actions(b, (struct edge){ 0 }, &a, 1), &s))
        return xstrdup(err.text);
    return inside(l, s, NAMES);
}

TEST("a chain of actions gives one layer")
{
    LAB(l, NONE);
    RUN("mkdir -p c/d; echo x >c/d/f");
    AUTO(graph_builder_free) struct graph_builder *b = graph_builder_new();
    AUTO(snapshot_unref) struct snapshot *s = NULL;
    struct op_action actions[] = {
        { .type = ACTION_MKDIR,
          .path = "/a/b",
          .mode = 0711,
          .makes_parents = true,
          .timestamp_ns = 5000000000 },
        { .type = ACTION_MKFILE,
          .path = "/a/b/t",
          .mode = 0640,
          .data = SPAN("text"),
          .timestamp_ns = 5500000000 },
        copy_of(add_context(b, "context", NULL), "/d", "/d"),
        { .type = ACTION_SYMLINK, .path = "/a/l", .target = "b/t", .timestamp_ns = TIMESTAMP_NONE },
        { .type = ACTION_RM, .path = "/d/f" },
    };
    REQUIRE_OK(lab_solve(&l, b, add_actions(b, (struct edge){ 0 }, actions, 5), &s), &err);
    EXPECT_INT(snapshot_depth(s), 1);
    AUTO_FREE char *got = inside(&l, s,
                                 "stat -c '%%n %%a %%.Y' a/b a/b/t; readlink a/l; cat a/b/t; "
                                 "ls d");
    EXPECT_STR(got, "a/b 711 5.500000000\na/b/t 640 5.500000000\nb/t\ntext");
    snapshot_unref(STEAL(s));
    lab_close(&l);
}

TEST("an unchanged source is taken from the cache, also when it was only touched")
{
    LAB(l, NONE);
    static const struct {
        const char *name, *script;
        bool is_cached;
    } rows[] = {
        { "first", "mkdir c/d; echo x >c/d/f; echo y >c/other", false },
        { "again", ":", true },
        { "touched", "touch -d 2001-01-01 c/d/f c/d c", true },
        { "written with the same content", "echo x >c/d/f", true },
        { "another file of the context", "echo z >c/other; mkdir c/new", true },
        { "content", "echo y >c/d/f", false },
        { "back", "echo x >c/d/f", true },
        { "mode", "chmod 755 c/d/f", false },
        { "a new file", "touch c/d/g", false },
        { "a name", "mv c/d/g c/d/h", false },
        { "the context's owner", "chown 7 c/d/h 2>/dev/null || true", true },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        RUN("%s", rows[i].script);
        AUTO_FREE char *ignored = copy_names(&l, "/d", "/", NULL);
        if ((l.n_cached == 1) != rows[i].is_cached)
            tap_fail(__FILE__, __LINE__, "%s: %d from the cache, %d run", rows[i].name, l.n_cached,
                     l.n_run);
    }
    lab_close(&l);
}

TEST("what an action says is part of its key, what people call it is not")
{
    LAB(l, NONE);
    RUN("mkdir c/d; echo x >c/d/f; echo y >c/d/g");
    static const char *const pattern[] = { "g" };
    enum { N = 9 };
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < N; i++) {
            AUTO(graph_builder_free) struct graph_builder *b = graph_builder_new();
            AUTO(snapshot_unref) struct snapshot *s = NULL;
            struct op_action a = copy_of(add_context(b, "context", NULL), "/d", "/x");
            a.path = i == 1 ? "/y" : "/x";
            a.mode = i == 2 ? 0700 : MODE_KEEP;
            a.mode_text = i == 3 ? "u=rwX" : "";
            a.owner.is_set = i == 4;
            a.owner.user = (struct owner_part){ .kind = OWNER_ID, .id = 0 };
            a.exclude = (struct strings){ pattern, i == 5 };
            a.include = (struct strings){ pattern, i == 6 };
            a.timestamp_ns = i == 7 ? 1000 : TIMESTAMP_NONE;
            a.unpacks_archives = i == 8;
            struct edge e = { 0 };
            struct vertex_about about = { .name = round ? "COPY other name" : "COPY a name" };
            REQUIRE_OK(graph_add_file(b, (struct edge){ 0 }, &a, 1, &about, &e, &err), &err);
            REQUIRE_OK(lab_solve(&l, b, e, &s), &err);
            if (l.n_cached != round)
                tap_fail(__FILE__, __LINE__, "variant %d: %d from the cache in round %d", i,
                         l.n_cached, round);
        }
    lab_close(&l);
}

TEST("a stage that gives the same files does not disturb who copies from it")
{
    LAB(l, NONE);
    for (int i = 0; i < 3; i++) {
        AUTO(graph_builder_free) struct graph_builder *b = graph_builder_new();
        AUTO(snapshot_unref) struct snapshot *s = NULL;
        RUN("echo %d >c/unused; echo %s >c/used", i, i == 2 ? "b" : "a");
        struct op_action all = copy_of(add_context(b, "context", NULL), "/", "/");
        struct edge stage = add_actions(b, (struct edge){ 0 }, &all, 1);
        struct op_action one = copy_of(stage, "/used", "/");
        REQUIRE_OK(lab_solve(&l, b, add_actions(b, (struct edge){ 0 }, &one, 1), &s), &err);
        EXPECT_INT(l.n_cached, i == 1); /* the copy, though the stage ran anew */
        AUTO_FREE char *got = inside(&l, s, "cat *");
        EXPECT_STR(got, i == 2 ? "b" : "a");
    }
    lab_close(&l);
}

TEST("what is not there is told with the reason and the remedy")
{
    static const char ignore[] = "[\"*.log\",\"conf\",\"!conf/shown\"]";
    static const struct {
        const char *src, *want, *hint;
    } rows[] = {
        { "/none", "\"none\": not in the build context", "" },
        { "/d/../none", "\"none\": not in the build context", "" },
        { "/a.log", "\"a.log\": not in the build context",
          "\"a.log\" is excluded by .dockerignore:2; add \"!a.log\" below it" },
        { "/conf/x", "\"conf/x\": not in the build context",
          "\"conf/x\" is excluded by .dockerignore:5; add \"!conf/x\" below it" },
        { "/*.none", "", "" }, /* nothing is copied, and that is fine */
        { "/conf", "shown ", "" },
    };
    LAB(l, NONE);
    RUN("mkdir c/conf; touch c/a.log c/conf/x c/conf/shown");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO_FREE char *got = copy_names(&l, rows[i].src, "/", ignore);
        if (!strstr(got, rows[i].want) || (!*rows[i].want && *got))
            tap_fail(__FILE__, __LINE__, "%s: %s", rows[i].src, got);
        EXPECT_STR(err.hint, rows[i].hint);
    }
    lab_close(&l);
}

TEST("a file that a stage has not got is told as such")
{
    LAB(l, NONE);
    for (int i = 0; i < 2; i++) { /* from a stage, from scratch */
        AUTO(graph_builder_free) struct graph_builder *b = graph_builder_new();
        AUTO(snapshot_unref) struct snapshot *s = NULL;
        struct op_action dir = {
            .type = ACTION_MKDIR, .path = "/d", .mode = 0755, .timestamp_ns = TIMESTAMP_NONE
        };
        struct edge stage = i ? (struct edge){ 0 } : add_actions(b, (struct edge){ 0 }, &dir, 1);
        struct op_action a = copy_of(stage, "/bin/app", "/");
        EXPECT_ERR(lab_solve(&l, b, add_actions(b, (struct edge){ 0 }, &a, 1), &s), &err,
                   ERR_NOT_FOUND);
        EXPECT_CONTAINS(err.text, "\"/bin/app\": not found");
        EXPECT_CONTAINS(err.hint, "COPY --from");
    }
    lab_close(&l);
}

TEST("required paths must be there although patterns choose")
{
    LAB(l, NONE);
    static const char *const include[] = { "a/f" }, *const required[] = { "/a/f" };
    for (int i = 0; i < 2; i++) {
        AUTO(graph_builder_free) struct graph_builder *b = graph_builder_new();
        AUTO(snapshot_unref) struct snapshot *s = NULL;
        struct op_action a = copy_of(add_context(b, "context", NULL), "/", "/d");
        a.include = (struct strings){ include, 1 };
        a.required = (struct strings){ required, 1 };
        int status = lab_solve(&l, b, add_actions(b, (struct edge){ 0 }, &a, 1), &s);
        if (i == 0) {
            EXPECT_ERR(status, &err, ERR_NOT_FOUND);
            EXPECT_CONTAINS(err.text, "\"a/f\": not in the build context");
            RUN("mkdir -p c/a c/b; touch c/a/f c/a/g c/b/f");
            continue;
        }
        REQUIRE_OK(status, &err);
        AUTO_FREE char *got = inside(&l, s, NAMES);
        EXPECT_STR(got, "d d/a d/a/f ");
    }
    lab_close(&l);
}

TEST("names of owners are looked up in the root; one that is not there is 0")
{
    static const struct {
        const char *user, *group; /* NULL: not given; digits: a number */
        const char *want;
    } rows[] = {
        { "app", NULL, "1000:1001" },  { "app", "staff", "1000:50" }, { "7", NULL, "7:7" },
        { "7", "staff", "7:50" },      { "7", "8", "7:8" },           { "ghost", NULL, "0:0" },
        { "app", "ghosts", "1000:0" }, { NULL, NULL, "0:0" },
    };
    LAB(l, NONE);
    if (geteuid() != 0 || the_ids.is_single) {
        lab_close(&l);
        SKIP("needs several ids");
    }
    RUN("mkdir -p c/etc; touch c/f; echo 'app:x:1000:1001::/:' >c/etc/passwd; echo 'staff:x:50:' "
        ">c/etc/group");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO(graph_builder_free) struct graph_builder *b = graph_builder_new();
        AUTO(snapshot_unref) struct snapshot *s = NULL;
        struct edge context = add_context(b, "context", NULL);
        struct op_action tables = copy_of(context, "/etc", "/etc");
        struct edge base = add_actions(b, (struct edge){ 0 }, &tables, 1);
        struct op_action a = copy_of(context, "/f", "/new/");
        struct owner_part *parts[] = { &a.owner.user, &a.owner.group };
        const char *const texts[] = { rows[i].user, rows[i].group };
        a.owner.is_set = rows[i].user != NULL;
        for (int k = 0; k < 2; k++)
            if (texts[k])
                *parts[k] = texts[k][0] <= '9'
                                ? (struct owner_part){ .kind = OWNER_ID,
                                                       .id = (uint32_t)(texts[k][0] - '0') }
                                : (struct owner_part){ .kind = OWNER_NAME, .name = texts[k] };
        REQUIRE_OK(lab_solve(&l, b, add_actions(b, base, &a, 1), &s), &err);
        AUTO_FREE char *got = inside(&l, s, "stat -c %%u:%%g new new/f | uniq");
        EXPECT_STR(got, rows[i].want);
    }
    lab_close(&l);
}

TEST("the root that is copied into may have symlinks, which lead inside it")
{
    LAB(l, NONE);
    AUTO(graph_builder_free) struct graph_builder *b = graph_builder_new();
    AUTO(snapshot_unref) struct snapshot *s = NULL;
    RUN("touch c/f");
    struct op_action actions[] = {
        { .type = ACTION_MKDIR,
          .path = "/usr/bin",
          .mode = 0755,
          .makes_parents = true,
          .timestamp_ns = TIMESTAMP_NONE },
        { .type = ACTION_SYMLINK,
          .path = "/bin",
          .target = "usr/bin",
          .timestamp_ns = TIMESTAMP_NONE },
        { .type = ACTION_SYMLINK,
          .path = "/etc",
          .target = "/../../../etc",
          .timestamp_ns = TIMESTAMP_NONE },
        copy_of(add_context(b, "context", NULL), "/f", "/bin/"),
        copy_of(add_context(b, "context", NULL), "/f", "/etc/kiln-must-not-be-here/"),
        { .type = ACTION_MKFILE,
          .path = "/bin/g",
          .mode = 0755,
          .data = SPAN(""),
          .timestamp_ns = TIMESTAMP_NONE },
        { .type = ACTION_MKDIR, .path = "/bin/d", .mode = 0755, .timestamp_ns = TIMESTAMP_NONE },
        { .type = ACTION_SYMLINK,
          .path = "/bin/l",
          .target = "new",
          .timestamp_ns = TIMESTAMP_NONE },
        { .type = ACTION_MKFILE,
          .path = "/bin/l",
          .mode = 0700,
          .data = SPAN("x"),
          .timestamp_ns = TIMESTAMP_NONE },
    };
    REQUIRE_OK(lab_solve(&l, b, add_actions(b, (struct edge){ 0 }, actions, 4), &s), &err);
    AUTO_FREE char *four = inside(&l, s, NAMES);
    EXPECT_STR(four, "bin etc usr usr/bin usr/bin/f ");
    snapshot_unref(STEAL(s));
    AUTO(graph_builder_free) struct graph_builder *b2 = graph_builder_new();
    actions[3].from = actions[4].from = add_context(b2, "context", NULL);
    actions[2].target = "usr";
    REQUIRE_OK(lab_solve(&l, b2, add_actions(b2, (struct edge){ 0 }, actions, 9), &s), &err);
    AUTO_FREE char *nine = inside(&l, s, NAMES "; stat -c %%a usr/bin/new");
    EXPECT_STR(nine, "bin etc usr usr/bin usr/bin/d usr/bin/f usr/bin/g usr/bin/l usr/bin/new "
                     "usr/kiln-must-not-be-here usr/kiln-must-not-be-here/f 700");
    snapshot_unref(STEAL(s));
    EXPECT(access("/etc/kiln-must-not-be-here", F_OK) != 0);
    lab_close(&l);
}

TEST("two files that are copied in another order are another result")
{
    LAB(l, NONE);
    RUN("mkdir -p c/a c/b; printf 1 >c/a/f; printf 2 >c/b/f");
    for (int turn = 0; turn < 2; turn++) {
        AUTO(graph_builder_free) struct graph_builder *b = graph_builder_new();
        AUTO(snapshot_unref) struct snapshot *s = NULL;
        struct edge context = add_context(b, "context", NULL);
        struct op_action actions[] = { copy_of(context, turn ? "/b/f" : "/a/f", "/f"),
                                       copy_of(context, turn ? "/a/f" : "/b/f", "/f") };
        REQUIRE_OK(lab_solve(&l, b, add_actions(b, (struct edge){ 0 }, actions, 2), &s), &err);
        AUTO_FREE char *got = inside(&l, s, "cat f");
        EXPECT_STR(got, turn ? "1" : "2");
        snapshot_unref(STEAL(s));
    }
    lab_close(&l);
}

TEST("a symlink that is followed keeps its own name; one that leads nowhere is not there")
{
    LAB(l, NONE);
    AUTO(graph_builder_free) struct graph_builder *b = graph_builder_new();
    AUTO(snapshot_unref) struct snapshot *s = NULL;
    RUN("mkdir -p c/d; echo x >c/d/f; ln -s d/f c/l1; ln -s d/f c/l2; ln -s none c/l3");
    struct op_action actions[] = {
        copy_of(add_context(b, "context", NULL), "/l1", "/one/"),
        copy_of(add_context(b, "context", NULL), "/l*", "/all/"),
    };
    for (size_t i = 0; i < 2; i++)
        actions[i].follows_symlinks = actions[i].has_wildcards = actions[i].creates_dest_path =
            true;
    REQUIRE_OK(lab_solve(&l, b, add_actions(b, (struct edge){ 0 }, actions, 2), &s), &err);
    AUTO_FREE char *got = inside(&l, s, NAMES "; cat all/l2; readlink all/l1 || true");
    EXPECT_STR(got, "all all/l1 all/l2 one one/l1 x");
    snapshot_unref(STEAL(s));
    lab_close(&l);
}

TEST("single actions refuse what makes no sense")
{
    static const struct {
        struct op_action action;
        const char *want;
    } rows[] = {
        { { .type = ACTION_MKDIR, .path = "/f", .mode = 0755, .timestamp_ns = TIMESTAMP_NONE },
          "make the folder /f: open /f: not a directory" },
        { { .type = ACTION_MKDIR,
            .path = "/no/parents",
            .mode = 0755,
            .timestamp_ns = TIMESTAMP_NONE },
          "make the folder /no/parents: open /no: no such file or directory" },
        { { .type = ACTION_MKFILE, .path = "/no/parents", .timestamp_ns = TIMESTAMP_NONE },
          "write /no/parents: open /no: no such file or directory" },
        { { .type = ACTION_MKFILE, .path = "/d", .timestamp_ns = TIMESTAMP_NONE },
          "write /d: open d: is a directory" },
        { { .type = ACTION_SYMLINK, .path = "/f", .target = "x", .timestamp_ns = TIMESTAMP_NONE },
          "link /f: file exists" },
        { { .type = ACTION_RM, .path = "/none" }, "remove /none: not there" },
        { { .type = ACTION_RM, .path = "/*.x", .has_wildcards = true }, "remove /*.x: not there" },
        { { .type = ACTION_RM, .path = "/" }, "remove /: that is the root" },
    };
    LAB(l, NONE);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO(graph_builder_free) struct graph_builder *b = graph_builder_new();
        AUTO(snapshot_unref) struct snapshot *s = NULL;
        struct op_action actions[] = {
            { .type = ACTION_MKFILE, .path = "/f", .mode = 0644, .timestamp_ns = TIMESTAMP_NONE },
            { .type = ACTION_MKDIR, .path = "/d", .mode = 0755, .timestamp_ns = TIMESTAMP_NONE },
            rows[i].action,
        };
        if (lab_solve(&l, b, add_actions(b, (struct edge){ 0 }, actions, 3), &s) == 0 ||
            !strstr(err.text, rows[i].want))
            tap_fail(__FILE__, __LINE__, "%s\nexpected\n%s", s ? "success" : err.text,
                     rows[i].want);
    }
    lab_close(&l);
}

TEST("removing takes wildcards and never follows")
{
    LAB(l, NONE);
    AUTO(graph_builder_free) struct graph_builder *b = graph_builder_new();
    AUTO(snapshot_unref) struct snapshot *s = NULL;
    RUN("mkdir -p c/d/sub c/keep; touch c/a.o c/b.o c/c.c c/d/sub/f c/keep/f; ln -s keep c/l");
    struct op_action actions[] = {
        copy_of(add_context(b, "context", NULL), "/", "/"),
        { .type = ACTION_RM, .path = "/*.o", .has_wildcards = true },
        { .type = ACTION_RM, .path = "/d" },
        { .type = ACTION_RM, .path = "/l" },
        { .type = ACTION_RM, .path = "/none", .may_be_missing = true },
    };
    REQUIRE_OK(lab_solve(&l, b, add_actions(b, (struct edge){ 0 }, actions, 5), &s), &err);
    AUTO_FREE char *got = inside(&l, s, NAMES);
    EXPECT_STR(got, "c.c keep keep/f ");
    snapshot_unref(STEAL(s));
    lab_close(&l);
}

TEST("a context nobody gave, and one that is no folder, are told by name")
{
    LAB(l, NONE);
    AUTO(graph_builder_free) struct graph_builder *b = graph_builder_new();
    AUTO(snapshot_unref) struct snapshot *s = NULL;
    struct op_action a = copy_of(add_context(b, "nobody", NULL), "/", "/");
    EXPECT_ERR(lab_solve(&l, b, add_actions(b, (struct edge){ 0 }, &a, 1), &s), &err,
               ERR_NOT_FOUND);
    EXPECT_CONTAINS(err.text, "build context \"nobody\": nobody gave one of that name");
    RUN("rmdir o");
    AUTO(graph_builder_free) struct graph_builder *b2 = graph_builder_new();
    a = copy_of(add_context(b2, "other", NULL), "/", "/");
    EXPECT_ERR(lab_solve(&l, b2, add_actions(b2, (struct edge){ 0 }, &a, 1), &s), &err,
               ERR_NOT_FOUND);
    EXPECT_CONTAINS(err.text, "open the build context ");
    lab_close(&l);
}

int main(int argc, char **argv)
{
    is_ready = lab_enter();
    return tap_main(argc, argv);
}
