/* engine/ops/mode.c - symbolic modes: [ugoa...][+-=][rwxXst...],...
 *
 * Spec: chmod(1); without `who` all are meant, whatever the umask is. */
#include <string.h>

#include "engine/ops/internal.h"

static mode_t who_mask(char c)
{
    switch (c) {
    case 'u':
        return 04700;
    case 'g':
        return 02070;
    case 'o':
        return 01007;
    case 'a':
        return 07777;
    default:
        return 0;
    }
}

static mode_t what_bits(char c, mode_t old, bool is_folder)
{
    switch (c) {
    case 'r':
        return 0444;
    case 'w':
        return 0222;
    case 'x':
        return 0111;
    case 'X':
        return is_folder || (old & 0111) ? 0111 : 0;
    case 's':
        return 06000;
    case 't':
        return 01000;
    default:
        return 0;
    }
}

static int apply_clause(const char *text, struct span clause, bool is_folder, mode_t *mode,
                        struct err *err)
{
    const char *p = clause.ptr, *end = clause.ptr + clause.len;
    mode_t who = 0;
    for (; p < end && who_mask(*p); p++)
        who |= who_mask(*p);
    if (who == 0)
        who = 07777;
    if (p == end || !strchr("+-=", *p))
        return err_set(err, ERR_INVALID, "mode \"%s\": + - or = is expected", text);
    while (p < end && strchr("+-=", *p)) {
        char how = *p++;
        mode_t bits = 0;
        for (; p < end && strchr("rwxXst", *p); p++)
            bits |= what_bits(*p, *mode, is_folder);
        bits &= who;
        if (how == '=') /* folders keep setuid and setgid unless they are named */
            *mode = (*mode & ~(who & (is_folder ? 01777 : 07777))) | bits;
        else
            *mode = how == '+' ? *mode | bits : *mode & ~bits;
    }
    if (p != end)
        return err_set(err, ERR_INVALID, "mode \"%s\": '%c' is no permission", text, *p);
    return 0;
}

int mode_apply(const char *text, mode_t old, bool is_folder, mode_t *out, struct err *err)
{
    struct span rest = span_of(text);
    *out = old & 07777;
    while (rest.ptr) {
        struct span clause = span_cut(&rest, ',');
        if (apply_clause(text, clause, is_folder, out, err))
            return -1;
    }
    return 0;
}
