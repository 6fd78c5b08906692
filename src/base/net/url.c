/* base/net/url.c - URLs: taken apart, put together, resolved.
 *
 *     URL       = scheme ":" ["//" [user [":" password] "@"] host [":" port]] path ["?" query] ["#"
 * fragment] host      = name or IPv4 as they are written, or "[" IPv6 "]"
 *
 * Query and fragment take any visible ASCII but space, quotes, angle brackets and backslash, since
 * servers send such Location headers; all else is as strict as the grammar.
 *
 * Spec: RFC 3986 3, 5.2, 6.2.2.1 (case), appendix A.  Zones of IPv6 (RFC 6874) are refused.
 * Threads: values. */
#include "base/net/url.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/core/buf.h"
#include "base/core/limits.h"
#include "base/core/mem.h"

#define UNRESERVED "-._~"
#define SUB_DELIMS "!$&'()*+,;="
#define HIDDEN "xxxxx"

enum { PORT_MAX = 65535 };

void url_clear(struct url *u)
{
    free(u->scheme);
    free(u->user);
    free(u->password);
    free(u->host);
    free(u->path);
    free(u->query);
    free(u->fragment);
    *u = (struct url){ 0 };
}

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_among(char c, const char *set)
{
    return c && strchr(set, c);
}

/* Only letters, digits, unreserved, `others` and whole percent escapes. */
static bool is_made_of(struct span s, const char *others)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '%') {
            if (s.len - i < 3 || !is_hex(s.ptr[i + 1]) || !is_hex(s.ptr[i + 2]))
                return false;
            i += 2;
        } else if (!is_alpha(c) && !is_digit(c) && !is_among(c, UNRESERVED) &&
                   !is_among(c, others)) {
            return false;
        }
    }
    return true;
}

/* The text without what may be secret, also when it is no URL at all. */
static char *text_for_message(struct span text)
{
    AUTO_VALUE(buf_clear) struct buf b;
    buf_init(&b, LIMIT_URL);
    struct span rest = span_first(text, 512);
    ptrdiff_t question = span_find(rest, '?');
    if (question >= 0)
        rest.len = (size_t)question;
    ptrdiff_t at = span_rfind(rest, '@');
    if (at >= 0) {
        ptrdiff_t slash = span_find(span_first(rest, (size_t)at), '/');
        if (slash >= 0)
            buf_put(&b, span_first(rest, (size_t)slash));
        buf_puts(&b, slash >= 0 ? "//" HIDDEN : HIDDEN);
        rest = span_skip(rest, (size_t)at);
    }
    buf_put(&b, rest);
    buf_puts(&b, question >= 0 ? "?" HIDDEN : "");
    for (size_t i = 0; i < b.len; i++)
        if (b.data[i] < ' ' || b.data[i] == 0x7f)
            b.data[i] = '?';
    return buf_take(&b);
}

static char *dup_lower(struct span s)
{
    char *text = span_dup(s);
    for (char *p = text; *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p - 'A' + 'a');
    return text;
}

/* Takes "scheme:" off *rest; false when there is none. */
static bool take_scheme(struct span *rest, struct url *u)
{
    size_t n = 0;
    while (n < rest->len && (is_alpha(rest->ptr[n]) ||
                             (n && (is_digit(rest->ptr[n]) || is_among(rest->ptr[n], "+-.")))))
        n++;
    if (!n || n == rest->len || rest->ptr[n] != ':')
        return false;
    u->scheme = dup_lower(span_first(*rest, n));
    *rest = span_skip(*rest, n + 1);
    return true;
}

static const char *take_port(struct span text, struct url *u)
{
    uint64_t port = 0;
    if (!text.len)
        return NULL; /* "host:" is the default port, RFC 3986 3.2.3 */
    if (!span_u64(text, PORT_MAX, &port) || !port)
        return "the port is no number from 1 to 65535";
    u->port = (uint16_t)port;
    return NULL;
}

static const char *take_ipv6(struct span text, struct url *u)
{
    ptrdiff_t end = span_find(text, ']');
    if (end < 0)
        return "\"[\" without \"]\"";
    AUTO_FREE char *host = dup_lower(span_first(span_skip(text, 1), (size_t)end - 1));
    struct in6_addr address;
    if (strlen(host) != (size_t)end - 1 || inet_pton(AF_INET6, host, &address) != 1)
        return "no IPv6 address between the brackets";
    u->host = STEAL(host);
    struct span rest = span_skip(text, (size_t)end + 1);
    if (!rest.len)
        return NULL;
    return rest.ptr[0] == ':' ? take_port(span_skip(rest, 1), u) : "text after \"]\"";
}

static const char *take_authority(struct span text, struct url *u)
{
    ptrdiff_t at = span_rfind(text, '@');
    if (at >= 0) {
        struct span password = span_first(text, (size_t)at), user = span_cut(&password, ':');
        if (!is_made_of(user, SUB_DELIMS) || !is_made_of(password, SUB_DELIMS ":"))
            return "a character in user or password that must be percent-encoded";
        u->user = span_dup(user);
        u->password = password.ptr ? span_dup(password) : NULL;
        text = span_skip(text, (size_t)at + 1);
    }
    if (span_starts(text, "["))
        return take_ipv6(text, u);
    struct span port = text, host = span_cut(&port, ':');
    if (!is_made_of(host, SUB_DELIMS))
        return "a character that no host name has";
    u->host = dup_lower(host);
    return port.ptr ? take_port(port, u) : NULL;
}

static const char *take_rest(struct span rest, struct url *u)
{
    struct span fragment = rest, query = span_cut(&fragment, '#'), path = span_cut(&query, '?');
    if (!is_made_of(path, SUB_DELIMS ":@/"))
        return "a character in the path that must be percent-encoded";
    if (!is_made_of(query, SUB_DELIMS ":@/?[]{}|^`") ||
        !is_made_of(fragment, SUB_DELIMS ":@/?[]{}|^`"))
        return "a character in query or fragment that must be percent-encoded";
    if (u->host && path.len && path.ptr[0] != '/')
        return "text between host and path";
    u->path = span_dup(path);
    u->query = query.ptr ? span_dup(query) : NULL;
    u->fragment = fragment.ptr ? span_dup(fragment) : NULL;
    return NULL;
}

/* Returns what is wrong, or NULL. */
static const char *take_reference(struct span text, struct url *u)
{
    struct span rest = text;
    if (!take_scheme(&rest, u)) {
        /* RFC 3986 4.2: a colon in the first segment of a relative path would be read as a scheme
         */
        struct span tail = rest;
        struct span first = span_cut(&tail, '/');
        ptrdiff_t colon = span_find(first, ':');
        if (colon >= 0 && span_find(span_first(first, (size_t)colon), '?') < 0 &&
            span_find(span_first(first, (size_t)colon), '#') < 0)
            return "no scheme before \":\"";
    }
    if (span_starts(rest, "//")) {
        rest = span_skip(rest, 2);
        size_t n = 0;
        while (n < rest.len && !is_among(rest.ptr[n], "/?#"))
            n++;
        const char *wrong = take_authority(span_first(rest, n), u);
        if (wrong)
            return wrong;
        rest = span_skip(rest, n);
    }
    return take_rest(rest, u);
}

static int parse_reference(struct span text, struct url *out, struct err *err)
{
    if (text.len > LIMIT_URL)
        return err_set(err, ERR_LIMIT, "read a URL: longer than %zu bytes", LIMIT_URL);
    const char *wrong = take_reference(text, out);
    if (!wrong)
        return 0;
    AUTO_FREE char *shown = text_for_message(text);
    return err_set(err, ERR_INVALID, "read URL %s: %s", shown, wrong);
}

static int check_absolute(const struct url *u, struct span text, struct err *err)
{
    const char *wrong = NULL;
    if (!u->scheme)
        wrong = "no scheme, such as https://";
    else if ((!strcmp(u->scheme, "http") || !strcmp(u->scheme, "https")) && !(u->host && *u->host))
        wrong = "no host";
    if (!wrong)
        return 0;
    AUTO_FREE char *shown = text_for_message(text);
    return err_set(err, ERR_INVALID, "read URL %s: %s", shown, wrong);
}

int url_parse(struct span text, struct url *out, struct err *err)
{
    AUTO_VALUE(url_clear) struct url u = { 0 };
    if (parse_reference(text, &u, err) || check_absolute(&u, text, err))
        return -1;
    *out = u;
    u = (struct url){ 0 };
    return 0;
}

/* What hides secrets in a query: "a=b&c" becomes "a=xxxxx&xxxxx". */
static void put_query_redacted(struct buf *b, struct span query)
{
    for (const char *between = ""; query.ptr; between = "&") {
        struct span pair = span_cut(&query, '&');
        ptrdiff_t equals = span_find(pair, '=');
        buf_puts(b, between);
        if (equals >= 0)
            buf_put(b, span_first(pair, (size_t)equals + 1));
        buf_puts(b, pair.len ? HIDDEN : "");
    }
}

static void put_authority(struct buf *b, const struct url *u, bool is_redacted)
{
    if (u->user) {
        bool is_token = !u->password && u->scheme && span_starts(span_of(u->scheme), "http");
        buf_puts(b, is_redacted && is_token && *u->user ? HIDDEN : u->user);
        if (u->password)
            buf_printf(b, ":%s", is_redacted ? HIDDEN : u->password);
        buf_putc(b, '@');
    }
    buf_printf(b, strchr(u->host, ':') ? "[%s]" : "%s", u->host);
    if (u->port)
        buf_printf(b, ":%u", u->port);
}

static char *print(const struct url *u, bool is_redacted)
{
    AUTO_VALUE(buf_clear) struct buf b;
    buf_init(&b, 8 * LIMIT_URL); /* hiding the values of "a=&b=&..." makes it longer */
    buf_puts(&b, "");
    if (u->scheme)
        buf_printf(&b, "%s:", u->scheme);
    if (u->host) {
        buf_puts(&b, "//");
        put_authority(&b, u, is_redacted);
    } else if (u->path && span_starts(span_of(u->path), "//"))
        buf_puts(&b, "/."); /* else the path would be read as a host */
    buf_puts(&b, u->path ? u->path : "");
    if (u->query) {
        buf_putc(&b, '?');
        if (is_redacted)
            put_query_redacted(&b, span_of(u->query));
        else
            buf_puts(&b, u->query);
    }
    if (u->fragment)
        buf_printf(&b, "#%s", u->fragment);
    return b.len ? buf_take(&b) : xstrdup("");
}

char *url_text(const struct url *u)
{
    return print(u, false);
}

char *url_text_redacted(const struct url *u)
{
    return print(u, true);
}

/* Drops the last segment and its slash, never below `root`. */
static void pop_segment(struct buf *b, size_t root)
{
    if (b->len > root)
        b->len--;
    while (b->len > root && b->data[b->len - 1] != '/')
        b->len--;
}

/* RFC 3986 5.2.4, on whole segments: "." goes, ".." takes the one before with it. */
static char *remove_dot_segments(const char *path)
{
    AUTO_VALUE(buf_clear) struct buf b;
    buf_init(&b, 3 * LIMIT_URL);
    struct span rest = span_of(path);
    bool is_rooted = span_starts(rest, "/");
    if (is_rooted) {
        rest = span_skip(rest, 1);
        buf_putc(&b, '/');
    }
    size_t root = b.len;
    while (rest.ptr) {
        struct span segment = span_cut(&rest, '/');
        bool is_last = !rest.ptr;
        if (span_is(segment, "..")) {
            pop_segment(&b, root);
        } else if (!span_is(segment, ".")) {
            buf_put(&b, segment);
            if (!is_last)
                buf_putc(&b, '/');
        }
    }
    return b.len ? span_dup(buf_span(&b)) : xstrdup("");
}

/* RFC 3986 5.2.3 */
static char *merge_paths(const struct url *base, const char *path)
{
    if (base->host && !*base->path)
        return xasprintf("/%s", path);
    const char *slash = strrchr(base->path, '/');
    int n = slash ? (int)(slash - base->path) + 1 : 0;
    return xasprintf("%.*s%s", n, base->path, path);
}

static void copy_authority(struct url *to, const struct url *from)
{
    to->user = xstrdup_or_null(from->user);
    to->password = xstrdup_or_null(from->password);
    to->host = xstrdup_or_null(from->host);
    to->port = from->port;
}

/* RFC 3986 5.2.2, once the reference is known to have no scheme. */
static void complete(struct url *u, const struct url *base)
{
    u->scheme = xstrdup_or_null(base->scheme);
    if (u->host)
        return;
    copy_authority(u, base);
    AUTO_FREE char *path = STEAL(u->path);
    if (!*path) {
        u->path = xstrdup(base->path);
        if (!u->query)
            u->query = xstrdup_or_null(base->query);
    } else {
        u->path = *path == '/' ? STEAL(path) : merge_paths(base, path);
    }
}

int url_resolve(const struct url *base, struct span reference, struct url *out, struct err *err)
{
    AUTO_VALUE(url_clear) struct url u = { 0 };
    if (parse_reference(reference, &u, err))
        return -1;
    bool keeps_path = !u.scheme && !u.host && !*u.path;
    if (!u.scheme)
        complete(&u, base);
    if (!keeps_path) {
        AUTO_FREE char *path = STEAL(u.path);
        u.path = remove_dot_segments(path);
    }
    AUTO_FREE char *text = url_text(&u);
    if (strlen(text) > LIMIT_URL)
        return err_set(err, ERR_LIMIT, "resolve a URL: longer than %zu bytes", LIMIT_URL);
    if (check_absolute(&u, reference, err))
        return -1;
    *out = u;
    u = (struct url){ 0 };
    return 0;
}
