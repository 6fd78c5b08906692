/* frontend/dockerfile/parser.c - the lines of a Dockerfile, joined into raw instructions.
 *
 * A cursor walks the lines.  A line that ends with the escape token is joined with what follows,
 * where lines of comment vanish and empty ones are forgiven with a warning; then the heredocs that
 * the joined line announces take the lines below it.  Blanks in front of an instruction go, those
 * in front of a continued line stay, since a quoted text may go on there.
 *
 * Threads: each call has its own state. */
#include "frontend/dockerfile/parser.h"

#include <string.h>
#include <strings.h>

#include "base/core/limits.h"
#include "frontend/dockerfile/parse_internal.h"

struct cursor {
    struct span rest; /* lines not read yet */
    struct span line; /* the one read last, without its line feed */
    struct span full; /* the same with it */
    int number;       /* of that line, from 1 */
};

struct splitting {
    struct cursor cursor;
    struct arena *arena;
    struct buf joined;
    struct buf comment; /* lines of comment right above */
    char escape;
    int n_directive_lines; /* which are nobody's comment */
    vec(struct raw_instruction) items;
    struct warning_list warnings;
};

static void splitting_clear(struct splitting *s)
{
    buf_clear(&s->joined);
    buf_clear(&s->comment);
    vec_clear(&s->items);
    vec_clear(&s->warnings);
}

/* Advances; *is_end when there is no further line.  Fails: LIMIT. */
static int next_line(struct cursor *c, bool *is_end, struct err *err)
{
    *is_end = c->rest.len == 0;
    if (*is_end)
        return 0;
    const char *start = c->rest.ptr;
    c->line = span_cut(&c->rest, '\n');
    c->full = span_bytes(start, c->line.len + (c->rest.ptr != NULL));
    c->number++;
    if (c->line.len > LIMIT_DOCKERFILE_LINE)
        return err_set(err, ERR_LIMIT, "dockerfile line greater than max allowed size of %d",
                       LIMIT_DOCKERFILE_LINE);
    while (span_ends(c->line, "\r"))
        c->line = span_first(c->line, c->line.len - 1);
    return 0;
}

static struct span trim_front(struct span s)
{
    if (!s.len)
        return SPAN("");
    for (size_t n; (n = blank_len(s.ptr, s.ptr + s.len));)
        s = span_skip(s, n);
    return s;
}

static bool is_comment(struct span line)
{
    return span_starts(trim_front(line), "#");
}

/* Takes the escape token off the end; false when the line has none, so is the last one. */
static bool trim_continuation(struct span *line, char escape)
{
    size_t n = line->len;
    while (n && (line->ptr[n - 1] == ' ' || line->ptr[n - 1] == '\t'))
        n--;
    if (!n || line->ptr[n - 1] != escape || (n > 1 && line->ptr[n - 2] == escape))
        return false;
    *line = span_first(*line, n - 1);
    return true;
}

/* A line of comment, kept for the instruction below; a bare '#' starts anew. */
static void keep_comment(struct splitting *s, struct span line)
{
    struct span text = trim_blanks(span_skip(trim_front(line), 1));
    if (!text.len) {
        buf_reset(&s->comment);
        return;
    }
    if (s->comment.len)
        buf_putc(&s->comment, '\n');
    buf_put(&s->comment, text);
}

/* Joins the cursor's line with those it is continued by.  The text goes to s->joined. */
static int join_lines(struct splitting *s, struct err *err)
{
    struct cursor *c = &s->cursor;
    struct span line = trim_front(c->line);
    bool has_empty = false;
    buf_reset(&s->joined);
    bool goes_on = trim_continuation(&line, s->escape), is_end = false;
    buf_put(&s->joined, line);
    while (goes_on) {
        if (next_line(c, &is_end, err))
            return -1;
        if (is_end)
            break;
        if (is_comment(c->line))
            continue;
        line = c->line;
        if (!trim_front(line).len) {
            has_empty = true;
            continue;
        }
        goes_on = trim_continuation(&line, s->escape);
        buf_put(&s->joined, line);
    }
    if (has_empty) /* told, as BuildKit does, at the line that ends the instruction */
        *vec_push(&s->warnings) =
            (struct dockerfile_warning){ .rule = check_rules[RULE_NO_EMPTY_CONTINUATION].name,
                                         .text = "Empty continuation line",
                                         .where = { c->number, c->number } };
    return 0;
}

void raw_instruction_of_line(struct span line, struct arena *a, struct raw_instruction *out)
{
    struct span full = trim_front(line), rest, name, args;
    rest = line = trim_blanks(line);
    next_word(&rest, &name);
    flags_split(rest, a, &out->flags, &args);
    out->name = arena_strndup(a, name.ptr, name.len);
    out->line = arena_strndup(a, full.ptr, full.len);
    out->text = arena_strndup(a, line.ptr, line.len);
    out->args = arena_strndup(a, args.ptr, args.len);
    out->comment = "";
}

bool raw_instruction_takes_heredocs(const struct raw_instruction *raw, struct arena *a)
{
    struct raw_instruction trigger = *raw;
    if (strcasecmp(raw->name, "ONBUILD") == 0)
        raw_instruction_of_line(span_of(raw->args), a, &trigger);
    if (strcasecmp(trigger.name, "RUN") != 0 && strcasecmp(trigger.name, "COPY") != 0 &&
        strcasecmp(trigger.name, "ADD") != 0)
        return false;
    struct strings words;
    bool is_json;
    struct err ignored = { 0 };
    return !words_json(trigger.args, a, &is_json, &words, &ignored) && !is_json;
}

/* Reads the body of `doc` up to its delimiter. */
static int read_body(struct splitting *s, struct heredoc *doc, struct err *err)
{
    struct cursor *c = &s->cursor;
    const char *start = c->rest.ptr;
    size_t len = 0;
    for (;;) {
        bool is_end;
        if (next_line(c, &is_end, err))
            return -1;
        if (is_end) {
            err_set(err, ERR_INVALID, "unterminated heredoc");
            return err_hint(err, "end it with a line that is %s and nothing else", doc->name);
        }
        struct span line = c->line;
        while (doc->strips_tabs && span_starts(line, "\t"))
            line = span_skip(line, 1);
        if (span_is(line, doc->name))
            break;
        len += c->full.len;
    }
    doc->raw = arena_strndup(s->arena, start ? start : "", len);
    doc->content = doc->strips_tabs ? heredoc_strip_tabs(doc->raw, s->arena) : doc->raw;
    return 0;
}

static int read_heredocs(struct splitting *s, struct raw_instruction *raw, struct err *err)
{
    struct heredoc *docs;
    size_t n;
    if (!strstr(raw->args, "<<") || !raw_instruction_takes_heredocs(raw, s->arena))
        return 0;
    if (heredocs_of_line(raw->text, s->arena, &docs, &n, err))
        return -1;
    for (size_t i = 0; i < n; i++)
        if (read_body(s, &docs[i], err))
            return -1;
    raw->heredocs = (struct heredocs){ .items = docs, .n = n };
    return 0;
}

/* The instruction that starts at the cursor's line. */
static int read_instruction(struct splitting *s, struct source_lines *where, struct err *err)
{
    struct raw_instruction raw = { 0 };
    int first = s->cursor.number;
    int failed = join_lines(s, err);
    if (!failed) {
        raw_instruction_of_line(buf_span(&s->joined), s->arena, &raw);
        failed = read_heredocs(s, &raw, err);
    }
    raw.where = (struct source_lines){ first, s->cursor.number };
    if (failed) {
        /* A line too long is at fault itself, not the instruction that it is part of. */
        *where = raw.where;
        if (err->kind == ERR_LIMIT)
            where->first = where->last;
        return -1;
    }
    if (s->items.n == LIMIT_DOCKERFILE_INSTRUCTIONS) {
        *where = raw.where;
        return err_set(err, ERR_LIMIT, "more than %d instructions", LIMIT_DOCKERFILE_INSTRUCTIONS);
    }
    raw.comment = arena_strndup(s->arena, s->comment.data ? s->comment.data : "", s->comment.len);
    buf_reset(&s->comment);
    *vec_push(&s->items) = raw;
    return 0;
}

static int read_lines(struct splitting *s, struct source_lines *where, struct err *err)
{
    for (;;) {
        bool is_end;
        if (next_line(&s->cursor, &is_end, err)) {
            *where = (struct source_lines){ s->cursor.number, s->cursor.number };
            return -1;
        }
        if (is_end)
            return 0;
        if (s->cursor.number <= s->n_directive_lines)
            continue;
        if (is_comment(s->cursor.line))
            keep_comment(s, s->cursor.line);
        else if (!trim_front(s->cursor.line).len)
            buf_reset(&s->comment);
        else if (read_instruction(s, where, err))
            return -1;
    }
}

static void keep(struct splitting *s, struct raw_dockerfile *out)
{
    struct raw_instruction *items = arena_alloc(s->arena, s->items.n * sizeof *items);
    memcpy(items, s->items.items, s->items.n * sizeof *items);
    out->items = items;
    out->n = s->items.n;
    if (!s->warnings.n)
        return;
    struct dockerfile_warning *warnings = arena_alloc(s->arena, s->warnings.n * sizeof *warnings);
    memcpy(warnings, s->warnings.items, s->warnings.n * sizeof *warnings);
    out->warnings = (struct dockerfile_warnings){ .items = warnings, .n = s->warnings.n };
}

static int check_bytes(struct span text, struct source_lines *where, struct err *err)
{
    if (!text.len)
        return err_set(err, ERR_INVALID, "the Dockerfile cannot be empty");
    if (text.len > LIMIT_DOCKERFILE)
        return err_set(err, ERR_LIMIT, "larger than %zu bytes", LIMIT_DOCKERFILE);
    const char *nul = memchr(text.ptr, '\0', text.len);
    if (!nul)
        return 0;
    int number = 1;
    for (const char *p = text.ptr; p < nul; p++)
        number += *p == '\n';
    *where = (struct source_lines){ number, number };
    return err_set(err, ERR_INVALID, "a NUL byte: the file is no text, or in UTF-16");
}

static int split_all(struct span text, struct arena *a, struct raw_dockerfile *out,
                     struct source_lines *where, struct err *err)
{
    if (check_bytes(text, where, err) || directives_parse(text, a, &out->directives, where, err))
        return -1;
    AUTO_VALUE(splitting_clear)
    struct splitting s = {
        .cursor = { .rest = skip_byte_order_mark(text) },
        .arena = a,
        .escape = out->directives.escape,
        .n_directive_lines = out->directives.n_lines,
    };
    buf_init(&s.joined, LIMIT_DOCKERFILE);
    buf_init(&s.comment, LIMIT_DOCKERFILE);
    if (read_lines(&s, where, err))
        return -1;
    if (!s.items.n)
        return err_set(err, ERR_INVALID, "file with no instructions");
    keep(&s, out);
    return 0;
}

int dockerfile_split(struct span text, const char *name, struct arena *a,
                     struct raw_dockerfile *out, struct source_lines *where, struct err *err)
{
    *out = (struct raw_dockerfile){ 0 };
    *where = (struct source_lines){ 0 };
    if (split_all(text, a, out, where, err) == 0)
        return 0;
    if (!where->first)
        return err_wrap(err, "%s", name);
    return err_wrap(err, "%s:%d", name, where->first);
}
