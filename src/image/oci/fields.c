/* image/oci/fields.c - fields of JSON objects: read strictly, set gently.
 *
 * Threads: values of one thread. */
#include "image/oci/internal.h"

#include <string.h>

#include "base/core/mem.h"

static const char *const type_names[] = {
    [JSON_NULL] = "null",        [JSON_BOOL] = "true or false", [JSON_INTEGER] = "an integer",
    [JSON_REAL] = "a number",    [JSON_STRING] = "a string",    [JSON_ARRAY] = "an array",
    [JSON_OBJECT] = "an object",
};

int field_find(const struct json *o, const char *key, enum json_type type, const struct json **out,
               struct err *err)
{
    *out = NULL;
    const struct json *v = json_get(o, key);
    if (json_type(v) == JSON_NULL)
        return 0;
    if (json_type(v) != type)
        return err_set(err, ERR_INVALID, "field %s: is not %s", key, type_names[type]);
    *out = v;
    return 0;
}

int field_read_str(const struct json *o, const char *key, char **out, struct err *err)
{
    const struct json *v;
    *out = NULL;
    if (field_find(o, key, JSON_STRING, &v, err))
        return -1;
    *out = xstrdup_or_null(json_str(v));
    return 0;
}

int field_read_bool(const struct json *o, const char *key, bool *out, struct err *err)
{
    const struct json *v;
    if (field_find(o, key, JSON_BOOL, &v, err))
        return -1;
    *out = v && json_bool(v);
    return 0;
}

int field_read_count(const struct json *o, const char *key, int64_t *out, struct err *err)
{
    const struct json *v;
    if (field_find(o, key, JSON_INTEGER, &v, err))
        return -1;
    int64_t n = v ? json_int(v) : 0;
    if (n < 0)
        return err_set(err, ERR_INVALID, "field %s: is negative", key);
    *out = n;
    return 0;
}

int field_read_list(const struct json *o, const char *key, struct str_list *out, struct err *err)
{
    const struct json *v;
    if (field_find(o, key, JSON_ARRAY, &v, err))
        return -1;
    if (v && !json_to_list(v, out))
        return err_set(err, ERR_INVALID, "field %s: is not an array of strings", key);
    return 0;
}

int field_read_map(const struct json *o, const char *key, struct map *out, struct err *err)
{
    const struct json *v;
    if (field_find(o, key, JSON_OBJECT, &v, err))
        return -1;
    out->free_value = map_free_string;
    for (void *it = v ? json_first(v) : NULL; it; it = json_next(v, it)) {
        if (json_type(json_iter_value(it)) != JSON_STRING)
            return err_set(err, ERR_INVALID, "field %s: value of \"%s\" is not a string", key,
                           json_iter_key(it));
        map_set_str(out, json_iter_key(it), json_str(json_iter_value(it)));
    }
    return 0;
}

int field_read_keys(const struct json *o, const char *key, struct str_list *out, struct err *err)
{
    const struct json *v;
    if (field_find(o, key, JSON_OBJECT, &v, err))
        return -1;
    for (void *it = v ? json_first(v) : NULL; it; it = json_next(v, it))
        str_list_push(out, json_iter_key(it));
    return 0;
}

struct json *object_from(const struct json *raw)
{
    return raw ? json_copy(raw) : json_new_object();
}

static bool is_empty(const struct json *v)
{
    switch (json_type(v)) {
    case JSON_ARRAY:
    case JSON_OBJECT:
        return json_len(v) == 0;
    case JSON_STRING:
        return json_str(v)[0] == '\0';
    case JSON_BOOL:
        return !json_bool(v);
    case JSON_INTEGER:
        return json_int(v) == 0;
    case JSON_NULL:
        return true;
    case JSON_REAL:
        return false;
    }
    return false;
}

void field_set(struct json *o, const char *key, struct json *value)
{
    AUTO(json_free) struct json *taken = value;
    const struct json *old = json_get(o, key);
    if (is_empty(value)) {
        if (!is_empty(old))
            json_remove(o, key);
        return;
    }
    if (!old || !json_equal(old, value))
        json_set(o, key, STEAL(taken));
}

void field_set_str(struct json *o, const char *key, const char *value)
{
    field_set(o, key, value ? json_new_str(value) : NULL);
}

void field_set_count(struct json *o, const char *key, int64_t value)
{
    field_set(o, key, json_new_int(value));
}

void field_set_bool(struct json *o, const char *key, bool value)
{
    field_set(o, key, json_new_bool(value));
}

void field_set_list(struct json *o, const char *key, const struct str_list *list)
{
    field_set(o, key, json_of_list(list));
}

void field_set_map(struct json *o, const char *key, const struct map *map)
{
    struct json *object = json_new_object();
    map_each (map, e)
        json_set_str(object, e->key, e->value);
    json_sort_keys(object);
    field_set(o, key, object);
}

void field_set_keys(struct json *o, const char *key, const struct str_list *names)
{
    struct json *object = json_new_object();
    vec_each (names, name)
        json_set(object, *name, json_new_object());
    json_sort_keys(object);
    field_set(o, key, object);
}
