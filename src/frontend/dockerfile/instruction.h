/* frontend/dockerfile/instruction.h - a Dockerfile as typed instructions, grouped into stages.
 *
 * The whole language of BuildKit's dockerfile 1.26 is read, checked and kept.  Nothing is expanded:
 * a value is what the file says, quotes and $variables included, since only the converter knows the
 * environment of the moment.  Each field says whether it is to be expanded, and how:
 *     [word]    shell_lex_word() gives the value
 *     [words]   shell_lex_words() gives any number of values
 *     [literal] taken as it is
 * Strings are never NULL; "" stands for "not given" unless a has_ field tells the difference.
 *
 * Spec: dockerfile reference; where BuildKit's code differs from it, the code counts.
 * Threads: a parsed dockerfile never changes; any number of threads may read it. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/core/arena.h"
#include "base/core/err.h"
#include "base/core/span.h"
#include "engine/graph/op.h"
#include "frontend/dockerfile/directives.h"
#include "frontend/dockerfile/shell_lex.h"
#include "frontend/dockerfile/source.h"

enum instruction_type {
    INSTRUCTION_ADD,
    INSTRUCTION_ARG,
    INSTRUCTION_CMD,
    INSTRUCTION_COPY,
    INSTRUCTION_ENTRYPOINT,
    INSTRUCTION_ENV,
    INSTRUCTION_EXPOSE,
    INSTRUCTION_FROM,
    INSTRUCTION_HEALTHCHECK,
    INSTRUCTION_LABEL,
    INSTRUCTION_MAINTAINER,
    INSTRUCTION_ONBUILD,
    INSTRUCTION_RUN,
    INSTRUCTION_SHELL,
    INSTRUCTION_STOPSIGNAL,
    INSTRUCTION_USER,
    INSTRUCTION_VOLUME,
    INSTRUCTION_WORKDIR,
};
const char *instruction_type_name(enum instruction_type type); /* "ADD" */

/* A flag that may be left out, given bare or with =true / =false. */
enum tristate { FLAG_UNSET, FLAG_FALSE, FLAG_TRUE };

/* ENV, LABEL: key=value. */
struct key_value {
    const char *key;   /* [word] */
    const char *value; /* [word] */
    bool is_legacy;    /* "ENV key value": the rest of the line is the value */
};
struct key_values {
    const struct key_value *items;
    size_t n;
};

/* ARG name or name=default. */
struct arg {
    const char *name;          /* [word] */
    const char *default_value; /* [word]; "" when !has_default */
    bool has_default;
    const char *description; /* of a comment above: "# name description" */
};
struct args {
    const struct arg *items;
    size_t n;
};

/* RUN, CMD, ENTRYPOINT.  Exec form: the arguments.  Shell form: one string (none when empty), to be
 * put behind the words of SHELL.  [literal] */
struct command_line {
    struct strings args;
    bool is_shell;
};

/* One --mount of RUN.  Everything in it is after expansion; see run_mount_parse(). */
struct run_mount {
    enum mount_type type;
    const char *from;   /* stage, named context or image; "" when none */
    const char *source; /* path below `from`, "" when none */
    const char *target; /* as written, "" when none: may be relative to WORKDIR */
    const char *id;   /* cache, secret, ssh; "" when none: the default is the converter's to take */
    const char *env;  /* secret: a variable instead of a file, "" when none */
    bool is_readonly; /* bind: true unless rw; cache: ro */
    bool is_required; /* secret, ssh */
    enum cache_sharing sharing;
    bool has_mode, has_uid, has_gid;
    uint32_t mode, uid, gid;
    int64_t size; /* tmpfs: bytes, 0: no limit */
};

struct run_device {
    const char *name; /* vendor.com/class=name */
    bool is_required;
};

struct run {
    struct command_line
        command;           /* of the line itself; "" or the rest of the line beside heredocs */
    struct strings mounts; /* values of --mount, unexpanded: run_mount_parse() each */
    enum exec_network network;
    enum exec_security security;
    const struct run_device *devices;
    size_t n_devices;
    /* Heredocs are in instruction.heredocs.  is_script: the command is nothing but one heredoc, so
     * its content is the command (or, with "#!", the file that is run). */
    bool is_script;
};

/* COPY and ADD. */
struct copy {
    struct strings sources;   /* [word] each; without the heredocs */
    struct heredocs heredocs; /* sources given as text; content is [word with ignores_quotes]
                                 when it expands, else [literal] */
    const char *dest;         /* [word] */
    const char *from;         /* COPY [literal]; "" the build context */
    const char *chown;        /* [word] */
    const char *chmod;        /* [word] */
    struct strings excludes;  /* [word] each */
    bool is_link;
    bool keeps_parents;         /* --parents */
    const char *checksum;       /* ADD [word] */
    enum tristate keep_git_dir; /* ADD */
    enum tristate unpack;       /* ADD */
};

struct health_probe {
    struct strings test; /* config's form: NONE | CMD, args... | CMD-SHELL, text. [literal] */
    int64_t interval_ns, timeout_ns, start_period_ns, start_interval_ns; /* 0: not given */
    int retries;                                                         /* 0: not given */
};

struct instruction;
struct onbuild {
    const char *trigger;                   /* what goes into the config, heredocs included */
    const struct instruction *instruction; /* the same, read */
};

struct instruction {
    enum instruction_type type;
    const char *text;     /* as written, continuations joined, heredocs left out: names of steps */
    const char *name;     /* as written: "Run" */
    struct strings flags; /* as written: "--from=x" */
    struct heredocs heredocs;
    struct source_lines where;
    const char *comment; /* the lines of comment right above, without '#' */
    bool is_json;        /* the arguments were a JSON array */
    union {
        struct copy copy;            /* ADD, COPY */
        struct args args;            /* ARG */
        struct command_line command; /* CMD, ENTRYPOINT */
        struct key_values env;       /* ENV */
        struct key_values labels;    /* LABEL */
        struct strings ports;        /* EXPOSE: [words] each; sorted, as BuildKit does */
        struct health_probe healthcheck;
        const char *maintainer; /* [literal] */
        struct onbuild onbuild;
        struct run run;
        struct strings shell;    /* SHELL: [literal] */
        const char *stop_signal; /* [word] */
        const char *user;        /* [word] */
        struct strings volumes;  /* [word] each */
        const char *workdir;     /* [word] */
    };
};

struct stage {
    const char *name;          /* lower case; "" when it has none */
    const char *written_name;  /* as written */
    const char *base;          /* [word]: an image, a stage or "scratch" */
    const char *platform;      /* [word]: value of --platform */
    const char *text;          /* the FROM line */
    const char *comment;       /* the lines of comment right above, without '#' */
    const char *description;   /* of a comment above: "# name description" */
    struct source_lines where; /* of the FROM line */
    const struct instruction *instructions;
    size_t n_instructions;
};

struct dockerfile {
    struct arena *arena; /* owned; all below lives in it */
    const char *name;    /* as given to dockerfile_parse(), for errors */
    struct directives directives;
    const struct instruction *global_args; /* every one an INSTRUCTION_ARG */
    size_t n_global_args;
    const struct stage *stages; /* at least one */
    size_t n_stages;
    struct dockerfile_warnings warnings; /* by line; all that can be seen without
                                            expanding, also what directives_skips() */
};

/* Reads a Dockerfile; borrows nothing.  `name` is how errors call it: "Dockerfile".  On failure
 * *where holds the lines at fault ({ 0, 0 }: none) and err->text starts with "NAME:LINE: ".
 * Fails: INVALID with BuildKit's wording; LIMIT. */
NODISCARD int dockerfile_parse(struct span text, const char *name, struct dockerfile **out,
                               struct source_lines *where, struct err *err);
void dockerfile_free(struct dockerfile *df);
DEFINE_AUTO(struct dockerfile, dockerfile_free)

/* One ONBUILD trigger of a base image's config, to be run behind the child's FROM; the result lives
 * in `a`.  Its lines are counted in the trigger.  Fails: INVALID: no single instruction, or one
 * that may not be a trigger; LIMIT. */
NODISCARD int dockerfile_parse_trigger(const char *trigger, struct arena *a,
                                       const struct instruction **out, struct err *err);

/* Expands one value of a --mount: shell_lex_word() with the environment of the moment, say.
 * *out lives as long as the mount. */
typedef int (*mount_expand_fn)(void *arg, const char *value, const char **out, struct err *err);
/* Reads the value of one --mount ("type=cache,target=/x"), expanding each option's value but that
 * of `from`.  expand NULL: values with a `$` are passed over, as dockerfile_parse() does to check
 * early. Fails: INVALID with BuildKit's wording, or what `expand` says. */
NODISCARD int run_mount_parse(const char *text, mount_expand_fn expand, void *arg, struct arena *a,
                              struct run_mount *out, struct err *err);
