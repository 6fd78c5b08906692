/* engine/ops/ssh_agent.c - the agents behind ssh options; see ssh.h.
 *
 * ssh-agent is started around a shell that adds the keys, says so and then waits for the end of its
 * stdin, which is the end of us: so no agent with keys in it outlives kiln, even a killed one. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/sys/helper.h"
#include "engine/ops/ssh.h"

#define READY "kiln: the keys are there"
enum { START_MS = 20000 };

/* One option's. */
struct agent {
    const struct ssh_option *option; /* borrowed */
    char *socket;                    /* owned; NULL: not looked for yet */
    char *folder;                    /* owned; of a private one, removed with it */
    struct helper *helper;           /* owned; of a private one */
};

struct ssh_agents {
    pthread_mutex_t lock; /* guards all below; held while one starts: others want the same */
    struct agent *items;  /* owned */
    size_t n;
};

struct ssh_agents *ssh_agents_new(const struct ssh_option *options, size_t n)
{
    struct ssh_agents *a = xcalloc(1, sizeof *a);
    pthread_mutex_init(&a->lock, NULL);
    a->items = xcalloc(n + 1, sizeof *a->items);
    a->n = n;
    for (size_t i = 0; i < n; i++)
        a->items[i].option = &options[i];
    return a;
}

static void agent_clear(struct agent *one)
{
    helper_stop(one->helper);
    if (one->folder) {
        unlink(one->socket);
        rmdir(one->folder);
    }
    free(one->socket);
    free(one->folder);
}

void ssh_agents_free(struct ssh_agents *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < a->n; i++)
        agent_clear(&a->items[i]);
    free(a->items);
    pthread_mutex_destroy(&a->lock);
    free(a);
}

int ssh_folder_make(char **out, struct err *err)
{
    enum { LONGEST = 60 }; /* a socket's path has 107 bytes at most */
    const char *tmp = getenv("TMPDIR");
    bool is_good = tmp && *tmp && strlen(tmp) <= LONGEST;
    AUTO_FREE char *folder = xasprintf("%s/kiln-ssh-XXXXXX", is_good ? tmp : "/tmp");
    if (!mkdtemp(folder))
        return err_sys(err, "make a folder for a socket: %s", folder);
    *out = STEAL(folder);
    return 0;
}

/* ssh-add, its words for people, must not ask anybody for a passphrase. */
static int start_helper(struct agent *one, const struct cancel *cancel, struct err *err)
{
    static const char script[] =
        "unset SSH_ASKPASS DISPLAY; ssh-add -q -- \"$@\" </dev/null || exit; echo '" READY "'; "
        "exec </dev/stdin >/dev/null 2>&1; cat; kill \"$SSH_AGENT_PID\"";
    const struct ssh_option *o = one->option;
    AUTO_FREE const char **argv = xcalloc(o->n_paths + 8, sizeof *argv);
    AUTO_VALUE(buf_clear) struct buf said;
    bool is_ready = false;
    size_t n = 0;
    buf_init(&said, LIMIT_HTTP_TEXT);
    argv[n++] = "ssh-agent";
    argv[n++] = "-a";
    argv[n++] = one->socket;
    argv[n++] = "sh";
    argv[n++] = "-c";
    argv[n++] = script;
    argv[n++] = "ssh-add";
    for (size_t i = 0; i < o->n_paths; i++)
        argv[n++] = o->paths[i];
    if (helper_start(argv, NULL, &one->helper, err)) {
        if (err->kind == ERR_NOT_FOUND)
            err_hint(err, "install openssh-client, or name the socket of a running agent");
        return -1;
    }
    if (helper_expect(one->helper, READY, START_MS, cancel, &said, &is_ready, err))
        return err_wrap(err, "ssh-agent");
    if (is_ready)
        return 0;
    struct span words = span_trim(buf_span(&said));
    err_set(err, ERR_DENIED, "ssh-add: %.*s", SPAN_ARG(span_first(words, 600)));
    return err_hint(err,
                    "a key with a passphrase must be in an agent: ssh-add it, and give "
                    "--ssh %s",
                    o->id);
}

static int start_private(struct agent *one, const struct cancel *cancel, struct err *err)
{
    if (ssh_folder_make(&one->folder, err))
        return -1;
    one->socket = xasprintf("%s/agent", one->folder);
    if (start_helper(one, cancel, err) == 0)
        return 0;
    agent_clear(one);
    *one = (struct agent){ .option = one->option };
    return -1;
}

static int is_socket(const char *path, bool *out, struct err *err)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return err_sys(err, "%s", path);
    *out = S_ISSOCK(st.st_mode);
    return 0;
}

static int find(struct agent *one, const struct cancel *cancel, struct err *err)
{
    const struct ssh_option *o = one->option;
    const char *path = o->n_paths ? o->paths[0] : getenv("SSH_AUTH_SOCK");
    bool is_agent = false;
    if (!path || !*path) {
        err_set(err, ERR_NOT_FOUND, "no agent runs: SSH_AUTH_SOCK is not set");
        return err_hint(err, "start ssh-agent, or give a key: --ssh %s=FILE", o->id);
    }
    if (is_socket(path, &is_agent, err))
        return -1;
    if (!is_agent)
        return start_private(one, cancel, err);
    if (o->n_paths > 1)
        return err_set(err, ERR_INVALID, "%s is an agent's socket: only one can be used", path);
    one->socket = xstrdup(path);
    return 0;
}

int ssh_agents_find(struct ssh_agents *a, const char *id, const struct cancel *cancel,
                    const char **path, struct err *err)
{
    int status = 0;
    *path = NULL;
    if (!*id)
        id = "default";
    pthread_mutex_lock(&a->lock);
    for (size_t i = 0; i < a->n && !*path && !status; i++) {
        struct agent *one = &a->items[i];
        if (strcmp(one->option->id, id) != 0)
            continue;
        if (!one->socket)
            status = find(one, cancel, err);
        *path = one->socket;
    }
    pthread_mutex_unlock(&a->lock);
    return status ? err_wrap(err, "ssh agent %s", id) : 0;
}
