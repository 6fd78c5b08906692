/* tests/unit/base/codec/test_yaml.c - YAML as JSON values; what is refused and why. */
#include "base/codec/yaml.h"

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "tap.h"

static char *as_json(struct span text, struct err *err)
{
    AUTO(json_free) struct json *v = NULL;
    struct buf b;
    if (yaml_parse(text, &v, err))
        return NULL;
    buf_init(&b, LIMIT_JSON);
    json_print(v, &b);
    return buf_take(&b);
}

static const struct {
    const char *text, *want;
} taken[] = {
    { "", "null" },
    { "# a comment\n---\na: 1\n...\n", "{\"a\":1}" },
    { "[null, ~, Null, NULL, nULL]", "[null,null,null,null,\"nULL\"]" },
    { "[true, True, TRUE, false, yes, no, on, off, y]",
      "[true,true,true,false,\"yes\",\"no\",\"on\",\"off\",\"y\"]" },
    { "[0, 12, -3, +4, 012, 0o17, 0x1fF, 0b1, 1_000, 0x, 0o8]",
      "[0,12,-3,4,12,15,511,\"0b1\",\"1_000\",\"0x\",\"0o8\"]" },
    { "[9223372036854775807, -9223372036854775808]", "[9223372036854775807,-9223372036854775808]" },
    { "[1.5, .5, 5., -1e3, 1E-2, 0.1, 1:30, 1.2.3, ., e1, 1e, +, -.]",
      "[1.5,0.5,5,-1000,0.01,0.1,\"1:30\",\"1.2.3\",\".\",\"e1\",\"1e\",\"+\",\"-.\"]" },
    { "['1', \"true\", '', \"a\\tb\\u20ac\"]", "[\"1\",\"true\",\"\",\"a\\tb\xe2\x82\xac\"]" },
    { "a: |\n  one\n  two\nb: >-\n  one\n  two\n", "{\"a\":\"one\\ntwo\\n\",\"b\":\"one two\"}" },
    { "1: a\ntrue: b\n? c\n: d\n<<: e\n",
      "{\"1\":\"a\",\"true\":\"b\",\"c\":\"d\",\"\\u003c\\u003c\":\"e\"}" },
    { "a:\nb: {}\nc: []\nd:\n- e: 1\n  f: 2\n- - g\n",
      "{\"a\":null,\"b\":{},\"c\":[],\"d\":[{\"e\":1,\"f\":2},[\"g\"]]}" },
    { "{\"a\": [1, \"b\", null, false, 1.5]}", "{\"a\":[1,\"b\",null,false,1.5]}" },
};

TEST("a document is the value that YAML 1.2's core schema says")
{
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        struct err err = { 0 };
        AUTO_FREE char *got = as_json(span_of(taken[i].text), &err);
        EXPECT_STR(got ? got : err.text, taken[i].want);
    }
}

static const struct {
    const char *text;
    enum err_kind kind;
    const char *why;
} refused[] = {
    { "a: 1\nb: 2\na: 3\n", ERR_INVALID, "line 3 column 1: a key that is there already" },
    { "a: {b: ~, b: 1}", ERR_INVALID, "line 1 column 11: a key that is there already" },
    { "a: &x 1\n", ERR_UNSUPPORTED, "line 1 column 4: anchors are not taken" },
    { "&x [1]\n", ERR_UNSUPPORTED, "anchors are not taken" },
    { "&x {a: 1}\n", ERR_UNSUPPORTED, "anchors are not taken" },
    { "a: *x\n", ERR_UNSUPPORTED, "line 1 column 4: aliases are not taken" },
    { "a: !!str 1\n", ERR_UNSUPPORTED, "line 1 column 4: tags are not taken" },
    { "!mine [1]\n", ERR_UNSUPPORTED, "tags are not taken" },
    { "[a]: 1\n", ERR_INVALID, "line 1 column 1: a key that is no scalar" },
    { "? {a: 1}\n: 1\n", ERR_INVALID, "a key that is no scalar" },
    { "a\n---\nb\n", ERR_INVALID, "line 2 column 1: a second document" },
    { "a: \"x\\0y\"\n", ERR_INVALID, "line 1 column 4: NUL in a text" },
    { "\"x\\0\": 1\n", ERR_INVALID, "NUL in a text" },
    { "9223372036854775808", ERR_INVALID, "an integer beyond 64 bits" },
    { "0xffffffffffffffff", ERR_INVALID, "an integer beyond 64 bits" },
    { "1e999", ERR_INVALID, "a number that is too large" },
    { "[.inf]", ERR_INVALID, "line 1 column 2: JSON has no such number" },
    { "-.INF", ERR_INVALID, "JSON has no such number" },
    { ".nan", ERR_INVALID, "JSON has no such number" },
    { "a: b: c\n", ERR_INVALID, "line 1 column 5: " },
    { "a: [1\n", ERR_INVALID, "line 2 column 1: " },
    { "a:\n\tb: 1\n", ERR_INVALID, "line 2 column 1: " },
    { "\xff\xfe", ERR_INVALID, "line 1 column 1: " },
    { "\"\\ud800\"", ERR_INVALID, "line 1 column " },
};

TEST("what is ambiguous, or stands for more than it is, is refused with its place")
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct err err = { 0 };
        AUTO_FREE char *got = as_json(span_of(refused[i].text), &err);
        EXPECT_STR(got, NULL);
        EXPECT_INT(err.kind, refused[i].kind);
        EXPECT_CONTAINS(err.text, refused[i].why);
    }
}

/* `n` times `one`, then `tail`. */
static char *many(const char *one, size_t n, const char *tail)
{
    struct buf b;
    buf_init(&b, 2 * LIMIT_YAML);
    for (size_t i = 0; i < n; i++)
        buf_puts(&b, one);
    buf_puts(&b, tail);
    return buf_take(&b);
}

TEST("depth, size and number of values have a ceiling")
{
    struct err err = { 0 };
    AUTO_FREE char *deep = many("- ", LIMIT_JSON_DEPTH, "x");
    AUTO_FREE char *got = as_json(span_of(deep), &err);
    EXPECT(got != NULL);
    static const struct {
        const char *one, *tail;
        size_t n;
        const char *why;
    } rows[] = {
        { "- ", "x", LIMIT_JSON_DEPTH + 1, "levels deep" },
        { "[", "", LIMIT_JSON_DEPTH + 1, "levels deep" },
        { "- {\n", "", LIMIT_YAML / 4 + 1, "bytes of YAML" },
        { "-\n", "", LIMIT_JSON_VALUES + 1, "values" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO_FREE char *text = many(rows[i].one, rows[i].n, rows[i].tail);
        err_clear(&err);
        AUTO_FREE char *none = as_json(span_of(text), &err);
        EXPECT_STR(none, NULL);
        EXPECT_INT(err.kind, ERR_LIMIT);
        EXPECT_CONTAINS(err.text, rows[i].why);
    }
}

TAP_MAIN()
