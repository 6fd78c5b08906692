/* engine/ops/key_stack.c - the keys of merge and diff: which input stands where.
 *
 * Spec: BuildKit solver/llbsolver/ops/merge.go, diff.go. */
#include "engine/ops/key.h"

static struct json *input(int32_t index)
{
    struct json *o = json_new_object();
    key_put_int(o, "input", index);
    return o;
}

struct digest key_of_merge(const struct vertex *v)
{
    AUTO(json_free) struct json *o = json_new_object();
    struct json *merge = json_new_object(), *inputs = json_new_array();
    for (size_t i = 0; i < v->merge.n_inputs; i++)
        json_push(inputs, input(v->merge.inputs[i]));
    key_put_array(merge, "inputs", inputs);
    json_set_str(o, "Type", "buildkit.merge.v0");
    json_set(o, "Merge", merge);
    return key_digest(o);
}

struct digest key_of_diff(const struct vertex *v)
{
    AUTO(json_free) struct json *o = json_new_object();
    struct json *diff = json_new_object();
    json_set(diff, "lower", input(v->diff.lower));
    json_set(diff, "upper", input(v->diff.upper));
    json_set_str(o, "Type", "buildkit.diff.v0");
    json_set(o, "Diff", diff);
    return key_digest(o);
}
