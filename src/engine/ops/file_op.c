/* engine/ops/file_op.c - copy, mkdir, mkfile, rm, symlink: a chain of actions on one root.
 *
 * All actions of an operation change one work, each on the result of the one before, and the last
 * is the output: one layer. Sources of copies are other inputs of the operation; of these content()
 * tells what is read, so that the result depends on what they hold and not on how it came about.
 *
 * Spec: BuildKit solver/llbsolver/file, tonistiigi/fsutil copy; what was seen by trying in
 * docs/decisions. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "engine/ops/key.h"

/* ---- keys ---- */

static bool is_changed_input(const struct vertex *v, size_t i)
{
    for (size_t k = 0; k < v->file.n_actions; k++)
        if (v->file.actions[k].input == (int32_t)i)
            return true;
    return false;
}

static int file_key(void *arg, const struct vertex *v, struct arena *a, struct op_key *out,
                    const struct cancel *cancel, struct err *err)
{
    (void)arg, (void)cancel, (void)err;
    struct op_key_input *inputs = arena_alloc(a, sizeof *inputs * (v->n_inputs + 1));
    for (size_t i = 0; i < v->n_inputs; i++) {
        AUTO_VALUE(key_paths_clear) struct key_paths paths = { 0 };
        file_input_paths(v, i, &paths);
        if (paths.n)
            inputs[i] = (struct op_key_input){ true, file_selector(&paths), key_order(&paths) };
    }
    *out = (struct op_key){ .digest = key_of_file(v), .inputs = inputs };
    return 0;
}

static int file_content(void *arg, const struct vertex *v, size_t i, struct result *r,
                        struct digest *out, const struct cancel *cancel, struct err *err)
{
    AUTO_VALUE(key_paths_clear) struct key_paths paths = { 0 };
    file_input_paths(v, i, &paths);
    return key_content(arg, r, &paths, cancel, out, err);
}

/* ---- running ---- */

/* The actions at work on one root. */
struct change_run {
    struct ops *ops;
    const struct op_run *run;
    int root_fd;
};

/* Names are looked up in the root being changed, or in the input that the action names. */
static int find_owner(struct change_run *c, const struct owner *o, struct copy_owner *out,
                      struct err *err)
{
    *out = (struct copy_owner){ 0 };
    if (!o->is_set)
        return 0;
    uint32_t uid = 0, primary = 0;
    AUTO_VALUE(opened_close) struct opened opened = { 0 };
    int fd = c->root_fd;
    int32_t input = o->user.kind == OWNER_NAME    ? o->user.input
                    : o->group.kind == OWNER_NAME ? o->group.input
                                                  : -1;
    if (input >= 0 && !is_changed_input(c->run->vertex, (size_t)input)) {
        if (result_open(c->ops, c->run->inputs[input], c->run->cancel, &opened, err))
            return -1;
        fd = tree_fd(opened.tree);
    }
    if (o->user.kind == OWNER_ID)
        uid = primary = o->user.id;
    else if (o->user.kind == OWNER_NAME)
        account_find_user(fd, o->user.name, &uid, &primary); /* BuildKit: 0 when absent */
    *out = (struct copy_owner){ .is_set = true, .uid = uid, .gid = primary };
    if (o->group.kind == OWNER_ID)
        out->gid = o->group.id;
    else if (o->group.kind == OWNER_NAME)
        account_find_group(fd, o->group.name, &out->gid);
    return 0;
}

/* Opens the folder that holds `path` ("/..."); *name: the last part. */
static int open_folder_of(const struct change_run *c, const char *path, int *fd, const char **name,
                          struct err *err)
{
    const char *slash = strrchr(path, '/');
    AUTO_FREE char *parent = slash > path ? xstrndup(path, (size_t)(slash - path)) : xstrdup("/");
    *name = slash + 1;
    return fs_open_in_root(c->root_fd, parent, O_RDONLY | O_DIRECTORY, 0, fd, err);
}

static int apply_mkdir(struct change_run *c, const struct op_action *a, struct err *err)
{
    struct new_folder folder = { .mode = (mode_t)a->mode, .timestamp_ns = a->timestamp_ns };
    AUTO_FD int above = -1;
    const char *name;
    if (find_owner(c, &a->owner, &folder.owner, err) ||
        (!a->makes_parents && open_folder_of(c, a->path, &above, &name, err)))
        return err_wrap(err, "make the folder %s", a->path);
    return make_folders(c->root_fd, a->path, &folder, err);
}

static int apply_mkfile(struct change_run *c, const struct op_action *a, struct err *err)
{
    struct copy_owner owner = { 0 };
    AUTO_FD int folder = -1, fd = -1;
    AUTO_FREE char *path = follow_links(c->root_fd, a->path);
    const char *name;
    if (find_owner(c, &a->owner, &owner, err) || open_folder_of(c, path, &folder, &name, err) ||
        fs_open(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600, &fd, err) ||
        fs_write_all(fd, a->data, err) ||
        node_set_attributes(folder, name, owner.uid, owner.gid, (mode_t)a->mode, err) ||
        set_timestamp(folder, name, a->timestamp_ns, err))
        return err_wrap(err, "write %s", a->path);
    return 0;
}

static int apply_symlink(struct change_run *c, const struct op_action *a, struct err *err)
{
    struct copy_owner owner = { 0 };
    AUTO_FD int folder = -1;
    const char *name;
    if (find_owner(c, &a->owner, &owner, err) || open_folder_of(c, a->path, &folder, &name, err))
        return err_wrap(err, "link %s", a->path);
    if (symlinkat(a->target, folder, name) < 0)
        return err_sys(err, "link %s", a->path);
    if (node_set_owner(folder, name, owner.uid, owner.gid, err))
        return err_wrap(err, "link %s", a->path);
    return set_timestamp(folder, name, a->timestamp_ns, err);
}

static int apply_rm(struct change_run *c, const struct op_action *a, struct err *err)
{
    AUTO(tree_free) struct tree *t = tree_of_folder(c->root_fd, &c->ops->o.ids);
    AUTO_VALUE(str_list_clear) struct str_list found = { 0 };
    if (tree_find(t, a->path, a->has_wildcards, false, &found, err))
        return -1;
    if (found.n == 0 && !a->may_be_missing)
        return err_set(err, ERR_NOT_FOUND, "remove %s: not there", a->path);
    vec_each (&found, path) {
        AUTO_FD int folder = -1;
        const char *name;
        AUTO_FREE char *rooted = xasprintf("/%s", *path);
        if (!**path)
            return err_set(err, ERR_INVALID, "remove %s: that is the root", a->path);
        if (open_folder_of(c, rooted, &folder, &name, err) || fs_remove_tree(folder, name, err))
            return err_wrap(err, "remove %s", a->path);
    }
    return 0;
}

/* The n-th of the ignore file's lines that are patterns, as the front end counts them. */
static struct span ignore_line(const char *lines, int n)
{
    struct span rest = span_of(lines), one = SPAN("?");
    for (int i = 0; i < n && rest.ptr; i++)
        one = span_cut(&rest, ' ');
    return one;
}

/* Why nothing was found: hidden by a line of the ignore file, or not there at all. */
static int fail_missing(struct change_run *c, const struct op_action *a, const struct tree *t,
                        const char *path, struct err *err)
{
    int line = 0;
    AUTO_FREE char *rooted = xasprintf("/%s", path);
    AUTO_FREE char *clean = pattern_clean(span_of(rooted));
    const char *shown = clean + strspn(clean, "/");
    if (!tree_is_context(t)) {
        err_set(err, ERR_NOT_FOUND, "\"%s\": not found", path);
        return err_hint(err, "looked in the root file system that COPY --from names");
    }
    err_set(err, ERR_NOT_FOUND, "\"%s\": not in the build context", shown);
    if (!tree_hides(t, shown, &line) || line == 0)
        return -1;
    const struct pairs *about = &c->run->vertex->inputs[a->secondary].vertex->description;
    const char *file = pairs_find(about, "kiln.ignore.file");
    struct span at = ignore_line(pairs_find(about, "kiln.ignore.lines"), line);
    return err_hint(err, "\"%s\" is excluded by %s:%.*s; add \"!%s\" below it", shown,
                    file ? file : ".dockerignore", SPAN_ARG(at), shown);
}

/* Patterns match names as the walk meets them, and it follows no symlink: a path that leads through
 * one below the start would be there and yet not be copied. */
static int check_way(const struct op_action *a, const char *required, const char *real,
                     const struct str_list *starts, struct err *err)
{
    vec_each (starts, start) {
        AUTO_FREE char *met = xasprintf("%s%s%s", *start, **start ? "/" : "", a->include.items[0]);
        if (strcmp(met, real) == 0)
            return 0;
    }
    const char *shown = required + strspn(required, "/");
    err_set(err, ERR_NOT_FOUND, "\"%s\": not found: a folder on the way is a symlink", shown);
    return err_hint(err, "name the path that it leads to: \"%s\"", real);
}

/* Paths that must be there although the action copies what patterns choose. */
static int check_required(struct change_run *c, const struct op_action *a, const struct tree *t,
                          const struct str_list *starts, struct err *err)
{
    for (size_t i = 0; i < a->required.n; i++) {
        const char *required = a->required.items[i];
        AUTO_VALUE(str_list_clear) struct str_list followed = { 0 }, found = { 0 };
        if (tree_find(t, required, false, a->follows_symlinks, &followed, err) ||
            tree_find(t, required, false, false, &found, err))
            return -1;
        if (followed.n == 0)
            return fail_missing(c, a, t, required, err);
        if (found.n && a->include.n == 1 && check_way(a, required, found.items[0], starts, err))
            return -1;
    }
    return 0;
}

static int copy_found(struct change_run *c, const struct op_action *a, const struct tree *t,
                      const struct str_list *found, const struct str_list *names, struct err *err)
{
    AUTO(pattern_list_free) struct pattern_list *include = NULL;
    AUTO(pattern_list_free) struct pattern_list *exclude = NULL;
    struct copy_job job = {
        .from = t, .to_fd = c->root_fd, .action = a, .ids = &c->ops->o.ids, .cancel = c->run->cancel
    };
    if (find_owner(c, &a->owner, &job.owner, err) ||
        (a->include.n && pattern_list_of(a->include.items, a->include.n, &include, err)) ||
        (a->exclude.n && pattern_list_of(a->exclude.items, a->exclude.n, &exclude, err)))
        return -1;
    job.include = include;
    job.exclude = exclude;
    for (size_t i = 0; i < found->n; i++) {
        bool did_unpack = false;
        job.src = found->items[i];
        job.name = names->items[i];
        if (cancel_check(job.cancel, err) ||
            (a->unpacks_archives && unpack_run(&job, &did_unpack, err)) ||
            (!did_unpack && copy_run(&job, err)))
            return -1;
    }
    return 0;
}

static int apply_copy(struct change_run *c, const struct op_action *a, struct err *err)
{
    AUTO_VALUE(opened_close) struct opened from = { 0 };
    AUTO_VALUE(str_list_clear) struct str_list found = { 0 }, names = { 0 };
    struct result *source = a->secondary >= 0 ? c->run->inputs[a->secondary] : NULL;
    if (result_open(c->ops, source, c->run->cancel, &from, err) ||
        tree_find_names(from.tree, a->src, a->has_wildcards, a->follows_symlinks, &found, &names,
                        err) ||
        check_required(c, a, from.tree, &found, err))
        return -1;
    bool may_be_missing = a->has_wildcards && a->may_match_nothing && pattern_has_wildcard(a->src);
    if (found.n == 0 && !may_be_missing)
        return fail_missing(c, a, from.tree, a->src, err);
    return copy_found(c, a, from.tree, &found, &names, err);
}

static int apply(struct change_run *c, const struct op_action *a, struct err *err)
{
    switch (a->type) {
    case ACTION_COPY:
        return apply_copy(c, a, err);
    case ACTION_MKFILE:
        return apply_mkfile(c, a, err);
    case ACTION_MKDIR:
        return apply_mkdir(c, a, err);
    case ACTION_RM:
        return apply_rm(c, a, err);
    case ACTION_SYMLINK:
        return apply_symlink(c, a, err);
    }
    return err_set(err, ERR_UNSUPPORTED, "file action %d is not known here", a->type);
}

/* Whether each action changes the result of the one before, the first an input, and the last is the
 * only output. */
static bool is_chain(const struct vertex *v)
{
    for (size_t i = 0; i < v->file.n_actions; i++) {
        const struct op_action *a = &v->file.actions[i];
        bool is_last = i + 1 == v->file.n_actions;
        if ((i > 0 && a->input != (int32_t)(v->n_inputs + i - 1)) ||
            (i == 0 && a->input >= (int32_t)v->n_inputs) || (a->output >= 0) != is_last ||
            (a->type == ACTION_COPY && a->secondary >= (int32_t)v->n_inputs))
            return false;
    }
    return v->file.n_actions > 0;
}

static int file_run(void *arg, const struct op_run *run, struct err *err)
{
    struct ops *ops = arg;
    const struct vertex *v = run->vertex;
    if (!is_chain(v))
        return err_set(err, ERR_UNSUPPORTED, "a file operation whose actions are no chain");
    ops_expect_steps(ops);
    int32_t base = v->file.actions[0].input;
    struct snapshot *parent = NULL, *made = NULL;
    AUTO(work_close) struct work *work = NULL;
    if ((base >= 0 && result_snapshot(run->inputs[base], &parent, err)) ||
        work_open(ops->o.snapshots, parent, run->cancel, &work, err))
        return -1;
    struct change_run c = { .ops = ops, .run = run, .root_fd = work_fd(work) };
    for (size_t i = 0; i < v->file.n_actions; i++)
        if (apply(&c, &v->file.actions[i], err))
            return -1;
    if (work_commit(work, run->cancel, &made, err))
        return -1;
    run->outputs[0] = result_of_snapshot(made);
    return 0;
}

void file_impl_init(struct op_impl *impl, struct ops *ops)
{
    *impl =
        (struct op_impl){ .arg = ops, .key = file_key, .content = file_content, .run = file_run };
}
