/* The SPDX document: its shape, and that it is a function of what it says. */
#include "base/codec/json.h"
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "engine/attest/spdx.h"
#include "tap.h"

static char zlib[] = "zlib1g", version[] = "1:1.2-3", arch[] = "amd64", deb[] = "deb";
static char license[] = "Zlib AND odd one", supplier[] = "M M <m@example.org>";
static char purl[] = "pkg:deb/debian/zlib1g@1:1.2-3?arch=amd64", status[] = "var/lib/dpkg/status";
static char npm[] = "npm", left[] = "left-pad", npm_purl[] = "pkg:npm/left-pad@1";
static char id[] = "debian", pretty[] = "Debian GNU/Linux 12",
            unread[] = "x.jar: zip: no directory";

static struct package packages[] = {
    { deb, zlib, version, arch, license, supplier, purl, status },
    { npm, left, NULL, NULL, NULL, npm, npm_purl, status },
};

static struct json *document(const char *created, size_t n)
{
    char *lines[] = { unread };
    struct scan_result r = { .packages = { packages, n, n },
                             .os = { id, NULL, pretty },
                             .unread = { lines, n > 1, 1 } };
    struct spdx_options o = { .name = "sbom", .created = created };
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    struct json *out = NULL;
    struct err err = { 0 };
    buf_init(&text, MIB);
    spdx_print(&r, &o, &text);
    EXPECT_OK(json_parse(buf_span(&text), &out, &err), &err);
    return out;
}

TEST("packages, the distribution, relationships, references, licenses, what could not be read")
{
    AUTO(json_free) struct json *o = document("2023-11-14T22:13:20Z", 2);
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    buf_init(&text, MIB);
    json_set_str(o, "documentNamespace", "-");
    json_print(o, &text);
    EXPECT_STR(
        text.data,
        "{\"spdxVersion\":\"SPDX-2.3\",\"dataLicense\":\"CC0-1.0\",\"SPDXID\":\"SPDXRef-DOCUMENT\","
        "\"name\":\"sbom\",\"documentNamespace\":\"-\",\"creationInfo\":{\"created\":\"2023-11-"
        "14T22"
        ":13:20Z\",\"creators\":[\"Tool: kiln-" KILN_VERSION "\"],\"licenseListVersion\":\"3.21\","
        "\"comment\":\"could not be read:\\nx.jar: zip: no directory\"},\"packages\":["
        "{\"name\":\"sbom\",\"SPDXID\":\"SPDXRef-DocumentRoot\",\"primaryPackagePurpose\":"
        "\"CONTAINER\",\"downloadLocation\":\"NOASSERTION\",\"filesAnalyzed\":false,"
        "\"licenseConcluded\":\"NOASSERTION\",\"licenseDeclared\":\"NOASSERTION\","
        "\"copyrightText\":\"NOASSERTION\"},"
        "{\"name\":\"debian\",\"SPDXID\":\"SPDXRef-OperatingSystem\",\"summary\":\"Debian "
        "GNU/Linux "
        "12\",\"primaryPackagePurpose\":\"OPERATING-SYSTEM\",\"downloadLocation\":\"NOASSERTION\","
        "\"filesAnalyzed\":false,\"licenseConcluded\":\"NOASSERTION\",\"licenseDeclared\":"
        "\"NOASSERTION\",\"copyrightText\":\"NOASSERTION\"},"
        "{\"name\":\"zlib1g\",\"SPDXID\":\"SPDXRef-Package-deb-zlib1g-3e740c9105e7939b\","
        "\"versionInfo\":\"1:1.2-3\",\"supplier\":\"Person: M M (m@example.org)\",\"sourceInfo\":"
        "\"acquired package info from "
        "var/lib/dpkg/status\",\"externalRefs\":[{\"referenceCategory\""
        ":\"PACKAGE-MANAGER\",\"referenceType\":\"purl\",\"referenceLocator\":"
        "\"pkg:deb/debian/zlib1g@1:1.2-3?arch=amd64\"}],\"downloadLocation\":\"NOASSERTION\","
        "\"filesAnalyzed\":false,\"licenseConcluded\":\"NOASSERTION\",\"licenseDeclared\":\"Zlib "
        "AND "
        "LicenseRef-odd-one\",\"copyrightText\":\"NOASSERTION\"},"
        "{\"name\":\"left-pad\",\"SPDXID\":\"SPDXRef-Package-npm-left-pad-05cf6680c2cdad7c\","
        "\"supplier\":\"Organization: npm\",\"sourceInfo\":\"acquired package info from "
        "var/lib/dpkg/status\",\"externalRefs\":[{\"referenceCategory\":\"PACKAGE-MANAGER\","
        "\"referenceType\":\"purl\",\"referenceLocator\":\"pkg:npm/left-pad@1\"}],"
        "\"downloadLocation\":\"NOASSERTION\",\"filesAnalyzed\":false,\"licenseConcluded\":"
        "\"NOASSERTION\",\"licenseDeclared\":\"NOASSERTION\",\"copyrightText\":\"NOASSERTION\"}],"
        "\"hasExtractedLicensingInfos\":[{\"licenseId\":\"LicenseRef-odd-one\",\"name\":\"odd "
        "one\","
        "\"extractedText\":\"odd one\"}],\"relationships\":["
        "{\"spdxElementId\":\"SPDXRef-DOCUMENT\",\"relationshipType\":\"DESCRIBES\","
        "\"relatedSpdxElement\":\"SPDXRef-DocumentRoot\"},"
        "{\"spdxElementId\":\"SPDXRef-DocumentRoot\",\"relationshipType\":\"CONTAINS\","
        "\"relatedSpdxElement\":\"SPDXRef-OperatingSystem\"},"
        "{\"spdxElementId\":\"SPDXRef-DocumentRoot\",\"relationshipType\":\"CONTAINS\","
        "\"relatedSpdxElement\":\"SPDXRef-Package-deb-zlib1g-3e740c9105e7939b\"},"
        "{\"spdxElementId\":\"SPDXRef-DocumentRoot\",\"relationshipType\":\"CONTAINS\","
        "\"relatedSpdxElement\":\"SPDXRef-Package-npm-left-pad-05cf6680c2cdad7c\"}]}");
}

TEST("the namespace is the same for the same content, and another for another")
{
    AUTO(json_free) struct json *a = document("2023-11-14T22:13:20Z", 2);
    AUTO(json_free) struct json *b = document("2023-11-14T22:13:20Z", 2);
    AUTO(json_free) struct json *c = document("2023-11-14T22:13:21Z", 2);
    AUTO(json_free) struct json *d = document("2023-11-14T22:13:20Z", 1);
    const char *name = json_get_str(a, "documentNamespace");
    EXPECT(strncmp(name, "https://spdx.org/spdxdocs/sbom-", 31) == 0);
    EXPECT_STR(json_get_str(b, "documentNamespace"), name);
    EXPECT(strcmp(json_get_str(c, "documentNamespace"), name) != 0);
    EXPECT(strcmp(json_get_str(d, "documentNamespace"), name) != 0);
}

TAP_MAIN()
