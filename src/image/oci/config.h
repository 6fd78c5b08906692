/* image/oci/config.h - the image config: what runs, and the history of its layers.
 *
 * Unknown fields, of Docker or of others, survive a round trip.  Printing follows BuildKit's order
 * of fields for a config made here and keeps the order of one that was read.
 *
 * Spec: image-spec config.md; Docker's additions: ArgsEscaped, Healthcheck, OnBuild, Shell. */
#pragma once
#include "base/codec/digest.h"
#include "base/codec/json.h"
#include "base/core/map.h"
#include "image/oci/platform.h"

struct healthcheck {
    struct str_list test; /* "NONE" | "CMD", args... | "CMD-SHELL", text */
    int64_t interval_ns, timeout_ns, start_period_ns, start_interval_ns; /* 0: inherit */
    int64_t retries;
};

struct history {
    char *created;    /* RFC 3339 text, owned or NULL */
    char *created_by; /* owned or NULL */
    char *author;     /* owned or NULL */
    char *comment;    /* owned or NULL */
    bool is_empty_layer;
};

struct image_config {
    char *created; /* RFC 3339, owned or NULL */
    char *author;
    struct platform platform;
    /* the `config` object */
    char *user;
    struct str_list exposed_ports; /* "80/tcp", sorted when printed */
    struct str_list env;           /* "K=V", in order */
    struct str_list entrypoint;
    bool has_entrypoint; /* distinguishes [] from absent */
    struct str_list cmd;
    bool has_cmd;
    struct str_list volumes; /* sorted when printed */
    char *working_dir;
    struct map labels; /* string to string; printed sorted by key */
    char *stop_signal;
    bool args_escaped;
    struct healthcheck *healthcheck; /* owned or NULL */
    struct str_list on_build;
    struct str_list shell;
    /* rootfs and history */
    struct {
        struct digest *items; /* owned; items[0] is the base */
        size_t n, cap;
    } diff_ids;
    struct {
        struct history *items;
        size_t n, cap;
    } history;
    struct json *raw; /* owned: what it was read from, for unknown fields; NULL when made here */
};

void image_config_init(struct image_config *c,
                       const struct platform *p); /* an empty image: scratch */
void image_config_clear(struct image_config *c);
void image_config_copy(struct image_config *to, const struct image_config *from);
/* Fails: INVALID naming the field. */
NODISCARD int image_config_parse(struct span bytes, struct image_config *out, struct err *err);
void image_config_print(const struct image_config *c, struct buf *out);

const char *image_config_env(const struct image_config *c, const char *name); /* NULL when unset */
void image_config_set_env(struct image_config *c, const char *name,
                          const char *value); /* replaces in place */
void history_clear(struct history *h);
/* chainID of the first n diffIDs.  Spec: image-spec config.md "Layer ChainID".  n >= 1. */
struct digest chain_id(const struct digest *diff_ids, size_t n);
