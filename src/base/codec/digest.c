/* base/codec/digest.c - digests as values, and hashing as bytes pass.
 *
 * OpenSSL does the hashing; it finds the processor's SHA instructions itself.  A tree mode does not
 * exist in these formats, so one stream's hash is bound to one core (1.2 to 1.7 GB/s with SHA-NI).
 *
 * Spec: image-spec descriptor.md "Digests".  Threads: see digest.h. */
#include "base/codec/digest.h"

#include <assert.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/codec/text.h"
#include "base/core/mem.h"

static const struct {
    const char *name;
    size_t size; /* bytes */
} algorithms[] = {
    [DIGEST_NONE] = { "", 0 },
    [DIGEST_SHA256] = { "sha256", 32 },
    [DIGEST_SHA512] = { "sha512", 64 },
};

/* ---- values ---- */

const char *digest_algorithm_name(enum digest_algorithm a)
{
    return algorithms[a].name;
}

bool digest_is_set(const struct digest *d)
{
    return d->algorithm != DIGEST_NONE;
}

int digest_compare(const struct digest *a, const struct digest *b)
{
    if (a->algorithm != b->algorithm)
        return a->algorithm < b->algorithm ? -1 : 1;
    return memcmp(a->bytes, b->bytes, algorithms[a->algorithm].size);
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
    return digest_compare(a, b) == 0;
}

struct digest_text digest_hex(const struct digest *d)
{
    struct digest_text text = { "" };
    hex_print(span_bytes(d->bytes, algorithms[d->algorithm].size), text.s);
    return text;
}

struct digest_text digest_text(const struct digest *d)
{
    struct digest_text text = { "" };
    if (digest_is_set(d))
        snprintf(text.s, sizeof text.s, "%s:%.128s", algorithms[d->algorithm].name,
                 digest_hex(d).s);
    return text;
}

static bool is_lower_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* algorithm ::= component (separator component)*, separator ::= [+._-], component ::= [a-z0-9]+ */
static bool is_algorithm(struct span s)
{
    bool was_separator = true;
    for (size_t i = 0; i < s.len; i++) {
        bool is_separator = s.ptr[i] && strchr("+._-", s.ptr[i]);
        if (is_separator ? was_separator : !is_lower_or_digit(s.ptr[i]))
            return false;
        was_separator = is_separator;
    }
    return !was_separator;
}

/* encoded ::= [a-zA-Z0-9=_-]+ */
static bool is_encoded(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (!is_lower_or_digit(c) && !(c >= 'A' && c <= 'Z') && !(c && strchr("=_-", c)))
            return false;
    }
    return s.len > 0;
}

static bool is_lower_hex(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!(s.ptr[i] >= '0' && s.ptr[i] <= '9') && !(s.ptr[i] >= 'a' && s.ptr[i] <= 'f'))
            return false;
    return true;
}

int digest_parse(struct span text, struct digest *out, struct err *err)
{
    struct span shown = span_first(text, DIGEST_TEXT_MAX); /* in errors */
    struct span encoded = text, name = span_cut(&encoded, ':');
    if (!is_algorithm(name) || !is_encoded(encoded))
        return err_set(err, ERR_INVALID, "digest \"%.*s\": is not of the form sha256:HEX",
                       SPAN_ARG(shown));
    for (enum digest_algorithm a = DIGEST_SHA256; a <= DIGEST_SHA512; a++) {
        size_t n_digits = 2 * algorithms[a].size;
        if (!span_is(name, algorithms[a].name))
            continue;
        if (encoded.len != n_digits || !is_lower_hex(encoded))
            return err_set(err, ERR_INVALID, "digest \"%.*s\": not %zu lower-case hex digits",
                           SPAN_ARG(shown), n_digits);
        struct digest d = { .algorithm = a };
        if (hex_parse(encoded, d.bytes, err) < 0)
            return -1;
        *out = d;
        return 0;
    }
    err_set(err, ERR_UNSUPPORTED, "digest \"%.*s\": unknown algorithm", SPAN_ARG(shown));
    return err_hint(err, "sha256 and sha512 are supported");
}

/* ---- hashing ---- */

struct hasher {
    EVP_MD_CTX *ctx; /* owned */
    enum digest_algorithm algorithm;
};

/* Only a broken installation of OpenSSL makes a hash fail; then no digest may come out. */
static void must(int is_ok)
{
    if (!is_ok) {
        fprintf(stderr, "kiln: OpenSSL cannot hash\n");
        abort();
    }
}

static void hasher_start(struct hasher *h)
{
    const EVP_MD *md = h->algorithm == DIGEST_SHA512 ? EVP_sha512() : EVP_sha256();
    must(EVP_DigestInit_ex(h->ctx, md, NULL));
}

struct hasher *hasher_new(enum digest_algorithm a)
{
    assert(a != DIGEST_NONE);
    struct hasher *h = xcalloc(1, sizeof *h);
    h->algorithm = a;
    h->ctx = EVP_MD_CTX_new();
    must(h->ctx != NULL);
    hasher_start(h);
    return h;
}

void hasher_free(struct hasher *h)
{
    if (!h)
        return;
    EVP_MD_CTX_free(h->ctx);
    free(h);
}

void hasher_update(struct hasher *h, struct span bytes)
{
    must(EVP_DigestUpdate(h->ctx, bytes.ptr, bytes.len));
}

void hasher_update_framed(struct hasher *h, struct span bytes)
{
    uint8_t length[8];
    for (int i = 0; i < 8; i++)
        length[i] = (uint8_t)((uint64_t)bytes.len >> (8 * i));
    hasher_update(h, span_bytes(length, sizeof length));
    hasher_update(h, bytes);
}

struct digest hasher_final(struct hasher *h)
{
    struct digest d = { .algorithm = h->algorithm };
    must(EVP_DigestFinal_ex(h->ctx, d.bytes, NULL));
    hasher_start(h);
    return d;
}

struct digest digest_of(struct span bytes)
{
    AUTO(hasher_free) struct hasher *h = hasher_new(DIGEST_SHA256);
    hasher_update(h, bytes);
    return hasher_final(h);
}

/* ---- filters ---- */

struct hashing_writer {
    struct writer base;
    struct writer *below;  /* borrowed, may be NULL */
    struct hasher *hasher; /* owned */
    uint64_t size;
    struct digest digest; /* set once asked for; no byte may follow */
};

static int hashing_write(struct writer *base, struct span bytes, struct err *err)
{
    struct hashing_writer *w = (struct hashing_writer *)base;
    assert(!digest_is_set(&w->digest));
    hasher_update(w->hasher, bytes);
    w->size += bytes.len;
    return w->below ? writer_write(w->below, bytes, err) : 0;
}

static void hashing_close(struct writer *base)
{
    struct hashing_writer *w = (struct hashing_writer *)base;
    hasher_free(w->hasher);
    free(w);
}

struct writer *writer_hashing(struct writer *below, enum digest_algorithm a)
{
    static const struct writer_ops ops = { .write = hashing_write, .close = hashing_close };
    struct hashing_writer *w = xcalloc(1, sizeof *w);
    *w = (struct hashing_writer){ .base.ops = &ops, .below = below, .hasher = hasher_new(a) };
    return &w->base;
}

struct digest writer_hashing_digest(struct writer *base)
{
    struct hashing_writer *w = (struct hashing_writer *)base;
    assert(w->base.ops->write == hashing_write);
    if (!digest_is_set(&w->digest))
        w->digest = hasher_final(w->hasher);
    return w->digest;
}

uint64_t writer_hashing_size(const struct writer *base)
{
    const struct hashing_writer *w = (const struct hashing_writer *)base;
    assert(w->base.ops->write == hashing_write);
    return w->size;
}

struct verified_reader {
    struct reader base;
    struct reader *below;  /* borrowed */
    struct hasher *hasher; /* owned */
    struct digest want;
    uint64_t size, done; /* size UINT64_MAX: any */
};

static int verify_end(struct verified_reader *r, struct err *err)
{
    if (r->size != UINT64_MAX && r->done != r->size)
        return err_set(err, ERR_CORRUPT, "%s: ends after %" PRIu64 " of %" PRIu64 " bytes",
                       digest_text(&r->want).s, r->done, r->size);
    struct digest got = hasher_final(r->hasher);
    if (!digest_equal(&got, &r->want))
        return err_set(err, ERR_CORRUPT, "%s: the content has digest %s", digest_text(&r->want).s,
                       digest_text(&got).s);
    return 0;
}

static int verified_read(struct reader *base, void *to, size_t cap, size_t *n, struct err *err)
{
    struct verified_reader *r = (struct verified_reader *)base;
    if (reader_read(r->below, to, cap, n, err) < 0)
        return -1;
    if (*n == 0)
        return verify_end(r, err);
    if (r->size != UINT64_MAX && *n > r->size - r->done)
        return err_set(err, ERR_CORRUPT, "%s: more than %" PRIu64 " bytes", digest_text(&r->want).s,
                       r->size);
    hasher_update(r->hasher, span_bytes(to, *n));
    r->done += *n;
    return 0;
}

static void verified_close(struct reader *base)
{
    struct verified_reader *r = (struct verified_reader *)base;
    hasher_free(r->hasher);
    free(r);
}

struct reader *reader_verified(struct reader *below, const struct digest *want, uint64_t size)
{
    static const struct reader_ops ops = { .read = verified_read, .close = verified_close };
    struct verified_reader *r = xcalloc(1, sizeof *r);
    *r = (struct verified_reader){ .base.ops = &ops,
                                   .below = below,
                                   .hasher = hasher_new(want->algorithm),
                                   .want = *want,
                                   .size = size };
    return &r->base;
}
