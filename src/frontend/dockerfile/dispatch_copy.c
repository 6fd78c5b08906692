/* frontend/dockerfile/dispatch_copy.c - COPY and ADD: one file operation with an action for each
 * source, in the order of the line, heredocs last.
 *
 * With --link (and no --chmod, as BuildKit has it) the files go onto an empty root, which is then
 * merged onto the stage.
 *
 * Spec: dockerfile reference "COPY", "ADD".  Threads: a converter belongs to one thread. */
#include <string.h>

#include "frontend/dockerfile/convert_internal.h"
#include "frontend/dockerfile/remote_url.h"

struct copying {
    struct dispatch *d;
    bool is_add;
    struct strings sources; /* after expansion, as are the rest */
    const char *written_dest, *dest;
    const char *chown, *chmod, *checksum;
    const char *name; /* "[2/5] COPY a b" */
    struct build_stage *from;
    struct op_action plain; /* what all actions have in common */
    struct op_action *actions;
    size_t n;
};

/* --- what is asked for --- */

static bool is_symbolic_mode(const char *text)
{
    for (const char *p = text;; p++) {
        p += strspn(p, "ugoa");
        if (!*p || !strchr("+-=", *p))
            return false;
        while (*p && strchr("+-=", *p)) {
            p++;
            p += strspn(p, "rwxXstugo");
        }
        if (*p != ',')
            return *p == '\0';
    }
}

static int set_mode(struct copying *w, struct err *err)
{
    uint64_t mode;
    w->plain.mode = MODE_KEEP;
    if (!w->chmod[0])
        return 0;
    if (unsigned_parse(w->chmod, 8, 07777, &mode)) {
        w->plain.mode = (int32_t)mode;
        return 0;
    }
    if (is_symbolic_mode(w->chmod)) {
        w->plain.mode = 0; /* what BuildKit's client writes beside a symbolic mode */
        w->plain.mode_text = w->chmod;
        return 0;
    }
    return err_set(err, ERR_INVALID,
                   "invalid chmod parameter: '%s'. it should be octal string and between 0 and "
                   "07777",
                   w->chmod);
}

/* The destination as an absolute path; "/" or "/." at its end stays. */
static const char *dest_path(const struct copying *w)
{
    struct arena *a = w->d->arena;
    const char *written = w->written_dest;
    struct span s = span_of(written);
    const char *path =
        written[0] == '/'
            ? rooted_path(written, a)
            : rooted_path(arena_printf(a, "%s/%s", w->d->stage->state.cwd, written), a);
    bool is_root = strcmp(path, "/") == 0;
    if (!s.len || span_is(s, ".") || span_ends(s, "/"))
        return is_root ? path : arena_printf(a, "%s/", path);
    if (span_ends(s, "/."))
        return is_root ? "/." : arena_printf(a, "%s/.", path);
    return path;
}

static int expand_words(struct copying *w, struct err *err)
{
    struct dispatch *d = w->d;
    const struct copy *in = &d->in->copy;
    struct strings excludes;
    if (expand_all(d, &in->sources, &w->sources, err) ||
        expand(d, in->dest, &w->written_dest, err) || expand(d, in->chown, &w->chown, err) ||
        expand(d, in->chmod, &w->chmod, err) || expand(d, in->checksum, &w->checksum, err) ||
        expand_all(d, &in->excludes, &excludes, err))
        return -1;
    const struct dockerfile_result *r = d->c->result;
    w->dest = dest_path(w);
    w->plain = (struct op_action){
        .type = ACTION_COPY,
        .path = w->dest,
        .owner = owner_parse(w->chown, d->arena),
        .timestamp_ns = r->has_epoch ? r->epoch * 1000000000 : TIMESTAMP_NONE,
        .exclude = excludes,
        .creates_dest_path = true,
    };
    return set_mode(w, err);
}

static int check_excludes(const struct copying *w, struct err *err)
{
    AUTO(pattern_list_free) struct pattern_list *list = NULL;
    for (size_t i = 0; i < w->plain.exclude.n; i++) {
        if (!pattern_list_of(&w->plain.exclude.items[i], 1, &list, err)) {
            pattern_list_free(STEAL(list));
            continue;
        }
        return err_wrap(err, "--exclude=%s", w->plain.exclude.items[i]);
    }
    return 0;
}

static int check_checksum(const struct copying *w, struct err *err)
{
    if (!w->checksum[0])
        return 0;
    if (w->sources.n != 1)
        return err_set(err, ERR_INVALID, "checksum can't be specified for multiple sources");
    if (!url_is_http(w->sources.items[0]) && !url_is_git(w->sources.items[0]))
        return err_set(err, ERR_INVALID, "checksum requires HTTP(S) or Git sources");
    struct digest digest;
    if (url_is_http(w->sources.items[0]) && digest_parse(span_of(w->checksum), &digest, err))
        return err_wrap(err, "--checksum=%s", w->checksum);
    return 0;
}

/* --- one source --- */

static int add_git(struct copying *w, const char *source, struct err *err)
{
    struct dispatch *d = w->d;
    const struct copy *in = &d->in->copy;
    struct git_ref g;
    if (git_ref_parse(source, d->arena, &g, err))
        return -1;
    if (in->keep_git_dir != FLAG_UNSET && g.keep_git_dir != FLAG_UNSET &&
        in->keep_git_dir != g.keep_git_dir)
        return err_set(err, ERR_INVALID, "inconsistent keep-git-dir configuration");
    if (w->checksum[0] && g.checksum[0] && strcmp(w->checksum, g.checksum) != 0)
        return err_set(err, ERR_INVALID, "checksum mismatch %s != %s",
                       quoted(d->arena, w->checksum), quoted(d->arena, g.checksum));
    g.checksum = g.checksum[0] ? g.checksum : w->checksum;
    g.keep_git_dir = g.keep_git_dir == FLAG_UNSET ? in->keep_git_dir : g.keep_git_dir;
    epoch_set_mtime(d->c, &g);
    struct source_range range;
    const struct vertex_about about = step_about(d, w->name, &range);
    const struct op_source op = git_source(&g, d->arena);
    struct op_action *act = &w->actions[w->n++];
    *act = w->plain;
    act->src = "/";
    return graph_add_source(d->c->builder, &op, &about, &act->from, err);
}

static int add_http(struct copying *w, const char *source, struct err *err)
{
    struct dispatch *d = w->d;
    const char *file = url_file_name(source, d->arena);
    struct source_range range;
    const struct vertex_about about = step_about(d, w->name, &range);
    const struct op_source op = http_source(source, file, w->checksum, d->arena);
    struct op_action *act = &w->actions[w->n++];
    *act = w->plain;
    act->src = rooted_path(file, d->arena);
    act->unpacks_archives = d->in->copy.unpack == FLAG_TRUE;
    return graph_add_source(d->c->builder, &op, &about, &act->from, err);
}

/* --parents: what is copied keeps its folders, from "/./" on where that stands in the path. */
static const char *keep_parents(struct copying *w, const char *source, struct op_action *act)
{
    struct arena *a = w->d->arena;
    const char *pivot = strstr(source, "/./");
    const char *root = pivot ? arena_strndup(a, source, (size_t)(pivot - source)) : "/";
    const char *pattern = rooted_path(pivot ? pivot + 3 : source, a);
    const char **include = arena_alloc(a, 2 * sizeof *include);
    include[0] = pattern + 1;
    act->include = (struct strings){ include, 1 };
    if (!pattern_has_wildcard(root) && !pattern_has_wildcard(pattern)) {
        include[1] = rooted_path(arena_printf(a, "%s/%s", root, pattern), a);
        act->required = (struct strings){ &include[1], 1 };
    }
    return root;
}

static int add_path(struct copying *w, const char *source, struct err *err)
{
    struct dispatch *d = w->d;
    struct op_action *act = &w->actions[w->n++];
    const char *path = rooted_path(source, d->arena);
    *act = w->plain;
    if (w->from) {
        stage_uses_path(w->from, path);
        act->from = w->from->state.root;
    } else {
        map_set(&d->c->main.paths, path, NULL);
        if (context_open(d->c, &d->c->main, err) ||
            context_edge(d->c, &d->c->main, &act->from, err))
            return -1;
        check_ignored(d, path);
    }
    act->src =
        d->in->copy.keeps_parents ? rooted_path(keep_parents(w, source, act), d->arena) : path;
    act->follows_symlinks = true;
    act->copies_dir_contents = true;
    act->unpacks_archives =
        d->in->copy.unpack == FLAG_UNSET ? w->is_add : d->in->copy.unpack == FLAG_TRUE;
    act->has_wildcards = true;
    act->may_match_nothing = true;
    return 0;
}

static int add_source(struct copying *w, const char *source, struct err *err)
{
    bool is_git = url_is_git(source), is_http = url_is_http(source);
    if (!is_git && !is_http)
        return add_path(w, source, err);
    if (!w->is_add) {
        err_set(err, ERR_INVALID, "source can't be a %s for COPY", is_git ? "git ref" : "URL");
        return err_hint(err, "use ADD");
    }
    int failed = is_git ? add_git(w, source, err) : add_http(w, source, err);
    return failed ? err_wrap(err, "%s", source) : 0;
}

/* A heredoc is a file of its own that is copied. */
static int add_document(struct copying *w, const struct heredoc *doc, struct err *err)
{
    struct dispatch *d = w->d;
    const struct shell_lex lex = {
        .find = env_find, .env = &d->stage->state.env, .escape = '\\', .ignores_quotes = true
    };
    struct shell_result r = { .text = doc->content };
    if (doc->expands &&
        (shell_lex_word(&lex, doc->content, d->arena, &r, err) || spend(d->c, strlen(r.text), err)))
        return err_wrap(err, "<<%s", doc->name);
    check_unset(d, &r);
    const struct op_action mkfile = {
        .type = ACTION_MKFILE,
        .path = rooted_path(doc->name, d->arena),
        .mode = 0644,
        .timestamp_ns = TIMESTAMP_NONE,
        .data = span_of(r.text),
    };
    const struct vertex_about about = { .name = "[internal] preparing inline document" };
    struct op_action *act = &w->actions[w->n++];
    *act = w->plain;
    act->src = mkfile.path;
    return graph_add_file(d->c->builder, (struct edge){ 0 }, &mkfile, 1, &about, &act->from, err);
}

static int add_actions(struct copying *w, struct err *err)
{
    const struct heredocs *docs = &w->d->in->copy.heredocs;
    w->actions = arena_alloc(w->d->arena, (w->sources.n + docs->n + 1) * sizeof *w->actions);
    for (size_t i = 0; i < w->sources.n; i++)
        if (add_source(w, w->sources.items[i], err))
            return -1;
    for (size_t i = 0; i < docs->n; i++)
        if (add_document(w, &docs->items[i], err))
            return -1;
    return 0;
}

/* --- the operation --- */

static const char *copy_history(const struct copying *w)
{
    struct arena *a = w->d->arena;
    const struct copy *in = &w->d->in->copy;
    const char *text = w->is_add ? "ADD" : "COPY";
    if (in->keeps_parents)
        text = arena_printf(a, "%s --parents", text);
    if (w->chown[0])
        text = arena_printf(a, "%s --chown=%s", text, w->chown);
    if (w->chmod[0])
        text = arena_printf(a, "%s --chmod=%s", text, w->chmod);
    if (w->sources.n)
        text = arena_printf(a, "%s %s", text, joined(&w->sources, a));
    AUTO_VALUE(buf_clear) struct buf out;
    buf_init(&out, SIZE_MAX);
    buf_puts(&out, text);
    for (size_t i = 0; i < in->heredocs.n; i++)
        buf_printf(&out, " <<%s", in->heredocs.items[i].name);
    buf_printf(&out, " %s # buildkit", w->written_dest);
    return arena_strndup(a, out.data, out.len);
}

/* Onto an empty root, then merged: the layer depends on nothing below it. */
static int link_files(struct copying *w, const char *prefix, const char *text,
                      struct vertex_about *about, struct err *err)
{
    struct dispatch *d = w->d;
    struct edge *root = &d->stage->state.root, parts[2] = { *root };
    about->group = (struct progress_group){
        .is_set = true,
        .id = arena_printf(d->arena, "link-%s-%d", d->stage->label, d->step->where.first),
        .name = w->name,
        .is_weak = true,
    };
    if (graph_add_file(d->c->builder, (struct edge){ 0 }, w->actions, w->n, about, &parts[1], err))
        return -1;
    about->group.is_weak = false;
    about->name = arena_printf(d->arena, "%sLINK %s", prefix, text);
    return graph_add_merge(d->c->builder, parts, 2, about, root, err);
}

static int check_source_stage(struct copying *w, struct err *err)
{
    struct dispatch *d = w->d;
    w->from = d->step->n_sources ? d->step->sources[0] : NULL;
    if (w->from && base_begin_source(d->c, w->from, err))
        return -1;
    if (!w->from || w->from->state.is_done)
        return 0;
    const char *from = d->in->copy.from;
    err_set(err, ERR_INVALID,
            "cannot copy from stage %s, it needs to be defined before current stage %s",
            quoted(d->arena, from), quoted(d->arena, d->stage->label));
    return err_hint(err, "move the stage %s above this one", from);
}

int dispatch_copy(struct dispatch *d, struct err *err)
{
    struct stage_state *st = &d->stage->state;
    struct copying w = { .d = d, .is_add = d->in->type == INSTRUCTION_ADD };
    if (check_source_stage(&w, err) || expand_words(&w, err) || check_excludes(&w, err) ||
        check_checksum(&w, err))
        return -1;
    const char *prefix = step_prefix(d->c, d->stage, &st->platform, d->step->is_trigger, true);
    const char *text;
    if (step_text(d, d->in->text, false, &text, err))
        return -1;
    w.name = arena_printf(d->arena, "%s%s", prefix, text);
    if (add_actions(&w, err))
        return -1;
    struct source_range range;
    struct vertex_about about = step_about(d, w.name, &range);
    bool is_link = d->in->copy.is_link && !w.chmod[0];
    if (is_link ? link_files(&w, prefix, text, &about, err)
                : graph_add_file(d->c->builder, st->root, w.actions, w.n, &about, &st->root, err))
        return -1;
    return history_add(d, copy_history(&w), true, err);
}
