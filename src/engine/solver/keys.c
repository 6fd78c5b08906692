/* engine/solver/keys.c - the two keys of a vertex; see solver.h for what they mean.
 *
 *     definition key = H("definition", operation, for each input: output index, and selector with
 *                        the definition key of the input, or the content where it is volatile)
 *     content key    = H("content", operation, for each input: output index, and the content that
 *                        is read of it, or selector with the content key of the input)
 *
 * A selector says which part of an input is read.  Where content() told what is read it is left
 * out, so that the same files at another place are the same: BuildKit links records to definition
 * keys by (key, selector), to slow keys by the key alone.
 *
 * Every part is framed by its length, so that no two lists of parts look alike. */
#include "engine/solver/internal.h"

static const struct digest no_digest;

static void hash_digest(struct hasher *h, const struct digest *d)
{
    hasher_update_framed(h, span_of(digest_text(d).s));
}

static struct hasher *hash_start(const char *kind, const struct node *n)
{
    struct hasher *h = hasher_new(DIGEST_SHA256);
    hasher_update_framed(h, span_of(kind));
    hash_digest(h, &n->key.digest);
    return h;
}

static bool is_by_content(const struct node *n, size_t i)
{
    return n->key.inputs && n->key.inputs[i].by_content;
}

/* `d` is what is read of input i when `is_read`, else it stands for the whole input. */
static void hash_input(struct hasher *h, const struct node *n, size_t i, const struct digest *d,
                       bool is_read)
{
    uint32_t index = n->vertex->inputs[i].index;
    uint8_t bytes[4] = { (uint8_t)index, (uint8_t)(index >> 8), (uint8_t)(index >> 16),
                         (uint8_t)(index >> 24) };
    hasher_update_framed(h, span_bytes(bytes, sizeof bytes));
    const struct op_key_input *input = n->key.inputs ? &n->key.inputs[i] : NULL;
    hash_digest(h, !input ? &no_digest : is_read ? &input->order : &input->selector);
    hash_digest(h, d);
}

/* What is read of input i, asked once. */
static int input_content(struct node *n, size_t i, struct err *err)
{
    struct digest *d = &n->input_content[i];
    if (digest_is_set(d))
        return 0;
    const struct op_impl *impl = node_impl(n);
    if (impl->content(impl->arg, n->vertex, i, node_input(n, i), d, n->solve->options->cancel, err))
        return -1;
    node_log_content(n, i);
    return 0;
}

/* A volatile input of an operation that cannot say what it reads of it: all of it. */
static int whole_content(struct node *n, size_t i, struct err *err)
{
    struct digest *d = &n->input_content[i];
    if (digest_is_set(d))
        return 0;
    struct node *input = edge_node(n->solve, n->vertex->inputs[i]);
    const struct op_impl *impl = node_impl(input);
    return impl->content(impl->arg, input->vertex, SIZE_MAX, node_input(n, i), d,
                         n->solve->options->cancel, err);
}

static int find_definition(struct node *n, struct err *err)
{
    AUTO(hasher_free) struct hasher *h = hash_start("definition", n);
    for (size_t i = 0; i < n->vertex->n_inputs; i++) {
        const struct node *input = edge_node(n->solve, n->vertex->inputs[i]);
        const struct digest *d = input ? &input->definition : &no_digest;
        bool is_volatile = input && input->key.is_volatile;
        if (is_volatile) {
            if (is_by_content(n, i) ? input_content(n, i, err) : whole_content(n, i, err))
                return -1;
            d = &n->input_content[i];
        }
        hash_input(h, n, i, d, is_volatile && is_by_content(n, i));
    }
    n->definition = hasher_final(h);
    return 0;
}

int node_identify(struct node *n, struct err *err)
{
    const struct op_impl *impl = node_impl(n);
    if (!impl)
        return err_set(err, ERR_UNSUPPORTED, "operation %s cannot be run here",
                       op_type_name(n->vertex->type));
    n->arena = arena_new();
    n->input_content = arena_alloc(n->arena, sizeof(struct digest) * (n->vertex->n_inputs + 1));
    n->outputs = arena_alloc(n->arena, sizeof(struct result *) * (n->vertex->n_outputs + 1));
    if (impl->key(impl->arg, n->vertex, n->arena, &n->key, n->solve->options->cancel, err))
        return -1;
    node_log_key(n);
    return n->key.is_volatile ? node_run(n, err) : find_definition(n, err);
}

int node_find_content(struct node *n, struct err *err)
{
    AUTO(hasher_free) struct hasher *h = hash_start("content", n);
    for (size_t i = 0; i < n->vertex->n_inputs; i++) {
        struct node *input = edge_node(n->solve, n->vertex->inputs[i]);
        const struct digest *d = input ? &input->content : &no_digest;
        if (is_by_content(n, i) || (input && input->key.is_volatile)) {
            if (is_by_content(n, i) ? input_content(n, i, err) : whole_content(n, i, err))
                return -1;
            d = &n->input_content[i];
        }
        hash_input(h, n, i, d, is_by_content(n, i));
    }
    n->content = hasher_final(h);
    return 0;
}
