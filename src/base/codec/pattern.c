/* base/codec/pattern.c - matching without backtracking.
 *
 * A pattern becomes a row of tokens.  Matching keeps the set of positions of the name up to which
 * the tokens so far can match, and moves the set over one token after another: the cost is bounded
 * by tokens times bytes, whatever the pattern.  The same sets tell all that lists ask: a parent
 * folder matches when the last set holds a position in front of a '/', and something below a folder
 * could match when any set holds the end of "folder/".
 *
 * Threads: a list never changes; any number of threads may use it. */
#include "base/codec/pattern.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/core/mem.h"
#include "base/core/vec.h"

enum token_type {
    TOKEN_BYTE,
    TOKEN_ANY,     /* ?: one character, no '/' */
    TOKEN_CLASS,   /* [...]: one character */
    TOKEN_STAR,    /* any bytes without '/' */
    TOKEN_DEEP,    /* ** at the end: anything */
    TOKEN_FOLDERS, /* ** elsewhere: nothing, or anything up to a '/' */
};
struct token {
    enum token_type type;
    char byte;
    const char *class; /* TOKEN_CLASS: behind the '[', in the pattern's text */
};
struct token_list {
    struct token *items; /* owned */
    size_t n, cap;
};

struct compiled {
    char *text; /* owned */
    struct token_list tokens;
    bool is_negated;
    int line;
};
struct pattern_list {
    struct {
        struct compiled *items;
        size_t n, cap;
    } lines;
};

/* The character at `p` and its length; a byte that starts no UTF-8 stands for itself. */
static uint32_t rune_at(const char *p, size_t *len)
{
    unsigned char c = (unsigned char)*p;
    size_t n = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    uint32_t rune = n == 1 ? c : c & (0xffu >> (n + 1));
    *len = 1;
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return c;
        rune = rune << 6 | (p[i] & 0x3f);
    }
    *len = n;
    return rune;
}

/* One end of a range in a class; false where the syntax is broken. */
static bool class_rune(const char **p, uint32_t *rune)
{
    size_t len;
    if (**p == '\0' || **p == '-' || **p == ']')
        return false;
    if (**p == '\\' && *++*p == '\0')
        return false;
    *rune = rune_at(*p, &len);
    *p += len;
    return **p != '\0';
}

/* Reads the class behind '['; *end is behind its ']'.  False where the syntax is broken. */
static bool class_read(const char *p, uint32_t rune, bool *matches, const char **end)
{
    bool is_negated = *p == '^', has_found = false;
    p += is_negated;
    for (size_t n = 0; n == 0 || *p != ']'; n++) {
        uint32_t low, high;
        if (!class_rune(&p, &low))
            return false;
        high = low;
        if (*p == '-' && (p++, !class_rune(&p, &high)))
            return false;
        has_found |= low <= rune && rune <= high;
    }
    *matches = has_found != is_negated;
    *end = p + 1;
    return true;
}

/* Cuts a pattern into tokens, which borrow it.  False where the syntax is broken. */
static bool tokens_read(const char *p, bool knows_deep, struct token_list *out)
{
    while (*p) {
        struct token t = { .type = TOKEN_BYTE };
        if (*p == '*' && knows_deep && p[1] == '*') {
            p += strspn(p, "*");
            p += *p == '/';
            t.type = *p ? TOKEN_FOLDERS : TOKEN_DEEP;
        } else if (*p == '*' || *p == '?') {
            t.type = *p++ == '*' ? TOKEN_STAR : TOKEN_ANY;
        } else if (*p == '[') {
            bool ignored;
            t.type = TOKEN_CLASS;
            t.class = p + 1;
            if (!class_read(p + 1, 0, &ignored, &p))
                return false;
        } else {
            if (*p == '\\' && *++p == '\0')
                return false;
            t.byte = *p++;
        }
        *vec_push(out) = t;
    }
    return true;
}

/* Positions of a name, as a set: those of [low, high) whose flag is set. */
struct positions {
    uint8_t *flags;
    size_t low, high;
};

static void positions_add(struct positions *set, size_t i)
{
    if (set->low >= set->high)
        set->low = i;
    set->flags[i] = 1;
    set->high = i + 1;
}

/* `any_from`: everything from the first position on (TOKEN_DEEP), or each one behind a '/'. */
static void step_wide(const struct token *t, struct span name, const struct positions *from,
                      struct positions *to)
{
    bool is_on = false;
    for (size_t i = from->low; i <= name.len; i++) {
        bool was = i < from->high && from->flags[i];
        bool is_slash = i > from->low && name.ptr[i - 1] == '/';
        bool is_in = was || (t->type == TOKEN_STAR   ? is_on && !is_slash
                             : t->type == TOKEN_DEEP ? is_on
                                                     : is_on && is_slash);
        if (is_in)
            positions_add(to, i);
        is_on = t->type == TOKEN_STAR ? is_in : is_on || was;
        if (t->type == TOKEN_STAR && !is_on && i >= from->high)
            return;
    }
}

static void step_one(const struct token *t, struct span name, const struct positions *from,
                     struct positions *to)
{
    for (size_t i = from->low; i < from->high && i < name.len; i++) {
        if (!from->flags[i])
            continue;
        if (t->type == TOKEN_BYTE) {
            if (name.ptr[i] == t->byte)
                positions_add(to, i + 1);
            continue;
        }
        size_t len;
        const char *end;
        uint32_t rune = rune_at(name.ptr + i, &len);
        bool matches = rune != '/';
        if (t->type == TOKEN_CLASS && !class_read(t->class, rune, &matches, &end))
            continue;
        if (matches && i + len <= name.len)
            positions_add(to, i + len);
    }
}

/* What is asked of a pattern and a name that ends with NUL. */
enum question {
    ASK_WHOLE,  /* does it match the name */
    ASK_PARENT, /* or one of the folders it lies in */
    ASK_BELOW,  /* could it match something that starts with the name */
};

static bool answer(const struct positions *set, struct span name, enum question question)
{
    if (set->low >= set->high)
        return false;
    if (set->high == name.len + 1 && set->flags[name.len])
        return true;
    for (size_t i = set->low; question == ASK_PARENT && i < set->high; i++)
        if (i && set->flags[i] && name.ptr[i] == '/')
            return true;
    return false;
}

static bool tokens_match(const struct token_list *tokens, struct span name, enum question question)
{
    uint8_t small[2][256];
    size_t size = name.len + 1;
    AUTO_FREE uint8_t *large = size > sizeof small[0] ? xmalloc(size_mul(size, 2)) : NULL;
    struct positions now = { large ? large : small[0], 0, 1 };
    struct positions next = { large ? large + size : small[1], 0, 0 };
    now.flags[0] = 1;
    for (size_t i = 0; i < tokens->n; i++) {
        const struct token *t = &tokens->items[i];
        if (question == ASK_BELOW && answer(&now, name, question))
            return true;
        memset(next.flags, 0, size);
        next.low = next.high = 0;
        if (t->type >= TOKEN_STAR)
            step_wide(t, name, &now, &next);
        else
            step_one(t, name, &now, &next);
        if (next.low >= next.high)
            return false;
        struct positions swap = now;
        now = next;
        next = swap;
    }
    return answer(&now, name, question);
}

static void token_list_clear(struct token_list *l)
{
    vec_clear(l);
}

int pattern_check(const char *pattern, struct err *err)
{
    AUTO_VALUE(token_list_clear) struct token_list tokens = { 0 };
    if (tokens_read(pattern, false, &tokens))
        return 0;
    err_set(err, ERR_INVALID, "pattern \"%s\": syntax error in pattern", pattern);
    return err_hint(err, "a class needs its ']', a backslash something behind it; write \\[ for a "
                         "plain bracket");
}

bool pattern_match(const char *pattern, const char *name)
{
    AUTO_VALUE(token_list_clear) struct token_list tokens = { 0 };
    return tokens_read(pattern, false, &tokens) && tokens_match(&tokens, span_of(name), ASK_WHOLE);
}

bool pattern_has_wildcard(const char *pattern)
{
    return pattern[strcspn(pattern, "*?[\\")] != '\0';
}

char *pattern_clean(struct span path)
{
    bool is_absolute = path.len && path.ptr[0] == '/';
    char *out = xmalloc(path.len + 2);
    size_t len = 0, floor = 0; /* out[0..floor) is "/" or "../.." and stays */
    if (is_absolute)
        out[len++] = '/', floor = 1;
    struct span rest = path;
    while (rest.len) {
        struct span part = span_cut(&rest, '/');
        if (!part.len || span_is(part, "."))
            continue;
        bool is_up = span_is(part, "..");
        if (is_up && len > floor) {
            while (len > floor && out[len - 1] != '/')
                len--;
            len -= len > floor; /* the '/' before it */
            continue;
        }
        if (is_up && is_absolute)
            continue;
        if (len && out[len - 1] != '/')
            out[len++] = '/';
        memcpy(out + len, part.ptr, part.len);
        len += part.len;
        floor = is_up ? len : floor;
    }
    if (!len)
        out[len++] = '.';
    out[len] = '\0';
    return out;
}

/* Reads one line into *out; *is_empty when it says nothing. */
static int compile_line(const char *text, struct compiled *out, bool *is_empty, struct err *err)
{
    struct span s = span_trim(span_of(text));
    *is_empty = s.len == 0;
    if (*is_empty)
        return 0;
    out->is_negated = s.ptr[0] == '!';
    if (out->is_negated)
        s = span_trim(span_skip(s, 1));
    if (!s.len) {
        err_set(err, ERR_INVALID, "illegal exclusion pattern: \"!\"");
        return err_hint(err, "write behind the '!' what is to be taken back in");
    }
    AUTO_FREE char *cleaned = pattern_clean(s);
    bool is_rooted = cleaned[0] == '/' && cleaned[1];
    if (pattern_check(cleaned, err))
        return -1;
    out->text = xstrdup(cleaned + is_rooted);
    if (!tokens_read(out->text, true, &out->tokens))
        return err_set(err, ERR_INVALID, "pattern \"%s\": syntax error in pattern", out->text);
    return 0;
}

int pattern_list_new(const struct pattern_line *lines, size_t n, struct pattern_list **out,
                     struct err *err)
{
    AUTO(pattern_list_free) struct pattern_list *l = xcalloc(1, sizeof *l);
    for (size_t i = 0; i < n; i++) {
        bool is_empty;
        struct compiled *c = vec_push(&l->lines);
        c->line = lines[i].line;
        if (compile_line(lines[i].text, c, &is_empty, err))
            return err_wrap(err, "line %d", lines[i].line);
        l->lines.n -= is_empty;
    }
    *out = STEAL(l);
    return 0;
}

int pattern_list_of(const char *const *texts, size_t n, struct pattern_list **out, struct err *err)
{
    AUTO_FREE struct pattern_line *lines = xcalloc(n + 1, sizeof *lines);
    for (size_t i = 0; i < n; i++)
        lines[i] = (struct pattern_line){ texts[i], (int)i + 1 };
    return pattern_list_new(lines, n, out, err);
}

void pattern_list_free(struct pattern_list *l)
{
    if (!l)
        return;
    vec_each (&l->lines, c) {
        free(c->text);
        vec_clear(&c->tokens);
    }
    vec_clear(&l->lines);
    free(l);
}

bool pattern_list_excludes(const struct pattern_list *l, const char *path, int *line)
{
    if (line)
        *line = 0;
    struct span name = span_of(path);
    for (size_t i = l ? l->lines.n : 0; i-- > 0;) {
        const struct compiled *c = &l->lines.items[i];
        if (!tokens_match(&c->tokens, name, ASK_PARENT))
            continue;
        if (line)
            *line = c->line;
        return !c->is_negated;
    }
    return false;
}

static bool lines_reach(const struct pattern_list *l, const char *folder, bool is_negated)
{
    AUTO_FREE char *name = folder[0] ? xasprintf("%s/", folder) : xstrdup("");
    vec_each (&l->lines, c)
        if (c->is_negated == is_negated && tokens_match(&c->tokens, span_of(name), ASK_BELOW))
            return true;
    return false;
}

bool pattern_list_prunes(const struct pattern_list *l, const char *folder)
{
    return pattern_list_excludes(l, folder, NULL) && !lines_reach(l, folder, true);
}

bool pattern_list_reaches(const struct pattern_list *l, const char *folder)
{
    return l && lines_reach(l, folder, false);
}
