/* image/registry/remote.c - opening and closing a remote; login and logout. */
#include "image/registry/remote.h"

#include <stdlib.h>
#include <string.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "image/registry/internal.h"

enum { RETRIES_DEFAULT = 4 };

int remote_open(const struct remote_options *o, struct remote **out, struct err *err)
{
    AUTO(remote_close) struct remote *r = xcalloc(1, sizeof *r);
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->changed, NULL);
    r->hosts.free_value = host_free;
    r->tokens.free_value = token_free;
    r->challenges = r->mirrors = (struct map)STR_MAP;
    r->auth_file = credentials_file(o->auth_file);
    r->certs_dir = xstrdup_or_null(o->certs_dir);
    r->is_all_insecure = o->is_all_insecure;
    r->n_retries = o->n_retries ? o->n_retries : RETRIES_DEFAULT;
    r->moved = o->moved;
    r->moved_arg = o->moved_arg;
    if (o->insecure)
        str_list_copy(&r->insecure, o->insecure);
    if (o->mirrors)
        map_copy_str(&r->mirrors, o->mirrors);
    struct http_client_options http = { .user_agent = o->user_agent };
    if (http_client_new(&http, &r->http, err))
        return -1;
    *out = STEAL(r);
    return 0;
}

void remote_close(struct remote *r)
{
    if (!r)
        return;
    http_client_free(r->http);
    map_clear(&r->hosts);
    map_clear(&r->tokens);
    map_clear(&r->challenges);
    map_clear(&r->mirrors);
    map_clear(&r->known);
    map_clear(&r->absent);
    map_clear(&r->uploads);
    map_clear(&r->moving);
    str_list_clear(&r->insecure);
    free(r->auth_file);
    free(r->certs_dir);
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->changed);
    free(r);
}

/* Asks for nothing but a yes, with the credentials in a file of their own. */
static int try_credential(struct remote *r, const char *registry, struct err *err)
{
    struct reference ref = { .registry = (char *)(uintptr_t)registry,
                             .repository = (char[]){ "" } };
    struct call c = { .ref = &ref, .method = "GET", .url = "/v2/", .what = "log in" };
    AUTO_VALUE(http_response_clear) struct http_response response = { 0 };
    if (call_send(r, &c, &response, err))
        return -1;
    if (response.status != 200)
        return call_fail(r, &c, &response, err);
    return 0;
}

/* What was there before is better than what is wrong. */
static void put_back(struct remote *r, const char *registry, const struct credential *before,
                     struct err *err)
{
    struct err why = { 0 };
    bool was_there = false;
    if (before->user || before->identity_token
            ? credential_store(r->auth_file, registry, before, &why)
            : credential_erase(r->auth_file, registry, &was_there, &why))
        err_hint(err, "%s could not be put back: %.300s", r->auth_file, why.text);
}

int remote_login(struct remote *r, const char *registry, const char *user, const char *password,
                 struct err *err)
{
    struct credential before = { 0 };
    AUTO_VALUE(credential_clear)
    struct credential c = { .user = xstrdup(user), .password = xstrdup(password) };
    if (credential_find(r->auth_file, registry, NULL, &before, NULL, err) ||
        credential_store(r->auth_file, registry, &c, err)) {
        credential_clear(&before);
        return -1;
    }
    int status = try_credential(r, registry, err);
    if (status) {
        if (err->kind == ERR_DENIED)
            err_hint(err, "check user and password; some registries want a token as the password");
        put_back(r, registry, &before, err);
    }
    credential_clear(&before);
    return status;
}

int remote_logout(struct remote *r, const char *registry, bool *was_there, struct err *err)
{
    return credential_erase(r->auth_file, registry, was_there, err);
}

int move_enter(struct remote *r, const char *move, const struct cancel *cancel, struct err *err)
{
    enum { LOOK_EVERY_NS = 50 * 1000000 };
    int status = 0;
    pthread_mutex_lock(&r->lock);
    while (map_has(&r->moving, move) && (status = cancel_check(cancel, err)) == 0) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += (until.tv_nsec + LOOK_EVERY_NS) / 1000000000;
        until.tv_nsec = (until.tv_nsec + LOOK_EVERY_NS) % 1000000000;
        pthread_cond_timedwait(&r->changed, &r->lock, &until);
    }
    if (status == 0)
        map_set(&r->moving, move, r);
    pthread_mutex_unlock(&r->lock);
    return status;
}

void move_leave(struct remote *r, const char *move)
{
    pthread_mutex_lock(&r->lock);
    map_remove(&r->moving, move);
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}
