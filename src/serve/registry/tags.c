/* serve/registry/tags.c - listings page by page: the tags of a repository, the repositories.
 *
 * Spec: distribution-spec "Listing Tags"; distribution "Listing Repositories" (_catalog). */
#include <stdlib.h>
#include <string.h>

#include "base/codec/text.h"
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "image/store/name.h"
#include "serve/registry/internal.h"

struct page {
    unsigned n;       /* entries at most */
    const char *last; /* begin after this one; NULL: from the start */
};

static int read_page(struct request *q, struct page *page, struct err *err)
{
    const char *n = exchange_query(q->x, "n");
    uint64_t wanted = q->registry->o.limits.page;
    page->last = exchange_query(q->x, "last");
    if (n && !span_u64(span_of(n), UINT32_MAX, &wanted)) {
        q->about = ABOUT_PAGE;
        return err_set(err, ERR_INVALID, "n=%.40s is no number of entries", n);
    }
    if (wanted > q->registry->o.limits.page)
        wanted = q->registry->o.limits.page;
    page->n = (unsigned)wanted;
    return 0;
}

static void link_next(struct request *q, const char *path, const struct page *page,
                      const char *last)
{
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    buf_init(&text, LIMIT_URL);
    percent_encode(span_of(last), "/", &text);
    set_header(q, "Link", "<%s?n=%u&last=%s>; rel=\"next\"", path, page->n, text.data);
}

/* A repository without tags is one as long as it has manifests. */
static int check_repository(struct request *q, struct err *err)
{
    AUTO_VALUE(names_clear) struct names any = { 0 };
    const char *const separators[] = { ":", "@" };
    for (size_t i = 0; i < 2 && any.n == 0; i++) {
        AUTO_FREE char *prefix = xasprintf("%s%s", q->route.repository, separators[i]);
        if (name_list(q->store, NAME_SERVED, prefix, NULL, 1, &any, err))
            return -1;
    }
    q->about = ABOUT_NAME;
    return any.n ? 0
                 : err_set(err, ERR_NOT_FOUND, "there is no repository %s", q->route.repository);
}

int tags_get(struct request *q, struct err *err)
{
    const char *repository = q->route.repository;
    AUTO_VALUE(names_clear) struct names names = { 0 };
    AUTO_FREE char *prefix = xasprintf("%s:", repository);
    struct page page;
    if (check_repository(q, err) || read_page(q, &page, err))
        return -1;
    AUTO_FREE char *after = page.last ? xasprintf("%s:%s", repository, page.last) : NULL;
    q->about = ABOUT_STORE;
    if (page.n && name_list(q->store, NAME_SERVED, prefix, after, page.n + 1UL, &names, err))
        return -1;
    AUTO(json_free) struct json *body = json_new_object();
    struct json *tags = json_new_array();
    json_set_str(body, "name", repository);
    json_set(body, "tags", tags);
    for (size_t i = 0; i < names.n && i < page.n; i++)
        json_push(tags, json_new_str(names.items[i].name + strlen(prefix)));
    if (names.n > page.n) {
        AUTO_FREE char *path = xasprintf("/v2/%s/tags/list", repository);
        link_next(q, path, &page, names.items[page.n - 1].name + strlen(prefix));
    }
    reply_json(q, 200, body);
    return 0;
}

/* The first repository after `last`.  Names of one repository stand together, since ':' and '@'
 * have between them no character that a repository may contain; so one look behind
 * "REPOSITORY@\x7f" finds the next.  Their order is that of the names: "a-b", "a/b", "a", "ab".
 * NULL: there is none. */
static int next_repository(struct request *q, const char *last, char **out, struct err *err)
{
    AUTO_VALUE(names_clear) struct names found = { 0 };
    AUTO_FREE char *after = last ? xasprintf("%s@\x7f", last) : NULL;
    *out = NULL;
    if (name_list(q->store, NAME_SERVED, "", after, 1, &found, err))
        return -1;
    if (found.n)
        *out = xstrndup(found.items[0].name, strcspn(found.items[0].name, ":@"));
    return 0;
}

int catalog_get(struct request *q, struct err *err)
{
    AUTO(json_free) struct json *body = json_new_object();
    struct json *list = json_new_array();
    AUTO_FREE char *last = NULL;
    struct page page;
    json_set(body, "repositories", list);
    if (read_page(q, &page, err))
        return -1;
    last = xstrdup_or_null(page.last);
    for (unsigned i = 0; page.n; i++) {
        AUTO_FREE char *repository = NULL;
        if (next_repository(q, last, &repository, err))
            return -1;
        if (!repository)
            break;
        if (i == page.n) {
            link_next(q, "/v2/_catalog", &page, last);
            break;
        }
        json_push(list, json_new_str(repository));
        free(last);
        last = STEAL(repository);
    }
    reply_json(q, 200, body);
    return 0;
}
