/* image/oci/internal.h - reading and setting fields of JSON objects, by the room's one rule.
 *
 * Reading: null counts as absent, as it does in Go; a wrong type is INVALID and names the field.
 * Setting: an object starts as a copy of what was read, so unknown fields and the order stay; a
 * field that did not change stays as it was, one that did is replaced in place. */
#pragma once
#include "base/codec/json.h"
#include "base/core/err.h"
#include "base/core/map.h"
#include "base/core/vec.h"

/* Absent: *out becomes NULL / 0 / false / stays empty. */
NODISCARD int field_read_str(const struct json *o, const char *key, char **out, struct err *err);
NODISCARD int field_read_bool(const struct json *o, const char *key, bool *out, struct err *err);
NODISCARD int field_read_count(const struct json *o, const char *key, int64_t *out,
                               struct err *err); /* >= 0 */
NODISCARD int field_read_list(const struct json *o, const char *key, struct str_list *out,
                              struct err *err);
NODISCARD int field_read_map(const struct json *o, const char *key, struct map *out,
                             struct err *err);
/* The keys of an object whose values do not matter ({"80/tcp":{}}). */
NODISCARD int field_read_keys(const struct json *o, const char *key, struct str_list *out,
                              struct err *err);
/* *out NULL when absent; INVALID when of another type. */
NODISCARD int field_find(const struct json *o, const char *key, enum json_type type,
                         const struct json **out, struct err *err);

/* Takes `value`; NULL or an empty list, object or text removes the field, unless it was as empty.
 */
void field_set(struct json *o, const char *key, struct json *value);
void field_set_str(struct json *o, const char *key, const char *value);
void field_set_count(struct json *o, const char *key, int64_t value); /* 0 removes */
void field_set_bool(struct json *o, const char *key, bool value);     /* false removes */
void field_set_list(struct json *o, const char *key, const struct str_list *list);
void field_set_map(struct json *o, const char *key, const struct map *map); /* sorted by key */
void field_set_keys(struct json *o, const char *key,
                    const struct str_list *names); /* sorted, {} each */

/* A copy of `raw`, or a new object. */
struct json *object_from(const struct json *raw);
