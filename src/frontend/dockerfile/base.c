/* frontend/dockerfile/base.c - what a stage begins with: an image, a named context, nothing.
 *
 * A named context takes the place of the stage of its name, or of an image that FROM or --from
 * name.  The host is asked about an image once for each platform, and only when a stage in use
 * stands on it.
 *
 * Spec: dockerfile reference "FROM"; buildx "--build-context"; BuildKit frontend/dockerui.
 * Threads: a converter belongs to one thread. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "frontend/dockerfile/convert_internal.h"

void stage_state_clear(struct stage_state *st)
{
    image_config_clear(&st->config);
    env_clear(&st->env);
    vec_clear(&st->args);
    *st = (struct stage_state){ 0 };
}

static const struct platform *platform_of(const struct converter *c, const struct build_stage *s)
{
    return s->platform.is_set ? &s->platform : &c->target_platform;
}

/* --- images --- */

static int no_such_image(struct converter *c, const char *name, struct err *err)
{
    static const char *const common[] = { "alpine", "busybox", "centos", "debian",
                                          "fedora", "golang",  "ubuntu" };
    enum { N_COMMON = sizeof common / sizeof *common };
    err_wrap(err, "%s", name);
    if (err->kind != ERR_NOT_FOUND && err->kind != ERR_DENIED)
        return -1;
    AUTO_FREE const char **names = xcalloc(c->df->n_stages + N_COMMON, sizeof *names);
    size_t n = 0;
    for (size_t i = 0; i < c->df->n_stages; i++)
        if (c->stages.items[i]->name[0])
            names[n++] = c->stages.items[i]->name;
    for (size_t i = 0; i < N_COMMON; i++)
        names[n++] = common[i];
    return did_you_mean(err, name, names, n, true);
}

static void keep_image(struct converter *c, const char *name, const struct platform *p,
                       struct image_meta *meta)
{
    struct resolved_image *image = xcalloc(1, sizeof *image);
    *image = (struct resolved_image){ .name = name, .platform = *p, .meta = *meta };
    *meta = (struct image_meta){ 0 };
    *vec_push(&c->images) = image;
}

/* An image of which nothing is known, in place of one that could not be resolved. */
static void guess_image(struct converter *c, struct build_stage *s)
{
    struct image_meta meta = { 0 };
    const struct platform *p = platform_of(c, s);
    image_config_init(&meta.config, p);
    keep_image(c, arena_strdup(c->arena, s->base_name), p, &meta);
    s->image = c->images.items[c->images.n - 1];
    s->is_guess = true;
}

/* `written` is how the Dockerfile calls it. */
static int resolve_image(struct converter *c, struct build_stage *s, const char *written,
                         struct err *err)
{
    AUTO_VALUE(reference_clear) struct reference ref = { 0 };
    AUTO_VALUE(image_meta_clear) struct image_meta meta = { 0 };
    const struct platform *p = platform_of(c, s);
    if (reference_parse(span_of(written), &ref, err)) {
        err_wrap(err, "failed to parse stage name %s", quoted(c->arena, written));
        return -1;
    }
    AUTO_FREE char *text = reference_text(&ref);
    s->base_type = BASE_IMAGE;
    vec_each (&c->images, known) {
        if (strcmp((*known)->name, text) == 0 && platform_equal(&(*known)->platform, p)) {
            s->image = *known;
            return 0;
        }
    }
    if (c->host->resolve_image(c->host->arg, &ref, p, c->o->resolve_mode, &meta, err))
        return no_such_image(c, written, err);
    check_base_platform(c, s, written, &meta.config.platform);
    keep_image(c, arena_strdup(c->arena, text), p, &meta);
    s->image = c->images.items[c->images.n - 1];
    return 0;
}

/* --- named contexts --- */

int image_in_layout_parse(const char *text, struct arena *a, struct image_in_layout *out,
                          struct err *err)
{
    struct span rest = span_skip(span_of(text), strlen("oci-layout://"));
    ptrdiff_t at = span_rfind(rest, '@');
    *out = (struct image_in_layout){ .tag = "" };
    if (at >= 0 && digest_parse(span_skip(rest, (size_t)at + 1), &out->digest, err))
        return -1;
    rest = at >= 0 ? span_first(rest, (size_t)at) : rest;
    ptrdiff_t colon = span_rfind(rest, ':');
    if (colon > span_rfind(rest, '/')) {
        struct span tag = span_skip(rest, (size_t)colon + 1);
        out->tag = arena_strndup(a, tag.ptr, tag.len);
        rest = span_first(rest, (size_t)colon);
    }
    out->path = arena_strndup(a, rest.ptr, rest.len);
    return rest.len ? 0 : err_set(err, ERR_INVALID, "it names no folder");
}

static int resolve_layout(struct converter *c, struct build_stage *s, const char *key,
                          const char *value, struct err *err)
{
    AUTO_VALUE(image_meta_clear) struct image_meta meta = { 0 };
    const struct platform *p = platform_of(c, s);
    struct image_in_layout image;
    if (!c->host->resolve_layout)
        return err_set(err, ERR_UNSUPPORTED, "context %s: %s: OCI layouts are not here", key,
                       value);
    if (image_in_layout_parse(value, c->arena, &image, err) ||
        c->host->resolve_layout(c->host->arg, &image, p, &meta, err))
        return err_wrap(err, "context %s: %s", key, value);
    s->base_type = BASE_IMAGE;
    s->image_label = arena_printf(c->arena, "[context %s] %s", key, value);
    keep_image(c, value, p, &meta);
    s->image = c->images.items[c->images.n - 1];
    c->images.items[c->images.n - 1]->layout = image.path;
    return 0;
}

/* The value given for `name`, which is a stage's or an image's; *key is what it was found by. */
const char *named_context_find(const struct converter *c, const struct platform *p,
                               const char *name, const char **key)
{
    if (!c->o->named_contexts || strcasecmp(name, "scratch") == 0 ||
        strcasecmp(name, "context") == 0)
        return NULL;
    AUTO_VALUE(reference_clear) struct reference ref = { 0 };
    struct err ignored = { 0 };
    if (reference_parse(span_of(name), &ref, &ignored))
        return NULL;
    AUTO_FREE char *text = reference_familiar(&ref);
    struct span familiar = span_of(text);
    if (span_ends(familiar, ":latest"))
        familiar = span_first(familiar, familiar.len - strlen(":latest"));
    const char *plain = arena_strndup(c->arena, familiar.ptr, familiar.len);
    *key = arena_printf(c->arena, "%s::%s", plain, platform_text(p).s);
    const char *value = map_find_str(c->o->named_contexts, *key);
    if (!value)
        value = map_find_str(c->o->named_contexts, *key = plain);
    return value;
}

static struct context *named_context(struct converter *c, const char *name, const char *source)
{
    vec_each (&c->contexts, x)
        if (strcmp((*x)->name, name) == 0)
            return *x;
    struct context *x = xcalloc(1, sizeof *x);
    *x = (struct context){ .type = context_type_of(source), .name = name, .source = source };
    *vec_push(&c->contexts) = x;
    return x;
}

static int use_context_value(struct converter *c, struct build_stage *s, const char *key,
                             const char *value, struct err *err)
{
    struct span v = span_of(value);
    if (span_starts(v, "docker-image://")) {
        const char *image = value + strlen("docker-image://");
        s->base_type = BASE_SCRATCH;
        if (strcmp(image, "scratch") == 0)
            return 0;
        s->image_label = arena_printf(c->arena, "[context %s] %s", key, image);
        return resolve_image(c, s, image, err);
    }
    if (span_starts(v, "oci-layout://"))
        return resolve_layout(c, s, key, value, err);
    bool is_local = span_starts(v, "local:");
    if (!is_local && context_type_of(value) == CONTEXT_LOCAL) {
        bool is_known = span_starts(v, "input:") || span_starts(v, "target:");
        err_set(err, is_known ? ERR_UNSUPPORTED : ERR_INVALID,
                is_known ? "context %s: %s: contexts of this kind are not supported yet"
                         : "context %s: %s: unsupported context source",
                key, value);
        return err_hint(err,
                        "use a folder, docker-image://REFERENCE, oci-layout://FOLDER, or a git or "
                        "http URL");
    }
    s->base_type = BASE_CONTEXT;
    s->context = named_context(c, key, is_local ? value + strlen("local:") : value);
    return 0;
}

void base_replace(struct converter *c, struct build_stage *s)
{
    if (s->name[0])
        s->replacement = named_context_find(c, platform_of(c, s), s->name, &s->replacement_key);
    s->is_replaced = s->replacement != NULL;
}

int base_resolve(struct converter *c, struct build_stage *s, struct err *err)
{
    const char *key = s->replacement_key, *value = s->replacement;
    if (s->base_type == BASE_STAGE)
        return 0;
    if (!value && strcmp(s->base_name, "scratch") != 0)
        value = named_context_find(c, platform_of(c, s), s->base_name, &key);
    int failed = 0;
    if (value)
        failed = use_context_value(c, s, key, value, err);
    else if (strcmp(s->base_name, "scratch") != 0)
        failed = resolve_image(c, s, s->base_name, err);
    if (!failed)
        return 0;
    const char *text =
        s->parsed ? s->parsed->text : arena_printf(c->arena, "--from=%s", s->base_name);
    bool is_image = s->base_type == BASE_IMAGE && !s->image;
    blame(c, s->where, text, err);
    if (!is_image || !c->unknown || err->kind == ERR_CANCELED)
        return -1;
    if (!c->unknown->is_set)
        *c->unknown = (struct unknown){ true, *err, s->where };
    c->result->where = (struct source_lines){ 0 };
    err_clear(err);
    guess_image(c, s);
    return 0;
}

/* --- the beginning of a stage --- */

static bool is_empty_image(const struct image_config *config)
{
    vec_each (&config->history, h)
        if (!h->is_empty_layer)
            return false;
    return config->diff_ids.n == 0;
}

static int layout_edge(struct converter *c, struct build_stage *s, struct edge *out,
                       struct err *err)
{
    const struct resolved_image *image = s->image;
    const struct pair store = { ATTR_LAYOUT_STORE, image->layout };
    const struct vertex_about about = { .platform = &image->platform, .name = s->image_label };
    const struct op_source op = {
        .identifier =
            arena_printf(c->arena, "oci-layout://context@%s", digest_text(&image->meta.digest).s),
        .attrs = { &store, 1 },
    };
    return graph_add_source(c->builder, &op, &about, out, err);
}

static int image_edge(struct converter *c, struct build_stage *s, struct edge *out, struct err *err)
{
    const struct resolved_image *image = s->image;
    AUTO_VALUE(reference_clear) struct reference ref = { 0 };
    if (is_empty_image(&image->meta.config))
        return 0;
    if (image->layout)
        return layout_edge(c, s, out, err);
    if (reference_parse(span_of(image->name), &ref, err))
        return -1;
    if (digest_is_set(&image->meta.digest))
        ref.digest = image->meta.digest;
    AUTO_FREE char *text = reference_text(&ref);
    static const char *const modes[] = { "default", "pull", "local" };
    const struct pair mode = { ATTR_IMAGE_RESOLVE_MODE, modes[c->o->resolve_mode] };
    const struct pair command = { "com.docker.dockerfile.v1.command",
                                  s->parsed ? s->parsed->text : "" };
    const char *prefix = step_prefix(c, s, &image->platform, false, false);
    const struct source_range range = { c->file, s->where.first, 0, s->where.last, 0 };
    const struct vertex_about about = {
        .platform = &image->platform,
        .name = s->image_label ? s->image_label : arena_printf(c->arena, "%sFROM %s", prefix, text),
        .description = { &command, command.value[0] != '\0' },
        .ranges = &range,
        .n_ranges = 1,
    };
    const struct op_source op = {
        .identifier = arena_printf(c->arena, "docker-image://%s", text),
        .attrs = { &mode, c->o->resolve_mode != IMAGE_RESOLVE_DEFAULT },
    };
    return graph_add_source(c->builder, &op, &about, out, err);
}

static void empty_config(struct image_config *config, const struct platform *p)
{
    image_config_init(config, p);
    config->working_dir = xstrdup("/");
    image_config_set_env(config, "PATH", DEFAULT_PATH);
}

/* What an image says, without what is not BuildKit's to hand on. */
static void config_of_image(struct image_config *config, const struct image_config *from)
{
    image_config_copy(config, from);
    json_free(config->raw);
    config->raw = NULL;
    free(config->created);
    config->created = NULL;
    str_list_clear(&config->on_build);
}

/* Goes on where the base stage ended. */
static void begin_on_stage(struct build_stage *s)
{
    struct stage_state *st = &s->state;
    const struct stage_state *base = &s->base->state;
    st->root = base->root;
    st->platform = base->platform;
    image_config_copy(&st->config, &base->config);
    str_list_clear(&st->config.on_build);
    env_copy(&st->env, &base->env);
    vec_each (&base->args, arg)
        *vec_push(&st->args) = *arg;
    st->cwd = base->cwd;
    st->user = base->user;
    st->has_workdir = base->has_workdir;
    st->is_guess = base->is_guess;
}

/* A folder of the caller's is read where it lies; what steps change, and images, is a copy. */
static int copy_folder(struct converter *c, struct build_stage *s, struct edge *root,
                       struct err *err)
{
    const struct op_action copy = {
        .type = ACTION_COPY,
        .from = *root,
        .src = "/",
        .path = "/",
        .mode = MODE_KEEP,
        .timestamp_ns = TIMESTAMP_NONE,
        .copies_dir_contents = true,
    };
    const struct vertex_about about = {
        .name = arena_printf(c->arena, "[context %s] copy", s->context->name),
    };
    map_set(&s->context->paths, "/", NULL);
    return graph_add_file(c->builder, (struct edge){ 0 }, &copy, 1, &about, root, err);
}

static int begin_on_root(struct converter *c, struct build_stage *s, struct err *err)
{
    struct stage_state *st = &s->state;
    st->platform = *platform_of(c, s);
    st->cwd = "/";
    st->user = "";
    st->is_guess = s->is_guess;
    if (s->base_type == BASE_IMAGE) {
        config_of_image(&st->config, &s->image->meta.config);
        return image_edge(c, s, &st->root, err);
    }
    if (s->base_type == BASE_SCRATCH && !s->is_replaced)
        st->platform = c->target_platform;
    empty_config(&st->config, &st->platform);
    if (s->base_type != BASE_CONTEXT)
        return 0;
    if (context_edge(c, s->context, &st->root, err))
        return -1;
    return s->parsed && s->context->type == CONTEXT_LOCAL ? copy_folder(c, s, &st->root, err) : 0;
}

/* The environment, folder and user that the config names. */
static void apply_config(struct converter *c, struct build_stage *s)
{
    struct stage_state *st = &s->state;
    bool is_windows = strcmp(st->platform.os, "windows") == 0;
    if (!image_config_env(&st->config, "PATH") && !is_windows)
        image_config_set_env(&st->config, "PATH", DEFAULT_PATH);
    vec_each (&st->config.env, e) {
        const char *equals = strchrnul(*e, '=');
        env_set(&st->env, arena_strndup(c->arena, *e, (size_t)(equals - *e)),
                arena_strdup(c->arena, *equals ? equals + 1 : ""));
    }
    if (st->config.working_dir && st->config.working_dir[0])
        workdir_set(s, arena_strdup(c->arena, st->config.working_dir), c->arena);
    if (st->config.user && st->config.user[0])
        st->user = arena_strdup(c->arena, st->config.user);
}

int base_begin(struct converter *c, struct build_stage *s, struct err *err)
{
    stage_state_clear(&s->state);
    s->state.is_done = !s->parsed || s->is_replaced;
    if (s->base_type == BASE_STAGE)
        begin_on_stage(s);
    else if (begin_on_root(c, s, err))
        return -1;
    if (!s->state.is_done)
        apply_config(c, s);
    return 0;
}

int base_begin_source(struct converter *c, struct build_stage *s, struct err *err)
{
    bool is_stage = s->parsed && !s->is_replaced;
    return is_stage || s->state.is_done ? 0 : base_begin(c, s, err);
}
