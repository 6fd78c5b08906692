/* engine/source/git_checkout.c - from a mirror to plain files.
 *
 * git writes into a folder inside of the result; what was asked for (the subdir, found without
 * leaving that folder) is then moved up and the rest dropped.  Owner, modes and times do not depend
 * on who we are, on our umask or on the clock.
 *
 * A .git that is kept is a new repository with that one commit, fetched from the mirror: so nothing
 * of the mirror's other content, and no URL with credentials, is in it.  Its index is written
 * without times and inodes, and nothing in it tells when it was made. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "engine/source/git_internal.h"
#include "engine/source/tree.h"

/* An index file of its own for each checkout: a mirror serves several at once. */
static char *index_name(const struct git_run *how, const char *path)
{
    return xasprintf("%s/index-%ld-%p", how->git_dir, (long)getpid(), (const void *)path);
}

int git_write_files(struct git_run *how, const char *commit, const char *path, struct err *err)
{
    AUTO_VALUE(process_result_clear) struct process_result r = { 0 };
    AUTO_FREE char *index = index_name(how, path);
    AUTO_FREE char *lock = xasprintf("%s.lock", index);
    struct git_run inside = *how;
    inside.remote = NULL;
    inside.work_tree = path;
    inside.index = index;
    int status = git_run(&inside, GIT_ARGS("read-tree", "--reset", "-u", commit), &r, err);
    unlink(index);
    unlink(lock);
    return status;
}

/* ---- .git ---- */

/* The ref under which the commit is known: a branch or a tag stays one. */
static const char *kept_ref(const struct git_commit *at)
{
    return strncmp(at->ref, "refs/", 5) == 0 ? at->ref : "refs/kiln/head";
}

static int fetch_from_mirror(const struct git_run *how, const struct git_commit *at,
                             const char *git_dir, struct err *err)
{
    AUTO_VALUE(process_result_clear) struct process_result r = { 0 };
    AUTO_FREE char *mirror = xasprintf("file://%s", how->git_dir);
    AUTO_FREE char *refspec = xasprintf("+refs/kiln/%s:%s", at->object, kept_ref(at));
    struct git_run inside = {
        .source = how->source, .wish = how->wish, .git_dir = git_dir, .reads_mirror = true
    };
    return git_run(&inside,
                   GIT_ARGS("fetch", "--quiet", "--depth=1", "--no-tags", "--no-write-fetch-head",
                            "--no-auto-maintenance", "--update-head-ok", mirror, refspec),
                   &r, err);
}

static int write_git_dir(const struct git_run *how, const struct git_commit *at, const char *path,
                         struct err *err)
{
    AUTO_VALUE(process_result_clear) struct process_result r = { 0 };
    AUTO_FREE char *git_dir = xasprintf("%s/.git", path);
    AUTO_FREE char *format =
        xasprintf("--object-format=%s", strlen(at->object) == 64 ? "sha256" : "sha1");
    AUTO_FREE char *head = xasprintf("%s^{commit}", at->object), *commit = NULL;
    struct git_run outside = { .source = how->source, .wish = how->wish };
    struct git_run inside = outside;
    inside.git_dir = git_dir;
    if (git_run(&outside, GIT_ARGS("init", "--quiet", "--template=", format, path), &r, err) ||
        fetch_from_mirror(how, at, git_dir, err) ||
        git_ask(&inside, GIT_ARGS("rev-parse", "--verify", head), &commit, err))
        return -1;
    const char *const *steps[] = {
        GIT_ARGS("config", "remote.origin.url", how->remote->url),
        GIT_ARGS("config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*"),
        GIT_ARGS("update-ref", "--no-deref", "HEAD", commit),
        GIT_ARGS("read-tree", commit),
        /* Packed anew: how the mirror happens to be packed must not be seen. */
        GIT_ARGS("repack", "-a", "-d", "-f", "-q", "-n"),
    };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        AUTO_VALUE(process_result_clear) struct process_result one = { 0 };
        if (git_run(&inside, steps[i], &one, err))
            return -1;
    }
    return 0;
}

/* ---- attributes ---- */

struct settling {
    struct timespec time;
};

static int settle_one(void *arg, const struct tree_entry *e, struct err *err)
{
    const struct settling *s = arg;
    const struct node_stat *st = &e->stat;
    mode_t mode = S_ISDIR(st->mode) || (st->mode & S_IXUSR) ? 0755 : 0644;
    const struct timespec times[2] = { s->time, s->time };
    if (!*e->path) /* the root of the result is nobody's file */
        return 0;
    bool is_as_wanted =
        st->uid == 0 && st->gid == 0 && (S_ISLNK(st->mode) || (st->mode & 07777) == mode);
    if (!is_as_wanted && node_set_attributes(e->dir_fd, e->name, 0, 0, mode, err))
        return err_wrap(err, "%s", e->path);
    if (utimensat(e->dir_fd, e->name, times, AT_SYMLINK_NOFOLLOW) < 0)
        return err_sys(err, "set the time of %s", e->path);
    return 0;
}

static int find_time(const struct git_run *how, const struct git_commit *at, struct timespec *out,
                     struct err *err)
{
    AUTO_FREE char *text = NULL, *commit = xasprintf("%s^{commit}", at->object);
    struct git_run inside = *how;
    inside.remote = NULL;
    *out = (struct timespec){ 0 };
    if (how->wish->uses_own_time) {
        clock_gettime(CLOCK_REALTIME, out);
        return 0;
    }
    if (git_ask(&inside, GIT_ARGS("log", "-1", "--no-show-signature", "--format=%ct", commit),
                &text, err))
        return -1;
    uint64_t seconds = 0;
    if (span_u64(span_of(text), INT32_MAX * UINT64_C(4), &seconds))
        out->tv_sec = (time_t)seconds;
    return 0;
}

static int settle_all(const struct git_run *how, const struct git_commit *at, int fd,
                      struct err *err)
{
    struct settling s;
    AUTO(tree_free) struct tree *t = tree_of_folder(fd, NULL);
    struct tree_walk walk = { .visit = settle_one, .arg = &s, .cancel = how->wish->cancel };
    return find_time(how, at, &s.time, err) || tree_walk(t, "", &walk, err) ? -1 : 0;
}

/* ---- the part that was asked for ---- */

static int move_up(int from_fd, int to_fd, struct err *err)
{
    AUTO_VALUE(str_list_clear) struct str_list names = { 0 };
    if (fs_list(from_fd, ".", &names, err))
        return -1;
    vec_each (&names, name)
        if (renameat(from_fd, *name, to_fd, *name) < 0)
            return err_sys(err, "move %s", *name);
    return 0;
}

static int take_part(const struct git_run *how, const char *stage, int fd, struct err *err)
{
    AUTO_FD int stage_fd = -1, part_fd = -1;
    const char *subdir = *how->wish->subdir ? how->wish->subdir : ".";
    if (fs_open(fd, stage, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &stage_fd, err))
        return -1;
    if (fs_open_in_root(stage_fd, subdir, O_RDONLY | O_DIRECTORY, 0, &part_fd, err)) {
        if (err->kind == ERR_NOT_FOUND)
            return err_set(err, ERR_NOT_FOUND, "its folder \"%s\" is not there", subdir);
        return err_wrap(err, "its folder \"%s\"", subdir);
    }
    return move_up(part_fd, fd, err) || fs_remove_tree(fd, stage, err) ? -1 : 0;
}

static bool is_whole(const char *subdir)
{
    return strspn(subdir, "/.") == strlen(subdir);
}

/* ---- all of it ---- */

static int check_out(struct git_run *how, const struct git_commit *at, const char *path, int fd,
                     struct err *err)
{
    /* No entry of the commit can be called so: it would have to know its own hash. */
    AUTO_FREE char *stage = xasprintf(".kiln-%s", at->object);
    AUTO_FREE char *stage_path = xasprintf("%s/%s", path, stage);
    AUTO_FD int stage_fd = -1;
    const struct git_wish *q = how->wish;
    if (mkdirat(fd, stage, 0755) < 0)
        return err_sys(err, "make %s", stage);
    if (git_write_files(how, at->object, stage_path, err) ||
        fs_open(fd, stage, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &stage_fd, err) ||
        (!q->skips_submodules &&
         git_write_submodules(how, at->object, stage_path, stage_fd, 0, err)) ||
        (q->keeps_git_dir && is_whole(q->subdir) && write_git_dir(how, at, stage_path, err)))
        return -1;
    return take_part(how, stage, fd, err) || settle_all(how, at, fd, err) ? -1 : 0;
}

int git_source_checkout(struct git_source *s, const struct git_wish *q, const struct git_commit *at,
                        const char *path, int fd, struct err *err)
{
    AUTO_VALUE(git_remote_clear) struct git_remote remote = { 0 };
    AUTO_VALUE(git_mirror_clear) struct git_mirror mirror = { 0 };
    if (git_remote_parse(q->remote, &remote, err))
        return -1;
    struct git_run how = {
        .source = s, .wish = q, .remote = &remote, .main_origin = remote.origin
    };
    if (git_settings_write(s, err) || git_mirror_fetch(&how, at, &mirror, err) ||
        check_out(&how, at, path, fd, err))
        return err->kind == ERR_CANCELED ? -1 : err_wrap(err, "%s", remote.shown);
    return 0;
}
