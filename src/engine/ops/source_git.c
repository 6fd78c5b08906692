/* engine/ops/source_git.c - git://HOST/PATH#REF:SUBDIR: the files of a repository at one commit.
 *
 * The identifier is the same for all ways of reaching a repository; git.fullurl says which one it
 * is.  The key is the commit and what is made of it, as BuildKit has it, so that the same commit
 * from elsewhere, or under another branch, is the same result.
 *
 * Secrets: git.authheadersecret and git.authtokensecret name them (GIT_AUTH_HEADER,
 * GIT_AUTH_TOKEN); NAME.HOST is for one host, submodules on others included.
 *
 * Spec: BuildKit source/git. */
#include <stdlib.h>
#include <string.h>

#include "base/codec/text.h"
#include "base/core/mem.h"
#include "engine/ops/source.h"
#include "engine/ops/ssh.h"
#include "engine/source/git_source.h"

#define PREFIX "git://"

/* A vertex as a wish. */
struct git_asked {
    struct ops *ops;
    const char *header_secret, *token_secret; /* NULL: none */
    struct git_access access;
    struct git_wish wish;
    char *remote, *ref; /* owned */
};

static void git_asked_clear(struct git_asked *a)
{
    free(a->remote);
    free(a->ref);
}

/* ---- secrets ---- */

/* Of the two secrets that may be called so, the header's value; NULL: nobody gave one. */
static int read_secrets(const struct git_asked *a, const char *suffix, char **out, struct err *err)
{
    AUTO(secret_free) char *token = NULL;
    AUTO_VALUE(secret_clear) struct buf encoded = { 0 };
    AUTO_FREE char *header_id = xasprintf("%s%s", a->header_secret ? a->header_secret : "", suffix);
    AUTO_FREE char *token_id = xasprintf("%s%s", a->token_secret ? a->token_secret : "", suffix);
    buf_init(&encoded, 2 * LIMIT_SECRET);
    if (a->header_secret && (authorization_read(a->ops, header_id, "", out, err) || *out))
        return err->kind ? -1 : 0;
    if (!a->token_secret || authorization_read(a->ops, token_id, "x-access-token:", &token, err) ||
        !token)
        return err->kind ? -1 : 0;
    base64_print(span_of(token), &encoded);
    *out = xasprintf("basic %s", encoded.data);
    return 0;
}

static int find_authorization(void *arg, const char *host, bool is_main, char **out,
                              struct err *err)
{
    const struct git_asked *a = arg;
    AUTO_FREE char *suffix = xasprintf(".%s", host);
    *out = NULL;
    if (read_secrets(a, suffix, out, err) || *out || !is_main)
        return err->kind ? -1 : 0;
    return read_secrets(a, "", out, err);
}

static int find_agent(void *arg, const char **path, struct err *err)
{
    const struct git_asked *a = arg;
    return ssh_agents_find(a->ops->agents, a->access.ssh_id, a->wish.cancel, path, err);
}

/* ---- the vertex ---- */

static bool is_on(const struct vertex *v, const char *attr)
{
    const char *text = pairs_find(&v->source.attrs, attr);
    return text && strcmp(text, "true") == 0;
}

static const char *attr_of(const struct vertex *v, const char *attr)
{
    const char *text = pairs_find(&v->source.attrs, attr);
    return text && *text ? text : NULL;
}

static bool has_transport(const char *url)
{
    return strstr(url, "://") || strchr(url, '@');
}

/* `a` must stay where it is: the wish points into it. */
static int read_vertex(struct ops *ops, const struct vertex *v, struct git_asked *a,
                       struct err *err)
{
    const char *url = attr_of(v, ATTR_GIT_FULL_URL), *mtime = attr_of(v, ATTR_GIT_MTIME);
    const char *ssh = attr_of(v, ATTR_GIT_MOUNT_SSH);
    struct span fragment = span_of(v->source.identifier + strlen(PREFIX));
    struct span id = span_cut(&fragment, '#'), subdir = fragment, ref = span_cut(&subdir, ':');
    if (!ops->o.git)
        return err_set(err, ERR_UNSUPPORTED, "no repositories are fetched here");
    a->ops = ops;
    a->header_secret = attr_of(v, ATTR_GIT_AUTH_HEADER_SECRET);
    a->token_secret = attr_of(v, ATTR_GIT_AUTH_TOKEN_SECRET);
    a->remote = !url                 ? xasprintf("https://%.*s", SPAN_ARG(id))
                : has_transport(url) ? xstrdup(url)
                                     : xasprintf("https://%s", url);
    a->ref = span_dup(ref);
    a->access = (struct git_access){ .authorization = find_authorization,
                                     .ssh_agent = find_agent,
                                     .arg = a,
                                     .ssh_id = ssh ? ssh : "default",
                                     .known_hosts = attr_of(v, ATTR_GIT_KNOWN_HOSTS) };
    const char *checksum = attr_of(v, ATTR_GIT_CHECKSUM);
    a->wish = (struct git_wish){ .remote = a->remote,
                                 .ref = a->ref,
                                 .subdir = subdir.len ? subdir.ptr : "",
                                 .checksum = checksum ? checksum : "",
                                 .keeps_git_dir = is_on(v, ATTR_GIT_KEEP_DIR),
                                 .skips_submodules = is_on(v, ATTR_GIT_SKIP_SUBMODULES),
                                 .is_by_commit = is_on(v, ATTR_GIT_FETCH_BY_COMMIT),
                                 .uses_own_time = mtime && strcmp(mtime, "checkout") == 0,
                                 .access = &a->access };
    return 0;
}

static struct digest git_digest(const struct vertex *v, const struct git_wish *q,
                                const struct git_commit *at)
{
    AUTO_VALUE(buf_clear) struct buf key = { 0 };
    const char *mtime = attr_of(v, ATTR_GIT_MTIME);
    buf_init(&key, SIZE_MAX);
    buf_puts(&key, q->keeps_git_dir ? at->object : at->commit);
    if (q->keeps_git_dir)
        buf_printf(&key, ".git#%s", at->ref);
    if (*q->subdir)
        buf_printf(&key, ":%s", q->subdir);
    if (q->skips_submodules)
        buf_puts(&key, "(skip-submodules)");
    if (mtime)
        buf_printf(&key, "(mtime-%s)", mtime);
    return source_digest(key.data);
}

static int git_key(struct ops *ops, const struct vertex *v, struct op_key *out,
                   const struct cancel *cancel, struct err *err)
{
    AUTO_VALUE(git_asked_clear) struct git_asked a = { 0 };
    struct git_commit at;
    *out = (struct op_key){ 0 };
    if (read_vertex(ops, v, &a, err))
        return -1;
    a.wish.cancel = cancel;
    if (!pin_find(ops, v, &at, sizeof at)) {
        if (git_source_resolve(ops->o.git, &a.wish, &at, err))
            return -1;
        pin_keep(ops, v, &at, sizeof at);
    }
    out->digest = git_digest(v, &a.wish, &at);
    struct git_commit *kept = xcalloc(1, sizeof *kept);
    *kept = at;
    answer_keep(ops, v, kept);
    return 0;
}

static int git_op_run(struct ops *ops, const struct op_run *run, struct err *err)
{
    AUTO_VALUE(git_asked_clear) struct git_asked a = { 0 };
    AUTO(work_close) struct work *work = NULL;
    const struct git_commit *at = answer_find(ops, run->vertex);
    struct snapshot *made = NULL;
    if (!at)
        return err_set(err, ERR_INVALID, "it was not asked which commit is meant");
    if (read_vertex(ops, run->vertex, &a, err))
        return -1;
    a.wish.cancel = run->cancel;
    if (work_open(ops->o.snapshots, NULL, run->cancel, &work, err) ||
        git_source_checkout(ops->o.git, &a.wish, at, work_path(work), work_fd(work), err) ||
        work_commit(work, run->cancel, &made, err))
        return -1;
    run->outputs[0] = result_of_snapshot(made);
    return 0;
}

const struct scheme git_scheme = { PREFIX, git_key, git_op_run };
