/* build/request.c - requests and results: their memory. */
#include <stdlib.h>

#include "build/build.h"

void build_request_init(struct build_request *q)
{
    *q = (struct build_request){
        .context_fd = -1, .build_args = STR_MAP, .labels = STR_MAP, .named_contexts = STR_MAP
    };
}

void build_request_clear(struct build_request *q)
{
    map_clear(&q->build_args);
    map_clear(&q->labels);
    map_clear(&q->named_contexts);
    str_list_clear(&q->tags);
    str_list_clear(&q->platforms);
    str_list_clear(&q->no_cache_stages);
    str_list_clear(&q->add_hosts);
    str_list_clear(&q->allows);
    cache_specs_clear(&q->cache_from);
    cache_specs_clear(&q->cache_to);
    vec_each (&q->exports, spec)
        export_spec_clear(spec);
    vec_clear(&q->exports);
    attest_options_clear(&q->attest);
}

void build_result_clear(struct build_result *r)
{
    vec_each (&r->exports, e)
        export_result_clear(e);
    vec_clear(&r->exports);
    vec_each (&r->warnings, w)
        free(w->text);
    vec_clear(&r->warnings);
    explanations_clear(&r->explanations);
    map_clear(&r->base_images);
    free(r->excerpt);
    *r = (struct build_result){ 0 };
}
