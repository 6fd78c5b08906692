/* tests/unit/engine/sandbox/test_masked.c - steps where no new /proc may be mounted, as in a Pod:
 * the existing one is bound and the pid namespace left out. */
#include "as_user.h"
#include "cases_inside.h"
#include "cases_mounts.h"
#include "cases_program.h"

/* Hides a part of /proc, as a Pod's runtime does: then nobody without the node's own root may mount
 * a new one. */
static void mask_proc(void)
{
    if (geteuid() != 0 || getenv("KILN_TEST_USER"))
        return;
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("none", "/proc/bus", "tmpfs", MS_RDONLY, NULL) < 0)
        skip_all("needs root to mask /proc");
}

TEST("a step cannot look into kiln, whose processes it sees")
{
    AUTO_FREE char *script = xasprintf("[ -d /proc/%d ] && echo there; "
                                       "for f in environ mem maps fd/0 root/etc; do "
                                       "cat /proc/%d/$f >/dev/null 2>&1 && echo $f; done; true",
                                       (int)getpid(), (int)getpid());
    EXPECT_SHELL(script, "there\n");
}

TEST("a step cannot send signals to kiln")
{
    struct step s;
    AUTO_FREE char *script = xasprintf("kill -CONT %d 2>/dev/null && echo sent; kill -CONT $$ && "
                                       "echo own",
                                       (int)getpid());
    step_init(&s, rootfs_make(), script);
    EXPECT_OK(step_run(&s), &s.err);
    if (span_starts(buf_span(&s.out), "sent"))
        SKIP("needs Landlock with scopes (Linux 6.12)");
    EXPECT_STR(step_out(&s), "own\n");
    step_clear(&s);
}

int main(int argc, char **argv)
{
    mask_proc();
    become_user("nobody:100000:65536\n", argv);
    has_masked_proc = true;
    return sandbox_main(argc, argv);
}
