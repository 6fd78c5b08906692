/* frontend/dockerfile/convert_internal.h - what the files of the second half (instructions to
 * graph) share.
 *
 * convert.c      the whole: options, two passes, result
 * globals.c      what is known before the first stage: arguments, platforms
 * lint_values.c  build checks of stages and values
 * stages.c       stages, which of them are needed, what they depend on, ONBUILD triggers
 * base.c         what a stage begins with: image, named context, scratch
 * context.c      a context's source
 * epoch.c        SOURCE_DATE_EPOCH
 * dispatch.c     one instruction: expansion, names of steps, history
 * dispatch_*.c   the instructions
 *
 * Which paths of a context are used is known only when all instructions were looked at, yet it is
 * part of the context's vertex and so of every digest above it.  Therefore stages are converted
 * twice: the first pass gathers paths, the second makes the graph that is kept. */
#pragma once
#include "base/core/map.h"
#include "base/core/mem.h"
#include "engine/graph/builder.h"
#include "frontend/dockerfile/convert.h"
#include "frontend/dockerfile/env.h"
#include "frontend/dockerfile/ignore.h"
#include "frontend/dockerfile/instruction.h"
#include "frontend/dockerfile/parse_internal.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define HISTORY_COMMENT "buildkit.dockerfile.v0"

/* A build context: the main one or a named one. */
enum context_type { CONTEXT_LOCAL, CONTEXT_GIT, CONTEXT_HTTP };
struct context {
    enum context_type type;
    const char *name;   /* NULL: the main one */
    const char *source; /* the local source's name, or a URL */
    bool is_archive;    /* the source's one file "context" is unpacked */
    struct map paths;   /* used ones, "/a/b"; gathered in the first pass */
    bool has_rules;     /* the ignore file was looked for */
    const char *ignore_file;
    struct ignore_rules rules;
    struct pattern_list *ignore; /* owned; NULL: nothing is ignored */
    bool has_edge;               /* `edge` is made in this pass */
    struct edge edge;
};

/* An image that was resolved. */
struct resolved_image {
    const char *name;   /* complete */
    const char *layout; /* the folder of an OCI layout that it is in; NULL: a registry's */
    struct platform platform;
    struct image_meta meta; /* owned */
};

/* ARG lines that were met: for RUN's history. */
struct arg_value {
    const char *name, *value; /* value NULL: none */
};
struct arg_values {
    struct arg_value *items;
    size_t n, cap;
};

/* An ARG above the first FROM. */
struct global_arg {
    const struct arg *arg;
    struct source_lines where;
    const char *value;   /* NULL: none */
    struct strings used; /* by its default */
};

/* A stage while its instructions are converted. */
struct stage_state {
    bool is_done;
    struct edge root;
    struct image_config config;
    struct platform platform;
    struct env env;
    const char *cwd, *user;
    struct arg_values args;
    size_t step_index; /* of the last step that was named */
    bool has_cmd;      /* a CMD of this stage */
    bool has_workdir;  /* a WORKDIR of this file */
    bool is_guess;     /* stands on an image that is not known: its environment is not all here */
    /* Where the last of its kind was in this stage, { 0, 0 } before. */
    struct source_lines last_cmd, last_entrypoint, last_healthcheck;
};

struct build_stage;
struct step {
    const struct instruction *in;
    struct source_lines where; /* for errors: a trigger's is its FROM */
    bool is_trigger;
    struct build_stage *
        *sources; /* COPY: of --from; RUN: one per --mount, NULL where it has none */
    size_t n_sources;
};

enum base_type { BASE_SCRATCH, BASE_STAGE, BASE_IMAGE, BASE_CONTEXT };
struct build_stage {
    const struct stage *parsed; /* NULL: an image or context that only some --from names */
    const char *name;           /* "" when it has none */
    const char *label;          /* in names of steps: "build", "stage-1", or "" */
    const char *base_name;      /* after expansion */
    struct strings base_args, platform_args; /* variables in FROM */
    struct source_lines where;
    struct platform platform; /* of --platform; is_set false: none */
    enum base_type base_type;
    struct build_stage *base;           /* BASE_STAGE */
    struct context *context;            /* BASE_CONTEXT; borrowed */
    const struct resolved_image *image; /* borrowed */
    const char *image_label; /* BASE_IMAGE of a named context: its step's name; else NULL */
    bool is_replaced;        /* a named context stands in for it: no instruction counts */
    const char *replacement, *replacement_key; /* that context's value and name */
    bool is_reachable, is_resolved, ignores_cache;
    bool scans_stage, scans_context; /* see scan_targets.c */
    bool is_guess;                   /* `image` could not be resolved and is taken as empty */
    enum { VISIT_NONE, VISIT_UNDER_WAY, VISIT_DONE } visit;
    size_t n_steps_named; /* "5" of "[2/5]" */
    vec(struct step) steps;
    vec(struct build_stage *) deps;
    struct stage_state state;
};

struct converter {
    const struct dockerfile_options *o;
    const struct frontend_host *host;
    struct dockerfile_result *result;
    struct arena *arena; /* owned; gone with the converter */
    struct dockerfile *df;
    const char *file_name;
    struct span text;
    struct env globals;
    struct env default_globals; /* as they were without build arguments */
    vec(struct global_arg) global_args;
    struct platform build_platform, target_platform;
    const char *created;     /* of history; NULL: not known */
    bool takes_commit_times; /* files from git get their commit's time: SOURCE_DATE_EPOCH is it */
    struct exec_proxy proxy;
    vec(struct build_stage *) stages; /* owned; the file's in order, then those of --from */
    struct map stages_by_name, sources_by_name; /* borrowed; lower case, as written */
    struct build_stage *target;
    struct context main;
    vec(struct context *) contexts;      /* owned; named ones in use */
    vec(struct resolved_image *) images; /* owned, each for one platform */
    struct warning_list warnings;
    size_t n_early_warnings; /* from before the passes */
    /* Questions other than a build, see check.h and outline.h. */
    bool wants_all_stages;   /* not only what the target needs */
    struct unknown *unknown; /* NULL: an image that cannot be resolved is an error; else goes on */
    struct capture *capture; /* NULL: nobody asks */
    /* of one pass */
    bool is_last_pass;
    size_t n_bytes; /* what expansion and history made so far; see spend() */
    struct graph_builder *builder;
    const struct source_file *file;
};

/* convert.c */

/* Tells the place of an error, "Dockerfile:3: RUN x: ", and keeps it in the result.  Returns -1. */
int blame(struct converter *c, struct source_lines where, const char *text, struct err *err);
/* Counts bytes that grow with values of variables: a few lines can multiply them.  Fails: LIMIT
 * above LIMIT_GRAPH_BYTES in one pass. */
NODISCARD int spend(struct converter *c, size_t n, struct err *err);
void warn_at(struct converter *c, enum check_rule_id rule, struct source_lines where,
             const char *text);
/* The build argument, NULL when it is not given. */
const char *build_arg(const struct converter *c, const char *name);
/* Like Go's path.Join("/", p): absolute and clean. */
const char *rooted_path(const char *p, struct arena *a);

/* The life of a converter: init, load (reads the text, prepares the stages), passes, clear.
 * `result` is begun by init and borrowed. */
void converter_init(struct converter *c, struct span text, const struct dockerfile_options *o,
                    const struct frontend_host *host, struct dockerfile_result *result);
NODISCARD int converter_load(struct converter *c, struct err *err);
NODISCARD int converter_pass(struct converter *c, bool is_last, struct err *err);
/* Puts warnings into the result: those of the file and ours that the user wants to hear, by line.
 */
void converter_keep_warnings(struct converter *c);
/* Fails: INVALID when there are some and "check=error=true" says so. */
NODISCARD int converter_fail_on_warnings(struct converter *c, struct err *err);
void converter_clear(struct converter *c);

/* globals.c */
NODISCARD int globals_set(struct converter *c, struct err *err);

/* lint_values.c: nothing fails here */

/* FROM: names that no ARG declares; a platform that is always the same or said twice; a base name
 * that no image can have when no build argument is given. */
void check_from(struct converter *c, const struct stage *st, const struct shell_result *r);
void check_from_platform(struct converter *c, const struct stage *st, const struct shell_result *r);
void check_from_default(struct converter *c, const struct stage *st);
/* The image came for another machine than the one asked for. */
void check_base_platform(struct converter *c, const struct build_stage *s, const char *image,
                         const struct platform *have);

/* stages.c */

/* Makes the stages of the file, finds the target, the dependencies; resolves what is needed. */
NODISCARD int stages_prepare(struct converter *c, struct err *err);
void build_stage_free(struct build_stage *s);
/* Marks a path of a stage as used: it may stand on a context. */
void stage_uses_path(struct build_stage *s, const char *path);

/* base.c */

/* An image that could not be resolved, the first of them. */
struct unknown {
    bool is_set;
    struct err why;
    struct source_lines where;
};
/* Finds out what the stage begins with: asks the host.  Fails with the place told; where an unknown
 * image is no error, it is taken as empty and told in c->unknown. */
NODISCARD int base_resolve(struct converter *c, struct build_stage *s, struct err *err);
/* Looks for a named context that replaces the stage of this name. */
void base_replace(struct converter *c, struct build_stage *s);
/* Begins the stage's state in this pass. */
NODISCARD int base_begin(struct converter *c, struct build_stage *s, struct err *err);
void stage_state_clear(struct stage_state *st);
/* The same for what --from names, when that is no stage and not yet begun.  Whether it can be taken
 * from is then in s->state.is_done. */
NODISCARD int base_begin_source(struct converter *c, struct build_stage *s, struct err *err);
/* context.c */

/* The main context as the options have it. */
void context_main_set(struct converter *c);
/* The main context: reads its ignore rules if it is local. */
NODISCARD int context_open(struct converter *c, struct context *x, struct err *err);
NODISCARD int context_edge(struct converter *c, struct context *x, struct edge *out,
                           struct err *err);
void context_clear(struct context *x);
/* Says of a context's source what it is: "https://host/a.git" is git. */
enum context_type context_type_of(const char *source);

/* The value of the named context for `name`, NULL when there is none; *key is what it was given
 * as. */
const char *named_context_find(const struct converter *c, const struct platform *p,
                               const char *name, const char **key);

/* epoch.c */

/* Reads SOURCE_DATE_EPOCH; asks the host for the time of what it names. */
NODISCARD int epoch_set(struct converter *c, struct err *err);
/* Finds out whether it will name a source: sets takes_commit_times. */
void epoch_prepare(struct converter *c);
/* Where it does, files from git get their commit's time, so that there is one. */
struct git_ref;
void epoch_set_mtime(const struct converter *c, struct git_ref *g);

/* dispatch.c */

struct dispatch {
    struct converter *c;
    struct build_stage *stage;
    const struct step *step;
    const struct instruction *in;
    struct arena *arena;
};
/* lint_values.c again */
void check_unset(struct dispatch *d, const struct shell_result *r);
void check_secret(struct dispatch *d, const char *name);        /* of an ARG or ENV */
void check_once(struct dispatch *d, struct source_lines *last); /* CMD, ENTRYPOINT, HEALTHCHECK */
void check_shell_form(struct dispatch *d);
void check_workdir(struct dispatch *d, const char *path);
void check_port(struct dispatch *d, const char *text, bool is_lower, bool has_address);
/* A file that the ignore rules keep out of the main context, whose rules are read. */
void check_ignored(struct dispatch *d, const char *path);

/* Converts one step.  Fails with the place told. */
NODISCARD int dispatch_step(struct converter *c, struct build_stage *s, const struct step *step,
                            struct err *err);
/* Expands with the environment of the moment; warns of what is not set. */
NODISCARD int expand(struct dispatch *d, const char *word, const char **out, struct err *err);
NODISCARD int expand_all(struct dispatch *d, const struct strings *words, struct strings *out,
                         struct err *err);
/* "[stage 2/5] ", counting one step more; "" in a stage without steps. */
const char *step_prefix(struct converter *c, struct build_stage *s, const struct platform *p,
                        bool is_trigger, bool has_env);
/* The text of the instruction as a step's name: expanded where that is possible. */
NODISCARD int step_text(struct dispatch *d, const char *text, bool is_run, const char **out,
                        struct err *err);
/* What is said of a vertex; `ranges` has room for one. */
struct vertex_about step_about(struct dispatch *d, const char *name, struct source_range *range);
NODISCARD int history_add(struct dispatch *d, const char *text, bool has_layer, struct err *err);
/* "a b": the way Go prints a slice, without its brackets. */
const char *joined(const struct strings *l, struct arena *a);

/* dispatch_config.c, dispatch_run.c, dispatch_mount.c, dispatch_copy.c: one for each instruction */
typedef int (*dispatch_fn)(struct dispatch *d, struct err *err);
int dispatch_arg(struct dispatch *d, struct err *err);
int dispatch_cmd(struct dispatch *d, struct err *err);
int dispatch_copy(struct dispatch *d, struct err *err); /* ADD too */
int dispatch_entrypoint(struct dispatch *d, struct err *err);
int dispatch_env(struct dispatch *d, struct err *err);
int dispatch_expose(struct dispatch *d, struct err *err);
int dispatch_healthcheck(struct dispatch *d, struct err *err);
int dispatch_label(struct dispatch *d, struct err *err);
int dispatch_maintainer(struct dispatch *d, struct err *err);
int dispatch_onbuild(struct dispatch *d, struct err *err);
int dispatch_run(struct dispatch *d, struct err *err);
int dispatch_shell(struct dispatch *d, struct err *err);
int dispatch_stop_signal(struct dispatch *d, struct err *err);
int dispatch_user(struct dispatch *d, struct err *err);
int dispatch_volume(struct dispatch *d, struct err *err);
int dispatch_workdir(struct dispatch *d, struct err *err);

/* Sets the folder as WORKDIR does; gives the clean path. */
const char *workdir_set(struct build_stage *s, const char *path, struct arena *a);
/* The words of SHELL in front of the command, joined to one. */
struct strings with_shell(const struct build_stage *s, const struct strings *args, struct arena *a);
/* user[:group], as BuildKit reads it. */
struct owner owner_parse(const char *text, struct arena *a);

/* scan_targets.c */

/* Whether the argument is one of those that ask for scans, which are no variables of steps. */
bool scan_arg(struct dispatch *d, const char *name, const char *value);
/* Adds what is to be scanned behind edges[0] (room for all stages and one more), and its names to
 * the result. */
NODISCARD int scan_targets(struct converter *c, struct edge *edges, size_t *n, struct err *err);

/* The mounts, secrets and sockets of a RUN, added to `op`; env changes where a socket wants it. */
struct exec_parts {
    struct {
        struct op_mount *items;
        size_t n, cap;
    } mounts;
    struct {
        struct exec_secret_env *items;
        size_t n, cap;
    } secret_env;
    const char *ssh_socket; /* of the first --mount=type=ssh; NULL: none */
};
NODISCARD int run_mounts(struct dispatch *d, struct exec_parts *parts, struct err *err);
