/* fuzz/cache.c - caches of others: whatever is read leads nowhere and to itself never, can be put
 * into order and written, and that reads and writes as the same. */
#include <assert.h>

#include "base/core/limits.h"
#include "engine/remotecache/document.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_results(const struct cache_document *d)
{
    for (size_t i = 0; i < d->n_records; i++)
        for (size_t k = 0; k < d->records[i].n_results; k++) {
            uint32_t chain[LIMIT_LAYERS];
            size_t n = 0;
            bool is_there = cache_result_layers(d, &d->records[i].results[k], chain, &n);
            assert(is_there && n <= LIMIT_LAYERS);
            for (size_t c = 0; c < n; c++)
                assert(chain[c] < d->n_layers);
        }
}

static void check_links(const struct cache_document *d)
{
    for (size_t i = 0; i < d->n_records; i++)
        for (size_t k = 0; k < d->records[i].n_inputs; k++)
            for (size_t l = 0; l < d->records[i].inputs[k].n; l++)
                assert(d->records[i].inputs[k].items[l].record < d->n_records);
}

static void check_order(struct cache_document *d)
{
    AUTO_VALUE(cache_document_clear) struct cache_document again = { 0 };
    AUTO_VALUE(buf_clear) struct buf first, second;
    struct err err = { 0 };
    buf_init(&first, (size_t)GIB);
    buf_init(&second, (size_t)GIB);
    cache_document_sort(d);
    check_results(d);
    check_links(d);
    cache_document_print(d, &first);
    if (first.len > LIMIT_JSON)
        return;
    int status = cache_document_parse(buf_span(&first), &again, &err);
    assert(status == 0);
    cache_document_sort(&again);
    cache_document_print(&again, &second);
    assert(span_equal(buf_span(&first), buf_span(&second)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_VALUE(cache_document_clear) struct cache_document d = { 0 }, records = { 0 };
    struct digest layers[3] = { digest_of(SPAN("a")), digest_of(SPAN("b")), digest_of(SPAN("c")) };
    struct span text = span_bytes(data, size);
    struct err err = { 0 };
    if (cache_document_parse(text, &d, &err) == 0) {
        check_results(&d);
        check_links(&d);
        check_order(&d);
    }
    if (cache_document_parse_records(text, layers, 3, &records, &err) == 0) {
        check_results(&records);
        check_links(&records);
    }
    return 0;
}
