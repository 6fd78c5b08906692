/* engine/source/git_run.c - the program git, shut off from everything but what we tell it.
 *
 * Its environment is made anew: configuration comes from a file that kiln writes (settings below),
 * HOME is a folder that is not there, nothing may ask at a terminal.  Protocols are allowed by
 * name; "file" only where a mirror of ours is read.  An Authorization header is given as
 * configuration in the environment, bound to the origin, and then redirects are not followed: git
 * would carry it to wherever they lead.
 *
 * Broken connections are tried again after 0.2, 0.4, 0.8 seconds. */
#include <stdlib.h>
#include <string.h>

#include "base/core/limits.h"
#include "base/core/log.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "engine/source/git_internal.h"

enum { RETRIES = 3, RETRY_FIRST_MS = 200, IDLE_MS = 180 * 1000, ARGS_MAX = 32 };

static const char settings[] =
    "# written by kiln: all the configuration that its git sees\n"
    "[core]\n\thooksPath = /dev/null\n\tlogAllRefUpdates = false\n\tfsmonitor = false\n"
    "\tprotectHFS = true\n\tprotectNTFS = true\n"
    "[safe]\n\tdirectory = *\n"
    "[gc]\n\tauto = 0\n"
    "[maintenance]\n\tauto = false\n"
    "[init]\n\tdefaultBranch = master\n"
    "[advice]\n\tdetachedHead = false\n"
    "[credential]\n\thelper =\n"
    "[http]\n\tlowSpeedLimit = 1\n\tlowSpeedTime = 60\n"
    "[submodule]\n\trecurse = false\n"
    "[pack]\n\tthreads = 1\n\twriteReverseIndex = false\n"
    "[repack]\n\twriteBitmaps = false\n"
    "[uploadpack]\n\tallowAnySHA1InWant = true\n";

int git_settings_write(struct git_source *s, struct err *err)
{
    int store = store_fd(s->store);
    AUTO_VALUE(buf_clear) struct buf old = { 0 };
    struct err ignored = { 0 };
    buf_init(&old, LIMIT_JSON);
    if (fs_make_dirs(store, "git", 0700, err))
        return -1;
    if (fs_read_file(store, "git/config", &old, &ignored) == 0 && span_is(buf_span(&old), settings))
        return 0;
    return fs_write_file(store, "git/config", span_of(settings), 0600, false, err);
}

bool git_is_hash_part(const char *text)
{
    return *text && strspn(text, "0123456789abcdef") == strlen(text);
}

bool git_is_hash(const char *text)
{
    size_t len = strlen(text);
    return (len == 40 || len == 64) && git_is_hash_part(text);
}

/* ---- the environment ---- */

static void put(struct str_list *env, const char *name, const char *value)
{
    str_list_take(env, xasprintf("%s=%s", name, value));
}

/* A variable of ours, by the first of two names that is set. */
static void pass(struct str_list *env, const char *as, const char *name, const char *other)
{
    const char *value = getenv(name);
    if (!value && other)
        value = getenv(other);
    if (value)
        put(env, as, value);
}

static void put_proxies(struct str_list *env)
{
    const char *direct = getenv("no_proxy");
    pass(env, "http_proxy", "http_proxy", "HTTP_PROXY");
    pass(env, "https_proxy", "https_proxy", "HTTPS_PROXY");
    pass(env, "all_proxy", "all_proxy", "ALL_PROXY");
    if (!direct)
        direct = getenv("NO_PROXY");
    str_list_take(env, xasprintf("no_proxy=%s%slocalhost,127.0.0.1,::1", direct ? direct : "",
                                 direct && *direct ? "," : ""));
}

/* For the shell that git starts ssh with. */
static void put_quoted(struct buf *b, const char *text)
{
    buf_putc(b, '\'');
    for (; *text; text++)
        if (*text == '\'')
            buf_puts(b, "'\\''");
        else
            buf_putc(b, *text);
    buf_putc(b, '\'');
}

/* Hosts are known from the wish alone, or from the user's own files and from what was seen first;
 * the latter is kept in the store. */
static int put_known_hosts(const struct git_run *how, struct buf *command, struct err *err)
{
    const struct git_access *a = how->wish->access;
    const char *home = getenv("HOME");
    bool is_given = a->known_hosts && *a->known_hosts;
    if (is_given) {
        struct digest d = digest_of(span_of(a->known_hosts));
        AUTO_FREE char *name = xasprintf("git/hosts-%.32s", digest_hex(&d).s);
        AUTO_FREE char *path = xasprintf("%s/%s", store_path(how->source->store), name);
        if (fs_write_file(store_fd(how->source->store), name, span_of(a->known_hosts), 0600, false,
                          err))
            return -1;
        AUTO_FREE char *option = xasprintf("UserKnownHostsFile=\"%s\"", path);
        put_quoted(command, option);
        buf_puts(command, " -o StrictHostKeyChecking=yes -o GlobalKnownHostsFile=/dev/null");
        return 0;
    }
    AUTO_FREE char *option =
        xasprintf("UserKnownHostsFile=\"%s/git/known_hosts\" \"%s/.ssh/known_hosts\"",
                  store_path(how->source->store), home && *home ? home : "/root");
    put_quoted(command, option);
    buf_puts(command, " -o StrictHostKeyChecking=accept-new");
    return 0;
}

static int put_ssh(const struct git_run *how, struct str_list *env, struct err *err)
{
    const struct git_access *a = how->wish->access;
    AUTO_VALUE(buf_clear) struct buf command = { 0 };
    const char *agent = NULL;
    buf_init(&command, LIMIT_JSON);
    if (a->ssh_agent && a->ssh_agent(a->arg, &agent, err))
        return -1;
    if (!agent) {
        err_set(err, ERR_DENIED, "no ssh agent or key was given");
        return err_hint(err, "--ssh %s gives the agent of $SSH_AUTH_SOCK, --ssh %s=FILE a key",
                        a->ssh_id, a->ssh_id);
    }
    buf_puts(&command, "ssh -F none -o BatchMode=yes -o ConnectTimeout=30 -o IdentityFile=none"
                       " -o ServerAliveInterval=15 -o ServerAliveCountMax=4 -o ");
    if (put_known_hosts(how, &command, err))
        return -1;
    put(env, "SSH_AUTH_SOCK", agent);
    put(env, "GIT_SSH_COMMAND", command.data);
    put(env, "GIT_SSH_VARIANT", "ssh");
    return 0;
}

static int put_authorization(const struct git_run *how, struct str_list *env, bool *has_it,
                             struct err *err)
{
    const struct git_remote *r = how->remote;
    const struct git_access *a = how->wish->access;
    char *value = NULL;
    *has_it = false;
    if (a->authorization &&
        a->authorization(a->arg, r->host, strcmp(r->origin, how->main_origin) == 0, &value, err))
        return -1;
    if (!value && !r->basic)
        return 0;
    *has_it = true;
    put(env, "GIT_CONFIG_COUNT", "2");
    str_list_take(env, xasprintf("GIT_CONFIG_KEY_0=http.%s.extraHeader", r->origin));
    str_list_take(env, xasprintf("GIT_CONFIG_VALUE_0=Authorization: %s", value ? value : r->basic));
    put(env, "GIT_CONFIG_KEY_1", "http.followRedirects");
    put(env, "GIT_CONFIG_VALUE_1", "false");
    if (value)
        explicit_bzero(value, strlen(value));
    free(value);
    return 0;
}

static int make_env(const struct git_run *how, struct str_list *env, bool *has_secret,
                    struct err *err)
{
    const char *path = getenv("PATH");
    put(env, "PATH", path ? path : "/usr/local/bin:/usr/bin:/bin");
    str_list_take(env, xasprintf("HOME=%s/none", how->source->folder));
    str_list_take(env, xasprintf("GIT_CONFIG_GLOBAL=%s/config", how->source->folder));
    put(env, "GIT_CONFIG_NOSYSTEM", "1");
    put(env, "GIT_ATTR_NOSYSTEM", "1");
    put(env, "GIT_NO_REPLACE_OBJECTS", "1");
    put(env, "GIT_TERMINAL_PROMPT", "0");
    put(env, "GIT_ASKPASS", "");
    put(env, "LC_ALL", "C");
    put(env, "GIT_ALLOW_PROTOCOL", how->reads_mirror ? "file" : "http:https:ssh:git");
    if (how->git_dir)
        put(env, "GIT_DIR", how->git_dir);
    if (how->work_tree)
        put(env, "GIT_WORK_TREE", how->work_tree);
    if (how->index)
        put(env, "GIT_INDEX_FILE", how->index);
    if (!how->remote)
        return 0;
    put_proxies(env);
    pass(env, "GIT_SSL_CAINFO", "SSL_CERT_FILE", NULL);
    pass(env, "GIT_SSL_CAPATH", "SSL_CERT_DIR", NULL);
    if (how->remote->transport == GIT_HTTP)
        return put_authorization(how, env, has_secret, err);
    return how->remote->transport == GIT_SSH ? put_ssh(how, env, err) : 0;
}

static void env_clear(struct str_list *env)
{
    vec_each (env, one)
        explicit_bzero(*one, strlen(*one));
    str_list_clear(env);
}

/* ---- what went wrong ---- */

static bool says(const char *log, const char *part)
{
    return strstr(log, part) != NULL;
}

static enum err_kind kind_of_log(const char *log)
{
    static const struct {
        const char *part;
        enum err_kind kind;
    } known[] = {
        { "Authentication failed", ERR_DENIED },
        { "could not read Username", ERR_DENIED },
        { "could not read Password", ERR_DENIED },
        { "Permission denied", ERR_DENIED },
        { "access denied", ERR_DENIED },
        { "Host key verification failed", ERR_DENIED },
        { "returned error: 401", ERR_DENIED },
        { "returned error: 403", ERR_DENIED },
        { "returned error: 30", ERR_UNSUPPORTED },
        { "unable to update url base from redirection", ERR_UNSUPPORTED },
        { "returned error: 4", ERR_NOT_FOUND },
        { "not found", ERR_NOT_FOUND },
        { "does not exist", ERR_NOT_FOUND },
        { "does not appear to be a git repository", ERR_NOT_FOUND },
        { "repository not exported", ERR_NOT_FOUND },
        { "Could not resolve host", ERR_NETWORK },
        { "Name or service not known", ERR_NETWORK },
        { "unable to connect", ERR_NETWORK },
        { "Connection ", ERR_NETWORK },
        { "Failed to connect", ERR_NETWORK },
        { "Empty reply", ERR_NETWORK },
        { "timed out", ERR_TIMEOUT },
        { "Operation too slow", ERR_TIMEOUT },
        { "early EOF", ERR_NETWORK },
        { "hung up", ERR_NETWORK },
        { "RPC failed", ERR_NETWORK },
        { "returned error: 5", ERR_NETWORK },
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (says(log, known[i].part))
            return known[i].kind;
    return ERR_INVALID;
}

/* The line that tells most: the first that is fatal, unless it only says that ssh did not work;
 * else the last one. */
static struct span best_line(const char *log)
{
    struct span rest = span_of(log), best = { 0 };
    while (rest.ptr && rest.len) {
        struct span line = span_trim(span_cut(&rest, '\n'));
        ptrdiff_t again = span_rfind(line, '\r'); /* progress overwrites itself */
        if (again >= 0)
            line = span_skip(line, (size_t)again + 1);
        if (span_starts(line, "fatal: Could not read from remote") && best.ptr)
            return best;
        if (span_starts(line, "fatal: "))
            return span_skip(line, 7);
        if (line.len)
            best = span_starts(line, "error: ") ? span_skip(line, 7) : line;
    }
    return best.ptr ? best : SPAN("nothing was said");
}

static void add_hint(const struct git_run *how, const char *log, bool has_secret, struct err *err)
{
    const char *id = how->wish->access->ssh_id;
    if (err->kind == ERR_UNSUPPORTED && how->remote->transport == GIT_HTTP)
        err_hint(err, "the server redirects, where no secret is carried to: name the new URL");
    else if (err->kind == ERR_DENIED && has_secret)
        err_hint(err, "the token that was given for %s is not taken there", how->remote->host);
    else if (err->kind == ERR_DENIED && how->remote->transport == GIT_HTTP)
        err_hint(err,
                 "no such repository, or it wants a token: --secret id=GIT_AUTH_TOKEN,src=FILE"
                 " (or GIT_AUTH_TOKEN.%s)",
                 how->remote->host);
    else if (says(log, "Host key verification failed"))
        err_hint(err,
                 "the key of %s is not the one that is known; see known_hosts in ~/.ssh and %s",
                 how->remote->host, how->source->folder);
    else if (err->kind == ERR_DENIED)
        err_hint(err, "is a key that may read it in the agent? --ssh %s=FILE gives a key file", id);
}

static int fail(const struct git_run *how, const char *command, const struct process_result *r,
                bool has_secret, struct err *err)
{
    const char *log = r->log.data ? r->log.data : "";
    struct span line = best_line(log);
    if (says(log, "could not read Username")) /* it would have asked at a terminal */
        line = SPAN("the server wants to know who asks");
    err_set(err, how->remote ? kind_of_log(log) : ERR_INVALID, "git %s: %.*s", command,
            (int)(line.len < 400 ? line.len : 400), line.ptr);
    if (how->remote)
        add_hint(how, log, has_secret, err);
    return -1;
}

/* ---- running ---- */

static int run_once(const struct git_run *how, const char *const *args, struct process_result *out,
                    bool *has_secret, struct err *err)
{
    AUTO_VALUE(env_clear) struct str_list env = { 0 };
    const char *argv[ARGS_MAX] = { "git" };
    size_t n = 1;
    for (size_t i = 0; args[i] && n < ARGS_MAX - 1; i++)
        argv[n++] = args[i];
    if (make_env(how, &env, has_secret, err))
        return -1;
    *vec_push(&env) = NULL;
    struct process_options o = { .argv = argv,
                                 .env = (const char *const *)env.items,
                                 .cwd = how->git_dir ? how->git_dir : how->source->folder,
                                 .idle_timeout_ms = how->remote ? IDLE_MS : 0,
                                 .cancel = how->wish->cancel };
    int status = process_run(&o, out, err);
    env.n--;
    if (status && err->kind == ERR_NOT_FOUND)
        err_hint(err, "install git: it fetches repositories for kiln");
    return status;
}

int git_run(const struct git_run *how, const char *const *args, struct process_result *out,
            struct err *err)
{
    for (int n = 0;; n++) {
        bool has_secret = false;
        if (run_once(how, args, out, &has_secret, err) == 0) {
            if (out->exit_status == 0)
                return 0;
            fail(how, args[0], out, has_secret, err);
        }
        if (!how->remote || n == RETRIES || (err->kind != ERR_NETWORK && err->kind != ERR_TIMEOUT))
            return -1;
        log_event(LOG_INFO, "source", "try again in_ms=%d error=\"%s\"", RETRY_FIRST_MS << n,
                  err->text);
        err_clear(err);
        process_result_clear(out);
        if (cancel_sleep_ms(how->wish->cancel, RETRY_FIRST_MS << n, err))
            return -1;
    }
}

int git_try(const struct git_run *how, const char *const *args, bool *is_good, struct err *err)
{
    AUTO_VALUE(process_result_clear) struct process_result r = { 0 };
    bool has_secret = false;
    int status = run_once(how, args, &r, &has_secret, err);
    *is_good = status == 0 && r.exit_status == 0;
    return status;
}

int git_ask(const struct git_run *how, const char *const *args, char **out, struct err *err)
{
    AUTO_VALUE(process_result_clear) struct process_result r = { 0 };
    if (git_run(how, args, &r, err))
        return -1;
    while (r.out.len && r.out.data[r.out.len - 1] == '\n')
        r.out.data[--r.out.len] = '\0';
    *out = r.out.len ? buf_take(&r.out) : xstrdup("");
    return 0;
}
