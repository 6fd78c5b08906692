/* engine/source/git_remote.c - where a repository is, told apart by how it is reached. */
#include <stdlib.h>
#include <string.h>

#include "base/codec/text.h"
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/net/url.h"
#include "engine/source/git_internal.h"

static void wipe(char *secret)
{
    if (secret)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

void git_remote_clear(struct git_remote *r)
{
    free(r->url);
    free(r->shown);
    free(r->host);
    free(r->origin);
    wipe(r->basic);
    *r = (struct git_remote){ 0 };
}

/* "user@host:path": a colon before any slash, and no scheme. */
static bool is_scp_like(const char *text)
{
    size_t at = strcspn(text, "@:/?#");
    if (!at || text[at] != '@' || text[0] == '-')
        return false;
    size_t host = strcspn(text + at + 1, ":/?#");
    return host && text[at + 1] != '-' && text[at + 1 + host] == ':' && text[at + 2 + host] != '\0';
}

static int parse_scp(const char *text, struct git_remote *out)
{
    const char *host = strchr(text, '@') + 1;
    out->transport = GIT_SSH;
    out->url = xstrdup(text);
    out->shown = xstrdup(text);
    out->host = xstrndup(host, strcspn(host, ":"));
    out->origin = xasprintf("ssh://%s/", out->host);
    return 0;
}

/* What curl would make of user and password in the URL, so that git need not see them. */
static int take_credentials(struct url *u, struct git_remote *out, struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf plain = { 0 }, encoded = { 0 };
    if (!u->user)
        return 0;
    buf_init(&plain, LIMIT_URL);
    buf_init(&encoded, 2 * LIMIT_URL);
    if (percent_decode(span_of(u->user), &plain, err))
        return -1;
    buf_puts(&plain, ":");
    if (u->password && percent_decode(span_of(u->password), &plain, err))
        return -1;
    base64_print(buf_span(&plain), &encoded);
    out->basic = xasprintf("Basic %s", encoded.data);
    explicit_bzero(plain.data, plain.len);
    explicit_bzero(encoded.data, encoded.len);
    wipe(STEAL(u->user));
    wipe(STEAL(u->password));
    return 0;
}

static int parse_url(const char *text, struct git_remote *out, struct err *err)
{
    AUTO_VALUE(url_clear) struct url u = { 0 };
    if (url_parse(span_of(text), &u, err))
        return -1;
    out->transport = !strcmp(u.scheme, "ssh")   ? GIT_SSH
                     : !strcmp(u.scheme, "git") ? GIT_DAEMON
                                                : GIT_HTTP;
    if (!u.host || !*u.host || *u.host == '-' || *u.path == '\0')
        return err_set(err, ERR_INVALID, "no URL of a repository");
    out->shown = url_text_redacted(&u);
    if (out->transport == GIT_HTTP && take_credentials(&u, out, err))
        return -1;
    const char *left = strchr(u.host, ':') ? "[" : "", *right = *left ? "]" : "";
    out->host = u.port ? xasprintf("%s%s%s:%u", left, u.host, right, u.port)
                       : xasprintf("%s%s%s", left, u.host, right);
    out->origin = xasprintf("%s://%s/", u.scheme, out->host);
    out->url = url_text(&u);
    return 0;
}

int git_remote_parse(const char *text, struct git_remote *out, struct err *err)
{
    static const char *const schemes[] = { "http://", "https://", "ssh://", "git://" };
    *out = (struct git_remote){ 0 };
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (span_starts(span_of(text), schemes[i]))
            return parse_url(text, out, err);
    if (is_scp_like(text))
        return parse_scp(text, out);
    err_set(err, ERR_UNSUPPORTED, "\"%.200s\": repositories of this kind are not fetched", text);
    return err_hint(err, "http, https, ssh and git are; no files, no helpers of git");
}

char *git_url_resolve(const char *parent, const char *url)
{
    if (strncmp(url, "./", 2) != 0 && strncmp(url, "../", 3) != 0)
        return xstrdup(url);
    const char *scheme = strstr(parent, "://");
    size_t len = strlen(parent), least = scheme ? (size_t)(scheme + 3 - parent) : 0;
    least += strcspn(parent + least, scheme ? "/" : ":"); /* the host stays */
    while (len > least && parent[len - 1] == '/')
        len--;
    const char *joint = "/";
    for (;;) {
        if (strncmp(url, "./", 2) == 0) {
            url += 2;
        } else if (strncmp(url, "../", 3) == 0) {
            url += 3;
            while (len > least && parent[len - 1] != '/' && parent[len - 1] != ':')
                len--;
            joint = len > 0 && parent[len - 1] == ':' ? ":" : "/";
            if (len > least)
                len--;
        } else {
            return xasprintf("%.*s%s%s", (int)len, parent, joint, url);
        }
    }
}
