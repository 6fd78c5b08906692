/* cli/push.c - kiln push: an image of the store to its registry. */
#include <unistd.h>

#include "base/core/mem.h"
#include "cli/cli.h"
#include "cli/image_facts.h"
#include "image/registry/transfer.h"

struct push_flags {
    const char *progress;
    bool quiet;
};
static const struct flag flags_table[] = {
    { "progress", 0, FLAG_TEXT, offsetof(struct push_flags, progress), "KIND",
      "how to show progress", DISPLAY_CHOICES, COMPLETES_NOTHING },
    { "quiet", 'q', FLAG_SWITCH, offsetof(struct push_flags, quiet), NULL, "no progress", NULL,
      COMPLETES_NOTHING },
    { 0 },
};

static void report(const struct cli *cli, const struct reference *to,
                   const struct descriptor *target)
{
    AUTO_FREE char *pinned = reference_pinned(to, &target->digest);
    AUTO_FREE char *name = reference_text(to);
    if (!cli->wants_json) {
        say("%s", pinned);
        return;
    }
    AUTO(json_free) struct json *o = json_new_object();
    json_set_str(o, "name", name);
    json_set_str(o, "digest", digest_text(&target->digest).s);
    json_set_str(o, "pinned", pinned);
    say_json(o);
}

static int push(struct cli *cli, struct engine *e, struct mover *mover, struct err *err)
{
    AUTO_VALUE(reference_clear) struct reference from = { 0 };
    AUTO_VALUE(reference_clear) struct reference to = { 0 };
    AUTO_VALUE(descriptor_clear) struct descriptor target = { 0 };
    const char *dest = cli->args[cli->n_args - 1];
    if (reference_parse(span_of(dest), &to, err))
        return cli_misuse(cli, -1);
    if (image_get(engine_store(e), cli->args[0], &from, &target, err))
        return -1;
    AUTO_FREE char *name = reference_text(&to);
    AUTO_FREE char *title = xasprintf("push %s", name);
    struct push_options o = { .pool = engine_pool(e), .cancel = cli->cancel };
    mover->task = name;
    progress_task_start(mover->sink, name, title);
    int status = image_push(engine_remote(e), &to, engine_store(e), &target, &o, err);
    progress_task_end(mover->sink, name, status, err);
    if (!status)
        report(cli, &to, &target);
    return status;
}

static int run(struct cli *cli, const void *values, struct err *err)
{
    const struct push_flags *flags = values;
    struct mover mover = { 0 };
    AUTO(engine_close) struct engine *e = NULL;
    AUTO(display_close) struct display *display = NULL;
    if (cli_engine(cli, false, &mover, &e, err) ||
        display_open(flags->quiet ? DISPLAY_QUIET : display_mode_parse(flags->progress), "Pushing",
                     STDERR_FILENO, &display, err))
        return -1;
    mover.sink = display_sink(display);
    return push(cli, e, &mover, err);
}

const struct command command_push = {
    .name = "push",
    .args = "IMAGE [NAME]",
    .summary = "Sends an image of the store to its registry",
    .about =
        "With NAME: under that name.  Prints the name with the digest that it has now.  What the\n"
        "registry has already is not sent.",
    .examples = "kiln push localhost:5000/app\nkiln push app registry.example.com/team/app:1.2",
    .flags = flags_table,
    .flags_size = sizeof(struct push_flags),
    .n_args_min = 1,
    .n_args_max = 2,
    .completes = COMPLETES_IMAGE,
    .run = run,
};
