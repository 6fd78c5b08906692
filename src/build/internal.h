/* build/internal.h - what the files of the room share. */
#pragma once
#include <pthread.h>

#include "build/build.h"
#include "engine/cache/cache.h"
#include "frontend/dockerfile/convert.h"

struct engine {
    struct store *store;
    struct remote *remote;
    struct image_source *images;
    struct http_source *http; /* NULL without a sandbox, as are the next four */
    struct git_source *git;
    struct snapshots *snapshots;
    struct sandbox *sandbox;
    struct cache *cache;
    struct id_map ids;
    bool is_root;         /* of the machine, not of a user namespace made here */
    struct pool *pool;    /* of computing: as many threads as processors */
    struct pool *steps;   /* of waiting: steps and transfers */
    pthread_mutex_t lock; /* guards watcher */
    struct watcher *watcher;
};

/* Whom moved bytes are told to: the display of the build that began last. */
struct watcher {
    const struct progress *progress;
    bool has_begun;
    uint64_t told_at_ms;
};
void engine_watch(struct engine *e, struct watcher *w); /* NULL: nobody */

/* The Dockerfile and where it was found. */
struct recipe {
    struct buf text;
    char *name;   /* "Dockerfile", for messages and NAME.dockerignore */
    char *folder; /* where NAME.dockerignore is looked for; NULL: nowhere */
};
struct asked;
NODISCARD int recipe_read(struct asked *a, struct recipe *out, struct err *err);
/* The same, with a task of the display around it. */
NODISCARD int recipe_load(struct asked *a, struct recipe *out, struct err *err);
void recipe_clear(struct recipe *r);

/* What the front end asks of us. */
struct asked {
    struct engine *engine;
    const struct build_request *request;
    const struct contexts *contexts;
    struct source_pins *pins; /* may be NULL */
    const struct recipe *recipe;
    enum resolve_mode mode;
    const struct progress *progress;
    const struct progress *told; /* of what is not counted; may be NULL */
    struct cancel *cancel;
};
struct frontend_host frontend_host_of(struct asked *a);

/* Seals the layers of the final image as soon as their snapshots are there. */
struct eager;
struct eager *eager_new(const struct export_host *h, const struct export_spec *specs, size_t n,
                        const struct graph *g); /* for all of specs[0..n-1], borrowed */
/* The input that a vertex makes its layer on; vertex NULL: none. */
struct edge layer_base(const struct vertex *v);
void eager_take(void *eager, struct edge edge, struct result *r); /* fits solve_options.on_result */
void eager_wait(
    struct eager *e); /* until all layers are packed, telling the display when that takes time */
void eager_free(struct eager *e); /* waits */
DEFINE_AUTO(struct eager, eager_free)

/* What is said of one platform's result. */
struct said {
    struct {
        struct attestation *items;
        size_t n, cap;
    } attestations;
    struct str_list texts; /* that they point into */
};
void said_clear(struct said *s);

/* What came from servers, for provenance. */
struct source_facts {
    struct source_fact *items;
    size_t n, cap;
};
void source_facts_gather(struct ops *ops, const struct graph *g, struct source_facts *out);
void source_facts_clear(struct source_facts *l);

/* All is borrowed. */
struct attesting {
    const struct build_request *request;
    const struct export_host *host;
    const struct recipe *recipe;
    const struct dockerfile_result *converted;
    struct result *const *results; /* as the graph's: the image, then what else is scanned */
    const struct source_facts *facts;
    struct timespec started; /* the build */
    const char *invocation_id;
};
/* Nothing when nothing was asked for. */
NODISCARD int attest_part(const struct attesting *a, struct said *out, struct err *err);
