/* base/core/limits.h - the ceiling of everything that comes from outside.
 *
 * Each is generous for honest input and small enough that a hostile one cannot exhaust the machine.
 */
#pragma once
#include <stdint.h>

#define KIB ((uint64_t)1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

#define LIMIT_MANIFEST ((size_t)(4 * MIB)) /* distribution-spec: registries should take 4 MiB */
#define LIMIT_CONFIG ((size_t)(8 * MIB))   /* an image config */
#define LIMIT_JSON ((size_t)(16 * MIB))    /* any other JSON document */
#define LIMIT_YAML ((size_t)(4 * MIB))
#define LIMIT_JSON_DEPTH 64
#define LIMIT_JSON_VALUES 1000000 /* in one document: a value takes about 100 bytes */
#define LIMIT_LAYERS 500          /* layers of an image, the kernel's overlay limit */
#define LIMIT_INDEX_ENTRIES 1000  /* manifests in an index */
#define LIMIT_DOCKERFILE ((size_t)(8 * MIB))
#define LIMIT_DOCKERFILE_LINE 65535 /* as BuildKit */
#define LIMIT_DOCKERFILE_INSTRUCTIONS 20000
#define LIMIT_DOCKERFILE_HEREDOCS 1000 /* of one instruction */
#define LIMIT_IGNORE_FILE ((size_t)(1 * MIB))
#define LIMIT_PATH 4096 /* bytes of a path in a tar or a context */
#define LIMIT_PATH_DEPTH 512
#define LIMIT_XATTR_VALUE ((size_t)65536)
#define LIMIT_XATTRS 256              /* of one tar entry */
#define LIMIT_PAX ((size_t)(1 * MIB)) /* one extended header */
#define LIMIT_LAYER_ENTRIES ((uint64_t)50000000)
#define LIMIT_REFERENCE 1024           /* bytes of an image reference */
#define LIMIT_URL ((size_t)(16 * KIB)) /* presigned URLs carry some 2 KiB */
#define LIMIT_HTTP_HEADER ((size_t)(64 * KIB))
#define LIMIT_HTTP_TEXT ((size_t)(1 * MIB)) /* a response body read whole that is no manifest */
#define LIMIT_GRAPH_VERTICES 100000
#define LIMIT_GRAPH_BYTES ((size_t)(64 * MIB))
#define LIMIT_ATTESTATION ((size_t)(40 * MIB))    /* one statement; as BuildKit */
#define LIMIT_SCAN_PACKAGES 200000                /* found in one root file system */
#define LIMIT_SCAN_TEXT ((size_t)(1 * MIB))       /* what one package says of itself */
#define LIMIT_SCAN_DATABASE ((size_t)(128 * MIB)) /* text of a package data base */
#define LIMIT_RPM_HEADER ((size_t)(32 * MIB))     /* of one package */
#define LIMIT_GO_BUILD_INFO ((size_t)(4 * MIB))   /* text in one program */
#define LIMIT_ZIP_ENTRIES 200000
#define LIMIT_ZIP_NESTED ((size_t)(128 * MIB)) /* an archive in an archive */
#define LIMIT_STEP_LOG ((size_t)(2 * MIB))     /* of one step's output, kept for a person */
