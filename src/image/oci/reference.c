/* image/oci/reference.c - image names: completed, checked, printed.
 *
 *     reference  = name [":" tag] ["@" digest]
 *     name       = [registry "/"] component *("/" component)
 *     registry   = host [":" port], told from a component by '.', ':', a capital or "localhost"
 *     component  = 1*alnum *( ("." / "_" / "__" / 1*"-") 1*alnum ), lower case
 *     tag        = (alnum / "_") *127(alnum / "_" / "." / "-")
 *
 * Spec: distribution-spec "Pulling manifests"; distribution/reference for how short names complete.
 * Threads: values. */
#include "image/oci/reference.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/codec/purl.h"
#include "base/core/limits.h"
#include "base/core/mem.h"

#define DOCKER_HUB "docker.io"
#define DOCKER_HUB_HOST "registry-1.docker.io"
#define OFFICIAL "library/"

enum { NAME_MAX_LEN = 255, TAG_MAX_LEN = 128, HOST_MAX_LEN = 253 };

void reference_clear(struct reference *r)
{
    free(r->registry);
    free(r->repository);
    free(r->tag);
    *r = (struct reference){ 0 };
}

void reference_copy(struct reference *to, const struct reference *from)
{
    *to = (struct reference){
        .registry = xstrdup_or_null(from->registry),
        .repository = xstrdup_or_null(from->repository),
        .tag = xstrdup_or_null(from->tag),
        .digest = from->digest,
    };
}

static bool is_lower_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
    return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

/* Length of the separator that s starts with: '.', '_', "__" or any number of '-'; 0 for none. */
static size_t separator_len(struct span s)
{
    if (s.ptr[0] == '.')
        return 1;
    if (s.ptr[0] == '_')
        return s.len > 1 && s.ptr[1] == '_' ? 2 : 1;
    size_t n = 0;
    while (n < s.len && s.ptr[n] == '-')
        n++;
    return n;
}

static bool is_component(struct span s)
{
    for (;;) {
        size_t n = 0;
        while (n < s.len && is_lower_alnum(s.ptr[n]))
            n++;
        if (!n)
            return false;
        s = span_skip(s, n);
        if (!s.len)
            return true;
        n = separator_len(s);
        if (!n)
            return false;
        s = span_skip(s, n);
    }
}

bool reference_is_repository(struct span text)
{
    if (!text.len || text.len > NAME_MAX_LEN)
        return false;
    struct span rest = text;
    do {
        if (!is_component(span_cut(&rest, '/')))
            return false;
    } while (rest.ptr);
    return true;
}

bool reference_is_tag(struct span text)
{
    if (!text.len || text.len > TAG_MAX_LEN || text.ptr[0] == '.' || text.ptr[0] == '-')
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (!is_alnum(text.ptr[i]) && !strchr("_.-", text.ptr[i]))
            return false;
    return true;
}

static bool is_host_name(struct span s)
{
    if (s.len > HOST_MAX_LEN)
        return false;
    do {
        struct span label = span_cut(&s, '.');
        if (!label.len || !is_alnum(label.ptr[0]) || !is_alnum(label.ptr[label.len - 1]))
            return false;
        for (size_t i = 0; i < label.len; i++)
            if (!is_alnum(label.ptr[i]) && label.ptr[i] != '-')
                return false;
    } while (s.ptr);
    return true;
}

static bool is_registry(struct span s)
{
    struct span host = s, port = { 0 };
    if (span_starts(s, "[")) {
        ptrdiff_t end = span_find(s, ']');
        if (end < 3 || end > HOST_MAX_LEN)
            return false;
        for (ptrdiff_t i = 1; i < end; i++)
            if (!isxdigit((unsigned char)s.ptr[i]) && s.ptr[i] != ':')
                return false;
        port = span_skip(s, (size_t)end + 1);
        if (!port.len)
            return true;
        if (port.ptr[0] != ':')
            return false;
        port = span_skip(port, 1);
    } else {
        port = s;
        host = span_cut(&port, ':');
        if (!is_host_name(host))
            return false;
        if (!port.ptr)
            return true;
    }
    uint64_t number;
    return port.len <= 5 && span_u64(port, 65535, &number);
}

static bool has_capital(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] >= 'A' && s.ptr[i] <= 'Z')
            return true;
    return false;
}

static int refuse(struct span text, struct err *err, const char *why)
{
    return err_set(err, ERR_INVALID, "image reference \"%.*s\": %s", SPAN_ARG(text), why);
}

/* True, and *rest without it, when the name starts with a registry. */
static bool cut_registry(struct span *rest, struct span *registry)
{
    ptrdiff_t slash = span_find(*rest, '/');
    if (slash < 0)
        return false;
    struct span first = span_first(*rest, (size_t)slash);
    if (span_find(first, '.') < 0 && span_find(first, ':') < 0 && !span_is(first, "localhost") &&
        !has_capital(first))
        return false;
    *registry = first;
    *rest = span_skip(*rest, (size_t)slash + 1);
    return true;
}

static bool is_docker_hub(struct span registry)
{
    return span_is(registry, DOCKER_HUB) || span_is(registry, "index.docker.io") ||
           span_is(registry, DOCKER_HUB_HOST) || span_is(registry, "registry.hub.docker.com");
}

/* Why a repository is refused, in words that help. */
static int refuse_repository(struct span text, struct span repository, struct err *err)
{
    if (!repository.len)
        return refuse(text, err, "the repository is missing");
    if (repository.len > NAME_MAX_LEN)
        return refuse(text, err, "the repository is longer than 255 bytes");
    if (!has_capital(repository))
        return refuse(
            text, err,
            "a repository has lower-case letters and digits, joined by single '.', '_' or "
            "'/', by \"__\" or by '-'");
    AUTO_FREE char *lowered = span_dup(text);
    for (char *p = lowered; *p && *p != '@'; p++)
        *p = (char)tolower((unsigned char)*p);
    refuse(text, err, "a repository is lower case");
    return err_hint(err, "write \"%s\"", lowered);
}

static bool is_hex_id(struct span s)
{
    if (s.len != 64)
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (!isxdigit((unsigned char)s.ptr[i]) || isupper((unsigned char)s.ptr[i]))
            return false;
    return true;
}

static int check_text(struct span text, struct err *err)
{
    if (!text.len)
        return err_set(err, ERR_INVALID, "image reference: is empty");
    if (text.len > LIMIT_REFERENCE)
        return err_set(err, ERR_INVALID, "image reference \"%.60s...\": is longer than %d bytes",
                       text.ptr, LIMIT_REFERENCE);
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] <= ' ' || (unsigned char)text.ptr[i] >= 127)
            return err_set(err, ERR_INVALID,
                           "image reference: byte %zu is a blank, a control or no ASCII character",
                           i);
    if (is_hex_id(text)) {
        refuse(text, err, "64 hex digits are an id, not a name");
        return err_hint(err, "a digest is written name@sha256:%.*s", SPAN_ARG(text));
    }
    const char *scheme = memmem(text.ptr, text.len, "://", 3);
    if (scheme) {
        refuse(text, err, "is not a name but an URL");
        struct span name = span_skip(text, (size_t)(scheme - text.ptr) + 3);
        return err_hint(err, "leave out the scheme: \"%.*s\"", SPAN_ARG(name));
    }
    return 0;
}

/* Cuts "@digest" and ":tag" off *rest. */
static int cut_suffixes(struct span text, struct span *rest, struct reference *r, struct err *err)
{
    ptrdiff_t at = span_find(*rest, '@');
    if (at >= 0) {
        if (digest_parse(span_skip(*rest, (size_t)at + 1), &r->digest, err))
            return err_wrap(err, "image reference \"%.*s\"", SPAN_ARG(text));
        *rest = span_first(*rest, (size_t)at);
    }
    ptrdiff_t colon = span_rfind(*rest, ':');
    if (colon < 0 || colon < span_rfind(*rest, '/'))
        return 0;
    struct span tag = span_skip(*rest, (size_t)colon + 1);
    if (!reference_is_tag(tag))
        return refuse(text, err,
                      "a tag has letters, digits, '_', '.' and '-', at most 128, and starts with "
                      "neither '.' nor '-'");
    r->tag = span_dup(tag);
    *rest = span_first(*rest, (size_t)colon);
    return 0;
}

static int parse_into(struct span text, struct reference *r, struct err *err)
{
    struct span rest = text, registry = SPAN(DOCKER_HUB);
    if (check_text(text, err) || cut_suffixes(text, &rest, r, err))
        return -1;
    bool has_registry = cut_registry(&rest, &registry);
    if (has_registry && has_capital(registry) && span_find(registry, '.') < 0 &&
        span_find(registry, ':') < 0)
        return refuse_repository(text, registry, err);
    if (!is_registry(registry))
        return refuse(text, err, "the registry is no host[:port]");
    if (!reference_is_repository(rest))
        return refuse_repository(text, rest, err);
    bool is_hub = is_docker_hub(registry);
    bool is_official = is_hub && span_find(rest, '/') < 0;
    if (is_official && strlen(OFFICIAL) + rest.len > NAME_MAX_LEN)
        return refuse(text, err, "the repository is longer than 255 bytes");
    r->registry = is_hub ? xstrdup(DOCKER_HUB) : span_dup(registry);
    r->repository = xasprintf("%s%.*s", is_official ? OFFICIAL : "", SPAN_ARG(rest));
    if (!r->tag && !digest_is_set(&r->digest))
        r->tag = xstrdup("latest");
    return 0;
}

int reference_parse(struct span text, struct reference *out, struct err *err)
{
    AUTO_VALUE(reference_clear) struct reference r = { 0 };
    if (parse_into(text, &r, err))
        return -1;
    *out = r;
    r = (struct reference){ 0 };
    return 0;
}

static char *with_suffixes(const struct reference *r, const char *registry, const char *repository)
{
    bool has_digest = digest_is_set(&r->digest);
    return xasprintf("%s%s%s%s%s%s%s", registry, registry[0] ? "/" : "", repository,
                     r->tag ? ":" : "", r->tag ? r->tag : "", has_digest ? "@" : "",
                     digest_text(&r->digest).s);
}

char *reference_text(const struct reference *r)
{
    return with_suffixes(r, r->registry, r->repository);
}

char *reference_familiar(const struct reference *r)
{
    if (strcmp(r->registry, DOCKER_HUB) != 0)
        return reference_text(r);
    const char *name = r->repository;
    struct span rest = span_of(name), first;
    if (cut_registry(&rest, &first))
        return reference_text(r); /* its first part alone would read as a registry */
    if (span_starts(span_of(name), OFFICIAL) && !strchr(name + strlen(OFFICIAL), '/'))
        name += strlen(OFFICIAL);
    return with_suffixes(r, "", name);
}

char *reference_pinned(const struct reference *r, const struct digest *d)
{
    return xasprintf("%s/%s@%s", r->registry, r->repository, digest_text(d).s);
}

const char *reference_part(const struct reference *r, char text[DIGEST_TEXT_MAX])
{
    if (!digest_is_set(&r->digest))
        return r->tag;
    struct digest_text t = digest_text(&r->digest);
    memcpy(text, t.s, sizeof t.s);
    return text;
}

const char *reference_host(const struct reference *r)
{
    return strcmp(r->registry, DOCKER_HUB) == 0 ? DOCKER_HUB_HOST : r->registry;
}

char *reference_purl(const struct reference *r, const struct platform *p)
{
    AUTO_FREE char *name = reference_familiar(r);
    struct platform_text platform = platform_text(p);
    struct digest_text digest = digest_text(&r->digest);
    name[strcspn(name, "@")] = '\0';
    char *colon = strrchr(name, ':');
    if (colon && !strchr(colon, '/'))
        *colon = '\0'; /* the tag */
    char *slash = strrchr(name, '/');
    if (slash)
        *slash = '\0';
    struct purl purl = { .type = "docker",
                         .namespace_ = slash ? name : NULL,
                         .name = slash ? slash + 1 : name,
                         .version = r->tag,
                         .qualifiers = { { "digest", digest.s }, { "platform", platform.s } } };
    return purl_print(&purl);
}
