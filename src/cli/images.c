/* cli/images.c - kiln images: what the store has names for. */
#include <string.h>

#include "base/core/clock.h"
#include "base/core/mem.h"
#include "cli/cli.h"
#include "cli/image_facts.h"
#include "image/store/name.h"

struct images_flags {
    bool quiet, no_trunc;
};
static const struct flag flags_table[] = {
    { "quiet", 'q', FLAG_SWITCH, offsetof(struct images_flags, quiet), NULL, "digests only", NULL,
      COMPLETES_NOTHING },
    { "no-trunc", 0, FLAG_SWITCH, offsetof(struct images_flags, no_trunc), NULL, "whole digests",
      NULL, COMPLETES_NOTHING },
    { 0 },
};

/* `pattern` NULL: all; else a repository, or a name with its tag. */
static bool is_wanted(const struct reference *ref, const char *pattern)
{
    AUTO_VALUE(reference_clear) struct reference want = { 0 };
    struct err unused = { 0 };
    if (!pattern)
        return true;
    if (reference_parse(span_of(pattern), &want, &unused))
        return false;
    const char *slash = strrchr(pattern, '/');
    bool has_tag = strpbrk(slash ? slash : pattern, ":@");
    AUTO_FREE char *name = reference_text(ref);
    AUTO_FREE char *wanted = reference_text(&want);
    return has_tag
               ? !strcmp(name, wanted)
               : !strcmp(ref->registry, want.registry) && !strcmp(ref->repository, want.repository);
}

static void add_json(struct json *list, const char *name, const struct named *named,
                     const struct image_facts *f)
{
    struct json *o = json_new_object();
    char set_at[TIME_TEXT_MAX];
    time_print((struct timespec){ .tv_sec = (time_t)named->set_at_s }, set_at);
    json_set_str(o, "name", name);
    json_set_str(o, "digest", digest_text(&named->target.digest).s);
    json_set_str(o, "mediaType", named->target.media_type);
    json_set(o, "platforms", json_of_list(&f->platforms));
    json_set_str(o, "created", f->created);
    json_set_str(o, "tagged", set_at);
    json_set_int(o, "layers", (int64_t)f->n_layers);
    json_set_int(o, "size", (int64_t)f->size);
    json_push(list, o);
}

static void add_row(struct table *t, const char *name, const struct named *named,
                    const struct image_facts *f, bool is_whole)
{
    struct timespec created;
    struct err unused = { 0 };
    struct digest_text digest =
        is_whole ? digest_text(&named->target.digest) : digest_hex(&named->target.digest);
    if (!is_whole)
        digest.s[12] = '\0';
    AUTO_FREE char *more =
        f->platforms.n > 1 ? xasprintf("%s, %zu more", f->platforms.items[0], f->platforms.n - 1)
                           : NULL;
    str_list_push(&t->cells, name);
    str_list_push(&t->cells, digest.s);
    str_list_push(&t->cells, more ? more : f->platforms.n ? f->platforms.items[0] : "-");
    bool is_known = f->created && !time_parse(f->created, &created, &unused);
    struct clock clock = { 0 };
    str_list_push(&t->cells,
                  is_known ? ago_text(clock_now(&clock).tv_sec - created.tv_sec).s : "-");
    str_list_push(&t->cells, size_text(f->size).s);
}

static int list(struct cli *cli, const struct images_flags *flags, struct store *st,
                struct names *all, struct err *err)
{
    AUTO(json_free) struct json *json = json_new_array();
    AUTO_VALUE(table_clear) struct table t = { .n_columns = 5 };
    static const char *const heading[] = { "NAME", "DIGEST", "PLATFORM", "CREATED", "SIZE" };
    for (size_t i = 0; i < t.n_columns; i++)
        str_list_push(&t.cells, heading[i]);
    vec_each (all, named) {
        AUTO_VALUE(reference_clear) struct reference ref = { 0 };
        AUTO_VALUE(image_facts_clear) struct image_facts f = { 0 };
        if (reference_parse(span_of(named->name), &ref, err) ||
            image_facts_read(st, &named->target, &f, err))
            return err_wrap(err, "image %s", named->name);
        AUTO_FREE char *name = reference_familiar(&ref);
        if (!is_wanted(&ref, cli->n_args ? cli->args[0] : NULL))
            continue;
        if (flags->quiet && !cli->wants_json)
            say("%s", digest_text(&named->target.digest).s);
        add_json(json, name, named, &f);
        add_row(&t, name, named, &f, flags->no_trunc);
    }
    if (cli->wants_json)
        say_json(json);
    else if (!flags->quiet)
        table_say(&t);
    return 0;
}

static int run(struct cli *cli, const void *flags, struct err *err)
{
    AUTO(engine_close) struct engine *e = NULL;
    AUTO_VALUE(names_clear) struct names all = { 0 };
    if (cli_engine(cli, false, NULL, &e, err) ||
        name_list(engine_store(e), NAME_IMAGE, "", NULL, 0, &all, err))
        return -1;
    return list(cli, flags, engine_store(e), &all, err);
}

const struct command command_images = {
    .name = "images",
    .args = "[NAME]",
    .summary = "Lists the images that the store has names for",
    .about = "SIZE is that of the compressed layers, which images may share.",
    .flags = flags_table,
    .flags_size = sizeof(struct images_flags),
    .n_args_max = 1,
    .completes = COMPLETES_IMAGE,
    .run = run,
};
