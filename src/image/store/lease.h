/* image/store/lease.h - "I am at work": what is used from now on is not collected.
 *
 * A lease protects every object that was used (image/store/object.h) at or after its beginning,
 * whoever used it, until it is closed or its process ends, however it ends.  A build holds one from
 * before its first look into the store to its end.  A server that runs for weeks takes a fresh one
 * from time to time, begun a little in the past, and closes the one before: what clients uploaded
 * lately stays, the rest may go. */
#pragma once
#include "base/core/err.h"
#include "image/store/store.h"

struct lease;
/* `ago_s`: how long ago it counts as begun.  Fails: SYSTEM. */
NODISCARD int lease_open(struct store *st, int64_t ago_s, struct lease **out, struct err *err);
void lease_close(struct lease *l);
DEFINE_AUTO(struct lease, lease_close)
