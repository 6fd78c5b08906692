/* image/oci/platform.c - os/arch/variant: reading, normal form, what runs on what.
 *
 * Names people use for one architecture (x86_64, aarch64, armhf) become Go's; the default variant
 * of an architecture is left out.  What runs where is one ordered list per wanted platform, best
 * first, as in containerd's platforms package, but without 386 for amd64: a builder that silently
 * takes a 32-bit base gives a surprise.
 *
 * Spec: image-spec image-index.md "platform".  Threads: values. */
#include "image/oci/platform.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const known_os[] = {
    "aix",   "android", "darwin", "dragonfly", "freebsd", "illumos", "ios",     "js",
    "linux", "macos",   "netbsd", "openbsd",   "plan9",   "solaris", "windows", "wasip1",
};
static const char *const known_arch[] = {
    "386",     "aarch64", "amd64", "arm",    "arm64",    "armel",  "armhf",
    "i386",    "loong64", "mips",  "mips64", "mips64le", "mipsle", "ppc64",
    "ppc64le", "riscv64", "s390x", "wasm",   "x86-64",   "x86_64",
};

static bool is_known(const char *const *names, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static void set_part(char to[PLATFORM_PART_MAX], const char *from)
{
    snprintf(to, PLATFORM_PART_MAX, "%s", from);
}

static void lower(char *s)
{
    for (; *s; s++)
        *s = (char)tolower((unsigned char)*s);
}

static void set_arch(struct platform *p, const char *arch, const char *variant)
{
    set_part(p->architecture, arch);
    set_part(p->variant, variant);
}

static void normalize_variant(struct platform *p)
{
    char *v = p->variant;
    if (isdigit((unsigned char)v[0]) && strncmp(p->architecture, "arm", 3) == 0) {
        char with_v[PLATFORM_PART_MAX];
        snprintf(with_v, sizeof with_v, "v%.*s", PLATFORM_PART_MAX - 2, v);
        set_part(v, with_v);
    }
    if (strcmp(p->architecture, "amd64") == 0 && strcmp(v, "v1") == 0)
        v[0] = '\0';
    if (strcmp(p->architecture, "arm64") == 0 && (strcmp(v, "v8") == 0 || strcmp(v, "v8.0") == 0))
        v[0] = '\0';
    if (strcmp(p->architecture, "arm64") == 0 && strcmp(v, "v9.0") == 0)
        set_part(v, "v9");
    if (strcmp(p->architecture, "arm") == 0 && !v[0])
        set_part(v, "v7");
}

void platform_normalize(struct platform *p)
{
    static const struct {
        const char *name, *arch, *variant; /* variant NULL: keep */
    } aliases[] = {
        { "i386", "386", "" },        { "x86_64", "amd64", NULL }, { "x86-64", "amd64", NULL },
        { "aarch64", "arm64", NULL }, { "armhf", "arm", "v7" },    { "armel", "arm", "v6" },
    };
    lower(p->os);
    lower(p->architecture);
    lower(p->variant);
    if (strcmp(p->os, "macos") == 0)
        set_part(p->os, "darwin");
    for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++)
        if (strcmp(p->architecture, aliases[i].name) == 0) {
            set_arch(p, aliases[i].arch, aliases[i].variant ? aliases[i].variant : p->variant);
            break;
        }
    normalize_variant(p);
}

struct platform platform_host(void)
{
    struct platform p = { .is_set = true, .os = "linux" };
#if defined(__x86_64__)
    set_part(p.architecture, "amd64");
#elif defined(__aarch64__)
    set_part(p.architecture, "arm64");
#elif defined(__arm__)
    set_arch(&p, "arm", "v7");
#elif defined(__i386__)
    set_part(p.architecture, "386");
#elif defined(__riscv)
    set_part(p.architecture, "riscv64");
#elif defined(__powerpc64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    set_part(p.architecture, "ppc64le");
#elif defined(__s390x__)
    set_part(p.architecture, "s390x");
#elif defined(__loongarch64)
    set_part(p.architecture, "loong64");
#else
#error "name this architecture as Go does"
#endif
    return p;
}

static int check_part(struct span part, struct span text, struct err *err)
{
    if (!part.len || part.len >= PLATFORM_PART_MAX)
        return err_set(err, ERR_INVALID, "platform \"%.*s\": a part is %s", SPAN_ARG(text),
                       part.len ? "too long" : "empty");
    for (size_t i = 0; i < part.len; i++)
        if (!isalnum((unsigned char)part.ptr[i]) && !strchr("_.-", part.ptr[i]))
            return err_set(err, ERR_INVALID, "platform \"%.*s\": '%c' is not allowed",
                           SPAN_ARG(text), isprint((unsigned char)part.ptr[i]) ? part.ptr[i] : '?');
    return 0;
}

/* One word: an operating system or an architecture; the rest is this machine's. */
static int complete(struct span text, struct platform *p, struct err *err)
{
    struct platform host = platform_host();
    char word[PLATFORM_PART_MAX];
    set_part(word, p->os);
    lower(word);
    if (is_known(known_os, sizeof known_os / sizeof known_os[0], word)) {
        set_arch(p, host.architecture, host.variant);
        return 0;
    }
    if (!is_known(known_arch, sizeof known_arch / sizeof known_arch[0], word)) {
        err_set(err, ERR_INVALID,
                "platform \"%.*s\": neither an operating system nor an architecture",
                SPAN_ARG(text));
        return err_hint(err, "write os/architecture, such as linux/amd64 or linux/arm64");
    }
    set_part(p->architecture, word);
    set_part(p->os, host.os);
    return 0;
}

int platform_parse(struct span text, struct platform *out, struct err *err)
{
    struct span rest = span_trim(text), all = rest;
    struct platform p = { .is_set = true };
    char *parts[] = { p.os, p.architecture, p.variant };
    size_t n = 0;
    do {
        if (n == 3)
            return err_set(err, ERR_INVALID, "platform \"%.*s\": more than os/architecture/variant",
                           SPAN_ARG(all));
        struct span part = span_cut(&rest, '/');
        if (check_part(part, all, err))
            return -1;
        snprintf(parts[n++], PLATFORM_PART_MAX, "%.*s", SPAN_ARG(part));
    } while (rest.ptr);
    if (n == 1 && complete(all, &p, err))
        return -1;
    platform_normalize(&p);
    *out = p;
    return 0;
}

struct platform_text platform_text(const struct platform *p)
{
    struct platform n = *p;
    struct platform_text t;
    platform_normalize(&n);
    snprintf(t.s, sizeof t.s, "%s/%s%s%s", n.os, n.architecture, n.variant[0] ? "/" : "",
             n.variant);
    return t;
}

static bool is_same(const struct platform *a, const struct platform *b)
{
    return strcmp(a->os, b->os) == 0 && strcmp(a->architecture, b->architecture) == 0 &&
           strcmp(a->variant, b->variant) == 0;
}

bool platform_equal(const struct platform *a, const struct platform *b)
{
    struct platform x = *a, y = *b;
    platform_normalize(&x);
    platform_normalize(&y);
    return x.is_set == y.is_set && is_same(&x, &y) && strcmp(x.os_version, y.os_version) == 0;
}

/* "v8.2" to 8 and 2; false for anything else. */
static bool variant_number(const char *v, int *major, int *minor)
{
    char *end;
    if (v[0] != 'v' || !isdigit((unsigned char)v[1]))
        return false;
    *major = (int)strtol(v + 1, &end, 10);
    *minor = *end == '.' ? (int)strtol(end + 1, &end, 10) : 0;
    return !*end && *major < 100 && *minor >= 0 && *minor < 100;
}

enum { CANDIDATES_MAX = 64 };
struct candidates {
    struct platform items[CANDIDATES_MAX];
    int n;
};

static void add_candidate(struct candidates *c, const char *os, const char *arch,
                          const char *variant)
{
    if (c->n == CANDIDATES_MAX)
        return;
    struct platform *p = &c->items[c->n++];
    *p = (struct platform){ .is_set = true };
    set_part(p->os, os);
    set_arch(p, arch, variant);
    platform_normalize(p);
}

static void add_range(struct candidates *c, const char *os, const char *arch, int from, int to)
{
    char variant[PLATFORM_PART_MAX];
    for (int v = from; v >= to; v--) {
        snprintf(variant, sizeof variant, "v%d", v);
        add_candidate(c, os, arch, variant);
    }
}

/* Armv9.n has all of v8.(n + 5); every 64-bit one that we know of also ran the 32-bit sets. */
static void add_arm64(struct candidates *c, const char *os, const char *wanted)
{
    int major = 8, minor = 0;
    if (wanted[0] && (!variant_number(wanted, &major, &minor) || major < 8 || major > 9))
        return;
    char variant[PLATFORM_PART_MAX];
    int from = minor;
    for (int m = major; m >= 8; m--) {
        for (int n = from < 20 ? from : 20; n >= 0; n--) {
            snprintf(variant, sizeof variant, n ? "v%d.%d" : "v%d", m, n);
            add_candidate(c, os, "arm64", variant);
        }
        from = minor + 5;
    }
    add_range(c, os, "arm", 8, 5);
}

static void list_candidates(struct candidates *c, const struct platform *want)
{
    int major = 0, minor = 0;
    c->n = 0;
    c->items[c->n++] = *want;
    bool is_numbered = variant_number(want->variant, &major, &minor);
    if (strcmp(want->architecture, "amd64") == 0 && is_numbered)
        add_range(c, want->os, "amd64", major - 1, 1);
    else if (strcmp(want->architecture, "arm") == 0 && is_numbered)
        add_range(c, want->os, "arm", major - 1, 5);
    else if (strcmp(want->architecture, "arm64") == 0)
        add_arm64(c, want->os, want->variant);
}

int platform_match(const struct platform *want, const struct platform *have)
{
    struct platform w = *want, h = *have;
    platform_normalize(&w);
    platform_normalize(&h);
    struct candidates c;
    list_candidates(&c, &w);
    for (int i = 0; i < c.n; i++)
        if (is_same(&c.items[i], &h))
            return i;
    return -1;
}

static int read_part(const struct json *object, const char *key, char to[PLATFORM_PART_MAX],
                     struct err *err)
{
    const struct json *v = json_get(object, key);
    if (json_type(v) == JSON_NULL)
        return 0;
    if (json_type(v) != JSON_STRING)
        return err_set(err, ERR_INVALID, "field %s: is not a string", key);
    if (strlen(json_str(v)) >= PLATFORM_PART_MAX)
        return err_set(err, ERR_INVALID, "field %s: is longer than %d bytes", key,
                       PLATFORM_PART_MAX - 1);
    set_part(to, json_str(v));
    return 0;
}

int platform_read(const struct json *object, struct platform *out, struct err *err)
{
    struct platform p = { .is_set = true };
    if (json_type(object) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "platform: is not an object");
    if (read_part(object, "os", p.os, err) ||
        read_part(object, "architecture", p.architecture, err) ||
        read_part(object, "variant", p.variant, err) ||
        read_part(object, "os.version", p.os_version, err))
        return -1;
    *out = p;
    return 0;
}

struct json *platform_write(const struct platform *p)
{
    struct json *o = json_new_object();
    json_set_str(o, "architecture", p->architecture);
    json_set_str(o, "os", p->os);
    if (p->os_version[0])
        json_set_str(o, "os.version", p->os_version);
    if (p->variant[0])
        json_set_str(o, "variant", p->variant);
    return o;
}
