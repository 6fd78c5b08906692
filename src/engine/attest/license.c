/* engine/attest/license.c - see license.h.
 *
 * A text is cut at AND and OR outside parentheses, however they are written; each part is a name
 * that is looked up as a whole, or parentheses around another text.  What is not known stays
 * together as one LicenseRef: words of prose are no expression. */
#include "engine/attest/license.h"

#include <string.h>
#include <strings.h>

#include "base/core/buf.h"
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/core/span.h"

/* Common ones of SPDX's list (3.21). */
static const char *const known[] = {
    "0BSD",
    "AFL-2.1",
    "AFL-3.0",
    "AGPL-3.0-only",
    "AGPL-3.0-or-later",
    "Apache-1.1",
    "Apache-2.0",
    "Artistic-1.0",
    "Artistic-1.0-Perl",
    "Artistic-2.0",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-2-Clause-Patent",
    "BSD-3-Clause",
    "BSD-4-Clause",
    "BSD-4-Clause-UC",
    "BSL-1.0",
    "BlueOak-1.0.0",
    "CC-BY-3.0",
    "CC-BY-4.0",
    "CC-BY-SA-3.0",
    "CC-BY-SA-4.0",
    "CC0-1.0",
    "CDDL-1.0",
    "CDDL-1.1",
    "EPL-1.0",
    "EPL-2.0",
    "EUPL-1.2",
    "FTL",
    "FSFAP",
    "FSFUL",
    "FSFULLR",
    "GFDL-1.1-or-later",
    "GFDL-1.2-only",
    "GFDL-1.2-or-later",
    "GFDL-1.3-only",
    "GFDL-1.3-or-later",
    "GPL-1.0-only",
    "GPL-1.0-or-later",
    "GPL-2.0-only",
    "GPL-2.0-or-later",
    "GPL-3.0-only",
    "GPL-3.0-or-later",
    "HPND",
    "HPND-sell-variant",
    "ICU",
    "IJG",
    "ISC",
    "LGPL-2.0-only",
    "LGPL-2.0-or-later",
    "LGPL-2.1-only",
    "LGPL-2.1-or-later",
    "LGPL-3.0-only",
    "LGPL-3.0-or-later",
    "Libpng",
    "MIT",
    "MIT-0",
    "MIT-CMU",
    "MPL-1.1",
    "MPL-2.0",
    "MS-PL",
    "NCSA",
    "NTP",
    "OFL-1.1",
    "OLDAP-2.8",
    "OpenSSL",
    "PHP-3.01",
    "PSF-2.0",
    "PostgreSQL",
    "Python-2.0",
    "Ruby",
    "SISSL",
    "SMLNJ",
    "TCL",
    "UPL-1.0",
    "Unicode-DFS-2016",
    "Unlicense",
    "Vim",
    "W3C",
    "WTFPL",
    "X11",
    "Xnet",
    "ZPL-2.1",
    "Zlib",
    "blessing",
    "bzip2-1.0.6",
    "curl",
    "libtiff",
    "xlock",
    "zlib-acknowledgement",
};

/* What others call them: Debian's copyright files, Fedora's tags, Python's classifiers. */
static const struct {
    const char *name, *id;
} aliases[] = {
    { "Expat", "MIT" },
    { "MIT License", "MIT" },
    { "MIT/X11", "MIT" },
    { "The MIT License", "MIT" },
    { "Apache 2.0", "Apache-2.0" },
    { "Apache-2", "Apache-2.0" },
    { "ASL 2.0", "Apache-2.0" },
    { "Apache License 2.0", "Apache-2.0" },
    { "Apache License, Version 2.0", "Apache-2.0" },
    { "Apache License Version 2.0", "Apache-2.0" },
    { "Apache 2", "Apache-2.0" },
    { "http://www.apache.org/licenses/LICENSE-2.0.txt", "Apache-2.0" },
    { "https://www.apache.org/licenses/LICENSE-2.0.txt", "Apache-2.0" },
    { "BSD-2-clause", "BSD-2-Clause" },
    { "BSD-3-clause", "BSD-3-Clause" },
    { "BSD-4-clause", "BSD-4-Clause" },
    { "GPL-1", "GPL-1.0-only" },
    { "GPL-1+", "GPL-1.0-or-later" },
    { "GPL+", "GPL-1.0-or-later" },
    { "GPL-2", "GPL-2.0-only" },
    { "GPL-2+", "GPL-2.0-or-later" },
    { "GPL-2.0", "GPL-2.0-only" },
    { "GPL-2.0+", "GPL-2.0-or-later" },
    { "GPLv2", "GPL-2.0-only" },
    { "GPLv2+", "GPL-2.0-or-later" },
    { "GPL-3", "GPL-3.0-only" },
    { "GPL-3+", "GPL-3.0-or-later" },
    { "GPL-3.0", "GPL-3.0-only" },
    { "GPL-3.0+", "GPL-3.0-or-later" },
    { "GPLv3", "GPL-3.0-only" },
    { "GPLv3+", "GPL-3.0-or-later" },
    { "LGPL-2", "LGPL-2.0-only" },
    { "LGPL-2+", "LGPL-2.0-or-later" },
    { "LGPLv2", "LGPL-2.0-only" },
    { "LGPLv2+", "LGPL-2.0-or-later" },
    { "LGPL-2.1", "LGPL-2.1-only" },
    { "LGPL-2.1+", "LGPL-2.1-or-later" },
    { "LGPL-3", "LGPL-3.0-only" },
    { "LGPL-3+", "LGPL-3.0-or-later" },
    { "LGPLv3", "LGPL-3.0-only" },
    { "LGPLv3+", "LGPL-3.0-or-later" },
    { "AGPL-3", "AGPL-3.0-only" },
    { "AGPL-3+", "AGPL-3.0-or-later" },
    { "GFDL-1.2+", "GFDL-1.2-or-later" },
    { "GFDL-1.3", "GFDL-1.3-only" },
    { "GFDL-1.3+", "GFDL-1.3-or-later" },
    { "MPLv2.0", "MPL-2.0" },
    { "zlib", "Zlib" },
    { "PSF", "PSF-2.0" },
    { "Python Software Foundation License", "PSF-2.0" },
    { "ISC License (ISCL)", "ISC" },
    { "Boost", "BSL-1.0" },
};

/* Exceptions that follow WITH. */
static const char *const exceptions[] = {
    "Autoconf-exception-3.0",    "Bison-exception-2.2", "Classpath-exception-2.0",
    "GCC-exception-2.0",         "GCC-exception-3.1",   "LLVM-exception",
    "Libtool-exception",         "Linux-syscall-note",  "OCaml-LGPL-linking-exception",
    "openvpn-openssl-exception",
};

static const char *find(const char *const *names, size_t n, struct span text)
{
    for (size_t i = 0; i < n; i++)
        if (text.len == strlen(names[i]) && strncasecmp(text.ptr, names[i], text.len) == 0)
            return names[i];
    return NULL;
}

static const char *find_license(struct span text)
{
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
        if (span_is(text, aliases[i].name))
            return aliases[i].id;
    return find(known, sizeof known / sizeof *known, text);
}

/* "LicenseRef-" and letters, digits, dots and dashes of the text; another one's gets a number. */
static void put_ref(struct span text, struct map *refs, struct buf *out)
{
    enum { REF_MAX = 64 };
    AUTO_FREE char *whole = span_dup(text);
    AUTO_VALUE(buf_clear) struct buf id = { 0 };
    buf_init(&id, KIB);
    buf_puts(&id, "LicenseRef-");
    for (size_t i = 0; i < text.len && i < REF_MAX; i++) {
        char c = text.ptr[i];
        bool is_plain =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.';
        if (is_plain || id.data[id.len - 1] != '-')
            buf_putc(&id, is_plain ? c : '-');
    }
    size_t len = id.len;
    for (unsigned n = 2;; n++) {
        const char *there = map_find_str(refs, id.data);
        if (!there)
            map_set_str(refs, id.data, whole);
        if (!there || strcmp(there, whole) == 0)
            break;
        id.len = len;
        buf_printf(&id, "-%u", n);
    }
    buf_put(out, buf_span(&id));
}

/* The next " AND " or " OR " outside parentheses; NULL joint at the end.  False when parentheses
 * do not match. */
static bool cut_operand(struct span *rest, struct span *operand, const char **joint)
{
    int depth = 0;
    *joint = NULL;
    for (size_t i = 0; i < rest->len; i++) {
        struct span here = span_skip(*rest, i);
        depth += here.ptr[0] == '(';
        depth -= here.ptr[0] == ')';
        if (depth < 0)
            return false;
        bool is_and = here.len > 5 && strncasecmp(here.ptr, " and ", 5) == 0;
        bool is_or = here.len > 4 && strncasecmp(here.ptr, " or ", 4) == 0;
        if (depth || (!is_and && !is_or))
            continue;
        *operand = span_trim(span_first(*rest, i));
        *joint = is_and ? " AND " : " OR ";
        *rest = span_skip(here, is_and ? 5 : 4);
        return operand->len > 0;
    }
    *operand = span_trim(*rest);
    *rest = (struct span){ 0 };
    return depth == 0 && operand->len > 0;
}

static void put_expression(struct span text, struct map *refs, int depth, struct buf *out);

static void put_operand(struct span text, struct map *refs, int depth, struct buf *out)
{
    const char *id = find_license(text);
    if (id) {
        buf_puts(out, id);
        return;
    }
    if (text.len > 2 && text.ptr[0] == '(' && text.ptr[text.len - 1] == ')') {
        buf_putc(out, '(');
        put_expression(span_bytes(text.ptr + 1, text.len - 2), refs, depth + 1, out);
        buf_putc(out, ')');
        return;
    }
    struct span exception = text, license = span_cut(&exception, ' ');
    struct span with = span_cut(&exception, ' ');
    const char *what = find(exceptions, sizeof exceptions / sizeof *exceptions, exception);
    if (what && with.len == 4 && strncasecmp(with.ptr, "with", 4) == 0 && find_license(license))
        buf_printf(out, "%s WITH %s", find_license(license), what);
    else
        put_ref(text, refs, out);
}

/* All operands or none: with one that cannot be read the text is no expression. */
static void put_expression(struct span text, struct map *refs, int depth, struct buf *out)
{
    enum { DEPTH_MAX = 8 };
    struct span rest = text, operand;
    const char *joint = " ";
    bool is_good = depth < DEPTH_MAX;
    while (is_good && joint)
        is_good = cut_operand(&rest, &operand, &joint);
    if (!is_good) {
        put_ref(text, refs, out);
        return;
    }
    rest = text;
    do {
        (void)cut_operand(&rest, &operand, &joint);
        put_operand(operand, refs, depth, out);
        if (joint)
            buf_puts(out, joint);
    } while (joint);
}

char *license_expression(const char *text, struct map *refs)
{
    struct buf out;
    buf_init(&out, (size_t)MIB); /* of LIMIT_PATH bytes, each operand at most KIB */
    put_expression(span_trim(span_of(text)), refs, 0, &out);
    return buf_take(&out);
}
