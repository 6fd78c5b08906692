/* Licenses as packages write them, and what SPDX calls them. */
#include "base/core/mem.h"
#include "engine/attest/license.h"
#include "tap.h"

TEST("names of SPDX, Debian, Fedora and others; what is not known is a reference to its text")
{
    static const struct {
        const char *text, *want, *ref;
    } rows[] = {
        { "MIT", "MIT", NULL },
        { "mit", "MIT", NULL },
        { "Expat", "MIT", NULL },
        { "GPL-2+", "GPL-2.0-or-later", NULL },
        { "GPLv2+ and BSD-3-Clause", "GPL-2.0-or-later AND BSD-3-Clause", NULL },
        { "Expat AND (GPL-2+ or Artistic-2.0)", "MIT AND (GPL-2.0-or-later OR Artistic-2.0)",
          NULL },
        { "Apache-2.0 WITH LLVM-exception", "Apache-2.0 WITH LLVM-exception", NULL },
        { "Apache License, Version 2.0", "Apache-2.0", NULL },
        { "public-domain", "LicenseRef-public-domain", "public-domain" },
        { "GPL-2+ with OpenSSL exception", "LicenseRef-GPL-2-with-OpenSSL-exception",
          "GPL-2+ with OpenSSL exception" },
        { "MIT AND Foo Bar!", "MIT AND LicenseRef-Foo-Bar-", "Foo Bar!" },
        { "(MIT", "LicenseRef-MIT", "(MIT" },
        { "MIT and ", "LicenseRef-MIT-and", "MIT and" },
        { "()", "LicenseRef-", "()" },
        { "(((((((((MIT)))))))))", "((((((((LicenseRef-MIT-))))))))", "(MIT)" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO_VALUE(map_clear) struct map refs = STR_MAP;
        AUTO_FREE char *got = license_expression(rows[i].text, &refs);
        EXPECT_STR(got, rows[i].want);
        EXPECT_INT(refs.n, rows[i].ref != NULL);
        if (rows[i].ref && refs.n)
            EXPECT_STR((const char *)refs.entries[0].value, rows[i].ref);
    }
}

TEST("two texts that look alike get two references, the same text one")
{
    AUTO_VALUE(map_clear) struct map refs = STR_MAP;
    AUTO_FREE char *a = license_expression("a b", &refs), *b = license_expression("a/b", &refs);
    AUTO_FREE char *again = license_expression("a/b", &refs);
    EXPECT_STR(a, "LicenseRef-a-b");
    EXPECT_STR(b, "LicenseRef-a-b-2");
    EXPECT_STR(again, b);
    EXPECT_INT(refs.n, 2);
}

TAP_MAIN()
