/* engine/remotecache/internal.h - what the files of the room share. */
#pragma once
#include <pthread.h>

#include "engine/remotecache/document.h"
#include "engine/remotecache/place.h"
#include "engine/source/image_source.h"

#define LIMIT_CACHE_LAYERS ((size_t)100000)
#define LIMIT_CACHE_RECORDS 100000
#define LIMIT_CACHE_INPUTS ((size_t)10000) /* of one record */

/* Annotations of layers, as BuildKit writes and wants them. */
#define NOTE_DIFF_ID "containerd.io/uncompressed"
#define NOTE_CREATED "buildkit/createdat"

NODISCARD int repository_open(const struct export_host *h, const char *ref,
                              struct cache_place **out, struct err *err);
NODISCARD int folder_open(const struct export_host *h, const struct cache_spec *spec, bool is_made,
                          struct cache_place **out, struct err *err);
