/* frontend/dockerfile/instruction_copy.c - COPY and ADD.
 *
 * Threads: values. */
#include <string.h>

#include "frontend/dockerfile/parse_internal.h"

/* The words behind the flags.  "<< EOF" is one word although a blank stands in it. */
static struct strings copy_words(const struct parse_input *input)
{
    struct arena *a = input->arena;
    struct strings words = words_split(input->raw->args, a);
    if (!input->raw->heredocs.n)
        return words;
    struct text_list joined = { 0 };
    for (size_t i = 0; i < words.n; i++) {
        const char *word = words.items[i], *less = word + strspn(word, "0123456789");
        if (strcmp(less, "<<") == 0 && i + 1 < words.n)
            word = arena_printf(a, "%s%s", word, words.items[++i]);
        *vec_push(&joined) = word;
    }
    return text_list_keep(&joined, a);
}

/* The heredoc that `word` announces, with the body read for it; false when it is a path. */
static bool find_heredoc(const struct parse_input *input, const char *word, struct heredoc *out)
{
    struct err ignored = { 0 };
    bool is_heredoc;
    if (heredoc_parse_word(word, input->arena, &is_heredoc, out, &ignored) || !is_heredoc)
        return false;
    const struct heredocs *docs = &input->raw->heredocs;
    for (size_t i = docs->n; i-- > 0;) {
        if (strcmp(docs->items[i].name, out->name) == 0) {
            *out = docs->items[i];
            break;
        }
    }
    return true;
}

static int split_sources(const struct parse_input *input, const struct instruction *in,
                         const struct strings *words, struct copy *copy, struct err *err)
{
    struct arena *a = input->arena;
    const char *dest = words->items[words->n - 1];
    struct heredoc doc, *docs = arena_alloc(a, words->n * sizeof *docs);
    size_t n_docs = 0;
    if (!in->is_json && find_heredoc(input, dest, &doc)) {
        err_set(err, ERR_INVALID, "%s cannot accept a heredoc as a destination",
                instruction_type_name(in->type));
        return err_hint(err, "put the destination behind it: %s <<%s /path/of/the/file",
                        instruction_type_name(in->type), doc.name);
    }
    struct text_list sources = { 0 };
    for (size_t i = 0; i + 1 < words->n; i++) {
        if (!in->is_json && find_heredoc(input, words->items[i], &doc))
            docs[n_docs++] = doc;
        else
            *vec_push(&sources) = words->items[i];
    }
    copy->dest = dest;
    copy->sources = text_list_keep(&sources, a);
    copy->heredocs = (struct heredocs){ .items = docs, .n = n_docs };
    return 0;
}

static int parse_sources(const struct parse_input *input, struct instruction *in, struct err *err)
{
    const char *name = instruction_type_name(in->type);
    struct strings words;
    if (words_json(input->raw->args, input->arena, &in->is_json, &words, err))
        return -1;
    if (!in->is_json)
        words = copy_words(input);
    if (words.n < 2) {
        err_set(err, ERR_INVALID,
                "%s requires at least two arguments, but only one was provided. Destination could "
                "not be determined",
                name);
        return err_hint(err, "write %s SOURCE... DESTINATION", name);
    }
    return split_sources(input, in, &words, &in->copy, err);
}

int parse_copy(const struct parse_input *input, struct instruction *in, struct err *err)
{
    if (parse_sources(input, in, err))
        return -1;
    struct copy *c = &in->copy;
    c->from = c->chown = c->chmod = c->checksum = "";
    AUTO_VALUE(text_list_clear) struct text_list excludes = { 0 };
    enum tristate link = FLAG_UNSET, parents = FLAG_UNSET;
    const struct flag_spec specs[] = {
        { "chown", FLAG_TEXT, &c->chown },  { "from", FLAG_TEXT, &c->from },
        { "chmod", FLAG_TEXT, &c->chmod },  { "link", FLAG_BOOL, &link },
        { "parents", FLAG_BOOL, &parents }, { "exclude", FLAG_LIST, &excludes },
    };
    if (flags_parse(&input->raw->flags, specs, sizeof specs / sizeof *specs, input->arena, err))
        return -1;
    c->is_link = link == FLAG_TRUE;
    c->keeps_parents = parents == FLAG_TRUE;
    c->excludes = text_list_keep(&excludes, input->arena);
    return 0;
}

int parse_add(const struct parse_input *input, struct instruction *in, struct err *err)
{
    if (parse_sources(input, in, err))
        return -1;
    struct copy *c = &in->copy;
    c->from = c->chown = c->chmod = c->checksum = "";
    AUTO_VALUE(text_list_clear) struct text_list excludes = { 0 };
    enum tristate link = FLAG_UNSET;
    const struct flag_spec specs[] = {
        { "chown", FLAG_TEXT, &c->chown },
        { "chmod", FLAG_TEXT, &c->chmod },
        { "link", FLAG_BOOL, &link },
        { "keep-git-dir", FLAG_BOOL, &c->keep_git_dir },
        { "checksum", FLAG_TEXT, &c->checksum },
        { "unpack", FLAG_BOOL, &c->unpack },
        { "exclude", FLAG_LIST, &excludes },
    };
    if (flags_parse(&input->raw->flags, specs, sizeof specs / sizeof *specs, input->arena, err))
        return -1;
    c->is_link = link == FLAG_TRUE;
    c->excludes = text_list_keep(&excludes, input->arena);
    return 0;
}
