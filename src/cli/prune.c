/* cli/prune.c - kiln prune: room in the store. */
#include <inttypes.h>
#include <string.h>

#include "base/core/clock.h"
#include "base/core/mem.h"
#include "cli/cli.h"
#include "image/store/gc.h"
#include "image/store/name.h"

struct prune_flags {
    bool all, dry_run, force;
    const char *keep_storage;
    struct str_list filter;
};
static const struct flag flags_table[] = {
    { "all", 'a', FLAG_SWITCH, offsetof(struct prune_flags, all), NULL,
      "names of images go too, and what they lead to", NULL, COMPLETES_NOTHING },
    { "keep-storage", 0, FLAG_TEXT, offsetof(struct prune_flags, keep_storage), "SIZE",
      "take the least recently used until so much is left", NULL, COMPLETES_NOTHING },
    { "filter", 0, FLAG_LIST, offsetof(struct prune_flags, filter), "until=DURATION",
      "only what was not used for so long: 24h, 7d", NULL, COMPLETES_NOTHING },
    { "dry-run", 'n', FLAG_SWITCH, offsetof(struct prune_flags, dry_run), NULL,
      "say what would go, take nothing", NULL, COMPLETES_NOTHING },
    { "force", 'f', FLAG_SWITCH, offsetof(struct prune_flags, force), NULL,
      "taken as docker has it: nothing is asked anyway", NULL, COMPLETES_NOTHING },
    { 0 },
};

static int read_filters(const struct str_list *filters, uint64_t *unused_for_s, struct err *err)
{
    vec_each (filters, text) {
        struct span value = span_of(*text), key = span_cut(&value, '=');
        if ((!span_is(key, "until") && !span_is(key, "unused-for")) || !value.ptr)
            return err_set(err, ERR_INVALID, "--filter %s: only until=DURATION is known", *text);
        if (seconds_parse(value.ptr, unused_for_s, err))
            return err_wrap(err, "--filter %s", *text);
    }
    return 0;
}

/* Names that were set before `until`, by time of setting: what is younger stays. */
static int remove_names(struct store *st, int64_t until_s, bool is_dry, size_t *n, struct err *err)
{
    AUTO_VALUE(names_clear) struct names all = { 0 };
    if (name_list(st, NAME_IMAGE, "", NULL, 0, &all, err))
        return -1;
    vec_each (&all, named) {
        if (named->set_at_s > until_s)
            continue;
        ++*n;
        if (!is_dry && name_remove(st, NAME_IMAGE, named->name, NULL, err))
            return -1;
    }
    return 0;
}

static void report(const struct cli *cli, const struct gc_result *r, size_t n_names, bool is_dry)
{
    if (!cli->wants_json) {
        if (n_names)
            say("%s%zu name%s", is_dry ? "would remove " : "removed ", n_names,
                n_names > 1 ? "s" : "");
        say("%s%" PRIu64 " objects, %s; %s stay", is_dry ? "would remove " : "removed ",
            r->n_objects, size_text(r->size).s, size_text(r->kept).s);
        return;
    }
    AUTO(json_free) struct json *o = json_new_object();
    json_set_bool(o, "dryRun", is_dry);
    json_set_int(o, "names", (int64_t)n_names);
    json_set_int(o, "objects", (int64_t)r->n_objects);
    json_set_int(o, "size", (int64_t)r->size);
    json_set_int(o, "kept", (int64_t)r->kept);
    say_json(o);
}

static int run(struct cli *cli, const void *values, struct err *err)
{
    const struct prune_flags *flags = values;
    AUTO(engine_close) struct engine *e = NULL;
    struct gc_options o = { .is_dry = flags->dry_run, .cancel = cli->cancel };
    struct gc_result r = { 0 };
    struct clock clock = { 0 };
    size_t n_names = 0;
    if (read_filters(&flags->filter, &o.unused_for_s, err) ||
        (flags->keep_storage && bytes_parse(flags->keep_storage, &o.keep, err)))
        return cli_misuse(cli, -1);
    /* With its namespaces: snapshots belong to the ids in there. */
    if (cli_engine(cli, true, NULL, &e, err))
        return -1;
    int64_t until_s = clock_now(&clock).tv_sec - (int64_t)o.unused_for_s;
    if (!engine_snapshots(e))
        return err_set(err, ERR_SYSTEM, "prune: snapshots cannot be opened here");
    if ((flags->all && remove_names(engine_store(e), until_s, o.is_dry, &n_names, err)) ||
        store_gc(engine_store(e), &o, &r, err))
        return err_wrap(err, "prune");
    report(cli, &r, n_names, o.is_dry);
    return 0;
}

const struct command command_prune = {
    .name = "prune",
    .args = "",
    .summary = "Removes from the store what no name leads to: cache, old layers",
    .about = "What a running build or registry uses stays.",
    .examples = "kiln prune --keep-storage 20GB --filter until=7d",
    .flags = flags_table,
    .flags_size = sizeof(struct prune_flags),
    .run = run,
};
