/* base/codec/gzip_read.c - gzip read with ISA-L, two to four times as fast as zlib.
 *
 * Members follow each other; ISA-L checks header, CRC-32 and length of each.  After the last one
 * zero bytes may follow (tape and sector padding); anything else is refused, as Go does it, because
 * a layer with something behind it is not what somebody pushed.
 *
 * Spec: RFC 1952.  Threads: a reader belongs to one thread. */
#include <isa-l/igzip_lib.h>
#include <string.h>

#include "base/codec/internal.h"
#include "base/core/mem.h"

enum { INPUT = 64 * 1024 };

struct gzip_reader {
    struct reader base;
    struct reader *below; /* borrowed */
    bool is_below_at_end;
    bool is_in_member;
    uint64_t n_members; /* begun */
    struct inflate_state state;
    uint8_t input[INPUT];
};

/* More input when there is none; none afterwards: the end. */
static int fill(struct gzip_reader *r, struct err *err)
{
    if (r->state.avail_in || r->is_below_at_end)
        return 0;
    size_t n;
    if (reader_read(r->below, r->input, sizeof r->input, &n, err) < 0)
        return -1;
    r->is_below_at_end = n == 0;
    r->state.next_in = r->input;
    r->state.avail_in = (uint32_t)n;
    return 0;
}

/* Between members: begins the next one, or stands at the end with no input. */
static int begin_member(struct gzip_reader *r, struct err *err)
{
    bool is_padding = false;
    do {
        if (fill(r, err) < 0)
            return -1;
        while (r->n_members && r->state.avail_in && *r->state.next_in == 0) {
            r->state.next_in++;
            r->state.avail_in--;
            is_padding = true;
        }
    } while (!r->state.avail_in && !r->is_below_at_end);
    if (!r->state.avail_in)
        return r->n_members ? 0 : err_set(err, ERR_CORRUPT, "gzip: is empty");
    if (*r->state.next_in != 0x1f || is_padding)
        return err_set(err, ERR_CORRUPT,
                       r->n_members ? "gzip: something else follows the data"
                                    : "gzip: is not in gzip format");
    isal_inflate_reset(&r->state);
    r->state.crc_flag = ISAL_GZIP;
    r->is_in_member = true;
    r->n_members++;
    return 0;
}

static const char *explain(int code)
{
    switch (code) {
    case ISAL_INVALID_WRAPPER:
        return "is not in gzip format";
    case ISAL_UNSUPPORTED_METHOD:
        return "unknown method of compression";
    case ISAL_INCORRECT_CHECKSUM:
        return "checksum or length differ";
    default:
        return "damaged data";
    }
}

static int gzip_read(struct reader *base, void *to, size_t cap, size_t *n, struct err *err)
{
    struct gzip_reader *r = (struct gzip_reader *)base;
    uint32_t room = cap < UINT32_MAX ? (uint32_t)cap : UINT32_MAX;
    for (;;) {
        if (!r->is_in_member && begin_member(r, err) < 0)
            return -1;
        if (!r->is_in_member)
            return 0;
        if (fill(r, err) < 0)
            return -1;
        r->state.next_out = to;
        r->state.avail_out = room;
        int code = isal_inflate(&r->state);
        if (code < 0)
            return err_set(err, ERR_CORRUPT, "gzip: %s", explain(code));
        *n = room - r->state.avail_out;
        if (r->state.block_state == ISAL_BLOCK_FINISH)
            r->is_in_member = false;
        if (*n)
            return 0;
        if (r->is_in_member && !r->state.avail_in && r->is_below_at_end)
            return err_set(err, ERR_CORRUPT, "gzip: ends too early");
    }
}

static void gzip_close(struct reader *base)
{
    free(base);
}

struct reader *gzip_reader(struct reader *below)
{
    static const struct reader_ops ops = { .read = gzip_read, .close = gzip_close };
    struct gzip_reader *r = xmalloc(sizeof *r);
    memset(r, 0, offsetof(struct gzip_reader, state));
    r->base.ops = &ops;
    r->below = below;
    isal_inflate_init(&r->state);
    return &r->base;
}
