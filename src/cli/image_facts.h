/* cli/image_facts.h - what a person wants to know of an image in the store, read from its
 * documents. */
#pragma once
#include "image/oci/config.h"
#include "image/oci/manifest.h"
#include "image/oci/reference.h"
#include "image/store/store.h"

struct image_facts {
    struct str_list platforms; /* of those that are here */
    char *created;             /* RFC 3339, owned; NULL: not known */
    uint64_t size;             /* compressed: config and layers of what is here */
    size_t n_layers;           /* of the first */
};
/* `target` is a manifest or an index.  What is missing in the store is left out. */
NODISCARD int image_facts_read(struct store *st, const struct descriptor *target,
                               struct image_facts *out, struct err *err);
void image_facts_clear(struct image_facts *f);

/* A name as written on the command line: the complete reference, and what it points to in the
 * store. Fails: INVALID; NOT_FOUND with the nearest name there is as hint. */
NODISCARD int image_get(struct store *st, const char *text, struct reference *ref,
                        struct descriptor *out, struct err *err);
