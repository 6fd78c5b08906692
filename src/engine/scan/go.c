/* engine/scan/go.c - the modules that a Go program was linked from.
 *
 * The linker leaves a header in the section .go.buildinfo, or, in stripped programs, at the start
 * of the first writable segment, aligned to 16:
 *
 *     0   14  "\xff Go buildinf:"
 *     14  1   size of a pointer
 *     15  1   flags: 1 big endian, 2 the texts follow inline (Go 1.18)
 *     16      pointers to the version's and the modules' string headers (pointer, length)
 *     32      inline: each a varint length and the text
 *
 * The text of modules stands between two marks of 16 bytes.  Its lines are cut by tabs: path, mod,
 * dep, "=>" (in place of the dep before), build.
 *
 * Spec: Go debug/buildinfo; ELF-64 Object File Format. */
#include <string.h>

#include "base/core/limits.h"
#include "base/core/mem.h"
#include "engine/scan/internal.h"

#define MAGIC "\xff Go buildinf:"
enum { MAGIC_SIZE = 14, INLINE_AT = 32, MARK_SIZE = 16, ALIGNMENT = 16, SEGMENTS_MAX = 1024 };
enum { SEARCHED_MAX = 1024 * 1024 };

struct segment {
    uint64_t address, at, size; /* in memory; in the file */
    bool is_writable;
};

struct elf {
    const struct bytes *bytes;
    bool is_64, is_big;
    struct segment segments[SEGMENTS_MAX];
    size_t n_segments;
};

static uint64_t number(const struct elf *e, const uint8_t *p, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value = value << 8 | p[e->is_big ? i : size - 1 - i];
    return value;
}

/* Loadable segments; *is_elf false when this is none. */
static int read_segments(struct elf *e, bool *is_elf, struct err *err)
{
    uint8_t head[64] = { 0 }, entry[56];
    *is_elf = false;
    if (e->bytes->size < sizeof head)
        return 0;
    if (bytes_read(e->bytes, 0, head, sizeof head, err))
        return -1;
    if (memcmp(head, "\177ELF", 4) != 0)
        return 0;
    *is_elf = true;
    e->is_64 = head[4] == 2;
    e->is_big = head[5] == 2;
    uint64_t at = e->is_64 ? number(e, head + 32, 8) : number(e, head + 28, 4);
    size_t size = (size_t)number(e, head + (e->is_64 ? 54 : 42), 2);
    size_t n = (size_t)number(e, head + (e->is_64 ? 56 : 44), 2);
    size_t wanted = e->is_64 ? 56 : 32;
    if (size < wanted)
        return 0;
    for (size_t i = 0; i < n && e->n_segments < SEGMENTS_MAX; i++) {
        if (bytes_read(e->bytes, at + i * size, entry, wanted, err))
            return -1;
        if (number(e, entry, 4) != 1) /* PT_LOAD */
            continue;
        uint64_t flags = number(e, entry + (e->is_64 ? 4 : 24), 4);
        e->segments[e->n_segments++] = (struct segment){
            .at = e->is_64 ? number(e, entry + 8, 8) : number(e, entry + 4, 4),
            .address = e->is_64 ? number(e, entry + 16, 8) : number(e, entry + 8, 4),
            .size = e->is_64 ? number(e, entry + 32, 8) : number(e, entry + 16, 4),
            .is_writable = flags & 2,
        };
    }
    return 0;
}

/* Bytes of memory as the program would see them.  False: not in the file. */
static bool find_address(const struct elf *e, uint64_t address, uint64_t n, uint64_t *at)
{
    for (size_t i = 0; i < e->n_segments; i++) {
        const struct segment *s = &e->segments[i];
        uint64_t from = address - s->address;
        if (address < s->address || from > s->size || n > s->size - from)
            continue;
        return u64_add(s->at, from, at);
    }
    return false;
}

/* The header's place in a part of the file.  *found false: it is not there. */
static int search(const struct elf *e, uint64_t at, uint64_t size, uint64_t *place, bool *found,
                  struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf part = { 0 };
    if (at > e->bytes->size)
        return 0;
    if (size > e->bytes->size - at)
        size = e->bytes->size - at;
    if (size > SEARCHED_MAX)
        size = SEARCHED_MAX;
    buf_init(&part, SEARCHED_MAX + 1);
    if (bytes_take(e->bytes, at, size, &part, err))
        return -1;
    for (size_t i = 0; i + INLINE_AT <= part.len; i += ALIGNMENT)
        if (memcmp(part.data + i, MAGIC, MAGIC_SIZE) == 0) {
            *place = at + i;
            *found = true;
            return 0;
        }
    return 0;
}

/* The section's place by its name; *size 0: there is none. */
static int find_section(const struct elf *e, uint64_t *at, uint64_t *size, struct err *err)
{
    static const char wanted[] = ".go.buildinfo";
    uint8_t head[64], entry[64];
    char name[sizeof wanted];
    size_t entry_size = e->is_64 ? 64 : 40;
    *size = 0;
    if (bytes_read(e->bytes, 0, head, sizeof head, err))
        return -1;
    uint64_t table = e->is_64 ? number(e, head + 40, 8) : number(e, head + 32, 4);
    size_t n = (size_t)number(e, head + (e->is_64 ? 60 : 48), 2);
    size_t names = (size_t)number(e, head + (e->is_64 ? 62 : 50), 2);
    struct err torn = { 0 };
    if (!table || names >= n ||
        bytes_read(e->bytes, table + names * entry_size, entry, entry_size, &torn))
        return 0; /* stripped */
    uint64_t texts = e->is_64 ? number(e, entry + 24, 8) : number(e, entry + 16, 4);
    for (size_t i = 0; i < n; i++) {
        if (bytes_read(e->bytes, table + i * entry_size, entry, entry_size, &torn) ||
            bytes_read(e->bytes, texts + number(e, entry, 4), name, sizeof name, &torn)) {
            err_clear(&torn);
            continue;
        }
        if (memcmp(name, wanted, sizeof name) != 0)
            continue;
        *at = e->is_64 ? number(e, entry + 24, 8) : number(e, entry + 16, 4);
        *size = e->is_64 ? number(e, entry + 32, 8) : number(e, entry + 20, 4);
        return 0;
    }
    return 0;
}

static int find_header(const struct elf *e, uint64_t *place, bool *found, struct err *err)
{
    uint64_t at = 0, size = 0;
    *found = false;
    if (find_section(e, &at, &size, err) || (size && search(e, at, size, place, found, err)))
        return -1;
    for (size_t i = 0; i < e->n_segments && !*found; i++)
        if (e->segments[i].is_writable)
            return search(e, e->segments[i].at, e->segments[i].size, place, found, err);
    return 0;
}

/* ---- the two texts ---- */

static int take_inline(const struct elf *e, uint64_t *at, struct buf *out, struct err *err)
{
    uint64_t size = 0;
    for (unsigned shift = 0;; shift += 7) {
        uint8_t byte = 0;
        if (bytes_read(e->bytes, (*at)++, &byte, 1, err))
            return -1;
        if (shift > 28)
            return err_set(err, ERR_CORRUPT, "go build information: an endless length");
        size |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            break;
    }
    if (bytes_take(e->bytes, *at, size, out, err))
        return err_wrap(err, "go build information");
    *at += size;
    return 0;
}

/* Through the address of a string header. */
static int take_pointed(const struct elf *e, uint64_t address, size_t pointer, struct buf *out,
                        struct err *err)
{
    uint8_t header[16];
    uint64_t at = 0;
    if (!find_address(e, address, 2 * pointer, &at))
        return 0; /* no modules: linked by other means than the go command */
    if (bytes_read(e->bytes, at, header, 2 * pointer, err))
        return -1;
    uint64_t size = number(e, header + pointer, pointer);
    if (!size || !find_address(e, number(e, header, pointer), size, &at))
        return 0;
    return bytes_take(e->bytes, at, size, out, err);
}

static int read_texts(struct elf *e, uint64_t place, struct buf *version, struct buf *modules,
                      struct err *err)
{
    uint8_t head[INLINE_AT];
    if (bytes_read(e->bytes, place, head, sizeof head, err))
        return -1;
    if (head[15] & 2) {
        uint64_t at = place + INLINE_AT;
        return take_inline(e, &at, version, err) || take_inline(e, &at, modules, err) ? -1 : 0;
    }
    size_t pointer = head[14];
    e->is_big = head[15] & 1;
    if (pointer != 4 && pointer != 8)
        return err_set(err, ERR_CORRUPT, "go build information: pointers of %zu bytes", pointer);
    return take_pointed(e, number(e, head + 16, pointer), pointer, version, err) ||
                   take_pointed(e, number(e, head + 16 + pointer, pointer), pointer, modules, err)
               ? -1
               : 0;
}

/* ---- modules ---- */

static void add_module(struct scan *s, struct span path, struct span version, const char *origin)
{
    ptrdiff_t slash = span_rfind(path, '/');
    struct found found = { .type = "golang", .version = version, .origin = origin };
    found.namespace_ = slash > 0 ? span_first(path, (size_t)slash) : (struct span){ 0 };
    found.name = slash > 0 ? span_skip(path, (size_t)slash + 1) : path;
    scan_add(s, &found);
}

static void parse_modules(struct scan *s, struct span text, const char *origin)
{
    struct span path = { 0 }, version = { 0 }; /* waits for a replacement in the next line */
    for (struct span rest = text; rest.ptr;) {
        struct span line = span_cut(&rest, '\n'), word = span_cut(&line, '\t');
        bool is_module = span_is(word, "mod") || span_is(word, "dep");
        bool replaces = span_is(word, "=>");
        if (!is_module && !replaces)
            continue;
        if (is_module && path.len)
            add_module(s, path, version, origin);
        path = span_cut(&line, '\t');
        version = span_cut(&line, '\t');
    }
    if (path.len)
        add_module(s, path, version, origin);
}

int go_read(struct scan *s, const struct bytes *b, const char *path, struct err *err)
{
    struct elf e = { .bytes = b };
    AUTO_VALUE(buf_clear) struct buf version = { 0 }, modules = { 0 };
    uint64_t place = 0;
    bool is_there = false;
    buf_init(&version, LIMIT_PATH);
    buf_init(&modules, LIMIT_GO_BUILD_INFO);
    if (read_segments(&e, &is_there, err))
        return -1;
    if (!is_there)
        return 0;
    if (find_header(&e, &place, &is_there, err))
        return -1;
    if (!is_there)
        return 0;
    if (read_texts(&e, place, &version, &modules, err))
        return -1;
    struct span go = buf_span(&version), text = buf_span(&modules);
    struct span number_of_go = span_cut(&go, ' '); /* "go1.21.1 X:experiments" */
    if (span_starts(number_of_go, "go1"))
        add_module(s, SPAN("stdlib"), span_skip(number_of_go, 2), path);
    if (text.len > 2 * MARK_SIZE && text.ptr[text.len - MARK_SIZE - 1] == '\n')
        text = span_bytes(text.ptr + MARK_SIZE, text.len - 2 * MARK_SIZE);
    parse_modules(s, text, path);
    return 0;
}
