/* tests/unit/serve/registry/served.h - a registry over an empty store, and requests to it. */
#pragma once
#include <fcntl.h>
#include <pthread.h>

#include "base/codec/json.h"
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/net/http_client.h"
#include "image/store/blob.h"
#include "image/store/ingest.h"
#include "image/store/name.h"
#include "serve/registry/registry.h"
#include "tap.h"

struct served {
    struct store *store;
    struct registry *registry;
    struct http_client *http;
    struct http_response answer; /* the last one */
    char *location;              /* of the last answer that had one, with host */
};
static struct served served;

/* Registers nothing: `o` may be zero. */
__attribute__((unused)) static void serve(struct registry_options o)
{
    struct err err = { 0 };
    struct http_client_options http = { 0 };
    AUTO_FREE char *root = xasprintf("%s/store", tap_dir());
    served = (struct served){ 0 };
    if (store_open(root, NULL, &served.store, &err))
        abort();
    o.store = served.store;
    if (registry_start(&o, &served.registry, &err) || http_client_new(&http, &served.http, &err)) {
        tap_fail(__FILE__, __LINE__, "no registry: %s", err.text);
        abort();
    }
}

__attribute__((unused)) static void serve_end(void)
{
    http_response_clear(&served.answer);
    http_client_free(served.http);
    registry_stop(served.registry, 1000);
    store_close(served.store);
    free(served.location);
    served = (struct served){ 0 };
}

/* `headers`: "Name: value\nName: value", or NULL.  Returns the status, 0 when there was no answer.
 */
__attribute__((unused)) static int ask_with(const char *method, const char *target,
                                            const char *headers, struct span body)
{
    struct err err = { 0 };
    AUTO_VALUE(map_clear) struct map map = STR_MAP;
    struct span rest = span_of(headers);
    while (rest.ptr && rest.len) {
        struct span value = span_cut(&rest, '\n'), name = span_cut(&value, ':');
        AUTO_FREE char *key = span_dup(name);
        AUTO_FREE char *text = span_dup(span_trim(value));
        map_set_str(&map, key, text);
    }
    AUTO_FREE char *url =
        xasprintf("http://127.0.0.1:%u%s", registry_port(served.registry), target);
    struct http_request q = {
        .method = method, .url = url, .headers = &map, .body = body, .n_body_ceiling = 64 * MIB
    };
    http_response_clear(&served.answer);
    served.answer = (struct http_response){ 0 };
    if (http_send(served.http, &q, &served.answer, &err)) {
        printf("# %s\n", err.text);
        return 0;
    }
    const char *location = map_find_str(&served.answer.headers, "location");
    if (location) {
        free(served.location);
        served.location = xstrdup(location);
    }
    return served.answer.status;
}

__attribute__((unused)) static int ask(const char *method, const char *target)
{
    return ask_with(method, target, NULL, (struct span){ 0 });
}

__attribute__((unused)) static const char *answer_header(const char *name)
{
    return map_find_str(&served.answer.headers, name);
}

__attribute__((unused)) static const char *answer_text(void)
{
    return served.answer.body.data ? served.answer.body.data : "";
}

/* "CODE" of the only error of the answer; "" when it has none. */
__attribute__((unused)) static const char *answer_code(void)
{
    static char code[64];
    struct err err = { 0 };
    AUTO(json_free) struct json *body = NULL;
    code[0] = '\0';
    if (json_parse(buf_span(&served.answer.body), &body, &err) == 0) {
        const struct json *one = json_at(json_get(body, "errors"), 0);
        const char *text = json_get_str(one, "code");
        if (text && json_get_str(one, "message"))
            snprintf(code, sizeof code, "%s", text);
    }
    return code;
}

__attribute__((unused)) static char *digest_path(const char *before, struct span bytes)
{
    struct digest d = digest_of(bytes);
    return xasprintf("%s%s", before, digest_text(&d).s);
}

/* Puts a blob past HTTP, as a build would. */
__attribute__((unused)) static struct digest_text put_blob(struct span bytes)
{
    struct digest d = { 0 };
    struct err err = { 0 };
    if (blob_put(served.store, bytes, &d, &err))
        abort();
    return digest_text(&d);
}

/* An image of a config and one layer; `mark` makes it another.  `more`: further fields, ",...". */
__attribute__((unused)) static char *image_text(const char *mark, const char *more)
{
    AUTO_FREE char *config = xasprintf("{\"rootfs\":{},\"mark\":\"%s\"}", mark);
    struct digest_text c = put_blob(span_of(config)), l = put_blob(span_of(mark));
    return xasprintf(
        "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+"
        "json\",\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\","
        "\"digest\":\"%s\",\"size\":%zu},\"layers\":[{\"mediaType\":\"application/"
        "vnd.oci.image.layer.v1.tar\",\"digest\":\"%s\",\"size\":%zu}]%s}",
        c.s, strlen(config), l.s, strlen(mark), more ? more : "");
}

#define OCI_MANIFEST "Content-Type: application/vnd.oci.image.manifest.v1+json"
#define OCI_INDEX "Content-Type: application/vnd.oci.image.index.v1+json"
