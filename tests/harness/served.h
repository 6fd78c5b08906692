/* tests/harness/served.h - tests/harness/source-server for unit tests: files and repositories below
 * tap_dir()/served. */
#pragma once
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include "base/core/mem.h"
#include "tap.h"

struct served {
    pid_t pid;
    int hold; /* its stdin: it ends when this is closed */
    int http_port, git_port, ssh_port;
    char *folder; /* owned */
};

/* Absolute: the shells of cases run in their own folders. */
static const char *harness_folder(void)
{
    static char path[PATH_MAX];
    const char *fixtures = getenv("KILN_FIXTURES");
    AUTO_FREE char *named = xasprintf("%s/../harness", fixtures ? fixtures : "tests/fixtures");
    if (!realpath(named, path))
        abort();
    return path;
}

/* False, with the case marked, when it does not start. */
__attribute__((unused)) static bool served_start(struct served *s)
{
    int in[2], out[2];
    AUTO_FREE char *program = xasprintf("%s/source-server", harness_folder());
    s->folder = xasprintf("%s/served", tap_dir());
    AUTO_FREE char *files = xasprintf("%s/files", s->folder);
    mkdir(s->folder, 0755);
    mkdir(files, 0755);
    if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
        abort();
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    char *argv[] = { program, s->folder, NULL };
    int code = posix_spawn(&s->pid, program, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    s->hold = in[1];
    char line[64] = "";
    ssize_t n = code ? 0 : read(out[0], line, sizeof line - 1);
    close(out[0]);
    if (n <= 0 || sscanf(line, "%d %d %d", &s->http_port, &s->git_port, &s->ssh_port) != 3) {
        tap_fail(__FILE__, __LINE__, "%s does not start", program);
        return false;
    }
    return true;
}

__attribute__((unused)) static void served_stop(struct served *s)
{
    close(s->hold);
    if (s->pid > 0)
        waitpid(s->pid, NULL, 0);
    free(s->folder);
}

/* How many lines of the server's log have `part`. */
__attribute__((unused)) static int served_count(const struct served *s, const char *part)
{
    AUTO_FREE char *path = xasprintf("%s/log", s->folder);
    FILE *f = fopen(path, "r");
    char line[4096];
    int n = 0;
    while (f && fgets(line, sizeof line, f))
        n += strstr(line, part) != NULL;
    if (f)
        fclose(f);
    return n;
}
