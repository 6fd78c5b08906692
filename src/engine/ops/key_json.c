/* engine/ops/key_json.c - documents that keys are the digests of; see key.h. */
#include "base/core/limits.h"
#include "engine/ops/key.h"

void key_put_text(struct json *object, const char *name, const char *text)
{
    if (text && *text)
        json_set_str(object, name, text);
}

void key_put_int(struct json *object, const char *name, int64_t n)
{
    if (n != 0)
        json_set_int(object, name, n);
}

void key_put_flag(struct json *object, const char *name, bool is_set)
{
    if (is_set)
        json_set_bool(object, name, true);
}

void key_put_array(struct json *object, const char *name, struct json *array)
{
    if (json_len(array))
        json_set(object, name, array);
    else
        json_free(array);
}

void key_put_list(struct json *object, const char *name, const struct strings *texts)
{
    struct json *array = json_new_array();
    for (size_t i = 0; i < texts->n; i++)
        json_push(array, json_new_str(texts->items[i]));
    key_put_array(object, name, array);
}

struct digest key_digest(const struct json *document)
{
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    buf_init(&text, 8 * LIMIT_GRAPH_BYTES); /* escapes, then base64 of them */
    json_print(document, &text);
    return digest_of(buf_span(&text));
}
