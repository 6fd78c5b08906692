/* tests/unit/engine/sandbox/cases_mounts.h - mounts of a plan, and what they leave in the root. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "step.h"

/* Everything in the root with type, mode, size and the time of each folder's last change. */
static char *listing(const char *root)
{
    AUTO_VALUE(buf_clear) struct buf text;
    buf_init(&text, 1 << 20);
    AUTO_FREE char *command =
        xasprintf("cd %s && find . -printf '%%p %%y %%m %%s %%T@ %%l\\n' | LC_ALL=C sort", root);
    FILE *f = popen(command, "r");
    for (int c; f && (c = fgetc(f)) != EOF;)
        buf_putc(&text, (char)c);
    if (!f || pclose(f) != 0)
        abort();
    return buf_take(&text);
}

static char *below(const char *folder, const char *name)
{
    return xasprintf("%s/%s", folder, name);
}

TEST("more hosts than /etc/hosts has room for are refused")
{
    struct step s;
    static const struct step_host hosts[LIMIT_STEP_HOSTS + 1];
    step_init(&s, rootfs_make(), "true");
    s.plan.hosts = hosts;
    s.plan.n_hosts = LIMIT_STEP_HOSTS + 1;
    EXPECT_ERR(step_run(&s), &s.err, ERR_LIMIT);
    step_clear(&s);
}

TEST("folders and files of ours are bound, for writing or not")
{
    struct step s;
    const char *root = rootfs_make();
    make_dir(root, "tmp/source", 0755);
    write_text(root, "tmp/source/file", "content\n", 0644);
    AUTO_FREE char *folder = below(root, "tmp/source"), *file = below(root, "tmp/source/file");
    AUTO_FD int fd = open(folder, O_PATH | O_CLOEXEC);
    const struct step_mount mounts[] = {
        { .type = STEP_BIND, .dest = "/rw", .source = folder },
        { .type = STEP_BIND, .dest = "/ro", .source_fd = fd, .is_readonly = true },
        { .type = STEP_BIND, .dest = "/etc/one", .source = file, .is_readonly = true },
    };
    step_init(&s, root,
              "cat /ro/file /etc/one; echo new >/rw/new; cat /ro/new; "
              "(echo x >/ro/x) 2>&1 | grep -o 'Read-only file system'; "
              "(echo x >/etc/one) 2>&1 | grep -o 'Read-only file system'");
    s.plan.mounts = mounts;
    s.plan.n_mounts = 3;
    EXPECT_OK(step_run(&s), &s.err);
    EXPECT_STR(step_out(&s),
               "content\ncontent\nnew\nRead-only file system\nRead-only file system\n");
    step_clear(&s);
}

TEST("an image's /dev that leads to a folder of the host masks nothing with files from there")
{
    struct step s;
    const char *root = rootfs_make();
    AUTO_FREE char *trap = below(root, "trap"), *dev = below(root, "dev");
    make_dir(root, "trap", 0755);
    write_text(root, "trap/null", "of the host\n", 0644);
    if (rmdir(dev) < 0 && errno != ENOENT)
        abort();
    if (symlink(trap, dev) < 0)
        abort();
    step_init(&s, root, "cat /proc/keys /proc/timer_list 2>&1; test -c /dev/null && echo own");
    EXPECT_OK(step_run(&s), &s.err);
    EXPECT_STR(step_out(&s), "own\n");
    step_clear(&s);
}

/* Answers each line with the same one, as a service of the step's. */
struct echo {
    int listener, client;
};

static size_t echo_watch(void *arg, struct pollfd *fds, size_t room)
{
    struct echo *e = arg;
    if (room < 1)
        return 0;
    fds[0] = (struct pollfd){ .fd = e->client >= 0 ? e->client : e->listener, .events = POLLIN };
    return 1;
}

static void echo_serve(void *arg, const struct pollfd *fds, size_t n)
{
    struct echo *e = arg;
    char bytes[100];
    if (n < 1 || !fds[0].revents)
        return;
    if (e->client < 0) {
        e->client = accept4(e->listener, NULL, NULL, SOCK_CLOEXEC);
        return;
    }
    ssize_t got = read(e->client, bytes, sizeof bytes);
    if (got > 0 && write(e->client, bytes, (size_t)got) == got)
        return;
    close(e->client);
    e->client = -1;
}

TEST("a service answers the step while it runs")
{
    struct step s;
    const char *root = rootfs_make();
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof at;
    struct echo e = { .listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .client = -1 };
    if (bind(e.listener, (struct sockaddr *)&at, size) < 0 || listen(e.listener, 1) < 0 ||
        getsockname(e.listener, (struct sockaddr *)&at, &size) < 0)
        abort();
    AUTO_FREE char *script =
        xasprintf("echo hello | nc -w 5 127.0.0.1 %d", (int)ntohs(at.sin_port));
    const struct step_service service = { .arg = &e, .watch = echo_watch, .serve = echo_serve };
    step_init(&s, root, script);
    s.plan.services = &service;
    s.plan.n_services = 1;
    EXPECT_OK(step_run(&s), &s.err);
    EXPECT_STR(step_out(&s), "hello\n");
    s.plan.n_services = LIMIT_STEP_SERVICES + 1;
    EXPECT_ERR(step_run(&s), &s.err, ERR_LIMIT);
    step_clear(&s);
    close(e.listener);
}

TEST("a device is bound and opens, where any other node opens nothing")
{
    struct step s;
    const char *root = rootfs_make();
    const struct step_mount mounts[] = {
        { .type = STEP_BIND, .dest = "/dev/device", .source = "/dev/zero", .is_device = true },
        { .type = STEP_BIND, .dest = "/plain", .source = "/dev/zero" },
    };
    step_init(&s, root,
              "head -c 2 /dev/device | od -An -tx1; cat /plain 2>&1 | grep -o 'Permission denied'");
    s.plan.mounts = mounts;
    s.plan.n_mounts = 2;
    EXPECT_OK(step_run(&s), &s.err);
    EXPECT_STR(step_out(&s), " 00 00\nPermission denied\n");
    step_clear(&s);
}

TEST("a missing source is named")
{
    struct step s;
    const struct step_mount mount = { .type = STEP_BIND, .dest = "/x", .source = "/not/there" };
    step_init(&s, rootfs_make(), "true");
    s.plan.mounts = &mount;
    s.plan.n_mounts = 1;
    EXPECT_ERR(step_run(&s), &s.err, ERR_NOT_FOUND);
    EXPECT_CONTAINS(s.err.text, "mount on /x: ");
    EXPECT_CONTAINS(s.err.text, "/not/there");
    step_clear(&s);
}

TEST("a tmpfs has its size and mode")
{
    struct step s;
    static const struct step_mount mounts[] = {
        { .type = STEP_TMPFS, .dest = "/small", .size = 65536, .mode = 0750 },
        { .type = STEP_TMPFS, .dest = "/usual" },
    };
    step_init(&s, rootfs_make(),
              "stat -c %a /small /usual; "
              "dd if=/dev/zero of=/small/f bs=4k count=100 2>/dev/null; "
              "stat -c %s /small/f; echo x >/usual/f && cat /usual/f");
    s.plan.mounts = mounts;
    s.plan.n_mounts = 2;
    EXPECT_OK(step_run(&s), &s.err);
    EXPECT_STR(step_out(&s), "750\n1777\n65536\nx\n");
    step_clear(&s);
}

TEST("a secret has its bytes, mode and owner, and is nowhere afterwards")
{
    struct step s;
    const char *root = rootfs_make();
    uid_t uid = the_ids.is_single ? 0 : 1000;
    const struct step_mount mounts[] = {
        { .type = STEP_FILE,
          .dest = "/run/secrets/a",
          .content = SPAN("s3cret"),
          .mode = 0440,
          .uid = uid,
          .gid = uid },
        { .type = STEP_FILE, .dest = "/run/secrets/b", .content = SPAN("") },
    };
    step_init(&s, root,
              "cat /run/secrets/a; echo; stat -c '%a %u %g %s' /run/secrets/*; "
              "grep ' /run/secrets/a ' /proc/self/mountinfo | grep -o 'tmpfs tmpfs' "
              "|| grep ' /run/secrets/a ' /proc/self/mountinfo | grep -o ' - tmpfs'");
    s.plan.mounts = mounts;
    s.plan.n_mounts = 2;
    s.plan.removes_mount_stubs = true;
    AUTO_FREE char *before = listing(root);
    EXPECT_OK(step_run(&s), &s.err);
    AUTO_FREE char *want = xasprintf("s3cret\n440 %u %u 6\n400 0 0 0\n - tmpfs\n", uid, uid);
    EXPECT_STR(step_out(&s), want);
    AUTO_FREE char *after = listing(root);
    EXPECT_STR(after, before);
    step_clear(&s);
}

TEST("mounts inside mounts work in whatever order they are given")
{
    struct step s;
    static const struct step_mount mounts[] = {
        { .type = STEP_FILE, .dest = "/a/b/file", .content = SPAN("deep\n") },
        { .type = STEP_TMPFS, .dest = "/a/b" },
        { .type = STEP_TMPFS, .dest = "/a" },
    };
    step_init(&s, rootfs_make(), "cat /a/b/file; ls /a /a/b");
    s.plan.mounts = mounts;
    s.plan.n_mounts = 3;
    EXPECT_OK(step_run(&s), &s.err);
    EXPECT_STR(step_out(&s), "deep\n/a:\nb\n\n/a/b:\nfile\n");
    step_clear(&s);
}

TEST("a step leaves no mount point behind, not even a changed time")
{
    struct step s;
    static const struct step_mount mounts[] = {
        { .type = STEP_TMPFS, .dest = "/deep/er/cache" },
        { .type = STEP_TMPFS, .dest = "/yard" },
        { .type = STEP_FILE, .dest = "/yard/inside", .content = SPAN("x") },
    };
    const char *root = rootfs_make();
    step_init(&s, root, "echo x >/deep/er/cache/file");
    s.plan.mounts = mounts;
    s.plan.n_mounts = 3;
    s.plan.removes_mount_stubs = true;
    AUTO_FREE char *before = listing(root);
    EXPECT_OK(step_run(&s), &s.err);
    AUTO_FREE char *after = listing(root);
    EXPECT_STR(after, before);

    s.plan.removes_mount_stubs = false;
    EXPECT_OK(step_run(&s), &s.err);
    AUTO_FREE char *parent = below(root, "deep/er"), *leaf = below(root, "deep/er/cache");
    EXPECT(access(parent, F_OK) == 0);
    EXPECT(access(leaf, F_OK) < 0);
    step_clear(&s);
}

TEST("/dev, /proc and /sys stay where a root had none")
{
    static const char *const names[] = { "dev", "proc", "sys" };
    struct step s;
    const char *root = rootfs_make();
    AUTO_FREE char *before = listing(root);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        AUTO_FREE char *path = below(root, names[i]);
        REQUIRE(rmdir(path) == 0);
    }
    step_init(&s, root, "test -c /dev/null && test -d /proc/self");
    EXPECT_OK(step_run(&s), &s.err);
    AUTO_FREE char *after = listing(root);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        AUTO_FREE char *line = xasprintf("\n./%s d 755 4096 ", names[i]);
        EXPECT_CONTAINS(after, line);
    }
    EXPECT_INT(strlen(after), strlen(before)); /* and nothing else */
    step_clear(&s);
}

TEST("a mount point in which the step wrote elsewhere stays with what was written")
{
    struct step s;
    static const struct step_mount mount = { .type = STEP_TMPFS, .dest = "/made/cache" };
    const char *root = rootfs_make();
    step_init(&s, root, "echo kept >/made/file");
    s.plan.mounts = &mount;
    s.plan.n_mounts = 1;
    s.plan.removes_mount_stubs = true;
    EXPECT_OK(step_run(&s), &s.err);
    AUTO_FREE char *file = below(root, "made/file"), *cache = below(root, "made/cache");
    EXPECT(access(file, F_OK) == 0);
    EXPECT(access(cache, F_OK) < 0);
    step_clear(&s);
}

TEST("a step that fails to start leaves no mount point either")
{
    struct step s;
    const char *root = rootfs_make();
    step_init(&s, root, "");
    s.args[0] = "/nothing";
    AUTO_FREE char *before = listing(root);
    EXPECT_ERR(step_run(&s), &s.err, ERR_NOT_FOUND);
    s.plan.cwd = "/nowhere";
    EXPECT_ERR(step_run(&s), &s.err, ERR_NOT_FOUND);
    AUTO_FREE char *after = listing(root);
    EXPECT_STR(after, before);
    step_clear(&s);
}

TEST("no symlink of the image leads a mount out of it")
{
    struct step s;
    const char *root = rootfs_make();
    char outside[] = "/tmp/kiln-outside-XXXXXX";
    REQUIRE(mkdtemp(outside) != NULL);
    AUTO_FREE char *etc = below(root, "etc"), *evil = below(root, "evil"), *up = below(root, "up");
    AUTO_FREE char *moved = below(root, "etc2");
    REQUIRE(rename(etc, moved) == 0);
    REQUIRE(symlink(outside, etc) == 0);
    REQUIRE(symlink(outside, evil) == 0);
    REQUIRE(symlink("../../../../../../..", up) == 0);
    AUTO_FREE char *through_up = xasprintf("/up%s/file", outside);
    const struct step_mount mounts[] = {
        { .type = STEP_TMPFS, .dest = "/evil/tmpfs" },
        { .type = STEP_FILE, .dest = through_up, .content = SPAN("inside\n") },
    };
    step_init(&s, root, "cat /evil/file; [ -s /etc/hosts ] && ls /evil");
    s.plan.mounts = mounts;
    s.plan.n_mounts = 2;
    s.plan.removes_mount_stubs = true;
    AUTO_FREE char *before = listing(root);
    EXPECT_OK(step_run(&s), &s.err);
    EXPECT_STR(step_out(&s), "inside\nfile\nhosts\nresolv.conf\ntmpfs\n");
    EXPECT(rmdir(outside) == 0); /* still empty */
    AUTO_FREE char *after = listing(root);
    EXPECT_STR(after, before);
    step_clear(&s);
}

TEST("/etc/resolv.conf may be a symlink that leads nowhere")
{
    struct step s;
    const char *root = rootfs_make();
    AUTO_FREE char *link = below(root, "etc/resolv.conf");
    REQUIRE(symlink("../run/systemd/resolve/stub-resolv.conf", link) == 0);
    step_init(&s, root, "cat /etc/resolv.conf");
    s.plan.resolv_conf = "nameserver 192.0.2.7\n";
    AUTO_FREE char *before = listing(root);
    EXPECT_OK(step_run(&s), &s.err);
    EXPECT_STR(step_out(&s), "nameserver 192.0.2.7\n");
    AUTO_FREE char *after = listing(root);
    EXPECT_STR(after, before);
    step_clear(&s);
}

TEST("an image that redirects /proc is refused")
{
    struct step s;
    const char *root = rootfs_make();
    AUTO_FREE char *proc = below(root, "proc");
    REQUIRE(rmdir(proc) == 0 && symlink("/yard", proc) == 0);
    step_init(&s, root, "true");
    EXPECT_ERR(step_run(&s), &s.err, ERR_INVALID);
    EXPECT_CONTAINS(s.err.text, "the image's /proc is not a plain folder");
    step_clear(&s);
}

TEST("a root may be read-only")
{
    struct step s;
    static const struct step_mount mount = { .type = STEP_TMPFS, .dest = "/tmp" };
    step_init(&s, rootfs_make(),
              "(echo x >/yard/x) 2>&1 | grep -o 'Read-only file system'; "
              "echo y >/tmp/y && cat /tmp/y");
    s.plan.is_root_readonly = true;
    s.plan.mounts = &mount;
    s.plan.n_mounts = 1;
    EXPECT_OK(step_run(&s), &s.err);
    EXPECT_STR(step_out(&s), "Read-only file system\ny\n");
    step_clear(&s);
}

TEST("a root may be given as a descriptor")
{
    struct step s;
    const char *root = rootfs_make();
    AUTO_FD int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    step_init(&s, root, "echo here");
    s.plan.root = NULL;
    s.plan.root_fd = fd;
    EXPECT_OK(step_run(&s), &s.err);
    EXPECT_STR(step_out(&s), "here\n");
    step_clear(&s);
}

TEST("a root may be an overlay that was mounted after the sandbox started")
{
    struct step s;
    const char *root = rootfs_make();
    make_dir(root, "tmp/o", 0755);
    AUTO_FREE char *all = below(root, "tmp/o");
    if (mount("none", all, "tmpfs", 0, NULL) < 0)
        SKIP("needs tmpfs");
    make_dir(all, "upper", 0755);
    make_dir(all, "work", 0755);
    make_dir(all, "merged", 0755);
    AUTO_FREE char *merged = below(all, "merged"), *upper = below(all, "upper");
    AUTO_FREE char *options = xasprintf("lowerdir=%s,upperdir=%s/upper,workdir=%s/work%s", root,
                                        all, all, the_ids.n_ids == UINT32_MAX ? "" : ",userxattr");
    if (mount("overlay", merged, "overlay", 0, options) < 0) {
        umount2(all, MNT_DETACH);
        SKIP("needs overlayfs");
    }
    step_init(&s, merged, "echo made >/yard/made");
    EXPECT_OK(step_run(&s), &s.err);
    AUTO_FREE char *after = listing(upper);
    EXPECT_CONTAINS(after, "./yard/made f 644 5 ");
    EXPECT(!strstr(after, "proc") && !strstr(after, "dev") && !strstr(after, "hosts"));
    EXPECT(umount2(merged, 0) == 0); /* not busy: nothing of the step holds it */
    umount2(all, MNT_DETACH);
    step_clear(&s);
}

TEST("nothing of ours is mounted in a step, nor above its root")
{
    struct step s;
    step_init(&s, rootfs_make(),
              "ls -di / /.. /../.. /etc/.. | sed 's/ *\\([0-9]*\\).*/\\1/' | sort -u | wc -l; "
              "while read -r a b c d point rest; do echo $point; done </proc/self/mountinfo | "
              "grep -v -E '^/(proc|sys|dev)/' | sort");
    EXPECT_OK(step_run(&s), &s.err);
    EXPECT_STR(step_out(&s), "1\n/\n/dev\n/etc/hosts\n/etc/resolv.conf\n/proc\n/sys\n");
    step_clear(&s);
}
