/* engine/scan/npm.c - package.json of what is in a node_modules.  Spec: docs.npmjs.com
 * package.json. */
#include <string.h>

#include "base/codec/json.h"
#include "engine/scan/internal.h"

/* "license": "MIT", {"type": "MIT"}; "licenses": [{"type": "MIT"}] */
static const char *license_of(const struct json *o)
{
    const struct json *license = json_get(o, "license");
    if (json_type(license) == JSON_NULL)
        license = json_at(json_get(o, "licenses"), 0);
    const char *text =
        json_type(license) == JSON_STRING ? json_str(license) : json_get_str(license, "type");
    return text;
}

/* "Name <mail> (url)" or {"name": ...} */
static const char *author_of(const struct json *o)
{
    const struct json *author = json_get(o, "author");
    return json_type(author) == JSON_STRING ? json_str(author) : json_get_str(author, "name");
}

int npm_parse(struct scan *s, struct span text, const char *path, struct err *err)
{
    AUTO(json_free) struct json *o = NULL;
    if (span_starts(text, "\xef\xbb\xbf"))
        text = span_skip(text, 3);
    if (json_parse(text, &o, err))
        return -1;
    struct span name = span_of(json_get_str(o, "name")), scope = { 0 };
    if (name.len && name.ptr[0] == '@' && span_find(name, '/') > 0)
        scope = span_cut(&name, '/');
    struct found found = { .type = "npm",
                           .namespace_ = scope,
                           .name = name,
                           .version = span_of(json_get_str(o, "version")),
                           .license = span_of(license_of(o)),
                           .supplier = span_of(author_of(o)),
                           .origin = path };
    if (found.version.len)
        scan_add(s, &found);
    return 0;
}
