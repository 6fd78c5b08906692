/* engine/ops/account.c - names of users and groups, as the image's own files have them.
 *
 * Spec: passwd(5), group(5); docker's reading of USER: a uid without an entry has group 0; a user
 * alone has its supplementary groups; user:group has that group only. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/core/vec.h"
#include "base/sys/fs.h"
#include "engine/ops/internal.h"

enum { FIELDS_MAX = 8 };

void account_clear(struct account *a)
{
    free(a->home);
    vec_clear(&a->groups);
    *a = (struct account){ 0 };
}

/* The whole file; empty when it is not there. */
static void read_table(int root_fd, const char *path, struct buf *out)
{
    struct err ignored = { 0 };
    AUTO_FD int fd = -1;
    buf_init(out, LIMIT_JSON);
    if (fs_open_file_in_root(root_fd, path, &fd, &ignored) || fs_read_fd(fd, out, &ignored))
        buf_reset(out);
}

/* Calls `take` with the fields of each line until it returns true. */
static bool each_line(int root_fd, const char *path,
                      bool (*take)(void *arg, struct span *fields, size_t n), void *arg)
{
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    read_table(root_fd, path, &text);
    struct span rest = buf_span(&text);
    while (rest.ptr && rest.len > 0) {
        struct span line = span_cut(&rest, '\n'), fields[FIELDS_MAX];
        size_t n = 0;
        while (line.ptr && n < FIELDS_MAX)
            fields[n++] = span_cut(&line, ':');
        if (n >= 3 && take(arg, fields, n))
            return true;
    }
    return false;
}

struct passwd_search {
    const char *name; /* NULL: by uid */
    uint64_t uid;
    struct account *out;
    char *found_name; /* owned */
};

static bool take_passwd(void *arg, struct span *fields, size_t n)
{
    struct passwd_search *s = arg;
    uint64_t uid = 0, gid = 0;
    if (n < 4 || !span_u64(fields[2], UINT32_MAX, &uid) || !span_u64(fields[3], UINT32_MAX, &gid) ||
        (s->name ? !span_is(fields[0], s->name) : uid != s->uid))
        return false;
    s->out->uid = (uint32_t)uid;
    s->out->gid = (uint32_t)gid;
    free(s->out->home);
    s->out->home = n >= 6 && fields[5].len ? span_dup(fields[5]) : NULL;
    s->found_name = span_dup(fields[0]);
    return true;
}

static bool find_passwd(int root_fd, struct passwd_search *s)
{
    return each_line(root_fd, "etc/passwd", take_passwd, s);
}

struct group_search {
    const char *name; /* of a group; NULL: collect the groups of `member` */
    const char *member;
    struct account *out;
};

static bool take_group(void *arg, struct span *fields, size_t n)
{
    struct group_search *s = arg;
    uint64_t gid = 0;
    if (!span_u64(fields[2], UINT32_MAX, &gid))
        return false;
    if (s->name) {
        if (!span_is(fields[0], s->name))
            return false;
        s->out->gid = (uint32_t)gid;
        return true;
    }
    struct span members = n >= 4 ? fields[3] : (struct span){ 0 };
    while (members.ptr && members.len > 0)
        if (span_is(span_trim(span_cut(&members, ',')), s->member))
            *vec_push(&s->out->groups) = (uint32_t)gid;
    return false;
}

bool account_find_user(int root_fd, const char *name, uint32_t *uid, uint32_t *gid)
{
    AUTO_VALUE(account_clear) struct account a = { 0 };
    struct passwd_search s = { .name = name, .out = &a };
    bool found = find_passwd(root_fd, &s);
    free(s.found_name);
    *uid = a.uid;
    *gid = a.gid;
    return found;
}

bool account_find_group(int root_fd, const char *name, uint32_t *gid)
{
    AUTO_VALUE(account_clear) struct account a = { 0 };
    struct group_search s = { .name = name, .out = &a };
    bool found = each_line(root_fd, "etc/group", take_group, &s);
    *gid = a.gid;
    return found;
}

static int find_user_part(int root_fd, const char *user, bool wants_groups, struct account *out,
                          struct err *err)
{
    uint64_t uid = 0;
    bool is_number = span_u64(span_of(user), UINT32_MAX, &uid);
    struct passwd_search s = { .name = user, .out = out };
    bool found = find_passwd(root_fd, &s); /* a name of digits wins over the number */
    if (!found && is_number) {
        s = (struct passwd_search){ .uid = uid, .out = out };
        found = find_passwd(root_fd, &s);
        out->uid = (uint32_t)uid;
    }
    if (found && wants_groups) {
        struct group_search g = { .member = s.found_name, .out = out };
        each_line(root_fd, "etc/group", take_group, &g);
    }
    free(s.found_name);
    if (found || is_number)
        return 0;
    err_set(err, ERR_NOT_FOUND, "user \"%s\": not in the image's /etc/passwd", user);
    return err_hint(err, "create it in an earlier RUN, or use a number");
}

int account_find(int root_fd, const char *user, struct account *out, struct err *err)
{
    *out = (struct account){ 0 };
    AUTO_FREE char *name = xstrdup(*user ? user : "0");
    char *colon = strchr(name, ':');
    if (colon)
        *colon = '\0';
    if (find_user_part(root_fd, *name ? name : "0", !colon || !colon[1], out, err)) {
        account_clear(out);
        return -1;
    }
    uint64_t gid = 0;
    if (!colon || !colon[1] || account_find_group(root_fd, colon + 1, &out->gid))
        return 0;
    if (span_u64(span_of(colon + 1), UINT32_MAX, &gid)) {
        out->gid = (uint32_t)gid;
        return 0;
    }
    account_clear(out);
    return err_set(err, ERR_NOT_FOUND, "group \"%s\": not in the image's /etc/group", colon + 1);
}
