/* engine/source/git_source.h - files of a git repository at one commit.
 *
 * The work is done by the program `git` (docs/decisions/020-git-as-a-program.md), shut off from
 * everything that could make it do more: no configuration but ours, no hooks, no prompts, no
 * protocols but http, https, ssh and git, no helpers.  What comes is a tree of plain files.
 *
 * Each remote has a bare mirror in the store, git/HEX, to which only what is asked for is fetched,
 * without history where the server lets us.  It is shared by all builds, locked by git/HEX.lock
 * while it is written to, and an object of the store ("git:HEX"): collected when nobody used it for
 * long.
 *
 * Secrets reach git in its environment, never its arguments, and go to the host they are for alone.
 *
 * Spec: BuildKit source/git.  Threads: locked inside. */
#pragma once
#include "base/core/cancel.h"
#include "image/store/store.h"

struct git_source;
NODISCARD int git_source_open(struct store *st, struct git_source **out, struct err *err);
void git_source_close(struct git_source *s);
DEFINE_AUTO(struct git_source, git_source_close)

/* Who we are to servers; all borrowed. */
struct git_access {
    /* The value of the Authorization header for a host: *out (the caller's, wiped by it) NULL when
     * there is none.  is_main: for the origin of the wish's own remote; else for that of a
     * submodule elsewhere. */
    int (*authorization)(void *arg, const char *host, bool is_main, char **out, struct err *err);
    /* The socket of an ssh agent: *path NULL when nobody gave one.  Asked when one is needed. */
    int (*ssh_agent)(void *arg, const char **path, struct err *err);
    void *arg;
    const char *ssh_id;      /* what the agent is called: "default" */
    const char *known_hosts; /* lines of a known_hosts file; NULL or "": hosts are trusted when seen
                                first */
};
struct git_wish {
    const char *remote; /* http(s)://, ssh://, git:// or USER@HOST:PATH */
    const char *ref;    /* branch, tag, full ref, commit or beginning of one; "": default branch */
    const char *subdir; /* "": all */
    const char *checksum; /* beginning of the commit (or tag) that it must be; "": any */
    bool keeps_git_dir;   /* .git too; not with a subdir */
    bool skips_submodules;
    bool is_by_commit;  /* the checksum is the commit: its ref is not asked for */
    bool uses_own_time; /* files get the time of now instead of the commit's */
    const struct git_access *access;
    const struct cancel *cancel;
};

enum { GIT_HASH_MAX = 64 + 1 };
/* What a ref stands for. */
struct git_commit {
    char object[GIT_HASH_MAX]; /* the commit, or an annotated tag of it */
    char commit[GIT_HASH_MAX]; /* the commit, as far as it is known without fetching */
    char ref[256];             /* "refs/heads/main"; the commit itself where that was asked for */
};

/* One question to the server, and none for a whole commit.  Fails: NOT_FOUND (repository, ref),
 * DENIED, NETWORK, TIMEOUT, INVALID (not what the checksum says, URL), UNSUPPORTED (scheme),
 * each with what git said; hints say which secret would help. */
NODISCARD int git_source_resolve(struct git_source *s, const struct git_wish *q,
                                 struct git_commit *out, struct err *err);
/* Puts the files into the empty folder at `path`, open as `fd`: owner 0:0, files 0644 or 0755,
 * folders 0755.  Fetches what the mirror has not got. */
NODISCARD int git_source_checkout(struct git_source *s, const struct git_wish *q,
                                  const struct git_commit *at, const char *path, int fd,
                                  struct err *err);
