/* Who we are at a registry: Basic, bearer tokens of a token server, login and logout. */
#include "script.h"

#include <sys/stat.h>

#define AT_TAG "/v2/lib/app/manifests/v1"
#define FOUND                                                                                      \
    .status = 200,                                                                                 \
    .headers =                                                                                     \
        "Content-Type: " MEDIA_OCI_MANIFEST "\r\nDocker-Content-Digest: " HELLO_DIGEST "\r\n",     \
    .body = "{}"
#define WITH_BASIC "\r\nauthorization: basic " SECRET_BASIC
#define WITH_TOKEN "\r\nauthorization: bearer " TOKEN
#define ASKS_BASIC .status = 401, .headers = "WWW-Authenticate: Basic realm=\"all, of=it\"\r\n"
#define ASKS_TOKEN .status = 401, .headers = challenge

/* Of the registry as its own token server; filled in once its port is known. */
static char challenge[256];

static void name_token_server(void)
{
    snprintf(challenge, sizeof challenge,
             "WWW-Authenticate: Bearer realm=\"http://127.0.0.1:%u/token?fixed=1\",service=\"the "
             "registry\",scope=\"repository:lib/app:pull\"\r\n",
             script.raw->port);
}

static int resolve(void)
{
    AUTO_VALUE(descriptor_clear) struct descriptor d = { 0 };
    return remote_resolve(remote, &ref, &d, NULL, &err);
}

#define TOKEN_TARGET "/token?fixed=1&service=the%20registry&scope=repository%3Alib%2Fapp%3Apull"

TEST("Basic credentials are sent once they are asked for, and at once from then on")
{
    static const struct rule rules[] = {
        { "HEAD " AT_TAG, .needs = WITH_BASIC, FOUND },
        { "HEAD " AT_TAG, ASKS_BASIC },
    };
    setup(rules);
    log_in();
    EXPECT_OK(resolve(), &err);
    EXPECT_OK(resolve(), &err);
    expect_requests("HEAD " AT_TAG "\nHEAD " AT_TAG " +auth\nHEAD " AT_TAG " +auth\n");
    teardown();
}

TEST("credentials that are refused are told by their user and file")
{
    static const struct rule rules[] = { { "HEAD " AT_TAG, .status = 401,
                                           .headers = "WWW-Authenticate: Basic realm=\"x\"\r\n" } };
    setup(rules);
    log_in();
    EXPECT_FAILS(resolve(), ERR_DENIED, "resolve v1: HOST/lib/app answers 401, not authorized",
                 "the credentials of user me from DIR/auth.json were used; kiln login HOST takes"
                 " others");
    teardown();
}

TEST("Basic without credentials")
{
    static const struct rule rules[] = { { "HEAD " AT_TAG, ASKS_BASIC } };
    setup(rules);
    EXPECT_FAILS(resolve(), ERR_DENIED, "resolve v1: HOST/lib/app answers 401, not authorized",
                 "no credentials for HOST in DIR/auth.json; kiln login HOST stores them");
    expect_requests("HEAD " AT_TAG "\n");
    teardown();
}

TEST("a token is got without credentials where there are none")
{
    static const struct rule rules[] = {
        { "HEAD " AT_TAG, .needs = WITH_TOKEN, FOUND },
        { "HEAD " AT_TAG, ASKS_TOKEN },
        { "GET /token?", .status = 200, .body = "{\"token\":\"" TOKEN "\",\"expires_in\":300}" },
    };
    setup(rules);
    name_token_server();
    EXPECT_OK(resolve(), &err);
    EXPECT_OK(resolve(), &err);
    expect_requests("HEAD " AT_TAG "\nGET " TOKEN_TARGET "\nHEAD " AT_TAG " +auth\nHEAD " AT_TAG
                    " +auth\n");
    teardown();
}

TEST("a token is got with credentials; they go to the token server alone")
{
    static const struct rule rules[] = {
        { "HEAD " AT_TAG, .needs = WITH_TOKEN, FOUND },
        { "HEAD " AT_TAG, .needs = "authorization: basic", .status = 500 },
        { "HEAD " AT_TAG, ASKS_TOKEN },
        { "GET /token?", .needs = WITH_BASIC, .status = 200,
          .body = "{\"access_token\":\"" TOKEN "\"}" },
    };
    setup(rules);
    log_in();
    name_token_server();
    EXPECT_OK(resolve(), &err);
    expect_requests("HEAD " AT_TAG "\nGET " TOKEN_TARGET "&account=me +auth\nHEAD " AT_TAG
                    " +auth\n");
    teardown();
}

TEST("of two challenges the token is taken")
{
    static const struct rule rules[] = {
        { "HEAD " AT_TAG, .needs = WITH_TOKEN, FOUND },
        { "HEAD " AT_TAG, .status = 401, .headers = challenge },
        { "GET /token", .status = 200, .body = "{\"token\":\"" TOKEN "\"}" },
    };
    setup(rules);
    snprintf(
        challenge, sizeof challenge,
        "WWW-Authenticate: Basic realm=\"a, Bearer b\", bearer realm=http://127.0.0.1:%u/token,"
        " service=s\r\n",
        script.raw->port);
    EXPECT_OK(resolve(), &err);
    teardown();
}

TEST("a token that is refused is replaced once")
{
    static const struct rule rules[] = {
        { "HEAD " AT_TAG, .needs = "authorization: bearer second", FOUND },
        { "HEAD " AT_TAG, .needs = WITH_TOKEN, .n = 1, FOUND },
        { "HEAD " AT_TAG, ASKS_TOKEN },
        { "GET /token", .n = 1, .status = 200, .body = "{\"token\":\"" TOKEN "\"}" },
        { "GET /token", .n = 1, .status = 200, .body = "{\"token\":\"second\"}" },
    };
    setup(rules);
    name_token_server();
    EXPECT_OK(resolve(), &err);
    EXPECT_OK(resolve(), &err); /* 401, a new token, again */
    EXPECT_INT(count_requests("GET /token"), 2);
    EXPECT_INT(count_requests("HEAD " AT_TAG), 4);
    teardown();
}

TEST("tokens are got for what is done: pushing, and mounting from another repository")
{
    static const struct rule rules[] = {
        { "HEAD /v2/lib/app/blobs", .needs = WITH_TOKEN, .status = 404 },
        { "POST /v2/lib/app/blobs", .needs = WITH_TOKEN, .status = 201 },
        { "HEAD ", ASKS_TOKEN },
        { "POST ", ASKS_TOKEN },
        { "GET /token", .status = 200, .body = "{\"token\":\"" TOKEN "\"}" },
    };
    setup(rules);
    name_token_server();
    AUTO_VALUE(descriptor_clear) struct descriptor blob = hello_blob();
    EXPECT_OK(remote_push_blob(remote, &ref, &blob, "lib/base", store, NULL, NULL, &err), &err);
    AUTO_FREE char *got = requests();
    EXPECT_CONTAINS(got, "&scope=repository%3Alib%2Fapp%3Apull%2Cpush\n");
    EXPECT_CONTAINS(got, "&scope=repository%3Alib%2Fapp%3Apull%2Cpush"
                         "&scope=repository%3Alib%2Fbase%3Apull\n");
    EXPECT_INT(count_requests("POST"), 1); /* the second scope costs no refusal */
    teardown();
}

TEST("an identity token is exchanged by POST, in the body")
{
    static const struct rule rules[] = {
        { "HEAD " AT_TAG, .needs = WITH_TOKEN, FOUND },
        { "HEAD " AT_TAG, ASKS_TOKEN },
        { "POST /token?fixed=1", .needs = "content-type: application/x-www-form-urlencoded",
          .status = 200, .body = "{\"access_token\":\"" TOKEN "\"}" },
    };
    setup(rules);
    name_token_server();
    AUTO_FREE char *name = registry_name();
    AUTO_FREE char *text =
        xasprintf("{\"auths\":{\"%s\":{\"identitytoken\":\"" IDENTITY "\"}}}", name);
    free(write_text("auth.json", text));
    EXPECT_OK(resolve(), &err);
    EXPECT_STR(script.last_body, "service=the%20registry&scope=repository%3Alib%2Fapp%3Apull&grant_"
                                 "type=refresh_token&client_id=kiln&refresh_token=" IDENTITY);
    EXPECT_INT(count_requests("POST /token?fixed=1\n"), 0);
    expect_requests("HEAD " AT_TAG "\nPOST /token?fixed=1\nHEAD " AT_TAG " +auth\n");
    teardown();
}

TEST("a token server that refuses, with credentials and without")
{
    static const struct rule rules[] = {
        { "HEAD " AT_TAG, ASKS_TOKEN },
        { "GET /token", .status = 401, .body = "{\"details\":\"" TOKEN "\"}" },
    };
    setup(rules);
    name_token_server();
    EXPECT_FAILS(resolve(), ERR_DENIED, "resolve v1: HOST gives no token to strangers (status 401)",
                 "kiln login HOST");
    log_in();
    close_client();
    open_client((struct remote_options){ 0 });
    EXPECT_FAILS(resolve(), ERR_DENIED,
                 "resolve v1: HOST refuses the credentials of user me from DIR/auth.json (status"
                 " 401)",
                 "kiln login HOST");
    teardown();
}

TEST("a token that does not open anything")
{
    static const struct rule rules[] = {
        { "HEAD " AT_TAG, ASKS_TOKEN },
        { "GET /token", .status = 200, .body = "{\"token\":\"" TOKEN "\"}" },
    };
    setup(rules);
    log_in();
    name_token_server();
    EXPECT_FAILS(resolve(), ERR_DENIED, "resolve v1: HOST/lib/app answers 401, not authorized",
                 "the credentials of user me from DIR/auth.json were used; kiln login HOST takes"
                 " others");
    teardown();
}

TEST("token servers that answer nonsense or fail")
{
    static const struct {
        int status;
        const char *body;
        enum err_kind kind;
        const char *text;
    } rows[] = {
        { 200, "no json " TOKEN, ERR_INVALID,
          "resolve v1: get a token for HOST: the token server's answer is no JSON" },
        { 200, "{\"tokens\":\"" TOKEN "\"}", ERR_INVALID,
          "resolve v1: get a token for HOST: the token server's answer holds no token" },
        { 200, "[]", ERR_INVALID,
          "resolve v1: get a token for HOST: the token server's answer holds no token" },
        { 200, "{\"token\":\"a\\r\\nX-Evil: 1\"}", ERR_INVALID,
          "resolve v1: get a token for HOST: the token server's answer holds no token" },
        { 404, "", ERR_DENIED, "resolve v1: get a token for HOST: the token server answers 404" },
        { 500, "", ERR_NETWORK, "resolve v1: get a token for HOST: the token server answers 500" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rule rules[] = {
            { "HEAD " AT_TAG, .needs = "authorization: bearer", FOUND },
            { "HEAD " AT_TAG, ASKS_TOKEN },
            { "GET /token", .status = rows[i].status, .body = rows[i].body },
        };
        setup(rules);
        log_in();
        name_token_server();
        EXPECT_FAILS(resolve(), rows[i].kind, rows[i].text, "");
        EXPECT_INT(count_requests("GET /token"), rows[i].status == 500 ? 2 : 1);
        teardown();
    }
}

TEST("a token server that cannot be reached is told without the question's values")
{
    static const struct rule rules[] = { { "HEAD " AT_TAG, ASKS_TOKEN } };
    setup(rules);
    log_in();
    snprintf(challenge, sizeof challenge,
             "WWW-Authenticate: Bearer realm=\"http://127.0.0.1:1/t\",service=\"s\"\r\n");
    EXPECT(resolve() != 0);
    EXPECT_CONTAINS(err.text, "127.0.0.1:1");
    EXPECT_CONTAINS(err.text, "get a token for 127.0.0.1:");
    expect_error(ERR_NETWORK, NULL, NULL);
    teardown();
}

TEST("challenges that cannot be followed")
{
    static const struct {
        const char *header, *text;
        enum err_kind kind;
    } rows[] = {
        { "WWW-Authenticate: Bearer service=\"s\"\r\n",
          "resolve v1: get a token for HOST: the challenge names no server: Bearer service=\"s\"",
          ERR_INVALID },
        { "WWW-Authenticate: Digest realm=\"x\"\r\n",
          "resolve v1: HOST asks for authorization of a kind not known here: Digest realm=\"x\"",
          ERR_UNSUPPORTED },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rule rules[] = { { "HEAD ", .status = 401, .headers = rows[i].header } };
        setup(rules);
        EXPECT_FAILS(resolve(), rows[i].kind, rows[i].text, "");
        teardown();
    }
}

static void *resolve_once(void *arg)
{
    (void)arg;
    struct err own = { 0 };
    AUTO_VALUE(descriptor_clear) struct descriptor d = { 0 };
    return remote_resolve(remote, &ref, &d, NULL, &own) == 0 ? remote : NULL;
}

TEST("many threads share one token")
{
    static const struct rule rules[] = {
        { "HEAD " AT_TAG, .needs = WITH_TOKEN, FOUND },
        { "HEAD " AT_TAG, ASKS_TOKEN },
        { "GET /token", .status = 200, .body = "{\"token\":\"" TOKEN "\"}" },
    };
    enum { N = 12 };
    pthread_t threads[N];
    setup(rules);
    name_token_server();
    for (int i = 0; i < N; i++)
        if (pthread_create(&threads[i], NULL, resolve_once, NULL))
            abort();
    for (int i = 0; i < N; i++) {
        void *is_good = NULL;
        pthread_join(threads[i], &is_good);
        EXPECT(is_good);
    }
    EXPECT_INT(count_requests("GET /token"), 1);
    teardown();
}

/* ---- login and logout ---- */

static const struct rule login_rules[] = {
    { "GET /v2/", .needs = WITH_BASIC, .status = 200 },
    { "GET /v2/", .status = 401, .headers = "WWW-Authenticate: Basic realm=\"x\"\r\n" },
};

static char *auth_file(void)
{
    AUTO_FREE char *path = in_dir("auth.json");
    return read_text(path);
}

TEST("login keeps what is right, for the owner alone; logout forgets it")
{
    setup(login_rules);
    AUTO_FREE char *name = registry_name();
    AUTO_FREE char *path = in_dir("auth.json");
    AUTO_FREE char *want = xasprintf("{\n  \"auths\": {\n    \"other.example\": {\n      \"auth\": "
                                     "\"YTpi\"\n    },\n    \"%s\": {\n      \"auth\": \"%s\"\n    "
                                     "}\n  }\n}\n",
                                     name, SECRET_BASIC);
    free(write_text("auth.json", "{\"auths\":{\"other.example\":{\"auth\":\"YTpi\"}}}"));
    EXPECT_OK(remote_login(remote, name, USER, SECRET, &err), &err);
    AUTO_FREE char *got = auth_file();
    EXPECT_STR(got, want);
    struct stat st;
    EXPECT_INT(stat(path, &st), 0);
    EXPECT_INT(st.st_mode & 0777, 0600);
    bool was_there = false;
    EXPECT_OK(remote_logout(remote, name, &was_there, &err), &err);
    EXPECT(was_there);
    AUTO_FREE char *after = auth_file();
    EXPECT(!strstr(after, name));
    EXPECT_CONTAINS(after, "other.example");
    EXPECT_OK(remote_logout(remote, name, &was_there, &err), &err);
    EXPECT(!was_there);
    teardown();
}

TEST("a login that is refused leaves what was there")
{
    setup(login_rules);
    AUTO_FREE char *name = registry_name();
    EXPECT_FAILS(remote_login(remote, name, USER, "wrong", &err), ERR_DENIED,
                 "log in: HOST answers 401, not authorized",
                 "check user and password; some registries want a token as the password");
    AUTO_FREE char *fresh = auth_file();
    EXPECT(!strstr(fresh, name));
    log_in();
    EXPECT(remote_login(remote, name, "other", "wrong", &err) != 0);
    expect_error(ERR_DENIED, NULL, NULL);
    AUTO_FREE char *after = auth_file();
    EXPECT_CONTAINS(after, SECRET_BASIC);
    teardown();
}

TAP_MAIN()
