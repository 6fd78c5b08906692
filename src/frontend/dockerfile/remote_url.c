/* frontend/dockerfile/remote_url.c - git references and URLs, and the sources made of them.
 *
 * Threads: values. */
#include "frontend/dockerfile/remote_url.h"

#include <string.h>

#include "base/codec/text.h"
#include "base/core/buf.h"
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "frontend/dockerfile/parse_internal.h"

static bool is_web(const char *text)
{
    return span_starts(span_of(text), "http://") || span_starts(span_of(text), "https://");
}

/* "git@host:path", also with another user's name. */
static bool is_scp_like(const char *text)
{
    size_t user = strcspn(text, "@:/?#");
    if (!user || text[user] != '@')
        return false;
    size_t host = strcspn(text + user + 1, ":/?#");
    return host && text[user + 1 + host] == ':';
}

bool url_is_git(const char *text)
{
    struct span s = span_of(text);
    if (span_starts(s, "git://") || span_starts(s, "ssh://") || is_scp_like(text))
        return true;
    return is_web(text) && span_ends(span_first(s, strcspn(text, "?#")), ".git");
}

bool url_is_http(const char *text)
{
    return is_web(text) && !url_is_git(text);
}

/* The part "host/path" of a remote. */
static const char *remote_id(const char *remote, struct arena *a)
{
    const char *scheme = strstr(remote, "://");
    const char *rest = scheme ? scheme + 3 : remote;
    const char *at = strchr(rest, '@');
    if (at && strcspn(rest, "/") > (size_t)(at - rest))
        rest = at + 1;
    char *id = arena_strdup(a, rest);
    if (!scheme) {
        char *colon = strchr(id, ':');
        return arena_printf(a, "%.*s%s%s", (int)(colon - id), id, colon[1] == '/' ? "" : "/",
                            colon + 1);
    }
    return id;
}

static int set_text(const char **field, const char *key, const char *value, struct err *err)
{
    if ((*field)[0] && strcmp(*field, value) != 0)
        return err_set(err, ERR_INVALID, "%s: is given twice: \"%s\" and \"%s\"", key, *field,
                       value);
    *field = value;
    return 0;
}

static int set_flag(enum tristate *field, const char *key, const char *value, struct err *err)
{
    bool is_on = true;
    if (value[0] && !span_bool(span_of(value), &is_on))
        return err_set(err, ERR_INVALID, "invalid %s value: \"%s\"", key, value);
    *field = is_on ? FLAG_TRUE : FLAG_FALSE;
    return 0;
}

static int set_mtime(struct git_ref *g, const char *value, struct err *err)
{
    if (strcmp(value, "checkout") != 0 && strcmp(value, "commit") != 0)
        return err_set(err, ERR_INVALID, "invalid mtime value: \"%s\": checkout or commit", value);
    return set_text(&g->mtime, "mtime", value, err);
}

static int set_query(struct git_ref *g, const char *key, const char *value, struct arena *a,
                     struct err *err)
{
    if (strcmp(key, "ref") == 0)
        return set_text(&g->ref, key, value, err);
    if (strcmp(key, "tag") == 0)
        return set_text(&g->ref, key, arena_printf(a, "refs/tags/%s", value), err);
    if (strcmp(key, "branch") == 0)
        return set_text(&g->ref, key, arena_printf(a, "refs/heads/%s", value), err);
    if (strcmp(key, "subdir") == 0)
        return set_text(&g->subdir, key, value, err);
    if (strcmp(key, "checksum") == 0 || strcmp(key, "commit") == 0)
        return set_text(&g->checksum, key, value, err);
    if (strcmp(key, "keep-git-dir") == 0)
        return set_flag(&g->keep_git_dir, key, value, err);
    if (strcmp(key, "submodules") == 0)
        return set_flag(&g->submodules, key, value, err);
    if (strcmp(key, "fetch-by-commit") == 0)
        return set_flag(&g->fetch_by_commit, key, value, err);
    if (strcmp(key, "mtime") == 0)
        return set_mtime(g, value, err);
    return err_set(err, ERR_INVALID, "unexpected query \"%s\"", key);
}

static int read_query(struct span query, struct git_ref *g, struct arena *a, struct err *err)
{
    while (query.len) {
        struct span value = span_cut(&query, '&');
        struct span key = span_cut(&value, '=');
        AUTO_VALUE(buf_clear) struct buf decoded;
        buf_init(&decoded, LIMIT_URL);
        if (percent_decode(value, &decoded, err) ||
            set_query(g, arena_strndup(a, key.ptr, key.len),
                      arena_strndup(a, decoded.data ? decoded.data : "", decoded.len), a, err))
            return -1;
    }
    return 0;
}

int git_ref_parse(const char *text, struct arena *a, struct git_ref *out, struct err *err)
{
    struct span fragment = span_of(text);
    struct span query = span_cut(&fragment, '#');
    struct span remote = span_cut(&query, '?');
    *out = (struct git_ref){
        .remote = arena_strndup(a, remote.ptr, remote.len),
        .ref = "",
        .subdir = "",
        .checksum = "",
        .mtime = "",
    };
    out->is_ssh = span_starts(remote, "ssh://") || is_scp_like(out->remote);
    out->id = remote_id(out->remote, a);
    if (query.len && fragment.len)
        return err_set(err, ERR_INVALID, "%s: has both a fragment and a query", text);
    if (read_query(query, out, a, err))
        return err_wrap(err, "%s", text);
    if (fragment.len) {
        struct span subdir = fragment, ref = span_cut(&subdir, ':');
        out->ref = arena_strndup(a, ref.ptr, ref.len);
        out->subdir = arena_strndup(a, subdir.len ? subdir.ptr : "", subdir.len);
    }
    if (strcmp(out->subdir, "/") == 0 || strcmp(out->subdir, ".") == 0)
        out->subdir = "";
    return 0;
}

struct op_source git_source(const struct git_ref *g, struct arena *a)
{
    struct pair *attrs = arena_alloc(a, 10 * sizeof *attrs);
    size_t n = 0;
    attrs[n++] = (struct pair){ ATTR_GIT_FULL_URL, g->remote };
    attrs[n++] = (struct pair){ ATTR_GIT_AUTH_HEADER_SECRET, "GIT_AUTH_HEADER" };
    attrs[n++] = (struct pair){ ATTR_GIT_AUTH_TOKEN_SECRET, "GIT_AUTH_TOKEN" };
    if (g->keep_git_dir == FLAG_TRUE)
        attrs[n++] = (struct pair){ ATTR_GIT_KEEP_DIR, "true" };
    if (g->checksum[0])
        attrs[n++] = (struct pair){ ATTR_GIT_CHECKSUM, g->checksum };
    if (g->submodules == FLAG_FALSE)
        attrs[n++] = (struct pair){ ATTR_GIT_SKIP_SUBMODULES, "true" };
    if (g->mtime[0])
        attrs[n++] = (struct pair){ ATTR_GIT_MTIME, g->mtime };
    if (g->fetch_by_commit == FLAG_TRUE)
        attrs[n++] = (struct pair){ ATTR_GIT_FETCH_BY_COMMIT, "true" };
    if (g->is_ssh)
        attrs[n++] = (struct pair){ ATTR_GIT_MOUNT_SSH, "default" };
    const char *part = g->subdir[0] ? arena_printf(a, "#%s:%s", g->ref, g->subdir)
                       : g->ref[0]  ? arena_printf(a, "#%s", g->ref)
                                    : "";
    return (struct op_source){
        .identifier = arena_printf(a, "git://%s%s", g->id, part),
        .attrs = { attrs, n },
    };
}

const char *url_file_name(const char *url, struct arena *a)
{
    const char *scheme = strstr(url, "://");
    struct span path = span_of(scheme ? scheme + 3 : url);
    path = span_first(path, strcspn(path.ptr, "?#"));
    ptrdiff_t slash = span_find(path, '/');
    path = slash < 0 ? SPAN("") : span_skip(path, (size_t)slash + 1);
    while (span_ends(path, "/"))
        path = span_first(path, path.len - 1);
    ptrdiff_t last = span_rfind(path, '/');
    path = last < 0 ? path : span_skip(path, (size_t)last + 1);
    AUTO_VALUE(buf_clear) struct buf name;
    buf_init(&name, LIMIT_URL);
    struct err ignored = { 0 };
    bool is_file = path.len && !percent_decode(path, &name, &ignored) && name.len &&
                   !memchr(name.data, '/', name.len) && strlen(name.data) == name.len &&
                   strcmp(name.data, ".") != 0 && strcmp(name.data, "..") != 0;
    return is_file ? arena_strdup(a, name.data) : "__unnamed__";
}

struct op_source http_source(const char *url, const char *file_name, const char *checksum,
                             struct arena *a)
{
    struct pair *attrs = arena_alloc(a, 2 * sizeof *attrs);
    size_t n = 0;
    attrs[n++] = (struct pair){ ATTR_HTTP_FILENAME, file_name };
    if (checksum[0])
        attrs[n++] = (struct pair){ ATTR_HTTP_CHECKSUM, checksum };
    return (struct op_source){ .identifier = url, .attrs = { attrs, n } };
}
