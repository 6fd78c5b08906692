/* Tags, repositories and referrers, page by page. */
#include "served.h"

static void put_image(const char *target, const char *mark)
{
    AUTO_FREE char *image = image_text(mark, NULL);
    EXPECT_INT(ask_with("PUT", target, OCI_MANIFEST, span_of(image)), 201);
}

static void put_tags(void)
{
    static const char *const tags[] = { "b", "a", "10", "9", "latest", "A", "_x" };
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++) {
        AUTO_FREE char *target = xasprintf("/v2/lib/app/manifests/%s", tags[i]);
        put_image(target, tags[i]);
    }
}

TEST("tags are listed in lexical order, page by page")
{
    static const struct {
        const char *query, *tags, *link;
    } rows[] = {
        { "", "\"10\",\"9\",\"A\",\"_x\",\"a\",\"b\",\"latest\"", NULL },
        { "?n=3", "\"10\",\"9\",\"A\"", "</v2/lib/app/tags/list?n=3&last=A>; rel=\"next\"" },
        { "?n=3&last=A", "\"_x\",\"a\",\"b\"", "</v2/lib/app/tags/list?n=3&last=b>; rel=\"next\"" },
        { "?n=3&last=b", "\"latest\"", NULL },
        { "?n=7", "\"10\",\"9\",\"A\",\"_x\",\"a\",\"b\",\"latest\"", NULL },
        { "?n=0", "", NULL },
        { "?last=a", "\"b\",\"latest\"", NULL },
        { "?last=zzz", "", NULL },
        { "?last=99", "\"A\",\"_x\",\"a\",\"b\",\"latest\"", NULL }, /* need not be there */
        { "?n=99999999", "\"10\",\"9\",\"A\",\"_x\",\"a\",\"b\",\"latest\"", NULL },
    };
    serve((struct registry_options){ 0 });
    put_tags();
    put_image("/v2/lib/app-more/manifests/other", "o");
    put_image("/v2/lib/app/more/manifests/other", "o");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        AUTO_FREE char *target = xasprintf("/v2/lib/app/tags/list%s", rows[i].query);
        AUTO_FREE char *want = xasprintf("{\"name\":\"lib/app\",\"tags\":[%s]}", rows[i].tags);
        printf("# %s\n", target);
        EXPECT_INT(ask("GET", target), 200);
        EXPECT_STR(answer_text(), want);
        EXPECT_STR(answer_header("link"), rows[i].link);
        EXPECT_STR(answer_header("content-type"), "application/json");
    }
    serve_end();
}

TEST("the registry's own page is a ceiling for n")
{
    serve((struct registry_options){ .limits = { .page = 2 } });
    put_tags();
    EXPECT_INT(ask("GET", "/v2/lib/app/tags/list"), 200);
    EXPECT_STR(answer_text(), "{\"name\":\"lib/app\",\"tags\":[\"10\",\"9\"]}");
    EXPECT_STR(answer_header("link"), "</v2/lib/app/tags/list?n=2&last=9>; rel=\"next\"");
    EXPECT_INT(ask("GET", "/v2/lib/app/tags/list?n=5"), 200);
    EXPECT_STR(answer_header("link"), "</v2/lib/app/tags/list?n=2&last=9>; rel=\"next\"");
    serve_end();
}

TEST("a repository that is not here, one without tags, and an n that is no number")
{
    serve((struct registry_options){ 0 });
    EXPECT_INT(ask("GET", "/v2/absent/tags/list"), 404);
    EXPECT_STR(answer_code(), "NAME_UNKNOWN");
    put_image("/v2/app/manifests/v1", "one");
    EXPECT_INT(ask("DELETE", "/v2/app/manifests/v1"), 202);
    EXPECT_INT(ask("GET", "/v2/app/tags/list"), 200);
    EXPECT_STR(answer_text(), "{\"name\":\"app\",\"tags\":[]}");
    EXPECT_INT(ask("GET", "/v2/app/tags/list?n=-1"), 400);
    EXPECT_STR(answer_code(), "PAGINATION_NUMBER_INVALID");
    EXPECT_INT(ask("GET", "/v2/_catalog?n=x"), 400);
    serve_end();
}

TEST("the catalog names every repository once")
{
    static const struct {
        const char *query, *names, *link;
    } rows[] = {
        { "", "\"a-b\",\"a/b/c\",\"a/b\",\"a\",\"ab\",\"z\"", NULL },
        { "?n=2", "\"a-b\",\"a/b/c\"", "</v2/_catalog?n=2&last=a/b/c>; rel=\"next\"" },
        { "?n=2&last=a/b/c", "\"a/b\",\"a\"", "</v2/_catalog?n=2&last=a>; rel=\"next\"" },
        { "?n=2&last=a", "\"ab\",\"z\"", NULL },
        { "?n=0", "", NULL },
        { "?last=zz", "", NULL },
    };
    serve((struct registry_options){ 0 });
    EXPECT_INT(ask("GET", "/v2/_catalog"), 200);
    EXPECT_STR(answer_text(), "{\"repositories\":[]}");
    static const char *const names[] = { "a", "ab", "a/b", "a-b", "a/b/c", "z" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        AUTO_FREE char *one = xasprintf("/v2/%s/manifests/v1", names[i]);
        AUTO_FREE char *two = xasprintf("/v2/%s/manifests/v2", names[i]);
        put_image(one, "one");
        put_image(two, "two");
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        AUTO_FREE char *target = xasprintf("/v2/_catalog%s", rows[i].query);
        AUTO_FREE char *want = xasprintf("{\"repositories\":[%s]}", rows[i].names);
        EXPECT_INT(ask("GET", target), 200);
        EXPECT_STR(answer_text(), want);
        EXPECT_STR(answer_header("link"), rows[i].link);
    }
    serve_end();
}

/* ---- referrers ---- */

/* Puts a manifest about `subject` into a repository; its digest.  `type` NULL: no artifactType. */
static char *put_referrer(const char *repository, const char *subject, const char *type,
                          const char *note)
{
    AUTO_FREE char *kind = type ? xasprintf(",\"artifactType\":\"%s\"", type) : xstrdup("");
    AUTO_FREE char *more =
        xasprintf("%s,\"subject\":{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
                  "\"digest\":\"%s\",\"size\":7},\"annotations\":{\"note\":\"%s\"}",
                  kind, subject, note);
    AUTO_FREE char *text = image_text("r", more);
    AUTO_FREE char *prefix = xasprintf("/v2/%s/manifests/", repository);
    AUTO_FREE char *target = digest_path(prefix, span_of(text));
    EXPECT_INT(ask_with("PUT", target, OCI_MANIFEST, span_of(text)), 201);
    EXPECT_STR(answer_header("oci-subject"), subject);
    return xstrdup(strstr(target, "sha256:"));
}

static struct json *listed(void)
{
    struct json *body = NULL;
    struct err err = { 0 };
    if (json_parse(buf_span(&served.answer.body), &body, &err))
        return NULL;
    return body;
}

TEST("referrers of a repository are listed, with type and annotations; the subject may be absent")
{
    serve((struct registry_options){ 0 });
    struct digest d = digest_of(SPAN("subject"));
    struct digest_text subject = digest_text(&d);
    AUTO_FREE char *target = xasprintf("/v2/app/referrers/%s", subject.s);
    EXPECT_INT(ask("GET", target), 200);
    EXPECT_STR(answer_header("content-type"), "application/vnd.oci.image.index.v1+json");
    EXPECT_STR(answer_text(), "{\"schemaVersion\":2,\"mediaType\":\"application/"
                              "vnd.oci.image.index.v1+json\",\"manifests\":[]}");
    AUTO_FREE char *sbom = put_referrer("app", subject.s, "application/spdx", "an sbom");
    AUTO_FREE char *other = put_referrer("elsewhere", subject.s, "application/spdx", "not ours");
    AUTO_FREE char *config_typed = put_referrer("app", subject.s, NULL, "typed by its config");
    EXPECT_INT(ask("GET", target), 200);
    EXPECT_STR(answer_header("oci-filters-applied"), NULL);
    AUTO(json_free) struct json *all = listed();
    EXPECT_INT(json_len(json_get(all, "manifests")), 2);
    EXPECT_CONTAINS(answer_text(), sbom);
    EXPECT_CONTAINS(answer_text(), config_typed);

    AUTO_FREE char *filtered = xasprintf("%s?artifactType=application/spdx", target);
    EXPECT_INT(ask("GET", filtered), 200);
    EXPECT_STR(answer_header("oci-filters-applied"), "artifactType");
    AUTO(json_free) struct json *some = listed();
    const struct json *one = json_at(json_get(some, "manifests"), 0);
    EXPECT_INT(json_len(json_get(some, "manifests")), 1);
    EXPECT_STR(json_get_str(one, "digest"), sbom);
    EXPECT_STR(json_get_str(one, "artifactType"), "application/spdx");
    EXPECT_STR(json_get_str(one, "mediaType"), "application/vnd.oci.image.manifest.v1+json");
    EXPECT_STR(json_get_str(json_get(one, "annotations"), "note"), "an sbom");
    EXPECT(json_get_int(one, "size", 0) > 100);

    AUTO_FREE char *by_config = xasprintf("%s?artifactType=application/"
                                          "vnd.oci.image.config.v1%%2Bjson",
                                          target);
    EXPECT_INT(ask("GET", by_config), 200);
    EXPECT_CONTAINS(answer_text(), config_typed);
    AUTO_FREE char *gone = xasprintf("/v2/app/manifests/%s", sbom);
    EXPECT_INT(ask("DELETE", gone), 202);
    EXPECT_INT(ask("GET", filtered), 200);
    EXPECT_CONTAINS(answer_text(), "\"manifests\":[]");
    EXPECT_INT(ask("GET", "/v2/app/referrers/sha256:1"), 400);
    EXPECT_STR(answer_code(), "DIGEST_INVALID");
    serve_end();
}

TEST("referrers that fill more than a page are all found by following the link")
{
    serve((struct registry_options){ 0 });
    struct digest d = digest_of(SPAN("subject"));
    struct digest_text subject = digest_text(&d);
    AUTO_FREE char *note = xmalloc(900001);
    memset(note, 'n', 900000);
    note[900000] = '\0';
    for (char c = 'a'; c < 'a' + 6; c++) {
        note[0] = c;
        AUTO_FREE char *digest = put_referrer("app", subject.s, "x/y+z", note);
        EXPECT(digest);
    }
    AUTO_FREE char *next = xasprintf("/v2/app/referrers/%s?artifactType=x%%2Fy%%2Bz", subject.s);
    size_t n = 0, n_pages = 0;
    while (next && n_pages < 10) {
        EXPECT_INT(ask("GET", next), 200);
        AUTO(json_free) struct json *page = listed();
        n += json_len(json_get(page, "manifests"));
        n_pages++;
        free(next);
        const char *link = answer_header("link");
        next = link ? xstrndup(link + 1, strcspn(link, ">") - 1) : NULL;
    }
    EXPECT_INT(n, 6);
    EXPECT_INT(n_pages, 2);
    serve_end();
}

TAP_MAIN()
