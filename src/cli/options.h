/* cli/options.h - a command's options as one table: parsing, help, completion and manual page.
 *
 * A row says where in the command's own struct its value goes.  Long ones are written `--flag
 * value` or `--flag=value`, short ones `-f value`, `-fvalue` or, switches, together: `-it`, all as
 * docker does.  "--" ends the options.
 *
 * Threads: no state; one thread. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/core/buf.h"
#include "base/core/err.h"
#include "base/core/vec.h"

struct cli;

enum flag_kind {
    FLAG_SWITCH, /* bool; also --flag=true, --flag=false */
    FLAG_TEXT,   /* const char *; the last one given counts */
    FLAG_LIST,   /* struct str_list */
};

/* What a value or argument is, for completion. */
enum completes { COMPLETES_NOTHING, COMPLETES_FILE, COMPLETES_FOLDER, COMPLETES_IMAGE };

struct flag {
    const char *name; /* without dashes */
    char letter;      /* 0: none */
    enum flag_kind kind;
    size_t offset;       /* in the struct of flags */
    const char *value;   /* how help names it: "KEY=VALUE"; NULL for switches */
    const char *help;    /* one phrase, lower case */
    const char *choices; /* "auto|plain|tty": nothing else is taken; NULL: anything */
    enum completes completes;
};

struct command {
    const char *name;         /* "build", "registry serve" */
    const char *args;         /* "PATH", "[flags]" is added; "" */
    const char *summary;      /* one line, a verb in the third person */
    const char *about;        /* paragraphs, for help and manual page */
    const char *examples;     /* command lines, one a line; may be NULL */
    const struct flag *flags; /* ends with a row without name; may be NULL */
    size_t flags_size;        /* of the struct that `run` gets, born zeroed */
    size_t n_args_min, n_args_max;
    bool ends_at_first_arg; /* what follows the first argument is no option of ours */
    bool is_hidden;
    enum completes completes; /* its arguments */
    /* 0; -1: failed, `err` says why.  cli->exit_status is 0 then unless set. */
    int (*run)(struct cli *cli, const void *flags, struct err *err);
};
enum { ARGS_MANY = 1000000 };

struct args {
    const char **items; /* borrowed texts */
    size_t n, cap;
};

/* Two tables and where their values go: the command's, and those that every command has. */
struct flag_set {
    const struct flag *rows; /* may be NULL */
    void *values;
};
/* Reads argv[*at ...]: values into the sets, the rest into `out`.  ends_at_first_arg: stops there,
 * with *at behind what was read.  Fails: INVALID, with the nearest known option as hint. */
NODISCARD int options_parse(const struct flag_set *sets, size_t n_sets, int argc, char **argv,
                            int *at, bool ends_at_first_arg, struct args *out, struct err *err);
/* Frees the lists of one set. */
void options_clear(const struct flag_set *set);

/* help.c: what --help prints. */
void command_print_usage(const struct command *c, struct buf *out); /* the first line */
void command_print_help(const struct command *c, const struct flag *global, struct buf *out);
void commands_print_help(const struct command *const *commands, const struct flag *global,
                         struct buf *out);
/* "-t, --tag NAME" */
void flag_print(const struct flag *f, struct buf *out);
/* man.c: mdoc(7).  `c` NULL: kiln(1) itself. */
void command_print_man(const struct command *const *commands, const struct command *c,
                       const struct flag *global, struct buf *out);
/* complete_bash.c, complete_zsh.c: scripts for shells. */
void commands_print_bash(const struct command *const *commands, const struct flag *global,
                         struct buf *out);
void commands_print_zsh(const struct command *const *commands, const struct flag *global,
                        struct buf *out);
