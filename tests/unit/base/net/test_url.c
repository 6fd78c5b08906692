/* tests/unit/base/net/test_url.c - URLs taken apart, put together, resolved. */
#include "base/net/url.h"

#include <strings.h>

#include "base/core/buf.h"
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "tap.h"

static const char *shown(const char *s)
{
    return s ? s : "-";
}

/* "scheme|user|password|host|port|path|query|fragment", "-" for absent; NULL when refused. */
static char *parts_of(const char *text)
{
    AUTO_VALUE(url_clear) struct url u = { 0 };
    struct err err = { 0 };
    if (url_parse(span_of(text), &u, &err)) {
        EXPECT_INT(err.kind, ERR_INVALID);
        EXPECT(!u.scheme && !u.host && !u.path);
        return NULL;
    }
    return xasprintf("%s|%s|%s|%s|%u|%s|%s|%s", shown(u.scheme), shown(u.user), shown(u.password),
                     shown(u.host), u.port, u.path, shown(u.query), shown(u.fragment));
}

static const struct {
    const char *text, *want; /* want NULL: refused */
} parse_rows[] = {
    { "http://example.com", "http|-|-|example.com|0||-|-" },
    { "http://example.com/", "http|-|-|example.com|0|/|-|-" },
    { "HTTPS://Example.COM:8443/A%2fb?x=1&y#f", "https|-|-|example.com|8443|/A%2fb|x=1&y|f" },
    { "https://user@host/p", "https|user|-|host|0|/p|-|-" },
    { "https://user:pa%40ss@host/p", "https|user|pa%40ss|host|0|/p|-|-" },
    { "https://user:a:b@host", "https|user|a:b|host|0||-|-" },
    { "https://:secret@host", "https||secret|host|0||-|-" },
    { "http://[::1]:5000/v2/", "http|-|-|::1|5000|/v2/|-|-" },
    { "http://[2001:DB8::7]/c=GB?objectClass?one",
      "http|-|-|2001:db8::7|0|/c=GB|objectClass?one|-" },
    { "http://127.0.0.1:65535", "http|-|-|127.0.0.1|65535||-|-" },
    { "http://host:/x", "http|-|-|host|0|/x|-|-" },
    { "http://host?q", "http|-|-|host|0||q|-" },
    { "http://host?", "http|-|-|host|0|||-" },
    { "http://host#", "http|-|-|host|0||-|" },
    { "http://host/a//b/../c", "http|-|-|host|0|/a//b/../c|-|-" },
    { "http://host/x?filter={\"a\"}", NULL },
    { "http://host/x?f={a}|[b]", "http|-|-|host|0|/x|f={a}|[b]|-" },
    { "ssh://git@github.com:22/org/repo.git", "ssh|git|-|github.com|22|/org/repo.git|-|-" },
    { "git+https://h/r", "git+https|-|-|h|0|/r|-|-" },
    { "file:///srv/repo", "file|-|-||0|/srv/repo|-|-" },
    { "mailto:John.Doe@example.com", "mailto|-|-|-|0|John.Doe@example.com|-|-" },
    { "urn:oasis:names", "urn|-|-|-|0|oasis:names|-|-" },
    { "", NULL },
    { "example.com", NULL },
    { "//host/path", NULL },
    { "/path", NULL },
    { "git@github.com:org/repo", NULL },
    { "http://", NULL },
    { "http:///path", NULL },
    { "http:path", NULL },
    { "http://:80/", NULL },
    { "1http://host/", NULL },
    { "http://host:0/", NULL },
    { "http://host:65536/", NULL },
    { "http://host:80a/", NULL },
    { "http://host:-1/", NULL },
    { "http://ho st/", NULL },
    { "http://host/a b", NULL },
    { "http://host/a\tb", NULL },
    { "http://host/\r\nX: y", NULL },
    { "http://host/%zz", NULL },
    { "http://host/%2", NULL },
    { "http://h\xc3\xb6st/", NULL },
    { "http://[::1/", NULL },
    { "http://[::1]x/", NULL },
    { "http://[1.2.3.4]/", NULL },
    { "http://[fe80::1%25eth0]/", NULL },
    { "http://a@b@c/", NULL },
    { "http://::1/", NULL },
    { "http://host/<x>", NULL },
    { "http://host/a\\b", NULL },
};

TEST("URLs are taken apart, or refused when they break the grammar")
{
    for (size_t i = 0; i < sizeof parse_rows / sizeof *parse_rows; i++) {
        AUTO_FREE char *got = parts_of(parse_rows[i].text);
        if (!parse_rows[i].want)
            EXPECT(!got);
        else
            EXPECT_STR(got, parse_rows[i].want);
        if (!got != !parse_rows[i].want)
            tap_fail(__FILE__, __LINE__, "row %zu: %s", i, parse_rows[i].text);
    }
}

TEST("a URL is printed as it was written, but for the case of scheme and host")
{
    for (size_t i = 0; i < sizeof parse_rows / sizeof *parse_rows; i++) {
        AUTO_VALUE(url_clear) struct url u = { 0 };
        struct err err = { 0 };
        if (!parse_rows[i].want)
            continue;
        REQUIRE_OK(url_parse(span_of(parse_rows[i].text), &u, &err), &err);
        AUTO_FREE char *text = url_text(&u);
        AUTO_FREE char *again = parts_of(text);
        EXPECT_STR(again, parse_rows[i].want);
        if (!strstr(parse_rows[i].text, "host:/")) /* an empty port is dropped */
            EXPECT_INT(strcasecmp(text, parse_rows[i].text), 0);
    }
}

TEST("NUL in the middle is refused")
{
    struct url u = { 0 };
    struct err err = { 0 };
    EXPECT_ERR(url_parse(SPAN("http://host/a\0b"), &u, &err), &err, ERR_INVALID);
    EXPECT_ERR(url_parse(SPAN("http://[::1\0]/"), &u, &err), &err, ERR_INVALID);
    EXPECT_ERR(url_parse(SPAN("http://ho\0st/"), &u, &err), &err, ERR_INVALID);
}

TEST("a URL beyond its ceiling is refused, one at the ceiling is not")
{
    AUTO_VALUE(buf_clear) struct buf b;
    buf_init(&b, 2 * LIMIT_URL);
    buf_puts(&b, "http://host/");
    while (b.len < LIMIT_URL)
        buf_putc(&b, 'a');
    AUTO_VALUE(url_clear) struct url u = { 0 };
    struct err err = { 0 };
    REQUIRE_OK(url_parse(buf_span(&b), &u, &err), &err);
    AUTO_FREE char *text = url_text(&u);
    EXPECT_STR(text, b.data);
    buf_putc(&b, 'a');
    struct url none = { 0 };
    EXPECT_ERR(url_parse(buf_span(&b), &none, &err), &err, ERR_LIMIT);
}

static const struct {
    const char *text, *want;
} redact_rows[] = {
    { "https://host/p", "https://host/p" },
    { "https://user:secret@host:1/p", "https://user:xxxxx@host:1/p" },
    { "https://user:@host/", "https://user:xxxxx@host/" },
    { "https://ghp_token@github.com/o/r", "https://xxxxx@github.com/o/r" },
    { "ssh://git@github.com/o/r", "ssh://git@github.com/o/r" },
    { "ssh://git:pw@github.com/o/r", "ssh://git:xxxxx@github.com/o/r" },
    { "http://h/?a=1&b=&token", "http://h/?a=xxxxx&b=xxxxx&xxxxx" },
    { "http://h/?X-Amz-Signature=abc=def&&c=d#frag",
      "http://h/?X-Amz-Signature=xxxxx&&c=xxxxx#frag" },
    { "http://h/?", "http://h/?" },
};

TEST("a redacted URL shows no password, no token and no value of the query")
{
    for (size_t i = 0; i < sizeof redact_rows / sizeof *redact_rows; i++) {
        AUTO_VALUE(url_clear) struct url u = { 0 };
        struct err err = { 0 };
        REQUIRE_OK(url_parse(span_of(redact_rows[i].text), &u, &err), &err);
        AUTO_FREE char *got = url_text_redacted(&u);
        EXPECT_STR(got, redact_rows[i].want);
    }
}

TEST("the longest query can be redacted")
{
    AUTO_VALUE(buf_clear) struct buf b;
    buf_init(&b, LIMIT_URL);
    buf_puts(&b, "http://h/?");
    while (b.len + 2 <= LIMIT_URL)
        buf_puts(&b, "&=");
    AUTO_VALUE(url_clear) struct url u = { 0 };
    struct err err = { 0 };
    REQUIRE_OK(url_parse(buf_span(&b), &u, &err), &err);
    AUTO_FREE char *got = url_text_redacted(&u);
    EXPECT_INT(strlen(got), 10 + (b.len - 10) / 2 * 7);
}

TEST("the message about a broken URL has no secret in it")
{
    static const char *const rows[] = {
        "https://user:secret@ho st/x",   "https://secret@host/%zz", "user name:secret@host:x",
        "https://host/%zz?token=secret", "https://a@secret@host/",  "://u:secret@h/?secret",
        "https://user:sec/ret@host/%",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct url u = { 0 };
        struct err err = { 0 };
        EXPECT_ERR(url_parse(span_of(rows[i]), &u, &err), &err, ERR_INVALID);
        EXPECT(!strstr(err.text, "secret"));
        EXPECT_CONTAINS(err.text, "read URL ");
    }
}

/* RFC 3986 5.4.1 and 5.4.2, all of them, then cases of our own. */
static const struct {
    const char *base, *reference, *want;
} resolve_rows[] = {
    { "http://a/b/c/d;p?q", "g:h", "g:h" },
    { "http://a/b/c/d;p?q", "g", "http://a/b/c/g" },
    { "http://a/b/c/d;p?q", "./g", "http://a/b/c/g" },
    { "http://a/b/c/d;p?q", "g/", "http://a/b/c/g/" },
    { "http://a/b/c/d;p?q", "/g", "http://a/g" },
    { "http://a/b/c/d;p?q", "//g", "http://g" },
    { "http://a/b/c/d;p?q", "?y", "http://a/b/c/d;p?y" },
    { "http://a/b/c/d;p?q", "g?y", "http://a/b/c/g?y" },
    { "http://a/b/c/d;p?q", "#s", "http://a/b/c/d;p?q#s" },
    { "http://a/b/c/d;p?q", "g#s", "http://a/b/c/g#s" },
    { "http://a/b/c/d;p?q", "g?y#s", "http://a/b/c/g?y#s" },
    { "http://a/b/c/d;p?q", ";x", "http://a/b/c/;x" },
    { "http://a/b/c/d;p?q", "g;x", "http://a/b/c/g;x" },
    { "http://a/b/c/d;p?q", "g;x?y#s", "http://a/b/c/g;x?y#s" },
    { "http://a/b/c/d;p?q", "", "http://a/b/c/d;p?q" },
    { "http://a/b/c/d;p?q", ".", "http://a/b/c/" },
    { "http://a/b/c/d;p?q", "./", "http://a/b/c/" },
    { "http://a/b/c/d;p?q", "..", "http://a/b/" },
    { "http://a/b/c/d;p?q", "../", "http://a/b/" },
    { "http://a/b/c/d;p?q", "../g", "http://a/b/g" },
    { "http://a/b/c/d;p?q", "../..", "http://a/" },
    { "http://a/b/c/d;p?q", "../../", "http://a/" },
    { "http://a/b/c/d;p?q", "../../g", "http://a/g" },
    { "http://a/b/c/d;p?q", "../../../g", "http://a/g" },
    { "http://a/b/c/d;p?q", "../../../../g", "http://a/g" },
    { "http://a/b/c/d;p?q", "/./g", "http://a/g" },
    { "http://a/b/c/d;p?q", "/../g", "http://a/g" },
    { "http://a/b/c/d;p?q", "g.", "http://a/b/c/g." },
    { "http://a/b/c/d;p?q", ".g", "http://a/b/c/.g" },
    { "http://a/b/c/d;p?q", "g..", "http://a/b/c/g.." },
    { "http://a/b/c/d;p?q", "..g", "http://a/b/c/..g" },
    { "http://a/b/c/d;p?q", "./../g", "http://a/b/g" },
    { "http://a/b/c/d;p?q", "./g/.", "http://a/b/c/g/" },
    { "http://a/b/c/d;p?q", "g/./h", "http://a/b/c/g/h" },
    { "http://a/b/c/d;p?q", "g/../h", "http://a/b/c/h" },
    { "http://a/b/c/d;p?q", "g;x=1/./y", "http://a/b/c/g;x=1/y" },
    { "http://a/b/c/d;p?q", "g;x=1/../y", "http://a/b/c/y" },
    { "http://a/b/c/d;p?q", "g?y/./x", "http://a/b/c/g?y/./x" },
    { "http://a/b/c/d;p?q", "g?y/../x", "http://a/b/c/g?y/../x" },
    { "http://a/b/c/d;p?q", "g#s/./x", "http://a/b/c/g#s/./x" },
    { "http://a/b/c/d;p?q", "g#s/../x", "http://a/b/c/g#s/../x" },
    { "http://a", "g", "http://a/g" },
    { "http://a", "?q", "http://a?q" },
    { "http://u:p@a:1/x", "y", "http://u:p@a:1/y" },
    { "http://u:p@a:1/x", "//b/y", "http://b/y" },
    { "http://u:p@a:1/x", "https://b:2/y", "https://b:2/y" },
    { "http://a/b", "c//d/../e", "http://a/c//e" },
    { "http://a/b//c", "..", "http://a/b/" },
    { "http://a/x", "?t=a:b", "http://a/x?t=a:b" },
    { "http://a/x", "v2/a:b", "http://a/v2/a:b" },
    { "http://a/x", "/v2/a:b@c", "http://a/v2/a:b@c" },
    { "a:b/c", "../../d", "a:d" },
    { "a:/b", ".//c", "a:/.//c" },
    { "http://a/x", "1:b", NULL },
    { "http://a/x", "http:g", NULL },
    { "http://a/x", "http:///g", NULL },
    { "http://a/x", "b c", NULL },
};

TEST("references are resolved as RFC 3986 5.4 shows")
{
    for (size_t i = 0; i < sizeof resolve_rows / sizeof *resolve_rows; i++) {
        AUTO_VALUE(url_clear) struct url base = { 0 };
        AUTO_VALUE(url_clear) struct url u = { 0 };
        struct err err = { 0 };
        REQUIRE_OK(url_parse(span_of(resolve_rows[i].base), &base, &err), &err);
        struct span reference = span_of(resolve_rows[i].reference);
        if (!resolve_rows[i].want) {
            EXPECT_ERR(url_resolve(&base, reference, &u, &err), &err, ERR_INVALID);
            continue;
        }
        EXPECT_OK(url_resolve(&base, reference, &u, &err), &err);
        AUTO_FREE char *got = url_text(&u);
        EXPECT_STR(got, resolve_rows[i].want);
    }
}

TAP_MAIN()
