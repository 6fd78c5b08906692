/* engine/ops/ops.h - what the operations of a graph do: the implementation of the solver's table.
 *
 * source: docker-image:// and oci-layout:// (a lazy chain), local:// (a tree), http(s):// and
 * git:// (one layer); exec: a step in the sandbox; file: copy, mkdir, mkfile, rm, symlink; merge
 * and diff of chains.  Results are snapshots, or, of a local source, trees.
 *
 * Threads: locked inside; members of the table are called by the solver from many threads. */
#pragma once
#include "engine/sandbox/sandbox.h"
#include "engine/snapshot/snapshot.h"
#include "engine/solver/solver.h"
#include "engine/source/git_source.h"
#include "engine/source/http_source.h"
#include "engine/source/image_source.h"
#include "engine/source/tree.h"

/* A build context by name ("context", "dockerfile", or a named one). */
struct context_option {
    const char *name;
    const char *path;
};
/* An OCI image layout by the name that the graph calls it. */
struct layout_option {
    const char *name;
    const char *path;
};
struct secret_option {
    const char *id;
    const char *file, *env; /* one of them */
};

/* What RUN --mount=type=ssh and git over ssh may use. */
struct ssh_option {
    const char *id;           /* "default" */
    const char *const *paths; /* one socket of an agent, or files with private keys */
    size_t n_paths;           /* 0: the agent of $SSH_AUTH_SOCK */
};

/* What a build was granted (--allow); nothing by default. */
struct ops_grants {
    bool has_network_host;      /* RUN --network=host */
    bool has_security_insecure; /* RUN --security=insecure */
    bool has_every_device;      /* RUN --device */
    const char *const *devices; /* names */
    size_t n_devices;
};

/* The contents of cache mounts that are not here yet. */
struct cache_mount_source {
    void *arg;
    /* Fills the folder with what was kept under the id; nothing is no error.  *is_spoiled: a part
     * came, and the folder is of no use. */
    int (*restore)(void *arg, const char *id, int folder_fd, bool *is_spoiled, struct err *err);
};
/* Where the store keeps a cache mount (locked by NAME.lock).  Owned by the caller. */
char *cache_mount_folder(const char *id);

/* What names that move (branches, URLs) stood for when a build asked first, so that all its graphs
 * see the same.  Locked inside. */
struct source_pins;
struct source_pins *source_pins_new(void);
void source_pins_free(struct source_pins *p);

struct ops_options {
    struct store *store;
    struct snapshots *snapshots;
    struct image_source *images;
    struct http_source *http; /* NULL: such sources are refused, as without the next */
    struct git_source *git;
    enum resolve_mode resolve_mode;
    struct sandbox *sandbox; /* NULL: steps are refused */
    struct pool *pool;       /* for the inside of one operation */
    struct id_map ids;       /* of the namespace that we are in */
    const struct context_option *contexts;
    size_t n_contexts;
    const struct layout_option *layouts;
    size_t n_layouts;
    const struct secret_option *secrets;
    size_t n_secrets;
    const struct ssh_option *ssh;
    size_t n_ssh;
    struct source_pins *pins; /* NULL: each graph asks for itself */
    struct ops_grants grants;
    struct step_resources resources; /* of every step; no part of any key */
    const char *cdi_folders;         /* separated by ":"; NULL: CDI_FOLDERS */
    struct seal_options seal;        /* of layers that merge and diff make blobs of */
    const char *resolv_conf;         /* text; NULL: the host's */
    const struct progress *progress; /* of what is fetched before a vertex runs; may be NULL */
    const struct cache_mount_source *cache_mounts; /* NULL: new ones are empty */
    /* Told each file whose content is part of a key; from any thread; may be NULL. */
    void (*on_read)(void *arg, const struct vertex *v, size_t input, const char *path,
                    const struct digest *d);
    void *on_read_arg;
};
struct ops; /* all of options is borrowed */
struct ops *ops_new(const struct ops_options *o);
void ops_free(struct ops *ops);
DEFINE_AUTO(struct ops, ops_free)
const struct op_table *ops_table(struct ops *ops);
/* Those of `resources` that some step could not have here: enum step_resource. */
unsigned ops_not_applied(const struct ops *ops);

/* What came for a git or http source of a graph that was solved with these operations.  Owned. */
struct source_fact {
    char *uri;             /* "https://host/a.git#main", "https://host/file" */
    const char *algorithm; /* "sha1", "sha256": of the commit or the content */
    char *hex;
};
void source_fact_clear(struct source_fact *f);
/* False for other vertices, and where nothing was asked. */
bool ops_source_fact(struct ops *ops, const struct vertex *v, struct source_fact *out);

/* The snapshot inside a result (borrowed); NULL for NULL.  Fails: INVALID for a tree (a local
 * source that is itself the result of a build). */
NODISCARD int result_snapshot(const struct result *r, struct snapshot **out, struct err *err);
/* The files of a context inside a result (borrowed); NULL for a snapshot. */
struct tree *result_tree(const struct result *r);
struct result *result_of_snapshot(struct snapshot *s); /* takes the reference; NULL gives NULL */
/* For the cache (engine/cache): a result as text and back.  result_save gives NULL where it must
 * not be remembered (a tree).  result_load: *out NULL when the snapshot is gone. */
char *result_save(const struct result *r);
NODISCARD int result_load(struct snapshots *s, const char *text, struct result **out,
                          struct err *err);
