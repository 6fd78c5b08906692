/* cli/options.c - see options.h. */
#include "cli/options.h"

#include <stdint.h>
#include <string.h>

#include "base/core/mem.h"
#include "base/core/nearest.h"
#include "base/core/span.h"

/* One walk over argv. */
struct walk {
    const struct flag_set *sets;
    size_t n_sets;
    int argc;
    char **argv;
    int at; /* the next word */
};

static const struct flag *find_long(const struct walk *w, struct span name, size_t *set)
{
    for (*set = 0; *set < w->n_sets; ++*set)
        for (const struct flag *f = w->sets[*set].rows; f && f->name; f++)
            if (span_is(name, f->name))
                return f;
    return NULL;
}

static const struct flag *find_short(const struct walk *w, char letter, size_t *set)
{
    for (*set = 0; *set < w->n_sets; ++*set)
        for (const struct flag *f = w->sets[*set].rows; f && f->name; f++)
            if (f->letter == letter)
                return f;
    return NULL;
}

static int refuse_choice(const struct flag *f, const char *value, struct err *err)
{
    struct span rest = span_of(f->choices);
    while (rest.ptr)
        if (span_is(span_cut(&rest, '|'), value))
            return 0;
    return err_set(err, ERR_INVALID, "--%s %s: not one of %s", f->name, value, f->choices);
}

static int set_switch(bool *to, const struct flag *f, const char *value, struct err *err)
{
    *to = true;
    if (!value || span_bool(span_of(value), to))
        return 0;
    return err_set(err, ERR_INVALID, "--%s=%s: neither true nor false", f->name, value);
}

/* `value` NULL: not written with the flag; the next word is taken where one is needed. */
static int set_flag(struct walk *w, const struct flag *f, size_t set, const char *value,
                    struct err *err)
{
    char *to = (char *)w->sets[set].values + f->offset;
    if (f->kind == FLAG_SWITCH)
        return set_switch((bool *)to, f, value, err);
    if (!value) {
        if (w->at >= w->argc)
            return err_set(err, ERR_INVALID, "--%s: needs a value: %s", f->name, f->value);
        value = w->argv[w->at++];
    }
    if (f->choices && refuse_choice(f, value, err))
        return -1;
    if (f->kind == FLAG_TEXT)
        *(const char **)to = value;
    else
        str_list_push((struct str_list *)to, value);
    return 0;
}

static int unknown_long(const struct walk *w, struct span name, struct err *err)
{
    vec(const char *) names = { 0 };
    for (size_t i = 0; i < w->n_sets; i++)
        for (const struct flag *f = w->sets[i].rows; f && f->name; f++)
            *vec_push(&names) = f->name;
    AUTO_FREE char *word = span_dup(name);
    const char *near = nearest(word, names.items, names.n);
    err_set(err, ERR_INVALID, "unknown flag: --%s", word);
    if (near)
        err_hint(err, "did you mean --%s?", near);
    vec_clear(&names);
    return -1;
}

static int parse_long(struct walk *w, const char *word, struct err *err)
{
    struct span rest = span_of(word), name = span_cut(&rest, '=');
    size_t set;
    const struct flag *f = find_long(w, name, &set);
    if (!f)
        return unknown_long(w, name, err);
    return set_flag(w, f, set, rest.ptr, err);
}

static int parse_short(struct walk *w, const char *letters, struct err *err)
{
    for (; *letters; letters++) {
        size_t set;
        const struct flag *f = find_short(w, *letters, &set);
        if (!f)
            return err_set(err, ERR_INVALID, "unknown flag: -%c", *letters);
        const char *value = letters[1] == '=' ? letters + 2 : letters[1] ? letters + 1 : NULL;
        bool is_last = f->kind != FLAG_SWITCH || letters[1] == '=';
        if (set_flag(w, f, set, is_last ? value : NULL, err))
            return -1;
        if (is_last)
            break;
    }
    return 0;
}

int options_parse(const struct flag_set *sets, size_t n_sets, int argc, char **argv, int *at,
                  bool ends_at_first_arg, struct args *out, struct err *err)
{
    struct walk w = { .sets = sets, .n_sets = n_sets, .argc = argc, .argv = argv, .at = *at };
    int status = 0;
    bool is_over = false; /* no more options */
    while (!status && w.at < argc) {
        const char *word = argv[w.at];
        bool is_flag = !is_over && word[0] == '-' && word[1];
        if (!is_flag && ends_at_first_arg)
            break;
        w.at++;
        if (is_flag && !strcmp(word, "--"))
            is_over = true;
        else if (is_flag && word[1] == '-')
            status = parse_long(&w, word + 2, err);
        else if (is_flag)
            status = parse_short(&w, word + 1, err);
        else
            *vec_push(out) = word;
    }
    *at = w.at;
    return status;
}

void options_clear(const struct flag_set *set)
{
    for (const struct flag *f = set->rows; f && f->name; f++)
        if (f->kind == FLAG_LIST)
            str_list_clear((struct str_list *)((char *)set->values + f->offset));
}
