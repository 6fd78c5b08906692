/* cli/pull.c - kiln pull: images of registries into the store. */
#include <unistd.h>

#include "base/core/mem.h"
#include "cli/cli.h"
#include "image/registry/transfer.h"
#include "image/store/name.h"

struct pull_flags {
    const char *platform, *progress;
    bool all_platforms, quiet;
};
static const struct flag flags_table[] = {
    { "platform", 0, FLAG_TEXT, offsetof(struct pull_flags, platform), "OS/ARCH",
      "of an image of several (default: this machine's)", NULL, COMPLETES_NOTHING },
    { "all-platforms", 0, FLAG_SWITCH, offsetof(struct pull_flags, all_platforms), NULL,
      "the index with all its images", NULL, COMPLETES_NOTHING },
    { "progress", 0, FLAG_TEXT, offsetof(struct pull_flags, progress), "KIND",
      "how to show progress", DISPLAY_CHOICES, COMPLETES_NOTHING },
    { "quiet", 'q', FLAG_SWITCH, offsetof(struct pull_flags, quiet), NULL, "no progress", NULL,
      COMPLETES_NOTHING },
    { 0 },
};

struct pull {
    struct cli *cli;
    struct engine *engine;
    struct pull_options options;
    struct mover mover;
};

/* The name leads to the image of one platform, so that it can be pushed on as it is, or to the
 * whole index. */
static int name_it(struct pull *p, const struct reference *ref, const struct descriptor *target,
                   struct err *err)
{
    AUTO_FREE char *name = reference_text(ref);
    return name_set(engine_store(p->engine), NAME_IMAGE, name, target, err);
}

static void report(struct pull *p, const struct reference *ref, const struct descriptor *target,
                   const struct descriptor *image, struct json *list)
{
    AUTO_FREE char *pinned = reference_pinned(ref, &target->digest);
    AUTO_FREE char *name = reference_text(ref);
    if (!p->cli->wants_json) {
        say("%s", pinned);
        return;
    }
    struct json *o = json_new_object();
    json_set_str(o, "name", name);
    json_set_str(o, "digest", digest_text(&target->digest).s);
    json_set_str(o, "mediaType", target->media_type);
    if (digest_is_set(&image->digest))
        json_set_str(o, "manifest", digest_text(&image->digest).s);
    json_set_str(o, "pinned", pinned);
    json_push(list, o);
}

static int pull_one(struct pull *p, const char *text, struct json *list, struct err *err)
{
    AUTO_VALUE(reference_clear) struct reference ref = { 0 };
    AUTO_VALUE(descriptor_clear) struct descriptor target = { 0 };
    AUTO_VALUE(descriptor_clear) struct descriptor image = { 0 };
    if (reference_parse(span_of(text), &ref, err))
        return cli_misuse(p->cli, -1);
    AUTO_FREE char *name = reference_text(&ref);
    AUTO_FREE char *title = xasprintf("pull %s", name);
    p->mover.task = name;
    progress_task_start(p->mover.sink, name, title);
    int status = image_pull(engine_remote(p->engine), &ref, engine_store(p->engine), &p->options,
                            &target, &image, err);
    if (!status)
        status = name_it(p, &ref, p->options.platform ? &image : &target, err);
    progress_task_end(p->mover.sink, name, status, err);
    if (!status)
        report(p, &ref, &target, &image, list);
    return status;
}

static int run(struct cli *cli, const void *values, struct err *err)
{
    const struct pull_flags *flags = values;
    AUTO(engine_close) struct engine *e = NULL;
    AUTO(display_close) struct display *display = NULL;
    AUTO(json_free) struct json *list = json_new_array();
    struct pull p = { .cli = cli };
    struct platform platform = platform_host();
    if (flags->platform && platform_parse(span_of(flags->platform), &platform, err))
        return cli_misuse(cli, -1);
    if (cli_engine(cli, false, &p.mover, &e, err) ||
        display_open(flags->quiet ? DISPLAY_QUIET : display_mode_parse(flags->progress), "Pulling",
                     STDERR_FILENO, &display, err))
        return -1;
    p.engine = e;
    p.mover.sink = display_sink(display);
    p.options = (struct pull_options){ .platform = flags->all_platforms ? NULL : &platform,
                                       .pool = engine_pool(e),
                                       .cancel = cli->cancel };
    int status = 0;
    for (size_t i = 0; !status && i < cli->n_args; i++)
        status = pull_one(&p, cli->args[i], list, err);
    if (cli->wants_json && json_len(list))
        say_json(list);
    return status;
}

const struct command command_pull = {
    .name = "pull",
    .args = "IMAGE...",
    .summary = "Brings images from their registries into the store",
    .about = "Prints each name with the digest that it points to.  Builds fetch what they need by\n"
             "themselves: this is for looking, running and copying.",
    .examples = "kiln pull debian:12\nkiln pull --platform linux/arm64 debian:12",
    .flags = flags_table,
    .flags_size = sizeof(struct pull_flags),
    .n_args_min = 1,
    .n_args_max = ARGS_MANY,
    .run = run,
};
