/* base/codec/json.c - JSON values over jansson.
 *
 * A `struct json` is jansson's json_t under our name.  jansson keeps objects in the order of
 * insertion and replaces in place, which is what a round trip of unknown fields needs; printing is
 * ours (json_print.c), because digests depend on it.
 *
 * Spec: RFC 8259.  Threads: reference counts are not locked, see json.h. */
#include "base/codec/json.h"

#include <assert.h>
#include <string.h>

/* jansson has a type, an enum and two functions of the names that json.h uses. */
#define json_type jansson_type
#define json_copy jansson_copy
#define json_equal jansson_equal
#define JSON_OBJECT JANSSON_OBJECT
#define JSON_ARRAY JANSSON_ARRAY
#define JSON_STRING JANSSON_STRING
#define JSON_INTEGER JANSSON_INTEGER
#define JSON_REAL JANSSON_REAL
#define JSON_TRUE JANSSON_TRUE
#define JSON_FALSE JANSSON_FALSE
#define JSON_NULL JANSSON_NULL
#include <jansson.h>
#undef json_type
#undef json_copy
#undef json_equal
#undef JSON_OBJECT
#undef JSON_ARRAY
#undef JSON_STRING
#undef JSON_INTEGER
#undef JSON_REAL
#undef JSON_TRUE
#undef JSON_FALSE
#undef JSON_NULL
/* jansson's own json_is_...() macros would now compare with our enum: use json_type(). */

#include "base/codec/internal.h"
#include "base/core/limits.h"
#include "base/core/mem.h"

static json_t *in(const struct json *v)
{
    return (json_t *)(uintptr_t)v;
}

static struct json *out(json_t *v)
{
    return (struct json *)v;
}

/* jansson returns failure only for lack of memory where arguments are right. */
static json_t *must(json_t *v)
{
    if (!v) {
        fprintf(stderr, "kiln: out of memory\n");
        abort();
    }
    return v;
}

static void must_do(int result)
{
    if (result != 0) {
        fprintf(stderr, "kiln: out of memory\n");
        abort();
    }
}

/* ---- parsing ---- */

/* Bounds depth and number of values before anything is allocated: a byte of text can cost a hundred
 * of memory.  Counting is exact for right JSON; wrong JSON is refused by the parser afterwards. */
static int check_shape(struct span text, struct err *err)
{
    size_t depth = 0, n_values = 1;
    bool is_in_string = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (is_in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                is_in_string = false;
        } else if (c == '"') {
            is_in_string = true;
        } else if (c == '[' || c == '{') {
            n_values++;
            if (++depth > LIMIT_JSON_DEPTH)
                return err_set(err, ERR_LIMIT, "more than %d levels deep", LIMIT_JSON_DEPTH);
        } else if (c == ']' || c == '}') {
            depth -= depth > 0;
        } else if (c == ',') {
            n_values++;
        }
        if (n_values > LIMIT_JSON_VALUES)
            return err_set(err, ERR_LIMIT, "more than %d values", LIMIT_JSON_VALUES);
    }
    return 0;
}

int json_parse(struct span text, struct json **result, struct err *err)
{
    if (text.len > LIMIT_JSON)
        return err_set(err, ERR_LIMIT, "more than %zu bytes of JSON", LIMIT_JSON);
    if (check_shape(text, err) < 0)
        return -1;
    json_error_t why;
    json_t *v = json_loadb(text.len ? text.ptr : "", text.len,
                           JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    if (!v)
        return err_set(err, ERR_INVALID, "line %d column %d: %s", why.line < 0 ? 1 : why.line,
                       why.column < 0 ? 0 : why.column, why.text);
    *result = out(v);
    return 0;
}

/* ---- life ---- */

void json_free(struct json *v)
{
    json_decref(in(v));
}

struct json *json_ref(struct json *v)
{
    return out(json_incref(in(v)));
}

struct json *json_copy(const struct json *v)
{
    return out(must(json_deep_copy(in(v))));
}

static bool equal_objects(const struct json *a, const struct json *b)
{
    for (void *it = json_first(a); it; it = json_next(a, it)) {
        const struct json *other = json_get(b, json_iter_key(it));
        if (!other || !json_equal(json_iter_value(it), other))
            return false;
    }
    return true;
}

static bool equal_arrays(const struct json *a, const struct json *b)
{
    for (size_t i = 0; i < json_len(a); i++)
        if (!json_equal(json_at(a, i), json_at(b, i)))
            return false;
    return true;
}

bool json_equal(const struct json *a, const struct json *b)
{
    if (a == b)
        return true;
    if (!a || !b || json_type(a) != json_type(b) || json_len(a) != json_len(b))
        return false;
    switch (json_type(a)) {
    case JSON_OBJECT:
        return equal_objects(a, b);
    case JSON_ARRAY:
        return equal_arrays(a, b);
    case JSON_STRING:
        return strcmp(json_str(a), json_str(b)) == 0;
    case JSON_INTEGER:
        return json_int(a) == json_int(b);
    case JSON_REAL:
        return json_double(a) <= json_double(b) && json_double(a) >= json_double(b);
    case JSON_BOOL:
        return json_bool(a) == json_bool(b);
    case JSON_NULL:
        break;
    }
    return true;
}

/* ---- reading ---- */

enum json_type json_type(const struct json *v)
{
    switch (v ? json_typeof(in(v)) : JANSSON_NULL) {
    case JANSSON_OBJECT:
        return JSON_OBJECT;
    case JANSSON_ARRAY:
        return JSON_ARRAY;
    case JANSSON_STRING:
        return JSON_STRING;
    case JANSSON_INTEGER:
        return JSON_INTEGER;
    case JANSSON_REAL:
        return JSON_REAL;
    case JANSSON_TRUE:
    case JANSSON_FALSE:
        return JSON_BOOL;
    case JANSSON_NULL:
        break;
    }
    return JSON_NULL;
}

struct json *json_get(const struct json *object, const char *key)
{
    return out(json_object_get(in(object), key));
}

const char *json_get_str(const struct json *object, const char *key)
{
    return json_str(json_get(object, key));
}

int64_t json_get_int(const struct json *object, const char *key, int64_t or_else)
{
    const struct json *v = json_get(object, key);
    return json_type(v) == JSON_INTEGER ? json_int(v) : or_else;
}

bool json_get_bool(const struct json *object, const char *key, bool or_else)
{
    const struct json *v = json_get(object, key);
    return json_type(v) == JSON_BOOL ? json_bool(v) : or_else;
}

const char *json_str(const struct json *v)
{
    return v ? json_string_value(in(v)) : NULL;
}

int64_t json_int(const struct json *v)
{
    return v ? json_integer_value(in(v)) : 0;
}

double json_double(const struct json *v)
{
    return v ? json_real_value(in(v)) : 0;
}

bool json_bool(const struct json *v)
{
    return v && json_typeof(in(v)) == JANSSON_TRUE;
}

size_t json_len(const struct json *v)
{
    if (json_type(v) == JSON_OBJECT)
        return json_object_size(in(v));
    return json_type(v) == JSON_ARRAY ? json_array_size(in(v)) : 0;
}

struct json *json_at(const struct json *array, size_t i)
{
    return out(json_array_get(in(array), i));
}

void *json_first(const struct json *object)
{
    return json_object_iter(in(object));
}

void *json_next(const struct json *object, void *it)
{
    return json_object_iter_next(in(object), it);
}

const char *json_iter_key(void *it)
{
    return json_object_iter_key(it);
}

struct json *json_iter_value(void *it)
{
    return out(json_object_iter_value(it));
}

/* ---- making ---- */

struct json *json_new_object(void)
{
    return out(must(json_object()));
}

struct json *json_new_array(void)
{
    return out(must(json_array()));
}

struct json *json_new_str(const char *s)
{
    return json_new_strn(span_of(s));
}

struct json *json_new_strn(struct span s)
{
    AUTO_FREE char *clean = utf8_clean(s);
    return out(must(json_string_nocheck(clean)));
}

struct json *json_new_int(int64_t n)
{
    return out(must(json_integer(n)));
}

struct json *json_new_real(double d)
{
    return out(must(json_real(d)));
}

struct json *json_new_bool(bool b)
{
    return out(must(b ? json_true() : json_false()));
}

struct json *json_new_null(void)
{
    return out(must(json_null()));
}

void json_set(struct json *object, const char *key, struct json *value)
{
    assert(json_type(object) == JSON_OBJECT && value && value != object);
    AUTO_FREE char *clean = utf8_clean(span_of(key));
    must_do(json_object_set_new_nocheck(in(object), clean, in(value)));
}

void json_set_str(struct json *object, const char *key, const char *value)
{
    if (value)
        json_set(object, key, json_new_str(value));
    else
        json_remove(object, key);
}

void json_set_int(struct json *object, const char *key, int64_t value)
{
    json_set(object, key, json_new_int(value));
}

void json_set_bool(struct json *object, const char *key, bool value)
{
    json_set(object, key, json_new_bool(value));
}

void json_remove(struct json *object, const char *key)
{
    json_object_del(in(object), key);
}

void json_push(struct json *array, struct json *value)
{
    assert(json_type(array) == JSON_ARRAY && value && value != array);
    must_do(json_array_append_new(in(array), in(value)));
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void json_sort_keys(struct json *object)
{
    AUTO_VALUE(str_list_clear) struct str_list keys = { 0 };
    for (void *it = json_first(object); it; it = json_next(object, it))
        str_list_push(&keys, json_iter_key(it));
    if (keys.n < 2)
        return;
    qsort(keys.items, keys.n, sizeof keys.items[0], compare_keys);
    vec_each (&keys, key) { /* out and in again puts it at the end */
        json_t *value = json_incref(json_object_get(in(object), *key));
        json_remove(object, *key);
        must_do(json_object_set_new_nocheck(in(object), *key, value));
    }
}

bool json_to_list(const struct json *array, struct str_list *list)
{
    for (size_t i = 0; i < json_len(array); i++) {
        const char *s = json_str(json_at(array, i));
        if (!s)
            return false;
        str_list_push(list, s);
    }
    return json_type(array) == JSON_ARRAY || json_type(array) == JSON_NULL;
}

struct json *json_of_list(const struct str_list *l)
{
    struct json *array = json_new_array();
    vec_each (l, item)
        json_push(array, json_new_str(*item));
    return array;
}
