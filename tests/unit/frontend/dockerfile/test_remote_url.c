/* tests/unit/frontend/dockerfile/test_remote_url.c - what is git, what is http, and what they
 * become. */
#include "frontend/dockerfile/remote_url.h"

#include "base/core/mem.h"
#include "tap.h"

TEST("git references and URLs are told from paths")
{
    static const struct {
        const char *text;
        bool is_git, is_http;
    } rows[] = {
        { "git@github.com:a/b", true, false },
        { "me@h:b.git", true, false },
        { "ssh://git@h/a", true, false },
        { "git://h/a", true, false },
        { "https://h/a.git", true, false },
        { "http://h/a.git#main", true, false },
        { "https://h/a.git?ref=x", true, false },
        { "https://h/a", false, true },
        { "https://h/a.git/x", false, true },
        { "http://h/x?y=a.git", false, true },
        { "a.git", false, false },
        { "github.com/a/b", false, false },
        { "a/b@c:d", false, false },
        { "a:b@c", false, false },
        { "a@h?x:y", false, false },
        { "@h:x", false, false },
        { "x@h/y", false, false },
        { "ftp://h/a", false, false },
        { "", false, false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (url_is_git(rows[i].text) != rows[i].is_git ||
            url_is_http(rows[i].text) != rows[i].is_http)
            tap_fail(__FILE__, __LINE__, "%s: git %d, http %d", rows[i].text,
                     url_is_git(rows[i].text), url_is_http(rows[i].text));
}

TEST("a git reference becomes the identifier that BuildKit gives it")
{
    static const struct {
        const char *text, *identifier, *url;
    } rows[] = {
        { "https://h/a/b.git", "git://h/a/b.git", "https://h/a/b.git" },
        { "https://h/a.git#v1", "git://h/a.git#v1", "https://h/a.git" },
        { "https://h/a.git#:sub", "git://h/a.git#:sub", "https://h/a.git" },
        { "https://h/a.git#v1:sub/x", "git://h/a.git#v1:sub/x", "https://h/a.git" },
        { "https://h/a.git#v1:/", "git://h/a.git#v1", "https://h/a.git" },
        { "https://h/a.git#v1:.", "git://h/a.git#v1", "https://h/a.git" },
        { "https://user@h/a.git", "git://h/a.git", "https://user@h/a.git" },
        { "https://h/a@b.git", "git://h/a@b.git", "https://h/a@b.git" },
        { "ssh://git@h:22/a.git", "git://h:22/a.git", "ssh://git@h:22/a.git" },
        { "git@h:a/b.git#x", "git://h/a/b.git#x", "git@h:a/b.git" },
        { "git@h:/a", "git://h/a", "git@h:/a" },
        { "git://h/a?branch=x", "git://h/a#refs/heads/x", "git://h/a" },
        { "git://h/a?tag=v1&subdir=s", "git://h/a#refs/tags/v1:s", "git://h/a" },
        { "git://h/a?ref=a%2Fb", "git://h/a#a/b", "git://h/a" },
        { "git://h/a?ref=x&ref=x", "git://h/a#x", "git://h/a" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = { 0 };
        struct git_ref g;
        AUTO(arena_free) struct arena *a = arena_new();
        REQUIRE_OK(git_ref_parse(rows[i].text, a, &g, &err), &err);
        struct op_source op = git_source(&g, a);
        EXPECT_STR(op.identifier, rows[i].identifier);
        EXPECT_STR(op.attrs.items[0].value, rows[i].url);
    }
}

TEST("what stands behind a git reference becomes attributes")
{
    static const struct {
        const char *text, *attr, *want; /* want NULL: absent */
    } rows[] = {
        { "https://h/a.git", ATTR_GIT_AUTH_HEADER_SECRET, "GIT_AUTH_HEADER" },
        { "https://h/a.git", ATTR_GIT_AUTH_TOKEN_SECRET, "GIT_AUTH_TOKEN" },
        { "https://h/a.git", ATTR_GIT_KEEP_DIR, NULL },
        { "https://h/a.git?keep-git-dir", ATTR_GIT_KEEP_DIR, "true" },
        { "https://h/a.git?keep-git-dir=0", ATTR_GIT_KEEP_DIR, NULL },
        { "https://h/a.git?checksum=abc", ATTR_GIT_CHECKSUM, "abc" },
        { "https://h/a.git?commit=abc", ATTR_GIT_CHECKSUM, "abc" },
        { "https://h/a.git?submodules=false", ATTR_GIT_SKIP_SUBMODULES, "true" },
        { "https://h/a.git?submodules=true", ATTR_GIT_SKIP_SUBMODULES, NULL },
        { "https://h/a.git?mtime=commit", ATTR_GIT_MTIME, "commit" },
        { "https://h/a.git?mtime=checkout", ATTR_GIT_MTIME, "checkout" },
        { "https://h/a.git", ATTR_GIT_MTIME, NULL },
        { "https://h/a.git?fetch-by-commit=1", ATTR_GIT_FETCH_BY_COMMIT, "true" },
        { "https://h/a.git", ATTR_GIT_MOUNT_SSH, NULL },
        { "git@h:a.git", ATTR_GIT_MOUNT_SSH, "default" },
        { "ssh://git@h/a.git", ATTR_GIT_MOUNT_SSH, "default" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = { 0 };
        struct git_ref g;
        AUTO(arena_free) struct arena *a = arena_new();
        REQUIRE_OK(git_ref_parse(rows[i].text, a, &g, &err), &err);
        struct op_source op = git_source(&g, a);
        const char *got = NULL;
        for (size_t k = 0; k < op.attrs.n; k++)
            if (!strcmp(op.attrs.items[k].key, rows[i].attr))
                got = op.attrs.items[k].value;
        EXPECT_STR(got, rows[i].want);
    }
}

TEST("a file from a URL is called like the last part of its path")
{
    static const struct {
        const char *url, *want;
    } rows[] = {
        { "https://h/a/b.tar.gz", "b.tar.gz" }, { "https://h/a/b/?x=/y", "b" },
        { "https://h/a%20b#frag", "a b" },      { "https://h", "__unnamed__" },
        { "https://h/", "__unnamed__" },        { "https://h/a%2fb", "__unnamed__" },
        { "https://h/a/..", "__unnamed__" },    { "https://h/%2e", "__unnamed__" },
        { "https://h/a%00b", "__unnamed__" },   { "https://h/%zz", "__unnamed__" },
        { "https://h?x", "__unnamed__" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO(arena_free) struct arena *a = arena_new();
        EXPECT_STR(url_file_name(rows[i].url, a), rows[i].want);
    }
}

TAP_MAIN()
