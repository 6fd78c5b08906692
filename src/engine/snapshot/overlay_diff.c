/* engine/snapshot/overlay_diff.c - the upper folder is the diff; only it is walked.
 *
 * What the kernel leaves there: whiteouts (character device 0:0), opaque folders (an attribute),
 * and whatever was opened for writing or had its attributes set, changed or not: the rule decides
 * about those.  An opaque folder is told as the removal of every name below that is gone. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "engine/snapshot/change_rule.h"
#include "engine/snapshot/overlay.h"
#include "image/layer/change.h"

struct diff {
    struct snapshots *all;
    const struct cancel *cancel;
    struct change_list *out;
    struct buf path; /* of the folder that is walked, without "/" at the end */
};

/* A folder of the upper tree and what the lower tree has in its place. */
struct pair {
    int upper, lower; /* lower -1: no folder there */
    bool is_opaque;
};

static void add(struct diff *d, const char *name, enum change_kind kind)
{
    AUTO_FREE char *path =
        d->path.len ? xasprintf("%.*s/%s", SPAN_ARG(buf_span(&d->path)), name) : xstrdup(name);
    change_list_add(d->out, path, kind);
}

/* What the lower tree has under the name; *is_there false for nothing, and for a socket. */
static int look_below(struct diff *d, const struct pair *in, const char *name, struct node_stat *st,
                      bool *is_there, struct err *err)
{
    struct stat raw;
    *is_there = false;
    if (in->lower < 0)
        return 0;
    if (fstatat(in->lower, name, &raw, AT_SYMLINK_NOFOLLOW))
        return errno == ENOENT ? 0 : err_sys(err, "stat %s in the layers below", name);
    *is_there = !S_ISSOCK(raw.st_mode);
    return node_stat_from(&raw, in->lower, name, &d->all->options.ids, st, err);
}

static int walk(struct diff *d, const struct pair *in, struct err *err);

static int open_pair(struct diff *d, const struct pair *in, const char *name, bool has_lower,
                     struct pair *out, struct err *err)
{
    const char *mark = d->all->is_user ? "user.overlay.opaque" : "trusted.overlay.opaque";
    AUTO_VALUE(buf_clear) struct buf value;
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
    buf_init(&value, LIMIT_XATTR_VALUE);
    if (fs_open(in->upper, name, flags, 0, &out->upper, err) ||
        (has_lower && fs_open(in->lower, name, flags, 0, &out->lower, err)))
        return -1;
    if (!has_lower)
        return 0;
    /* "x" marks a folder with whiteouts of another form, which we do not make. */
    if (fs_get_xattr(out->upper, ".", mark, &value, &out->is_opaque, err))
        return -1;
    /* What was made inside an opaque folder bears no mark of its own. */
    out->is_opaque |= in->is_opaque;
    return 0;
}

static int walk_folder(struct diff *d, const struct pair *in, const char *name, bool has_lower,
                       struct err *err)
{
    struct pair here = { .upper = -1, .lower = -1 };
    size_t len = d->path.len;
    int status = open_pair(d, in, name, has_lower, &here, err);
    if (status == 0) {
        if (len + strlen(name) + 2 > LIMIT_PATH)
            status = err_set(err, ERR_LIMIT, "%s: a path of more than %d bytes", name, LIMIT_PATH);
        else
            buf_printf(&d->path, "%s%s", len ? "/" : "", name);
    }
    status = status || walk(d, &here, err) ? -1 : 0;
    d->path.len = len;
    auto_close_fd(&here.upper);
    auto_close_fd(&here.lower);
    return status;
}

static int is_changed(struct diff *d, const struct pair *in, const char *name,
                      const struct node_stat *now, const struct node_stat *before, bool *out,
                      struct err *err)
{
    *out = change_rule_metadata(now, before);
    return *out ? 0 : change_rule_rest(in->upper, in->lower, name, now->mode, d->cancel, out, err);
}

/* A name that is in the upper folder. */
static int diff_name(struct diff *d, const struct pair *in, const char *name, struct err *err)
{
    struct stat raw;
    struct node_stat now, before;
    bool was_there, has_changed = true;
    if (fstatat(in->upper, name, &raw, AT_SYMLINK_NOFOLLOW))
        return err_sys(err, "stat %s", name);
    if (look_below(d, in, name, &before, &was_there, err))
        return -1;
    if (S_ISSOCK(raw.st_mode) || (S_ISCHR(raw.st_mode) && raw.st_rdev == makedev(0, 0))) {
        if (was_there)
            add(d, name, CHANGE_DELETE);
        return 0;
    }
    if (node_stat_from(&raw, in->upper, name, &d->all->options.ids, &now, err))
        return -1;
    if (was_there && is_changed(d, in, name, &now, &before, &has_changed, err))
        return -1;
    if (has_changed)
        add(d, name, was_there ? CHANGE_MODIFY : CHANGE_ADD);
    if (!S_ISDIR(now.mode))
        return 0;
    return walk_folder(d, in, name, was_there && S_ISDIR(before.mode), err);
}

/* A name that only the lower folder has, below an opaque upper one. */
static int diff_hidden(struct diff *d, const struct pair *in, const char *name, struct err *err)
{
    struct node_stat before;
    bool was_there;
    if (look_below(d, in, name, &before, &was_there, err))
        return -1;
    if (was_there)
        add(d, name, CHANGE_DELETE);
    return 0;
}

static int walk(struct diff *d, const struct pair *in, struct err *err)
{
    AUTO_VALUE(str_list_clear) struct str_list upper = { 0 };
    AUTO_VALUE(str_list_clear) struct str_list lower = { 0 };
    if (cancel_check(d->cancel, err) || fs_list(in->upper, ".", &upper, err) ||
        (in->is_opaque && fs_list(in->lower, ".", &lower, err)))
        return -1;
    for (size_t u = 0, l = 0; u < upper.n || l < lower.n;) {
        int order = u == upper.n ? 1 : l == lower.n ? -1 : strcmp(upper.items[u], lower.items[l]);
        if (order > 0 ? diff_hidden(d, in, lower.items[l], err)
                      : diff_name(d, in, upper.items[u], err))
            return -1;
        u += order <= 0;
        l += order >= 0;
    }
    return 0;
}

int overlay_diff(struct snapshots *s, int upper_fd, int lower_fd, const struct cancel *cancel,
                 struct change_list *out, struct err *err)
{
    struct diff d = { .all = s, .cancel = cancel, .out = out };
    buf_init(&d.path, LIMIT_PATH + 1);
    int status = walk(&d, &(struct pair){ .upper = upper_fd, .lower = lower_fd }, err);
    if (status)
        err_wrap(err, "look for changes in /%.*s", SPAN_ARG(buf_span(&d.path)));
    buf_clear(&d.path);
    if (status)
        return -1;
    change_list_sort(out);
    return 0;
}
