/* frontend/dockerfile/source.c - the lines of a Dockerfile that an error is about.
 *
 * Threads: values. */
#include "frontend/dockerfile/source.h"

#include "base/core/err.h"

enum { CONTEXT_LINES = 2, MAX_MARKED_LINES = 20, MAX_LINE_TEXT = 200 };

static void put_line(struct buf *out, int number, bool is_marked, struct span line)
{
    if (span_ends(line, "\r"))
        line = span_first(line, line.len - 1);
    bool is_cut = line.len > MAX_LINE_TEXT;
    if (is_cut)
        line = span_first(line, MAX_LINE_TEXT);
    const char *blank = line.len ? " " : "";
    buf_printf(out, "%4d | %s%s%.*s%s\n", number, is_marked ? ">>>" : "   ", blank, SPAN_ARG(line),
               is_cut ? "..." : "");
}

void dockerfile_excerpt(struct span text, const char *name, struct source_lines where,
                        struct buf *out)
{
    if (where.first < 1 || where.last < where.first)
        return;
    bool has_begun = false;
    struct span rest = text;
    for (int number = 1; rest.len && number <= where.last + CONTEXT_LINES; number++) {
        struct span line = span_cut(&rest, '\n');
        if (number < where.first - CONTEXT_LINES)
            continue;
        if (!has_begun)
            buf_printf(out, "%s:%d\n", name, where.first);
        has_begun = true;
        bool is_marked = number >= where.first && number <= where.last;
        int shown = number - where.first;
        if (is_marked && shown >= MAX_MARKED_LINES && number < where.last) {
            if (shown == MAX_MARKED_LINES)
                buf_puts(out, "     | ...\n");
            continue;
        }
        put_line(out, number, is_marked, line);
    }
}
