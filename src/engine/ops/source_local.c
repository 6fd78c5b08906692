/* engine/ops/source_local.c - local://NAME: a build context, as a tree that is read where it lies.
 */
#include <string.h>

#include "base/codec/json.h"
#include "engine/ops/source.h"

#define PREFIX "local://"

static const char *context_path(const struct ops *ops, const char *name)
{
    for (size_t i = 0; i < ops->o.n_contexts; i++)
        if (strcmp(ops->o.contexts[i].name, name) == 0)
            return ops->o.contexts[i].path;
    return NULL;
}

static int read_ignore(const struct vertex *v, struct pattern_list **out, struct err *err)
{
    const char *text = pairs_find(&v->source.attrs, ATTR_LOCAL_EXCLUDE);
    if (!text)
        return 0;
    AUTO(json_free) struct json *list = NULL;
    AUTO_VALUE(str_list_clear) struct str_list patterns = { 0 };
    if (json_parse(span_of(text), &list, err))
        return err_wrap(err, "%s", ATTR_LOCAL_EXCLUDE);
    if (!json_to_list(list, &patterns))
        return err_set(err, ERR_INVALID, "%s is no list of texts", ATTR_LOCAL_EXCLUDE);
    return pattern_list_of((const char *const *)patterns.items, patterns.n, out, err);
}

static int local_run(struct ops *ops, const struct op_run *run, struct err *err)
{
    const char *name = run->vertex->source.identifier + strlen(PREFIX);
    const char *path = context_path(ops, name);
    AUTO(pattern_list_free) struct pattern_list *ignore = NULL;
    struct tree *tree = NULL;
    if (!path)
        return err_set(err, ERR_NOT_FOUND, "build context \"%s\": nobody gave one of that name",
                       name);
    if (read_ignore(run->vertex, &ignore, err) ||
        tree_of_context(ops->o.store, path, ignore, &tree, err))
        return -1;
    run->outputs[0] = result_of_tree(tree, STEAL(ignore));
    return 0;
}

static int local_key(struct ops *ops, const struct vertex *v, struct op_key *out,
                     const struct cancel *cancel, struct err *err)
{
    (void)ops, (void)cancel, (void)err;
    *out = (struct op_key){ .is_free = true, .is_volatile = true, .digest = v->digest };
    return 0;
}

const struct scheme local_scheme = { PREFIX, local_key, local_run };
