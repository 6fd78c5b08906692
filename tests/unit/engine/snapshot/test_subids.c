/* tests/unit/engine/snapshot/test_subids.c - both drivers as a user with a range of ids. */
#include "enter.h"
#include "faults.h"
#include "kept.h"
#include "steps.h"

int main(int argc, char **argv)
{
    enter_as_user("nobody:300000:65536\n", argv);
    if (test_ids.is_single)
        skip_all("needs newuidmap");
    steps_lack[0] = "mknod";
    return tap_main(argc, argv);
}
