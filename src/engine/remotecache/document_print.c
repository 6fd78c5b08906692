/* engine/remotecache/document_print.c - cache documents in a settled order, and as text. */
#include <stdlib.h>
#include <string.h>

#include "base/codec/json.h"
#include "base/core/clock.h"
#include "base/core/mem.h"
#include "engine/remotecache/document.h"

/* ---- order ---- */

static int compare_numbers(size_t a, size_t b)
{
    return (a > b) - (a < b);
}

static int compare_layers(const void *a, const void *b, void *document)
{
    const struct cache_document *d = document;
    uint32_t at_x = *(const uint32_t *)a, at_y = *(const uint32_t *)b;
    const struct cache_layer *x = &d->layers[at_x], *y = &d->layers[at_y];
    int order = digest_compare(&x->blob, &y->blob);
    /* Of one blob at several places the one on the lower chain first. */
    for (; order == 0 && x->parent >= 0 && y->parent >= 0 && x->parent != y->parent;
         x = &d->layers[x->parent], y = &d->layers[y->parent])
        order = digest_compare(&d->layers[x->parent].blob, &d->layers[y->parent].blob);
    if (order == 0)
        order = (x->parent >= 0) - (y->parent >= 0);
    return order ? order : compare_numbers(at_x, at_y);
}

/* places[old] = new, for an order of n. */
static uint32_t *places_of(const uint32_t *order, size_t n)
{
    uint32_t *places = xcalloc(n + 1, sizeof *places);
    for (size_t i = 0; i < n; i++)
        places[order[i]] = (uint32_t)i;
    return places;
}

static uint32_t *order_by(struct cache_document *d, size_t n,
                          int (*compare)(const void *, const void *, void *))
{
    uint32_t *order = xcalloc(n + 1, sizeof *order);
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    qsort_r(order, n, sizeof *order, compare, d);
    return order;
}

static void sort_layers(struct cache_document *d)
{
    AUTO_FREE uint32_t *order = order_by(d, d->n_layers, compare_layers);
    AUTO_FREE uint32_t *places = places_of(order, d->n_layers);
    struct cache_layer *layers = arena_alloc(d->arena, sizeof *layers * (d->n_layers + 1));
    for (size_t i = 0; i < d->n_layers; i++) {
        layers[i] = d->layers[order[i]];
        if (layers[i].parent >= 0)
            layers[i].parent = (int32_t)places[layers[i].parent];
    }
    d->layers = layers;
    for (size_t i = 0; i < d->n_records; i++)
        for (size_t k = 0; k < d->records[i].n_results; k++) {
            struct cache_result *r = &d->records[i].results[k];
            uint32_t *chain = arena_alloc(d->arena, sizeof *chain * (r->n_chain + 1));
            if (r->layer >= 0)
                r->layer = (int32_t)places[r->layer];
            for (size_t c = 0; c < r->n_chain; c++)
                chain[c] = places[r->chain[c]];
            r->chain = chain;
        }
}

static int compare_links(const void *a, const void *b, void *document)
{
    const struct cache_document *d = document;
    const struct cache_link *x = a, *y = b;
    int order = digest_compare(&x->selector, &y->selector);
    if (order == 0)
        order = digest_compare(&d->records[x->record].digest, &d->records[y->record].digest);
    return order ? order : compare_numbers(x->record, y->record);
}

static int compare_inputs(const struct cache_document *d, const struct cache_links *a,
                          const struct cache_links *b)
{
    int order = compare_numbers(a->n, b->n);
    for (size_t i = 0; order == 0 && i < a->n; i++) {
        const struct cache_link *x = &a->items[i], *y = &b->items[i];
        order = digest_compare(&x->selector, &y->selector);
        if (order == 0)
            order = digest_compare(&d->records[x->record].digest, &d->records[y->record].digest);
    }
    return order;
}

/* What is equal in all of this keeps the order in which it came. */
static int compare_records(const void *a, const void *b, void *document)
{
    const struct cache_document *d = document;
    uint32_t at_x = *(const uint32_t *)a, at_y = *(const uint32_t *)b;
    const struct cache_record *x = &d->records[at_x], *y = &d->records[at_y];
    int order = digest_compare(&x->digest, &y->digest);
    if (order == 0)
        order = compare_numbers(x->n_inputs, y->n_inputs);
    for (size_t i = 0; order == 0 && i < x->n_inputs; i++)
        order = compare_inputs(d, &x->inputs[i], &y->inputs[i]);
    return order ? order : compare_numbers(at_x, at_y);
}

static int compare_places(const void *a, const void *b)
{
    const struct cache_link *x = a, *y = b;
    int order = compare_numbers(x->record, y->record);
    return order ? order : digest_compare(&x->selector, &y->selector);
}

static void sort_records(struct cache_document *d)
{
    for (size_t i = 0; i < d->n_records; i++)
        for (size_t k = 0; k < d->records[i].n_inputs; k++)
            qsort_r(d->records[i].inputs[k].items, d->records[i].inputs[k].n,
                    sizeof(struct cache_link), compare_links, d);
    AUTO_FREE uint32_t *order = order_by(d, d->n_records, compare_records);
    AUTO_FREE uint32_t *places = places_of(order, d->n_records);
    struct cache_record *records = arena_alloc(d->arena, sizeof *records * (d->n_records + 1));
    for (size_t i = 0; i < d->n_records; i++) {
        records[i] = d->records[order[i]];
        for (size_t k = 0; k < records[i].n_inputs; k++) {
            struct cache_links *links = &records[i].inputs[k];
            for (size_t l = 0; l < links->n; l++)
                links->items[l].record = places[links->items[l].record];
            qsort(links->items, links->n, sizeof *links->items, compare_places);
        }
    }
    d->records = records;
}

void cache_document_sort(struct cache_document *d)
{
    sort_layers(d);
    sort_records(d);
}

/* ---- text ---- */

static void set_time(struct json *o, struct timespec t)
{
    char text[TIME_TEXT_MAX];
    time_print(t, text);
    json_set_str(o, "createdAt", text);
}

static struct json *layers_json(const struct cache_document *d)
{
    struct json *array = json_new_array();
    for (size_t i = 0; i < d->n_layers; i++) {
        struct json *o = json_new_object();
        json_set_str(o, "blob", digest_text(&d->layers[i].blob).s);
        if (d->layers[i].parent)
            json_set_int(o, "parent", d->layers[i].parent);
        json_push(array, o);
    }
    return array;
}

static void set_results(struct json *o, const struct cache_record *r)
{
    struct json *layers = json_new_array(), *chains = json_new_array();
    for (size_t i = 0; i < r->n_results; i++) {
        const struct cache_result *result = &r->results[i];
        struct json *one = json_new_object(), *chain = json_new_array();
        if (result->layer >= 0) {
            json_set_int(one, "layer", result->layer);
            json_free(chain);
        } else {
            for (size_t k = 0; k < result->n_chain; k++)
                json_push(chain, json_new_int(result->chain[k]));
            json_set(one, "layers", chain);
        }
        set_time(one, result->created);
        json_push(result->layer >= 0 ? layers : chains, one);
    }
    json_set(o, "layers", layers);
    json_set(o, "chains", chains);
    if (!json_len(json_get(o, "layers")))
        json_remove(o, "layers");
    if (!json_len(json_get(o, "chains")))
        json_remove(o, "chains");
}

static struct json *links_json(const struct cache_links *l)
{
    struct json *array = json_new_array();
    for (size_t i = 0; i < l->n; i++) {
        struct json *o = json_new_object();
        if (digest_is_set(&l->items[i].selector))
            json_set_str(o, "selector", digest_text(&l->items[i].selector).s);
        json_set_int(o, "link", l->items[i].record);
        json_push(array, o);
    }
    return array;
}

static struct json *records_json(const struct cache_document *d)
{
    struct json *array = json_new_array();
    for (size_t i = 0; i < d->n_records; i++) {
        const struct cache_record *r = &d->records[i];
        struct json *o = json_new_object(), *inputs = json_new_array();
        set_results(o, r);
        json_set_str(o, "digest", digest_text(&r->digest).s);
        for (size_t k = 0; k < r->n_inputs; k++)
            json_push(inputs, links_json(&r->inputs[k]));
        if (r->n_inputs)
            json_set(o, "inputs", inputs);
        else
            json_free(inputs);
        json_push(array, o);
    }
    return array;
}

void cache_document_print(const struct cache_document *d, struct buf *out)
{
    AUTO(json_free) struct json *o = json_new_object();
    if (d->n_layers)
        json_set(o, "layers", layers_json(d));
    if (d->n_records)
        json_set(o, "records", records_json(d));
    json_print(o, out);
}

void cache_document_print_records(const struct cache_document *d, struct buf *out)
{
    AUTO(json_free) struct json *array = records_json(d);
    json_print(array, out);
}
