/* image/store/lease.c - a lease is a locked file leases/SECONDS-PID-N.
 *
 * The name says when it began, the lock that its owner lives.  The kernel drops the lock with the
 * process, whatever ends it, in every pid namespace that shares the folder. */
#include "image/store/lease.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "image/store/internal.h"

struct lease {
    struct store *store; /* borrowed */
    char *path;          /* owned, below the store */
    int fd;              /* owned, locked */
};

int lease_open(struct store *st, int64_t ago_s, struct lease **out, struct err *err)
{
    static atomic_uint counter;
    AUTO(lease_close) struct lease *l = xcalloc(1, sizeof *l);
    *l = (struct lease){ .store = st, .fd = -1 };
    l->path = xasprintf("leases/%lld-%ld-%u", (long long)(now_s() - ago_s), (long)getpid(),
                        atomic_fetch_add(&counter, 1));
    if (fs_lock(st->fd, l->path, true, false, &l->fd, err))
        return err_wrap(err, "take a lease on the store %s", st->path);
    *out = STEAL(l);
    return 0;
}

void lease_close(struct lease *l)
{
    if (!l)
        return;
    if (l->fd >= 0) {
        unlinkat(l->store->fd, l->path, 0);
        close(l->fd);
    }
    free(l->path);
    free(l);
}

/* Whether somebody holds the lease; a dead one's file is removed.  flock() is of the open file, so
 * our own leases answer "held" too. */
static bool lease_lives(struct store *st, const char *path)
{
    AUTO_FD int fd = openat(st->fd, path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return false;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return true;
    unlinkat(st->fd, path, 0);
    return false;
}

int lease_oldest(struct store *st, int64_t *began_s, struct err *err)
{
    AUTO_VALUE(str_list_clear) struct str_list names = { 0 };
    if (fs_list(st->fd, "leases", &names, err))
        return -1;
    *began_s = INT64_MAX;
    vec_each (&names, name) {
        AUTO_FREE char *path = xasprintf("leases/%s", *name);
        uint64_t began = 0;
        struct span rest = span_of(*name);
        if (span_u64(span_cut(&rest, '-'), INT64_MAX, &began) && lease_lives(st, path) &&
            (int64_t)began < *began_s)
            *began_s = (int64_t)began;
    }
    return 0;
}
