/* base/codec/foreign.h - compressions that only other people's archives use: bzip2, xz, lzma
 * (libbz2 and liblzma behind our header).  Threads: a stream belongs to one thread. */
#pragma once
#include "base/core/stream.h"

/* By the first bytes (6 suffice). */
bool foreign_is_compressed(struct span head);
/* A filter; borrows `below`.  Several streams one after another are read as one, for lzma one
 * alone.  What comes out has no ceiling: reader_limited() sets one.  Fails: CORRUPT; LIMIT when xz
 * wants more than 128 MiB of memory. */
NODISCARD int reader_of_foreign(struct reader *below, struct reader **out, struct err *err);
