/* image/layer/whiteout.h - names in a layer that say what is gone.
 *
 * `.wh.NAME` removes NAME of the layers below, `.wh..wh..opq` hides all that the layers below have
 * in its folder.  Both speak of the layers below only, never of what the same layer adds, whatever
 * the order of entries.  Other names that begin with `.wh..wh.` are left-overs of AUFS and mean
 * nothing.
 *
 * Spec:    image-spec layer.md "Whiteouts".  Threads: no state. */
#pragma once
#include "base/core/err.h"

#define WHITEOUT_PREFIX ".wh."
#define WHITEOUT_META_PREFIX ".wh..wh."
#define WHITEOUT_OPAQUE_NAME ".wh..wh..opq"

enum whiteout_kind {
    WHITEOUT_NONE,   /* an ordinary entry */
    WHITEOUT_NAME,   /* removes one name */
    WHITEOUT_OPAQUE, /* empties its folder */
    WHITEOUT_META,   /* AUFS: to be ignored, with all below it */
};

/* What the clean path of an entry means; *name is the removed name inside `path` for WHITEOUT_NAME.
 * Fails: INVALID for `.wh.` alone, `.wh..`, `.wh...`, and for entries below a whiteout. */
NODISCARD int whiteout_parse(const char *path, enum whiteout_kind *out, const char **name,
                             struct err *err);
/* The whiteout's path for a removed path: "a/b" gives "a/.wh.b".  Owned by the caller. */
char *whiteout_path(const char *path);
