/* tests/harness/as_user.h - the same cases as an ordinary user.
 *
 * As root the program becomes `nobody` (setpriv) in a mount namespace where /etc/subuid and
 * /etc/subgid say what the test wants, and starts itself anew; nothing of the machine changes.  As
 * a user it runs as it is. */
#pragma once
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "base/core/own.h"

__attribute__((noreturn)) static void skip_all(const char *reason)
{
    printf("1..1\nok 1 - cases of an ordinary user # SKIP %s\n", reason);
    exit(0);
}

/* Puts `text` over a file of /etc, in a mount namespace of ours. */
static bool cover(const char *path, const char *text)
{
    char name[] = "/tmp/kiln-subids-XXXXXX";
    AUTO_FD int file = mkstemp(name);
    if (file < 0 || fchmod(file, 0644) < 0 ||
        write(file, text, strlen(text)) != (ssize_t)strlen(text))
        return false;
    bool is_covered = mount(name, path, NULL, MS_BIND, NULL) == 0;
    unlink(name);
    return is_covered;
}

/* `subids`: what /etc/subuid and /etc/subgid say. */
static void become_user(const char *subids, char **argv)
{
    const struct passwd *nobody = getpwnam("nobody");
    if (geteuid() != 0 || getenv("KILN_TEST_USER"))
        return;
    if (!nobody)
        skip_all("there is no user \"nobody\"");
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        !cover("/etc/subuid", subids) || !cover("/etc/subgid", subids))
        skip_all("needs a mount namespace, /etc/subuid and /etc/subgid");
    AUTO_FREE char *self = realpath("/proc/self/exe", NULL);
    AUTO_FREE char *uid = xasprintf("--reuid=%u", nobody->pw_uid);
    AUTO_FREE char *gid = xasprintf("--regid=%u", nobody->pw_gid);
    setenv("KILN_TEST_USER", "1", 1);
    execlp("setpriv", "setpriv", uid, gid, "--clear-groups", self, argv[1], NULL);
    skip_all("needs setpriv");
}
