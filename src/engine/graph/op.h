/* engine/graph/op.h - what a vertex does: BuildKit's operations as plain C values.
 *
 * One set of structs serves both ways.  A front end fills them to add vertices
 * (engine/graph/builder.h copies everything, so nothing has to outlive the call) and leaves alone
 * what is marked "graph sets"; the solver and the operations read them from a `struct vertex`
 * (engine/graph/graph.h), where every string is NUL-terminated and never NULL ("" when absent) and
 * all lives as long as the graph.
 *
 * Numbers and meanings are those of BuildKit's LLB, so the enums may be written to its wire format.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/core/span.h"
#include "base/core/vec.h"

struct vertex;

/* One output of a vertex.  vertex NULL: nothing, an empty file system ("scratch"). */
struct edge {
    const struct vertex *vertex;
    uint32_t index; /* which output; only OP_EXEC has others than 0 */
};

/* Lists.  Borrowed when given to a builder, owned by the graph when read. */
struct strings {
    const char *const *items;
    size_t n;
};
struct pair {
    const char *key, *value;
};
struct pairs {
    const struct pair
        *items; /* read: sorted by key, keys unique.  Built: any order, the last wins */
    size_t n;
};

/* Borrows the list's strings. */
static inline struct strings strings_of(const struct str_list *l)
{
    return (struct strings){ .items = (const char *const *)l->items, .n = l->n };
}
const char *pairs_find(const struct pairs *p, const char *key); /* NULL when absent */

enum op_type {
    OP_SOURCE = 1,
    OP_EXEC,
    OP_FILE,
    OP_MERGE,
    OP_DIFF,
    OP_BUILD,       /* a nested build; read and passed on, nothing here makes one */
    OP_PASSTHROUGH, /* hands on its input; read and passed on likewise */
};
const char *op_type_name(enum op_type type); /* "source", "exec", ... */

/* Where a file system comes from. */
struct op_source {
    const char
        *identifier;    /* docker-image://REF local://NAME git://... https://... oci-layout://... */
    struct pairs attrs; /* the ATTR_* below */
};

/* The attributes of sources that kiln knows. */
#define ATTR_LOCAL_SESSION "local.session"
#define ATTR_LOCAL_UNIQUE "local.unique"
#define ATTR_LOCAL_INCLUDE "local.includepattern"  /* a JSON array of patterns */
#define ATTR_LOCAL_EXCLUDE "local.excludepatterns" /* a JSON array: lines of an ignore file */
#define ATTR_LOCAL_FOLLOW "local.followpaths"      /* a JSON array */
#define ATTR_LOCAL_SHARED_KEY "local.sharedkeyhint"
#define ATTR_LOCAL_DIFFER "local.differ"
#define ATTR_IMAGE_RESOLVE_MODE "image.resolvemode" /* default pull local */
#define ATTR_IMAGE_RECORD_TYPE "image.recordtype"
#define ATTR_IMAGE_CHECKSUM "image.checksum"
#define ATTR_IMAGE_LAYER_LIMIT "image.layerlimit"
#define ATTR_GIT_FULL_URL "git.fullurl"
#define ATTR_GIT_KEEP_DIR "git.keepgitdir"
#define ATTR_GIT_CHECKSUM "git.checksum"
#define ATTR_GIT_SKIP_SUBMODULES "git.skipsubmodules"
#define ATTR_GIT_AUTH_HEADER_SECRET "git.authheadersecret"
#define ATTR_GIT_AUTH_TOKEN_SECRET "git.authtokensecret"
#define ATTR_GIT_MOUNT_SSH "git.mountsshsock"
#define ATTR_GIT_KNOWN_HOSTS "git.knownsshhosts"
#define ATTR_GIT_MTIME "git.mtime" /* commit; else the time of the checkout */
#define ATTR_GIT_FETCH_BY_COMMIT "git.fetchbycommit"
#define ATTR_HTTP_CHECKSUM "http.checksum"
#define ATTR_HTTP_FILENAME "http.filename"
#define ATTR_HTTP_PERM "http.perm" /* octal digits with a leading 0 */
#define ATTR_HTTP_UID "http.uid"
#define ATTR_HTTP_GID "http.gid"
#define ATTR_HTTP_AUTH_SECRET "http.authheadersecret"
#define ATTR_LAYOUT_SESSION "oci.session"
#define ATTR_LAYOUT_STORE "oci.store"
#define ATTR_LAYOUT_LAYER_LIMIT "oci.layerlimit"

enum mount_type { MOUNT_BIND, MOUNT_SECRET, MOUNT_SSH, MOUNT_CACHE, MOUNT_TMPFS };
enum cache_sharing { CACHE_SHARED, CACHE_PRIVATE, CACHE_LOCKED };
enum content_cache { CONTENT_CACHE_DEFAULT, CONTENT_CACHE_ON, CONTENT_CACHE_OFF };

struct op_mount {
    enum mount_type type;
    const char *dest;     /* absolute, or relative to cwd; "/" is the root file system */
    struct edge from;     /* MOUNT_BIND, MOUNT_CACHE: what is mounted, or its first content */
    const char *selector; /* a path below `from`; NULL or "": all of it */
    bool is_readonly;
    bool has_no_output; /* what the step writes here is dropped */
    enum content_cache content_cache;
    /* by type */
    const char *id; /* MOUNT_CACHE, MOUNT_SECRET, MOUNT_SSH */
    enum cache_sharing sharing;
    int64_t size;            /* MOUNT_TMPFS: bytes, 0: no limit */
    uint32_t uid, gid, mode; /* MOUNT_SECRET, MOUNT_SSH: of the file or socket */
    bool is_optional;        /* MOUNT_SECRET, MOUNT_SSH */
    const char *result_id;   /* read only: of a gateway's container */
    /* graph sets */
    int32_t input;  /* index into the vertex's inputs; -1: none */
    int32_t output; /* index of the vertex's output; -1: none */
};

enum exec_network { NETWORK_DEFAULT, NETWORK_HOST, NETWORK_NONE };
enum exec_security { SECURITY_SANDBOX, SECURITY_INSECURE };

struct exec_host {
    const char *host, *ip;
};
struct exec_ulimit {
    const char *name; /* "nofile" */
    int64_t soft, hard;
};
struct exec_secret_env {
    const char *id, *name; /* the secret, the variable */
    bool is_optional;
};
struct exec_proxy {
    bool is_set;
    const char *http, *https, *ftp, *no, *all;
};
struct exec_device {
    const char *name; /* vendor.com/class=name */
    bool is_optional;
};

/* A step that runs a process. */
struct op_exec {
    struct strings args;
    struct strings env; /* "K=V", in order */
    const char *cwd;
    const char *user; /* "", name, uid, name:group, uid:gid */
    const char *hostname;
    const struct op_mount *mounts; /* exactly one has dest "/" */
    size_t n_mounts;
    enum exec_network network;
    enum exec_security security;
    struct exec_proxy proxy;
    const struct exec_host *hosts;
    size_t n_hosts;
    const struct exec_ulimit *ulimits;
    size_t n_ulimits;
    const char *cgroup_parent;
    const int32_t *exit_codes; /* those that are a success; none: 0 alone */
    size_t n_exit_codes;
    const struct exec_secret_env *secret_env;
    size_t n_secret_env;
    const struct exec_device *devices;
    size_t n_devices;
    /* graph sets */
    bool removes_mount_stubs; /* empty mount points, parents included, are not part of the result */
};

enum owner_kind { OWNER_KEEP, OWNER_ID, OWNER_NAME };
struct owner_part {
    enum owner_kind kind;
    uint32_t id;      /* OWNER_ID */
    const char *name; /* OWNER_NAME: looked up in /etc/passwd or /etc/group of `input` */
    int32_t input;    /* graph sets: index into the vertex's inputs; -1: none */
};
struct owner {
    bool is_set;
    struct owner_part user, group;
};

#define TIMESTAMP_NONE (-1) /* no time is forced */
#define MODE_KEEP (-1)      /* ACTION_COPY: the source's own mode */

enum action_type { ACTION_COPY = 1, ACTION_MKFILE, ACTION_MKDIR, ACTION_RM, ACTION_SYMLINK };

/* One change of a file operation.  Paths are absolute and cleaned; a trailing "/" or "/." of a
 * copy's `dest` means "into this folder". */
struct op_action {
    enum action_type type;
    const char *path;     /* what is made or removed; ACTION_COPY: the destination */
    struct owner owner;   /* not ACTION_RM */
    int32_t mode;         /* permission bits; ACTION_COPY: or MODE_KEEP */
    int64_t timestamp_ns; /* since 1970, or TIMESTAMP_NONE; not ACTION_RM */
    /* ACTION_COPY */
    struct edge from;       /* vertex NULL: scratch, or, read, `secondary` names an action */
    const char *src;        /* below `from` */
    const char *mode_text;  /* "u=rwX,go=rX", "" none */
    struct strings include; /* patterns */
    struct strings exclude;
    struct strings required; /* paths that must be there although `include` filters */
    bool follows_symlinks;
    bool copies_dir_contents; /* of a source folder its contents only */
    bool unpacks_archives;
    bool creates_dest_path;
    bool has_wildcards;
    bool may_match_nothing;
    bool replaces_existing; /* whatever its type */
    /* ACTION_MKFILE */
    struct span data;
    /* ACTION_MKDIR */
    bool makes_parents;
    /* ACTION_RM; has_wildcards too */
    bool may_be_missing;
    /* ACTION_SYMLINK: `path` is the link */
    const char *target;
    /* graph sets.  Below n_inputs: an input of the vertex; from n_inputs on: the result of action
     * (number - n_inputs), always an earlier one; -1: scratch. */
    int32_t input;     /* what is changed */
    int32_t secondary; /* ACTION_COPY: what is copied from */
    int32_t output;    /* the vertex's output that this result is; -1: only for later actions */
};

struct op_file {
    const struct op_action *actions;
    size_t n_actions;
};

/* The layers of all inputs, one on the other; later ones win. */
struct op_merge {
    const int32_t *inputs; /* graph sets: indexes into the vertex's inputs */
    size_t n_inputs;
};
/* What `upper` has that `lower` has not. */
struct op_diff {
    int32_t lower, upper; /* indexes into the vertex's inputs; -1: scratch */
};
struct op_build {
    int32_t builder; /* index into the vertex's inputs; -1: this builder */
    struct pairs attrs;
};
