/* engine/ops/source_layout.c - oci-layout://NAME@DIGEST: an image of a layout in a folder, as lazy
 * as one of a registry.  NAME, or oci.store where that is given, is one of ops_options.layouts.
 *
 * Spec: BuildKit source/containerimage. */
#include <stdlib.h>
#include <string.h>

#include "base/core/mem.h"
#include "engine/ops/source.h"

#define PREFIX "oci-layout://"

static const char *layout_path(const struct ops *ops, struct span name)
{
    for (size_t i = 0; i < ops->o.n_layouts; i++)
        if (span_is(name, ops->o.layouts[i].name))
            return ops->o.layouts[i].path;
    return NULL;
}

static int find_image(struct ops *ops, const struct vertex *v, const struct cancel *cancel,
                      const struct image **out, struct err *err)
{
    struct span id = span_of(v->source.identifier + strlen(PREFIX));
    ptrdiff_t at = span_rfind(id, '@'); /* the last one: a folder may have others in its name */
    struct span name = at < 0 ? id : span_first(id, (size_t)at);
    struct span d = at < 0 ? SPAN("") : span_skip(id, (size_t)at + 1);
    const char *store = pairs_find(&v->source.attrs, ATTR_LAYOUT_STORE);
    const char *path = store && *store ? layout_path(ops, span_of(store)) : NULL;
    struct platform p = v->platform.is_set ? v->platform : platform_host();
    struct digest digest;
    if (!path)
        path = layout_path(ops, name);
    if (!path)
        return err_set(err, ERR_NOT_FOUND, "OCI layout \"%.*s\": nobody gave one of that name",
                       SPAN_ARG(name));
    if (digest_parse(d, &digest, err))
        return err_wrap(err, "%s", v->source.identifier);
    return image_source_get_layout(ops->o.images, path, &digest, &p, cancel, out, err);
}

static int layout_key(struct ops *ops, const struct vertex *v, struct op_key *out,
                      const struct cancel *cancel, struct err *err)
{
    const struct image *image = NULL;
    if (find_image(ops, v, cancel, &image, err))
        return -1;
    *out = (struct op_key){ .is_free = true, .digest = image_key(image) };
    return 0;
}

static int layout_run(struct ops *ops, const struct op_run *run, struct err *err)
{
    const struct image *image = NULL;
    return find_image(ops, run->vertex, run->cancel, &image, err) ||
                   image_result(ops, run, image, err)
               ? -1
               : 0;
}

const struct scheme layout_scheme = { PREFIX, layout_key, layout_run };
