/* cli/cli.h - what every command gets, and the commands.
 *
 * A command is one file: a struct of its flags, a table that fills it, and a `const struct
 * command`. stdout is the result, as text or, with --format json, as JSON; stderr is progress and
 * errors.
 *
 * Threads: commands run on the main thread; display and engine have threads of their own. */
#pragma once
#include <stdatomic.h>

#include "base/codec/json.h"
#include "base/core/cancel.h"
#include "build/build.h"
#include "cli/options.h"
#include "cli/progress.h"

enum { EXIT_MISUSE = 2, EXIT_INTERRUPTED = 130 };

struct global_flags {
    const char *root, *log_level, *authfile, *format, *ceiling;
    bool insecure, help;
    struct str_list insecure_registries, mirrors;
};
extern const struct flag global_flags[];

struct cli {
    struct global_flags global;
    bool wants_json;
    const char *const *args; /* the command's arguments */
    size_t n_args;
    struct cancel *cancel; /* fired by SIGINT and SIGTERM */
    int exit_status;       /* of a command that went well, or EXIT_MISUSE */
};

extern const struct command *const commands[]; /* ends with NULL */
extern const struct command command_build, command_run, command_pull, command_push, command_copy,
    command_tag, command_images, command_inspect, command_sbom, command_provenance, command_rm,
    command_prune, command_login, command_logout, command_registry_serve, command_doctor,
    command_version, command_completion;

/* Returns `status`; the program then exits with EXIT_MISUSE rather than 1. */
int cli_misuse(struct cli *cli, int status);

/* Bytes that the registry client moves, as parts of one task of a display.  A place to stand for
 * the engine's options, which are given before there is a display. */
struct mover {
    const struct progress *sink; /* NULL: nobody looks */
    const char *task;            /* id */
    atomic_bool has_moved;
};
/* The engine as the global flags say.  `mover` may be NULL. */
NODISCARD int cli_engine(struct cli *cli, bool runs_steps, struct mover *mover, struct engine **out,
                         struct err *err);
/* Signals go to a pipe, each as one byte, instead of firing cli->cancel.  *read_fd is the caller's.
 */
NODISCARD int cli_divert_signals(int *read_fd, struct err *err);

/* output.c: results.  A line that cannot be written is an error of the program, told at its end.
 * Control characters of what is said become "?": texts of images and servers are strangers'. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));  /* stdout, with newline */
void note(const char *fmt, ...) __attribute__((format(printf, 1, 2))); /* stderr, with newline */
void say_json(const struct json *v);
NODISCARD int say_flush(struct err *err);

/* Rows of columns, laid out when all are there: row[0] is the heading. */
struct table {
    struct str_list cells;
    size_t n_columns;
};
void table_say(struct table *t); /* makes its cells harmless */
void table_clear(struct table *t);

struct ago_text {
    char s[32];
};
struct ago_text ago_text(int64_t seconds); /* "3 hours ago" */
/* "10GB", "512MiB", "1000". Fails: INVALID. */
NODISCARD int bytes_parse(const char *text, uint64_t *out, struct err *err);
/* "24h", "1h30m", "90s", "7d": seconds.  Fails: INVALID. */
NODISCARD int seconds_parse(const char *text, uint64_t *seconds, struct err *err);
