/* base/codec/csv.c - see csv.h. */
#include "base/codec/csv.h"

#include <stdlib.h>

#include "base/core/buf.h"

/* The content of a quoted field; *rest goes on behind its closing quote. */
static int cut_quoted(struct span *rest, char **out, struct err *err)
{
    struct buf field;
    size_t i = 1;
    buf_init(&field, rest->len + 1);
    buf_puts(&field, "");
    for (; i < rest->len; i++) {
        bool is_quote = rest->ptr[i] == '"';
        if (is_quote && (i + 1 == rest->len || rest->ptr[i + 1] != '"'))
            break;
        buf_putc(&field, rest->ptr[i]);
        i += is_quote;
    }
    *out = buf_take(&field);
    bool is_closed = i < rest->len;
    *rest = span_skip(*rest, i + 1);
    if (is_closed && (rest->len == 0 || rest->ptr[0] == ','))
        return 0;
    free(STEAL(*out));
    return err_set(err, ERR_INVALID, is_closed ? "text behind a closing quote" : "an open quote");
}

int csv_next(struct span *rest, char **out, struct err *err)
{
    *out = NULL;
    if (!rest->ptr)
        return 0;
    if (rest->len == 0 || rest->ptr[0] != '"') {
        *out = span_dup(span_cut(rest, ','));
        return 0;
    }
    if (cut_quoted(rest, out, err))
        return -1;
    (void)span_cut(rest, ',');
    return 0;
}
