/* tests/unit/engine/snapshot/test_steps.c - steps with both drivers, as root. */
#include "steps.h"

int main(int argc, char **argv)
{
    struct err e = { 0 };
    if (!user_is_privileged() || mountns_enter(&e) || id_map_current(&test_ids, &e)) {
        printf("1..1\nok 1 - steps as root # SKIP needs root with CAP_SYS_ADMIN\n");
        return 0;
    }
    steps_have_witness = true;
    return tap_main(argc, argv);
}
