/* Who may: Basic authorization against files that htpasswd made. */
#include <sys/stat.h>
#include <utime.h>

#include "base/codec/text.h"
#include "served.h"

/* htpasswd -nbBC 4 user secret; ... other "pass:with colon" (cost 4) */
#define LINE_USER "user:$2y$04$HqliGU83Hz.2l.u3PQ.FqOS6CMoWOv88JBLUl7ZKpKKJNcyABUbJS\n"
#define LINE_OTHER "other:$2y$04$D4eSZgKcwoV56rz1vM.qdOWW6Wvh.qsemp4hcRo1rWqCJtPNUgVVW\n"

static char *write_passwords(const char *text)
{
    char *path = xasprintf("%s/htpasswd", tap_dir());
    FILE *f = fopen(path, "w");
    if (!f || fputs(text, f) < 0 || fclose(f))
        abort();
    return path;
}

static int ask_as(const char *who, const char *target)
{
    AUTO_VALUE(buf_clear) struct buf b = { 0 };
    buf_init(&b, 4096);
    buf_puts(&b, "Authorization: Basic ");
    base64_print(span_of(who), &b);
    return ask_with("GET", target, b.data, (struct span){ 0 });
}

TEST("who says nothing is asked for Basic authorization, everywhere")
{
    AUTO_FREE char *path = write_passwords(LINE_USER);
    serve((struct registry_options){ .htpasswd = path, .realm = "the \"inner\" one" });
    static const char *const targets[] = { "/v2/", "/v2/_catalog", "/v2/a/blobs/sha256:0", "/x" };
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        EXPECT_INT(ask("GET", targets[i]), 401);
        EXPECT_STR(answer_code(), "UNAUTHORIZED");
        EXPECT_STR(answer_header("www-authenticate"), "Basic realm=\"the \\\"inner\\\" one\"");
        EXPECT_STR(answer_header("docker-distribution-api-version"), "registry/2.0");
    }
    EXPECT_INT(ask("POST", "/v2/a/blobs/uploads/"), 401);
    serve_end();
}

TEST("right passwords are let in, wrong ones and unknown users are not")
{
    AUTO_FREE char *path = write_passwords("# people\n\n" LINE_USER LINE_OTHER);
    serve((struct registry_options){ .htpasswd = path });
    static const struct {
        const char *who;
        int status;
    } rows[] = {
        { "user:secret", 200 },
        { "user:secret", 200 }, /* known by now */
        { "other:pass:with colon", 200 },
        { "user:Secret", 401 },
        { "user:", 401 },
        { "user", 401 },
        { "", 401 },
        { ":secret", 401 },
        { "nobody:secret", 401 },
        { "other:secret", 401 },
        { "user:secret", 200 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        EXPECT_INT(ask_as(rows[i].who, "/v2/"), rows[i].status);
    EXPECT_INT(ask_with("GET", "/v2/", "Authorization: Bearer abc", (struct span){ 0 }), 401);
    EXPECT_INT(ask_with("GET", "/v2/", "Authorization: Basic %%%", (struct span){ 0 }), 401);
    EXPECT_INT(ask_with("GET", "/v2/", "Authorization: Basic", (struct span){ 0 }), 401);
    /* "user:secret\0more" */
    EXPECT_INT(ask_with("GET", "/v2/",
                        "Authorization: Basic dXNlcjpzZWNyZXQAbW9yZQ==", (struct span){ 0 }),
               401);
    serve_end();
}

TEST("a changed file counts at once; one that is spoilt leaves what was")
{
    AUTO_FREE char *path = write_passwords(LINE_USER);
    serve((struct registry_options){ .htpasswd = path });
    EXPECT_INT(ask_as("user:secret", "/v2/"), 200);
    EXPECT_INT(ask_as("other:pass:with colon", "/v2/"), 401);
    free(write_passwords(LINE_OTHER "# user has gone\n"));
    EXPECT_INT(ask_as("user:secret", "/v2/"), 401);
    EXPECT_INT(ask_as("other:pass:with colon", "/v2/"), 200);
    free(write_passwords("spoilt"));
    EXPECT_INT(ask_as("other:pass:with colon", "/v2/"), 200);
    EXPECT_INT(unlink(path), 0);
    EXPECT_INT(ask_as("other:pass:with colon", "/v2/"), 200);
    serve_end();
}

TEST("a line that is no bcrypt is refused at the start, by its number")
{
    static const char *const spoilt[] = { "user:secret\n",
                                          "user:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n", "user\n",
                                          ":$2y$04$x\n", "user:$2y$04$short\n" };
    struct err err = { 0 };
    for (size_t i = 0; i < sizeof spoilt / sizeof spoilt[0]; i++) {
        AUTO_FREE char *text = xasprintf("# first\n%s", spoilt[i]);
        AUTO_FREE char *path = write_passwords(text);
        struct registry_options o = { .htpasswd = path };
        struct registry *r = NULL;
        EXPECT_ERR(registry_start(&o, &r, &err), &err, ERR_INVALID);
        EXPECT_CONTAINS(err.text, "htpasswd:2: this is not user:bcrypt");
        EXPECT_CONTAINS(err.hint, "htpasswd -B");
        EXPECT(!strstr(err.text, "secret"));
    }
    struct registry_options o = { .htpasswd = "/nowhere/htpasswd" };
    struct registry *r = NULL;
    EXPECT_ERR(registry_start(&o, &r, &err), &err, ERR_NOT_FOUND);
}

TAP_MAIN()
