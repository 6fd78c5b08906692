/* fuzz/yaml.c - whatever is parsed is a JSON value that prints, and reads as the same again. */
#include <assert.h>

#include "base/codec/yaml.h"
#include "base/core/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(json_free) struct json *v = NULL;
    AUTO(json_free) struct json *again = NULL;
    struct err err = { 0 };
    if (size > MIB || yaml_parse(span_bytes(data, size), &v, &err) < 0)
        return 0;
    AUTO_VALUE(buf_clear) struct buf first;
    AUTO_VALUE(buf_clear) struct buf second;
    buf_init(&first, LIMIT_JSON);
    buf_init(&second, LIMIT_JSON);
    json_print(v, &first);
    int result = json_parse(buf_span(&first), &again, &err);
    assert(result == 0);
    json_print(again, &second);
    assert(span_equal(buf_span(&first), buf_span(&second)));
    return 0;
}
