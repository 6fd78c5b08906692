/* tests/unit/engine/sandbox/test_run.c - what a step sees, does, may not do, and leaves behind. */
#include "step.h"

TEST("a step's output and exit status come back")
{
    struct step s;
    step_init(&s, rootfs_make(), "echo out; echo err >&2; exit 7");
    REQUIRE_OK(step_run(&s), &s.err);
    EXPECT_INT(s.result.exit_status, 7);
    EXPECT_STR(step_out(&s), "out\n");
    EXPECT_STR(s.log.data, "err\n");
    step_clear(&s);
}

int main(int argc, char **argv)
{
    struct err err = { 0 };
    if (!sandbox_begin(&err)) {
        printf("1..1\nok 1 - sandbox # SKIP %s\n", err.text);
        return 0;
    }
    int status = tap_main(argc, argv);
    sandbox_stop(the_sandbox);
    return status;
}
