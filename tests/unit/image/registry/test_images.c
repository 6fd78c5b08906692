/* Whole images to Debian's docker-registry and back, with skopeo as witness. */
#include "cutter.h"
#include "witness.h"

#include <sys/stat.h>

#include "base/codec/json.h"
#include "base/net/http_server.h"

#define NEEDS_WITNESS(http, more)                                                                  \
    do {                                                                                           \
        if (!witness_start(http, more)) {                                                          \
            witness_stop();                                                                        \
            SKIP("needs docker-registry");                                                         \
        }                                                                                          \
    } while (0)

static void end(void)
{
    teardown();
    witness_stop();
}

static void expect_skopeo_sees(const char *more, const struct digest *want)
{
    if (access("/usr/bin/skopeo", X_OK) != 0)
        return;
    AUTO_FREE char *command =
        xasprintf("/usr/bin/skopeo inspect --tls-verify=false %s --raw docker://%s/%s:%s |"
                  " sha256sum | cut -d' ' -f1",
                  more, ref.registry, ref.repository, ref.tag);
    AUTO_FREE char *got = output_of(command);
    EXPECT_STR(got, digest_hex(want).s);
}

TEST("an image goes there and comes back the same; what is there is not sent twice")
{
    NEEDS_WITNESS("", "");
    begin((struct remote_options){ 0 });
    refer("lib/app:v1");
    AUTO_VALUE(descriptor_clear) struct descriptor image = make_image("one");
    EXPECT_OK(push_image(&image), &err);
    expect_skopeo_sees("", &image.digest);
    AUTO_VALUE(descriptor_clear) struct descriptor resolved = { 0 }, out = { 0 }, same = { 0 };
    EXPECT_OK(remote_resolve(remote, &ref, &resolved, NULL, &err), &err);
    EXPECT(digest_equal(&resolved.digest, &image.digest));
    EXPECT_INT(resolved.size, image.size);
    struct digest base = digest_of(SPAN("the base of all"));
    bool is_there = false;
    EXPECT_OK(remote_has_blob(remote, &ref, &base, &is_there, NULL, &err), &err);
    EXPECT(is_there);
    other_store();
    EXPECT_OK(pull_image(NULL, false, &out, &same), &err);
    EXPECT(digest_equal(&out.digest, &image.digest));
    EXPECT(digest_equal(&same.digest, &image.digest));
    bool is_whole = false;
    EXPECT_OK(object_touch(store, digest_text(&image.digest).s, &is_whole, &err), &err);
    EXPECT(is_whole);
    end();
}

TEST("an index goes with all its images; one platform of it, or the manifests alone, come back")
{
    NEEDS_WITNESS("", "");
    begin((struct remote_options){ 0 });
    refer("lib/app:all");
    AUTO_VALUE(descriptor_clear) struct descriptor index = make_index("many");
    EXPECT_OK(push_image(&index), &err);
    expect_skopeo_sees("", &index.digest);
    AUTO_VALUE(descriptor_clear) struct descriptor out = { 0 }, image = { 0 };
    struct platform arm = { 0 }, s390 = { 0 };
    EXPECT_OK(platform_parse(SPAN("linux/arm64"), &arm, &err), &err);
    EXPECT_OK(platform_parse(SPAN("linux/s390x"), &s390, &err), &err);
    struct digest first = digest_of(SPAN("layer of many-0")),
                  second = digest_of(SPAN("layer of many-1"));
    bool is_there = false;
    other_store();
    EXPECT_OK(pull_image(&arm, true, &out, &image), &err);
    EXPECT(digest_equal(&out.digest, &index.digest));
    EXPECT(!digest_equal(&image.digest, &index.digest));
    EXPECT_OK(blob_find(store, &second, &is_there, NULL, &err), &err);
    EXPECT(!is_there); /* lazy */
    descriptor_clear(&out);
    descriptor_clear(&image);
    EXPECT_OK(pull_image(&arm, false, &out, &image), &err);
    EXPECT_OK(blob_find(store, &second, &is_there, NULL, &err), &err);
    EXPECT(is_there);
    EXPECT_OK(blob_find(store, &first, &is_there, NULL, &err), &err);
    EXPECT(!is_there); /* the other platform's */
    descriptor_clear(&out);
    EXPECT_OK(pull_image(NULL, false, &out, NULL), &err);
    EXPECT_OK(blob_find(store, &first, &is_there, NULL, &err), &err);
    EXPECT(is_there);
    descriptor_clear(&out);
    EXPECT(pull_image(&s390, false, &out, NULL) != 0);
    EXPECT_INT(err.kind, ERR_NOT_FOUND);
    EXPECT_CONTAINS(err.text, "there is linux/amd64, linux/arm64");
    err_clear(&err);
    end();
}

TEST("what skopeo put there in Docker's format is pulled")
{
    NEEDS_WITNESS("", "");
    if (access("/usr/bin/skopeo", X_OK) != 0) {
        witness_stop();
        SKIP("needs skopeo");
    }
    begin((struct remote_options){ 0 });
    refer("lib/app:oci");
    AUTO_VALUE(descriptor_clear) struct descriptor image = make_image("docker"), out = { 0 };
    EXPECT_OK(push_image(&image), &err);
    AUTO_FREE char *command =
        xasprintf("/usr/bin/skopeo copy -q --insecure-policy --src-tls-verify=false"
                  " --dest-tls-verify=false --format v2s2 docker://%s/lib/app:oci"
                  " docker://%s/lib/app:docker 2>&1",
                  witness.name, witness.name);
    AUTO_FREE char *said = output_of(command);
    if (!said) /* skopeo wants real layers for this; the manifest is what matters here */
        printf("# skopeo does not convert\n");
    refer(said ? "lib/app:docker" : "lib/app:oci");
    other_store();
    EXPECT_OK(pull_image(NULL, false, &out, NULL), &err);
    EXPECT_STR(out.media_type, said ? MEDIA_DOCKER_MANIFEST : MEDIA_OCI_MANIFEST);
    end();
}

TEST("layers are mounted from a repository that has them")
{
    NEEDS_WITNESS("", "");
    begin((struct remote_options){ 0 });
    refer("lib/base:v1");
    AUTO_VALUE(descriptor_clear) struct descriptor image = make_image("mounted");
    EXPECT_OK(push_image(&image), &err);
    struct digest base = digest_of(SPAN("the base of all"));
    AUTO_VALUE(descriptor_clear)
    struct descriptor blob = descriptor_make(MEDIA_OCI_LAYER, &base, strlen("the base of all"));
    refer("other/app:v1");
    other_store(); /* it has nothing to send */
    bool was_there = false;
    EXPECT_OK(remote_push_blob(remote, &ref, &blob, "lib/base", store, &was_there, NULL, &err),
              &err);
    EXPECT(was_there);
    refer("third/app:v1");
    EXPECT_ERR(remote_push_blob(remote, &ref, &blob, "not/there", store, &was_there, NULL, &err),
               &err, ERR_NOT_FOUND);
    err_clear(&err);
    end();
}

TEST("tags and deletion")
{
    NEEDS_WITNESS("", "");
    begin((struct remote_options){ 0 });
    AUTO_VALUE(descriptor_clear) struct descriptor image = make_image("tagged");
    static const char *const names[] = { "lib/app:b", "lib/app:a", "lib/app:c" };
    for (int i = 0; i < 3; i++) {
        refer(names[i]);
        EXPECT_OK(push_image(&image), &err);
    }
    AUTO_VALUE(str_list_clear) struct str_list tags = { 0 };
    EXPECT_OK(remote_tags(remote, &ref, &tags, NULL, &err), &err);
    EXPECT_INT(tags.n, 3);
    EXPECT(str_list_has(&tags, "a") && str_list_has(&tags, "b") && str_list_has(&tags, "c"));
    AUTO_FREE char *by_digest = xasprintf("lib/app@%s", digest_text(&image.digest).s);
    AUTO_VALUE(descriptor_clear) struct descriptor gone = { 0 };
    refer(by_digest);
    EXPECT_OK(remote_delete_manifest(remote, &ref, NULL, &err), &err);
    EXPECT_ERR(remote_resolve(remote, &ref, &gone, NULL, &err), &err, ERR_NOT_FOUND);
    err_clear(&err);
    end();
}

TEST("htpasswd: login, push and pull; without, and with a wrong password, neither")
{
    AUTO_FREE char *command =
        xasprintf("htpasswd -nbBC 4 " USER " " SECRET " >%s/htpasswd 2>/dev/null", tap_dir());
    if (system(command) != 0)
        SKIP("needs htpasswd");
    NEEDS_WITNESS("", "auth:\n  htpasswd:\n    realm: the realm\n    path: DIR/htpasswd\n");
    begin((struct remote_options){ 0 });
    refer("lib/app:v1");
    AUTO_VALUE(descriptor_clear) struct descriptor image = make_image("secret"), out = { 0 };
    EXPECT(push_image(&image) != 0);
    EXPECT_CONTAINS(err.hint, "no credentials for ");
    EXPECT_INT(err.kind, ERR_DENIED);
    EXPECT(remote_login(remote, witness.name, USER, "wrong", &err) != 0);
    EXPECT_INT(err.kind, ERR_DENIED);
    err_clear(&err);
    close_client();
    open_client((struct remote_options){ 0 });
    EXPECT_OK(remote_login(remote, witness.name, USER, SECRET, &err), &err);
    EXPECT_OK(push_image(&image), &err);
    expect_skopeo_sees("--creds " USER ":" SECRET, &image.digest);
    other_store();
    EXPECT_OK(pull_image(NULL, false, &out, NULL), &err);
    end();
}

/* ---- a token server ---- */

static struct {
    struct http_server *server;
    pthread_mutex_t lock;
    int n_tokens, n_refused;
} tokens = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* "repository:lib/app:pull,push" as an entry of the claim `access`. */
static struct json *access_of(const char *scope)
{
    struct json *list = json_new_array();
    struct span rest = span_of(scope), type = span_cut(&rest, ':'), name = span_cut(&rest, ':');
    if (!name.len)
        return list;
    struct json *one = json_new_object();
    json_set(one, "type", json_new_strn(type));
    json_set(one, "name", json_new_strn(name));
    json_set(one, "actions", json_new_array());
    while (rest.ptr && rest.len)
        json_push(json_get(one, "actions"), json_new_strn(span_cut(&rest, ',')));
    json_push(list, one);
    return list;
}

/* Signed by a script: two files in, the token out. */
static char *sign(const struct json *claims)
{
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    buf_init(&text, LIMIT_JSON);
    json_print(claims, &text);
    free(write_text("claims", text.data));
    AUTO_FREE char *command =
        xasprintf("cd %s; b() { base64 -w0 | tr +/ -_ | tr -d =; };"
                  "c=$(grep -v CERTIFICATE cert.pem | tr -d '\\n');"
                  "h=$(printf '{\"typ\":\"JWT\",\"alg\":\"RS256\",\"x5c\":[\"%%s\"]}' \"$c\" | b);"
                  "p=$(b <claims);"
                  "s=$(printf %%s \"$h.$p\" | openssl dgst -sha256 -sign key.pem -binary | b);"
                  "printf %%s \"$h.$p.$s\"",
                  tap_dir());
    return output_of(command);
}

static void token_handle(void *arg, struct http_exchange *x)
{
    (void)arg;
    const char *who = exchange_header(x, "authorization");
    pthread_mutex_lock(&tokens.lock); /* for the files as well */
    if (!who || strcmp(who, "Basic " SECRET_BASIC) != 0) {
        tokens.n_refused++;
        exchange_reply(x, 401, SPAN("{}"));
    } else {
        int64_t now = (int64_t)time(NULL);
        AUTO(json_free) struct json *claims = json_new_object();
        AUTO(json_free) struct json *answer = json_new_object();
        json_set_str(claims, "iss", "the issuer");
        json_set_str(claims, "aud", exchange_query(x, "service"));
        json_set_str(claims, "sub", exchange_query(x, "account"));
        json_set_int(claims, "exp", now + 300);
        json_set_int(claims, "nbf", now - 10);
        json_set_int(claims, "iat", now);
        json_set_str(claims, "jti", "1");
        const char *scope = exchange_query(x, "scope");
        json_set(claims, "access", access_of(scope ? scope : ""));
        AUTO_FREE char *token = sign(claims);
        json_set_str(answer, "token", token);
        AUTO_VALUE(buf_clear) struct buf text = { 0 };
        buf_init(&text, LIMIT_JSON);
        json_print(answer, &text);
        tokens.n_tokens++;
        exchange_reply(x, 200, buf_span(&text));
    }
    pthread_mutex_unlock(&tokens.lock);
}

static int count_tokens(bool is_refused)
{
    pthread_mutex_lock(&tokens.lock);
    int n = is_refused ? tokens.n_refused : tokens.n_tokens;
    pthread_mutex_unlock(&tokens.lock);
    return n;
}

static int make_certificate(const char *name, const char *subject, const char *more)
{
    AUTO_FREE char *command =
        xasprintf("cd %s && openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=%s"
                  " -keyout %s/key.pem -out %s/cert.pem %s 2>/dev/null",
                  tap_dir(), subject, name, name, more);
    return system(command);
}

TEST("a token server of its own: push and pull with one token for each scope")
{
    struct http_server_options o = { .handle = token_handle };
    if (make_certificate(".", "issuer", "") != 0)
        SKIP("needs openssl");
    REQUIRE_OK(http_server_start(&o, &tokens.server, &err), &err);
    AUTO_FREE char *auth = xasprintf(
        "auth:\n  token:\n    realm: http://127.0.0.1:%u/token\n    service: the service\n"
        "    issuer: the issuer\n    rootcertbundle: DIR/cert.pem\n",
        http_server_port(tokens.server));
    if (!witness_start("", auth)) {
        witness_stop();
        http_server_stop(tokens.server, 0);
        SKIP("needs docker-registry");
    }
    begin((struct remote_options){ 0 });
    refer("lib/app:v1");
    AUTO_VALUE(descriptor_clear) struct descriptor image = make_image("token"), out = { 0 };
    EXPECT(push_image(&image) != 0);
    EXPECT_INT(err.kind, ERR_DENIED);
    EXPECT_CONTAINS(err.text, "gives no token to strangers (status 401)");
    err_clear(&err);
    EXPECT(count_tokens(true) > 0);
    close_client();
    open_client((struct remote_options){ 0 });
    EXPECT_OK(remote_login(remote, witness.name, USER, SECRET, &err), &err);
    int before = count_tokens(false);
    EXPECT_OK(push_image(&image), &err);
    EXPECT_INT(count_tokens(false) - before, 1); /* pull,push */
    expect_skopeo_sees("--creds " USER ":" SECRET, &image.digest);
    before = count_tokens(false);
    other_store();
    EXPECT_OK(pull_image(NULL, false, &out, NULL), &err);
    EXPECT_INT(count_tokens(false) - before, 1); /* pull */
    end();
    http_server_stop(tokens.server, 1000);
}

/* ---- client certificates ---- */

TEST("certs.d: an authority of its own, and a certificate that says who we are")
{
    AUTO_FREE char *folders = xasprintf("cd %s && mkdir server client", tap_dir());
    if (system(folders) != 0 ||
        make_certificate("server", "server", "-addext subjectAltName=IP:127.0.0.1") != 0 ||
        make_certificate("client", "client", "-addext extendedKeyUsage=clientAuth") != 0)
        SKIP("needs openssl");
    NEEDS_WITNESS("  tls:\n    certificate: DIR/server/cert.pem\n    key: DIR/server/key.pem\n"
                  "    clientcas: [DIR/client/cert.pem]\n",
                  "");
    begin((struct remote_options){ 0 });
    refer("lib/app:v1");
    AUTO_VALUE(descriptor_clear) struct descriptor image = make_image("tls"), out = { 0 };
    AUTO_FREE char *trust =
        xasprintf("cd %s && mkdir -p certs.d/%s && cp server/cert.pem certs.d/%s/ca.crt", tap_dir(),
                  witness.name, witness.name);
    EXPECT_INT(system(trust), 0);
    EXPECT(push_image(&image) != 0); /* trusted, but a stranger */
    printf("# %s\n", err.text);
    err_clear(&err);
    AUTO_FREE char *identify = xasprintf("cd %s && cp client/cert.pem certs.d/%s/me.cert &&"
                                         " cp client/key.pem certs.d/%s/me.key",
                                         tap_dir(), witness.name, witness.name);
    EXPECT_INT(system(identify), 0);
    close_client();
    open_client((struct remote_options){ 0 });
    EXPECT_OK(push_image(&image), &err);
    other_store();
    EXPECT_OK(pull_image(NULL, false, &out, NULL), &err);
    end();
}

/* ---- a network that breaks ---- */

static struct descriptor big_blob(void)
{
    enum { SIZE = 6 << 20 };
    AUTO_FREE char *bytes = xmalloc(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (char)((i * 2654435761U) >> 13);
    struct digest d;
    EXPECT_OK(blob_put(store, span_bytes(bytes, SIZE), &d, &err), &err);
    return descriptor_make(MEDIA_OCI_LAYER, &d, SIZE);
}

TEST("an upload and a download that are cut are gone on with")
{
    NEEDS_WITNESS("", "");
    begin((struct remote_options){ .n_retries = 3 });
    cut_first("PUT ", 1 << 20, false);
    cutter.port = witness.port;
    cutter.raw = raw_start(cut_serve, NULL);
    AUTO_FREE char *text = xasprintf("127.0.0.1:%u/lib/app:v1", cutter.raw->port);
    EXPECT_OK(reference_parse(span_of(text), &ref, &err), &err);
    AUTO_VALUE(descriptor_clear) struct descriptor blob = big_blob();
    EXPECT_OK(remote_push_blob(remote, &ref, &blob, NULL, store, NULL, NULL, &err), &err);
    EXPECT(was_cut());
    cut_first("GET /v2/lib/app/blobs", 1 << 20, true);
    other_store();
    EXPECT_OK(remote_pull_blob(remote, &ref, &blob, store, NULL, &err), &err);
    EXPECT(was_cut());
    EXPECT(is_in_store(&blob));
    EXPECT_OK(blob_verify(store, &blob.digest, &err), &err);
    end();
    raw_stop(cutter.raw);
}

TAP_MAIN()
