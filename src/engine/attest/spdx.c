/* engine/attest/spdx.c - see spdx.h.
 *
 * One package stands for what was looked at; the document describes it, and it contains the
 * distribution and all that was found.  Nothing is concluded: licenses are those declared. */
#include "engine/attest/spdx.h"

#include <stdlib.h>
#include <string.h>

#include "base/codec/digest.h"
#include "base/codec/json.h"
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "engine/attest/license.h"

#define NONE "NOASSERTION"
#define ROOT_ID "SPDXRef-DocumentRoot"
#define OS_ID "SPDXRef-OperatingSystem"

struct making {
    struct json *packages, *relationships;
    struct map refs; /* of licenses: id -> text */
};

static void relate(struct making *m, const char *from, const char *type, const char *to)
{
    struct json *o = json_new_object();
    json_set_str(o, "spdxElementId", from);
    json_set_str(o, "relationshipType", type);
    json_set_str(o, "relatedSpdxElement", to);
    json_push(m->relationships, o);
}

static struct json *package_new(const char *name, const char *id, const char *version)
{
    struct json *o = json_new_object();
    json_set_str(o, "name", name);
    json_set_str(o, "SPDXID", id);
    if (version)
        json_set_str(o, "versionInfo", version);
    return o;
}

/* What has to be said of every package. */
static void finish_package(struct making *m, struct json *o, const char *license)
{
    json_set_str(o, "downloadLocation", NONE);
    json_set_bool(o, "filesAnalyzed", false);
    json_set_str(o, "licenseConcluded", NONE);
    json_set_str(o, "licenseDeclared", license);
    json_set_str(o, "copyrightText", NONE);
    json_push(m->packages, o);
}

/* "SPDXRef-Package-deb-zlib1g-0123456789abcdef": letters, digits, dots and dashes are allowed. */
static char *id_of(const struct package *p)
{
    enum { HEX = 16, NAME_MAX_SHOWN = 100 };
    struct digest digest = digest_of(span_of(p->purl));
    char *id = xasprintf("SPDXRef-Package-%s-%.*s-%.*s", p->type, NAME_MAX_SHOWN, p->name, HEX,
                         digest_hex(&digest).s);
    for (char *c = id; *c; c++) {
        bool is_plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                        (*c >= '0' && *c <= '9') || *c == '.';
        if (!is_plain)
            *c = '-';
    }
    return id;
}

/* "Person: NAME (MAIL)", "Organization: NAME"; those who install packages name a person, mostly. */
static char *supplier_of(const struct package *p)
{
    if (!p->supplier)
        return xstrdup(NONE);
    struct span mail = span_of(p->supplier), name = span_trim(span_cut(&mail, '<'));
    struct span address = span_cut(&mail, '>');
    if (!address.len || !name.len)
        return xasprintf("Organization: %s", p->supplier);
    return xasprintf("Person: %.*s (%.*s)", SPAN_ARG(name), SPAN_ARG(address));
}

static void add_package(struct making *m, const struct package *p)
{
    AUTO_FREE char *id = id_of(p), *supplier = supplier_of(p);
    AUTO_FREE char *license = p->license ? license_expression(p->license, &m->refs) : xstrdup(NONE);
    AUTO_FREE char *source = xasprintf("acquired package info from %s", p->origin);
    struct json *o = package_new(p->name, id, p->version);
    struct json *refs = json_new_array(), *ref = json_new_object();
    json_set_str(o, "supplier", supplier);
    json_set_str(o, "sourceInfo", source);
    json_set_str(ref, "referenceCategory", "PACKAGE-MANAGER");
    json_set_str(ref, "referenceType", "purl");
    json_set_str(ref, "referenceLocator", p->purl);
    json_push(refs, ref);
    json_set(o, "externalRefs", refs);
    finish_package(m, o, license);
    relate(m, ROOT_ID, "CONTAINS", id);
}

static void add_os(struct making *m, const struct os_release *os)
{
    if (!os->id)
        return;
    struct json *o = package_new(os->id, OS_ID, os->version_id);
    if (os->pretty_name)
        json_set_str(o, "summary", os->pretty_name);
    json_set_str(o, "primaryPackagePurpose", "OPERATING-SYSTEM");
    finish_package(m, o, NONE);
    relate(m, ROOT_ID, "CONTAINS", OS_ID);
}

static struct json *licenses_json(struct making *m)
{
    struct json *list = json_new_array();
    map_sort(&m->refs);
    map_each (&m->refs, e) {
        struct json *o = json_new_object();
        json_set_str(o, "licenseId", e->key);
        json_set_str(o, "name", e->value);
        json_set_str(o, "extractedText", e->value);
        json_push(list, o);
    }
    return list;
}

static struct json *creation_json(const struct scan_result *r, const char *created)
{
    struct json *o = json_new_object(), *creators = json_new_array();
    json_push(creators, json_new_str("Tool: kiln-" KILN_VERSION));
    json_set_str(o, "created", created);
    json_set(o, "creators", creators);
    json_set_str(o, "licenseListVersion", "3.21");
    AUTO_VALUE(buf_clear) struct buf unread = { 0 };
    buf_init(&unread, (size_t)(16 * MIB));
    vec_each (&r->unread, line)
        buf_printf(&unread, "%s%s", unread.len ? "\n" : "could not be read:\n", *line);
    if (unread.len)
        json_set_str(o, "comment", unread.data);
    return o;
}

void spdx_print(const struct scan_result *r, const struct spdx_options *o, struct buf *out)
{
    AUTO(json_free) struct json *document = json_new_object();
    AUTO_VALUE(buf_clear) struct buf all_else = { 0 };
    struct making m = { json_new_array(), json_new_array(), STR_MAP };
    relate(&m, "SPDXRef-DOCUMENT", "DESCRIBES", ROOT_ID);
    struct json *root = package_new(o->name, ROOT_ID, NULL);
    json_set_str(root, "primaryPackagePurpose", "CONTAINER");
    finish_package(&m, root, NONE);
    add_os(&m, &r->os);
    for (size_t i = 0; i < r->packages.n; i++)
        add_package(&m, &r->packages.items[i]);
    json_set_str(document, "spdxVersion", "SPDX-2.3");
    json_set_str(document, "dataLicense", "CC0-1.0");
    json_set_str(document, "SPDXID", "SPDXRef-DOCUMENT");
    json_set_str(document, "name", o->name);
    json_set_str(document, "documentNamespace", "");
    json_set(document, "creationInfo", creation_json(r, o->created));
    json_set(document, "packages", m.packages);
    if (m.refs.n)
        json_set(document, "hasExtractedLicensingInfos", licenses_json(&m));
    json_set(document, "relationships", m.relationships);
    map_clear(&m.refs);
    buf_init(&all_else, out->ceiling);
    json_print(document, &all_else);
    struct digest digest = digest_of(buf_span(&all_else));
    AUTO_FREE char *namespace_ =
        xasprintf("https://spdx.org/spdxdocs/%s-%s", o->name, digest_hex(&digest).s);
    json_set_str(document, "documentNamespace", namespace_);
    json_print(document, out);
}
