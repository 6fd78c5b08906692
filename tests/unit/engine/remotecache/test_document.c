/* Documents: what BuildKit wrote comes out as it went in, hostile ones are refused. */
#include "engine/remotecache/document.h"

#include "base/core/limits.h"
#include "fixture.h"
#include "tap.h"

static struct err err;

static void free_bytes(struct span s)
{
    free((void *)(uintptr_t)s.ptr);
}

static void check_round_trip(const char *folder, const char *name)
{
    struct span text = fixture_read(folder, name);
    AUTO_VALUE(cache_document_clear) struct cache_document d = { 0 };
    AUTO_VALUE(buf_clear) struct buf printed = { 0 };
    buf_init(&printed, 1 << 20);
    EXPECT_OK(cache_document_parse(text, &d, &err), &err);
    EXPECT(d.n_records > 4 && d.n_layers > 3);
    if (d.arena)
        cache_document_sort(&d);
    cache_document_print(&d, &printed);
    EXPECT_INT(printed.len, text.len);
    EXPECT(span_equal(buf_span(&printed), text));
    free_bytes(text);
}

TEST("what two releases of BuildKit wrote prints to the same bytes, sorted by us")
{
    check_round_trip("remotecache/buildkit-0.13/blobs/sha256",
                     "a3c58ed6606045c6caceffead04189d2e3be9805f53fd9ff8fdb0939a243f7a2");
    check_round_trip("remotecache/buildkit-0.25/blobs/sha256",
                     "2f1876b64de9d28653db5871d5beb9a5db5cf361f8dc8e55434d17cb67cbef9c");
}

static void expect_refused(const char *name, struct span text)
{
    struct cache_document d = { 0 };
    err_clear(&err);
    if (cache_document_parse(text, &d, &err) == 0) {
        tap_fail(__FILE__, __LINE__, "%s was taken", name);
        cache_document_clear(&d);
    } else if (err.kind != ERR_INVALID && err.kind != ERR_UNSUPPORTED) {
        tap_fail(__FILE__, __LINE__, "%s: %s", name, err.text);
    }
}

TEST("documents that lead nowhere or to themselves are refused")
{
    EXPECT(fixture_each("remotecache", "refuse-", expect_refused) >= 17);
}

TEST("a record's digest is that of the text DIGEST@OUTPUT")
{
    struct digest d = digest_of(SPAN("x")), got = record_digest(&d, 0);
    AUTO_FREE char *text = xasprintf("%s@0", digest_text(&d).s);
    struct digest want = digest_of(span_of(text));
    EXPECT(digest_equal(&got, &want));
    got = record_digest(&d, -1);
    AUTO_FREE char *content = xasprintf("%s@-1", digest_text(&d).s);
    want = digest_of(span_of(content));
    EXPECT(digest_equal(&got, &want));
}

/* A chain of n records, each made of the one before, with a layer each, at most LIMIT_LAYERS deep.
 */
static void print_chain(size_t n, struct buf *out)
{
    buf_init(out, LIMIT_JSON);
    buf_puts(out, "{\"layers\":[");
    for (size_t i = 0; i < n; i++) {
        struct digest d = digest_of(span_bytes(&i, sizeof i));
        buf_printf(out, "%s{\"blob\":\"%s\",\"parent\":%d}", i ? "," : "", digest_text(&d).s,
                   i % LIMIT_LAYERS ? (int)i - 1 : -1);
    }
    buf_puts(out, "],\"records\":[");
    for (size_t i = 0; i < n; i++) {
        struct digest d = digest_of(span_bytes(&i, sizeof i));
        buf_printf(out, "%s{\"layers\":[{\"layer\":%zu}],\"digest\":\"%s\"", i ? "," : "", i,
                   digest_text(&d).s);
        if (i)
            buf_printf(out, ",\"inputs\":[[{\"link\":%zu}]]", i - 1);
        buf_puts(out, "}");
    }
    buf_puts(out, "]}");
}

TEST("thousands of records and layers are read, sorted and printed, whatever their order")
{
    AUTO_VALUE(buf_clear) struct buf text = { 0 }, once = { 0 }, twice = { 0 };
    AUTO_VALUE(cache_document_clear) struct cache_document d = { 0 }, again = { 0 };
    uint32_t chain[LIMIT_LAYERS];
    size_t n = 0;
    print_chain(20000, &text);
    buf_init(&once, LIMIT_JSON);
    buf_init(&twice, LIMIT_JSON);
    REQUIRE_OK(cache_document_parse(buf_span(&text), &d, &err), &err);
    EXPECT(cache_result_layers(&d, &d.records[LIMIT_LAYERS - 1].results[0], chain, &n));
    EXPECT_INT(n, LIMIT_LAYERS);
    EXPECT_INT(chain[0], 0);
    cache_document_sort(&d);
    cache_document_print(&d, &once);
    REQUIRE_OK(cache_document_parse(buf_span(&once), &again, &err), &err);
    cache_document_sort(&again);
    cache_document_print(&again, &twice);
    EXPECT(span_equal(buf_span(&once), buf_span(&twice)));
}

TEST("a chain of more layers than can be mounted is refused")
{
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    struct cache_document d = { 0 };
    buf_init(&text, LIMIT_JSON);
    buf_puts(&text, "{\"layers\":[");
    for (size_t i = 0; i <= LIMIT_LAYERS; i++) {
        struct digest blob = digest_of(span_bytes(&i, sizeof i));
        buf_printf(&text, "%s{\"blob\":\"%s\",\"parent\":%d}", i ? "," : "", digest_text(&blob).s,
                   (int)i - 1);
    }
    buf_puts(&text, "]}");
    EXPECT_ERR(cache_document_parse(buf_span(&text), &d, &err), &err, ERR_INVALID);
}

TEST("a result of loose layers is a chain too")
{
    AUTO_VALUE(cache_document_clear) struct cache_document d = { 0 };
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    struct digest a = digest_of(SPAN("a")), b = digest_of(SPAN("b"));
    uint32_t chain[LIMIT_LAYERS];
    size_t n = 0;
    buf_init(&text, 4096);
    buf_printf(&text,
               "{\"layers\":[{\"blob\":\"%s\",\"parent\":-1},{\"blob\":\"%s\",\"parent\":-1}],"
               "\"records\":[{\"chains\":[{\"layers\":[1,0],\"createdAt\":"
               "\"2020-01-01T00:00:00Z\"}],\"digest\":\"%s\"}]}",
               digest_text(&a).s, digest_text(&b).s, digest_text(&a).s);
    REQUIRE_OK(cache_document_parse(buf_span(&text), &d, &err), &err);
    EXPECT(cache_result_layers(&d, &d.records[0].results[0], chain, &n));
    EXPECT_INT(n, 2);
    EXPECT(chain[0] == 1 && chain[1] == 0);
}

TAP_MAIN()
