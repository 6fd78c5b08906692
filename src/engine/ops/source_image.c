/* engine/ops/source_image.c - docker-image://REFERENCE: a chain of layers, none of them fetched.
 *
 * Spec: BuildKit source/containerimage. */
#include <string.h>

#include "engine/ops/key.h"
#include "engine/ops/source.h"
#include "image/oci/reference.h"

#define PREFIX "docker-image://"

static int find_image(struct ops *ops, const struct vertex *v, const struct cancel *cancel,
                      const struct image **out, struct err *err)
{
    AUTO_VALUE(reference_clear) struct reference ref = { 0 };
    const char *text = v->source.identifier + strlen(PREFIX);
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

/* BuildKit has two keys for an image: one of the manifest, which is known first, and one of the
 * chainID of its layers, which tag, digest, mirror and annotations do not change.  Its records hang
 * on both, so the second is enough.  An image without layers has the first alone. */
struct digest image_key(const struct image *image)
{
    const struct image_config *c = &image->config;
    if (c->diff_ids.n) {
        struct digest id = chain_id(c->diff_ids.items, c->diff_ids.n);
        return source_digest(digest_text(&id).s);
    }
    AUTO(json_free) struct json *o = json_new_object();
    json_set_str(o, "Digest", digest_text(&image->target.digest).s);
    json_set_str(o, "OS", c->platform.os);
    json_set_str(o, "Arch", c->platform.architecture);
    key_put_text(o, "Variant", c->platform.variant);
    key_put_text(o, "OSVersion", c->platform.os_version);
    struct digest manifest_key = key_digest(o);
    return source_digest(digest_text(&manifest_key).s);
}

int image_result(struct ops *ops, const struct op_run *run, const struct image *image,
                 struct err *err)
{
    struct snapshot *s = NULL;
    if (snapshot_of_layers(ops->o.snapshots, image->layers.items, image->layers.n, image->origin,
                           &s, err))
        return -1;
    run->outputs[0] = result_of_snapshot(s);
    return 0;
}

static int image_scheme_key(struct ops *ops, const struct vertex *v, struct op_key *out,
                            const struct cancel *cancel, struct err *err)
{
    const struct image *image = NULL;
    if (find_image(ops, v, cancel, &image, err))
        return -1;
    *out = (struct op_key){ .is_free = true, .digest = image_key(image) };
    return 0;
}

static int image_scheme_run(struct ops *ops, const struct op_run *run, struct err *err)
{
    const struct image *image = NULL;
    return find_image(ops, run->vertex, run->cancel, &image, err) ||
                   image_result(ops, run, image, err)
               ? -1
               : 0;
}

const struct scheme image_scheme = { PREFIX, image_scheme_key, image_scheme_run };
