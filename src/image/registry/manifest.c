/* image/registry/manifest.c - manifests, tags and referrers.
 *
 * Spec: distribution-spec "Pulling manifests", "Pushing manifests", "Listing Tags", "Listing
 * Referrers". */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/core/limits.h"
#include "base/core/log.h"
#include "base/core/mem.h"
#include "image/registry/internal.h"

#define PULL "pull"
#define PUSH "pull,push"

enum { PAGES_MAX = 1000, TAGS_MAX = 1000000 };

static char *manifest_path(const struct reference *ref)
{
    char part[DIGEST_TEXT_MAX];
    return xasprintf("manifests/%s", reference_part(ref, part));
}

static void accept_manifests(struct map *headers)
{
    map_set_str(headers, "Accept", MEDIA_ACCEPT_MANIFESTS);
}

/* What the headers say; false when something is missing. */
static bool read_headers(const struct http_response *response, struct descriptor *out)
{
    const char *digest_header = map_find_str(&response->headers, "docker-content-digest");
    const char *type = map_find_str(&response->headers, "content-type");
    const char *length = map_find_str(&response->headers, "content-length");
    struct digest digest;
    struct err bad = { 0 };
    uint64_t size = 0;
    if (!digest_header || !type || !length || digest_parse(span_of(digest_header), &digest, &bad) ||
        !span_u64(span_of(length), LIMIT_MANIFEST, &size) || size == 0)
        return false;
    AUTO_FREE char *plain = xstrndup(type, strcspn(type, "; "));
    if (!media_is_index(plain) && !media_is_manifest(plain))
        return false;
    *out = descriptor_make(plain, &digest, size);
    return true;
}

/* *is_told false: the registry has it, but its HEAD does not say what. */
static int resolve(struct remote *r, const struct reference *ref, bool is_push, bool *is_told,
                   struct descriptor *out, const struct cancel *cancel, struct err *err)
{
    AUTO_FREE char *path = manifest_path(ref);
    AUTO_FREE char *what = xasprintf("resolve %s", strchr(path, '/') + 1);
    AUTO_VALUE(map_clear) struct map headers = STR_MAP;
    accept_manifests(&headers);
    struct call c = { .ref = ref,
                      .method = "HEAD",
                      .path = path,
                      .actions = is_push ? PUSH : PULL,
                      .headers = &headers,
                      .cancel = cancel,
                      .asks_mirrors = !is_push,
                      .what = what };
    AUTO_VALUE(http_response_clear) struct http_response response = { 0 };
    if (call_send(r, &c, &response, err))
        return -1;
    *is_told = response.status == 200 && read_headers(&response, out);
    if (response.status != 200 && response.status != 405)
        return call_fail(r, &c, &response, err);
    return 0;
}

int remote_resolve(struct remote *r, const struct reference *ref, struct descriptor *out,
                   const struct cancel *cancel, struct err *err)
{
    bool is_told = false;
    if (resolve(r, ref, false, &is_told, out, cancel, err))
        return -1;
    if (is_told)
        return 0;
    AUTO_VALUE(buf_clear) struct buf body = { 0 };
    buf_init(&body, LIMIT_MANIFEST);
    return remote_manifest(r, ref, NULL, &body, out, cancel, err);
}

bool remote_has_manifest(struct remote *r, const struct reference *ref, const struct digest *d,
                         const struct cancel *cancel)
{
    AUTO_VALUE(descriptor_clear) struct descriptor there = { 0 };
    struct err ignored = { 0 };
    bool is_told = false;
    return resolve(r, ref, true, &is_told, &there, cancel, &ignored) == 0 && is_told &&
           digest_equal(&there.digest, d);
}

/* Holds the bytes against what was asked for. */
static int check_manifest(const struct call *c, const struct digest *want, struct span bytes,
                          const char *type, struct descriptor *got, struct err *err)
{
    struct digest digest = digest_of(bytes);
    if (want && digest_is_set(want)) {
        AUTO(hasher_free) struct hasher *h = hasher_new(want->algorithm);
        hasher_update(h, bytes);
        digest = hasher_final(h);
        if (!digest_equal(&digest, want))
            return err_set(err, ERR_CORRUPT, "%s: %s/%s gave %s for %s", c->what, c->ref->registry,
                           c->ref->repository, digest_text(&digest).s, digest_text(want).s);
    }
    AUTO_FREE char *plain = type ? xstrndup(type, strcspn(type, "; ")) : NULL;
    const char *known = plain && (media_is_index(plain) || media_is_manifest(plain))
                            ? plain
                            : manifest_sniff(bytes);
    if (!known)
        return err_set(err, ERR_INVALID, "%s: %s/%s gave something that is no manifest (%s)",
                       c->what, c->ref->registry, c->ref->repository, type ? type : "no type");
    *got = descriptor_make(known, &digest, bytes.len);
    return 0;
}

static int fetch_manifest(struct remote *r, struct call *c, const struct digest *want,
                          struct buf *out, struct descriptor *got, struct err *err)
{
    AUTO_VALUE(http_response_clear) struct http_response response = { 0 };
    if (call_send(r, c, &response, err))
        return -1;
    if (response.status != 200)
        return call_fail(r, c, &response, err);
    if (check_manifest(c, want, buf_span(&response.body),
                       map_find_str(&response.headers, "content-type"), got, err) == 0)
        return buf_append(out, buf_span(&response.body), err);
    if (!c->is_from_mirror)
        return -1;
    log_event(LOG_WARN, "registry", "a mirror gave something else error=\"%s\"", err->text);
    err_clear(err);
    c->asks_mirrors = false;
    return fetch_manifest(r, c, want, out, got, err);
}

int remote_manifest(struct remote *r, const struct reference *ref, const struct digest *want,
                    struct buf *out, struct descriptor *got, const struct cancel *cancel,
                    struct err *err)
{
    AUTO_FREE char *path = want && digest_is_set(want)
                               ? xasprintf("manifests/%s", digest_text(want).s)
                               : manifest_path(ref);
    AUTO_FREE char *what = xasprintf("get manifest %s", strchr(path, '/') + 1);
    AUTO_VALUE(map_clear) struct map headers = STR_MAP;
    accept_manifests(&headers);
    struct call c = { .ref = ref,
                      .method = "GET",
                      .path = path,
                      .actions = PULL,
                      .headers = &headers,
                      .ceiling = out->ceiling,
                      .cancel = cancel,
                      .asks_mirrors = true,
                      .what = what };
    return fetch_manifest(r, &c, want && digest_is_set(want) ? want : &ref->digest, out, got, err);
}

int remote_push_manifest(struct remote *r, const struct reference *ref, const char *media_type,
                         struct span bytes, const struct cancel *cancel, struct err *err)
{
    struct digest digest = digest_of(bytes);
    AUTO_FREE char *path = ref->tag ? xasprintf("manifests/%s", ref->tag)
                                    : xasprintf("manifests/%s", digest_text(&digest).s);
    AUTO_FREE char *what = xasprintf("push manifest %s", strchr(path, '/') + 1);
    AUTO_VALUE(map_clear) struct map headers = STR_MAP;
    map_set_str(&headers, "Content-Type", media_type);
    struct call c = { .ref = ref,
                      .method = "PUT",
                      .path = path,
                      .actions = PUSH,
                      .headers = &headers,
                      .body = bytes,
                      .body_size = bytes.len,
                      .cancel = cancel,
                      .what = what };
    AUTO_VALUE(http_response_clear) struct http_response response = { 0 };
    if (call_send(r, &c, &response, err))
        return -1;
    if (response.status != 201 && response.status != 200 && response.status != 202)
        return call_fail(r, &c, &response, err);
    return subject_announce(r, &(struct subject_put){ ref, media_type, bytes }, &response.headers,
                            cancel, err);
}

int remote_delete_manifest(struct remote *r, const struct reference *ref,
                           const struct cancel *cancel, struct err *err)
{
    AUTO_FREE char *path = manifest_path(ref);
    AUTO_FREE char *what = xasprintf("delete manifest %s", strchr(path, '/') + 1);
    struct call c = { .ref = ref,
                      .method = "DELETE",
                      .path = path,
                      .actions = "delete",
                      .cancel = cancel,
                      .what = what };
    AUTO_VALUE(http_response_clear) struct http_response response = { 0 };
    if (call_send(r, &c, &response, err))
        return -1;
    if (response.status != 202 && response.status != 200)
        return call_fail(r, &c, &response, err);
    return 0;
}

/* The URL of `<URL>; rel="next"`; NULL when there is none. */
static char *next_page(struct remote *r, const struct call *c, struct http_response *response,
                       struct err *err)
{
    const char *link = map_find_str(&response->headers, "link");
    const char *open = link ? strchr(link, '<') : NULL, *close = open ? strchr(open, '>') : NULL;
    if (!close || !strstr(close, "next"))
        return NULL;
    AUTO_FREE char *target = xstrndup(open + 1, (size_t)(close - open - 1));
    map_set_str(&response->headers, "location", target);
    char *url = NULL;
    return call_location(r, c, response, &url, err) ? NULL : url;
}

/* Walks a listing page by page. */
static int list_pages(struct remote *r, struct call *c, bool *is_absent,
                      int (*take)(void *arg, const struct json *page, struct err *err), void *arg,
                      struct err *err)
{
    AUTO_FREE char *next = NULL;
    for (int n_pages = 0; n_pages < PAGES_MAX; n_pages++) {
        AUTO_VALUE(http_response_clear) struct http_response response = { 0 };
        if (call_send(r, c, &response, err))
            return -1;
        if (response.status == 404 && is_absent) {
            *is_absent = true;
            return 0;
        }
        if (response.status != 200)
            return call_fail(r, c, &response, err);
        AUTO(json_free) struct json *page = NULL;
        if (json_parse(buf_span(&response.body), &page, err) || take(arg, page, err))
            return err_wrap(err, "%s: %s/%s", c->what, c->ref->registry, c->ref->repository);
        free(next);
        next = next_page(r, c, &response, err);
        if (!next && err->kind)
            return -1;
        if (!next)
            return 0;
        c->url = next;
    }
    return err_set(err, ERR_LIMIT, "%s: %s/%s has more than %d pages of them", c->what,
                   c->ref->registry, c->ref->repository, PAGES_MAX);
}

static int take_tags(void *arg, const struct json *page, struct err *err)
{
    const struct json *tags = json_get(page, "tags");
    struct str_list *out = arg;
    if (out->n + json_len(tags) > TAGS_MAX)
        return err_set(err, ERR_LIMIT, "more than %d tags", TAGS_MAX);
    if (json_type(tags) != JSON_NULL && !json_to_list(tags, out))
        return err_set(err, ERR_INVALID, "the list of tags is no list of texts");
    return 0;
}

int remote_tags(struct remote *r, const struct reference *ref, struct str_list *out,
                const struct cancel *cancel, struct err *err)
{
    struct call c = { .ref = ref,
                      .method = "GET",
                      .path = "tags/list?n=1000",
                      .actions = PULL,
                      .ceiling = LIMIT_JSON,
                      .cancel = cancel,
                      .what = "list the tags" };
    return list_pages(r, &c, NULL, take_tags, out, err);
}

struct referrers {
    struct descriptors *out;
    const char *artifact_type; /* NULL or "": all */
};

static int take_referrers(void *arg, const struct json *page, struct err *err)
{
    struct referrers *want = arg;
    const struct json *list = json_get(page, "manifests");
    for (size_t i = 0; i < json_len(list); i++) {
        AUTO_VALUE(descriptor_clear) struct descriptor d = { 0 };
        if (want->out->n >= LIMIT_INDEX_ENTRIES)
            return err_set(err, ERR_LIMIT, "more than %d referrers", LIMIT_INDEX_ENTRIES);
        if (descriptor_read(json_at(list, i), &d, err))
            return -1;
        if (want->artifact_type && *want->artifact_type &&
            (!d.artifact_type || strcmp(d.artifact_type, want->artifact_type) != 0))
            continue;
        *vec_push(want->out) = d;
        d = (struct descriptor){ 0 };
    }
    return 0;
}

int remote_referrers(struct remote *r, const struct reference *ref, const struct digest *subject,
                     const char *artifact_type, struct descriptors *out,
                     const struct cancel *cancel, struct err *err)
{
    AUTO_FREE char *path = xasprintf("referrers/%s", digest_text(subject).s);
    AUTO_VALUE(map_clear) struct map headers = STR_MAP;
    accept_manifests(&headers);
    struct call c = { .ref = ref,
                      .method = "GET",
                      .path = path,
                      .actions = PULL,
                      .headers = &headers,
                      .ceiling = LIMIT_MANIFEST,
                      .cancel = cancel,
                      .what = "list the referrers" };
    struct referrers want = { .out = out, .artifact_type = artifact_type };
    bool is_absent = false;
    if (list_pages(r, &c, &is_absent, take_referrers, &want, err) || !is_absent)
        return err->kind ? -1 : 0;
    /* The tag schema: an index tagged sha256-HEX. */
    AUTO_FREE char *tag_path = xasprintf(
        "manifests/%s-%s", digest_algorithm_name(subject->algorithm), digest_hex(subject).s);
    c.path = tag_path;
    c.url = NULL;
    return list_pages(r, &c, &is_absent, take_referrers, &want, err);
}
