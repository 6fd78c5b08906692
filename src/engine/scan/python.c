/* engine/scan/python.c - what a Python distribution says of itself.  Spec: packaging.python.org
 * "Core metadata specifications". */
#include <string.h>

#include "engine/scan/internal.h"

enum { LICENSE_MAX = 128 }; /* more is the license's own text */

/* "License :: OSI Approved :: MIT License" gives its last part. */
static struct span classifier_license(struct span value)
{
    static const char head[] = "License :: ";
    if (!span_starts(value, head))
        return (struct span){ 0 };
    ptrdiff_t at = span_rfind(value, ':');
    return span_trim(span_skip(value, (size_t)at + 1));
}

void python_parse(struct scan *s, struct span text, const char *path)
{
    struct found found = { .type = "pypi", .origin = path };
    struct span rest = text, expression = { 0 }, license = { 0 }, classifier = { 0 };
    struct span author = { 0 }, mail = { 0 };
    for (struct field f; field_next(&rest, &f);) {
        if (field_is(&f, "Name"))
            found.name = f.value;
        else if (field_is(&f, "Version"))
            found.version = f.value;
        else if (field_is(&f, "License-Expression"))
            expression = f.value;
        else if (field_is(&f, "License") && f.value.len < LICENSE_MAX &&
                 span_find(f.value, '\n') < 0 && !span_is(f.value, "UNKNOWN"))
            license = f.value;
        else if (field_is(&f, "Classifier") && classifier_license(f.value).len)
            classifier = classifier_license(f.value);
        else if (field_is(&f, "Author"))
            author = f.value;
        else if (field_is(&f, "Author-email"))
            mail = f.value;
    }
    found.license = expression.len ? expression : license.len ? license : classifier;
    found.supplier = author.len ? author : mail;
    if (found.version.len)
        scan_add(s, &found);
}
