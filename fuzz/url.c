/* fuzz/url.c - what was parsed prints and parses to the same again, also when it was resolved.
 *
 * The input is a base, a line break, a reference. */
#include "base/net/url.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(const struct url *u)
{
    AUTO_VALUE(url_clear) struct url again = { 0 };
    struct err err = { 0 };
    AUTO_FREE char *text = url_text(u);
    int failed = url_parse(span_of(text), &again, &err);
    assert(!failed);
    AUTO_FREE char *second = url_text(&again);
    assert(!strcmp(text, second));
    AUTO_FREE char *redacted = url_text_redacted(u);
    if (u->password)
        assert(strstr(redacted, ":xxxxx@"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_VALUE(url_clear) struct url base = { 0 };
    AUTO_VALUE(url_clear) struct url resolved = { 0 };
    struct err err = { 0 };
    struct span reference = span_bytes(data, size), text = span_cut(&reference, '\n');
    if (url_parse(text, &base, &err)) {
        assert(err.kind == ERR_INVALID || err.kind == ERR_LIMIT);
        assert(!strpbrk(err.text, "\r\n"));
        return 0;
    }
    check_round_trip(&base);
    if (!url_resolve(&base, reference, &resolved, &err))
        check_round_trip(&resolved);
    return 0;
}
