/* engine/ops/key_file.c - the key of a file operation.
 *
 * Each action is a document of its own, of which the operation's holds the base64.  Of the path
 * that is copied from only the last part is in it, since what is there counts and not where.
 *
 * Spec: BuildKit solver/llbsolver/ops/file.go. */
#include <stdlib.h>
#include <string.h>

#include "base/codec/text.h"
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "engine/ops/key.h"

/* ---- actions ---- */

static struct json *owner_part(const struct owner_part *p)
{
    struct json *o = json_new_object(), *user = json_new_object();
    if (p->kind == OWNER_NAME) {
        struct json *by_name = json_new_object();
        key_put_text(by_name, "name", p->name);
        key_put_int(by_name, "input", p->input);
        json_set(user, "byName", by_name);
    } else {
        key_put_int(user, "byId", p->id);
    }
    json_set(o, "User", user);
    return o;
}

static void put_owner(struct json *o, const struct owner *owner)
{
    if (!owner->is_set)
        return;
    struct json *parts = json_new_object();
    if (owner->user.kind != OWNER_KEEP)
        json_set(parts, "user", owner_part(&owner->user));
    if (owner->group.kind != OWNER_KEEP)
        json_set(parts, "group", owner_part(&owner->group));
    json_set(o, "owner", parts);
}

/* As Go's path.Base. */
static char *base_of(const char *path)
{
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    size_t start = len;
    while (start > 0 && path[start - 1] != '/')
        start--;
    return len == 0       ? xstrdup(".")
           : start == len ? xstrdup("/")
                          : xstrndup(path + start, len - start);
}

static void put_copy(struct json *o, const struct op_action *a, bool is_from_input)
{
    AUTO_FREE char *base = base_of(a->src);
    key_put_text(o, "src", is_from_input ? base : a->src);
    key_put_text(o, "dest", a->path);
    put_owner(o, &a->owner);
    key_put_int(o, "mode", a->mode);
    key_put_flag(o, "followSymlink", a->follows_symlinks);
    key_put_flag(o, "dirCopyContents", a->copies_dir_contents);
    key_put_flag(o, "attemptUnpackDockerCompatibility", a->unpacks_archives);
    key_put_flag(o, "createDestPath", a->creates_dest_path);
    key_put_flag(o, "allowWildcard", a->has_wildcards);
    key_put_flag(o, "allowEmptyWildcard", a->may_match_nothing);
    key_put_int(o, "timestamp", a->timestamp_ns);
    key_put_list(o, "include_patterns", &a->include);
    key_put_list(o, "exclude_patterns", &a->exclude);
    key_put_flag(o, "alwaysReplaceExistingDestPaths", a->replaces_existing);
    key_put_text(o, "modeStr", a->mode_text);
    key_put_list(o, "required_paths", &a->required);
}

static void put_mkfile(struct json *o, const struct op_action *a)
{
    AUTO_VALUE(buf_clear) struct buf data = { 0 };
    buf_init(&data, 2 * LIMIT_GRAPH_BYTES);
    base64_print(a->data, &data);
    key_put_text(o, "path", a->path);
    key_put_int(o, "mode", a->mode);
    key_put_text(o, "data", data.data);
    put_owner(o, &a->owner);
    key_put_int(o, "timestamp", a->timestamp_ns);
}

static struct json *action(const struct op_action *a, bool is_from_input)
{
    struct json *o = json_new_object();
    switch (a->type) {
    case ACTION_COPY:
        put_copy(o, a, is_from_input);
        break;
    case ACTION_MKFILE:
        put_mkfile(o, a);
        break;
    case ACTION_MKDIR:
        key_put_text(o, "path", a->path);
        key_put_int(o, "mode", a->mode);
        key_put_flag(o, "makeParents", a->makes_parents);
        put_owner(o, &a->owner);
        key_put_int(o, "timestamp", a->timestamp_ns);
        break;
    case ACTION_RM:
        key_put_text(o, "path", a->path);
        key_put_flag(o, "allowNotFound", a->may_be_missing);
        key_put_flag(o, "allowWildcard", a->has_wildcards);
        break;
    case ACTION_SYMLINK:
        key_put_text(o, "oldpath", a->target);
        key_put_text(o, "newpath", a->path);
        put_owner(o, &a->owner);
        key_put_int(o, "timestamp", a->timestamp_ns);
        break;
    }
    return o;
}

static struct json *in_base64(struct json *document)
{
    AUTO_VALUE(buf_clear) struct buf text = { 0 }, coded = { 0 };
    buf_init(&text, 8 * LIMIT_GRAPH_BYTES);
    buf_init(&coded, 16 * LIMIT_GRAPH_BYTES);
    json_print(document, &text);
    base64_print(buf_span(&text), &coded);
    json_free(document);
    return json_new_str(coded.data);
}

/* ---- how they hang together ---- */

/* A chain on the first input that copies from the second at most, and gives the last result: then
 * BuildKit leaves the numbers out. */
static bool is_plain_chain(const struct op_file *f)
{
    for (size_t k = 0; k < f->n_actions; k++) {
        const struct op_action *a = &f->actions[k];
        bool is_last = k == f->n_actions - 1;
        int32_t input = k == 0 ? 0 : (int32_t)(f->n_actions + k - 1);
        if (a->input != input || (a->secondary != -1 && a->secondary != 1) ||
            a->output != (is_last ? 0 : -1))
            return false;
    }
    return f->n_actions > 0;
}

static struct json *numbers(const struct op_action *a)
{
    struct json *list = json_new_array();
    json_push(list, json_new_int(a->input));
    json_push(list, json_new_int(a->secondary));
    json_push(list, json_new_int(a->output));
    return list;
}

struct digest key_of_file(const struct vertex *v)
{
    const struct op_file *f = &v->file;
    AUTO(json_free) struct json *o = json_new_object();
    struct json *actions = json_new_array(), *indexes = json_new_array();
    json_set_str(o, "Type", "buildkit.file.v0");
    for (size_t k = 0; k < f->n_actions; k++) {
        const struct op_action *a = &f->actions[k];
        bool is_from_input = a->secondary >= 0 && (size_t)a->secondary < v->n_inputs;
        json_push(actions, in_base64(action(a, is_from_input)));
        if (!is_plain_chain(f))
            json_push(indexes, numbers(a));
    }
    json_set(o, "Actions", actions);
    key_put_array(o, "indexes", indexes);
    return key_digest(o);
}

/* ---- what is read ---- */

static bool is_changed(const struct vertex *v, size_t i)
{
    for (size_t k = 0; k < v->file.n_actions; k++)
        if (v->file.actions[k].input == (int32_t)i)
            return true;
    return false;
}

static void add_owner(const struct owner_part *p, size_t i, const char *path, struct key_paths *out)
{
    if (p->kind == OWNER_NAME && p->input == (int32_t)i)
        *vec_push(out) = (struct key_path){ .path = path, .follows = true };
}

void file_input_paths(const struct vertex *v, size_t i, struct key_paths *out)
{
    out->vertex = v;
    out->input = i;
    if (is_changed(v, i))
        return;
    for (size_t k = 0; k < v->file.n_actions; k++) {
        const struct op_action *a = &v->file.actions[k];
        if (a->type == ACTION_RM || a->type == ACTION_SYMLINK)
            continue;
        if (a->owner.is_set) {
            add_owner(&a->owner.user, i, "/etc/passwd", out);
            add_owner(&a->owner.group, i, "/etc/group", out);
        }
        if (a->type == ACTION_COPY && a->secondary == (int32_t)i)
            *vec_push(out) = (struct key_path){ .path = a->src,
                                                .follows = a->follows_symlinks,
                                                .has_wildcards = a->has_wildcards,
                                                .include = &a->include,
                                                .exclude = &a->exclude };
    }
}
