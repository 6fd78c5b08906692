/* cli/rm.c - kiln rm: takes names away; kiln prune then takes what no name leads to. */
#include "base/core/mem.h"
#include "cli/cli.h"
#include "cli/image_facts.h"
#include "image/store/name.h"

static int remove_one(struct store *st, const char *text, struct json *list, struct err *err)
{
    AUTO_VALUE(reference_clear) struct reference ref = { 0 };
    AUTO_VALUE(descriptor_clear) struct descriptor target = { 0 };
    if (image_get(st, text, &ref, &target, err))
        return -1;
    AUTO_FREE char *name = reference_text(&ref);
    if (name_remove(st, NAME_IMAGE, name, NULL, err))
        return err_wrap(err, "remove %s", text);
    struct json *o = json_new_object();
    json_set_str(o, "name", name);
    json_set_str(o, "digest", digest_text(&target.digest).s);
    json_push(list, o);
    return 0;
}

static int run(struct cli *cli, const void *flags, struct err *err)
{
    (void)flags;
    AUTO(engine_close) struct engine *e = NULL;
    AUTO(json_free) struct json *list = json_new_array();
    int status = cli_engine(cli, false, NULL, &e, err);
    for (size_t i = 0; !status && i < cli->n_args; i++) {
        status = remove_one(engine_store(e), cli->args[i], list, err);
        if (!status && !cli->wants_json)
            say("%s", json_get_str(json_at(list, i), "name"));
    }
    if (cli->wants_json && json_len(list))
        say_json(list); /* also what went before a failure */
    return status;
}

const struct command command_rm = {
    .name = "rm",
    .args = "IMAGE...",
    .summary = "Removes names of images from the store",
    .about = "Their content stays until kiln prune, or until the store is full.",
    .n_args_min = 1,
    .n_args_max = ARGS_MANY,
    .completes = COMPLETES_IMAGE,
    .run = run,
};
