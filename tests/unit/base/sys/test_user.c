#include "base/sys/user.h"

#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "child.h"

static char *slurp(const char *path)
{
    struct err err = { 0 };
    AUTO_VALUE(buf_clear) struct buf b;
    buf_init(&b, 1 << 20);
    return fs_read_file(AT_FDCWD, path, &b, &err) < 0 ? xstrdup("") : buf_take(&b);
}

/* Takes capabilities away, for good. */
static void drop(uint32_t caps)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[2] = { 0 };
    EXPECT(syscall(SYS_capget, &header, data) == 0);
    data[0].effective &= ~caps;
    data[0].permitted &= ~caps;
    data[0].inheritable = 0;
    EXPECT(syscall(SYS_capset, &header, data) == 0);
}

/* ---- who we are ---- */

static void without_admin(void)
{
    drop(1U << CAP_SYS_ADMIN);
    EXPECT(!user_is_privileged());
}

static void without_chown(void)
{
    drop(1U << CAP_CHOWN);
    EXPECT(!user_is_privileged());
}

static void as_nobody(void)
{
    REQUIRE(become_nobody());
    EXPECT(!user_is_privileged());
}

TEST("privileged is root with the right to mount and to chown, and nobody else")
{
    in_child(as_nobody);
    if (!user_is_privileged())
        SKIP("needs root with all capabilities");
    in_child(without_admin);
    in_child(without_chown);
}

TEST("home is $HOME, else what the user list says, never empty")
{
    AUTO_FREE char *saved = xstrdup_or_null(getenv("HOME"));
    setenv("HOME", "/somewhere", 1);
    EXPECT_STR(user_home(), "/somewhere");
    setenv("HOME", "not/absolute", 1);
    EXPECT_INT(user_home()[0], '/');
    EXPECT(!strstr(user_home(), "not"));
    unsetenv("HOME");
    EXPECT_INT(user_home()[0], '/');
    if (saved)
        setenv("HOME", saved, 1);
}

/* ---- namespaces ---- */

/* True when this machine lets an ordinary user have a user namespace. */
static bool has_userns(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(!(become_nobody() && unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0));
    int status = 1;
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

/* What must hold inside, whichever way we came in. */
static void expect_inside(const struct id_map *map)
{
    struct id_map now = { 0 };
    struct err err = { 0 };
    EXPECT_INT(geteuid(), 0);
    EXPECT_INT(getegid(), 0);
    EXPECT(user_is_privileged());
    EXPECT_OK(id_map_current(&now, &err), &err);
    EXPECT_INT(now.is_single, map->is_single);
    EXPECT_INT(now.n_ids, map->n_ids);
    AUTO_FREE char *mounts = slurp("/proc/self/mountinfo");
    EXPECT(mounts[0] && !strstr(mounts, "shared:") && !strstr(mounts, "master:"));
    EXPECT_INT(mount("none", tap_dir(), "tmpfs", 0, NULL), 0);
    EXPECT_INT(waitpid(-1, NULL, WNOHANG), -1); /* the helper has gone */
}

static void enter_single(void)
{
    struct err err = { 0 };
    struct id_map map = { 0 };
    REQUIRE(become_nobody());
    int before = count_fds();
    REQUIRE_OK(userns_enter(&map, &err), &err);
    EXPECT_INT(count_fds(), before);
    EXPECT(map.is_single);
    EXPECT_INT(map.n_ids, 1);
    expect_inside(&map);
    AUTO_FREE char *groups = slurp("/proc/self/setgroups");
    EXPECT_STR(groups, "deny\n");
}

TEST("an ordinary user without subordinate ids becomes root with one id")
{
    if (!has_userns())
        SKIP("needs user namespaces");
    AUTO_FREE char *subuid = slurp("/etc/subuid");
    if (strstr(subuid, "nobody:") || (geteuid() != 0 && subuid[0]))
        SKIP("needs a user without subordinate ids");
    in_child(enter_single);
}

/* Puts `text` over a file, in a mount namespace of this child's own. */
static bool cover(const char *path, const char *text)
{
    struct err err = { 0 };
    AUTO_FREE char *from = xasprintf("%s/cover", tap_dir());
    return fs_write_file(AT_FDCWD, from, span_of(text), 0644, false, &err) == 0 &&
           mount(from, path, NULL, MS_BIND, NULL) == 0;
}

static bool cover_subids(const char *users, const char *groups)
{
    return unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           cover("/etc/subuid", users) && cover("/etc/subgid", groups);
}

static void enter_with_subids(void)
{
    struct err err = { 0 };
    struct id_map map = { 0 };
    REQUIRE(cover_subids("root:1:5\nnobody:200000:65536\n65534:300000:10\nnobody:x:1\n",
                         "nobody:200000:65546\n"));
    REQUIRE(become_nobody());
    REQUIRE_OK(userns_enter(&map, &err), &err);
    EXPECT(!map.is_single);
    EXPECT_INT(map.n_ids, 65547);
    AUTO_FREE char *users = slurp("/proc/self/uid_map");
    EXPECT_STR(users, "         0      65534          1\n"
                      "         1     200000      65536\n"
                      "     65537     300000         10\n");
    AUTO_FD int fd = open_dir();
    EXPECT_INT(fchown(fd, 1000, 1000), 0);
    expect_inside(&map);
}

static void enter_with_half_the_subids(void)
{
    struct err err = { 0 };
    struct id_map map = { 0 };
    REQUIRE(cover_subids("root:1:5\n", "nobody:200000:65536\n"));
    REQUIRE(become_nobody());
    REQUIRE_OK(userns_enter(&map, &err), &err);
    EXPECT(map.is_single);
    expect_inside(&map);
}

TEST("with subordinate ids newuidmap maps them all; with those of groups only it is one id")
{
    if (!has_userns() || geteuid() != 0 || !user_is_privileged())
        SKIP("needs root, to set up /etc/subuid for this case only");
    if (access("/usr/bin/newuidmap", X_OK) < 0 || !fs_exists(AT_FDCWD, "/etc/subuid") ||
        !fs_exists(AT_FDCWD, "/etc/subgid"))
        SKIP("needs newuidmap");
    in_child(enter_with_subids);
    in_child(enter_with_half_the_subids);
}

static void enter_as_pod_root(void)
{
    struct err err = { 0 };
    struct id_map here = { 0 }, map = { 0 };
    drop(1U << CAP_SYS_ADMIN);
    EXPECT_OK(id_map_current(&here, &err), &err);
    REQUIRE_OK(userns_enter(&map, &err), &err);
    EXPECT_INT(map.is_single, here.is_single);
    EXPECT_INT(map.n_ids, here.n_ids);
    AUTO_FD int fd = open_dir();
    if (!map.is_single)
        EXPECT_INT(fchown(fd, 1000, 1000), 0);
    expect_inside(&map);
}

TEST("root without the right to mount keeps every id")
{
    if (!has_userns() || geteuid() != 0 || !user_is_privileged())
        SKIP("needs root");
    in_child(enter_as_pod_root);
}

static void enter_mounts_only(void)
{
    struct err err = { 0 };
    AUTO_FREE char *probe = xasprintf("%s/inside", tap_dir());
    EXPECT_OK(mountns_enter(&err), &err);
    EXPECT_INT(mount("none", tap_dir(), "tmpfs", 0, NULL), 0);
    EXPECT_INT(mkdir(probe, 0755), 0);
}

TEST("mounts in a mount namespace are seen there only")
{
    if (!user_is_privileged())
        SKIP("needs root");
    in_child(enter_mounts_only);
    AUTO_FD int dir = open_dir();
    EXPECT(!fs_exists(dir, "inside"));
}

/* ---- why not ---- */

static void enter_under_seccomp(void)
{
    struct err err = { 0 };
    struct id_map map;
    refuse(SCMP_SYS(unshare), EPERM);
    int before = count_fds();
    EXPECT_ERR(userns_enter(&map, &err), &err, ERR_DENIED);
    EXPECT_STR(err.text, "enter a user namespace: operation not permitted");
    EXPECT_CONTAINS(err.hint, "seccompProfile.type: Unconfined");
    EXPECT_INT(count_fds(), before);
    EXPECT_INT(waitpid(-1, NULL, WNOHANG), -1);
    EXPECT_ERR(mountns_enter(&err), &err, ERR_DENIED);
    EXPECT_CONTAINS(err.hint, "seccompProfile.type: Unconfined");
}

static void enter_at_the_limit(void)
{
    struct err err = { 0 };
    struct id_map map;
    refuse(SCMP_SYS(unshare), ENOSPC);
    EXPECT_ERR(userns_enter(&map, &err), &err, ERR_DENIED);
    EXPECT_CONTAINS(err.hint, "/proc/sys/user/max_user_namespaces is ");
}

static void enter_without_mount(void)
{
    struct err err = { 0 };
    struct id_map map;
    REQUIRE(become_nobody());
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    refuse(SCMP_SYS(mount), EACCES);
    EXPECT_ERR(userns_enter(&map, &err), &err, ERR_DENIED);
    EXPECT_STR(err.text, "make mounts private: permission denied");
    EXPECT(err.hint[0]);
    EXPECT(geteuid() != 0); /* as it was */
    AUTO_FREE char *users = slurp("/proc/self/uid_map");
    EXPECT(!strstr(users, " 1\n"));
}

static void enter_as_root_without_rights(void)
{
    struct err err = { 0 };
    struct id_map before = { 0 }, after = { 0 }, map;
    drop(UINT32_MAX); /* CAP_SETFCAP is 31 */
    EXPECT_OK(id_map_current(&before, &err), &err);
    EXPECT_ERR(userns_enter(&map, &err), &err, ERR_DENIED);
    EXPECT_CONTAINS(err.text, "map ids of a user namespace: ");
    EXPECT_CONTAINS(err.hint, "SETFCAP");
    EXPECT_OK(id_map_current(&after, &err), &err);
    EXPECT_INT(after.n_ids, before.n_ids);
    EXPECT_INT(geteuid(), 0);
}

TEST("root without any right may not map itself, is told so, and is where it was")
{
    if (!has_userns() || !user_is_privileged())
        SKIP("needs root");
    in_child(enter_as_root_without_rights);
}

TEST("the reason is looked for and told: seccomp, the limit of the node, a forbidden mount")
{
    in_child(enter_under_seccomp);
    in_child(enter_at_the_limit);
    if (has_userns())
        in_child(enter_without_mount);
}

static void enter_with_limit_zero(void)
{
    struct err err = { 0 };
    struct id_map map;
    /* A namespace of our own, whose limit is ours to set. */
    REQUIRE_OK(userns_enter(&map, &err), &err);
    AUTO_FD int fd = open("/proc/sys/user/max_user_namespaces", O_WRONLY | O_CLOEXEC);
    REQUIRE(fd >= 0 && write(fd, "0", 1) == 1);
    EXPECT_ERR(userns_enter(&map, &err), &err, ERR_DENIED);
    EXPECT_CONTAINS(err.hint, "max_user_namespaces is 0");
}

static void enter_from_chroot(void)
{
    struct err err = { 0 };
    struct id_map map;
    AUTO_FREE char *proc = xasprintf("%s/proc", tap_dir());
    REQUIRE(unshare(CLONE_NEWNS) == 0);
    REQUIRE(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
    REQUIRE(mkdir(proc, 0755) == 0);
    REQUIRE(mount("/proc", proc, NULL, MS_BIND | MS_REC, NULL) == 0);
    REQUIRE(chroot(tap_dir()) == 0 && chdir("/") == 0);
    EXPECT_ERR(userns_enter(&map, &err), &err, ERR_DENIED);
    EXPECT_CONTAINS(err.hint, "chroot");
}

TEST("a limit of 0 and a chroot are told as what they are")
{
    if (!has_userns() || !user_is_privileged())
        SKIP("needs root");
    in_child(enter_with_limit_zero);
    in_child(enter_from_chroot);
}

TAP_MAIN()
