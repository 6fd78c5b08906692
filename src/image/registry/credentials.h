/* image/registry/credentials.h - who we are at a registry: config.json and its helpers.
 *
 * Files are those of docker and of containers-auth.json(5): `auths` (by host, by URL as docker
 * wrote them, by host/namespace), `credHelpers`, `credsStore`, identity tokens.  Values never
 * appear in an error.
 *
 * Threads: values; reading asks the disk each time and keeps nothing. */
#pragma once
#include "base/core/cancel.h"
#include "base/core/err.h"

struct credential {
    char *user, *password; /* owned; NULL: none */
    char *identity_token;  /* owned; NULL: none.  A refresh token for the token server */
    char *
        origin; /* owned; for messages: the file or helper that it came from, or where was looked */
};
void credential_clear(struct credential *c);

/* The file that is read: `chosen`, else $REGISTRY_AUTH_FILE, $DOCKER_CONFIG/config.json,
 * ~/.docker/config.json, else containers' $XDG_RUNTIME_DIR/containers/auth.json; the last but one
 * when none exists.  Owned by the caller. */
char *credentials_file(const char *chosen);

/* For "registry/repository".  None is no error: out->user and identity_token stay NULL.
 * Fails: INVALID (the file is no JSON), what a helper says. */
NODISCARD int credential_find(const char *file, const char *registry, const char *repository,
                              struct credential *out, const struct cancel *cancel, struct err *err);
/* Into the file (mode 0600) or, where it names one, the helper. */
NODISCARD int credential_store(const char *file, const char *registry, const struct credential *c,
                               struct err *err);
NODISCARD int credential_erase(const char *file, const char *registry, bool *was_there,
                               struct err *err);
