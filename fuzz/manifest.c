/* fuzz/manifest.c - manifests, indexes and image configs: whatever is read can be written, and what
 * was written is read as the same and written the same again. */
#include <assert.h>
#include <string.h>

#include "base/core/limits.h"
#include "image/oci/config.h"
#include "image/oci/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Both printed forms are equal. */
static void expect_same(const struct buf *first, const struct buf *second)
{
    assert(first->len > 0 && span_equal(buf_span(first), buf_span(second)));
}

static void try_manifest(struct span bytes)
{
    AUTO_VALUE(manifest_clear) struct manifest m = { 0 };
    AUTO_VALUE(manifest_clear) struct manifest again = { 0 };
    AUTO_VALUE(buf_clear) struct buf first;
    AUTO_VALUE(buf_clear) struct buf second;
    struct err err = { 0 };
    buf_init(&first, (size_t)GIB);
    buf_init(&second, (size_t)GIB);
    if (manifest_parse(bytes, NULL, &m, &err) < 0)
        return;
    const char *kind = manifest_sniff(bytes);
    assert(kind && manifest_media_type(&m));
    manifest_print(&m, &first);
    int result = manifest_parse(buf_span(&first), manifest_media_type(&m), &again, &err);
    assert(result == 0 && again.layers.n == m.layers.n);
    manifest_print(&again, &second);
    expect_same(&first, &second);
}

static void try_index(struct span bytes)
{
    AUTO_VALUE(index_clear) struct index i = { 0 };
    AUTO_VALUE(index_clear) struct index again = { 0 };
    AUTO_VALUE(buf_clear) struct buf first;
    AUTO_VALUE(buf_clear) struct buf second;
    struct err err = { 0 };
    const struct platform amd64 = { .is_set = true, .os = "linux", .architecture = "amd64" };
    const struct descriptor *chosen = NULL;
    buf_init(&first, (size_t)GIB);
    buf_init(&second, (size_t)GIB);
    if (index_parse(bytes, NULL, &i, &err) < 0)
        return;
    index_print(&i, &first);
    int result = index_parse(buf_span(&first), index_media_type(&i), &again, &err);
    assert(result == 0 && again.manifests.n == i.manifests.n);
    index_print(&again, &second);
    expect_same(&first, &second);
    assert(index_select(&i, &amd64, &chosen, &err) < 0 ? err.kind == ERR_NOT_FOUND
                                                       : chosen != NULL);
}

static void try_config(struct span bytes)
{
    AUTO_VALUE(image_config_clear) struct image_config c = { 0 };
    AUTO_VALUE(image_config_clear) struct image_config again = { 0 };
    AUTO_VALUE(image_config_clear) struct image_config copy = { 0 };
    AUTO_VALUE(buf_clear) struct buf first;
    AUTO_VALUE(buf_clear) struct buf second;
    struct err err = { 0 };
    buf_init(&first, (size_t)GIB);
    buf_init(&second, (size_t)GIB);
    if (image_config_parse(bytes, &c, &err) < 0)
        return;
    image_config_print(&c, &first);
    int result = image_config_parse(buf_span(&first), &again, &err);
    assert(result == 0 && again.diff_ids.n == c.diff_ids.n);
    image_config_copy(&copy, &again);
    image_config_print(&copy, &second);
    expect_same(&first, &second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > MIB)
        return 0;
    struct span bytes = span_bytes(data, size);
    try_manifest(bytes);
    try_index(bytes);
    try_config(bytes);
    return 0;
}
