/* base/codec/text.c - hex, base64 and percent encoding.
 *
 * Spec: RFC 4648 sections 4, 5 and 8; RFC 3986 section 2.1.  Threads: no state. */
#include "base/codec/text.h"

#include <string.h>

static const char hex_digits[] = "0123456789abcdef";
static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

void hex_print(struct span bytes, char *text)
{
    for (size_t i = 0; i < bytes.len; i++) {
        *text++ = hex_digits[(uint8_t)bytes.ptr[i] >> 4];
        *text++ = hex_digits[bytes.ptr[i] & 15];
    }
    *text = '\0';
}

int hex_parse(struct span text, void *bytes, struct err *err)
{
    if (text.len % 2)
        return err_set(err, ERR_INVALID, "hex: an odd number of digits (%zu)", text.len);
    for (size_t i = 0; i < text.len; i += 2) {
        int high = hex_value(text.ptr[i]), low = hex_value(text.ptr[i + 1]);
        if (high < 0 || low < 0)
            return err_set(err, ERR_INVALID, "hex: no digit at position %zu", high < 0 ? i : i + 1);
        ((uint8_t *)bytes)[i / 2] = (uint8_t)(high << 4 | low);
    }
    return 0;
}

void base64_print(struct span bytes, struct buf *out)
{
    for (; bytes.len; bytes = span_skip(bytes, 3)) {
        uint32_t group = 0;
        for (size_t i = 0; i < 3; i++)
            group = group << 8 | (i < bytes.len ? (uint8_t)bytes.ptr[i] : 0);
        char digits[4];
        for (int i = 0; i < 4; i++)
            digits[i] = base64_digits[group >> (18 - 6 * i) & 63];
        for (size_t i = bytes.len + 1; i < 4; i++)
            digits[i] = '=';
        buf_put(out, span_bytes(digits, 4));
    }
}

static int base64_value(char c)
{
    if (c == '-')
        return 62;
    if (c == '_')
        return 63;
    const char *at = c ? strchr(base64_digits, c) : NULL;
    return at ? (int)(at - base64_digits) : -1;
}

/* Without its padding.  Padding is right when it fills the last group of four. */
static int strip_padding(struct span *text, struct err *err)
{
    size_t n = 0;
    while (n < text->len && text->ptr[text->len - 1 - n] == '=')
        n++;
    if (n > 2 || (n > 0 && text->len % 4 != 0))
        return err_set(err, ERR_INVALID, "base64: wrong padding");
    *text = span_first(*text, text->len - n);
    return 0;
}

int base64_parse(struct span text, struct buf *out, struct err *err)
{
    if (strip_padding(&text, err) < 0)
        return -1;
    if (text.len % 4 == 1)
        return err_set(err, ERR_INVALID, "base64: ends within a byte");
    size_t at = 0;
    while (at < text.len) {
        uint32_t group = 0;
        size_t n = text.len - at < 4 ? text.len - at : 4;
        for (size_t i = 0; i < 4; i++) {
            int value = i < n ? base64_value(text.ptr[at + i]) : 0;
            if (value < 0)
                return err_set(err, ERR_INVALID, "base64: no digit at position %zu", at + i);
            group = group << 6 | (uint32_t)value;
        }
        if ((n == 2 && group & 0xffff) || (n == 3 && group & 0xff))
            return err_set(err, ERR_INVALID, "base64: bits are set after the last byte");
        char bytes[3] = { (char)(group >> 16), (char)(group >> 8), (char)group };
        if (buf_append(out, span_bytes(bytes, n - 1), err) < 0)
            return err_wrap(err, "base64");
        at += n;
    }
    return 0;
}

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("-._~", c));
}

void percent_encode(struct span text, const char *keep, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (is_unreserved(c) || (c && strchr(keep, c)))
            buf_putc(out, c);
        else
            buf_printf(out, "%%%02X", (uint8_t)c);
    }
}

int percent_decode(struct span text, struct buf *out, struct err *err)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '%') {
            int high = text.len - i > 2 ? hex_value(text.ptr[i + 1]) : -1;
            int low = high >= 0 ? hex_value(text.ptr[i + 2]) : -1;
            if (low < 0)
                return err_set(err, ERR_INVALID,
                               "percent encoding: no two hex digits after %% at position %zu", i);
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (buf_append(out, span_bytes(&c, 1), err) < 0)
            return err_wrap(err, "percent encoding");
    }
    return 0;
}

/* ---- URLs ---- */

static bool ends_authority(char c)
{
    return c == '/' || c == '?' || c == '#' || c == ' ' || c == '"';
}

char *urls_redacted(const char *text)
{
    struct buf out;
    buf_init(&out, 16 * strlen(text) + 64);
    buf_puts(&out, "");
    for (const char *at = text; *at;) {
        const char *scheme = strstr(at, "://"), *host = scheme ? scheme + 3 : NULL, *end = host;
        if (!scheme) {
            buf_puts(&out, at);
            break;
        }
        const char *sign = NULL;
        for (; *end && !ends_authority(*end); end++)
            if (*end == '@')
                sign = end;
        buf_put(&out, span_bytes(at, (size_t)(host - at)));
        if (sign)
            buf_puts(&out, memchr(host, ':', (size_t)(sign - host)) ? "xxxxx:xxxxx@" : "xxxxx@");
        host = sign ? sign + 1 : host;
        buf_put(&out, span_bytes(host, (size_t)(end - host)));
        at = end;
    }
    return buf_take(&out);
}
