/* base/codec/purl.c - see purl.h. */
#include "base/codec/purl.h"

#include "base/codec/text.h"
#include "base/core/limits.h"

static void put(struct buf *out, char before, const char *text)
{
    if (before)
        buf_putc(out, before);
    percent_encode(span_of(text), ":", out);
}

static bool is_given(const char *text)
{
    return text && *text;
}

char *purl_print(const struct purl *p)
{
    struct buf out;
    buf_init(&out, (size_t)(64 * MIB)); /* parts come from files that were read under ceilings */
    buf_printf(&out, "pkg:%s", p->type);
    struct span rest = span_of(p->namespace_);
    while (is_given(p->namespace_) && rest.ptr) {
        struct span part = span_cut(&rest, '/');
        if (!part.len)
            continue;
        buf_putc(&out, '/');
        percent_encode(part, ":", &out);
    }
    put(&out, '/', p->name);
    if (is_given(p->version))
        put(&out, '@', p->version);
    char mark = '?';
    for (size_t i = 0; i < sizeof p->qualifiers / sizeof *p->qualifiers; i++) {
        if (!p->qualifiers[i].key)
            break;
        if (!is_given(p->qualifiers[i].value))
            continue;
        buf_printf(&out, "%c%s", mark, p->qualifiers[i].key);
        put(&out, '=', p->qualifiers[i].value);
        mark = '&';
    }
    return buf_take(&out);
}
