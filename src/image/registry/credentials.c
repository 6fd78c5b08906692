/* image/registry/credentials.c - see credentials.h. */
#include "image/registry/credentials.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/codec/json.h"
#include "base/codec/text.h"
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "base/sys/process.h"
#include "base/sys/user.h"

#define DOCKER_HUB_KEY "https://index.docker.io/v1/"

void credential_clear(struct credential *c)
{
    if (c->password)
        explicit_bzero(c->password, strlen(c->password));
    if (c->identity_token)
        explicit_bzero(c->identity_token, strlen(c->identity_token));
    free(c->user);
    free(c->password);
    free(c->identity_token);
    free(c->origin);
    *c = (struct credential){ 0 };
}

char *credentials_file(const char *chosen)
{
    const char *named = getenv("REGISTRY_AUTH_FILE"), *docker = getenv("DOCKER_CONFIG");
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    if (chosen && *chosen)
        return xstrdup(chosen);
    if (named && *named)
        return xstrdup(named);
    if (docker && *docker)
        return xasprintf("%s/config.json", docker);
    AUTO_FREE char *home = xasprintf("%s/.docker/config.json", user_home());
    if (runtime && *runtime && access(home, F_OK) != 0) {
        AUTO_FREE char *containers = xasprintf("%s/containers/auth.json", runtime);
        if (access(containers, F_OK) == 0)
            return STEAL(containers);
    }
    return STEAL(home);
}

static bool is_docker_hub(const char *host)
{
    return strcmp(host, "docker.io") == 0 || strcmp(host, "index.docker.io") == 0 ||
           strcmp(host, "registry-1.docker.io") == 0;
}

/* A key of `auths` as host[:port][/path]: without scheme, docker's /v1/ and /v2/, or a last slash.
 */
static char *plain_key(const char *key)
{
    struct span s = span_of(key);
    if (span_starts(s, "https://"))
        s = span_skip(s, 8);
    else if (span_starts(s, "http://"))
        s = span_skip(s, 7);
    while (span_ends(s, "/"))
        s.len--;
    if (span_ends(s, "/v1") || span_ends(s, "/v2"))
        s.len -= 3;
    return span_dup(s);
}

static bool key_fits(const char *key, const char *wanted)
{
    AUTO_FREE char *plain = plain_key(key);
    const char *slash = strchr(wanted, '/');
    if (strcmp(plain, wanted) == 0)
        return true;
    return !slash && is_docker_hub(wanted) && is_docker_hub(plain);
}

static const struct json *find_entry(const struct json *map, const char *wanted, const char **key)
{
    for (void *it = json_first(map); it; it = json_next(map, it))
        if (key_fits(json_iter_key(it), wanted)) {
            if (key)
                *key = json_iter_key(it);
            return json_iter_value(it);
        }
    return NULL;
}

static int read_file(const char *file, struct json **out, struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    buf_init(&text, LIMIT_JSON);
    *out = NULL;
    if (fs_read_file(AT_FDCWD, file, &text, err)) {
        if (err->kind == ERR_NOT_FOUND) {
            err_clear(err);
            return 0;
        }
        return err_wrap(err, "read credentials");
    }
    int status = span_trim(buf_span(&text)).len ? json_parse(buf_span(&text), out, err) : 0;
    if (text.data)
        explicit_bzero(text.data, text.len);
    return status ? err_wrap(err, "read credentials: %s", file) : 0;
}

/* "auth" is base64 of user:password; some tools write the two fields instead. */
static int read_entry(const struct json *entry, struct credential *out, struct err *err)
{
    const char *auth = json_get_str(entry, "auth"), *token = json_get_str(entry, "identitytoken");
    if (token && *token)
        out->identity_token = xstrdup(token);
    if (auth && *auth) {
        AUTO_VALUE(buf_clear) struct buf plain = { 0 };
        buf_init(&plain, LIMIT_HTTP_TEXT);
        if (base64_parse(span_of(auth), &plain, err))
            return err_set(err, ERR_INVALID, "the field \"auth\" is not base64");
        struct span rest = buf_span(&plain), user = span_cut(&rest, ':');
        if (!rest.ptr)
            return err_set(err, ERR_INVALID, "the field \"auth\" is not user:password");
        while (rest.len && rest.ptr[rest.len - 1] == '\0')
            rest.len--;
        out->user = span_dup(user);
        out->password = span_dup(rest);
        explicit_bzero(plain.data, plain.len);
    } else if (json_get_str(entry, "username")) {
        out->user = xstrdup(json_get_str(entry, "username"));
        out->password = xstrdup_or_null(json_get_str(entry, "password"));
    }
    return 0;
}

static int run_helper(const char *helper, const char *verb, struct span input,
                      struct process_result *out, const struct cancel *cancel, struct err *err)
{
    AUTO_FREE char *program = xasprintf("docker-credential-%s", helper);
    const char *const argv[] = { program, verb, NULL };
    struct process_options o = {
        .argv = argv, .input = input, .timeout_ms = 60000, .cancel = cancel
    };
    if (strchr(helper, '/'))
        return err_set(err, ERR_INVALID,
                       "credential helper \"%s\": a name, not a path, is expected", helper);
    if (process_run(&o, out, err)) {
        err_wrap(err, "ask credential helper %s", program);
        return err->kind == ERR_NOT_FOUND ? err_hint(err, "install %s or put it into PATH", program)
                                          : -1;
    }
    return 0;
}

static int ask_helper(const char *helper, const char *server, struct credential *out,
                      const struct cancel *cancel, struct err *err)
{
    AUTO_VALUE(process_result_clear) struct process_result r = { 0 };
    if (run_helper(helper, "get", span_of(server), &r, cancel, err))
        return -1;
    out->origin = xasprintf("credential helper docker-credential-%s", helper);
    struct span said = span_trim(buf_span(&r.out));
    if (r.exit_status != 0) {
        if (said.len && memmem(said.ptr, said.len, "not found", 9))
            return 0;
        return err_set(err, ERR_DENIED, "credential helper docker-credential-%s get: %.*s", helper,
                       SPAN_ARG(span_first(said, 200)));
    }
    AUTO(json_free) struct json *answer = NULL;
    if (json_parse(said, &answer, err)) /* the text of the error shows nothing of the answer */
        return err_set(err, ERR_INVALID, "credential helper docker-credential-%s gave no JSON",
                       helper);
    const char *user = json_get_str(answer, "Username"), *secret = json_get_str(answer, "Secret");
    if (user && strcmp(user, "<token>") == 0) {
        out->identity_token = xstrdup_or_null(secret);
    } else {
        out->user = xstrdup_or_null(user);
        out->password = xstrdup_or_null(secret);
    }
    return 0;
}

static const char *helper_for(const struct json *config, const char *registry)
{
    const struct json *helper = find_entry(json_get(config, "credHelpers"), registry, NULL);
    if (helper)
        return json_str(helper);
    const char *store = json_get_str(config, "credsStore");
    return store && *store ? store : NULL;
}

static const char *helper_key(const char *registry)
{
    return is_docker_hub(registry) ? DOCKER_HUB_KEY : registry;
}

/* The entry of the longest prefix of registry/repository. */
static const struct json *find_auth(const struct json *auths, const char *registry,
                                    const char *repository)
{
    AUTO_FREE char *wanted = xasprintf("%s/%s", registry, repository ? repository : "");
    for (;;) {
        const struct json *entry = find_entry(auths, wanted, NULL);
        if (entry)
            return entry;
        char *slash = strrchr(wanted, '/');
        if (!slash)
            return NULL;
        *slash = '\0';
    }
}

int credential_find(const char *file, const char *registry, const char *repository,
                    struct credential *out, const struct cancel *cancel, struct err *err)
{
    AUTO(json_free) struct json *config = NULL;
    *out = (struct credential){ 0 };
    if (read_file(file, &config, err))
        return -1;
    const struct json *specific = find_entry(json_get(config, "credHelpers"), registry, NULL);
    const struct json *entry = find_auth(json_get(config, "auths"), registry, repository);
    if (!specific && entry && read_entry(entry, out, err))
        return err_wrap(err, "read credentials: %s: %s", file, registry);
    if (!out->user && !out->identity_token) {
        const char *helper = helper_for(config, registry);
        if (helper)
            return ask_helper(helper, helper_key(registry), out, cancel, err);
    }
    out->origin = xstrdup(file);
    return 0;
}

static int write_file(const char *file, const struct json *config, struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    buf_init(&text, LIMIT_JSON);
    json_print_pretty(config, &text);
    buf_putc(&text, '\n');
    const char *slash = strrchr(file, '/');
    AUTO_FREE char *folder = slash ? xstrndup(file, (size_t)(slash - file)) : xstrdup(".");
    int status = fs_make_dirs(AT_FDCWD, folder, 0700, err) ||
                 fs_write_file(AT_FDCWD, file, buf_span(&text), 0600, true, err);
    explicit_bzero(text.data, text.len);
    return status ? err_wrap(err, "write credentials") : 0;
}

static int store_in_helper(const char *helper, const char *registry, const struct credential *c,
                           struct err *err)
{
    AUTO(json_free) struct json *entry = json_new_object();
    json_set_str(entry, "ServerURL", helper_key(registry));
    json_set_str(entry, "Username", c->identity_token ? "<token>" : c->user);
    json_set_str(entry, "Secret", c->identity_token ? c->identity_token : c->password);
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    buf_init(&text, LIMIT_HTTP_TEXT);
    json_print(entry, &text);
    AUTO_VALUE(process_result_clear) struct process_result r = { 0 };
    int status = run_helper(helper, "store", buf_span(&text), &r, NULL, err);
    explicit_bzero(text.data, text.len);
    if (status == 0 && r.exit_status != 0)
        return err_set(err, ERR_DENIED, "credential helper docker-credential-%s store: %.*s",
                       helper, SPAN_ARG(span_first(span_trim(buf_span(&r.out)), 200)));
    return status;
}

static struct json *entry_of(const struct credential *c)
{
    struct json *entry = json_new_object();
    AUTO_FREE char *plain =
        xasprintf("%s:%s", c->user ? c->user : "", c->password ? c->password : "");
    AUTO_VALUE(buf_clear) struct buf auth = { 0 };
    buf_init(&auth, LIMIT_HTTP_TEXT);
    base64_print(span_of(plain), &auth);
    json_set_str(entry, "auth", auth.data);
    json_set_str(entry, "identitytoken", c->identity_token);
    explicit_bzero(plain, strlen(plain));
    explicit_bzero(auth.data, auth.len);
    return entry;
}

int credential_store(const char *file, const char *registry, const struct credential *c,
                     struct err *err)
{
    AUTO(json_free) struct json *config = NULL;
    if (read_file(file, &config, err))
        return -1;
    if (!config)
        config = json_new_object();
    const char *helper = helper_for(config, registry);
    if (helper)
        return store_in_helper(helper, registry, c, err);
    if (!json_get(config, "auths"))
        json_set(config, "auths", json_new_object());
    const char *key = helper_key(registry);
    find_entry(json_get(config, "auths"), registry, &key);
    AUTO_FREE char *own_key = xstrdup(key);
    json_set(json_get(config, "auths"), own_key, entry_of(c));
    return write_file(file, config, err);
}

int credential_erase(const char *file, const char *registry, bool *was_there, struct err *err)
{
    AUTO(json_free) struct json *config = NULL;
    *was_there = false;
    if (read_file(file, &config, err))
        return -1;
    const char *helper = helper_for(config, registry);
    if (helper) {
        AUTO_VALUE(process_result_clear) struct process_result r = { 0 };
        if (run_helper(helper, "erase", span_of(helper_key(registry)), &r, NULL, err))
            return -1;
        *was_there = r.exit_status == 0;
    }
    const char *key = NULL;
    if (!find_entry(json_get(config, "auths"), registry, &key))
        return 0;
    *was_there = true;
    AUTO_FREE char *own_key = xstrdup(key);
    json_remove(json_get(config, "auths"), own_key);
    return write_file(file, config, err);
}
