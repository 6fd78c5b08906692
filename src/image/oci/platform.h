/* image/oci/platform.h - os/arch[/variant], normalised as containerd does.
 *
 * Spec: image-spec image-index.md "platform". */
#pragma once
#include <stdbool.h>

#include "base/codec/json.h"
#include "base/core/err.h"
#include "base/core/span.h"

enum { PLATFORM_PART_MAX = 64 };
struct platform {
    bool is_set;
    char os[PLATFORM_PART_MAX];
    char architecture[PLATFORM_PART_MAX];
    char variant[PLATFORM_PART_MAX]; /* "" when none: arm64's v8 and amd64's v1 normalise to "" */
    char os_version[PLATFORM_PART_MAX]; /* "" when none */
};

/* "linux/arm64", "arm64", "linux/arm/v7", "linux": a missing part is taken from this machine;
 * x86_64, aarch64, armhf ... are normalised.  Fails: INVALID. */
NODISCARD int platform_parse(struct span text, struct platform *out, struct err *err);
struct platform platform_host(void); /* of the program as compiled */
struct platform_text {
    char s[3 * PLATFORM_PART_MAX + 3];
};
struct platform_text platform_text(const struct platform *p); /* "linux/arm64", "linux/arm/v7" */
bool platform_equal(const struct platform *a, const struct platform *b); /* after normalisation */
/* How well an image for `have` runs where `want` is asked for: -1 not at all, 0 best, larger is
 * worse (arm/v6 on arm/v7, 386 is never chosen for amd64). */
int platform_match(const struct platform *want, const struct platform *have);
void platform_normalize(struct platform *p);
NODISCARD int platform_read(const struct json *object, struct platform *out, struct err *err);
struct json *platform_write(const struct platform *p);
