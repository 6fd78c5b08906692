/* fuzz/scan_text.c - the readers of texts take any bytes: the first one chooses the format. */
#include <assert.h>

#include "base/codec/json.h"
#include "base/core/limits.h"
#include "engine/scan/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct scan_options none = { 0 };
    AUTO_VALUE(scan_result_clear) struct scan_result out = { 0 };
    struct scan s = { .root_fd = -1, .out = &out, .options = &none };
    struct err err = { 0 };
    if (size < 1 || size > MIB)
        return 0;
    struct span text = span_bytes(data + 1, size - 1);
    switch (data[0]) {
    case 'd':
        deb_parse(&s, text, "x");
        break;
    case 'a':
        apk_parse(&s, text, "x");
        break;
    case 'p':
        python_parse(&s, text, "x");
        break;
    case 'n':
        (void)!npm_parse(&s, text, "x", &err);
        break;
    default:
        return 0;
    }
    vec_each (&out.packages, p) {
        assert(p->name && p->purl);
        AUTO(json_free) struct json *name = json_new_str(p->name);
        assert(json_str(name)); /* UTF-8 */
    }
    return 0;
}
