/* fuzz/reference.c - names of images: the complete and the familiar form of whatever is read name
 * the same image. */
#include <assert.h>
#include <string.h>

#include "image/oci/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The complete form of what `text` names; NULL when that is refused. */
static char *completed(struct span text, bool must_parse)
{
    AUTO_VALUE(reference_clear) struct reference r = { 0 };
    struct err err = { 0 };
    char part[DIGEST_TEXT_MAX];
    int result = reference_parse(text, &r, &err);
    assert(result == 0 || !must_parse);
    if (result < 0)
        return NULL;
    assert(reference_is_repository(span_of(r.repository)));
    assert(!r.tag || reference_is_tag(span_of(r.tag)));
    assert(reference_host(&r)[0] && reference_part(&r, part)[0]);
    return reference_text(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span bytes = span_bytes(data, size);
    AUTO_VALUE(reference_clear) struct reference r = { 0 };
    struct err err = { 0 };
    AUTO_FREE char *text = completed(bytes, false);
    if (!text)
        return 0;
    AUTO_FREE char *again = completed(span_of(text), true);
    assert(strcmp(again, text) == 0);
    int result = reference_parse(bytes, &r, &err);
    assert(result == 0);
    AUTO_FREE char *familiar = reference_familiar(&r);
    AUTO_FREE char *from_familiar = completed(span_of(familiar), true);
    assert(strcmp(from_familiar, text) == 0);
    return 0;
}
