/* tests/unit/engine/ops/test_sources.c - sources from the web, from repositories and from layouts,
 * solved: what they give, what their keys are made of, and what is asked of servers. */
#include "lab.h"
#include "served.h"

static bool is_ready;

struct web_lab {
    struct lab lab;
    struct served served;
    struct http_source *http;
    struct git_source *git;
};

static bool web_lab_open(struct web_lab *l, struct ops_options o)
{
    *l = (struct web_lab){ 0 };
    if (!lab_open(&l->lab, o) || !served_start(&l->served))
        return false;
    RUN("printf hello >served/files/f; touch -d @1500000000 served/files/f");
    EXPECT_OK(http_source_open(l->lab.store, &l->http, &err), &err);
    EXPECT_OK(git_source_open(l->lab.store, &l->git, &err), &err);
    l->lab.ops->o.http = l->http;
    l->lab.ops->o.git = l->git;
    return true;
}

static void web_lab_close(struct web_lab *l)
{
    served_stop(&l->served);
    git_source_close(l->git);
    http_source_close(l->http);
    lab_close(&l->lab);
}

#define LAB(l, o)                                                                                  \
    struct web_lab l;                                                                              \
    if (!is_ready)                                                                                 \
        SKIP("needs namespaces");                                                                  \
    if (!web_lab_open(&l, o))                                                                      \
    return
#define NONE ((struct ops_options){ 0 })

static struct edge add_source(struct graph_builder *b, const char *identifier,
                              const struct pair *attrs, size_t n)
{
    struct op_source op = { .identifier = identifier, .attrs = { attrs, n } };
    struct edge e = { 0 };
    EXPECT_OK(graph_add_source(b, &op, NULL, &e, &err), &err);
    return e;
}

/* A source alone, solved; -1 leaves err. */
static int solve_source(struct web_lab *l, const char *identifier, const struct pair *attrs,
                        size_t n, struct snapshot **out)
{
    AUTO(graph_builder_free) struct graph_builder *b = graph_builder_new();
    return lab_solve(&l->lab, b, add_source(b, identifier, attrs, n), out);
}

/* The key of a source alone, as text. */
static struct digest_text key_of(struct web_lab *l, const char *identifier,
                                 const struct pair *attrs, size_t n)
{
    AUTO(graph_builder_free) struct graph_builder *b = graph_builder_new();
    AUTO(graph_free) struct graph *g = NULL;
    AUTO(arena_free) struct arena *a = arena_new();
    struct edge e = add_source(b, identifier, attrs, n);
    struct op_key key = { 0 };
    const struct op_impl *impl = ops_table(l->lab.ops)->impls[OP_SOURCE];
    err_clear(&err);
    EXPECT_OK(graph_builder_finish(b, &e, 1, &g, &err), &err);
    EXPECT_OK(impl->key(impl->arg, g->results[0].vertex, a, &key, NULL, &err), &err);
    EXPECT(!key.is_free && !key.is_volatile);
    return digest_text(&key.digest);
}

/* What BuildKit makes of a cache key: the witness is sha256sum. */
static char *buildkit_digest(const char *key)
{
    return shell("printf sha256:; printf '%%s' 'buildkit.source.v0:%s' | sha256sum | cut -c-64",
                 key);
}

#define HELLO "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

/* ---- the web ---- */

TEST("a file is one layer with name, mode, owner and time as they were asked for")
{
    static const struct {
        struct pair attrs[4];
        size_t n;
        const char *path, *want;
    } rows[] = {
        { { { 0 } }, 0, "file/f", "f 600 0:0 1500000000" },
        { { { 0 } }, 0, "plain/f", "f 600 0:0 0" },
        { { { ATTR_HTTP_FILENAME, "name" },
            { ATTR_HTTP_PERM, "0644" },
            { ATTR_HTTP_UID, "7" },
            { ATTR_HTTP_GID, "8" } },
          4,
          "file/f",
          "name 644 7:8 1500000000" },
        { { { ATTR_HTTP_PERM, "420" } }, 1, "file/f", "f 644 0:0 1500000000" },
        { { { ATTR_HTTP_CHECKSUM, HELLO } }, 1, "plain/f", "f 600 0:0 0" },
        { { { ATTR_HTTP_FILENAME, "../x" } }, 1, "file/f", "\"../x\": no name of a file" },
        { { { ATTR_HTTP_FILENAME, ".." } }, 1, "file/f", "\"..\": no name of a file" },
        { { { ATTR_HTTP_PERM, "x" } }, 1, "file/f", "http.perm is \"x\"" },
        { { { ATTR_HTTP_UID, "-1" } }, 1, "file/f", "http.uid is \"-1\"" },
        { { { ATTR_HTTP_GID, "99999999999999999999" } }, 1, "file/f", "http.gid is" },
        { { { ATTR_HTTP_CHECKSUM, "sha256:0" } }, 1, "file/f", "sha256:0" },
    };
    LAB(l, NONE);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO(snapshot_unref) struct snapshot *s = NULL;
        AUTO_FREE char *url = xasprintf("http://127.0.0.1:%d/%s", l.served.http_port, rows[i].path);
        if (solve_source(&l, url, rows[i].attrs, rows[i].n, &s)) {
            EXPECT_CONTAINS(err.text, rows[i].want);
            continue;
        }
        AUTO_FREE char *got =
            inside(&l.lab, s, "find . -mindepth 1 -printf '%%P %%m %%U:%%G %%Ts'");
        EXPECT_STR(got, rows[i].want);
        EXPECT_INT(snapshot_depth(s), 1);
    }
    web_lab_close(&l);
}

TEST("a file's key is BuildKit's: content, name, mode, owner and time")
{
    LAB(l, NONE);
    AUTO_FREE char *url = xasprintf("http://127.0.0.1:%d/file/f", l.served.http_port);
    const struct pair attrs[] = { { ATTR_HTTP_FILENAME, "a<\"b" }, { ATTR_HTTP_PERM, "0644" } };
    const struct pair sum[] = { { ATTR_HTTP_CHECKSUM, HELLO } };
    static const char *const json[] = {
        "{\"Filename\":\"f\",\"Perm\":0,\"UID\":0,\"GID\":0,\"Checksum\":\"" HELLO
        "\",\"LastModTime\":\"Fri, 14 Jul 2017 02:40:00 GMT\"}",
        "{\"Filename\":\"a\\u003c\\\"b\",\"Perm\":420,\"UID\":0,\"GID\":0,\"Checksum\":\"" HELLO
        "\",\"LastModTime\":\"Fri, 14 Jul 2017 02:40:00 GMT\"}",
        "{\"Filename\":\"f\",\"Perm\":0,\"UID\":0,\"GID\":0,\"Checksum\":\"" HELLO "\"}",
    };
    for (int i = 0; i < 3; i++) {
        AUTO_FREE char *of_json =
            shell("printf sha256:; printf '%%s' '%s' | sha256sum | cut -c-64", json[i]);
        AUTO_FREE char *want = buildkit_digest(of_json);
        struct digest_text got = key_of(&l, url, i == 1 ? attrs : sum, i == 0 ? 0 : i == 1 ? 2 : 1);
        EXPECT_STR(got.s, want);
    }
    EXPECT_INT(served_count(&l.served, ""), 2); /* the one with a checksum asked nobody */
    web_lab_close(&l);
}

TEST("an unchanged file is not run again, also from another server")
{
    LAB(l, NONE);
    static const struct {
        const char *path;
        int n_cached;
    } rows[] = { { "file/f", 0 }, { "file/f", 1 }, { "modified/f", 1 }, { "plain/f", 0 } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO(snapshot_unref) struct snapshot *s = NULL;
        AUTO_FREE char *url = xasprintf("http://127.0.0.1:%d/%s", l.served.http_port, rows[i].path);
        REQUIRE_OK(solve_source(&l, url, NULL, 0, &s), &err);
        EXPECT_INT(l.lab.n_cached, rows[i].n_cached);
    }
    web_lab_close(&l);
}

TEST("secrets are found by their host's name, the header's before the token's")
{
    static const struct secret_option secrets[] = {
        { .id = "HTTP_AUTH_TOKEN_127.0.0.1", .env = "KILN_TEST_TOKEN" },
        { .id = "HTTP_AUTH_HEADER_localhost", .env = "KILN_TEST_HEADER" },
        { .id = "HTTP_AUTH_TOKEN_localhost", .env = "KILN_TEST_WRONG" },
        { .id = "other", .env = "KILN_TEST_HEADER" },
        { .id = "lines", .env = "KILN_TEST_LINES" },
    };
    static const struct {
        const char *host, *secret, *want; /* want NULL: works */
    } rows[] = {
        { "127.0.0.1", NULL, NULL },
        { "localhost", NULL, NULL },
        { "localhost", "other", NULL },
        { "localhost", "none", "secret none: not found" },
        { "localhost", "lines", "secret lines: is empty or has more than one line" },
    };
    setenv("KILN_TEST_TOKEN", "s3cret\n", 1);
    setenv("KILN_TEST_HEADER", "Bearer s3cret", 1);
    setenv("KILN_TEST_WRONG", "wrong", 1);
    setenv("KILN_TEST_LINES", "a\nb", 1);
    LAB(l, ((struct ops_options){ .secrets = secrets, .n_secrets = 5 }));
    RUN("echo Bearer s3cret >served/authorization");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO(snapshot_unref) struct snapshot *s = NULL;
        AUTO_FREE char *url =
            xasprintf("http://%s:%d/auth/f?%zu", rows[i].host, l.served.http_port, i);
        struct pair attr = { ATTR_HTTP_AUTH_SECRET, rows[i].secret };
        int status = solve_source(&l, url, &attr, rows[i].secret != NULL, &s);
        if (!rows[i].want)
            EXPECT_OK(status, &err);
        else
            EXPECT_CONTAINS(err.text, rows[i].want);
    }
    web_lab_close(&l);
}

/* ---- repositories ---- */

TEST("a repository's key is BuildKit's: the commit, and what is made of it")
{
    static const struct {
        const char *fragment, *attr, *value, *want; /* want: after COMMIT or TAG */
    } rows[] = {
        { "#v1", NULL, NULL, "COMMIT" },
        { "#v1:sub", NULL, NULL, "COMMIT:sub" },
        { "#v1", ATTR_GIT_SKIP_SUBMODULES, "true", "COMMIT(skip-submodules)" },
        { "#v1", ATTR_GIT_KEEP_DIR, "true", "TAG.git#refs/tags/v1" },
        { "#v1:sub", ATTR_GIT_KEEP_DIR, "true", "TAG.git#refs/tags/v1:sub" },
        { "#refs/tags/v1", NULL, NULL, "COMMIT" },
        { "", ATTR_GIT_KEEP_DIR, "true", "MAIN.git#refs/heads/main" },
    };
    LAB(l, NONE);
    RUN("%s/repository served", harness_folder());
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO_FREE char *url = xasprintf("http://127.0.0.1:%d/git/app.git", l.served.http_port);
        AUTO_FREE char *id =
            xasprintf("git://127.0.0.1:%d/git/app.git%s", l.served.http_port, rows[i].fragment);
        const struct pair attrs[] = { { ATTR_GIT_FULL_URL, url }, { rows[i].attr, rows[i].value } };
        AUTO_FREE char *key =
            shell("cd served/git/app.git; echo '%s' | sed s/COMMIT/$(git rev-parse v1^{commit})/ | "
                  "sed s/TAG/$(git rev-parse v1)/ | sed s/MAIN/$(git rev-parse main)/",
                  rows[i].want);
        AUTO_FREE char *want = buildkit_digest(key);
        struct digest_text got = key_of(&l, id, attrs, rows[i].attr ? 2 : 1);
        EXPECT_STR(got.s, want);
    }
    web_lab_close(&l);
}

TEST("the same commit is fetched once, under whatever name")
{
    static const struct {
        const char *fragment;
        bool is_cached;
    } rows[] = { { "#v1", false }, { "#v1", true },   { "#refs/tags/v1", true },
                 { "", false },    { "#main", true }, { "#v1:sub", false } };
    LAB(l, NONE);
    RUN("%s/repository served", harness_folder());
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO(snapshot_unref) struct snapshot *s = NULL;
        AUTO_FREE char *url = xasprintf("http://127.0.0.1:%d/git/app.git", l.served.http_port);
        AUTO_FREE char *id = xasprintf("git://x/app.git%s", rows[i].fragment);
        const struct pair attrs[] = { { ATTR_GIT_FULL_URL, url } };
        int before = served_count(&l.served, "POST");
        REQUIRE_OK(solve_source(&l, id, attrs, 1, &s), &err);
        EXPECT_INT(l.lab.n_cached, rows[i].is_cached);
        if (rows[i].is_cached) /* one ls-remote */
            EXPECT_INT(served_count(&l.served, "POST") - before, 1);
        EXPECT_INT(snapshot_depth(s), 1);
    }
    web_lab_close(&l);
}

TEST("a repository as a copy's source: all of it goes into the destination")
{
    LAB(l, NONE);
    RUN("%s/repository served", harness_folder());
    AUTO_FREE char *url = xasprintf("git://127.0.0.1:%d/app.git", l.served.git_port);
    AUTO_FREE char *id = xasprintf("%s#light", url);
    const struct pair attrs[] = { { ATTR_GIT_FULL_URL, url } };
    static const char *const dests[] = { "/", "/new", "/new/", "/made/deep/" };
    static const char *const want[] = {
        "README link run.sh sub sub/file sub/nested sub/nested/file ",
        "new new/README new/link new/run.sh new/sub new/sub/file "
        "new/sub/nested new/sub/nested/file "
    };
    for (size_t i = 0; i < 4; i++) {
        AUTO(graph_builder_free) struct graph_builder *b = graph_builder_new();
        AUTO(snapshot_unref) struct snapshot *s = NULL;
        struct op_action a = copy_action(dests[i]);
        a.copies_dir_contents = a.follows_symlinks = false; /* as ADD of a repository is written */
        a.from = add_source(b, id, attrs, 1);
        a.src = "/";
        REQUIRE_OK(lab_solve(&l.lab, b, add_actions(b, (struct edge){ 0 }, &a, 1), &s), &err);
        AUTO_FREE char *got = inside(&l.lab, s, NAMES);
        if (i < 3)
            EXPECT_STR(got, want[i > 0]);
        else
            EXPECT_CONTAINS(got, "made/deep/README");
    }
    web_lab_close(&l);
}

int main(int argc, char **argv)
{
    is_ready = lab_enter();
    return tap_main(argc, argv);
}
