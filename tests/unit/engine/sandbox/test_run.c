/* tests/unit/engine/sandbox/test_run.c - steps as whoever runs the tests: root, or a user. */
#include "cases_inside.h"
#include "cases_mounts.h"
#include "cases_program.h"

int main(int argc, char **argv)
{
    return sandbox_main(argc, argv);
}
