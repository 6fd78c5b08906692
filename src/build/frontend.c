/* build/frontend.c - what the Dockerfile front end asks of its caller: images' configs, files of
 * contexts. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/codec/text.h"
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "build/context.h"
#include "build/internal.h"
#include "engine/source/layout_source.h"
#include "frontend/dockerfile/remote_url.h"

/* ---- the Dockerfile itself ---- */

void recipe_clear(struct recipe *r)
{
    buf_clear(&r->text);
    free(r->name);
    free(r->folder);
}

static bool is_file(const char *path)
{
    return access(path, F_OK) == 0;
}

/* -f names a file from here, or, as older clients had it, in the context; without -f it is
 * Dockerfile, else dockerfile, in the context. */
static char *find_dockerfile(const struct build_request *q)
{
    AUTO_FREE char *in_context =
        xasprintf("%s/%s", q->context, q->dockerfile ? q->dockerfile : "Dockerfile");
    if (q->dockerfile)
        return is_file(q->dockerfile) || !is_file(in_context) ? xstrdup(q->dockerfile)
                                                              : STEAL(in_context);
    AUTO_FREE char *lower = xasprintf("%s/dockerfile", q->context);
    return !is_file(in_context) && is_file(lower) ? STEAL(lower) : STEAL(in_context);
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static int read_from_folder(const struct build_request *q, struct recipe *out, struct err *err)
{
    AUTO_FREE char *path = find_dockerfile(q);
    const char *slash = strrchr(path, '/');
    out->name = xstrdup(last_part(path));
    out->folder =
        !slash ? xstrdup(".") : xstrndup(path, slash == path ? 1 : (size_t)(slash - path));
    if (fs_read_file(AT_FDCWD, path, &out->text, err) == 0)
        return 0;
    err_wrap(err, "read the Dockerfile");
    return err->kind == ERR_NOT_FOUND
               ? err_hint(err, "say where it is with -f FILE; the build context is %s", q->context)
               : -1;
}

/* The path is one in the context, but an absolute one, as in buildx. */
static int read_from_context(struct asked *a, struct recipe *out, struct err *err)
{
    const char *given = a->request->dockerfile, *path = given ? given : "Dockerfile";
    bool is_there = false;
    if (given && given[0] == '/')
        return read_from_folder(a->request, out, err);
    out->name = xstrdup(last_part(path));
    if (contexts_read(a, path, &out->text, &is_there, err))
        return -1;
    if (!is_there && !given && contexts_read(a, "dockerfile", &out->text, &is_there, err))
        return -1;
    if (is_there)
        return 0;
    AUTO_FREE char *shown = urls_redacted(a->request->context);
    err_set(err, ERR_NOT_FOUND, "read the Dockerfile: build context %s: %s: not found", shown,
            path);
    return err_hint(err, "say where it is in there with -f PATH");
}

int recipe_read(struct asked *a, struct recipe *out, struct err *err)
{
    const struct build_request *q = a->request;
    const struct contexts *x = a->contexts;
    buf_init(&out->text, LIMIT_DOCKERFILE);
    bool is_url = q->dockerfile && url_is_http(q->dockerfile);
    bool is_text = q->dockerfile && strcmp(q->dockerfile, "-") == 0;
    if (!is_url && !is_text && !x->has_text && !x->is_recipe)
        return contexts_are_remote(x) ? read_from_context(a, out, err)
                                      : read_from_folder(q, out, err);
    out->name = xstrdup("Dockerfile");
    if (is_url)
        return contexts_fetch(a, q->dockerfile, &out->text, err)
                   ? err_wrap(err, "read the Dockerfile")
                   : 0;
    if (is_text || x->has_text)
        return buf_append(&out->text, is_text ? q->dockerfile_text : buf_span(&x->text), err);
    return contexts_fetch(a, x->source, &out->text, err);
}

int recipe_load(struct asked *a, struct recipe *out, struct err *err)
{
    const char *name = a->request->dockerfile;
    if (!name || strcmp(name, "-") == 0)
        name = "Dockerfile";
    else if (!contexts_are_remote(a->contexts))
        name = last_part(name); /* as buildx: the folder is said elsewhere */
    AUTO_FREE char *clean = urls_redacted(name);
    AUTO_FREE char *shown = xasprintf("[internal] load build definition from %s", clean);
    progress_task_start(a->progress, shown, shown);
    int status = recipe_read(a, out, err);
    progress_task_end(a->progress, shown, status, err);
    return status;
}

/* ---- the host's functions ---- */

static int resolve_image(void *arg, const struct reference *ref, const struct platform *p,
                         enum image_resolve mode, struct image_meta *out, struct err *err)
{
    struct asked *a = arg;
    const struct image *image = NULL;
    AUTO_FREE char *name = reference_text(ref);
    AUTO_FREE char *shown = xasprintf("[internal] load metadata for %s", name);
    enum resolve_mode how = mode == IMAGE_RESOLVE_PULL    ? RESOLVE_PULL
                            : mode == IMAGE_RESOLVE_LOCAL ? RESOLVE_LOCAL
                                                          : a->mode;
    progress_task_start(a->progress, shown, shown);
    int status = image_source_get(a->engine->images, ref, p, how, a->cancel, &image, err);
    progress_task_end(a->progress, shown, status, err);
    if (status)
        return -1;
    out->digest = image->target.digest;
    image_config_copy(&out->config, &image->config);
    return 0;
}

static int resolve_layout(void *arg, const struct image_in_layout *layout, const struct platform *p,
                          struct image_meta *out, struct err *err)
{
    struct asked *a = arg;
    const struct image *image = NULL;
    struct descriptor found;
    out->digest = layout->digest;
    if (!digest_is_set(&layout->digest)) {
        if (layout_find(layout->path, layout->tag[0] ? layout->tag : NULL, &found, err))
            return -1;
        out->digest = found.digest;
        descriptor_clear(&found);
    }
    if (image_source_get_layout(a->engine->images, layout->path, &out->digest, p, a->cancel, &image,
                                err))
        return -1;
    image_config_copy(&out->config, &image->config);
    return 0;
}

/* The folder that the front end means; NULL for a context that is none. */
static const char *folder_of_context(const struct asked *a, const char *context)
{
    if (strcmp(context, "context") == 0)
        return a->contexts->has_archive ? NULL : a->contexts->folder;
    if (strcmp(context, "dockerfile") == 0) /* need not be in the context */
        return a->recipe->folder;
    map_each (&a->request->named_contexts, e) {
        const char *value = e->value;
        if (strncmp(value, "local:", 6) == 0 && strcmp(value + 6, context) == 0)
            return value + 6;
    }
    return NULL;
}

static int read_context_file(void *arg, const char *context, const char *path, struct buf *out,
                             bool *is_there, struct err *err)
{
    struct asked *a = arg;
    const char *folder = folder_of_context(a, context);
    *is_there = false;
    if (!folder)
        return 0;
    AUTO_FD int fd = -1, file = -1;
    if (fs_open(AT_FDCWD, folder, O_PATH | O_DIRECTORY, 0, &fd, err))
        return err_wrap(err, "open the build context %s", folder);
    if (fs_open_in_root(fd, path, O_RDONLY | O_NONBLOCK, 0, &file, err)) {
        if (err->kind != ERR_NOT_FOUND)
            return err_wrap(err, "read %s/%s", folder, path);
        err_clear(err);
        return 0;
    }
    *is_there = true;
    /* BuildKit's name for it, whichever ignore file it is. */
    static const char shown[] = "[internal] load .dockerignore";
    progress_task_start(a->progress, path, shown);
    int status = fs_read_fd(file, out, err) ? err_wrap(err, "read %s/%s", folder, path) : 0;
    progress_task_end(a->progress, path, status, err);
    return status;
}

struct frontend_host frontend_host_of(struct asked *a)
{
    return (struct frontend_host){ .arg = a,
                                   .resolve_image = resolve_image,
                                   .resolve_layout = resolve_layout,
                                   .read_context_file = read_context_file,
                                   .time_of = contexts_time_of };
}
