/* base/sys/user.c - who we are, and which ids there are for us. */
#include "base/sys/user.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/sys/fs.h"
#include "base/sys/internal.h"

bool user_is_privileged(void)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };
    if (geteuid() != 0 || syscall(SYS_capget, &header, data) < 0)
        return false;
    uint32_t wanted = (1U << CAP_SYS_ADMIN) | (1U << CAP_CHOWN); /* both in the first word */
    return (data[0].effective & wanted) == wanted;
}

int id_ranges_read(const char *path, struct id_ranges *out, struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf text;
    buf_init(&text, 64 * 1024);
    if (fs_read_file(AT_FDCWD, path, &text, err) < 0)
        return -1;
    struct span rest = buf_span(&text);
    while (rest.len > 0) { /* "         0       1000          1" */
        struct span line = span_cut(&rest, '\n');
        uint64_t n[3];
        for (size_t i = 0; i < 3; i++) {
            line = span_trim(line);
            if (!span_u64(span_cut(&line, ' '), UINT32_MAX, &n[i]))
                return err_set(err, ERR_INVALID, "%s: not an id map", path);
        }
        *vec_push(out) = (struct id_range){ .first = (uint32_t)n[0], .n_ids = (uint32_t)n[2] };
    }
    return 0;
}

/* The number of ids, and how far they reach. */
static int measure(const char *path, uint64_t *total, uint64_t *end, struct err *err)
{
    AUTO_VALUE(id_ranges_clear) struct id_ranges ranges = { 0 };
    if (id_ranges_read(path, &ranges, err) < 0)
        return -1;
    *total = *end = 0;
    vec_each (&ranges, range) {
        uint64_t range_end = (uint64_t)range->first + range->n_ids;
        *total += range->n_ids;
        if (range_end > *end)
            *end = range_end;
    }
    return 0;
}

void id_ranges_clear(struct id_ranges *ranges)
{
    vec_clear(ranges);
}

int id_map_current(struct id_map *out, struct err *err)
{
    uint64_t users, groups, users_end, groups_end;
    if (measure("/proc/self/uid_map", &users, &users_end, err) < 0 ||
        measure("/proc/self/gid_map", &groups, &groups_end, err) < 0)
        return -1;
    uint64_t end = users_end < groups_end ? users_end : groups_end;
    *out = (struct id_map){ .is_single = users <= 1 || groups <= 1,
                            .n_ids = end < UINT32_MAX ? (uint32_t)end : UINT32_MAX };
    return 0;
}

int mounts_make_private(struct err *err)
{
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return err_sys(err, "make mounts private");
    return 0;
}

int mountns_enter(struct err *err)
{
    if (unshare(CLONE_NEWNS) < 0) {
        err_sys(err, "enter a mount namespace");
        return userns_explain(err->sys, err);
    }
    return mounts_make_private(err) < 0 ? userns_explain(err->sys, err) : 0;
}

const char *user_home(void)
{
    const char *home = getenv("HOME");
    if (home && home[0] == '/')
        return home;
    const struct passwd *entry = getpwuid(geteuid());
    return entry && entry->pw_dir && entry->pw_dir[0] == '/' ? entry->pw_dir : "/";
}
