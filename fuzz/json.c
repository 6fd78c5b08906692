/* fuzz/json.c - whatever is parsed prints, and what was printed is the same value and prints the
 * same again. */
#include <assert.h>

#include "base/codec/json.h"
#include "base/core/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(json_free) struct json *v = NULL;
    AUTO(json_free) struct json *again = NULL;
    struct err err = { 0 };
    if (size > MIB || json_parse(span_bytes(data, size), &v, &err) < 0)
        return 0;
    AUTO_VALUE(buf_clear) struct buf first;
    AUTO_VALUE(buf_clear) struct buf second;
    AUTO_VALUE(buf_clear) struct buf pretty;
    buf_init(&first, LIMIT_JSON);
    buf_init(&second, LIMIT_JSON);
    buf_init(&pretty, (size_t)GIB);
    json_print(v, &first);
    json_print_pretty(v, &pretty);
    int result = json_parse(buf_span(&first), &again, &err);
    assert(result == 0);
    json_print(again, &second);
    assert(span_equal(buf_span(&first), buf_span(&second)));
    json_sort_keys(again);
    AUTO(json_free) struct json *copy = json_copy(v);
    assert(json_equal(copy, v));
    return 0;
}
