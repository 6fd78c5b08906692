/* engine/scan/rpm_header.c - one package of an rpm data base.
 *
 * A header is two counts, an index and a store, all big endian:
 *
 *     0   4  number of entries
 *     4   4  bytes of the store
 *     8      entries of 16 bytes: tag4 type4 offset4 count4
 *            the store
 *
 * Types that matter: 4 int32, 6 text, 9 texts of which the first is taken.
 * Spec: rpm docs/manual/hregions.md, tags.md. */
#include <string.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "engine/scan/internal.h"

enum { HEAD = 8, ENTRY = 16, ENTRIES_MAX = 65535, TYPE_INT32 = 4, TYPE_TEXT = 6, TYPE_TEXTS = 9 };
enum {
    TAG_NAME = 1000,
    TAG_VERSION = 1001,
    TAG_RELEASE = 1002,
    TAG_EPOCH = 1003,
    TAG_VENDOR = 1011,
    TAG_LICENSE = 1014,
    TAG_ARCH = 1022
};

static uint32_t be32(const char *p)
{
    const uint8_t *b = (const uint8_t *)p;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

struct header {
    struct span name, version, release, vendor, license, arch;
    bool has_epoch;
    uint32_t epoch;
};

static struct span text_at(struct span store, uint32_t offset)
{
    struct span rest = span_skip(store, offset);
    return span_cut(&rest, '\0');
}

static void take_entry(struct header *h, const char *entry, struct span store)
{
    uint32_t tag = be32(entry), type = be32(entry + 4), offset = be32(entry + 8);
    if (offset >= store.len)
        return;
    if (tag == TAG_EPOCH && type == TYPE_INT32 && store.len - offset >= 4) {
        h->has_epoch = true;
        h->epoch = be32(store.ptr + offset);
    }
    if (type != TYPE_TEXT && type != TYPE_TEXTS)
        return;
    struct span text = text_at(store, offset);
    if (tag == TAG_NAME)
        h->name = text;
    else if (tag == TAG_VERSION)
        h->version = text;
    else if (tag == TAG_RELEASE)
        h->release = text;
    else if (tag == TAG_VENDOR)
        h->vendor = text;
    else if (tag == TAG_LICENSE)
        h->license = text;
    else if (tag == TAG_ARCH)
        h->arch = text;
}

int rpm_header_parse(struct scan *s, struct span blob, const char *path, struct err *err)
{
    struct header h = { 0 };
    if (blob.len < HEAD)
        return err_set(err, ERR_CORRUPT, "rpm header: %zu bytes", blob.len);
    uint32_t n = be32(blob.ptr), size = be32(blob.ptr + 4);
    if (n > ENTRIES_MAX || (uint64_t)HEAD + (uint64_t)n * ENTRY + size > blob.len)
        return err_set(err, ERR_CORRUPT, "rpm header: %u entries and %u bytes in %zu", n, size,
                       blob.len);
    struct span store = span_first(span_skip(blob, HEAD + (size_t)n * ENTRY), size);
    for (uint32_t i = 0; i < n; i++)
        take_entry(&h, blob.ptr + HEAD + (size_t)i * ENTRY, store);
    if (!h.name.len || !h.version.len || span_is(h.name, "gpg-pubkey"))
        return 0;
    AUTO_FREE char *version =
        xasprintf("%.*s%s%.*s", SPAN_ARG(h.version), h.release.len ? "-" : "", SPAN_ARG(h.release));
    AUTO_FREE char *epoch = h.has_epoch ? xasprintf("%u", h.epoch) : NULL;
    struct found found = { .type = "rpm",
                           .name = h.name,
                           .version = span_of(version),
                           .arch = h.arch,
                           .epoch = span_of(epoch),
                           .license = h.license,
                           .supplier = h.vendor,
                           .origin = path };
    scan_add(s, &found);
    return 0;
}
