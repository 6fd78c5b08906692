/* engine/ops/result.c - what a result is, kept and looked into. */
#include <stdlib.h>

#include "base/core/mem.h"
#include "engine/ops/internal.h"

static void ops_result_free(struct result *r)
{
    struct ops_result *own = (struct ops_result *)r;
    snapshot_unref(own->snapshot);
    tree_free(own->tree);
    pattern_list_free(own->ignore);
    free(own);
}

struct result *result_of_snapshot(struct snapshot *s)
{
    if (!s)
        return NULL;
    struct ops_result *r = xcalloc(1, sizeof *r);
    r->base = (struct result){ .n_refs = 1, .free = ops_result_free };
    r->snapshot = s;
    return &r->base;
}

struct result *result_of_tree(struct tree *tree, struct pattern_list *ignore)
{
    struct ops_result *r = xcalloc(1, sizeof *r);
    r->base = (struct result){ .n_refs = 1, .free = ops_result_free };
    r->tree = tree;
    r->ignore = ignore;
    return &r->base;
}

int result_snapshot(const struct result *r, struct snapshot **out, struct err *err)
{
    const struct ops_result *own = (const struct ops_result *)r;
    if (own && own->tree)
        return err_set(err, ERR_INVALID, "a build context is no root file system");
    *out = own ? own->snapshot : NULL;
    return 0;
}

struct tree *result_tree(const struct result *r)
{
    return r ? ((const struct ops_result *)r)->tree : NULL;
}

char *result_save(const struct result *r)
{
    const struct ops_result *own = (const struct ops_result *)r;
    return own->tree ? NULL : xstrdup(snapshot_id(own->snapshot));
}

int result_load(struct snapshots *s, const char *text, struct result **out, struct err *err)
{
    struct snapshot *found = NULL;
    if (snapshot_find(s, text, &found, err))
        return -1;
    *out = result_of_snapshot(found);
    return 0;
}

int result_open(struct ops *ops, struct result *r, const struct cancel *cancel, struct opened *out,
                struct err *err)
{
    struct ops_result *own = (struct ops_result *)r;
    *out = (struct opened){ 0 };
    if (own && own->tree) {
        out->tree = own->tree;
        return 0;
    }
    if (view_open(ops->o.snapshots, own ? own->snapshot : NULL, cancel, &out->view, err))
        return -1;
    out->tree = tree_of_folder(view_fd(out->view), &ops->o.ids);
    out->owns_tree = true;
    return 0;
}

void opened_close(struct opened *o)
{
    if (o->owns_tree)
        tree_free(o->tree);
    view_close(o->view);
    *o = (struct opened){ 0 };
}
