/* frontend/dockerfile/check.c - `build --check`: what the build checks say, without building.
 *
 * Threads: see check.h. */
#include "frontend/dockerfile/check.h"

#include <stdlib.h>

#include "base/codec/text.h"
#include "frontend/dockerfile/convert_internal.h"

void dockerfile_report_clear(struct dockerfile_report *r)
{
    arena_free(r->arena);
    *r = (struct dockerfile_report){ 0 };
}

static int look(struct converter *c, struct err *err)
{
    const char *target = c->o->target;
    c->wants_all_stages = !target || !target[0];
    return converter_load(c, err) || converter_pass(c, true, err) ? -1 : 0;
}

void dockerfile_check(struct span text, const struct dockerfile_options *o,
                      const struct frontend_host *host, struct dockerfile_report *out)
{
    AUTO_VALUE(converter_clear) struct converter c;
    struct dockerfile_result result;
    struct unknown unknown = { 0 };
    struct err err = { 0 };
    *out = (struct dockerfile_report){ 0 };
    converter_init(&c, text, o, host, &result);
    c.unknown = &unknown;
    int failed = look(&c, &err);
    converter_keep_warnings(&c);
    if (!failed && unknown.is_set) {
        err = unknown.why;
        result.where = unknown.where;
        failed = -1;
    }
    if (!failed)
        failed = converter_fail_on_warnings(&c, &err);
    out->warnings = result.warnings;
    out->arena = STEAL(result.arena);
    if (failed) {
        out->would_fail = true;
        out->why = err;
        out->where = result.where;
    }
    dockerfile_result_clear(&result);
}

/* --- JSON --- */

static struct json *line_json(int line)
{
    struct json *o = json_new_object();
    json_set_int(o, "line", line);
    return o;
}

struct json *source_lines_json(struct source_lines where)
{
    struct json *o = json_new_object();
    if (!where.first)
        return o;
    struct json *ranges = json_new_array(), *range = json_new_object();
    json_set(range, "start", line_json(where.first));
    json_set(range, "end", line_json(where.last));
    json_push(ranges, range);
    json_set(o, "ranges", ranges);
    return o;
}

static struct json *warning_json(const struct dockerfile_warning *w)
{
    const struct check_rule *rule = check_rule_find(w->rule);
    struct json *o = json_new_object();
    json_set_str(o, "ruleName", w->rule);
    json_set_str(o, "description", rule->description);
    json_set_str(o, "url", rule->url);
    json_set(o, "detail", json_new_strn(span_of(w->text)));
    json_set(o, "location", source_lines_json(w->where));
    return o;
}

static struct json *source_json(struct span text, const char *name)
{
    AUTO_VALUE(buf_clear) struct buf data;
    struct json *o = json_new_object();
    buf_init(&data, SIZE_MAX);
    base64_print(text, &data);
    json_set(o, "filename", json_new_strn(span_of(name)));
    json_set_str(o, "language", "Dockerfile");
    json_set(o, "data", json_new_strn(buf_span(&data)));
    return o;
}

struct json *dockerfile_report_json(const struct dockerfile_report *r, struct span text,
                                    const char *name)
{
    struct json *o = json_new_object(), *warnings = json_new_array(), *sources = json_new_array();
    for (size_t i = 0; i < r->warnings.n; i++)
        json_push(warnings, warning_json(&r->warnings.items[i]));
    json_push(sources, source_json(text, name));
    json_set(o, "warnings", warnings);
    json_set(o, "sources", sources);
    if (r->would_fail) {
        struct json *error = json_new_object();
        json_set(error, "message", json_new_strn(span_of(r->why.text)));
        json_set(error, "location", source_lines_json(r->where));
        json_set(o, "buildError", error);
    }
    return o;
}

/* --- text --- */

static void print_warning(const struct dockerfile_warning *w, struct span text, const char *name,
                          struct buf *out)
{
    static const char rule_off[] = "--------------------\n";
    AUTO_VALUE(buf_clear) struct buf excerpt;
    buf_init(&excerpt, SIZE_MAX);
    buf_printf(out, "\nWARNING: %s - %s\n%s\n", w->rule, check_rule_find(w->rule)->url, w->text);
    dockerfile_excerpt(text, name, w->where, &excerpt);
    struct span lines = buf_span(&excerpt), place = span_cut(&lines, '\n');
    if (place.len)
        buf_printf(out, "%.*s\n%s%.*s%s", SPAN_ARG(place), rule_off, SPAN_ARG(lines), rule_off);
}

void dockerfile_report_print(const struct dockerfile_report *r, struct span text, const char *name,
                             struct buf *out)
{
    size_t n = r->warnings.n;
    if (n)
        buf_printf(out, "Check complete, %zu warning%s been found!\n", n,
                   n > 1 ? "s have" : " has");
    else if (!r->would_fail)
        buf_puts(out, "Check complete, no warnings found.\n");
    for (size_t i = 0; i < n; i++)
        print_warning(&r->warnings.items[i], text, name, out);
}
