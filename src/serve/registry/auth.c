/* serve/registry/auth.c - who asks: Basic authorization against a file of htpasswd.
 *
 * bcrypt is slow on purpose, and a push asks a hundred times: what was right once is remembered, as
 * a keyed hash that is worth nothing outside of this process, until the file changes.  One password
 * is checked at a time, so guessing takes one core at most.
 *
 * Format: lines USER:HASH, HASH of bcrypt ("$2y$", "$2a$", "$2b$"); "#" begins a comment.
 * Threads: locked inside. */
#include <crypt.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/codec/text.h"
#include "base/core/limits.h"
#include "base/core/log.h"
#include "base/core/map.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "serve/registry/internal.h"

enum { KNOWN_MAX = 1000 };
#define LIMIT_HTPASSWD ((size_t)(4 * MIB))

struct auth {
    pthread_mutex_t lock; /* guards users, known, stamp */
    struct map users;     /* name -> hash */
    struct map known;     /* keyed hash of user and password that were right */
    struct stat stamp;    /* of the file when it was read */
    pthread_mutex_t crypt_lock;
    char *path;
    uint8_t secret[32]; /* key of `known` */
};

static bool is_bcrypt(struct span hash)
{
    return hash.len == 60 &&
           (span_starts(hash, "$2y$") || span_starts(hash, "$2a$") || span_starts(hash, "$2b$"));
}

static int read_line(struct span line, struct map *users, struct err *err)
{
    struct span hash = span_trim(line), user = span_cut(&hash, ':');
    if (!user.len && !hash.ptr)
        return 0;
    if (user.len && user.ptr[0] == '#')
        return 0;
    if (!user.len || !is_bcrypt(hash))
        return err_set(err, ERR_INVALID, "this is not user:bcrypt");
    AUTO_FREE char *name = span_dup(user);
    AUTO_FREE char *text = span_dup(hash);
    map_set_str(users, name, text);
    return 0;
}

static int read_users(const char *path, struct map *users, struct stat *stamp, struct err *err)
{
    AUTO_FD int fd = -1;
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    buf_init(&text, LIMIT_HTPASSWD);
    if (fs_open(AT_FDCWD, path, O_RDONLY, 0, &fd, err))
        return err_wrap(err, "read the passwords");
    if (fstat(fd, stamp) < 0)
        return err_sys(err, "read the passwords: %s", path);
    if (fs_read_fd(fd, &text, err))
        return err_wrap(err, "read the passwords: %s", path);
    struct span rest = buf_span(&text);
    for (unsigned n = 1; rest.ptr; n++)
        if (read_line(span_cut(&rest, '\n'), users, err)) {
            err_wrap(err, "read the passwords: %s:%u", path, n);
            return err_hint(err, "add users with htpasswd -B %s USER", path);
        }
    return 0;
}

int auth_open(const char *htpasswd, struct auth **out, struct err *err)
{
    struct auth *a = xcalloc(1, sizeof *a);
    pthread_mutex_init(&a->lock, NULL);
    pthread_mutex_init(&a->crypt_lock, NULL);
    a->path = xstrdup(htpasswd);
    a->users = a->known = (struct map)STR_MAP;
    if (getrandom(a->secret, sizeof a->secret, 0) != sizeof a->secret) {
        auth_close(a);
        return err_sys(err, "get random bytes");
    }
    if (read_users(htpasswd, &a->users, &a->stamp, err)) {
        auth_close(a);
        return -1;
    }
    *out = a;
    return 0;
}

void auth_close(struct auth *a)
{
    if (!a)
        return;
    map_clear(&a->users);
    map_clear(&a->known);
    pthread_mutex_destroy(&a->lock);
    pthread_mutex_destroy(&a->crypt_lock);
    free(a->path);
    explicit_bzero(a->secret, sizeof a->secret);
    free(a);
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* A file that cannot be read any more leaves what was known of it in force. */
static void reread(struct auth *a)
{
    struct stat now;
    if (stat(a->path, &now) < 0)
        return;
    pthread_mutex_lock(&a->lock);
    bool is_same = is_same_file(&a->stamp, &now);
    pthread_mutex_unlock(&a->lock);
    if (is_same)
        return;
    struct map fresh = STR_MAP;
    struct err err = { 0 };
    if (read_users(a->path, &fresh, &now, &err)) {
        log_event(LOG_WARN, "serve", "the passwords stay as they were error=\"%s\"", err.text);
        map_clear(&fresh);
        return;
    }
    pthread_mutex_lock(&a->lock);
    struct map before = a->users;
    a->users = fresh;
    a->stamp = now;
    map_clear(&a->known);
    pthread_mutex_unlock(&a->lock);
    map_clear(&before);
}

static struct digest_text key_of(const struct auth *a, struct span user, struct span password)
{
    AUTO(hasher_free) struct hasher *h = hasher_new(DIGEST_SHA256);
    hasher_update_framed(h, span_bytes(a->secret, sizeof a->secret));
    hasher_update_framed(h, user);
    hasher_update_framed(h, password);
    struct digest d = hasher_final(h);
    return digest_text(&d);
}

static bool bcrypt_fits(struct auth *a, const char *password, const char *hash)
{
    struct crypt_data *data = xcalloc(1, sizeof *data);
    pthread_mutex_lock(&a->crypt_lock);
    const char *got = crypt_rn(password, hash, data, sizeof *data);
    pthread_mutex_unlock(&a->crypt_lock);
    unsigned char different = !got || strlen(got) != strlen(hash);
    for (size_t i = 0; !different && hash[i]; i++) /* an early end tells nothing of a hash */
        different = got[i] != hash[i];
    explicit_bzero(data, sizeof *data);
    free(data);
    return !different;
}

/* `password` is NUL-terminated. */
static bool is_right(struct auth *a, const char *user, const char *password)
{
    struct digest_text key = key_of(a, span_of(user), span_of(password));
    pthread_mutex_lock(&a->lock);
    const char *hash = map_find_str(&a->users, user);
    bool is_user = hash != NULL;
    bool is_known = is_user && map_has(&a->known, key.s);
    if (!is_user && a->users.n)
        hash = a->users.entries[0].value; /* nobody learns from the time which users there are */
    AUTO_FREE char *copy = xstrdup_or_null(hash);
    pthread_mutex_unlock(&a->lock);
    if (is_known)
        return true;
    if (!copy || !bcrypt_fits(a, password, copy) || !is_user)
        return false;
    pthread_mutex_lock(&a->lock);
    if (a->known.n >= KNOWN_MAX)
        map_clear(&a->known);
    const char *now = map_find_str(&a->users, user);
    if (now && strcmp(now, copy) == 0) /* else the file changed meanwhile */
        map_set_str(&a->known, key.s, "");
    pthread_mutex_unlock(&a->lock);
    return true;
}

int auth_check(struct auth *a, const char *header, char **user, struct err *err)
{
    if (!header || strncasecmp(header, "Basic ", 6) != 0)
        return err_set(err, ERR_DENIED, "authentication is required");
    AUTO_VALUE(buf_clear) struct buf plain = { 0 };
    buf_init(&plain, LIMIT_HTTP_HEADER);
    struct err ignored = { 0 };
    if (base64_parse(span_trim(span_skip(span_of(header), 6)), &plain, &ignored) || !plain.len)
        return err_set(err, ERR_DENIED, "the Authorization header cannot be read");
    struct span password = buf_span(&plain), name = span_cut(&password, ':');
    bool has_nul = memchr(plain.data, '\0', plain.len) != NULL;
    AUTO_FREE char *who = span_dup(name);
    AUTO_FREE char *secret = span_dup(password);
    reread(a);
    bool is_good = password.ptr && !has_nul && is_right(a, who, secret);
    explicit_bzero(plain.data, plain.len);
    explicit_bzero(secret, strlen(secret));
    if (!is_good)
        return err_set(err, ERR_DENIED, "wrong user or password");
    *user = STEAL(who);
    return 0;
}
