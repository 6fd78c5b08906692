/* tests/unit/engine/sandbox/test_subids.c - steps as a user with ranges of ids (newuidmap). */
#include "as_user.h"
#include "cases_inside.h"
#include "cases_mounts.h"
#include "cases_program.h"

TEST("the user has its range of ids")
{
    if (the_ids.is_single)
        SKIP("this user has no range in /etc/subuid");
    EXPECT(the_ids.n_ids >= 65537);
}

int main(int argc, char **argv)
{
    if (access("/usr/bin/newuidmap", X_OK) < 0)
        skip_all("needs newuidmap (package uidmap)");
    become_user("nobody:100000:65536\n", argv);
    return sandbox_main(argc, argv);
}
