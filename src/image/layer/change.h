/* image/layer/change.h - the difference between two trees, as an ordered list.
 *
 * Snapshot drivers make it, layer_pack() writes it down.  The order is that of a walk that visits
 * names bytewise, a folder before its content: paths compare byte by byte with "/" below every
 * other byte, so `a`, `a/b`, `a/b/c`, `a.txt`, `b`.  It is the order in which containerd and
 * BuildKit write layers.
 *
 * Rules for who makes a list:
 *   - a path appears once; the root ("") never;
 *   - a removed tree is one DELETE of its top, nothing below it;
 *   - a name whose type changed is one MODIFY (no DELETE before it); a folder that gave way to
 *     something else takes its content with it silently;
 *   - parents that did not change need not be there: layer_pack() adds them.
 *
 * Threads: a list belongs to one thread. */
#pragma once
#include <stddef.h>

#include "base/core/arena.h"
#include "base/core/own.h"

enum change_kind { CHANGE_ADD, CHANGE_MODIFY, CHANGE_DELETE };

struct change {
    const char *path; /* clean as in tar_entry.h; owned by the list's arena */
    enum change_kind kind;
};

struct change_list {
    struct arena *arena;  /* owned */
    struct change *items; /* owned, ordered after change_list_sort() */
    size_t n, cap;
};

struct change_list *change_list_new(void);
void change_list_free(struct change_list *l);
DEFINE_AUTO(struct change_list, change_list_free)
void change_list_add(struct change_list *l, const char *path,
                     enum change_kind kind);  /* copies path */
void change_list_sort(struct change_list *l); /* nothing to do when it is in order already */
const struct change *change_list_find(const struct change_list *l,
                                      const char *path); /* NULL: absent; sorted lists only */
const char *change_kind_name(enum change_kind k);        /* "add", "modify", "delete" */

/* <0, 0, >0 in the order above. */
int change_path_compare(const char *a, const char *b);
