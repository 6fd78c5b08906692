/* cli/main.c - the program: finds the command, reads its flags, runs it, prints what went wrong.
 *
 * Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/core/log.h"
#include "base/core/mem.h"
#include "base/core/nearest.h"
#include "cli/cli.h"

const struct flag global_flags[] = {
    { "root", 0, FLAG_TEXT, offsetof(struct global_flags, root), "FOLDER",
      "the store (default $KILN_ROOT, else /var/lib/kiln or ~/.local/share/kiln)", NULL,
      COMPLETES_FOLDER },
    { "ceiling", 0, FLAG_TEXT, offsetof(struct global_flags, ceiling), "SIZE",
      "bytes that the store may take: what was used least lately makes room (\"20GB\")", NULL,
      COMPLETES_NOTHING },
    { "format", 0, FLAG_TEXT, offsetof(struct global_flags, format), "FORMAT",
      "of the result on stdout", "text|json", COMPLETES_NOTHING },
    { "log-level", 0, FLAG_TEXT, offsetof(struct global_flags, log_level), "LEVEL",
      "events on stderr", "error|warn|info|debug", COMPLETES_NOTHING },
    { "insecure", 0, FLAG_SWITCH, offsetof(struct global_flags, insecure), NULL,
      "registries may speak plain HTTP or show any certificate", NULL, COMPLETES_NOTHING },
    { "insecure-registry", 0, FLAG_LIST, offsetof(struct global_flags, insecure_registries), "HOST",
      "this registry may, the others not", NULL, COMPLETES_NOTHING },
    { "registry-mirror", 0, FLAG_LIST, offsetof(struct global_flags, mirrors), "[REGISTRY=]HOST",
      "ask HOST first for what is pulled from REGISTRY (default docker.io)", NULL,
      COMPLETES_NOTHING },
    { "authfile", 0, FLAG_TEXT, offsetof(struct global_flags, authfile), "FILE",
      "credentials (default $REGISTRY_AUTH_FILE, else ~/.docker/config.json)", NULL,
      COMPLETES_FILE },
    { "help", 'h', FLAG_SWITCH, offsetof(struct global_flags, help), NULL, "this text", NULL,
      COMPLETES_NOTHING },
    { 0 },
};

const struct command *const commands[] = {
    &command_build,
    &command_run,
    &command_pull,
    &command_push,
    &command_copy,
    &command_tag,
    &command_images,
    &command_inspect,
    &command_sbom,
    &command_provenance,
    &command_rm,
    &command_prune,
    &command_login,
    &command_logout,
    &command_registry_serve,
    &command_doctor,
    &command_version,
    &command_completion,
    NULL,
};

/* ---- signals ---- */

/* The program's signal flag: what a signal reaches. */
static struct {
    struct cancel *cancel;
    volatile sig_atomic_t n_seen;  /* of SIGINT */
    volatile sig_atomic_t pipe_fd; /* -1: fires `cancel` */
} signals = { .pipe_fd = -1 };

static void on_signal(int number)
{
    int saved = errno;
    unsigned char byte = (unsigned char)number;
    if (signals.pipe_fd >= 0) {
        if (write(signals.pipe_fd, &byte, 1) < 0)
            _exit(EXIT_INTERRUPTED);
    } else if (number == SIGINT && signals.n_seen++) {
        /* Asked twice: at once.  SIGTERM does not count: timeout(1) sends it twice by itself. */
        _exit(EXIT_INTERRUPTED);
    } else {
        cancel_fire(signals.cancel);
    }
    errno = saved;
}

static void catch_signals(struct cancel *cancel)
{
    struct sigaction on = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
    struct sigaction ignore = { .sa_handler = SIG_IGN };
    signals.cancel = cancel;
    sigaction(SIGINT, &on, NULL);
    sigaction(SIGTERM, &on, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
}

int cli_divert_signals(int *read_fd, struct err *err)
{
    static const int forwarded[] = { SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH };
    int ends[2];
    if (pipe2(ends, O_CLOEXEC))
        return err_sys(err, "make a pipe for signals");
    signals.pipe_fd = ends[1];
    struct sigaction on = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
    for (size_t i = 0; i < sizeof forwarded / sizeof forwarded[0]; i++)
        sigaction(forwarded[i], &on, NULL);
    *read_fd = ends[0];
    return 0;
}

/* ---- what commands ask for ---- */

int cli_misuse(struct cli *cli, int status)
{
    cli->exit_status = EXIT_MISUSE;
    return status;
}

static void on_moved(void *arg, const struct digest *blob, bool is_push, uint64_t current,
                     uint64_t total)
{
    struct mover *m = arg;
    (void)is_push;
    if (!m->sink)
        return;
    atomic_store(&m->has_moved, true);
    struct digest_text part = digest_text(blob);
    if (current == total)
        progress_part_done(m->sink, m->task, part.s, total);
    else
        progress_status(m->sink, m->task, part.s, current, total);
}

/* "[REGISTRY=]HOST", several of one registry in the order given. */
static void read_mirrors(const struct str_list *texts, struct map *out)
{
    vec_each (texts, text) {
        struct span rest = span_of(*text), first = span_cut(&rest, '=');
        AUTO_FREE char *registry = rest.ptr ? span_dup(first) : xstrdup("docker.io");
        AUTO_FREE char *host = span_dup(rest.ptr ? rest : first);
        const char *before = map_find_str(out, registry);
        AUTO_FREE char *all = before ? xasprintf("%s,%s", before, host) : xstrdup(host);
        map_set_str(out, registry, all);
    }
}

int cli_engine(struct cli *cli, bool runs_steps, struct mover *mover, struct engine **out,
               struct err *err)
{
    AUTO_VALUE(map_clear) struct map mirrors = STR_MAP;
    read_mirrors(&cli->global.mirrors, &mirrors);
    struct engine_options o = {
        .root = cli->global.root,
        .has_no_sandbox = !runs_steps,
        .remote = { .auth_file = cli->global.authfile,
                    .is_all_insecure = cli->global.insecure,
                    .insecure = &cli->global.insecure_registries,
                    .mirrors = &mirrors,
                    .moved = mover ? on_moved : NULL,
                    .moved_arg = mover },
    };
    if (cli->global.ceiling && bytes_parse(cli->global.ceiling, &o.ceiling, err)) {
        err_wrap(err, "--ceiling");
        return cli_misuse(cli, -1);
    }
    return engine_open(&o, out, err);
}

/* ---- the command line ---- */

/* Words that `argv` has in common with a command's name, all of them, or 0. */
static size_t match(const struct command *c, int argc, char **argv, int at)
{
    struct span rest = span_of(c->name);
    size_t n = 0;
    while (rest.ptr) {
        struct span word = span_cut(&rest, ' ');
        if (at + (int)n >= argc || !span_is(word, argv[at + (int)n]))
            return 0;
        n++;
    }
    return n;
}

static const struct command *find_command(int argc, char **argv, int *at)
{
    for (const struct command *const *c = commands; *c; c++) {
        size_t n = match(*c, argc, argv, *at);
        if (n) {
            *at += (int)n;
            return *c;
        }
    }
    return NULL;
}

static int unknown_command(const char *word, struct err *err)
{
    const char *names[sizeof commands / sizeof commands[0]];
    size_t n = 0;
    for (const struct command *const *c = commands; *c; c++)
        names[n++] = (*c)->name;
    const char *near = nearest(word, names, n);
    err_set(err, ERR_INVALID, "unknown command: %s", word);
    return near ? err_hint(err, "did you mean kiln %s?", near)
                : err_hint(err, "kiln --help lists the commands");
}

static int check_args(const struct command *c, const struct args *args, struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf usage = { 0 };
    if (args->n >= c->n_args_min && args->n <= c->n_args_max)
        return 0;
    buf_init(&usage, 4096);
    command_print_usage(c, &usage);
    if (args->n < c->n_args_min)
        err_set(err, ERR_INVALID, "kiln %s: needs %s", c->name, c->args);
    else
        err_set(err, ERR_INVALID, "kiln %s: %s is one argument too many", c->name,
                args->items[c->n_args_max]);
    return err_hint(err, "%.*s", SPAN_ARG(span_trim(buf_span(&usage))));
}

static void apply_global(struct cli *cli)
{
    static const char *const levels[] = { "error", "warn", "info", "debug" };
    for (int i = LOG_ERROR; cli->global.log_level && i <= LOG_DEBUG; i++)
        if (!strcmp(cli->global.log_level, levels[i]))
            log_set_level((enum log_level)i);
    cli->wants_json = cli->global.format && !strcmp(cli->global.format, "json");
}

static void say_help(const struct command *c)
{
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    buf_init(&text, 64 * 1024);
    if (c)
        command_print_help(c, global_flags, &text);
    else
        commands_print_help(commands, global_flags, &text);
    fputs(text.data, stdout);
}

/* The command's own flags, then the command. */
static int run_command(struct cli *cli, const struct command *c, int argc, char **argv, int at,
                       struct args *args, struct err *err)
{
    AUTO_FREE void *values = xcalloc(1, c->flags_size + 1);
    struct flag_set sets[] = { { c->flags, values }, { global_flags, &cli->global } };
    int status = options_parse(sets, 2, argc, argv, &at, c->ends_at_first_arg, args, err);
    for (; !status && at < argc; at++)
        *vec_push(args) = argv[at];
    apply_global(cli);
    if (!status && cli->global.help) {
        say_help(c);
    } else if (status || check_args(c, args, err)) {
        status = cli_misuse(cli, -1);
    } else {
        cli->args = args->items;
        cli->n_args = args->n;
        status = c->run(cli, values, err);
    }
    options_clear(&sets[0]);
    options_clear(&sets[1]);
    return status;
}

static int run(struct cli *cli, int argc, char **argv, struct args *args, struct err *err)
{
    struct flag_set global = { global_flags, &cli->global };
    int at = 1;
    if (options_parse(&global, 1, argc, argv, &at, true, args, err))
        return cli_misuse(cli, -1);
    if (at >= argc || !strcmp(argv[at], "help")) {
        at += at < argc;
        const struct command *c = at < argc ? find_command(argc, argv, &at) : NULL;
        if (!c && at < argc)
            return cli_misuse(cli, unknown_command(argv[at], err));
        say_help(c);
        return 0;
    }
    const struct command *c = find_command(argc, argv, &at);
    if (!c)
        return cli_misuse(cli, unknown_command(argv[at], err));
    return run_command(cli, c, argc, argv, at, args, err);
}

static void print_error(const struct err *err)
{
    note("error: %s", err->text);
    if (err->hint[0])
        note("hint: %s", err->hint);
    else if (err->sys == ENOSPC)
        note("hint: kiln prune takes from the store what no name leads to; --root puts it "
             "elsewhere");
}

int main(int argc, char **argv)
{
    struct cancel *cancel = cancel_new(); /* never freed: a signal may come to the very end */
    struct cli cli = { .cancel = cancel };
    struct args args = { 0 };
    struct err err = { 0 };
    catch_signals(cancel);
    int status = run(&cli, argc, argv, &args, &err);
    vec_clear(&args);
    if (!status && say_flush(&err))
        status = -1;
    if (!status)
        return cli.exit_status;
    print_error(&err);
    if (cancel_fired(cancel) && err.kind == ERR_CANCELED)
        return EXIT_INTERRUPTED;
    return cli.exit_status ? cli.exit_status : 1;
}
