/* tests/unit/engine/sandbox/cases_inside.h - what a step sees and what it may not do. */
#include <sys/sysmacros.h>

#include "step.h"

#define EXPECT_SHELL(script, want)                                                                 \
    do {                                                                                           \
        AUTO_FREE char *shell_got = shell(script);                                                 \
        EXPECT_STR(shell_got, want);                                                               \
    } while (0)

TEST("root has Docker's default capabilities and a seccomp filter")
{
    EXPECT_SHELL("grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status",
                 "CapInh:\t0000000000000000\nCapPrm:\t00000000a80425fb\n"
                 "CapEff:\t00000000a80425fb\nCapBnd:\t00000000a80425fb\n"
                 "CapAmb:\t0000000000000000\nNoNewPrivs:\t0\nSeccomp:\t2\n");
}

TEST("another user has its ids and no capabilities")
{
    struct step s;
    static const gid_t groups[] = { 20, 30 };
    step_init(&s, rootfs_make(),
              "id -u; id -g; id -G; grep CapEff /proc/self/status; "
              "echo x >/dev/stdout; touch /yard/x 2>/dev/null || echo denied");
    s.plan.uid = s.plan.gid = 1000;
    s.plan.groups = groups;
    s.plan.n_groups = 2;
    if (the_ids.is_single) {
        EXPECT_ERR(step_run(&s), &s.err, ERR_UNSUPPORTED);
        EXPECT_CONTAINS(s.err.text, "become group 1000: this id does not exist here");
        EXPECT_CONTAINS(s.err.hint, "/etc/subuid");
    } else {
        EXPECT_OK(step_run(&s), &s.err);
        EXPECT_STR(step_out(&s), "1000\n1000\n1000 20 30\nCapEff:\t0000000000000000\nx\ndenied\n");
    }
    step_clear(&s);
}

TEST("an insecure step has all capabilities and no filter")
{
    struct step s;
    step_init(&s, rootfs_make(),
              "grep -E '^(CapEff|Seccomp:)' /proc/self/status; "
              "mount -t tmpfs none /tmp && echo mounted");
    s.plan.is_insecure = true;
    EXPECT_OK(step_run(&s), &s.err);
    EXPECT_CONTAINS(step_out(&s), "CapEff:\t000001ff");
    EXPECT_CONTAINS(step_out(&s), "Seccomp:\t0\nmounted\n");
    step_clear(&s);
}

TEST("no device opens but those of /dev, wherever a node of it is made or comes from")
{
    struct step s;
    const char *root = rootfs_make();
    make_dir(root, "shared", 0755);
    AUTO_FREE char *node = xasprintf("%s/image-node", root);
    AUTO_FREE char *shared = xasprintf("%s/shared", root);
    if (mknod(node, S_IFCHR | 0666, makedev(1, 5)) < 0)
        SKIP("makes no devices here");
    const struct step_mount mounts[] = {
        { .type = STEP_BIND, .dest = "/mnt", .source = shared, .source_fd = -1 },
        { .type = STEP_TMPFS, .dest = "/mem" },
    };
    step_init(&s, root,
              "for d in /yard /dev /dev/shm /mnt /mem /tmp; do mknod $d/node c 1 5; done; "
              "for f in /image-node /yard/node /dev/node /dev/shm/node /mnt/node /mem/node "
              "/tmp/node; do head -c 1 $f | wc -c; done; head -c 3 /dev/zero | wc -c; "
              "rm /dev/zero 2>/dev/null || echo stays; echo x >/dev/null && echo null");
    s.plan.mounts = mounts;
    s.plan.n_mounts = 2;
    EXPECT_OK(step_run(&s), &s.err);
    EXPECT_STR(step_out(&s), "0\n0\n0\n0\n0\n0\n0\n3\nstays\nnull\n");
    step_clear(&s);
}

static const char probe_source[] =
    "#define _GNU_SOURCE\n"
    "#include <errno.h>\n#include <stdio.h>\n#include <sys/syscall.h>\n#include <unistd.h>\n"
    "static void call(const char *name, long n, long a, long b, long c)\n"
    "{ errno = 0; long r = syscall(n, a, b, c, 0L, 0L);\n"
    "  printf(\"%s %s\\n\", name, r >= 0 ? \"yes\" : errno == EPERM ? \"EPERM\" :\n"
    "         errno == ENOSYS ? \"ENOSYS\" : \"other\"); }\n"
    "int main(int n, char **v)\n{ (void)v;\n"
    "  if (n > 1) { printf(\"%d %d\\n\", (int)getuid(), (int)geteuid()); return 0; }\n"
    "  call(\"keyctl\", SYS_keyctl, 0, -3, 0);\n"
    "  call(\"unshare\", SYS_unshare, 0x10000000, 0, 0);\n"
    "  call(\"clone new user\", SYS_clone, 0x10000000 | 17, 0, 0);\n"
    "  call(\"clone3\", 435, 0, 0, 0);\n"
    "  call(\"setns\", SYS_setns, 0, 0, 0);\n"
    "  call(\"mount\", SYS_mount, 0, 0, 0);\n"
    "  call(\"fsopen\", 430, 0, 0, 0);\n"
    "  call(\"open_tree\", 428, 0, 0, 0);\n"
    "  call(\"pivot_root\", SYS_pivot_root, 0, 0, 0);\n"
    "  call(\"bpf\", SYS_bpf, 0, 0, 0);\n"
    "  call(\"perf_event_open\", SYS_perf_event_open, 0, 0, 0);\n"
    "  call(\"userfaultfd\", SYS_userfaultfd, 0, 0, 0);\n"
    "  call(\"io_uring_setup\", 425, 0, 0, 0);\n"
    "  call(\"open_by_handle_at\", SYS_open_by_handle_at, 0, 0, 0);\n"
    "  call(\"init_module\", SYS_init_module, 0, 0, 0);\n"
    "  call(\"reboot\", SYS_reboot, 0, 0, 0);\n"
    "  call(\"vsock\", SYS_socket, 40, 1, 0);\n"
    "  call(\"no such call\", 1234, 0, 0, 0);\n"
    "  call(\"fchmodat2 of nothing\", 452, -1, 0, 0);\n"
    "  call(\"personality\", SYS_personality, 0xffffffff, 0, 0);\n"
    "  call(\"personality of no address randomisation\", SYS_personality, 0x40000, 0, 0);\n"
    "  call(\"getpid\", SYS_getpid, 0, 0, 0);\n"
    "  call(\"chroot\", SYS_chroot, (long)\"/\", 0, 0);\n"
    "  return 0; }\n";

/* A static program in the root that tries system calls; false without a compiler. */
static bool probe_compile(const char *root)
{
    write_text(root, "tmp/probe.c", probe_source, 0644);
    AUTO_FREE char *command =
        xasprintf("cc -w -static -o %s/bin/probe %s/tmp/probe.c 2>/dev/null", root, root);
    return system(command) == 0;
}

TEST("forbidden system calls fail with EPERM, unknown ones with ENOSYS")
{
    struct step s;
    const char *root = rootfs_make();
    if (!probe_compile(root))
        SKIP("needs cc and a static C library");
    step_init(&s, root, "probe");
    EXPECT_OK(step_run(&s), &s.err);
    EXPECT_STR(step_out(&s),
               "keyctl EPERM\nunshare EPERM\nclone new user EPERM\nclone3 ENOSYS\nsetns EPERM\n"
               "mount EPERM\nfsopen EPERM\nopen_tree EPERM\npivot_root EPERM\nbpf EPERM\n"
               "perf_event_open EPERM\nuserfaultfd EPERM\nio_uring_setup EPERM\n"
               "open_by_handle_at EPERM\ninit_module EPERM\nreboot EPERM\nvsock EPERM\n"
               "no such call ENOSYS\nfchmodat2 of nothing other\npersonality yes\n"
               "personality of no address randomisation EPERM\ngetpid yes\nchroot yes\n");
    step_clear(&s);
}

TEST("setuid programs work")
{
    struct step s;
    const char *root = rootfs_make();
    if (the_ids.is_single)
        SKIP("needs more than one id");
    if (!probe_compile(root))
        SKIP("needs cc and a static C library");
    AUTO_FREE char *probe = xasprintf("%s/bin/probe", root);
    chmod(probe, 04755);
    step_init(&s, root, "probe who");
    s.plan.uid = s.plan.gid = 1000;
    EXPECT_OK(step_run(&s), &s.err);
    EXPECT_STR(step_out(&s), "1000 0\n");
    step_clear(&s);
}

TEST("what tells of the host or changes it is masked or read-only")
{
    EXPECT_SHELL("for f in kcore keys timer_list sched_debug; do [ -e /proc/$f ] || continue; "
                 "[ \"$(head -c 9 /proc/$f | wc -c)\" = 0 ] || echo /proc/$f; done; "
                 "for d in /proc/acpi /proc/scsi /sys/firmware /sys/devices/virtual/powercap; do "
                 "ls -A $d 2>/dev/null; done",
                 "");
    EXPECT_SHELL(
        "for f in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /sys/kernel/mm/ksm/run; "
        "do [ -e $f ] || continue; "
        "(echo x >$f) 2>&1 | grep -v 'Read-only file system'; done",
        "");
}

TEST("/dev has the default devices, links and mounts, and they work")
{
    EXPECT_SHELL("ls -1 /dev", "fd\nfull\nmqueue\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\n"
                               "stdout\ntty\nurandom\nzero\n");
    EXPECT_SHELL("echo x >/dev/null; head -c 3 /dev/zero | wc -c; head -c 5 /dev/urandom | wc -c; "
                 "(echo x >/dev/full) 2>&1 | grep -o 'No space left on device'; "
                 "echo y >/dev/shm/f; cat /dev/shm/f; stat -c %a /dev/shm; stat -c %t:%T /dev/null",
                 "3\n5\nNo space left on device\ny\n1777\n1:3\n");
}

TEST("a step sees its own processes only and cannot look into its init")
{
    if (has_masked_proc)
        SKIP("needs a pid namespace");
    EXPECT_SHELL("set -- $(ps -o pid=); echo $#; "
                 "for f in environ mem maps fd/0 root/etc; do cat /proc/1/$f >/dev/null 2>&1 && "
                 "echo $f; done; true",
                 "3\n"); /* init, sh, ps */
    EXPECT_SHELL("tr -d '\\0' </proc/1/cmdline | wc -c", "0\n");
}

TEST("a step starts with plain surroundings")
{
    EXPECT_SHELL("umask; ls /proc/self/fd | wc -l; grep -E '^Sig(Blk|Ign)' /proc/self/status; "
                 "read -r a b c d group session rest </proc/$$/stat; [ $group = $$ ] && [ $session "
                 "= $$ ] && echo leader",
                 "0022\n4\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\nleader\n");
}

TEST("host name, hosts and resolver are the plan's")
{
    static const struct step_host hosts[] = { { "registry.local", "10.0.0.1" },
                                              { "six", "fd00::1" } };
    struct step s;
    step_init(&s, rootfs_make(),
              "hostname; cat /etc/hosts /etc/resolv.conf; "
              "(echo x >/etc/hosts) 2>/dev/null || echo read-only");
    s.plan.hostname = "builder";
    s.plan.hosts = hosts;
    s.plan.n_hosts = 2;
    s.plan.resolv_conf = "nameserver 192.0.2.1\n";
    EXPECT_OK(step_run(&s), &s.err);
    EXPECT_STR(step_out(&s), "builder\n127.0.0.1\tlocalhost builder\n"
                             "::1\tlocalhost ip6-localhost ip6-loopback\n"
                             "10.0.0.1\tregistry.local\nfd00::1\tsix\nnameserver 192.0.2.1\n"
                             "read-only\n");
    step_clear(&s);
}

TEST("without network there is \"lo\", which is up, and nothing else")
{
    struct step s;
    step_init(&s, rootfs_make(),
              "tr -d ' ' </proc/net/dev | grep : | sed 's/:.*//' 2>/dev/null || "
              "grep -c : /proc/net/dev; ip addr show lo | grep -o 'inet 127.0.0.1/8'");
    s.plan.network = STEP_NETWORK_NONE;
    EXPECT_OK(step_run(&s), &s.err);
    EXPECT_CONTAINS(step_out(&s), "inet 127.0.0.1/8\n");
    s.args[2] = "grep -c : /proc/net/dev";
    EXPECT_OK(step_run(&s), &s.err);
    EXPECT_STR(step_out(&s), "1\n");
    step_clear(&s);
}

TEST("with the host's network a step is in ours")
{
    char ours[64] = "", want[80];
    EXPECT(readlink("/proc/self/ns/net", ours, sizeof ours - 1) > 0);
    snprintf(want, sizeof want, "%s\n", ours);
    EXPECT_SHELL("ls -l /proc/self/ns/net | grep -o 'net:.*'", want);
}

TEST("limits of processes are the plan's")
{
    static const struct step_ulimit ulimits[] = { { "nofile", 100, 200 }, { "core", 0, 0 } };
    static const struct step_ulimit unknown = { "nonsense", 1, 1 };
    struct step s;
    step_init(&s, rootfs_make(), "ulimit -Sn; ulimit -Hn; ulimit -c");
    s.plan.ulimits = ulimits;
    s.plan.n_ulimits = 2;
    EXPECT_OK(step_run(&s), &s.err);
    EXPECT_STR(step_out(&s), "100\n200\n0\n");
    s.plan.ulimits = &unknown;
    s.plan.n_ulimits = 1;
    EXPECT_ERR(step_run(&s), &s.err, ERR_INVALID);
    step_clear(&s);
}

TEST("memory and process limits hold where there are cgroups, and are reported where not")
{
    struct step s;
    step_init(&s, rootfs_make(),
              "dd if=/dev/zero of=/dev/null bs=200M count=1 2>/dev/null; echo $?");
    s.plan.resources = (struct step_resources){ .memory = 32 << 20, .pids_max = 50 };
    EXPECT_OK(step_run(&s), &s.err);
    if (s.result.not_applied & STEP_MEMORY) {
        EXPECT(!s.result.was_oom_killed);
        EXPECT_STR(step_out(&s), "0\n");
        step_clear(&s);
        SKIP("no cgroup of memory is writable here");
    }
    EXPECT(s.result.was_oom_killed);
    EXPECT_STR(step_out(&s), "137\n");
    EXPECT(access("/sys/fs/cgroup/memory/kiln", F_OK) < 0);
    EXPECT(access("/sys/fs/cgroup/kiln", F_OK) < 0);
    step_clear(&s);
}

TEST("the doctor says which tier works here")
{
    struct sandbox_report reports[SANDBOX_TIERS];
    sandbox_probe(reports);
    EXPECT_STR(reports[0].tier, "namespace");
    EXPECT_CONTAINS(reports[0].text, reports[0].is_possible ? "namespaces with" : ":");
    EXPECT_STR(reports[1].tier, "chroot");
    EXPECT_STR(reports[2].tier, "translate");
    EXPECT(!reports[2].is_possible);
    printf("# %s: %s; %s\n", reports[0].tier, reports[0].text, reports[0].remedy);
}
