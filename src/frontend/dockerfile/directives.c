/* frontend/dockerfile/directives.c - "# syntax=", "# escape=" and "# check=" at the top of a file.
 *
 * Threads: values. */
#include "frontend/dockerfile/directives.h"

#include <string.h>

#include "base/codec/json.h"
#include "base/core/mem.h"
#include "frontend/dockerfile/parse_internal.h"

#define BYTE_ORDER_MARK "\xef\xbb\xbf"

struct span skip_byte_order_mark(struct span text)
{
    return span_starts(text, BYTE_ORDER_MARK) ? span_skip(text, strlen(BYTE_ORDER_MARK)) : text;
}

/* One "COMMENT key = value" line; false when the line is none. */
static bool directive_split(struct span line, const char *comment, struct arena *a,
                            const char **key, struct span *value)
{
    line = trim_blanks(line);
    if (!span_starts(line, comment))
        return false;
    line = trim_blanks(span_skip(line, strlen(comment)));
    size_t n = 0;
    while (n < line.len && ((line.ptr[n] >= 'a' && line.ptr[n] <= 'z') ||
                            (line.ptr[n] >= 'A' && line.ptr[n] <= 'Z') ||
                            (n > 0 && line.ptr[n] >= '0' && line.ptr[n] <= '9')))
        n++;
    *key = lower_case(a, arena_strndup(a, line.ptr, n));
    line = trim_blanks(span_skip(line, n));
    if (!n || !span_starts(line, "="))
        return false;
    *value = trim_blanks(span_skip(line, 1));
    return value->len > 0;
}

static void set_syntax(struct span value, struct arena *a, const char **syntax, const char **args)
{
    struct span rest = value;
    struct span image = span_cut(&rest, ' ');
    rest = trim_blanks(rest);
    *syntax = arena_strndup(a, image.ptr, image.len);
    *args = arena_strndup(a, rest.ptr, rest.len);
}

static int set_escape(struct span value, struct directives *out, struct err *err)
{
    if (!span_is(value, "\\") && !span_is(value, "`"))
        return err_set(err, ERR_INVALID, "invalid escape token '%.*s' does not match ` or \\",
                       SPAN_ARG(value));
    out->escape = value.ptr[0];
    return 0;
}

static void list_checks(struct span names, struct arena *a, struct strings *out)
{
    struct text_list list = { 0 };
    do {
        struct span name = trim_blanks(span_cut(&names, ','));
        if (name.len)
            *vec_push(&list) = arena_strndup(a, name.ptr, name.len);
    } while (names.ptr);
    *out = text_list_keep(&list, a);
}

int directives_parse_check(const char *value, struct arena *a, struct directives *out,
                           struct err *err)
{
    struct span rest = span_of(value);
    do {
        struct span option = span_cut(&rest, ';'), setting = option;
        struct span key = trim_blanks(span_cut(&setting, '='));
        if (!setting.ptr)
            return err_set(err, ERR_INVALID, "invalid check option %s",
                           quoted(a, arena_strndup(a, option.ptr, option.len)));
        setting = trim_blanks(setting);
        if (span_is(key, "skip")) {
            list_checks(setting, a, &out->skipped_checks);
        } else if (span_is(key, "experimental")) {
            list_checks(setting, a, &out->experimental_checks);
        } else if (span_is(key, "error")) {
            const char *text = arena_strndup(a, setting.ptr, setting.len);
            if (!span_bool(span_of(text), &out->fails_on_warnings))
                return err_set(err, ERR_INVALID,
                               "failed to parse check option %s: expecting boolean value, not: %s",
                               quoted(a, "error"), text);
        } else {
            return err_set(err, ERR_INVALID, "invalid check option %s",
                           quoted(a, arena_strndup(a, key.ptr, key.len)));
        }
    } while (rest.ptr);
    return 0;
}

bool directives_skips(const struct directives *d, const struct check_rule *rule)
{
    const struct strings *skipped = &d->skipped_checks, *asked = &d->experimental_checks;
    if (rule->is_experimental)
        return !strings_have(asked, "all") && !strings_have(asked, rule->name);
    return strings_have(skipped, "all") || strings_have(skipped, rule->name);
}

static int set_directive(const char *key, struct span value, struct arena *a,
                         struct directives *out, struct err *err)
{
    if (strcmp(key, "escape") == 0)
        return set_escape(value, out, err);
    if (strcmp(key, "check") == 0)
        return directives_parse_check(arena_strndup(a, value.ptr, value.len), a, out, err);
    set_syntax(value, a, &out->syntax, &out->syntax_args);
    out->syntax_where = (struct source_lines){ out->n_lines, out->n_lines };
    return 0;
}

int directives_parse(struct span text, struct arena *a, struct directives *out,
                     struct source_lines *where, struct err *err)
{
    static const char *const known[] = { "syntax", "escape", "check" };
    *out = (struct directives){ .escape = '\\', .syntax = "", .syntax_args = "" };
    struct span rest = skip_byte_order_mark(text);
    bool has_interpreter = span_starts(rest, "#!"), seen[3] = { false };
    if (has_interpreter) {
        (void)span_cut(&rest, '\n');
        out->n_lines++;
    }
    while (rest.len) {
        const char *key;
        struct span value;
        size_t k = 0;
        if (!directive_split(span_cut(&rest, '\n'), "#", a, &key, &value))
            break;
        while (k < 3 && strcmp(known[k], key) != 0)
            k++;
        if (k == 3)
            break;
        out->n_lines++;
        *where = (struct source_lines){ out->n_lines, out->n_lines };
        if (seen[k])
            return err_set(err, ERR_INVALID, "only one %s parser directive can be used", key);
        seen[k] = true;
        if (has_interpreter && strcmp(key, "escape") == 0)
            continue; /* as BuildKit: syntax and check alone are looked for there */
        if (set_directive(key, value, a, out, err))
            return -1;
    }
    *where = (struct source_lines){ 0 };
    return 0;
}

/* "syntax" among the directives written behind `comment`, NULL when there is none.  *line is that
 * of the first one, then that of what was found. */
static const char *find_in_comments(struct span text, const char *comment, struct arena *a,
                                    int *line)
{
    for (; text.len; ++*line) {
        const char *key, *syntax, *args;
        struct span value;
        if (!directive_split(span_cut(&text, '\n'), comment, a, &key, &value))
            break;
        if (strcmp(key, "syntax") == 0) {
            set_syntax(value, a, &syntax, &args);
            return syntax;
        }
        if (strcmp(key, "escape") != 0 && strcmp(key, "check") != 0)
            break;
    }
    return NULL;
}

const char *directives_find_syntax(struct span text, struct arena *a, struct source_lines *where)
{
    text = skip_byte_order_mark(text);
    int first = 1 + span_starts(text, "#!"), line = first;
    if (first > 1)
        (void)span_cut(&text, '\n');
    const char *found = find_in_comments(text, "#", a, &line);
    if (!found) {
        line = first;
        found = find_in_comments(text, "//", a, &line);
    }
    *where = (struct source_lines){ line, line };
    if (found)
        return found;
    struct err ignored = { 0 };
    AUTO(json_free) struct json *object = NULL;
    if (!span_starts(trim_blanks(text), "{") || json_parse(text, &object, &ignored))
        return "";
    const char *syntax = json_get_str(object, "syntax");
    *where = (struct source_lines){ first, first };
    return syntax ? arena_strdup(a, syntax) : "";
}
