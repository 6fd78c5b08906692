/* cli/run.c - kiln run: an image's own process, in front of us. */
#include "build/run.h"

#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "cli/cli.h"

struct run_flags {
    struct str_list env, volume;
    const char *user, *workdir, *network, *entrypoint, *hostname, *timeout, *platform, *pull;
    bool read_only, interactive, tty, rm;
};
#define AT(field) offsetof(struct run_flags, field)
static const struct flag flags_table[] = {
    { "env", 'e', FLAG_LIST, AT(env), "KEY=VALUE", "variable; KEY alone takes ours", NULL,
      COMPLETES_NOTHING },
    { "user", 'u', FLAG_TEXT, AT(user), "USER[:GROUP]", "in place of the image's", NULL,
      COMPLETES_NOTHING },
    { "workdir", 'w', FLAG_TEXT, AT(workdir), "FOLDER", "in place of the image's", NULL,
      COMPLETES_NOTHING },
    { "network", 0, FLAG_TEXT, AT(network), "MODE", "ours, or none at all", "host|none",
      COMPLETES_NOTHING },
    { "read-only", 0, FLAG_SWITCH, AT(read_only), NULL, "the root file system cannot be written",
      NULL, COMPLETES_NOTHING },
    { "entrypoint", 0, FLAG_TEXT, AT(entrypoint), "PROGRAM", "in place of the image's", NULL,
      COMPLETES_NOTHING },
    { "hostname", 'h', FLAG_TEXT, AT(hostname), "NAME", "of the machine it believes to be on", NULL,
      COMPLETES_NOTHING },
    { "volume", 'v', FLAG_LIST, AT(volume), "FROM:TO[:ro]", "a file or folder of ours inside", NULL,
      COMPLETES_FILE },
    { "timeout", 0, FLAG_TEXT, AT(timeout), "DURATION", "end it after 30s, 5m, ...", NULL,
      COMPLETES_NOTHING },
    { "platform", 0, FLAG_TEXT, AT(platform), "OS/ARCH", "of an image of several", NULL,
      COMPLETES_NOTHING },
    { "pull", 0, FLAG_TEXT, AT(pull), "WHEN", "ask the registry", "always|missing|never",
      COMPLETES_NOTHING },
    { "interactive", 'i', FLAG_SWITCH, AT(interactive), NULL, "our stdin is its stdin", NULL,
      COMPLETES_NOTHING },
    { "tty", 't', FLAG_SWITCH, AT(tty), NULL, "a terminal of its own", NULL, COMPLETES_NOTHING },
    { "rm", 0, FLAG_SWITCH, AT(rm), NULL, "taken as docker has it: nothing stays anyway", NULL,
      COMPLETES_NOTHING },
    { 0 },
};

/* A request and what it borrows. */
struct run_call {
    struct run_request request;
    struct reference image;
    struct platform platform;
    struct str_list env, texts;
    vec(struct run_volume) volumes;
};

static void run_call_clear(struct run_call *c)
{
    reference_clear(&c->image);
    str_list_clear(&c->env);
    str_list_clear(&c->texts);
    vec_clear(&c->volumes);
}

static void take_env(const struct str_list *texts, struct str_list *out)
{
    vec_each (texts, text) {
        const char *ours = strchr(*text, '=') ? NULL : getenv(*text);
        if (strchr(*text, '='))
            str_list_push(out, *text);
        else if (ours)
            str_list_take(out, xasprintf("%s=%s", *text, ours));
    }
}

static int take_volume(struct run_call *c, const char *text, struct err *err)
{
    struct span rest = span_of(text), from = span_cut(&rest, ':'), to = span_cut(&rest, ':');
    if (!from.len || !span_starts(to, "/") ||
        (rest.ptr && !span_is(rest, "ro") && !span_is(rest, "rw")))
        return err_set(err, ERR_INVALID, "--volume %s: FROM:TO or FROM:TO:ro is expected", text);
    str_list_take(&c->texts, span_dup(from));
    str_list_take(&c->texts, span_dup(to));
    *vec_push(&c->volumes) = (struct run_volume){ .source = c->texts.items[c->texts.n - 2],
                                                  .dest = c->texts.items[c->texts.n - 1],
                                                  .is_readonly = span_is(rest, "ro") };
    return 0;
}

static int take_timeout(const char *text, int *out, struct err *err)
{
    uint64_t seconds = 0;
    if (text && seconds_parse(text, &seconds, err))
        return err_wrap(err, "--timeout");
    if (seconds > INT32_MAX / 1000)
        return err_set(err, ERR_INVALID, "--timeout %s: too long", text);
    *out = (int)seconds * 1000;
    return 0;
}

static int make_call(const struct run_flags *f, const struct cli *cli, struct run_call *c,
                     struct err *err)
{
    struct run_request *q = &c->request;
    *q = (struct run_request){ .image = &c->image,
                               .args = cli->args + 1,
                               .n_args = cli->n_args - 1,
                               .entrypoint = f->entrypoint,
                               .env = &c->env,
                               .user = f->user,
                               .workdir = f->workdir,
                               .hostname = f->hostname,
                               .has_no_network = f->network && !strcmp(f->network, "none"),
                               .is_readonly = f->read_only,
                               .stdin_fd = f->interactive ? STDIN_FILENO : -1,
                               .stdout_fd = STDOUT_FILENO,
                               .stderr_fd = STDERR_FILENO,
                               .has_terminal = f->tty,
                               .signals_fd = -1 };
    if (f->pull)
        q->resolve_mode = !strcmp(f->pull, "always")  ? RESOLVE_PULL
                          : !strcmp(f->pull, "never") ? RESOLVE_LOCAL
                                                      : RESOLVE_DEFAULT;
    take_env(&f->env, &c->env);
    vec_each (&f->volume, text)
        if (take_volume(c, *text, err))
            return -1;
    q->volumes = c->volumes.items;
    q->n_volumes = c->volumes.n;
    q->platform = f->platform ? &c->platform : NULL;
    if (f->platform && platform_parse(span_of(f->platform), &c->platform, err))
        return -1;
    return take_timeout(f->timeout, &q->timeout_ms, err) ||
                   reference_parse(span_of(cli->args[0]), &c->image, err)
               ? -1
               : 0;
}

/* With a terminal of its own, ours hands every key through. */
static bool make_raw(struct run_request *q, struct termios *before)
{
    struct winsize size = { 0 };
    if (!q->has_terminal)
        return false;
    if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size)) {
        q->rows = size.ws_row;
        q->columns = size.ws_col;
    }
    if (q->stdin_fd < 0 || tcgetattr(STDIN_FILENO, before))
        return false;
    struct termios raw = *before;
    cfmakeraw(&raw);
    return !tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

/* With a display for what has to be fetched, which is gone when the process starts. */
static int open_shown(struct cli *cli, struct run_call *c, struct engine *e, struct mover *mover,
                      struct run **out, struct err *err)
{
    AUTO(display_close) struct display *display = NULL;
    AUTO_FREE char *name = reference_text(&c->image);
    AUTO_FREE char *task = xasprintf("pull %s", name);
    if (display_open(DISPLAY_AUTO, "Pulling", STDERR_FILENO, &display, err))
        return -1;
    mover->task = task;
    mover->sink = display_sink(display);
    int status = run_open(e, &c->request, cli->cancel, out, err);
    if (mover->has_moved)
        progress_task_end(mover->sink, task, status, err);
    mover->sink = NULL;
    return status;
}

static int run_call(struct cli *cli, struct run_call *c, struct err *err)
{
    struct mover mover = { 0 };
    AUTO(engine_close) struct engine *e = NULL;
    AUTO(run_close) struct run *r = NULL;
    AUTO_FD int signals_fd = -1;
    struct step_result result = { 0 };
    struct termios before;
    if (cli_engine(cli, true, &mover, &e, err) || open_shown(cli, c, e, &mover, &r, err) ||
        cli_divert_signals(&signals_fd, err))
        return -1;
    c->request.signals_fd = signals_fd;
    bool is_raw = make_raw(&c->request, &before);
    int status = run_process(r, cli->cancel, &result, err);
    if (is_raw)
        tcsetattr(STDIN_FILENO, TCSANOW, &before);
    cli->exit_status = status ? 0 : result.exit_status;
    return status;
}

static int run(struct cli *cli, const void *flags, struct err *err)
{
    AUTO_VALUE(run_call_clear) struct run_call call = { 0 };
    if (make_call(flags, cli, &call, err))
        return cli_misuse(cli, -1);
    return run_call(cli, &call, err);
}

const struct command command_run = {
    .name = "run",
    .args = "IMAGE [PROGRAM [ARGS]]",
    .summary = "Runs an image's process in the sandbox, for trying it",
    .about = "The image is the store's, else its registry's.  What the process writes vanishes "
             "with it;\n"
             "signals reach it, and its exit status becomes ours.  Flags end at the image.",
    .examples = "kiln run --network none app --version\nkiln run -it debian:12 bash",
    .flags = flags_table,
    .flags_size = sizeof(struct run_flags),
    .n_args_min = 1,
    .n_args_max = ARGS_MANY,
    .ends_at_first_arg = true,
    .completes = COMPLETES_IMAGE,
    .run = run,
};
