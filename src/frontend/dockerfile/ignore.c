/* frontend/dockerfile/ignore.c - lines of .dockerignore.
 *
 * Threads: values. */
#include "frontend/dockerfile/ignore.h"

#include <string.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "frontend/dockerfile/parse_internal.h"

/* The line as a pattern, NULL when it says nothing. */
static const char *clean_line(struct span line, struct arena *a)
{
    if (span_starts(line, "#"))
        return NULL;
    struct span s = trim_blanks(line);
    bool is_negated = span_starts(s, "!");
    if (is_negated)
        s = trim_blanks(span_skip(s, 1));
    if (!s.len)
        return is_negated ? "!" : NULL;
    AUTO_FREE char *path = pattern_clean(s);
    bool is_rooted = path[0] == '/' && path[1];
    return arena_printf(a, "%s%s", is_negated ? "!" : "", path + is_rooted);
}

static int check_line(const char *text, struct err *err)
{
    AUTO(pattern_list_free) struct pattern_list *list = NULL;
    if (strlen(text) > LIMIT_PATH)
        return err_set(err, ERR_LIMIT, "a pattern is longer than %d bytes", LIMIT_PATH);
    struct err why = { 0 };
    if (pattern_list_of(&text, 1, &list, &why)) {
        /* The list calls it line 1; the caller knows better. */
        err_set(err, why.kind, "%s", why.text + strlen("line 1: "));
        return err_hint(err, "%s", why.hint);
    }
    return 0;
}

int ignore_parse(struct span text, const char *name, struct arena *a, struct ignore_rules *out,
                 struct err *err)
{
    vec(struct pattern_line) lines = { 0 };
    if (text.len > LIMIT_IGNORE_FILE)
        return err_set(err, ERR_LIMIT, "%s: is larger than %zu bytes", name, LIMIT_IGNORE_FILE);
    struct span rest = skip_byte_order_mark(text);
    for (int number = 1; rest.len; number++) {
        const char *line = clean_line(span_cut(&rest, '\n'), a);
        if (!line)
            continue;
        if (check_line(line, err)) {
            vec_clear(&lines);
            return err_wrap(err, "%s:%d", name, number);
        }
        *vec_push(&lines) = (struct pattern_line){ line, number };
    }
    struct pattern_line *kept = arena_alloc(a, size_mul(lines.n + 1, sizeof *kept));
    if (lines.n)
        memcpy(kept, lines.items, lines.n * sizeof *kept);
    *out = (struct ignore_rules){ .lines = kept, .n = lines.n };
    vec_clear(&lines);
    return 0;
}
