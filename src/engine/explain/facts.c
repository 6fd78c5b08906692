/* engine/explain/facts.c - see facts.h. */
#include "engine/explain/facts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/codec/compress.h"
#include "base/codec/digest.h"
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "image/oci/reference.h"

void facts_add(struct map *facts, enum fact_kind kind, const char *name, const char *value)
{
    AUTO_FREE char *key = xasprintf("%c%s", (char)kind, name);
    map_set_str(facts, key, value);
}

/* ---- of a vertex ---- */

static char *joined(const struct strings *words)
{
    struct buf text;
    buf_init(&text, LIMIT_GRAPH_BYTES);
    for (size_t i = 0; i < words->n; i++)
        buf_printf(&text, "%s%s", i ? " " : "", words->items[i]);
    buf_putc(&text, '\0');
    return buf_take(&text);
}

static void add_variables(const struct strings *env, struct map *out)
{
    for (size_t i = 0; i < env->n; i++) {
        struct span value = span_of(env->items[i]), name = span_cut(&value, '=');
        AUTO_FREE char *key = span_dup(name);
        struct digest d = digest_of(value);
        facts_add(out, FACT_VARIABLE, key, digest_text(&d).s);
    }
}

static void add_mounts(const struct op_exec *e, struct map *out)
{
    for (size_t i = 0; i < e->n_mounts; i++) {
        const struct op_mount *m = &e->mounts[i];
        AUTO_FREE char *name = xasprintf("the mount at %s", m->dest);
        AUTO_FREE char *value =
            xasprintf("%d %s %d %s %d", (int)m->type, m->selector ? m->selector : "",
                      m->is_readonly, m->id ? m->id : "", (int)m->sharing);
        facts_add(out, FACT_TEXT, name, value);
    }
}

static void facts_of_exec(const struct op_exec *e, struct map *out)
{
    AUTO_FREE char *command = joined(&e->args);
    AUTO_FREE char *ways = xasprintf("%d %d", (int)e->network, (int)e->security);
    facts_add(out, FACT_TEXT, "the command", command);
    add_variables(&e->env, out);
    facts_add(out, FACT_TEXT, "the working directory", e->cwd ? e->cwd : "");
    facts_add(out, FACT_TEXT, "the user", e->user ? e->user : "");
    facts_add(out, FACT_TEXT, "the host name", e->hostname ? e->hostname : "");
    facts_add(out, FACT_TEXT, "the network or the security", ways);
    add_mounts(e, out);
}

static const char *owner_text(const struct owner_part *p, char *text, size_t size)
{
    if (p->kind == OWNER_ID)
        snprintf(text, size, "%" PRIu32, p->id);
    else
        snprintf(text, size, "%s", p->kind == OWNER_NAME ? p->name : "");
    return text;
}

static void facts_of_action(const struct op_action *a, size_t i, struct map *out)
{
    char user[64] = "", group[64] = "";
    struct digest data = digest_of(a->data);
    if (a->owner.is_set) {
        owner_text(&a->owner.user, user, sizeof user);
        owner_text(&a->owner.group, group, sizeof group);
    }
    AUTO_FREE char *include = joined(&a->include), *exclude = joined(&a->exclude);
    AUTO_FREE char *what =
        xasprintf("%d %s to %s", (int)a->type, a->src ? a->src : "", a->path ? a->path : "");
    AUTO_FREE char *how = xasprintf(
        "%s:%s %o %s %" PRId64 " %s %s %d%d%d%d", user, group, (unsigned)a->mode,
        a->mode_text ? a->mode_text : "", a->timestamp_ns, include, exclude, a->follows_symlinks,
        a->copies_dir_contents, a->unpacks_archives, a->replaces_existing);
    AUTO_FREE char *which =
        i ? xasprintf("action %zu of the instruction", i + 1) : xstrdup("the instruction");
    AUTO_FREE char *options = xasprintf("an option of %s", which);
    facts_add(out, FACT_TEXT, which, what);
    facts_add(out, FACT_TEXT, options, how);
    if (a->type == ACTION_MKFILE)
        facts_add(out, FACT_FILE, a->path, digest_text(&data).s);
}

/* "docker-image://docker.io/library/busybox:latest@sha256:..." without scheme and digest. */
void facts_of_source(const struct vertex *v, struct map *out)
{
    const char *identifier = v->source.identifier, *text = strstr(identifier, "://");
    AUTO_VALUE(reference_clear) struct reference ref = { 0 };
    struct err unused = { 0 };
    text = text ? text + 3 : identifier;
    if (reference_parse(span_of(text), &ref, &unused) || !digest_is_set(&ref.digest)) {
        facts_add(out, FACT_SOURCE, text, text);
        return;
    }
    struct digest_text digest = digest_text(&ref.digest);
    ref.digest = (struct digest){ 0 };
    AUTO_FREE char *name = reference_text(&ref);
    facts_add(out, FACT_SOURCE, name, digest.s);
}

void facts_of_vertex(const struct vertex *v, struct map *out)
{
    AUTO_FREE char *platform = xstrdup(platform_text(&v->platform).s);
    facts_add(out, FACT_TEXT, "the platform", platform);
    if (v->type == OP_EXEC)
        facts_of_exec(&v->exec, out);
    for (size_t i = 0; v->type == OP_FILE && i < v->file.n_actions; i++)
        facts_of_action(&v->file.actions[i], i, out);
    if (v->type == OP_SOURCE)
        facts_of_source(v, out);
}

/* ---- kept ---- */

int facts_write(const struct map *facts, struct buf *out, struct err *err)
{
    AUTO(writer_close) struct writer *to = writer_to_buf(out);
    AUTO(writer_close) struct writer *w = writer_compressing(to, COMPRESSION_GZIP, 1, NULL);
    map_each (facts, e) {
        const char *value = e->value;
        if (writer_write(w, span_bytes(e->key, strlen(e->key) + 1), err) ||
            writer_write(w, span_bytes(value, strlen(value) + 1), err))
            return -1;
    }
    return writer_finish(w, err);
}

int facts_read(struct span bytes, struct map *out, struct err *err)
{
    AUTO(reader_close) struct reader *from = reader_of_span(bytes);
    AUTO(reader_close) struct reader *r = reader_decompressing(from, COMPRESSION_GZIP);
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    buf_init(&text, LIMIT_GRAPH_BYTES);
    if (reader_slurp(r, &text, err))
        return -1;
    struct span rest = buf_span(&text);
    if (rest.len == 0 || rest.ptr[rest.len - 1] != '\0')
        return rest.len ? err_set(err, ERR_CORRUPT, "facts of a step end too early") : 0;
    while (rest.len > 0) {
        struct span key = span_cut(&rest, '\0'), value = span_cut(&rest, '\0');
        if (!key.len || !value.ptr)
            return err_set(err, ERR_CORRUPT, "facts of a step: no pairs");
        map_set_str(out, key.ptr, value.ptr);
    }
    return 0;
}

/* ---- compared ---- */

static void say_name(const struct vertex *v, const char *key, struct buf *out)
{
    const char *name = key + 1;
    if (*key == FACT_VARIABLE) {
        buf_printf(out, "variable %s", name);
    } else if (*key == FACT_FILE) {
        buf_printf(out, "file %s", name);
    } else if (*key == FACT_SOURCE) {
        buf_printf(out, "%s", name);
    } else if (*key == FACT_STEP) {
        size_t i = (size_t)strtoul(name, NULL, 10);
        buf_puts(out, "the result of ");
        if (i < v->n_inputs)
            vertex_print_name(v->inputs[i].vertex, out);
    } else {
        buf_puts(out, name);
    }
}

static void say(const struct vertex *v, const char *key, const char *now, const char *before,
                struct buf *out)
{
    say_name(v, key, out);
    if (!before) {
        buf_puts(out, " is new");
    } else if (!now) {
        buf_puts(out, " is gone");
    } else if (*key == FACT_SOURCE) {
        buf_printf(out, " was %.19s, is %.19s", before, now);
    } else if (*key == FACT_TEXT && strcmp(key + 1, "the command") == 0) {
        buf_printf(out, " was: %.200s", before);
    } else {
        buf_puts(out, " changed");
    }
}

char *facts_difference(const struct map *now, const struct map *before, const struct vertex *v)
{
    struct buf text;
    size_t n_more = 0;
    char kind = '\0';
    buf_init(&text, LIMIT_GRAPH_BYTES);
    map_each (now, e) {
        const char *old = map_find_str(before, e->key);
        if (old && strcmp(old, e->value) == 0)
            continue;
        if (!kind)
            say(v, e->key, e->value, old, &text);
        else
            n_more += *e->key == kind;
        kind = kind ? kind : *e->key;
    }
    map_each (before, e) {
        if (map_has(now, e->key))
            continue;
        if (!kind)
            say(v, e->key, NULL, e->value, &text);
        else
            n_more += *e->key == kind;
        kind = kind ? kind : *e->key;
    }
    if (!kind)
        return NULL;
    if (n_more)
        buf_printf(&text, ", and %zu more", n_more);
    buf_putc(&text, '\0');
    return buf_take(&text);
}
