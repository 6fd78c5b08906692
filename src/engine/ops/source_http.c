/* engine/ops/source_http.c - http:// and https://: one file in an empty root.
 *
 * The key is made of the content and of what the file looks like, as BuildKit makes it, so that the
 * same file from elsewhere is the same result.  With a checksum the content is known beforehand and
 * nothing is asked of the server before it is needed.
 *
 * Secrets: HTTP_AUTH_HEADER_HOST is the header's value, else HTTP_AUTH_TOKEN_HOST a bearer token;
 * http.authheadersecret names another.  HOST has no port.
 *
 * Spec: BuildKit source/http. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "base/net/url.h"
#include "base/sys/fs.h"
#include "engine/ops/source.h"
#include "engine/source/http_source.h"
#include "image/store/blob.h"

enum { PERM_DEFAULT = 0600, ID_MAX = INT32_MAX };

/* What a vertex asks for. */
struct web_file {
    const char *name; /* of the file */
    char *url_name;   /* owned; from the URL, where no name was given */
    uint64_t perm, uid, gid;
    const char *auth_secret; /* "" none */
    struct digest checksum;  /* may be unset */
};

static void web_file_clear(struct web_file *f)
{
    free(f->url_name);
}

/* As Go's ParseInt with base 0 reads what clients write: 0644, 420. */
static int read_number(const struct vertex *v, const char *attr, uint64_t max, uint64_t *out,
                       struct err *err)
{
    const char *text = pairs_find(&v->source.attrs, attr);
    *out = 0;
    if (!text)
        return 0;
    unsigned base = text[0] == '0' && text[1] ? 8 : 10;
    const char *digits = text[0] == '0' && text[1] == 'o' ? text + 2 : text;
    for (const char *p = digits; *p; p++) {
        if (*p < '0' || *p >= (char)('0' + base) || *out > max)
            return err_set(err, ERR_INVALID, "%s is \"%s\"", attr, text);
        *out = *out * base + (uint64_t)(*p - '0');
    }
    return !*digits || *out > max ? err_set(err, ERR_INVALID, "%s is \"%s\"", attr, text) : 0;
}

static char *name_of_url(const char *url)
{
    AUTO_VALUE(url_clear) struct url u = { 0 };
    struct err ignored = { 0 };
    if (url_parse(span_of(url), &u, &ignored))
        return xstrdup("download");
    struct span path = span_of(u.path);
    while (span_ends(path, "/"))
        path = span_first(path, path.len - 1);
    ptrdiff_t slash = span_rfind(path, '/');
    struct span last = slash < 0 ? path : span_skip(path, (size_t)slash + 1);
    return last.len ? span_dup(last) : xstrdup("download");
}

static int read_file(const struct vertex *v, struct web_file *out, struct err *err)
{
    const struct pairs *attrs = &v->source.attrs;
    const char *checksum = pairs_find(attrs, ATTR_HTTP_CHECKSUM);
    const char *secret = pairs_find(attrs, ATTR_HTTP_AUTH_SECRET);
    out->name = pairs_find(attrs, ATTR_HTTP_FILENAME);
    if (!out->name || !*out->name)
        out->name = out->url_name = name_of_url(v->source.identifier);
    if (strchr(out->name, '/') || !strcmp(out->name, ".") || !strcmp(out->name, ".."))
        return err_set(err, ERR_INVALID, "%s \"%s\": no name of a file", ATTR_HTTP_FILENAME,
                       out->name);
    out->auth_secret = secret ? secret : "";
    if (checksum && digest_parse(span_of(checksum), &out->checksum, err))
        return -1;
    return read_number(v, ATTR_HTTP_PERM, 07777, &out->perm, err) ||
                   read_number(v, ATTR_HTTP_UID, ID_MAX, &out->uid, err) ||
                   read_number(v, ATTR_HTTP_GID, ID_MAX, &out->gid, err)
               ? -1
               : 0;
}

/* ---- the key ---- */

/* A text as Go's JSON has it, which escapes more than JSON asks for. */
static void put_json(struct buf *b, const char *text)
{
    buf_putc(b, '"');
    for (const char *p = text; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '"' || c == '\\')
            buf_printf(b, "\\%c", c);
        else if (c == '\n' || c == '\r' || c == '\t')
            buf_printf(b, "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
        else if (c < 0x20 || c == '<' || c == '>' || c == '&')
            buf_printf(b, "\\u%04x", c);
        else
            buf_putc(b, (char)c);
    }
    buf_putc(b, '"');
}

static struct digest file_key(const struct web_file *f, const struct digest *content,
                              const struct http_file *at)
{
    AUTO_VALUE(buf_clear) struct buf b = { 0 };
    buf_init(&b, SIZE_MAX);
    buf_puts(&b, "{\"Filename\":");
    put_json(&b, f->name);
    buf_printf(&b, ",\"Perm\":%u,\"UID\":%u,\"GID\":%u,\"Checksum\":\"%s\"", (unsigned)f->perm,
               (unsigned)f->uid, (unsigned)f->gid, digest_text(content).s);
    if (at && at->has_time) {
        AUTO_FREE char *time = http_date_text(at->modified_s);
        buf_printf(&b, ",\"LastModTime\":\"%s\"", time);
    }
    if (*f->auth_secret) {
        buf_puts(&b, ",\"AuthHeaderSecret\":");
        put_json(&b, f->auth_secret);
    }
    buf_putc(&b, '}');
    struct digest key = digest_of(buf_span(&b));
    return source_digest(digest_text(&key).s);
}

/* ---- asking ---- */

static int find_authorization(const struct ops *ops, const char *url, const struct web_file *f,
                              char **out, struct err *err)
{
    AUTO_VALUE(url_clear) struct url u = { 0 };
    if (*f->auth_secret) {
        if (authorization_read(ops, f->auth_secret, "", out, err) || *out)
            return err->kind ? -1 : 0;
        return err_set(err, ERR_NOT_FOUND, "secret %s: not found", f->auth_secret);
    }
    if (url_parse(span_of(url), &u, err))
        return -1;
    AUTO_FREE char *header = xasprintf("HTTP_AUTH_HEADER_%s", u.host);
    AUTO_FREE char *token = xasprintf("HTTP_AUTH_TOKEN_%s", u.host);
    if (authorization_read(ops, header, "", out, err))
        return -1;
    return *out ? 0 : authorization_read(ops, token, "Bearer ", out, err);
}

/* A download shown as a task of its own: key() comes before the vertex is shown. */
struct shown_download {
    const struct progress *progress;
    char *id, *name;
    uint64_t told;
    bool has_begun;
};
enum { TELL_EVERY = 1 << 20 };

static void show_moved(void *arg, uint64_t current, uint64_t total)
{
    struct shown_download *d = arg;
    if (!d->has_begun) {
        d->has_begun = true;
        progress_task_start(d->progress, d->id, d->name);
    } else if (current < d->told + TELL_EVERY && current != total) {
        return;
    }
    d->told = current;
    progress_status(d->progress, d->id, "downloading", current, total);
}

static int use_source(struct ops *ops, const struct vertex *v, const struct web_file *f,
                      struct http_wish *q, struct http_file *out, struct err *err)
{
    AUTO(secret_free) char *authorization = NULL;
    AUTO_VALUE(url_clear) struct url u = { 0 };
    if (url_parse(span_of(v->source.identifier), &u, err) ||
        find_authorization(ops, v->source.identifier, f, &authorization, err))
        return -1;
    AUTO_FREE char *id = xasprintf("download %s", digest_text(&v->digest).s);
    AUTO_FREE char *url = url_text_redacted(&u);
    AUTO_FREE char *name = xasprintf("[internal] download %s", url);
    struct shown_download shown = { .progress = ops->o.progress, .id = id, .name = name };
    bool fetches = digest_is_set(&q->want);
    q->url = v->source.identifier;
    q->authorization = authorization;
    q->moved = show_moved;
    q->moved_arg = &shown;
    int status = fetches ? http_source_fetch(ops->o.http, q, out, err)
                         : http_source_ask(ops->o.http, q, out, err);
    if (shown.has_begun)
        progress_task_end(ops->o.progress, id, status, err);
    return status;
}

static int http_key(struct ops *ops, const struct vertex *v, struct op_key *out,
                    const struct cancel *cancel, struct err *err)
{
    AUTO_VALUE(web_file_clear) struct web_file f = { 0 };
    struct http_wish q = { .cancel = cancel };
    struct http_file at = { 0 };
    *out = (struct op_key){ 0 };
    if (!ops->o.http)
        return err_set(err, ERR_UNSUPPORTED, "nothing is fetched from the web here");
    if (read_file(v, &f, err))
        return -1;
    if (digest_is_set(&f.checksum)) {
        out->digest = file_key(&f, &f.checksum, NULL);
        return 0;
    }
    if (!pin_find(ops, v, &at, sizeof at)) {
        if (use_source(ops, v, &f, &q, &at, err))
            return -1;
        pin_keep(ops, v, &at, sizeof at);
    }
    out->digest = file_key(&f, &at.digest, &at);
    struct http_file *kept = xcalloc(1, sizeof *kept);
    *kept = at;
    answer_keep(ops, v, kept);
    return 0;
}

/* ---- the result ---- */

static int write_file(struct ops *ops, const struct web_file *f, const struct http_file *at,
                      int root_fd, struct err *err)
{
    AUTO_FD int from = -1, to = -1;
    uint64_t size = 0;
    struct timespec time = { .tv_sec = at->has_time ? at->modified_s : 0 };
    mode_t mode = f->perm ? (mode_t)f->perm : PERM_DEFAULT;
    return blob_open(ops->o.store, &at->digest, &from, &size, err) ||
                   fs_open(root_fd, f->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600, &to,
                           err) ||
                   fs_copy_bytes(from, to, size, err) ||
                   node_set_attributes(root_fd, f->name, (uint32_t)f->uid, (uint32_t)f->gid, mode,
                                       err) ||
                   set_time(root_fd, f->name, time, err)
               ? err_wrap(err, "write %s", f->name)
               : 0;
}

static int http_run(struct ops *ops, const struct op_run *run, struct err *err)
{
    AUTO_VALUE(web_file_clear) struct web_file f = { 0 };
    AUTO(work_close) struct work *work = NULL;
    const struct http_file *known = answer_find(ops, run->vertex);
    struct http_file at = { 0 };
    struct snapshot *made = NULL;
    if (read_file(run->vertex, &f, err))
        return -1;
    struct http_wish q = { .cancel = run->cancel, .want = known ? known->digest : f.checksum };
    if (use_source(ops, run->vertex, &f, &q, &at, err) ||
        work_open(ops->o.snapshots, NULL, run->cancel, &work, err) ||
        write_file(ops, &f, known ? known : &at, work_fd(work), err) ||
        work_commit(work, run->cancel, &made, err))
        return -1;
    run->outputs[0] = result_of_snapshot(made);
    return 0;
}

const struct scheme http_scheme = { "http://", http_key, http_run };
const struct scheme https_scheme = { "https://", http_key, http_run };
