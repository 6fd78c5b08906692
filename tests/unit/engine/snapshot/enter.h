/* tests/unit/engine/snapshot/enter.h - the same cases in a user namespace of an ordinary user. */
#pragma once
#include "as_user.h"
#include "fixture.h"

/* Comes back in the namespace, with test_ids set. */
__attribute__((unused)) static void enter_as_user(const char *subids, char **argv)
{
    become_user(subids, argv);
    if (userns_enter(&test_ids, &err))
        skip_all(err.text);
}
