/* tests/unit/engine/sandbox/test_single.c - steps as a user who has one id. */
#include "as_user.h"
#include "cases_inside.h"
#include "cases_mounts.h"
#include "cases_program.h"

int main(int argc, char **argv)
{
    become_user("", argv);
    return sandbox_main(argc, argv);
}
