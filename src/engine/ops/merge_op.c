/* engine/ops/merge_op.c - merge: layers of all inputs on one another; diff: those of the upper
 * above the lower.
 *
 * Neither looks inside a layer, so neither needs one unpacked or even fetched: `COPY --link` onto a
 * base that was never pulled pulls nothing.
 *
 * Spec: BuildKit docs/dev/merge-diff.md. */
#include "engine/ops/key.h"

static int stack_key(void *arg, const struct vertex *v, struct arena *a, struct op_key *out,
                     const struct cancel *cancel, struct err *err)
{
    (void)arg, (void)a, (void)cancel, (void)err;
    *out = (struct op_key){ .digest = v->type == OP_MERGE ? key_of_merge(v) : key_of_diff(v) };
    return 0;
}

static int merge_run(void *arg, const struct op_run *run, struct err *err)
{
    struct ops *ops = arg;
    const struct op_merge *m = &run->vertex->merge;
    struct seal_options seal = ops->o.seal;
    AUTO(snapshot_unref) struct snapshot *top = NULL;
    seal.cancel = run->cancel;
    for (size_t i = 0; i < m->n_inputs; i++) {
        struct snapshot *upper = NULL, *next = NULL;
        if (result_snapshot(m->inputs[i] >= 0 ? run->inputs[m->inputs[i]] : NULL, &upper, err))
            return -1;
        if (i == 0)
            next = snapshot_ref(upper);
        else if (snapshot_stack(ops->o.snapshots, top, NULL, upper, &seal, &next, err))
            return -1;
        snapshot_unref(top);
        top = next;
    }
    run->outputs[0] = result_of_snapshot(STEAL(top));
    return 0;
}

static int diff_run(void *arg, const struct op_run *run, struct err *err)
{
    struct ops *ops = arg;
    const struct op_diff *d = &run->vertex->diff;
    struct seal_options seal = ops->o.seal;
    struct snapshot *lower = NULL, *upper = NULL, *made = NULL;
    seal.cancel = run->cancel;
    if (result_snapshot(d->lower >= 0 ? run->inputs[d->lower] : NULL, &lower, err) ||
        result_snapshot(d->upper >= 0 ? run->inputs[d->upper] : NULL, &upper, err))
        return -1;
    if (snapshot_stack(ops->o.snapshots, NULL, lower, upper, &seal, &made, err)) {
        if (err->kind == ERR_INVALID)
            err_set(err, ERR_UNSUPPORTED,
                    "the difference of two file systems of which one is not made from the other");
        return -1;
    }
    run->outputs[0] = result_of_snapshot(made);
    return 0;
}

void merge_impl_init(struct op_impl *impl, struct ops *ops)
{
    *impl = (struct op_impl){ .arg = ops, .key = stack_key, .run = merge_run };
}

void diff_impl_init(struct op_impl *impl, struct ops *ops)
{
    *impl = (struct op_impl){ .arg = ops, .key = stack_key, .run = diff_run };
}
