/* Package URLs, held against the examples of the specification. */
#include "base/codec/purl.h"
#include "base/core/mem.h"
#include "tap.h"

TEST("parts are encoded and what is missing is left out")
{
    static const struct {
        struct purl purl;
        const char *want;
    } rows[] = {
        { { .type = "deb",
            .namespace_ = "debian",
            .name = "libstdc++6",
            .version = "1:12.2.0-14+deb12u1~x",
            .qualifiers = { { "arch", "amd64" }, { "distro", "debian-12" } } },
          "pkg:deb/debian/libstdc%2B%2B6@1:12.2.0-14%2Bdeb12u1~x?arch=amd64&distro=debian-12" },
        { { .type = "npm", .namespace_ = "@angular", .name = "core", .version = "12.3.1" },
          "pkg:npm/%40angular/core@12.3.1" },
        { { .type = "golang", .namespace_ = "github.com/a//b", .name = "c", .version = "" },
          "pkg:golang/github.com/a/b/c" },
        { { .type = "docker",
            .namespace_ = "localhost:5000",
            .name = "app",
            .version = "1",
            .qualifiers = { { "digest", NULL }, { "platform", "linux/amd64" } } },
          "pkg:docker/localhost:5000/app@1?platform=linux%2Famd64" },
        { { .type = "pypi", .name = "a b/c" }, "pkg:pypi/a%20b%2Fc" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO_FREE char *got = purl_print(&rows[i].purl);
        EXPECT_STR(got, rows[i].want);
    }
}

TAP_MAIN()
