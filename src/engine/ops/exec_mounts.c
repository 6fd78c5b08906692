/* engine/ops/exec_mounts.c - what a step sees beside its root: other file systems, caches, secrets.
 *
 * A mount with an output is a work that is committed; one that may be written without an output is
 * a work that is thrown away; a read-only one is a view.  A part of a build
 * context is mounted as it lies there when that is what COPY would give, else it is copied first.
 * A cache is a folder of the store: shared by all, locked by one at a time, or private (the first
 * of its copies that nobody holds). */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "engine/ops/internal.h"

enum { PRIVATE_CACHES_MAX = 1000 };

/* One mount of the operation while the step runs. */
struct held {
    const struct op_mount *mount;
    struct opened opened;
    struct work *work;
    int source_fd; /* what is bound; owned */
    int lock_fd;   /* of a cache; owned */
    struct buf secret;
    struct ssh_door *door;
};

struct exec_mounts {
    struct ops *ops;
    struct held *held; /* [vertex->exec.n_mounts] */
    size_t n;
    struct held *root;
    struct step_mount *list; /* what the sandbox is told */
    size_t n_list;
    struct step_service services[LIMIT_STEP_SERVICES];
    size_t n_services;
};

static void held_clear(struct held *h)
{
    opened_close(&h->opened);
    work_close(h->work);
    if (h->source_fd >= 0)
        close(h->source_fd);
    if (h->lock_fd >= 0)
        close(h->lock_fd);
    ssh_door_close(h->door);
    if (h->secret.data)
        explicit_bzero(h->secret.data, h->secret.len);
    buf_clear(&h->secret);
}

void exec_mounts_close(struct exec_mounts *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->n; i++)
        held_clear(&m->held[i]);
    free(m->held);
    free(m->list);
    free(m);
}

static struct result *input_of(const struct op_run *run, const struct op_mount *m)
{
    return m->input >= 0 ? run->inputs[m->input] : NULL;
}

/* The selected part of an open root. */
static int select_part(struct held *h, int root_fd, const char *part, struct err *err)
{
    if (fs_open_in_root(root_fd, *part ? part : ".", O_PATH, 0, &h->source_fd, err))
        return err_wrap(err, "mount %s", h->mount->dest);
    return 0;
}

static int find_part(const struct held *h, const struct tree *t, char **part, struct err *err)
{
    AUTO_VALUE(str_list_clear) struct str_list found = { 0 };
    const char *selector = h->mount->selector ? h->mount->selector : "";
    if (tree_find(t, selector, false, true, &found, err))
        return -1;
    if (found.n == 0)
        return err_set(err, ERR_NOT_FOUND, "mount %s: \"%s\": not found", h->mount->dest, selector);
    *part = xstrdup(found.items[0]);
    return 0;
}

static int note_owner(void *arg, const struct tree_entry *e, struct err *err)
{
    struct stat st;
    if (fstatat(e->dir_fd, e->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_sys(err, "look at %s", e->path);
    *(bool *)arg &= st.st_uid == 0 && st.st_gid == 0;
    return 0;
}

/* Whether the part of a context may be mounted as it lies there: nothing of it hidden, all of it
 * root's, so that the step sees what COPY would give. */
static int is_as_it_is(const struct ops_result *own, const char *part, const struct cancel *cancel,
                       bool *out, struct err *err)
{
    struct stat st;
    *out = true;
    if (fstatat(tree_fd(own->tree), *part ? part : ".", &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_sys(err, "look at %s", part);
    if (own->ignore && S_ISDIR(st.st_mode)) {
        *out = false;
        return 0;
    }
    struct tree_walk how = { .visit = note_owner, .arg = out, .cancel = cancel };
    return tree_walk(own->tree, part, &how, err);
}

/* A work holds a copy of the part of a context: a folder's content is its root, a file "part". */
static int copy_part(struct ops *ops, const struct op_run *run, struct held *h,
                     const struct tree *t, const char *part, struct err *err)
{
    struct op_action all = { .type = ACTION_COPY,
                             .path = "/part",
                             .mode = MODE_KEEP,
                             .mode_text = "",
                             .timestamp_ns = TIMESTAMP_NONE,
                             .copies_dir_contents = true,
                             .creates_dest_path = true };
    if (work_open(ops->o.snapshots, NULL, run->cancel, &h->work, err))
        return -1;
    struct copy_job job = { .from = t,
                            .src = part,
                            .to_fd = work_fd(h->work),
                            .action = &all,
                            .ids = &ops->o.ids,
                            .cancel = run->cancel };
    if (copy_run(&job, err))
        return err_wrap(err, "mount %s", h->mount->dest);
    return select_part(h, work_fd(h->work), "part", err);
}

static int hold_context(struct ops *ops, const struct op_run *run, struct held *h,
                        const struct ops_result *own, struct err *err)
{
    AUTO_FREE char *part = NULL;
    bool is_plain = false;
    if (h->mount->output >= 0)
        return err_set(err, ERR_UNSUPPORTED, "mount %s: a build context cannot be changed and kept",
                       h->mount->dest);
    if (find_part(h, own->tree, &part, err) ||
        (h->mount->is_readonly && is_as_it_is(own, part, run->cancel, &is_plain, err)))
        return -1;
    return is_plain ? select_part(h, tree_fd(own->tree), part, err)
                    : copy_part(ops, run, h, own->tree, part, err);
}

static int hold_bind(struct ops *ops, const struct op_run *run, struct held *h, struct err *err)
{
    struct result *r = input_of(run, h->mount);
    const struct ops_result *own = (const struct ops_result *)r;
    const char *selector = h->mount->selector ? h->mount->selector : "";
    if (own && own->tree)
        return hold_context(ops, run, h, own, err);
    if (!h->mount->is_readonly || h->mount->output >= 0) {
        struct snapshot *parent = NULL;
        if (result_snapshot(r, &parent, err) ||
            work_open(ops->o.snapshots, parent, run->cancel, &h->work, err))
            return -1;
        return select_part(h, work_fd(h->work), selector, err);
    }
    if (result_open(ops, r, run->cancel, &h->opened, err))
        return -1;
    return select_part(h, tree_fd(h->opened.tree), selector, err);
}

char *cache_mount_folder(const char *id)
{
    struct digest d = digest_of(span_of(id));
    AUTO_FREE char *hex = xstrndup(digest_hex(&d).s, 32);
    return xasprintf("cache/%s", hex);
}

static char *cache_path(const char *id, int copy)
{
    AUTO_FREE char *first = cache_mount_folder(id);
    return copy ? xasprintf("%s-%d", first, copy) : STEAL(first);
}

/* The part of the mount's input that is selected goes into the new folder `to`, with its own owner
 * and mode: RUN --mount=type=cache,uid=,gid=,mode= is such an input. */
static int seed_from(struct ops *ops, const struct op_run *run, const struct held *h, int to,
                     struct err *err)
{
    AUTO_VALUE(opened_close) struct opened from = { 0 };
    AUTO_VALUE(str_list_clear) struct str_list found = { 0 };
    const char *selector = h->mount->selector ? h->mount->selector : "";
    struct op_action all = { .type = ACTION_COPY,
                             .path = "/",
                             .mode = MODE_KEEP,
                             .mode_text = "",
                             .timestamp_ns = TIMESTAMP_NONE,
                             .copies_dir_contents = true };
    if (result_open(ops, input_of(run, h->mount), run->cancel, &from, err) ||
        tree_find(from.tree, selector, false, true, &found, err))
        return -1;
    if (found.n == 0)
        return 0;
    struct copy_job job = { .from = from.tree,
                            .src = found.items[0],
                            .to_fd = to,
                            .action = &all,
                            .ids = &ops->o.ids,
                            .cancel = run->cancel };
    struct node_stat st;
    if (copy_run(&job, err) ||
        node_stat(tree_fd(from.tree), *job.src ? job.src : ".", &ops->o.ids, &st, err))
        return -1;
    return S_ISDIR(st.mode) ? node_set_attributes(to, ".", st.uid, st.gid, st.mode & 07777, err)
                            : 0;
}

/* A new folder with what the mount's input holds, and what others kept of it. */
static int fill_cache(struct ops *ops, const struct op_run *run, struct held *h, const char *path,
                      const struct cache_mount_source *kept, struct err *err)
{
    int store = store_fd(ops->o.store);
    bool is_spoiled = false;
    AUTO_FD int to = -1;
    if (fs_remove_tree(store, path, err) || fs_make_dirs(store, path, 0755, err) ||
        fs_open(store, path, O_RDONLY | O_DIRECTORY, 0, &to, err) ||
        (h->mount->input >= 0 && seed_from(ops, run, h, to, err)) ||
        (kept && kept->restore(kept->arg, h->mount->id, to, &is_spoiled, err)))
        return -1;
    return is_spoiled ? fill_cache(ops, run, h, path, NULL, err) : 0;
}

static int seed_cache(struct ops *ops, const struct op_run *run, struct held *h, const char *path,
                      struct err *err)
{
    int store = store_fd(ops->o.store);
    AUTO_FREE char *making = xasprintf("%s.new-%ld-%p", path, (long)getpid(), (void *)h);
    if (fill_cache(ops, run, h, making, ops->o.cache_mounts, err))
        return -1;
    /* Never over one that another step may have mounted already, empty as it may be. */
    if (renameat2(store, making, store, path, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EEXIST)
        return err_sys(err, "make the cache %s", h->mount->id);
    return fs_remove_tree(store, making, err); /* another build was first */
}

static int lock_cache(struct ops *ops, struct held *h, const char *path, bool waits, bool *has_it,
                      struct err *err)
{
    AUTO_FREE char *lock = xasprintf("%s.lock", path);
    bool is_exclusive = h->mount->sharing != CACHE_SHARED;
    *has_it = true;
    if (fs_lock(store_fd(ops->o.store), lock, is_exclusive, waits, &h->lock_fd, err) == 0)
        return 0;
    *has_it = false;
    if (waits || err->kind != ERR_EXISTS)
        return -1;
    err_clear(err);
    return 0;
}

static int hold_cache(struct ops *ops, const struct op_run *run, struct held *h, struct err *err)
{
    int store = store_fd(ops->o.store);
    bool is_private = h->mount->sharing == CACHE_PRIVATE, has_it = false;
    if (fs_make_dirs(store, "cache", 0700, err))
        return -1;
    for (int copy = 0; copy < PRIVATE_CACHES_MAX && !has_it; copy++) {
        AUTO_FREE char *path = cache_path(h->mount->id, copy);
        if (lock_cache(ops, h, path, !is_private, &has_it, err))
            return err_wrap(err, "mount the cache %s", h->mount->id);
        if (!has_it)
            continue;
        if (!fs_exists(store, path) && seed_cache(ops, run, h, path, err))
            return err_wrap(err, "mount the cache %s", h->mount->id);
        if (fs_open(store, path, O_PATH | O_DIRECTORY, 0, &h->source_fd, err))
            return err_wrap(err, "mount the cache %s", h->mount->id);
    }
    return has_it ? 0
                  : err_set(err, ERR_LIMIT, "mount the cache %s: %d copies are in use",
                            h->mount->id, PRIVATE_CACHES_MAX);
}

int secret_read(const struct ops *ops, const char *id, struct buf *out, bool *is_there,
                struct err *err)
{
    *is_there = false;
    for (size_t i = 0; i < ops->o.n_secrets && !*is_there; i++) {
        const struct secret_option *s = &ops->o.secrets[i];
        if (strcmp(s->id, id) != 0)
            continue;
        *is_there = true;
        const char *value = s->env ? getenv(s->env) : NULL;
        if (s->env && !value)
            return err_set(err, ERR_NOT_FOUND, "secret %s: the variable %s is not set", id, s->env);
        if (s->env ? buf_append(out, span_of(value), err)
                   : fs_read_file(AT_FDCWD, s->file, out, err))
            return err_wrap(err, "secret %s", id);
    }
    return 0;
}

static int hold_secret(struct ops *ops, struct held *h, bool *is_there, struct err *err)
{
    buf_init(&h->secret, LIMIT_STEP_FILE);
    if (secret_read(ops, h->mount->id, &h->secret, is_there, err))
        return -1;
    if (!*is_there && !h->mount->is_optional) {
        err_set(err, ERR_NOT_FOUND, "secret %s: not found", h->mount->id);
        return err_hint(err, "give it with --secret id=%s,src=FILE", h->mount->id);
    }
    return 0;
}

static struct step_mount *add_bind(struct exec_mounts *m, const struct held *h, bool is_readonly)
{
    struct step_mount *s = &m->list[m->n_list++];
    *s = (struct step_mount){ .type = STEP_BIND,
                              .dest = h->mount->dest,
                              .is_readonly = is_readonly,
                              .source_fd = h->source_fd };
    return s;
}

/* A socket of our own before the caller's agent. */
static int hold_ssh(struct exec_mounts *m, const struct op_run *run, struct held *h,
                    struct err *err)
{
    const struct op_mount *mount = h->mount;
    struct ssh_door_options o = { .uid = mount->uid, .gid = mount->gid, .mode = mount->mode };
    if (ssh_agents_find(m->ops->agents, mount->id, run->cancel, &o.agent, err))
        return -1;
    if (!o.agent && mount->is_optional)
        return 0;
    if (!o.agent) {
        err_set(err, ERR_NOT_FOUND, "no SSH key \"%s\" forwarded from the client", mount->id);
        return err_hint(err, "give an agent or a key with --ssh %s or --ssh %s=FILE", mount->id,
                        mount->id);
    }
    if (m->n_services == LIMIT_STEP_SERVICES)
        return err_set(err, ERR_LIMIT, "more than %d sockets", LIMIT_STEP_SERVICES);
    if (ssh_door_open(&o, &h->door, err) ||
        fs_open(AT_FDCWD, ssh_door_path(h->door), O_PATH | O_NOFOLLOW, 0, &h->source_fd, err))
        return -1;
    add_bind(m, h, false);
    m->services[m->n_services++] =
        (struct step_service){ .arg = h->door, .watch = ssh_door_watch, .serve = ssh_door_serve };
    return 0;
}

static int hold(struct exec_mounts *m, const struct op_run *run, struct held *h, struct err *err)
{
    const struct op_mount *mount = h->mount;
    bool is_there = false;
    switch (mount->type) {
    case MOUNT_BIND:
        if (hold_bind(m->ops, run, h, err))
            return -1;
        add_bind(m, h, mount->is_readonly);
        return 0;
    case MOUNT_CACHE:
        if (hold_cache(m->ops, run, h, err))
            return -1;
        add_bind(m, h, mount->is_readonly);
        return 0;
    case MOUNT_TMPFS:
        m->list[m->n_list++] = (struct step_mount){
            .type = STEP_TMPFS, .dest = mount->dest, .source_fd = -1, .size = (uint64_t)mount->size
        };
        return 0;
    case MOUNT_SECRET:
        if (hold_secret(m->ops, h, &is_there, err))
            return -1;
        if (is_there)
            m->list[m->n_list++] = (struct step_mount){ .type = STEP_FILE,
                                                        .dest = mount->dest,
                                                        .source_fd = -1,
                                                        .mode = (mode_t)mount->mode,
                                                        .content = buf_span(&h->secret),
                                                        .uid = mount->uid,
                                                        .gid = mount->gid };
        return 0;
    case MOUNT_SSH:
        return hold_ssh(m, run, h, err) ? err_wrap(err, "mount %s", mount->dest) : 0;
    }
    return err_set(err, ERR_INVALID, "mount %s: of a type not known here", mount->dest);
}

static int hold_root(struct exec_mounts *m, const struct op_run *run, struct err *err)
{
    struct snapshot *parent = NULL;
    if (result_snapshot(input_of(run, m->root->mount), &parent, err))
        return -1;
    return work_open(m->ops->o.snapshots, parent, run->cancel, &m->root->work, err);
}

int exec_mounts_open(struct ops *ops, const struct op_run *run, struct exec_mounts **out,
                     struct err *err)
{
    const struct op_exec *exec = &run->vertex->exec;
    AUTO(exec_mounts_close) struct exec_mounts *m = xcalloc(1, sizeof *m);
    m->ops = ops;
    m->n = exec->n_mounts;
    m->held = xcalloc(m->n + 1, sizeof *m->held);
    m->list = xcalloc(m->n + 1, sizeof *m->list);
    for (size_t i = 0; i < m->n; i++) {
        m->held[i] = (struct held){ .mount = &exec->mounts[i], .source_fd = -1, .lock_fd = -1 };
        if (strcmp(exec->mounts[i].dest, "/") == 0)
            m->root = &m->held[i];
    }
    if (!m->root)
        return err_set(err, ERR_INVALID, "a step without a root file system");
    if (hold_root(m, run, err))
        return -1;
    for (size_t i = 0; i < m->n; i++)
        if (&m->held[i] != m->root && hold(m, run, &m->held[i], err))
            return -1;
    *out = STEAL(m);
    return 0;
}

const char *exec_mounts_root(const struct exec_mounts *m)
{
    return work_path(m->root->work);
}

int exec_mounts_root_fd(const struct exec_mounts *m)
{
    return work_fd(m->root->work);
}

const struct step_mount *exec_mounts_list(const struct exec_mounts *m, size_t *n)
{
    *n = m->n_list;
    return m->list;
}

const struct step_service *exec_mounts_services(const struct exec_mounts *m, size_t *n)
{
    *n = m->n_services;
    return m->services;
}

int exec_mounts_commit(struct exec_mounts *m, const struct op_run *run, struct err *err)
{
    for (size_t i = 0; i < m->n; i++) {
        struct held *h = &m->held[i];
        struct snapshot *made = NULL;
        if (h->mount->output < 0 || !h->work)
            continue;
        if (work_commit(h->work, run->cancel, &made, err))
            return err_wrap(err, "keep %s", h->mount->dest);
        run->outputs[h->mount->output] = result_of_snapshot(made);
    }
    return 0;
}
