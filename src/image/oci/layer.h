/* image/oci/layer.h - a layer as an image knows it: the blob, and what it unpacks to.
 *
 * Spec: image-spec config.md "Layer DiffID". */
#pragma once
#include "image/oci/descriptor.h"

struct layer_ref {
    struct descriptor blob;
    struct digest diff_id; /* of the uncompressed tar */
};
static inline void layer_ref_clear(struct layer_ref *l)
{
    descriptor_clear(&l->blob);
}
static inline void layer_ref_copy(struct layer_ref *to, const struct layer_ref *from)
{
    descriptor_copy(&to->blob, &from->blob);
    to->diff_id = from->diff_id;
}
