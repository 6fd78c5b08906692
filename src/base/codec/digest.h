/* base/codec/digest.h - content digests: `sha256:HEX`, and hashing as bytes pass.
 *
 * Spec: image-spec descriptor.md "Digests".  Threads: values; a hasher belongs to one thread. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/core/err.h"
#include "base/core/span.h"
#include "base/core/stream.h"

enum digest_algorithm { DIGEST_NONE, DIGEST_SHA256, DIGEST_SHA512 };

struct digest {
    enum digest_algorithm algorithm; /* DIGEST_NONE: no digest */
    uint8_t bytes[64];               /* the first 32 for SHA-256 */
};

enum { DIGEST_TEXT_MAX = 7 + 128 + 1 };
struct digest_text {
    char s[DIGEST_TEXT_MAX];
};

/* "sha256:" and 64 lower-case hex digits, or "sha512:" and 128.
 * Fails: INVALID; UNSUPPORTED for a well-formed digest of another algorithm. */
NODISCARD int digest_parse(struct span text, struct digest *out, struct err *err);
struct digest_text digest_text(const struct digest *d);     /* "sha256:..."; "" for DIGEST_NONE */
struct digest_text digest_hex(const struct digest *d);      /* without the algorithm */
const char *digest_algorithm_name(enum digest_algorithm a); /* "sha256" */
bool digest_equal(const struct digest *a, const struct digest *b);
int digest_compare(const struct digest *a, const struct digest *b);
bool digest_is_set(const struct digest *d);
struct digest digest_of(struct span bytes); /* SHA-256 of bytes in memory */

struct hasher; /* opaque */
struct hasher *hasher_new(enum digest_algorithm a);
void hasher_free(struct hasher *h);
DEFINE_AUTO(struct hasher, hasher_free)
void hasher_update(struct hasher *h, struct span bytes);
/* Frames its input: the length as 8 bytes little endian, then the bytes.  For keys. */
void hasher_update_framed(struct hasher *h, struct span bytes);
struct digest hasher_final(struct hasher *h); /* then starts anew */

/* A filter: passes all to `below` (borrowed; NULL: only counts and hashes).  The two getters are
 * valid once all bytes passed. */
struct writer *writer_hashing(struct writer *below, enum digest_algorithm a);
struct digest writer_hashing_digest(struct writer *w);
uint64_t writer_hashing_size(const struct writer *w);
/* Passes bytes through while hashing; at the end of `below` fails with CORRUPT when digest or size
 * differ from what was promised.  size UINT64_MAX: any.  Fails early (CORRUPT) past `size`. */
struct reader *reader_verified(struct reader *below, const struct digest *want, uint64_t size);
