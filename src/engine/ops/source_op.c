/* engine/ops/source_op.c - where file systems come from: images and build contexts. */
#include <stdlib.h>
#include <string.h>

#include "base/codec/json.h"
#include "base/core/mem.h"
#include "engine/ops/internal.h"
#include "image/oci/reference.h"

#define IMAGE_SCHEME "docker-image://"
#define LOCAL_SCHEME "local://"

static bool has_scheme(const struct vertex *v, const char *scheme)
{
    return strncmp(v->source.identifier, scheme, strlen(scheme)) == 0;
}

static int unsupported(const struct vertex *v, struct err *err)
{
    return err_set(err, ERR_UNSUPPORTED, "%s: sources of this kind are not there yet",
                   v->source.identifier);
}

/* ---- images ---- */

static int find_image(struct ops *ops, const struct vertex *v, const struct cancel *cancel,
                      const struct image **out, struct err *err)
{
    AUTO_VALUE(reference_clear) struct reference ref = { 0 };
    const char *text = v->source.identifier + strlen(IMAGE_SCHEME);
    const char *mode_text = pairs_find(&v->source.attrs, ATTR_IMAGE_RESOLVE_MODE);
    enum resolve_mode mode = ops->o.resolve_mode;
    struct platform p = v->platform;
    if (mode_text && strcmp(mode_text, "pull") == 0)
        mode = RESOLVE_PULL;
    else if (mode_text && strcmp(mode_text, "local") == 0)
        mode = RESOLVE_LOCAL;
    if (!p.is_set)
        p = platform_host();
    if (reference_parse(span_of(text), &ref, err))
        return -1;
    return image_source_get(ops->o.images, &ref, &p, mode, cancel, out, err);
}

static int image_run(struct ops *ops, const struct op_run *run, struct err *err)
{
    const struct image *image = NULL;
    struct snapshot *s = NULL;
    if (find_image(ops, run->vertex, run->cancel, &image, err) ||
        snapshot_of_layers(ops->o.snapshots, image->layers.items, image->layers.n, image->origin,
                           &s, err))
        return -1;
    run->outputs[0] = result_of_snapshot(s);
    return 0;
}

/* ---- contexts ---- */

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
    const char *name = run->vertex->source.identifier + strlen(LOCAL_SCHEME);
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

/* ---- the table's members ---- */

static int source_key(void *arg, const struct vertex *v, struct arena *a, struct op_key *out,
                      const struct cancel *cancel, struct err *err)
{
    (void)a;
    *out = (struct op_key){ .is_free = true };
    if (has_scheme(v, LOCAL_SCHEME)) {
        out->is_volatile = true;
        out->digest = v->digest;
        return 0;
    }
    if (!has_scheme(v, IMAGE_SCHEME))
        return unsupported(v, err);
    /* Tag or digest, mirror or not: what the image holds is told by its config. */
    const struct image *image = NULL;
    if (find_image(arg, v, cancel, &image, err))
        return -1;
    AUTO(hasher_free) struct hasher *h = hasher_new(DIGEST_SHA256);
    hasher_update_framed(h, SPAN("image"));
    hasher_update_framed(h, span_of(digest_text(&image->config_digest).s));
    out->digest = hasher_final(h);
    return 0;
}

static int source_content(void *arg, const struct vertex *v, size_t i, struct result *r,
                          struct digest *out, const struct cancel *cancel, struct err *err)
{
    struct ops *ops = arg;
    (void)v, (void)i;
    AUTO_VALUE(opened_close) struct opened o = { 0 };
    struct tree_digest_options options = { .pool = ops->o.pool, .cancel = cancel };
    if (result_open(ops, r, cancel, &o, err))
        return -1;
    return tree_digest(o.tree, "", &options, out, err);
}

static int source_run(void *arg, const struct op_run *run, struct err *err)
{
    if (has_scheme(run->vertex, LOCAL_SCHEME))
        return local_run(arg, run, err);
    if (has_scheme(run->vertex, IMAGE_SCHEME))
        return image_run(arg, run, err);
    return unsupported(run->vertex, err);
}

void source_impl_init(struct op_impl *impl, struct ops *ops)
{
    *impl = (struct op_impl){
        .arg = ops, .key = source_key, .content = source_content, .run = source_run
    };
}
