/* image/oci/descriptor.h - a typed pointer to content.  Spec: image-spec descriptor.md. */
#pragma once
#include "base/codec/digest.h"
#include "base/codec/json.h"
#include "base/core/map.h"
#include "image/oci/platform.h"

struct descriptor {
    char *media_type; /* owned */
    struct digest digest;
    uint64_t size;            /* bytes */
    struct map annotations;   /* string to string; owned */
    struct platform platform; /* is_set false when absent */
    char *artifact_type;      /* owned or NULL */
    struct str_list urls;
    struct json
        *raw; /* owned; the object it came from, unknown fields included; NULL when made here */
};

void descriptor_clear(struct descriptor *d);
void descriptor_copy(struct descriptor *to, const struct descriptor *from);
/* A made one: copies media_type. */
struct descriptor descriptor_make(const char *media_type, const struct digest *digest,
                                  uint64_t size);
/* Fails: INVALID naming the field. */
NODISCARD int descriptor_read(const struct json *object, struct descriptor *out, struct err *err);
struct json *
descriptor_write(const struct descriptor *d); /* a new object; mediaType, digest, size first */
