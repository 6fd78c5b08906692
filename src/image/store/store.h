/* image/store/store.h - the folder in which kiln keeps everything.
 *
 *     oci-layout, index.json, blobs/sha256/HEX   an OCI image layout; index.json lists the names
 *     kiln.db                                    the index (image/store/db.h)
 *     leases/                                    one locked file for each lease
 * (image/store/lease.h) trash/                                     what is being deleted
 *     snapshots/, cache/, builds/                of other rooms
 *
 * Nothing half-done is visible: blobs get their name when they are whole and verified, all else
 * changes in one transaction.  While a store is open it holds a lease: nothing that was used since
 * then is collected, by this process or another.
 *
 * Spec: image-spec image-layout.md.  Threads: locked inside. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/core/err.h"
#include "image/store/db.h"

struct store;
struct store_options {
    uint64_t ceiling; /* bytes of all objects; 0: none */
    bool is_readonly; /* for reading an existing one; nothing is created or changed */
};
/* Makes the folder when absent; `path` is made absolute.  options NULL: all zero.
 * Fails: SYSTEM, DENIED (hint: KILN_ROOT), UNSUPPORTED (a layout of another version). */
NODISCARD int store_open(const char *path, const struct store_options *o, struct store **out,
                         struct err *err);
void store_close(struct store *st);
DEFINE_AUTO(struct store, store_close)

const char *store_path(const struct store *st);
int store_fd(const struct store *st);        /* the folder; borrowed */
struct db *store_db(const struct store *st); /* borrowed */
/* Makes what was ingested so far survive a power cut.  Call before a name or record that relies on
 * it is written; store_close() does not. */
NODISCARD int store_settle(struct store *st, struct err *err);
