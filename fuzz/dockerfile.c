/* fuzz/dockerfile.c - any text is read or refused: an error has a kind and a place inside of the
 * text, what was read has its instructions in order, and every value can be handed to what expands
 * it. */
#include <assert.h>
#include <string.h>

#include "base/core/limits.h"
#include "frontend/dockerfile/instruction.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int expand(void *arena, const char *value, const char **out, struct err *err)
{
    const struct shell_lex lex = { 0 };
    struct shell_result r;
    if (shell_lex_word(&lex, value, arena, &r, err))
        return -1;
    *out = r.text;
    return 0;
}

/* Only that nothing breaks: most values of random text cannot be expanded. */
static void use_instruction(const struct instruction *in)
{
    AUTO(arena_free) struct arena *a = arena_new();
    struct err err = { 0 };
    struct run_mount mount;
    const struct instruction *trigger;
    const char *text;
    assert(in->text && in->name && in->comment);
    for (size_t i = 0; i < in->heredocs.n; i++) {
        const struct heredoc *doc = &in->heredocs.items[i];
        assert(doc->name[0] && strlen(doc->content) <= strlen(doc->raw));
        if (expand(a, doc->content, &text, &err))
            assert(err.kind == ERR_INVALID || err.kind == ERR_LIMIT);
    }
    if (in->type == INSTRUCTION_RUN)
        for (size_t i = 0; i < in->run.mounts.n; i++)
            if (run_mount_parse(in->run.mounts.items[i], expand, a, a, &mount, &err))
                assert(err.kind == ERR_INVALID || err.kind == ERR_LIMIT);
    if (in->type == INSTRUCTION_ONBUILD) {
        use_instruction(in->onbuild.instruction);
        if (dockerfile_parse_trigger(in->onbuild.trigger, a, &trigger, &err))
            assert(err.kind == ERR_INVALID || err.kind == ERR_LIMIT);
    }
}

static void use_dockerfile(const struct dockerfile *df, int n_lines)
{
    int line = 0;
    assert(df->n_stages > 0);
    for (size_t i = 0; i < df->n_global_args; i++)
        assert(df->global_args[i].type == INSTRUCTION_ARG);
    for (size_t i = 0; i < df->n_stages; i++) {
        const struct stage *stage = &df->stages[i];
        assert(stage->base[0] && stage->where.first > line);
        line = stage->where.last;
        for (size_t k = 0; k < stage->n_instructions; k++) {
            assert(stage->instructions[k].where.first > line);
            line = stage->instructions[k].where.last;
            use_instruction(&stage->instructions[k]);
        }
    }
    assert(line <= n_lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(dockerfile_free) struct dockerfile *df = NULL;
    AUTO(arena_free) struct arena *a = arena_new();
    struct source_lines where;
    struct err err = { 0 };
    struct span text = span_bytes(data, size);
    int n_lines = 1;
    for (size_t i = 0; i < size; i++)
        n_lines += data[i] == '\n';
    struct source_lines line;
    directives_find_syntax(text, a, &line);
    if (dockerfile_parse(text, "D", &df, &where, &err) == 0) {
        use_dockerfile(df, n_lines);
        return 0;
    }
    assert(err.kind == ERR_INVALID || err.kind == ERR_LIMIT);
    assert(err.text[0] == 'D' && err.text[1] == ':');
    assert(where.first <= where.last && where.last <= n_lines);
    AUTO_VALUE(buf_clear) struct buf excerpt;
    buf_init(&excerpt, MIB);
    dockerfile_excerpt(text, "D", where, &excerpt);
    assert(where.first > 0 || excerpt.len == 0);
    return 0;
}
