/* engine/source/git_resolve.c - which commit a ref stands for.
 *
 * `git ls-remote` lists what the server has of that name.  A name that several things have: the
 * full ref first, then the branch, then the tag, as BuildKit and git checkout prefer them.  What
 * the server knows no ref of may be the beginning of a commit: only a mirror with everything in it
 * can tell. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/core/mem.h"
#include "engine/source/git_internal.h"

enum { PART_MIN = 7 };

static void set_hash(char *to, struct span hash)
{
    snprintf(to, GIT_HASH_MAX, "%.*s", SPAN_ARG(hash));
}

static int set_ref(struct git_commit *out, const char *ref, struct err *err)
{
    if (strlen(ref) >= sizeof out->ref)
        return err_set(err, ERR_LIMIT, "a ref of %zu bytes", strlen(ref));
    snprintf(out->ref, sizeof out->ref, "%s", ref);
    return 0;
}

/* The hash that ls-remote prints for a ref; "" when it has no such line. */
static void find_line(const char *lines, const char *ref, char *hash)
{
    struct span rest = span_of(lines);
    *hash = '\0';
    while (rest.ptr && rest.len) {
        struct span name = span_cut(&rest, '\n'), value = span_cut(&name, '\t');
        if (span_is(name, ref) && value.len < GIT_HASH_MAX)
            set_hash(hash, value);
    }
}

static int check_hash(const char *hash, struct err *err)
{
    return git_is_hash(hash) ? 0
                             : err_set(err, ERR_INVALID, "git ls-remote: \"%s\" is no hash", hash);
}

/* ---- the default branch ---- */

static int ask_head(const struct git_run *how, struct git_commit *out, struct err *err)
{
    AUTO_FREE char *lines = NULL;
    if (git_ask(how, GIT_ARGS("ls-remote", "--symref", "--", how->remote->url, "HEAD"), &lines,
                err))
        return -1;
    const char *start = strncmp(lines, "ref: ", 5) == 0 ? lines + 5 : NULL;
    AUTO_FREE char *ref = start ? xstrndup(start, strcspn(start, "\t\n")) : xstrdup("HEAD");
    find_line(lines, "HEAD", out->object);
    if (!*out->object) {
        err_set(err, ERR_NOT_FOUND, "its HEAD names no branch that is there");
        return err_hint(err, "name a branch or tag behind the URL: #BRANCH");
    }
    memcpy(out->commit, out->object, sizeof out->commit);
    return set_ref(out, ref, err) || check_hash(out->object, err) ? -1 : 0;
}

/* ---- a name ---- */

static const char *without(const char *text, const char *prefix)
{
    size_t len = strlen(prefix);
    return strncmp(text, prefix, len) == 0 ? text + len : text;
}

/* Takes one of the forms of a ref when it is there; a tag is followed to its commit. */
static int take_form(const char *lines, const char *ref, struct git_commit *out, struct err *err)
{
    AUTO_FREE char *peeled = xasprintf("%s^{}", ref);
    find_line(lines, ref, out->object);
    if (!*out->object)
        return 0;
    find_line(lines, peeled, out->commit);
    if (!*out->commit)
        memcpy(out->commit, out->object, sizeof out->commit);
    return set_ref(out, ref, err) || check_hash(out->object, err) || check_hash(out->commit, err)
               ? -1
               : 0;
}

static int ask_ref(struct git_run *how, const char *ref, struct git_commit *out, struct err *err)
{
    AUTO_FREE char *peeled = xasprintf("%s^{}", ref), *lines = NULL;
    AUTO_FREE char *full = xasprintf("refs/%s", without(ref, "refs/"));
    AUTO_FREE char *branch = xasprintf("refs/heads/%s", without(ref, "refs/heads/"));
    AUTO_FREE char *tag = xasprintf("refs/tags/%s", without(ref, "refs/tags/"));
    const char *const forms[] = { full, branch, tag };
    if (git_ask(how, GIT_ARGS("ls-remote", "--", how->remote->url, ref, peeled), &lines, err))
        return -1;
    for (size_t i = 0; i < 3; i++)
        if (take_form(lines, forms[i], out, err) || *out->object)
            return err->kind ? -1 : 0;
    if (git_is_hash_part(ref) && strlen(ref) >= PART_MIN)
        return git_mirror_find(how, ref, out, err);
    err_set(err, ERR_NOT_FOUND, "it has no branch, tag or commit \"%s\"", ref);
    return -1;
}

/* ---- */

static int check_checksum(const struct git_wish *q, const struct git_commit *at, struct err *err)
{
    size_t len = strlen(q->checksum);
    if (!len || strncmp(at->object, q->checksum, len) == 0 ||
        strncmp(at->commit, q->checksum, len) == 0)
        return 0;
    bool is_tag = strcmp(at->object, at->commit) != 0;
    err_set(err, ERR_CORRUPT, "\"%s\" is commit %s%s%s, but the checksum is %s",
            *q->ref ? q->ref : at->ref, at->commit, is_tag ? " by tag " : "",
            is_tag ? at->object : "", q->checksum);
    return err_hint(err, "the ref was moved, or the checksum is another's");
}

static int resolve(struct git_run *how, struct git_commit *out, struct err *err)
{
    const struct git_wish *q = how->wish;
    assert(q->ref && q->checksum);
    if (*q->checksum && !git_is_hash_part(q->checksum))
        return err_set(err, ERR_INVALID, "the checksum \"%s\" is no commit in hex", q->checksum);
    const char *known = git_is_hash(q->ref) ? q->ref : q->is_by_commit ? q->checksum : NULL;
    if (known && !git_is_hash(known)) {
        err_set(err, ERR_INVALID, "fetch-by-commit needs a whole commit as its checksum");
        return err_hint(err, "?checksum= (or ADD --checksum) with all its digits");
    }
    if (known) {
        set_hash(out->object, span_of(known));
        set_hash(out->commit, span_of(known));
        return set_ref(out, *q->ref ? q->ref : known, err);
    }
    return *q->ref ? ask_ref(how, q->ref, out, err) : ask_head(how, out, err);
}

int git_source_resolve(struct git_source *s, const struct git_wish *q, struct git_commit *out,
                       struct err *err)
{
    AUTO_VALUE(git_remote_clear) struct git_remote remote = { 0 };
    *out = (struct git_commit){ 0 };
    if (git_remote_parse(q->remote, &remote, err))
        return -1;
    struct git_run how = {
        .source = s, .wish = q, .remote = &remote, .main_origin = remote.origin
    };
    if (git_settings_write(s, err) || resolve(&how, out, err) || check_checksum(q, out, err))
        return err->kind == ERR_CANCELED ? -1 : err_wrap(err, "%s", remote.shown);
    return 0;
}
