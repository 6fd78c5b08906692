/* cli/progress_text.c - text on one line of a terminal, whatever bytes it is made of.
 *
 * What a step prints may hold colours, cursor movements and half characters; none of that may reach
 * a screen that we draw. */
#include <string.h>
#include <wchar.h>

#include "cli/progress_internal.h"

/* Bytes of the escape sequence at the start of `s`: CSI up to its final byte, OSC up to BEL or ESC,
 * others two bytes. */
static size_t escape_length(struct span s)
{
    if (s.len < 2)
        return s.len;
    size_t i = 2;
    if (s.ptr[1] == '[') {
        while (i < s.len && (s.ptr[i] < '@' || s.ptr[i] > '~'))
            i++;
        return i < s.len ? i + 1 : i;
    }
    if (s.ptr[1] == ']') {
        while (i < s.len && s.ptr[i] != '\a' && s.ptr[i] != '\033')
            i++;
        return i < s.len && s.ptr[i] == '\a' ? i + 1 : i;
    }
    return i;
}

/* One character: its bytes, and its columns (0: nothing is shown). */
static size_t character(struct span s, size_t *columns)
{
    wchar_t c;
    mbstate_t state = { 0 };
    size_t n = mbrtowc(&c, s.ptr, s.len, &state);
    *columns = 0;
    if (n == 0 || n > s.len)
        return 1; /* NUL, no UTF-8, or cut */
    int width = wcwidth(c);
    *columns = width > 0 ? (size_t)width : 0;
    return n;
}

size_t text_print(struct span text, size_t columns, struct buf *out)
{
    size_t taken = 0;
    while (text.len) {
        if (text.ptr[0] == '\033') {
            text = span_skip(text, escape_length(text));
            continue;
        }
        if (strchr("\t\n\r", text.ptr[0]) && text.ptr[0]) {
            if (taken >= columns)
                break;
            buf_putc(out, ' ');
            taken++;
            text = span_skip(text, 1);
            continue;
        }
        size_t width, n = character(text, &width);
        if (taken + width > columns)
            break;
        if (width)
            buf_put(out, span_first(text, n));
        taken += width;
        text = span_skip(text, n);
    }
    return taken;
}
