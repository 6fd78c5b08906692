/* cli/build.c - kiln build. */
#include <unistd.h>

#include "base/core/mem.h"
#include "cli/build_flags.h"

/* Runs it with a display around it, which is gone when this returns. */
static int run_shown(struct cli *cli, const struct build_flags *f, const struct build_call *c,
                     struct engine *e, struct build_result *r, struct err *err)
{
    AUTO(display_close) struct display *display = NULL;
    const char *progress = f->progress ? f->progress : getenv("BUILDKIT_PROGRESS");
    enum display_mode mode = f->quiet ? DISPLAY_QUIET : display_mode_parse(progress);
    if (display_open(mode, "Building", STDERR_FILENO, &display, err))
        return -1;
    return build_run(e, &c->request, display_sink(display), cli->cancel, r, err);
}

static int run_call(struct cli *cli, const struct build_flags *f, const struct build_call *c,
                    struct err *err)
{
    AUTO(engine_close) struct engine *e = NULL;
    AUTO_VALUE(build_result_clear) struct build_result r = { 0 };
    if (cli_engine(cli, true, NULL, &e, err))
        return -1;
    int status = run_shown(cli, f, c, e, &r, err);
    if (f->explain && !(cli->wants_json && status == 0))
        note_explanations(&r);
    if (status) {
        if (!f->quiet)
            build_note_warnings(&r);
        if (r.excerpt)
            fputs(r.excerpt, stderr);
        return -1;
    }
    build_report(cli, f, &c->request, &r, store_path(engine_store(e)));
    return build_write_files(f, &c->request, &r, err);
}

static int run(struct cli *cli, const void *flags, struct err *err)
{
    struct build_call call = { 0 };
    bool is_question = false;
    int status = build_call_is_question(flags, &is_question, err) ||
                         build_call_make(flags, cli->args[0], &call, err)
                     ? -1
                     : 0;
    if (status && err->kind == ERR_INVALID)
        cli_misuse(cli, -1);
    if (!status)
        status = is_question ? build_answer_question(cli, flags, &call, err)
                             : run_call(cli, flags, &call, err);
    build_call_clear(&call);
    return status;
}

const struct command command_build = {
    .name = "build",
    .args = "PATH|URL|-",
    .summary = "Builds an image from a Dockerfile",
    .about =
        "PATH is the build context, a folder.  URL is a git repository (https://HOST/NAME.git,\n"
        "ssh://, git@HOST:NAME, each with #REF:FOLDER or ?ref=REF&subdir=FOLDER behind it), or a\n"
        "file from a server: a tar archive is the context, any other the Dockerfile.  A lone -\n"
        "takes either of those two from stdin.  Without --output, --push or --load the image is\n"
        "kept in the store under its tags.\n\n"
        "Private sources take secrets by name: HTTP_AUTH_TOKEN_HOST or HTTP_AUTH_HEADER_HOST for\n"
        "files, GIT_AUTH_TOKEN or GIT_AUTH_HEADER (also with .HOST behind it) for repositories; "
        "what\n"
        "is reached by ssh takes the agent or key of --ssh.\n\n"
        "With --check nothing is built: the build checks of every stage are made and the warnings "
        "go\n"
        "to stdout; exit status 1 tells of some, or of what would fail a build.  --call outline "
        "lists\n"
        "what the target takes (arguments, secrets, agents, caches), --call targets the stages.\n\n"
        "Nothing goes to stdout but the digest with --quiet, a summary with --format json, or an\n"
        "output with dest=-.",
    .examples = "kiln build -t registry.example.com/team/app:1.2 --push .\n"
                "kiln build -t app -f build/Dockerfile --build-arg VERSION=1.2 --target release .\n"
                "kiln build -o type=oci,dest=app.tar -t app .\n"
                "kiln build -o bin .\n"
                "kiln build --check .",
    .flags = build_flags,
    .flags_size = sizeof(struct build_flags),
    .n_args_min = 1,
    .n_args_max = 1,
    .completes = COMPLETES_FOLDER,
    .run = run,
};
