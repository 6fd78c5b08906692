/* cli/copy.c - kiln copy: an image from one place to another, as it is. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "build/layout.h"
#include "cli/cli.h"
#include "cli/image_facts.h"
#include "image/registry/transfer.h"
#include "image/store/name.h"

struct copy_flags {
    const char *platform, *progress;
    bool quiet;
};
static const struct flag flags_table[] = {
    { "platform", 0, FLAG_TEXT, offsetof(struct copy_flags, platform), "OS/ARCH",
      "only this one of an image of several (default: all)", NULL, COMPLETES_NOTHING },
    { "progress", 0, FLAG_TEXT, offsetof(struct copy_flags, progress), "KIND",
      "how to show progress", DISPLAY_CHOICES, COMPLETES_NOTHING },
    { "quiet", 'q', FLAG_SWITCH, offsetof(struct copy_flags, quiet), NULL, "no progress", NULL,
      COMPLETES_NOTHING },
    { 0 },
};

enum place_kind { PLACE_STORE, PLACE_REGISTRY, PLACE_LAYOUT };

struct place {
    enum place_kind kind;
    struct reference ref; /* but of a layout */
    const char *text;     /* as written, without what says the kind */
    char *path, *tag;     /* of a layout; owned, tag NULL: none */
};

static void place_clear(struct place *p)
{
    reference_clear(&p->ref);
    free(p->path);
    free(p->tag);
}

/* docker://NAME is a registry's, oci:FOLDER[:TAG] a layout's, store:NAME and a bare name are the
 * store's; the other places that skopeo knows are told apart from names by what stands before their
 * first colon. */
static int refuse_others(const char *text, struct err *err)
{
    static const char *const others[] = { "oci-archive:", "docker-archive:", "docker-daemon:",
                                          "dir:", "containers-storage:" };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (span_starts(span_of(text), others[i])) {
            err_set(err, ERR_UNSUPPORTED, "copy: %s: places of the kind %s are not there yet", text,
                    others[i]);
            return err_hint(err,
                            "copy knows docker://NAME (a registry), oci:FOLDER:TAG and store:NAME");
        }
    return 0;
}

static int read_place(const char *text, struct place *out, struct err *err)
{
    static const struct {
        const char *prefix;
        enum place_kind kind;
    } kinds[] = { { "docker://", PLACE_REGISTRY },
                  { "oci:", PLACE_LAYOUT },
                  { "store:", PLACE_STORE } };
    if (refuse_others(text, err))
        return -1;
    out->text = text;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (span_starts(span_of(text), kinds[i].prefix)) {
            out->kind = kinds[i].kind;
            out->text = text + strlen(kinds[i].prefix);
        }
    if (out->kind != PLACE_LAYOUT)
        return reference_parse(span_of(out->text), &out->ref, err);
    struct span tag = span_of(out->text), path = span_cut(&tag, ':');
    if (!path.len)
        return err_set(err, ERR_INVALID, "copy: %s: oci:FOLDER or oci:FOLDER:TAG is expected",
                       text);
    out->path = span_dup(path);
    out->tag = tag.len ? span_dup(tag) : NULL;
    return 0;
}

struct copying {
    struct cli *cli;
    struct engine *engine;
    struct mover mover;
    const struct platform *platform; /* NULL: all */
    struct place from, to;
};

static int fetch(struct copying *c, struct descriptor *target, struct err *err)
{
    struct store *st = engine_store(c->engine);
    AUTO_VALUE(descriptor_clear) struct descriptor index = { 0 };
    struct pull_options o = { .platform = c->platform,
                              .pool = engine_pool(c->engine),
                              .cancel = c->cli->cancel };
    if (c->from.kind == PLACE_LAYOUT)
        return layout_read(st, c->from.path, c->from.tag, c->platform, c->cli->cancel, target, err);
    if (c->from.kind == PLACE_STORE) {
        AUTO_VALUE(reference_clear) struct reference same = { 0 };
        return image_get(st, c->from.text, &same, target, err);
    }
    return c->platform
               ? image_pull(engine_remote(c->engine), &c->from.ref, st, &o, &index, target, err)
               : image_pull(engine_remote(c->engine), &c->from.ref, st, &o, target, NULL, err);
}

static int deliver(struct copying *c, const struct descriptor *target, struct err *err)
{
    struct store *st = engine_store(c->engine);
    struct push_options o = { .pool = engine_pool(c->engine), .cancel = c->cli->cancel };
    if (c->to.kind == PLACE_LAYOUT)
        return layout_write(st, target, c->to.path, c->to.tag, c->cli->cancel, err);
    if (c->to.kind == PLACE_REGISTRY)
        return image_push(engine_remote(c->engine), &c->to.ref, st, target, &o, err);
    AUTO_FREE char *name = reference_text(&c->to.ref);
    return store_settle(st, err) || name_set(st, NAME_IMAGE, name, target, err) ? -1 : 0;
}

static int copy(struct copying *c, struct descriptor *target, struct err *err)
{
    AUTO_FREE char *title = xasprintf("copy %s to %s", c->cli->args[0], c->cli->args[1]);
    c->mover.task = title;
    progress_task_start(c->mover.sink, title, title);
    int status = fetch(c, target, err) || deliver(c, target, err) ? -1 : 0;
    progress_task_end(c->mover.sink, title, status, err);
    return status;
}

static void report(struct copying *c, const struct descriptor *target)
{
    AUTO_FREE char *pinned =
        c->to.kind == PLACE_LAYOUT
            ? xasprintf("oci:%s@%s", c->to.path, digest_text(&target->digest).s)
            : reference_pinned(&c->to.ref, &target->digest);
    if (!c->cli->wants_json) {
        say("%s", pinned);
        return;
    }
    AUTO(json_free) struct json *o = json_new_object();
    json_set_str(o, "from", c->cli->args[0]);
    json_set_str(o, "to", c->cli->args[1]);
    json_set_str(o, "digest", digest_text(&target->digest).s);
    json_set_str(o, "pinned", pinned);
    say_json(o);
}

static int run_copy(struct copying *c, const struct copy_flags *flags, struct err *err)
{
    AUTO(engine_close) struct engine *e = NULL;
    AUTO(display_close) struct display *display = NULL;
    AUTO_VALUE(descriptor_clear) struct descriptor target = { 0 };
    if (cli_engine(c->cli, false, &c->mover, &e, err) ||
        display_open(flags->quiet ? DISPLAY_QUIET : display_mode_parse(flags->progress), "Copying",
                     STDERR_FILENO, &display, err))
        return -1;
    c->engine = e;
    c->mover.sink = display_sink(display);
    if (copy(c, &target, err))
        return -1;
    report(c, &target);
    return 0;
}

static int run(struct cli *cli, const void *values, struct err *err)
{
    const struct copy_flags *flags = values;
    struct copying c = { .cli = cli };
    struct platform platform;
    int status =
        read_place(cli->args[0], &c.from, err) || read_place(cli->args[1], &c.to, err) ||
                (flags->platform && platform_parse(span_of(flags->platform), &platform, err))
            ? -1
            : 0;
    if (status && err->kind == ERR_INVALID)
        cli_misuse(cli, -1);
    c.platform = flags->platform ? &platform : NULL;
    if (!status)
        status = run_copy(&c, flags, err);
    place_clear(&c.from);
    place_clear(&c.to);
    return status;
}

const struct command command_copy = {
    .name = "copy",
    .args = "FROM TO",
    .summary = "Copies an image between registries, layouts and the store, as it is",
    .about =
        "A place is docker://NAME (a registry), oci:FOLDER[:TAG] (an OCI layout) or store:NAME.\n"
        "Manifests are not changed, so the digest stays.",
    .examples = "kiln copy docker://debian:12 docker://registry.example.com/mirror/debian:12",
    .flags = flags_table,
    .flags_size = sizeof(struct copy_flags),
    .n_args_min = 2,
    .n_args_max = 2,
    .completes = COMPLETES_IMAGE,
    .run = run,
};
