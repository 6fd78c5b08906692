/* frontend/dockerfile/shell_glob.c - patterns of ${NAME#pattern}: '*', '?' and plain characters.
 *
 * A pattern is walked once over the whole value with the set of positions it may stand at, so the
 * time is their lengths' product whatever the pattern: no backtracking that a Dockerfile could make
 * explode.  From the front the set starts with the first position, from the end with the last and
 * the tokens are walked backwards.  As in BuildKit, which makes a regular expression of the
 * pattern,
 * '*' and '?' do not match a line feed, and a replacement is the leftmost longest match.
 *
 * Threads: values. */
#include <stdlib.h>
#include <string.h>

#include "base/core/mem.h"
#include "frontend/dockerfile/parse_internal.h"

/* Steps of one substitution: a fraction of a second. */
enum { GLOB_MAX_STEPS = 100 * 1000 * 1000 };

void glob_clear(struct glob *g)
{
    vec_clear(g);
}

int glob_parse(const char *pattern, struct glob *out, struct err *err)
{
    for (const char *p = pattern; *p; p++) {
        struct glob_token token = { .kind = GLOB_BYTE, .byte = *p };
        if (*p == '*')
            token.kind = GLOB_STAR;
        else if (*p == '?')
            token.kind = GLOB_ANY;
        else if (*p == '\\') {
            char next = p[1];
            if (!next || !strchr("*?\\}/", next))
                return err_set(err, ERR_INVALID,
                               "invalid pattern (%s) in substitution: invalid escape '\\%.1s'",
                               pattern, p + 1);
            token.byte = *++p;
        }
        *vec_push(out) = token;
    }
    return 0;
}

static bool is_boundary(struct span v, size_t i)
{
    return i == v.len || ((unsigned char)v.ptr[i] & 0xc0) != 0x80;
}

/* End of the character that starts at i < len. */
static size_t character_end(struct span v, size_t i)
{
    do
        i++;
    while (!is_boundary(v, i));
    return i;
}

/* The positions after `t`, given those before it. */
static void step_forward(const struct glob_token *t, struct span v, const bool *in, bool *out)
{
    bool is_live = false;
    memset(out, 0, v.len + 1);
    for (size_t i = 0; i <= v.len; i++) {
        if (t->kind == GLOB_STAR) {
            is_live |= in[i];
            out[i] = is_live && is_boundary(v, i);
            if (i < v.len && v.ptr[i] == '\n')
                is_live = false;
        } else if (i == v.len || !in[i]) {
            continue;
        } else if (t->kind == GLOB_BYTE && v.ptr[i] == t->byte) {
            out[i + 1] = true;
        } else if (t->kind == GLOB_ANY && v.ptr[i] != '\n') {
            out[character_end(v, i)] = true;
        }
    }
}

/* The positions before `t`, given those after it. */
static void step_backward(const struct glob_token *t, struct span v, const bool *in, bool *out)
{
    bool is_live = false;
    for (size_t i = v.len + 1; i-- > 0;) {
        bool is_inside = i < v.len;
        if (t->kind == GLOB_STAR) {
            if (is_inside && v.ptr[i] == '\n')
                is_live = false;
            is_live |= in[i];
            out[i] = is_live && is_boundary(v, i);
        } else if (t->kind == GLOB_BYTE) {
            out[i] = is_inside && v.ptr[i] == t->byte && in[i + 1];
        } else {
            out[i] = is_inside && v.ptr[i] != '\n' && is_boundary(v, i) && in[character_end(v, i)];
        }
    }
}

/* Two sets of positions that take turns. */
struct positions {
    bool *now, *next; /* owned */
    size_t n_steps;   /* spent so far */
};

static void positions_clear(struct positions *p)
{
    free(p->now);
    free(p->next);
}

static int spend(struct positions *p, const struct glob *g, struct span v, struct err *err)
{
    size_t each = v.len + 1;
    if (g->n > (GLOB_MAX_STEPS - p->n_steps) / each)
        return err_set(err, ERR_LIMIT, "pattern in substitution: pattern and value are too long");
    p->n_steps += g->n * each;
    return 0;
}

static struct positions positions_new(size_t len)
{
    return (struct positions){ .now = xcalloc(len + 1, 1), .next = xcalloc(len + 1, 1) };
}

static void take_turn(struct positions *p)
{
    bool *was = p->now;
    p->now = p->next;
    p->next = was;
}

static int walk_forward(const struct glob *g, struct span v, struct positions *p, struct err *err)
{
    if (spend(p, g, v, err))
        return -1;
    for (size_t i = 0; i < g->n; i++) {
        step_forward(&g->items[i], v, p->now, p->next);
        take_turn(p);
    }
    return 0;
}

static int walk_backward(const struct glob *g, struct span v, struct positions *p, struct err *err)
{
    if (spend(p, g, v, err))
        return -1;
    for (size_t i = g->n; i-- > 0;) {
        step_backward(&g->items[i], v, p->now, p->next);
        take_turn(p);
    }
    return 0;
}

/* The first or last position that is set; -1: none. */
static ptrdiff_t pick(const bool *set, size_t len, bool takes_last)
{
    ptrdiff_t found = -1;
    for (size_t i = 0; i <= len; i++) {
        if (!set[i])
            continue;
        found = (ptrdiff_t)i;
        if (!takes_last)
            break;
    }
    return found;
}

int glob_match_front(const struct glob *g, struct span value, bool is_longest, ptrdiff_t *len,
                     struct err *err)
{
    AUTO_VALUE(positions_clear) struct positions p = positions_new(value.len);
    p.now[0] = true;
    if (walk_forward(g, value, &p, err))
        return -1;
    *len = pick(p.now, value.len, is_longest);
    return 0;
}

int glob_match_end(const struct glob *g, struct span value, bool is_longest, ptrdiff_t *len,
                   struct err *err)
{
    AUTO_VALUE(positions_clear) struct positions p = positions_new(value.len);
    p.now[value.len] = true;
    if (walk_backward(g, value, &p, err))
        return -1;
    ptrdiff_t start = pick(p.now, value.len, !is_longest);
    *len = start < 0 ? -1 : (ptrdiff_t)value.len - start;
    return 0;
}

/* The part of the value behind `from` that a match could reach: keeps patterns without '*' cheap.
 */
static struct span reach(const struct glob *g, struct span value, size_t from)
{
    enum { MAX_CHARACTER = 4 };
    struct span rest = span_skip(value, from);
    for (size_t i = 0; i < g->n; i++)
        if (g->items[i].kind == GLOB_STAR)
            return rest;
    return span_first(rest, g->n * MAX_CHARACTER);
}

/* Length of the longest match at `from`, where there is one; adds to *n_steps. */
static int match_at(const struct glob *g, struct span value, size_t from, size_t *n_steps,
                    size_t *len, struct err *err)
{
    struct span part = reach(g, value, from);
    AUTO_VALUE(positions_clear) struct positions p = positions_new(part.len);
    p.n_steps = *n_steps;
    p.now[0] = true;
    if (walk_forward(g, part, &p, err))
        return -1;
    *n_steps = p.n_steps;
    *len = (size_t)pick(p.now, part.len, true);
    return 0;
}

int glob_replace(const struct glob *g, struct span value, struct span by, bool replaces_all,
                 struct buf *out, struct err *err)
{
    /* starts.now: where a match begins. */
    AUTO_VALUE(positions_clear) struct positions starts = positions_new(value.len);
    for (size_t i = 0; i <= value.len; i++)
        starts.now[i] = is_boundary(value, i);
    if (walk_backward(g, value, &starts, err))
        return -1;
    size_t done = 0, n_steps = starts.n_steps;
    bool is_after_match = false;
    for (size_t i = 0; i <= value.len;) {
        size_t len = 0;
        bool matches = starts.now[i];
        if (matches && match_at(g, value, i, &n_steps, &len, err))
            return -1;
        /* An empty match right behind a match does not count. */
        if (matches && (len || !is_after_match)) {
            if (buf_append(out, span_bytes(value.ptr + done, i - done), err) ||
                buf_append(out, by, err))
                return -1;
            done = i + len;
            if (!replaces_all)
                break;
        }
        is_after_match = matches && len;
        i = len ? i + len : (i < value.len ? character_end(value, i) : i + 1);
    }
    return buf_append(out, span_skip(value, done), err);
}
