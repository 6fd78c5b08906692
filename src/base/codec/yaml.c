/* base/codec/yaml.c - see yaml.h.
 *
 * libyaml tells events; each value is put into its parent as soon as it begins, so that the root
 * owns everything at any time and a failure frees one thing. */
#include "base/codec/yaml.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/core/limits.h"
#include "base/core/mem.h"

/* A mapping or sequence that has not ended. */
struct open_value {
    struct json *value; /* borrowed of the root */
    char *key;          /* owned: waits for its value; NULL in sequences and between entries */
};

struct reading {
    yaml_parser_t parser;
    struct json *root; /* owned */
    struct open_value stack[LIMIT_JSON_DEPTH];
    size_t depth, n_values;
};

static void reading_clear(struct reading *r)
{
    for (size_t i = 0; i < r->depth; i++)
        free(r->stack[i].key);
    json_free(r->root);
    yaml_parser_delete(&r->parser);
}

static int fail(const yaml_event_t *e, enum err_kind kind, const char *why, struct err *err)
{
    return err_set(err, kind, "line %zu column %zu: %s", e->start_mark.line + 1,
                   e->start_mark.column + 1, why);
}

/* ---- scalars ---- */

static bool is_one_of(const char *s, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(s, words[i]) == 0)
            return true;
    return false;
}
#define IS_ONE_OF(s, ...)                                                                          \
    is_one_of(s, (const char *const[]){ __VA_ARGS__ },                                             \
              sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

static const char *skip_digits(const char *s)
{
    return s + strspn(s, "0123456789");
}

/* The base of an integer of the core schema and where its digits begin; 0: it is none. */
static int base_of(const char *s, const char **digits)
{
    static const struct {
        const char *prefix, *allowed;
        int base;
    } forms[] = { { "0o", "01234567", 8 }, { "0x", "0123456789abcdefABCDEF", 16 } };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        *digits = s + 2;
        if (strncmp(s, forms[i].prefix, 2) == 0 && **digits &&
            !(*digits)[strspn(*digits, forms[i].allowed)])
            return forms[i].base;
    }
    *digits = s;
    s += *s == '-' || *s == '+';
    return *s && !*skip_digits(s) ? 10 : 0;
}

static bool is_real(const char *s)
{
    s += *s == '-' || *s == '+';
    const char *whole = skip_digits(s);
    size_t n = (size_t)(whole - s);
    if (*whole == '.') {
        s = skip_digits(whole + 1);
        n += (size_t)(s - whole - 1);
        whole = s;
    }
    if (n == 0)
        return false;
    if (*whole == 'e' || *whole == 'E') {
        s = whole + 1;
        s += *s == '-' || *s == '+';
        whole = skip_digits(s);
        return whole > s && !*whole;
    }
    return !*whole;
}

static int read_number(const yaml_event_t *e, const char *s, struct json **out, struct err *err)
{
    const char *digits = NULL;
    int base = base_of(s, &digits);
    errno = 0;
    if (base) {
        long long n = strtoll(digits, NULL, base);
        if (errno)
            return fail(e, ERR_INVALID, "an integer beyond 64 bits", err);
        *out = json_new_int(n);
        return 0;
    }
    double d = strtod(s, NULL);
    if (!isfinite(d))
        return fail(e, ERR_INVALID, "a number that is too large", err);
    *out = json_new_real(d);
    return 0;
}

static int read_plain(const yaml_event_t *e, const char *s, struct json **out, struct err *err)
{
    const char *unsigned_text = s + (*s == '-' || *s == '+'), *unused;
    if (IS_ONE_OF(s, "", "~", "null", "Null", "NULL"))
        *out = json_new_null();
    else if (IS_ONE_OF(s, "true", "True", "TRUE"))
        *out = json_new_bool(true);
    else if (IS_ONE_OF(s, "false", "False", "FALSE"))
        *out = json_new_bool(false);
    else if (IS_ONE_OF(unsigned_text, ".inf", ".Inf", ".INF") ||
             IS_ONE_OF(s, ".nan", ".NaN", ".NAN"))
        return fail(e, ERR_INVALID, "JSON has no such number", err);
    else if (base_of(s, &unused) || is_real(s))
        return read_number(e, s, out, err);
    else
        *out = json_new_str(s);
    return 0;
}

static int read_scalar(const yaml_event_t *e, struct json **out, struct err *err)
{
    const char *s = (const char *)e->data.scalar.value;
    if (e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
        return read_plain(e, s, out, err);
    *out = json_new_str(s);
    return 0;
}

/* ---- the tree ---- */

/* Takes `value`, which stays there as long as the root does. */
static void put(struct reading *r, struct json *value)
{
    struct open_value *above = r->depth ? &r->stack[r->depth - 1] : NULL;
    if (!above) {
        r->root = value;
    } else if (json_type(above->value) == JSON_ARRAY) {
        json_push(above->value, value);
    } else {
        json_set(above->value, above->key, value);
        free(STEAL(above->key));
    }
}

static bool wants_key(const struct reading *r)
{
    const struct open_value *above = r->depth ? &r->stack[r->depth - 1] : NULL;
    return above && json_type(above->value) == JSON_OBJECT && !above->key;
}

static int take_key(struct reading *r, const yaml_event_t *e, struct err *err)
{
    struct open_value *above = &r->stack[r->depth - 1];
    if (e->type != YAML_SCALAR_EVENT)
        return fail(e, ERR_INVALID, "a key that is no scalar", err);
    const char *key = (const char *)e->data.scalar.value;
    if (json_get(above->value, key))
        return fail(e, ERR_INVALID, "a key that is there already", err);
    above->key = xstrdup(key);
    return 0;
}

static int open_container(struct reading *r, const yaml_event_t *e, struct err *err)
{
    bool is_sequence = e->type == YAML_SEQUENCE_START_EVENT;
    if (r->depth == LIMIT_JSON_DEPTH)
        return err_set(err, ERR_LIMIT, "more than %d levels deep", LIMIT_JSON_DEPTH);
    struct json *value = is_sequence ? json_new_array() : json_new_object();
    put(r, value);
    r->stack[r->depth++] = (struct open_value){ .value = value };
    return 0;
}

static int check_node(const yaml_event_t *e, struct err *err)
{
    bool is_scalar = e->type == YAML_SCALAR_EVENT;
    bool is_sequence = e->type == YAML_SEQUENCE_START_EVENT;
    const void *anchor = is_scalar     ? e->data.scalar.anchor
                         : is_sequence ? e->data.sequence_start.anchor
                                       : e->data.mapping_start.anchor;
    const void *tag = is_scalar     ? e->data.scalar.tag
                      : is_sequence ? e->data.sequence_start.tag
                                    : e->data.mapping_start.tag;
    if (anchor)
        return fail(e, ERR_UNSUPPORTED, "anchors are not taken", err);
    if (tag)
        return fail(e, ERR_UNSUPPORTED, "tags are not taken", err);
    if (is_scalar && memchr(e->data.scalar.value, 0, e->data.scalar.length))
        return fail(e, ERR_INVALID, "NUL in a text", err);
    return 0;
}

static int take_node(struct reading *r, const yaml_event_t *e, struct err *err)
{
    struct json *value = NULL;
    if (++r->n_values > LIMIT_JSON_VALUES)
        return err_set(err, ERR_LIMIT, "more than %d values", LIMIT_JSON_VALUES);
    if (check_node(e, err))
        return -1;
    if (wants_key(r))
        return take_key(r, e, err);
    if (e->type != YAML_SCALAR_EVENT)
        return open_container(r, e, err);
    if (read_scalar(e, &value, err))
        return -1;
    put(r, value);
    return 0;
}

static int take_event(struct reading *r, const yaml_event_t *e, struct err *err)
{
    switch (e->type) {
    case YAML_DOCUMENT_START_EVENT:
        return r->root ? fail(e, ERR_INVALID, "a second document", err) : 0;
    case YAML_ALIAS_EVENT:
        return fail(e, ERR_UNSUPPORTED, "aliases are not taken", err);
    case YAML_SCALAR_EVENT:
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        return take_node(r, e, err);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        r->depth--;
        return 0;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        break;
    }
    return 0;
}

static int read_all(struct reading *r, struct err *err)
{
    for (bool is_over = false; !is_over;) {
        yaml_event_t e;
        if (!yaml_parser_parse(&r->parser, &e))
            return err_set(err, ERR_INVALID, "line %zu column %zu: %s",
                           r->parser.problem_mark.line + 1, r->parser.problem_mark.column + 1,
                           r->parser.problem ? r->parser.problem : "no YAML");
        is_over = e.type == YAML_STREAM_END_EVENT;
        int status = take_event(r, &e, err);
        yaml_event_delete(&e);
        if (status)
            return -1;
    }
    return 0;
}

int yaml_parse(struct span text, struct json **out, struct err *err)
{
    if (text.len > LIMIT_YAML)
        return err_set(err, ERR_LIMIT, "more than %zu bytes of YAML", LIMIT_YAML);
    AUTO_VALUE(reading_clear) struct reading r = { 0 };
    if (!yaml_parser_initialize(&r.parser))
        return err_set(err, ERR_SYSTEM, "no memory for a YAML parser");
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)(text.len ? text.ptr : ""),
                                 text.len);
    if (read_all(&r, err))
        return -1;
    *out = r.root ? STEAL(r.root) : json_new_null();
    return 0;
}
