/* serve/registry/sessions.h - uploads that are under way.
 *
 * A session belongs to one repository and to one request at a time.  Its file is made when the
 * first byte comes, so that sessions that somebody only opened cost a few bytes.
 *
 * Threads: locked inside; a claimed session belongs to who claimed it. */
#pragma once
#include "base/core/err.h"
#include "image/store/ingest.h"

struct sessions;
struct session {
    char id[33];
    char *repository;       /* owned */
    struct ingest *ingest;  /* owned; NULL until there are bytes */
    uint64_t size;          /* bytes so far; changed by session_grew() alone */
    uint64_t touched_at_ms; /* of clock_monotonic_ms() */
    bool is_claimed;
};

struct sessions *sessions_new(unsigned n_max, int idle_ms);
void sessions_free(struct sessions *s); /* nobody may hold one */
void sessions_expire(struct sessions *s);

/* A new one, claimed.  Fails: LIMIT when there are as many as may be. */
NODISCARD int session_open(struct sessions *s, const char *repository, struct session **out,
                           struct err *err);
/* Fails: NOT_FOUND; EXISTS while another request has it. */
NODISCARD int session_claim(struct sessions *s, const char *repository, const char *id,
                            struct session **out, struct err *err);
void session_grew(struct sessions *s, struct session *one, uint64_t size);
void session_release(struct sessions *s, struct session *one);
void session_drop(struct sessions *s, struct session *one); /* what came is gone */
/* Without claiming it.  Fails: NOT_FOUND. */
NODISCARD int session_look(struct sessions *s, const char *repository, const char *id,
                           uint64_t *size, struct err *err);
