/* engine/ops/folders.c - folders on the way to something that a file operation makes; symbolic
 * modes. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "engine/ops/internal.h"

struct new_folder {
    mode_t mode;
    const struct copy_owner *owner;
    int64_t timestamp_ns;
};

/* Makes `name` in an open folder, which had none. */
static int make_one(int dir_fd, const char *name, const struct new_folder *f, struct err *err)
{
    if (mkdirat(dir_fd, name, 0700) < 0)
        return err_sys(err, "make the folder %s", name);
    if (node_set_attributes(dir_fd, name, f->owner->uid, f->owner->gid, f->mode, err))
        return -1;
    if (f->timestamp_ns == TIMESTAMP_NONE)
        return 0;
    struct timespec t = { .tv_sec = f->timestamp_ns / 1000000000,
                          .tv_nsec = f->timestamp_ns % 1000000000 };
    struct timespec times[2] = { t, t };
    if (utimensat(dir_fd, name, times, 0) < 0)
        return err_sys(err, "set the time of %s", name);
    return 0;
}

int make_folders(int to_fd, const char *path, mode_t mode, const struct copy_owner *owner,
                 int64_t timestamp_ns, struct err *err)
{
    const struct new_folder new = { .mode = mode, .owner = owner, .timestamp_ns = timestamp_ns };
    AUTO_FREE char *done = xstrdup("");
    struct span rest = span_of(path);
    while (rest.ptr && rest.len > 0) {
        struct span part = span_cut(&rest, '/');
        if (part.len == 0 || span_is(part, "."))
            continue;
        AUTO_FREE char *parent = STEAL(done);
        AUTO_FREE char *name = span_dup(part);
        done = xasprintf("%s/%s", parent, name);
        AUTO_FD int fd = -1, parent_fd = -1;
        struct err absent = { 0 };
        if (fs_open_in_root(to_fd, done, O_PATH | O_DIRECTORY, 0, &fd, &absent) == 0)
            continue;
        if (absent.kind != ERR_NOT_FOUND) {
            *err = absent;
            return err_wrap(err, "make the folder %s", path);
        }
        if (fs_open_in_root(to_fd, *parent ? parent : "/", O_RDONLY | O_DIRECTORY, 0, &parent_fd,
                            err) ||
            make_one(parent_fd, name, &new, err))
            return err_wrap(err, "make the folder %s", path);
    }
    return 0;
}

/* ---- symbolic modes: [ugoa...][+-=][rwxXst...],... ---- */

static mode_t who_mask(char c)
{
    switch (c) {
    case 'u':
        return 04700;
    case 'g':
        return 02070;
    case 'o':
        return 01007;
    case 'a':
        return 07777;
    default:
        return 0;
    }
}

static mode_t what_bits(char c, mode_t old, bool is_folder)
{
    switch (c) {
    case 'r':
        return 0444;
    case 'w':
        return 0222;
    case 'x':
        return 0111;
    case 'X':
        return is_folder || (old & 0111) ? 0111 : 0;
    case 's':
        return 06000;
    case 't':
        return 01000;
    default:
        return 0;
    }
}

static int apply_clause(const char *text, struct span clause, bool is_folder, mode_t *mode,
                        struct err *err)
{
    const char *p = clause.ptr, *end = clause.ptr + clause.len;
    mode_t who = 0;
    for (; p < end && who_mask(*p); p++)
        who |= who_mask(*p);
    if (who == 0)
        who = 07777;
    if (p == end || !strchr("+-=", *p))
        return err_set(err, ERR_INVALID, "mode \"%s\": + - or = is expected", text);
    while (p < end && strchr("+-=", *p)) {
        char how = *p++;
        mode_t bits = 0;
        for (; p < end && strchr("rwxXst", *p); p++)
            bits |= what_bits(*p, *mode, is_folder);
        bits &= who;
        if (how == '=') /* folders keep setuid and setgid unless they are named */
            *mode = (*mode & ~(who & (is_folder ? 01777 : 07777))) | bits;
        else
            *mode = how == '+' ? *mode | bits : *mode & ~bits;
    }
    if (p != end)
        return err_set(err, ERR_INVALID, "mode \"%s\": '%c' is no permission", text, *p);
    return 0;
}

int mode_apply(const char *text, mode_t old, bool is_folder, mode_t *out, struct err *err)
{
    struct span rest = span_of(text);
    *out = old & 07777;
    while (rest.ptr) {
        struct span clause = span_cut(&rest, ',');
        if (apply_clause(text, clause, is_folder, out, err))
            return -1;
    }
    return 0;
}
