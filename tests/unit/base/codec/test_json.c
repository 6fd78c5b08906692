/* tests/unit/base/codec/test_json.c - JSON read, changed and printed; jq is a witness. */
#include "base/codec/json.h"

#include "witness.h"

/* Parsed and printed again; NULL with *err set when refused.  Owned by the caller. */
static char *round_trip(struct span text, struct err *err)
{
    AUTO(json_free) struct json *v = NULL;
    if (json_parse(text, &v, err) < 0)
        return NULL;
    struct buf b;
    buf_init(&b, LIMIT_JSON);
    json_print(v, &b);
    return buf_take(&b);
}

static const struct {
    const char *text, *want; /* want NULL: the same */
} printed[] = {
    { "{\"z\":1,\"a\":[],\"m\":{}}", NULL },
    { " { \"a\" : [ 1 , true , null ] } \n", "{\"a\":[1,true,null]}" },
    { "{\"<&>\":\"a<b>&c\"}", "{\"\\u003c\\u0026\\u003e\":\"a\\u003cb\\u003e\\u0026c\"}" },
    { "\"\\u2028\\u2029\\u2027\xe2\x82\xac\"", "\"\\u2028\\u2029\xe2\x80\xa7\xe2\x82\xac\"" },
    { "\"\\/\\b\\f\\n\\r\\t\\u0001\\u001f\\\"\\\\\"",
      "\"/\\b\\f\\n\\r\\t\\u0001\\u001f\\\"\\\\\"" },
    { "\"\x7f\"", NULL },
    { "\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\"" },
    { "[9223372036854775807,-9223372036854775808,0,-0]",
      "[9223372036854775807,-9223372036854775808,0,0]" },
    { "[1.5,-1.5,0.1,100.0,1e3,123456.789]", "[1.5,-1.5,0.1,100,1000,123456.789]" },
    { "[1e17,1e18,1e21,1.5e300,1e-6,1e-7,1.25e-9,0.00001234]",
      "[100000000000000000,1e+18,1e+21,1.5e+300,0.000001,1e-7,1.25e-9,0.00001234]" },
    { "[0.0,-0.0,0.30000000000000004,5e-324,1.7976931348623157e308]",
      "[0,0,0.30000000000000004,5e-324,1.7976931348623157e+308]" },
    { "null", NULL },
    { "\"\"", NULL },
    { "{\"\":0}", NULL },
};

TEST("values are printed as Go prints them, in the order they came")
{
    for (size_t i = 0; i < sizeof printed / sizeof printed[0]; i++) {
        struct err err = { 0 };
        AUTO_FREE char *got = round_trip(span_of(printed[i].text), &err);
        EXPECT_STR(got, printed[i].want ? printed[i].want : printed[i].text);
    }
}

/* Go's older escapes as ours. */
static void modernise(char *line)
{
    static const char *const pairs[][2] = { { "\\u0008", "\\b" },
                                            { "\\u000c", "\\f" },
                                            { "\\ufffd", "\xef\xbf\xbd" } };
    for (size_t i = 0; i < 3; i++)
        for (char *at; (at = strstr(line, pairs[i][0]));) {
            size_t n = strlen(pairs[i][1]);
            memcpy(at, pairs[i][1], n);
            memmove(at + n, at + 6, strlen(at + 6) + 1);
        }
}

TEST("what Go's json.Marshal printed is read and printed byte for byte")
{
    const char *root = getenv("KILN_FIXTURES");
    AUTO_FREE char *path = xasprintf("%s/codec/go-marshal.jsonl", root ? root : "tests/fixtures");
    FILE *f = fopen(path, "re");
    REQUIRE(f);
    char line[4096];
    int n = 0;
    for (; fgets(line, sizeof line, f); n++) {
        struct err err = { 0 };
        line[strcspn(line, "\n")] = '\0';
        AUTO_FREE char *got = round_trip(span_of(line), &err);
        modernise(line);
        EXPECT_STR(got, line);
    }
    fclose(f);
    EXPECT_INT(n, 60);
}

static const struct {
    const char *text, *why;
} refused[] = {
    { "", "line 1" },
    { "{", "line 1" },
    { "{\n\"a\":1,\n\"a\":2}", "line 3" },
    { "{} {}", "line 1" },
    { "[1,]", "line 1" },
    { "{'a':1}", "line 1" },
    { "[01]", "line 1" },
    { "[NaN]", "line 1" },
    { "[9223372036854775808]", "line 1" },
    { "[1e999]", "line 1" },
    { "\"a\\u0000b\"", "line 1" },
    { "{\"a\\u0000b\":1}", "line 1" },
    { "\"\xff\"", "line 1" },
    { "\"\xc0\xaf\"", "line 1" },
    { "\"\xed\xa0\x80\"", "line 1" },
    { "\"\\ud800\"", "line 1" },
    { "\"\n\"", "line 1" },
    { "\xef\xbb\xbf{}", "line 1" },
    { "]", "line 1" },
};

TEST("wrong JSON is refused with its line")
{
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct err err = { 0 };
        struct json *v = NULL;
        EXPECT_ERR(json_parse(span_of(refused[i].text), &v, &err), &err, ERR_INVALID);
        EXPECT_CONTAINS(err.text, refused[i].why);
        EXPECT(v == NULL);
    }
    struct err err = { 0 };
    struct json *v = NULL;
    EXPECT_ERR(json_parse(span_bytes("[\0]", 3), &v, &err), &err, ERR_INVALID);
}

/* `n` times `open`, then `n` times `close`. */
static char *nest(size_t n, const char *open, const char *close)
{
    struct buf b;
    buf_init(&b, LIMIT_JSON);
    for (size_t i = 0; i < n; i++)
        buf_puts(&b, open);
    buf_puts(&b, "1");
    for (size_t i = 0; i < n; i++)
        buf_puts(&b, close);
    return buf_take(&b);
}

TEST("nesting has a ceiling")
{
    struct err err = { 0 };
    struct json *v = NULL;
    AUTO_FREE char *fits = nest(LIMIT_JSON_DEPTH, "[", "]");
    AUTO_FREE char *deep = nest(LIMIT_JSON_DEPTH + 1, "[", "]");
    AUTO_FREE char *deeper = nest(100000, "{\"a\":", "}");
    AUTO_FREE char *same = round_trip(span_of(fits), &err);
    EXPECT_STR(same, fits);
    EXPECT_ERR(json_parse(span_of(deep), &v, &err), &err, ERR_LIMIT);
    EXPECT_ERR(json_parse(span_of(deeper), &v, &err), &err, ERR_LIMIT);
}

TEST("brackets inside strings are no nesting")
{
    struct err err = { 0 };
    AUTO_FREE char *got = round_trip(
        SPAN("[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[\"]"),
        &err);
    EXPECT(got != NULL);
}

TEST("the number of values and the size have ceilings")
{
    struct buf b;
    buf_init(&b, LIMIT_JSON + 2);
    for (size_t i = 0; i < 500001; i++)
        buf_puts(&b, i ? ",[]" : "[[]");
    buf_puts(&b, "]");
    struct err err = { 0 };
    struct json *v = NULL;
    EXPECT_ERR(json_parse(buf_span(&b), &v, &err), &err, ERR_LIMIT);
    EXPECT_CONTAINS(err.text, "values");
    buf_reset(&b);
    memset(buf_reserve(&b, LIMIT_JSON + 1), ' ', LIMIT_JSON + 1);
    buf_grown(&b, LIMIT_JSON + 1);
    EXPECT_ERR(json_parse(buf_span(&b), &v, &err), &err, ERR_LIMIT);
    buf_clear(&b);
}

static struct json *parse(const char *text)
{
    struct json *v = NULL;
    struct err err = { 0 };
    EXPECT_OK(json_parse(span_of(text), &v, &err), &err);
    return v;
}

static void expect_print(const struct json *v, const char *want)
{
    AUTO_VALUE(buf_clear) struct buf b;
    buf_init(&b, 4096);
    json_print(v, &b);
    EXPECT_STR(b.data, want);
}

TEST("getters answer for what is there and are quiet about what is not")
{
    AUTO(json_free)
    struct json *o =
        parse("{\"s\":\"x\",\"i\":-5,\"r\":1.5,\"b\":true,\"n\":null,\"a\":[1,\"2\"]}");
    EXPECT_STR(json_get_str(o, "s"), "x");
    EXPECT_STR(json_get_str(o, "i"), NULL);
    EXPECT_STR(json_get_str(o, "none"), NULL);
    EXPECT_INT(json_get_int(o, "i", 7), -5);
    EXPECT_INT(json_get_int(o, "r", 7), 7);
    EXPECT_INT(json_get_int(o, "none", 7), 7);
    EXPECT(json_get_bool(o, "b", false));
    EXPECT(json_get_bool(o, "s", true));
    EXPECT_INT(json_type(json_get(o, "n")), JSON_NULL);
    EXPECT_INT(json_type(json_get(o, "r")), JSON_REAL);
    EXPECT(json_get(o, "none") == NULL);
    EXPECT_INT(json_len(o), 6);
    const struct json *a = json_get(o, "a");
    EXPECT_INT(json_len(a), 2);
    EXPECT_INT(json_int(json_at(a, 0)), 1);
    EXPECT_STR(json_str(json_at(a, 1)), "2");
    EXPECT(json_at(a, 2) == NULL);
    EXPECT(json_at(o, 0) == NULL && json_get(a, "x") == NULL && json_get(NULL, "x") == NULL);
    EXPECT_INT(json_len(NULL), 0);
    EXPECT(json_first(a) == NULL && json_first(NULL) == NULL);
}

TEST("setting replaces in place, removing keeps the order")
{
    AUTO(json_free) struct json *o = parse("{\"z\":1,\"m\":2,\"a\":3}");
    json_set_str(o, "m", "new");
    json_set_bool(o, "last", true);
    expect_print(o, "{\"z\":1,\"m\":\"new\",\"a\":3,\"last\":true}");
    json_set_str(o, "z", NULL);
    json_remove(o, "none");
    json_set(o, "n", json_new_null());
    json_set_int(o, "a", INT64_MIN);
    expect_print(o, "{\"m\":\"new\",\"a\":-9223372036854775808,\"last\":true,\"n\":null}");
    json_sort_keys(o);
    expect_print(o, "{\"a\":-9223372036854775808,\"last\":true,\"m\":\"new\",\"n\":null}");
}

TEST("keys are sorted bytewise and on one level only")
{
    AUTO(json_free)
    struct json *o = parse("{\"b\":{\"z\":1,\"a\":2},\"B\":1,\"\xc3\xa4\":2,\"a\":3}");
    json_sort_keys(o);
    expect_print(o, "{\"B\":1,\"a\":3,\"b\":{\"z\":1,\"a\":2},\"\xc3\xa4\":2}");
}

TEST("bytes that are no UTF-8 become U+FFFD")
{
    AUTO(json_free) struct json *a = json_new_array();
    json_push(a, json_new_strn(span_bytes("a\0b", 3)));
    json_push(a, json_new_str("\xff\xc3"));
    json_push(a, json_new_str("\xed\xa0\x80"));
    json_push(a, json_new_str("\xf4\x90\x80\x80"));
    json_push(a, json_new_str("\xe2\x82\xac\xe2\x82"));
    json_push(a, json_new_str("\xf0\x9f\x98\x80"));
#define FFFD "\xef\xbf\xbd"
    expect_print(a,
                 "[\"a" FFFD "b\",\"" FFFD FFFD "\",\"" FFFD FFFD FFFD "\",\"" FFFD FFFD FFFD FFFD
                 "\",\"\xe2\x82\xac" FFFD FFFD "\",\"\xf0\x9f\x98\x80\"]");
    AUTO(json_free) struct json *o = json_new_object();
    json_set_int(o, "k\xff", 1);
    expect_print(o, "{\"k" FFFD "\":1}");
}

TEST("a copy is deep and equal, whatever the order of keys")
{
    AUTO(json_free) struct json *a = parse("{\"x\":[1,{\"y\":2.5}],\"s\":\"t\",\"b\":false}");
    AUTO(json_free) struct json *b = json_copy(a);
    EXPECT(json_equal(a, b));
    expect_print(b, "{\"x\":[1,{\"y\":2.5}],\"s\":\"t\",\"b\":false}");
    json_set_int(json_at(json_get(b, "x"), 1), "y", 3);
    EXPECT(!json_equal(a, b));
    expect_print(a, "{\"x\":[1,{\"y\":2.5}],\"s\":\"t\",\"b\":false}");
    AUTO(json_free) struct json *c = parse("{\"b\":false,\"s\":\"t\",\"x\":[1,{\"y\":2.5}]}");
    EXPECT(json_equal(a, c));
    EXPECT(!json_equal(a, NULL) && json_equal(NULL, NULL));
}

TEST("a reference keeps a value alive")
{
    struct json *o = parse("{\"a\":{\"b\":1}}");
    AUTO(json_free) struct json *inner = json_ref(json_get(o, "a"));
    json_free(o);
    expect_print(inner, "{\"b\":1}");
}

TEST("lists of strings go both ways")
{
    AUTO(json_free) struct json *a = parse("[\"x\",\"\",\"y\"]");
    AUTO_VALUE(str_list_clear) struct str_list l = { 0 };
    REQUIRE(json_to_list(a, &l));
    EXPECT_INT(l.n, 3);
    AUTO(json_free) struct json *back = json_of_list(&l);
    EXPECT(json_equal(a, back));
    AUTO(json_free) struct json *mixed = parse("[\"x\",1]");
    EXPECT(!json_to_list(mixed, &l));
    AUTO(json_free) struct json *object = parse("{}");
    EXPECT(!json_to_list(object, &l));
}

TEST("jq reads what we print as the same value")
{
    if (!has_program("jq"))
        SKIP("needs jq");
    const char *text =
        "{\"a\":[1,2.5,-3e-7,1e25,true,null,\"<&>\\u2028\\n\xc3\xa4\"],\"b\":{\"c\":{}}}";
    AUTO(json_free) struct json *o = parse(text);
    struct buf compact, pretty;
    buf_init(&compact, 4096);
    buf_init(&pretty, 4096);
    json_print(o, &compact);
    json_print_pretty(o, &pretty);
    AUTO_FREE char *a = put_file("in", span_of(text));
    AUTO_FREE char *b = put_file("compact", buf_span(&compact));
    AUTO_FREE char *c = put_file("pretty", buf_span(&pretty));
    buf_clear(&compact);
    buf_clear(&pretty);
    AUTO_FREE char *command = xasprintf("jq -n --slurpfile a %s --slurpfile b %s --slurpfile c %s "
                                        "'$a == $b and $b == $c'",
                                        a, b, c);
    int status;
    AUTO_VALUE(buf_clear) struct buf answer = run(command, &status);
    EXPECT_INT(status, 0);
    EXPECT_STR(answer.data, "true\n");
}

TEST("pretty printing is Go's MarshalIndent with two blanks")
{
    AUTO(json_free) struct json *o = parse("{\"a\":[1,{}],\"b\":[],\"c\":{\"d\":\"e\"}}");
    AUTO_VALUE(buf_clear) struct buf b;
    buf_init(&b, 4096);
    json_print_pretty(o, &b);
    EXPECT_STR(b.data, "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": [],\n  \"c\": {\n    \"d\": "
                       "\"e\"\n  }\n}");
}

TAP_MAIN()
