/* engine/source/git_submodule.c - submodules: other repositories at the places that a commit names.
 *
 * .gitmodules is read from the commit, as data: of it only paths and URLs are used, and a path only
 * where the commit really has a submodule.  git's own submodule commands, which act on more of that
 * file, are not used. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/core/limits.h"
#include "base/core/map.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "engine/source/git_internal.h"

enum { DEPTH_MAX = 16, SUBMODULES_MAX = 1000 };

struct submodule {
    char *path, *url; /* owned; NULL when the file has none */
};
static void submodule_free(void *p)
{
    struct submodule *m = p;
    free(m->path);
    free(m->url);
    free(m);
}

/* ---- .gitmodules ---- */

/* One "submodule.NAME.KEY\nVALUE" of git config --list -z. */
static int read_setting(struct map *modules, struct span setting, struct err *err)
{
    struct span value = setting, key = span_cut(&value, '\n');
    ptrdiff_t dot = span_rfind(key, '.');
    if (!value.ptr || !span_starts(key, "submodule.") || dot < 10)
        return 0;
    AUTO_FREE char *name = span_dup(span_skip(span_first(key, (size_t)dot), 10));
    struct span what = span_skip(key, (size_t)dot + 1);
    struct submodule *m = map_find(modules, name);
    if (!m) {
        if (modules->n >= SUBMODULES_MAX)
            return err_set(err, ERR_LIMIT, ".gitmodules: more than %d submodules", SUBMODULES_MAX);
        map_set(modules, name, m = xcalloc(1, sizeof *m));
    }
    char **field = span_is(what, "path") ? &m->path : span_is(what, "url") ? &m->url : NULL;
    if (field) {
        free(*field);
        *field = span_dup(value);
    }
    return 0;
}

static int read_modules(const struct git_run *how, const char *commit, struct map *modules,
                        struct err *err)
{
    AUTO_FREE char *file = xasprintf("%s:.gitmodules", commit);
    AUTO_VALUE(process_result_clear) struct process_result r = { 0 };
    bool is_there = false;
    if (git_try(how, GIT_ARGS("cat-file", "-e", file), &is_there, err) || !is_there)
        return err->kind ? -1 : 0;
    if (git_run(how, GIT_ARGS("config", "--no-includes", "--blob", file, "--list", "-z"), &r, err))
        return err_wrap(err, ".gitmodules");
    struct span rest = buf_span(&r.out);
    while (rest.ptr && rest.len)
        if (read_setting(modules, span_cut(&rest, '\0'), err))
            return -1;
    return 0;
}

/* The commit that `path` is a submodule at; "" when it is none. */
static int find_commit(const struct git_run *how, const char *commit, const char *path, char *out,
                       struct err *err)
{
    AUTO_VALUE(process_result_clear) struct process_result r = { 0 };
    *out = '\0';
    if (git_run(how, GIT_ARGS("ls-tree", "-z", "--full-tree", commit, "--", path), &r, err))
        return -1;
    struct span rest = buf_span(&r.out), name = span_cut(&rest, '\0');
    struct span head = span_cut(&name, '\t');
    if (span_is(name, path) && span_starts(head, "160000 commit ") && head.len - 14 < GIT_HASH_MAX)
        snprintf(out, GIT_HASH_MAX, "%.*s", SPAN_ARG(span_skip(head, 14)));
    return 0;
}

/* ---- one submodule ---- */

/* The folder that git made at the place, where git will find it too: git takes a path, which no
 * symlink may lead elsewhere.  A tree that has a folder and a symlink of one name, which git does
 * not refuse, would lead out of the result. */
static int open_place(int fd, const char *path, int *out, struct err *err)
{
    AUTO_FD int at = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (at < 0)
        return err_sys(err, "open %s", path);
    for (struct span rest = span_of(path); rest.ptr;) {
        AUTO_FREE char *name = span_dup(span_cut(&rest, '/'));
        int next = -1;
        if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            return err_set(err, ERR_INVALID, "\"%s\" is no place inside of its repository", path);
        if (fs_open(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &next, err))
            return err_wrap(err, "its place is no folder");
        auto_close_fd(&at);
        at = next;
    }
    *out = STEAL_FD(at);
    return 0;
}

static int write_one(const struct git_run *parent, const struct submodule *m, const char *commit,
                     const char *path, int fd, int depth, struct err *err)
{
    AUTO_FREE char *url = git_url_resolve(parent->remote->url, m->url);
    AUTO_FREE char *place = xasprintf("%s/%s", path, m->path);
    AUTO_VALUE(git_remote_clear) struct git_remote remote = { 0 };
    AUTO_VALUE(git_mirror_clear) struct git_mirror mirror = { 0 };
    AUTO_FD int place_fd = -1;
    struct git_run how = { .source = parent->source,
                           .wish = parent->wish,
                           .remote = &remote,
                           .main_origin = parent->main_origin };
    struct git_commit at = { 0 };
    memcpy(at.object, commit, sizeof at.object);
    memcpy(at.commit, commit, sizeof at.commit);
    snprintf(at.ref, sizeof at.ref, "%s", commit);
    if (git_remote_parse(url, &remote, err) || git_mirror_fetch(&how, &at, &mirror, err) ||
        open_place(fd, m->path, &place_fd, err) || git_write_files(&how, commit, place, err))
        return -1;
    return git_write_submodules(&how, commit, place, place_fd, depth + 1, err);
}

int git_write_submodules(const struct git_run *how, const char *commit, const char *path, int fd,
                         int depth, struct err *err)
{
    AUTO_VALUE(map_clear) struct map modules = { .free_value = submodule_free };
    struct git_run inside = *how;
    inside.remote = NULL;
    if (depth >= DEPTH_MAX)
        return err_set(err, ERR_LIMIT, "submodules nest deeper than %d", DEPTH_MAX);
    if (read_modules(&inside, commit, &modules, err))
        return -1;
    map_each (&modules, e) {
        const struct submodule *m = e->value;
        char at[GIT_HASH_MAX + 1];
        if (!m->path || !*m->path)
            continue;
        if (find_commit(&inside, commit, m->path, at, err))
            return -1;
        if (!*at) /* listed, but the commit has nothing there */
            continue;
        if (!m->url || !*m->url)
            return err_set(err, ERR_INVALID, "submodule %s: .gitmodules has no URL of it", m->path);
        if (write_one(how, m, at, path, fd, depth, err))
            return err_wrap(err, "submodule %s", m->path);
    }
    return 0;
}
