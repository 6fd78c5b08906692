/* base/codec/purl.h - package URLs: `pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=debian-12`.
 *
 * Parts come as they are and are percent-encoded here; ':' stays, as the specification wants it.
 * Spec: package-url/purl-spec PURL-SPECIFICATION.rst.  Threads: values. */
#pragma once
#include <stddef.h>

#include "base/core/span.h"

struct purl {
    const char *type;       /* "deb"; lower case */
    const char *namespace_; /* "github.com/opencontainers": cut at its slashes; NULL: none */
    const char *name;
    const char *version; /* NULL or "": none */
    struct {
        const char *key, *value; /* value NULL or "": left out */
    } qualifiers[4];             /* sorted by key; a NULL key ends them */
};
/* The text, owned by the caller. */
char *purl_print(const struct purl *p);
