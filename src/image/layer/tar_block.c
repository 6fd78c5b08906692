/* image/layer/tar_block.c - fields of a header block. */
#include <inttypes.h>
#include <string.h>

#include "image/layer/tar_format.h"

struct span tar_text(const char *field, size_t len)
{
    return span_bytes(field, strnlen(field, len));
}

bool tar_block_is_zero(const struct tar_block *b)
{
    const char *bytes = (const char *)b;
    return bytes[0] == '\0' && memcmp(bytes, bytes + 1, sizeof *b - 1) == 0;
}

/* Two's complement, big endian; the top bit of the first byte is only the mark. */
static int base256(const char *field, size_t len, const char *what, int64_t *out, struct err *err)
{
    const unsigned char *bytes = (const unsigned char *)field;
    bool is_negative = bytes[0] & 0x40;
    uint64_t n = is_negative ? ~(uint64_t)0 : 0;
    for (size_t i = 0; i < len; i++) {
        uint64_t byte = bytes[i];
        if (i == 0) /* the mark becomes one more sign bit */
            byte = is_negative ? byte | 0x80 : byte & 0x7f;
        /* What is shifted out, and the sign bit after it, must be sign alone. */
        uint64_t top = n >> 55;
        if (top != (is_negative ? 0x1ff : 0))
            return err_set(err, ERR_INVALID, "%s: beyond 64 bits", what);
        n = n << 8 | byte;
    }
    *out = (int64_t)n;
    return 0;
}

int tar_number(const char *field, size_t len, const char *what, int64_t *out, struct err *err)
{
    if ((unsigned char)field[0] & 0x80)
        return base256(field, len, what, out, err);
    size_t i = 0;
    int64_t n = 0;
    while (i < len && (field[i] == ' ' || field[i] == '\0'))
        i++;
    for (; i < len && field[i] != ' ' && field[i] != '\0'; i++) {
        if (field[i] < '0' || field[i] > '7')
            return err_set(err, ERR_INVALID, "%s: no octal number", what);
        n = n << 3 | (field[i] - '0'); /* at most 12 digits: 36 bits */
    }
    *out = n;
    return 0;
}

int tar_block_check(const struct tar_block *b, struct err *err)
{
    /* Old writers on some machines added up signed bytes. */
    int64_t want, of_unsigned = 0, of_signed = 0;
    const char *bytes = (const char *)b;
    struct err ignored = { 0 };
    for (size_t i = 0; i < sizeof *b; i++) {
        of_unsigned += (unsigned char)bytes[i];
        of_signed += (signed char)bytes[i];
    }
    for (size_t i = 0; i < sizeof b->checksum; i++) {
        of_unsigned += ' ' - (unsigned char)b->checksum[i];
        of_signed += ' ' - (signed char)b->checksum[i];
    }
    if (tar_number(b->checksum, sizeof b->checksum, "checksum", &want, &ignored) ||
        (want != of_unsigned && want != of_signed))
        return err_set(err, ERR_CORRUPT, "header: the checksum does not fit");
    return 0;
}

int tar_owner(int64_t n, const char *what, uint32_t *out, struct err *err)
{
    if (n < INT32_MIN || n >= UINT32_MAX || n == -1)
        return err_set(err, ERR_INVALID, "%s: %" PRId64 " is no user or group id", what, n);
    *out = (uint32_t)n;
    return 0;
}
