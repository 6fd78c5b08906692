/* image/layer/node.c - see node.h.
 *
 * Attributes are reached through /proc/self/fd/N/NAME, since there are no *at calls for extended
 * attributes before Linux 6.13. */
#include "image/layer/node.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/core/limits.h"
#include "base/sys/fs.h"

enum { VALUE_MAX = 128 }; /* of NODE_XATTR: five numbers */

/* What NODE_XATTR says. */
struct override {
    bool has_uid, has_gid, has_mode;
    uint32_t uid, gid;
    mode_t mode;
    mode_t device; /* S_IFCHR, S_IFBLK, or 0 */
    dev_t rdev;
};

struct proc_path {
    char s[LIMIT_PATH + 64];
};

static struct proc_path proc_path(int dir_fd, const char *path)
{
    struct proc_path p;
    if (dir_fd == AT_FDCWD)
        snprintf(p.s, sizeof p.s, "%s", path);
    else
        snprintf(p.s, sizeof p.s, "/proc/self/fd/%d/%s", dir_fd, path);
    return p;
}

/* ---- text of the attribute ---- */

static int parse_number(struct span *rest, int base, uint64_t max, uint64_t *out)
{
    uint64_t n = 0;
    size_t i = 0;
    for (; i < rest->len && rest->ptr[i] >= '0' && rest->ptr[i] < '0' + base; i++) {
        n = n * (uint64_t)base + (uint64_t)(rest->ptr[i] - '0');
        if (n > max)
            return -1;
    }
    *rest = span_skip(*rest, i);
    *out = n;
    return i > 0 ? 0 : -1;
}

static int parse_field(struct override *o, char key, struct span value)
{
    uint64_t n, minor;
    if (parse_number(&value, key == 'm' ? 8 : 10, key == 'm' ? 07777 : UINT32_MAX, &n))
        return -1;
    if (key == 'u') {
        o->has_uid = true;
        o->uid = (uint32_t)n;
    } else if (key == 'g') {
        o->has_gid = true;
        o->gid = (uint32_t)n;
    } else if (key == 'm') {
        o->has_mode = true;
        o->mode = (mode_t)n;
    } else if ((key == 'c' || key == 'b') && span_starts(value, ":")) {
        value = span_skip(value, 1);
        if (parse_number(&value, 10, UINT32_MAX, &minor))
            return -1;
        o->device = key == 'c' ? S_IFCHR : S_IFBLK;
        o->rdev = makedev((unsigned)n, (unsigned)minor);
    } else {
        return -1;
    }
    return value.len == 0 ? 0 : -1;
}

static int parse_override(struct span text, struct override *out)
{
    *out = (struct override){ 0 };
    if (span_ends(text, " "))
        return -1;
    while (text.len > 0) {
        struct span field = span_cut(&text, ' ');
        if (field.len < 3 || field.ptr[1] != '=' ||
            parse_field(out, *field.ptr, span_skip(field, 2)))
            return -1;
    }
    return 0;
}

static void print_override(const struct override *o, struct buf *text)
{
    const char *const blank[] = { "", " " };
    if (o->has_uid)
        buf_printf(text, "u=%" PRIu32, o->uid);
    if (o->has_gid)
        buf_printf(text, "%sg=%" PRIu32, blank[text->len > 0], o->gid);
    if (o->has_mode)
        buf_printf(text, "%sm=%o", blank[text->len > 0], o->mode);
    if (o->device)
        buf_printf(text, "%s%c=%u:%u", blank[text->len > 0], o->device == S_IFCHR ? 'c' : 'b',
                   major(o->rdev), minor(o->rdev));
}

/* ---- reading ---- */

static bool can_carry(mode_t mode)
{
    return S_ISREG(mode) || S_ISDIR(mode);
}

/* `len` is what getxattr returned for `value`. */
static int take_override(ssize_t len, const char *value, const char *path, struct override *out,
                         bool *is_there, struct err *err)
{
    *is_there = len >= 0;
    *out = (struct override){ 0 };
    /* EACCES: we may not read the file, which node_set_attributes() sees to where it writes one. */
    if (len < 0 && (errno == ENODATA || errno == EOPNOTSUPP || errno == EACCES))
        return 0;
    if (len < 0 && errno != ERANGE)
        return err_sys(err, "read %s: %s", NODE_XATTR, path);
    if (len < 0 || parse_override(span_bytes(value, (size_t)len), out))
        return err_set(err, ERR_CORRUPT, "read %s: %s: not in kiln's format", NODE_XATTR, path);
    return 0;
}

static int read_override(int dir_fd, const char *path, struct override *out, bool *is_there,
                         struct err *err)
{
    char value[VALUE_MAX];
    struct proc_path p = proc_path(dir_fd, path);
    ssize_t len = lgetxattr(p.s, NODE_XATTR, value, sizeof value);
    return take_override(len, value, path, out, is_there, err);
}

/* Whoever runs without being root is root of what it owns. */
static bool is_ours(const struct stat *st)
{
    uid_t me = geteuid();
    return me != 0 && st->st_uid == me;
}

static uint32_t shown_uid(const struct stat *st)
{
    return is_ours(st) ? 0 : st->st_uid;
}

static uint32_t shown_gid(const struct stat *st)
{
    return is_ours(st) ? 0 : st->st_gid;
}

static struct node_stat plain_stat(const struct stat *st)
{
    return (struct node_stat){
        .mode = st->st_mode,
        .uid = shown_uid(st),
        .gid = shown_gid(st),
        .rdev = st->st_rdev,
        .size = (uint64_t)st->st_size,
        .mtime = st->st_mtim,
        .ctime = st->st_ctim,
        .dev = st->st_dev,
        .ino = st->st_ino,
        .nlink = st->st_nlink,
    };
}

static void override_stat(struct node_stat *n, const struct override *o)
{
    n->has_override = true;
    if (o->has_uid)
        n->uid = o->uid;
    if (o->has_gid)
        n->gid = o->gid;
    if (o->has_mode)
        n->mode = (n->mode & S_IFMT) | o->mode;
    if (o->device) {
        n->mode = (n->mode & 07777) | o->device;
        n->rdev = o->rdev;
        n->size = 0;
    }
}

/* Root of a Pod may have lost its capabilities. */
static bool has_capabilities(uint64_t wanted)
{
    struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[2] = { 0 };
    if (syscall(SYS_capget, &head, data))
        return false;
    uint64_t mine = data[0].effective | (uint64_t)data[1].effective << 32;
    return (mine & wanted) == wanted;
}

bool node_is_shut_out(void)
{
    return !has_capabilities(1 << CAP_DAC_OVERRIDE | 1 << CAP_FSETID);
}

bool node_may_override(const struct id_map *ids)
{
    return !ids || ids->is_single || ids->n_ids < UINT32_MAX - 1 || geteuid() != 0 ||
           !has_capabilities(1 << CAP_CHOWN | 1 << CAP_DAC_OVERRIDE | 1 << CAP_MKNOD |
                             1 << CAP_FSETID);
}

int node_stat_from(const struct stat *st, int dir_fd, const char *path, const struct id_map *ids,
                   struct node_stat *out, struct err *err)
{
    struct override o;
    bool is_there;
    *out = plain_stat(st);
    if (!can_carry(st->st_mode) || !node_may_override(ids))
        return 0;
    if (read_override(dir_fd, path, &o, &is_there, err))
        return -1;
    if (is_there)
        override_stat(out, &o);
    return 0;
}

int node_stat(int dir_fd, const char *path, const struct id_map *ids, struct node_stat *out,
              struct err *err)
{
    struct stat st;
    if (fstatat(dir_fd, path, &st, AT_SYMLINK_NOFOLLOW))
        return err_sys(err, "stat %s", path);
    return node_stat_from(&st, dir_fd, path, ids, out, err);
}

int node_stat_fd(int fd, const struct id_map *ids, struct node_stat *out, struct err *err)
{
    struct stat st;
    struct override o;
    bool is_there;
    char value[VALUE_MAX];
    if (fstat(fd, &st))
        return err_sys(err, "stat an open file");
    *out = plain_stat(&st);
    if (!can_carry(st.st_mode) || !node_may_override(ids))
        return 0;
    ssize_t len = fgetxattr(fd, NODE_XATTR, value, sizeof value);
    if (take_override(len, value, "an open file", &o, &is_there, err))
        return -1;
    if (is_there)
        override_stat(out, &o);
    return 0;
}

/* ---- writing ---- */

/* Writes the override, or removes one that is not needed any more. */
static int store_override(int dir_fd, const char *path, const struct override *o, bool was_there,
                          struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    struct proc_path p = proc_path(dir_fd, path);
    buf_init(&text, VALUE_MAX);
    print_override(o, &text);
    if (text.len == 0) {
        if (was_there && lremovexattr(p.s, NODE_XATTR) && errno != ENODATA)
            return err_sys(err, "remove %s: %s", NODE_XATTR, path);
        return 0;
    }
    if (!lsetxattr(p.s, NODE_XATTR, text.data, text.len, 0))
        return 0;
    if (errno != EOPNOTSUPP)
        return err_sys(err, "set %s: %s", NODE_XATTR, path);
    err_set(err, ERR_UNSUPPORTED,
            "set the owner of %s to %" PRIu32 ":%" PRIu32
            ": this process may not, and the file system has no user.* attributes to note it in",
            path, o->uid, o->gid);
    return err_hint(err, "put kiln's folder on ext4, xfs, btrfs, or tmpfs of Linux 6.6 or newer");
}

/* chown that is forbidden rather than failed. */
static bool is_refusal(int code)
{
    return code == EPERM || code == EINVAL || code == EOVERFLOW;
}

/* chown where the owner shown is another; what the system refuses is left as it is. */
static int try_chown(int dir_fd, const char *path, const struct stat *st, uint32_t uid,
                     uint32_t gid, struct err *err)
{
    if ((shown_uid(st) == uid && shown_gid(st) == gid) || is_ours(st))
        return 0;
    if (fchownat(dir_fd, path, uid, gid, AT_SYMLINK_NOFOLLOW) && !is_refusal(errno))
        return err_sys(err, "chown %s", path);
    return 0;
}

/* What cannot carry an override: as near as the system permits. */
static int set_bare(int dir_fd, const char *path, const struct stat *st, uint32_t uid, uint32_t gid,
                    mode_t mode, struct err *err)
{
    if (try_chown(dir_fd, path, st, uid, gid, err))
        return -1;
    if (!S_ISLNK(st->st_mode) && fchmodat(dir_fd, path, mode, 0))
        return err_sys(err, "chmod %s", path);
    return 0;
}

/* The bits without which we could not read the file, list the folder or note an override. */
static mode_t needed_bits(const struct stat *st, bool has_note)
{
    if (!node_is_shut_out())
        return 0;
    if (S_ISDIR(st->st_mode))
        return 0700;
    return has_note ? 0600 : 0400;
}

/* Writes what `o` holds for device and fills in the rest from what the file system refused. */
static int set_noted(int dir_fd, const char *path, struct stat *st, const struct node_device *want,
                     struct override *o, bool was_there, struct err *err)
{
    if (try_chown(dir_fd, path, st, want->uid, want->gid, err))
        return -1;
    if (fstatat(dir_fd, path, st, AT_SYMLINK_NOFOLLOW))
        return err_sys(err, "stat %s", path);
    mode_t mode = want->mode & 07777;
    bool has_note = shown_uid(st) != want->uid || shown_gid(st) != want->gid || o->device ||
                    (mode | needed_bits(st, false)) != mode;
    mode_t real = mode | needed_bits(st, has_note);
    if ((st->st_mode & 07777) != real) {
        if (fchmodat(dir_fd, path, real, 0))
            return err_sys(err, "chmod %s", path);
        if (fstatat(dir_fd, path, st,
                    AT_SYMLINK_NOFOLLOW)) /* a setgid bit may be dropped silently */
            return err_sys(err, "stat %s", path);
    }
    o->has_uid = shown_uid(st) != want->uid;
    o->has_gid = shown_gid(st) != want->gid;
    o->has_mode = (st->st_mode & 07777) != mode;
    o->uid = want->uid;
    o->gid = want->gid;
    o->mode = mode;
    return store_override(dir_fd, path, o, was_there, err);
}

int node_set_attributes(int dir_fd, const char *path, uint32_t uid, uint32_t gid, mode_t mode,
                        struct err *err)
{
    struct stat st;
    struct override o;
    bool was_there;
    if (fstatat(dir_fd, path, &st, AT_SYMLINK_NOFOLLOW))
        return err_sys(err, "stat %s", path);
    if (!can_carry(st.st_mode))
        return set_bare(dir_fd, path, &st, uid, gid, mode, err);
    if (read_override(dir_fd, path, &o, &was_there, err))
        return -1;
    struct node_device want = { .mode = mode, .uid = uid, .gid = gid };
    return set_noted(dir_fd, path, &st, &want, &o, was_there, err);
}

int node_set_owner(int dir_fd, const char *path, uint32_t uid, uint32_t gid, struct err *err)
{
    struct node_stat now;
    if (node_stat(dir_fd, path, NULL, &now, err))
        return -1;
    return node_set_attributes(dir_fd, path, uid, gid, now.mode & 07777, err);
}

int node_set_mode(int dir_fd, const char *path, mode_t mode, struct err *err)
{
    struct node_stat now;
    if (node_stat(dir_fd, path, NULL, &now, err))
        return -1;
    return node_set_attributes(dir_fd, path, now.uid, now.gid, mode, err);
}

int node_make_device(int dir_fd, const char *name, const struct node_device *device,
                     struct err *err)
{
    struct stat st;
    if (mknodat(dir_fd, name, (device->mode & S_IFMT) | 0600, device->rdev) == 0)
        return node_set_attributes(dir_fd, name, device->uid, device->gid, device->mode & 07777,
                                   err);
    if (errno != EPERM)
        return err_sys(err, "make device %s", name);
    AUTO_FD int fd = -1;
    if (fs_open(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600, &fd, err))
        return -1;
    if (fstat(fd, &st))
        return err_sys(err, "stat %s", name);
    struct override o = { .device = device->mode & S_IFMT, .rdev = device->rdev };
    return set_noted(dir_fd, name, &st, device, &o, false, err);
}

/* ---- file capabilities ---- */

int node_get_capability(int dir_fd, const char *path, struct buf *value, bool *is_there,
                        struct err *err)
{
    static const char *const names[] = { "security.capability", NODE_XATTR_CAPABILITY };
    char bytes[256];
    struct proc_path p = proc_path(dir_fd, path);
    *is_there = false;
    for (size_t i = 0; i < 2; i++) {
        ssize_t len = lgetxattr(p.s, names[i], bytes, sizeof bytes);
        if (len >= 0) {
            *is_there = true;
            return buf_append(value, span_bytes(bytes, (size_t)len), err);
        }
        if (errno != ENODATA && errno != EOPNOTSUPP && errno != EPERM)
            return err_sys(err, "read %s: %s", names[i], path);
    }
    return 0;
}

int node_set_capability(int dir_fd, const char *path, struct span value, struct err *err)
{
    struct proc_path p = proc_path(dir_fd, path);
    if (lsetxattr(p.s, "security.capability", value.ptr, value.len, 0) == 0)
        return 0;
    if (errno == EPERM || errno == EOPNOTSUPP) {
        struct err ignored = { 0 };
        if (fs_set_xattr(dir_fd, path, NODE_XATTR_CAPABILITY, value, &ignored) == 0)
            return 0;
        errno = EPERM;
    }
    return err_sys(err, "set security.capability: %s", path);
}
