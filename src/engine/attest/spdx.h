/* engine/attest/spdx.h - what is installed, as an SPDX document.
 *
 * A function of the list, the name and the time: its namespace is made of the digest of all else,
 * ids of packages of their package URLs.
 *
 * Spec: SPDX 2.3 (JSON).  Threads: values. */
#pragma once
#include "base/core/buf.h"
#include "engine/scan/scan.h"

#define SPDX_PREDICATE "https://spdx.dev/Document"

struct spdx_options {
    const char *name;    /* of the document and of what it describes: "sbom" */
    const char *created; /* RFC 3339 */
};
/* Appends it, compact. */
void spdx_print(const struct scan_result *r, const struct spdx_options *o, struct buf *out);
