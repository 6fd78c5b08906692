/* cli/tag.c - kiln tag: another name for an image of the store. */
#include "base/core/mem.h"
#include "cli/cli.h"
#include "cli/image_facts.h"
#include "image/store/name.h"

static int run(struct cli *cli, const void *flags, struct err *err)
{
    (void)flags;
    AUTO(engine_close) struct engine *e = NULL;
    AUTO_VALUE(reference_clear) struct reference from = { 0 };
    AUTO_VALUE(reference_clear) struct reference to = { 0 };
    AUTO_VALUE(descriptor_clear) struct descriptor target = { 0 };
    if (reference_parse(span_of(cli->args[1]), &to, err))
        return cli_misuse(cli, -1);
    if (cli_engine(cli, false, NULL, &e, err) ||
        image_get(engine_store(e), cli->args[0], &from, &target, err))
        return -1;
    AUTO_FREE char *name = reference_text(&to);
    if (name_set(engine_store(e), NAME_IMAGE, name, &target, err))
        return err_wrap(err, "tag %s", cli->args[1]);
    if (!cli->wants_json)
        return 0;
    AUTO(json_free) struct json *o = json_new_object();
    json_set_str(o, "name", name);
    json_set_str(o, "digest", digest_text(&target.digest).s);
    say_json(o);
    return 0;
}

const struct command command_tag = {
    .name = "tag",
    .args = "IMAGE NAME",
    .summary = "Gives an image of the store another name",
    .examples = "kiln tag app:latest registry.example.com/team/app:1.2",
    .n_args_min = 2,
    .n_args_max = 2,
    .completes = COMPLETES_IMAGE,
    .run = run,
};
