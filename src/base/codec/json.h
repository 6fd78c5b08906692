/* base/codec/json.h - JSON values (jansson behind our header).
 *
 * Objects keep the order in which keys came, so unknown fields survive a round trip in place.
 * Printing is a function of the value alone: no blanks, Go's escapes (<, >, & as \u003c ...; as
 * encoding/json does, so that digests of what we print agree with other builders').
 *
 * `struct json` is reference counted and not locked: a value belongs to one thread.
 * Getters never fail: a wrong type gives NULL, 0 or false; checks belong to the caller who knows
 * what is required. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/core/buf.h"
#include "base/core/err.h"
#include "base/core/span.h"
#include "base/core/vec.h"

struct json;
enum json_type {
    JSON_NULL,
    JSON_BOOL,
    JSON_INTEGER,
    JSON_REAL,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

/* Parses one document, any value; depth is bounded by LIMIT_JSON_DEPTH, values by
 * LIMIT_JSON_VALUES. Refused: duplicate keys, NUL in a string, bytes that are no UTF-8, integers
 * beyond 64 bits. Fails: INVALID "line L column C: why"; LIMIT. */
NODISCARD int json_parse(struct span text, struct json **out, struct err *err);
/* An escaped byte takes up to six: the ceiling of `out` should allow for that, see buf_put(). */
void json_print(const struct json *v, struct buf *out);        /* compact */
void json_print_pretty(const struct json *v, struct buf *out); /* two blanks, for people */
void json_free(struct json *v); /* drops one reference; NULL is fine */
DEFINE_AUTO(struct json, json_free)
struct json *json_ref(struct json *v);
/* libjansson exports functions of these two names, so that ours are linked under others. */
struct json *json_copy(const struct json *v) __asm__("kiln_json_copy"); /* deep */
bool json_equal(const struct json *a, const struct json *b) __asm__("kiln_json_equal");

enum json_type json_type(const struct json *v);                    /* NULL: JSON_NULL */
struct json *json_get(const struct json *object, const char *key); /* borrowed, NULL when absent */
const char *json_get_str(const struct json *object,
                         const char *key); /* NULL when absent or no string */
int64_t json_get_int(const struct json *object, const char *key, int64_t or_else);
bool json_get_bool(const struct json *object, const char *key, bool or_else);
const char *json_str(const struct json *v);
int64_t json_int(const struct json *v);
double json_double(const struct json *v); /* of JSON_REAL */
bool json_bool(const struct json *v);
size_t json_len(const struct json *v); /* of arrays and objects */
struct json *json_at(const struct json *array, size_t i);
/* Iteration over an object in order: for (void *it = json_first(o); it; it = json_next(o, it)) */
void *json_first(const struct json *object);
void *json_next(const struct json *object, void *it);
const char *json_iter_key(void *it);
struct json *json_iter_value(void *it);

struct json *json_new_object(void);
struct json *json_new_array(void);
struct json *json_new_str(const char *s);
struct json *json_new_strn(struct span s); /* NUL and bytes that are no UTF-8 become U+FFFD */
struct json *json_new_int(int64_t n);
struct json *json_new_real(double d); /* finite */
struct json *json_new_bool(bool b);
struct json *json_new_null(void);
/* Setters take `value`; set replaces in place, keeping the order. */
void json_set(struct json *object, const char *key, struct json *value);
void json_set_str(struct json *object, const char *key, const char *value); /* NULL: removes */
void json_set_int(struct json *object, const char *key, int64_t value);
void json_set_bool(struct json *object, const char *key, bool value);
void json_remove(struct json *object, const char *key);
void json_push(struct json *array, struct json *value);
void json_sort_keys(struct json *object); /* bytewise, this level only */
/* Array of strings to list and back.  json_to_list appends; false when some item is no string or
 * `array` is neither an array nor null. */
NODISCARD bool json_to_list(const struct json *array, struct str_list *out);
struct json *json_of_list(const struct str_list *l);
