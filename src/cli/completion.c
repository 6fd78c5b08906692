/* cli/completion.c - kiln completion: scripts for shells, and manual pages, from the tables. */
#include <string.h>

#include "base/core/mem.h"
#include "cli/cli.h"

static const struct command *find(const char *name)
{
    for (const struct command *const *c = commands; *c; c++)
        if (!strcmp((*c)->name, name))
            return *c;
    return NULL;
}

/* "registry-serve" is the page of "registry serve"; none is kiln(1). */
static int print_man(struct cli *cli, struct buf *text, struct err *err)
{
    const struct command *c = NULL;
    if (cli->n_args > 1) {
        AUTO_FREE char *name = xstrdup(cli->args[1]);
        for (char *p = name; *p; p++)
            *p = *p == '-' ? ' ' : *p;
        c = find(name);
        if (!c)
            return cli_misuse(cli,
                              err_set(err, ERR_INVALID, "kiln completion man: %s: no such command",
                                      cli->args[1]));
    }
    command_print_man(commands, c, global_flags, text);
    return 0;
}

static int run(struct cli *cli, const void *flags, struct err *err)
{
    (void)flags;
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    const char *what = cli->args[0];
    buf_init(&text, 1024 * 1024);
    if (!strcmp(what, "bash"))
        commands_print_bash(commands, global_flags, &text);
    else if (!strcmp(what, "zsh"))
        commands_print_zsh(commands, global_flags, &text);
    else if (!strcmp(what, "man")) {
        if (print_man(cli, &text, err))
            return -1;
    } else {
        return cli_misuse(cli, err_set(err, ERR_INVALID,
                                       "kiln completion: %s: neither bash nor zsh nor man", what));
    }
    fputs(text.data, stdout);
    return 0;
}

const struct command command_completion = {
    .name = "completion",
    .args = "bash|zsh|man [COMMAND]",
    .summary = "Prints a completion script for a shell, or a manual page",
    .about =
        "For bash: source <(kiln completion bash).  For zsh: write it to a file named _kiln in a\n"
        "folder of $fpath.  A manual page is mdoc: kiln completion man build | mandoc -l",
    .n_args_min = 1,
    .n_args_max = 2,
    .run = run,
};
