/* engine/source/git_source.c - see git_source.h. */
#include "engine/source/git_source.h"

#include <stdlib.h>

#include "base/core/mem.h"
#include "engine/source/git_internal.h"

int git_source_open(struct store *st, struct git_source **out, struct err *err)
{
    AUTO(git_source_close) struct git_source *s = xcalloc(1, sizeof *s);
    s->store = st;
    s->folder = xasprintf("%s/git", store_path(st));
    git_mirror_kind_add(s);
    (void)err; /* the folder is made when something is fetched */
    *out = STEAL(s);
    return 0;
}

void git_source_close(struct git_source *s)
{
    if (!s)
        return;
    free(s->folder);
    free(s);
}
