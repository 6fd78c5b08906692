/* tests/unit/engine/snapshot/test_single.c - both drivers as a user who has one id. */
#include "enter.h"
#include "faults.h"
#include "kept.h"
#include "steps.h"

int main(int argc, char **argv)
{
    enter_as_user("", argv);
    if (!test_ids.is_single)
        skip_all("this user has several ids");
    steps_lack[0] = "chown";
    steps_lack[1] = "mknod";
    steps_lack[2] = "setcap";
    return tap_main(argc, argv);
}
