/* engine/source/git_internal.h - what the files of the git source share. */
#pragma once
#include "base/core/vec.h"
#include "base/sys/process.h"
#include "engine/source/git_source.h"

struct git_source {
    struct store *store; /* borrowed */
    char *folder;        /* owned; STORE/git */
};

/* ---- git_remote.c: where a repository is ---- */

enum git_transport { GIT_HTTP, GIT_SSH, GIT_DAEMON };
struct git_remote {
    enum git_transport transport;
    char *url;    /* owned; without user and password where those are credentials */
    char *shown;  /* owned; for messages */
    char *host;   /* owned; with the port, as secrets are named */
    char *origin; /* owned; "https://host:port/" */
    char *basic;  /* owned, a secret; "Basic ..." from user and password in the URL, or NULL */
};
/* Fails: UNSUPPORTED (ext::, file://, paths, ...), INVALID. */
NODISCARD int git_remote_parse(const char *text, struct git_remote *out, struct err *err);
void git_remote_clear(struct git_remote *r);
/* A submodule's URL as its repository has it: "./x" and "../x" are below or beside `parent`. */
char *git_url_resolve(const char *parent, const char *url);

/* ---- git_run.c: the program ---- */

struct git_run {
    struct git_source *source;
    const struct git_wish *wish;
    const struct git_remote *remote;         /* NULL: nothing is fetched */
    const char *main_origin;                 /* of the wish's remote */
    const char *git_dir, *work_tree, *index; /* NULL: none */
    bool reads_mirror;                       /* "remote" is a folder of ours */
};
/* Runs it: args[0] is the command ("fetch"), NULL ends them.  Status 0 or an error: with what git
 * said last. */
NODISCARD int git_run(const struct git_run *how, const char *const *args,
                      struct process_result *out, struct err *err);
/* The same; *is_good false instead of an error when git says no to what needs no server. */
NODISCARD int git_try(const struct git_run *how, const char *const *args, bool *is_good,
                      struct err *err);
/* What it printed, without the last line's end; the caller's. */
NODISCARD int git_ask(const struct git_run *how, const char *const *args, char **out,
                      struct err *err);
#define GIT_ARGS(...) ((const char *const[]){ __VA_ARGS__, NULL })
NODISCARD int git_settings_write(struct git_source *s, struct err *err);
bool git_is_hash(const char *text); /* a whole one */
bool git_is_hash_part(const char *text);

/* ---- git_mirror.c ---- */

struct git_mirror {
    char *path; /* owned */
};
void git_mirror_clear(struct git_mirror *m);
void git_mirror_kind_add(struct git_source *s);
/* The mirror of how->remote holds `at` afterwards, and a ref refs/kiln/OBJECT to it.  `how` gets
 * its git_dir. */
NODISCARD int git_mirror_fetch(struct git_run *how, const struct git_commit *at,
                               struct git_mirror *out, struct err *err);
/* The one commit that begins with `part`; all that the remote has is fetched for it. */
NODISCARD int git_mirror_find(struct git_run *how, const char *part, struct git_commit *out,
                              struct err *err);

/* ---- git_checkout.c, git_submodule.c ---- */

/* The files of a commit in the mirror `how->git_dir` into the empty folder at `path`. */
NODISCARD int git_write_files(struct git_run *how, const char *commit, const char *path,
                              struct err *err);
/* The submodules of a commit, into their places below `path` (open as `fd`), and theirs. */
NODISCARD int git_write_submodules(const struct git_run *how, const char *commit, const char *path,
                                   int fd, int depth, struct err *err);
