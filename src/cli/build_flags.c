/* cli/build_flags.c - see build_flags.h.  Names and meanings are docker buildx's. */
#include "cli/build_flags.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"

#define AT(field) offsetof(struct build_flags, field)
const struct flag build_flags[] = {
    { "tag", 't', FLAG_LIST, AT(tag), "NAME", "name of the image", NULL, COMPLETES_IMAGE },
    { "file", 'f', FLAG_TEXT, AT(file), "FILE",
      "the Dockerfile (default PATH/Dockerfile); -: stdin; or a URL", NULL, COMPLETES_FILE },
    { "build-arg", 0, FLAG_LIST, AT(build_arg), "KEY=VALUE",
      "value of an ARG; KEY alone takes the environment's", NULL, COMPLETES_NOTHING },
    { "target", 0, FLAG_TEXT, AT(target), "STAGE", "stage to build (default: the last)", NULL,
      COMPLETES_NOTHING },
    { "label", 0, FLAG_LIST, AT(label), "KEY=VALUE", "label of the image", NULL,
      COMPLETES_NOTHING },
    { "no-cache", 0, FLAG_SWITCH, AT(no_cache), NULL, "run every step anew", NULL,
      COMPLETES_NOTHING },
    { "no-cache-filter", 0, FLAG_LIST, AT(no_cache_filter), "STAGES",
      "run every step of these stages anew", NULL, COMPLETES_NOTHING },
    { "cache-only", 0, FLAG_SWITCH, AT(cache_only), NULL,
      "run nothing: the first step that is not cached is an error", NULL, COMPLETES_NOTHING },
    { "explain", 0, FLAG_SWITCH, AT(explain), NULL,
      "say of each step whether it was cached, and if not, what differs from the last build", NULL,
      COMPLETES_NOTHING },
    { "cache-from", 0, FLAG_LIST, AT(cache_from), "NAME|type=TYPE,...",
      "cache to take results from: registry, local", NULL, COMPLETES_IMAGE },
    { "cache-to", 0, FLAG_LIST, AT(cache_to), "NAME|type=TYPE,...",
      "where to leave the cache: registry, local, inline", NULL, COMPLETES_IMAGE },
    { "pull", 0, FLAG_SWITCH, AT(pull), NULL, "ask registries for newer base images", NULL,
      COMPLETES_NOTHING },
    { "push", 0, FLAG_SWITCH, AT(push), NULL, "the same as --output type=image,push=true", NULL,
      COMPLETES_NOTHING },
    { "load", 0, FLAG_SWITCH, AT(load), NULL,
      "keep the image in the store, as happens without any output", NULL, COMPLETES_NOTHING },
    { "output", 'o', FLAG_LIST, AT(output), "type=TYPE,...",
      "where the result goes: image, registry, oci, docker, local, tar, cacheonly; several times: "
      "everywhere",
      NULL, COMPLETES_FILE },
    { "annotation", 0, FLAG_LIST, AT(annotation), "[PLACE:]KEY=VALUE",
      "annotation of the image; PLACE: manifest, index, manifest-descriptor, index-descriptor, "
      "with "
      "[PLATFORM], several by commas",
      NULL, COMPLETES_NOTHING },
    { "platform", 0, FLAG_LIST, AT(platform), "OS/ARCH,...", "platforms to build for", NULL,
      COMPLETES_NOTHING },
    { "progress", 0, FLAG_TEXT, AT(progress), "KIND", "how to show progress", DISPLAY_CHOICES,
      COMPLETES_NOTHING },
    { "quiet", 'q', FLAG_SWITCH, AT(quiet), NULL, "no progress; prints the digest", NULL,
      COMPLETES_NOTHING },
    { "iidfile", 0, FLAG_TEXT, AT(iidfile), "FILE", "write the image's id there", NULL,
      COMPLETES_FILE },
    { "metadata-file", 0, FLAG_TEXT, AT(metadata_file), "FILE",
      "write digests and names there as JSON", NULL, COMPLETES_FILE },
    { "secret", 0, FLAG_LIST, AT(secret), "id=ID,src=FILE",
      "for RUN --mount=type=secret and private sources; or id=ID,env=NAME", NULL, COMPLETES_FILE },
    { "network", 0, FLAG_TEXT, AT(network), "MODE", "of RUN steps", "default|none|host",
      COMPLETES_NOTHING },
    { "add-host", 0, FLAG_LIST, AT(add_host), "HOST:IP", "line of /etc/hosts in RUN steps", NULL,
      COMPLETES_NOTHING },
    { "build-context", 0, FLAG_LIST, AT(build_context), "NAME=PLACE",
      "another context: a folder, docker-image://NAME, a git or http URL", NULL, COMPLETES_FOLDER },
    { "check", 0, FLAG_SWITCH, AT(check), NULL, "the same as --call check", NULL,
      COMPLETES_NOTHING },
    { "call", 0, FLAG_TEXT, AT(call), "METHOD[,format=json]",
      "build, or only say: check, outline, targets", NULL, COMPLETES_NOTHING },
    { "ssh", 0, FLAG_LIST, AT(ssh), "default|ID[=SOCKET|KEY,...]",
      "agent or keys for RUN --mount=type=ssh and repositories", NULL, COMPLETES_NOTHING },
    { "allow", 0, FLAG_LIST, AT(allow), "ENTITLEMENT",
      "network.host, security.insecure, device[=NAME]: what RUN may ask for", NULL,
      COMPLETES_NOTHING },
    { "memory", 'm', FLAG_TEXT, AT(memory), "BYTES", "limit of each RUN step's memory", NULL,
      COMPLETES_NOTHING },
    { "memory-swap", 0, FLAG_TEXT, AT(memory_swap), "BYTES",
      "limit of memory and swap together; -1: none for swap", NULL, COMPLETES_NOTHING },
    { "cpu-shares", 'c', FLAG_TEXT, AT(cpu_shares), "N", "weight among others (usual: 1024)", NULL,
      COMPLETES_NOTHING },
    { "cpu-period", 0, FLAG_TEXT, AT(cpu_period), "MICROSECONDS", "period of --cpu-quota", NULL,
      COMPLETES_NOTHING },
    { "cpu-quota", 0, FLAG_TEXT, AT(cpu_quota), "MICROSECONDS",
      "processor time of a RUN step in each period", NULL, COMPLETES_NOTHING },
    { "cpuset-cpus", 0, FLAG_TEXT, AT(cpuset_cpus), "LIST", "processors to run on: 0-3,7", NULL,
      COMPLETES_NOTHING },
    { "cpuset-mems", 0, FLAG_TEXT, AT(cpuset_mems), "LIST", "memory nodes to use: 0-1", NULL,
      COMPLETES_NOTHING },
    { "shm-size", 0, FLAG_TEXT, AT(shm_size), "BYTES", "size of /dev/shm in RUN steps", NULL,
      COMPLETES_NOTHING },
    { "ulimit", 0, FLAG_LIST, AT(ulimit), "NAME=SOFT[:HARD]", "ulimit of RUN steps: nofile=1024",
      NULL, COMPLETES_NOTHING },
    { "attest", 0, FLAG_LIST, AT(attest), "type=TYPE,...",
      "say of the image: type=sbom what is in it, type=provenance how it was made", NULL,
      COMPLETES_NOTHING },
    { "sbom", 0, FLAG_TEXT, AT(sbom), "BOOL", "the same as --attest type=sbom (default false)",
      NULL, COMPLETES_NOTHING },
    { "provenance", 0, FLAG_TEXT, AT(provenance), "BOOL|mode=MODE",
      "the same as --attest type=provenance; mode=min or max (default false)", NULL,
      COMPLETES_NOTHING },
    { "cgroup-parent", 0, FLAG_TEXT, AT(cgroup_parent), "PATH", "cgroup of the RUN steps' own",
      NULL, COMPLETES_NOTHING },
    { 0 },
};

void build_call_clear(struct build_call *c)
{
    build_request_clear(&c->request);
    vec_clear(&c->secrets);
    vec_clear(&c->ssh);
    vec_each (&c->ssh_paths, list)
        free(*list);
    vec_clear(&c->ssh_paths);
    vec_clear(&c->ulimits);
    str_list_clear(&c->texts);
    buf_clear(&c->dockerfile);
}

/* ---- lists ---- */

static int take_pairs(const struct str_list *texts, const char *flag, bool asks_environment,
                      struct map *out, struct err *err)
{
    vec_each (texts, text) {
        struct span value = span_of(*text), key = span_cut(&value, '=');
        AUTO_FREE char *name = span_dup(key);
        const char *found = value.ptr ? value.ptr : asks_environment ? getenv(name) : "";
        if (!key.len)
            return err_set(err, ERR_INVALID, "--%s %s: KEY=VALUE is expected", flag, *text);
        if (found)
            map_set_str(out, name, found);
    }
    return 0;
}

static void take_commas(const struct str_list *texts, struct str_list *out)
{
    vec_each (texts, text) {
        struct span rest = span_of(*text);
        while (rest.ptr) {
            struct span one = span_trim(span_cut(&rest, ','));
            if (one.len)
                str_list_take(out, span_dup(one));
        }
    }
}

const char *build_call_keep(struct build_call *c, struct span text)
{
    str_list_take(&c->texts, span_dup(text));
    return c->texts.items[c->texts.n - 1];
}

/* id=ID[,src=FILE|,env=NAME][,type=file|env] */
static int take_secret(struct build_call *c, const char *text, struct err *err)
{
    struct secret_option s = { 0 };
    const char *source = NULL;
    bool is_env = false;
    struct span rest = span_of(text);
    while (rest.ptr) {
        struct span value = span_cut(&rest, ','), key = span_cut(&value, '=');
        if (span_is(key, "id"))
            s.id = build_call_keep(c, value);
        else if (span_is(key, "src") || span_is(key, "source"))
            source = build_call_keep(c, value);
        else if (span_is(key, "env"))
            s.env = build_call_keep(c, value);
        else if (span_is(key, "type") && (span_is(value, "env") || span_is(value, "file")))
            is_env = span_is(value, "env");
        else
            return err_set(err, ERR_INVALID, "--secret: %.*s: no such key", SPAN_ARG(key));
    }
    if (!s.id || !*s.id)
        return err_set(err, ERR_INVALID, "--secret: id= is missing");
    /* Without a source: the variable of that name where there is one, else the file. */
    if (source && is_env)
        s.env = source;
    else if (source)
        s.file = source;
    else if (!s.env && (is_env || getenv(s.id)))
        s.env = s.id;
    else if (!s.env)
        s.file = s.id;
    *vec_push(&c->secrets) = s;
    return 0;
}

static int take_context(struct build_call *c, const char *text, struct err *err)
{
    struct span value = span_of(text), key = span_cut(&value, '=');
    if (!key.len || !value.len)
        return err_set(err, ERR_INVALID, "--build-context %s: NAME=PLACE is expected", text);
    AUTO_FREE char *name = span_dup(key);
    if (span_starts(value, "target:")) {
        err_set(err, ERR_INVALID, "--build-context %s: another target is a context for bake alone",
                text);
        return err_hint(err,
                        "build that target first, and give its image: NAME=docker-image://...");
    }
    bool is_elsewhere = strstr(value.ptr, "://") || context_is_remote(value.ptr);
    AUTO_FREE char *place = is_elsewhere ? span_dup(value) : xasprintf("local:%s", value.ptr);
    if (!strncmp(place, "local:", 6) && access(place + 6, R_OK | X_OK))
        return err_sys(err, "--build-context %s", text);
    map_set_str(&c->request.named_contexts, name, place);
    return 0;
}

/* ---- the context ---- */

static int take_stdin(struct build_call *c, struct err *err)
{
    buf_init(&c->dockerfile, LIMIT_DOCKERFILE);
    if (isatty(STDIN_FILENO))
        return err_set(err, ERR_INVALID, "read the Dockerfile from stdin: that is a terminal");
    if (fs_read_fd(STDIN_FILENO, &c->dockerfile, err))
        return err_wrap(err, "read the Dockerfile from stdin");
    c->request.dockerfile_text = buf_span(&c->dockerfile);
    return 0;
}

static int take_place(const struct build_flags *f, const char *context, struct build_call *c,
                      struct err *err)
{
    struct build_request *q = &c->request;
    struct stat st;
    bool is_stdin = !strcmp(context, "-");
    bool is_file_stdin = f->file && !strcmp(f->file, "-");
    q->context = context;
    q->dockerfile = f->file;
    if (is_stdin && is_file_stdin)
        return err_set(err, ERR_INVALID,
                       "invalid argument: can't use stdin for both build context and dockerfile");
    if (is_file_stdin && take_stdin(c, err))
        return -1;
    if (is_stdin && isatty(STDIN_FILENO))
        return err_set(err, ERR_INVALID, "read the build context from stdin: that is a terminal");
    if (is_stdin)
        q->context_fd = STDIN_FILENO;
    if (is_stdin || (context_is_remote(context) && !fs_exists(AT_FDCWD, context)))
        return 0;
    if (stat(context, &st))
        return err_sys(err, "build context %s", context);
    return S_ISDIR(st.st_mode)
               ? 0
               : err_set(err, ERR_INVALID, "build context %s: not a folder", context);
}

static int take_caches(const struct build_flags *f, struct build_request *q, struct err *err)
{
    vec_each (&f->cache_from, text)
        if (cache_specs_parse(*text, false, &q->cache_from, err))
            return -1;
    vec_each (&f->cache_to, text)
        if (cache_specs_parse(*text, true, &q->cache_to, err))
            return -1;
    return 0;
}

int build_call_make(const struct build_flags *f, const char *context, struct build_call *out,
                    struct err *err)
{
    struct build_request *q = &out->request;
    build_request_init(q);
    q->target = f->target;
    q->ignores_cache = f->no_cache;
    q->is_cache_only = f->cache_only;
    q->explains = f->explain;
    q->pulls = f->pull;
    q->network = f->network;
    q->source_date_epoch = getenv("SOURCE_DATE_EPOCH");
    str_list_copy(&q->tags, &f->tag);
    str_list_copy(&q->add_hosts, &f->add_host);
    take_commas(&f->platform, &q->platforms);
    take_commas(&f->no_cache_filter, &q->no_cache_stages);
    vec_each (&f->tag, tag) {
        AUTO_VALUE(reference_clear) struct reference ref = { 0 };
        if (reference_parse(span_of(*tag), &ref, err))
            return err_wrap(err, "--tag %s", *tag);
    }
    if (f->cache_only && f->no_cache)
        return err_set(err, ERR_INVALID, "--cache-only and --no-cache leave nothing to take");
    if (take_pairs(&f->build_arg, "build-arg", true, &q->build_args, err) ||
        take_pairs(&f->label, "label", false, &q->labels, err) || build_take_outputs(f, q, err) ||
        take_caches(f, q, err) || build_take_attest(f, &q->attest, err))
        return -1;
    vec_each (&f->secret, text)
        if (take_secret(out, *text, err))
            return -1;
    vec_each (&f->build_context, text)
        if (take_context(out, *text, err))
            return -1;
    vec_each (&f->ssh, text)
        if (build_take_ssh(out, *text, err))
            return -1;
    vec_each (&f->allow, text)
        if (entitlement_check(*text, err))
            return -1;
    if (build_take_limits(f, out, err))
        return -1;
    str_list_copy(&q->allows, &f->allow);
    q->ssh = out->ssh.items;
    q->n_ssh = out->ssh.n;
    q->secrets = out->secrets.items;
    q->n_secrets = out->secrets.n;
    return take_place(f, context, out, err);
}
