/* base/codec/foreign.h - compressions that only other people's archives use: bzip2, xz, lzma
 * (libarchive behind our header).  Threads: a stream belongs to one thread. */
#pragma once
#include "base/core/stream.h"

/* By the first bytes (6 suffice). */
bool foreign_is_compressed(struct span head);
/* A filter; borrows `below`.  What comes out has no ceiling: reader_limited() sets one.  Fails:
 * CORRUPT. */
NODISCARD int reader_of_foreign(struct reader *below, struct reader **out, struct err *err);
