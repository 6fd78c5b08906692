/* cli/build_explain.c - what --explain says: a line for each step. */
#include "base/core/mem.h"
#include "cli/build_flags.h"

static const char *how_word(enum solve_how how)
{
    switch (how) {
    case SOLVE_BY_DEFINITION:
        return "hit";
    case SOLVE_BY_CONTENT:
        return "hit by content";
    case SOLVE_BY_IMPORT:
        return "hit in an imported cache";
    case SOLVE_BY_ANOTHER:
        return "made by another build meanwhile";
    case SOLVE_BY_RUNNING:
        return "MISS";
    }
    return "";
}

void note_explanations(const struct build_result *r)
{
    note("\nwhy each step was run or not:");
    vec_each (&r->explanations, e) {
        note(" %s", e->step);
        if (!e->is_reached)
            note("     not reached");
        else if (e->why)
            note("     %s: %s", how_word(e->how), e->why);
        else
            note("     %s", how_word(e->how));
    }
}

struct json *explanations_json(const struct build_result *r)
{
    static const char *const names[] = { [SOLVE_BY_DEFINITION] = "definition",
                                         [SOLVE_BY_CONTENT] = "content",
                                         [SOLVE_BY_IMPORT] = "import",
                                         [SOLVE_BY_ANOTHER] = "another",
                                         [SOLVE_BY_RUNNING] = "run" };
    struct json *all = json_new_array();
    vec_each (&r->explanations, e) {
        struct json *o = json_new_object();
        json_set_str(o, "step", e->step);
        json_set_int(o, "line", e->line);
        json_set_bool(o, "hit", e->is_reached && e->how != SOLVE_BY_RUNNING);
        json_set_str(o, "by", e->is_reached ? names[e->how] : "none");
        if (e->why)
            json_set_str(o, "why", e->why);
        json_push(all, o);
    }
    return all;
}
