/* engine/graph/decode_file.c - the actions of a file operation.
 *
 * An action names what it works on by one number: below the number of inputs it is an input, from
 * there on the result of an earlier action.  So a list of actions is itself a small graph, and its
 * order is what keeps it free of cycles.
 *
 * Spec: engine/graph/ops.proto.  Threads: nothing shared. */
#include "engine/graph/internal.h"

struct action_decoder {
    struct decoder *d;
    size_t n_known; /* inputs and earlier actions */
};

static int decode_owner_part(struct action_decoder *ad, const Llb__OwnerPart *m,
                             struct owner_part *p)
{
    *p = (struct owner_part){ .kind = OWNER_KEEP, .name = "", .input = -1 };
    if (!m)
        return 0;
    switch (m->part_case) {
    case LLB__OWNER_PART__PART_BY_ID:
        p->kind = OWNER_ID;
        p->id = m->by_id;
        return 0;
    case LLB__OWNER_PART__PART_BY_NAME:
        p->kind = OWNER_NAME;
        if (decode_text(ad->d, m->by_name->name, "owner", &p->name) ||
            decode_index(ad->d, m->by_name->input, ad->n_known, "owner", &p->input))
            return -1;
        return 0;
    default:
        return 0;
    }
}

static int decode_owner(struct action_decoder *ad, const Llb__Owner *m, struct owner *o)
{
    o->is_set = m != NULL;
    if (decode_owner_part(ad, m ? m->user : NULL, &o->user) ||
        decode_owner_part(ad, m ? m->group : NULL, &o->group))
        return -1;
    return 0;
}

static int decode_copy(struct action_decoder *ad, const Llb__Copy *m, struct op_action *act)
{
    struct decoder *d = ad->d;
    act->type = ACTION_COPY;
    act->mode = m->mode;
    act->timestamp_ns = m->timestamp;
    act->follows_symlinks = m->follow_symlink;
    act->copies_dir_contents = m->dir_copy_contents;
    act->unpacks_archives = m->attempt_unpack;
    act->creates_dest_path = m->create_dest_path;
    act->has_wildcards = m->allow_wildcard;
    act->may_match_nothing = m->allow_empty_wildcard;
    act->replaces_existing = m->always_replace;
    if (decode_text(d, m->src, "src", &act->src) || decode_text(d, m->dest, "dest", &act->path) ||
        decode_text(d, m->mode_text, "modeStr", &act->mode_text) ||
        decode_texts(d, m->include, m->n_include, "include_patterns", &act->include) ||
        decode_texts(d, m->exclude, m->n_exclude, "exclude_patterns", &act->exclude) ||
        decode_texts(d, m->required, m->n_required, "required_paths", &act->required) ||
        decode_owner(ad, m->owner, &act->owner))
        return -1;
    return 0;
}

static int decode_mkfile(struct action_decoder *ad, const Llb__MkFile *m, struct op_action *act)
{
    act->type = ACTION_MKFILE;
    act->mode = m->mode;
    act->timestamp_ns = m->timestamp;
    act->data = bytes_copy(ad->d->arena, span_of_data(m->data));
    if (decode_text(ad->d, m->path, "path", &act->path) || decode_owner(ad, m->owner, &act->owner))
        return -1;
    return 0;
}

static int decode_mkdir(struct action_decoder *ad, const Llb__MkDir *m, struct op_action *act)
{
    act->type = ACTION_MKDIR;
    act->mode = m->mode;
    act->timestamp_ns = m->timestamp;
    act->makes_parents = m->make_parents;
    if (decode_text(ad->d, m->path, "path", &act->path) || decode_owner(ad, m->owner, &act->owner))
        return -1;
    return 0;
}

static int decode_rm(struct action_decoder *ad, const Llb__Rm *m, struct op_action *act)
{
    act->type = ACTION_RM;
    act->timestamp_ns = TIMESTAMP_NONE;
    act->may_be_missing = m->allow_not_found;
    act->has_wildcards = m->allow_wildcard;
    return decode_text(ad->d, m->path, "path", &act->path);
}

static int decode_symlink(struct action_decoder *ad, const Llb__Symlink *m, struct op_action *act)
{
    act->type = ACTION_SYMLINK;
    act->timestamp_ns = m->timestamp;
    if (decode_text(ad->d, m->target, "oldpath", &act->target) ||
        decode_text(ad->d, m->path, "newpath", &act->path) ||
        decode_owner(ad, m->owner, &act->owner))
        return -1;
    return 0;
}

static int decode_by_type(struct action_decoder *ad, const Llb__FileAction *m,
                          struct op_action *act)
{
    switch (m->action_case) {
    case LLB__FILE_ACTION__ACTION_COPY:
        return decode_copy(ad, m->copy, act);
    case LLB__FILE_ACTION__ACTION_MKFILE:
        return decode_mkfile(ad, m->mkfile, act);
    case LLB__FILE_ACTION__ACTION_MKDIR:
        return decode_mkdir(ad, m->mkdir, act);
    case LLB__FILE_ACTION__ACTION_RM:
        return decode_rm(ad, m->rm, act);
    case LLB__FILE_ACTION__ACTION_SYMLINK:
        return decode_symlink(ad, m->symlink, act);
    default:
        return err_set(ad->d->err, ERR_UNSUPPORTED, "is of a kind that is not known here");
    }
}

static int decode_action(struct action_decoder *ad, const Llb__FileAction *m, size_t n_actions,
                         struct op_action *act)
{
    struct decoder *d = ad->d;
    *act = (struct op_action){ .src = "", .mode_text = "", .target = "", .data = { "", 0 } };
    act->owner.user = act->owner.group = (struct owner_part){ .name = "", .input = -1 };
    if (decode_index(d, m->input, ad->n_known, "input", &act->input) ||
        decode_index(d, m->secondary, ad->n_known, "secondaryInput", &act->secondary) ||
        decode_index(d, m->output, n_actions, "output", &act->output) || decode_by_type(ad, m, act))
        return -1;
    if (act->secondary >= 0 && (size_t)act->secondary < d->v->n_inputs)
        act->from = d->v->inputs[act->secondary];
    return 0;
}

int decode_file(struct decoder *d, const Llb__FileOp *m, struct op_file *op)
{
    struct op_action *actions = arena_alloc(d->arena, (m->n_actions + 1) * sizeof *actions);
    int32_t *outputs = arena_alloc(d->arena, (m->n_actions + 1) * sizeof *outputs);
    if (!m->n_actions)
        return err_set(d->err, ERR_INVALID, "field actions: there is none");
    for (size_t i = 0; i < m->n_actions; i++) {
        struct action_decoder ad = { d, d->v->n_inputs + i };
        if (decode_action(&ad, m->actions[i], m->n_actions, &actions[i]))
            return err_wrap(d->err, "action %zu", i);
        outputs[i] = actions[i].output;
    }
    *op = (struct op_file){ actions, m->n_actions };
    return decode_outputs(d, outputs, m->n_actions);
}
