/* What programs and libraries say of themselves, held against the tools of their languages. */
#include "fixture.h"

TEST("go: the modules that go version -m lists")
{
    if (!has_program("go"))
        SKIP("needs go");
    RUN("export GOFLAGS=-mod=mod GOPROXY=off HOME=$PWD GOCACHE=$PWD/cache\n"
        "mkdir -p m/x root/usr/bin; cd m\n"
        "printf 'module example.com/a/b\\ngo 1.19\\nrequire example.com/deep/x v1.2.3\\n"
        "replace example.com/deep/x => ./x\\n' >go.mod\n"
        "printf 'module example.com/deep/x\\ngo 1.19\\n' >x/go.mod\n"
        "printf 'package x\\nfunc F() int { return 1 }\\n' >x/x.go\n"
        "printf 'package main\\nimport \"example.com/deep/x\"\\nfunc main() { println(x.F()) }\\n' "
        ">main.go\n"
        "go build -trimpath -ldflags='-s -w' -o ../root/usr/bin/app . && cd ..\n"
        "cp root/usr/bin/app root/usr/bin/stripped && strip -R .go.buildinfo -s "
        "root/usr/bin/stripped "
        "2>/dev/null || rm root/usr/bin/stripped");
    AUTO_FREE char *got = found("nvo");
    AUTO_FREE char *witness = shell(
        "export HOME=$PWD; go version -m root/usr/bin/app | awk '$1 ~ /^(mod|dep|=>)$/ { print "
        "$1, $2, $3 } NR == 1 { print $2 }'");
    EXPECT_CONTAINS(witness, "mod example.com/a/b (devel)");
    EXPECT_CONTAINS(witness, "=> ./x (devel)");
    AUTO_FREE char *version = shell("go env GOVERSION | cut -c3-");
    AUTO_FREE char *want = xasprintf("./x (devel) usr/bin/app\n"
                                     "example.com/a/b (devel) usr/bin/app\n"
                                     "stdlib %s usr/bin/app",
                                     version);
    EXPECT_STR(got, want);
}

/* Programs as the linkers before Go 1.18 left them: the texts through pointers. */
TEST("go: build information by pointers, of 64 and 32 bits and of both byte orders")
{
    static const char *const rows[] = { "'<', 8", "'<', 4", "'>', 8", "'>', 4" };
    if (!has_program("python3"))
        SKIP("needs python3");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        RUN("rm -rf root; mkdir -p root/bin; python3 - <<'E'\n"
            "import struct\n"
            "o, n = %s\n"
            "P = 'Q' if n == 8 else 'I'\n"
            "base, mods = 0x400000, b'0' * 16 + "
            "b'path\\tx\\nmod\\texample.com/old\\tv0.1.0\\th1:a\\n"
            "dep\\tgithub.com/a/b/v2\\tv2.0.1\\th1:b\\n' + b'1' * 16\n"
            "ver = b'go1.16.5'\n"
            "text_at, head_at = 0x200, 0x100\n"
            "info = b'\\xff Go buildinf:' + bytes([n, 1 if o == '>' else 0])\n"
            "info += struct.pack(o + 2 * P, base + 0x180, base + 0x1a0)\n"
            "data = bytearray(0x400)\n"
            "if n == 8:\n"
            "    data[0:64] = struct.pack(o + '4s5B7xHHIQQQIHHHHHH', b'\\x7fELF', 2, 2 if o == '>' "
            "else 1, 1, 0, 0, 2, 62, 1, 0, 64, 0, 0, 64, 56, 1, 64, 0, 0)\n"
            "    data[64:120] = struct.pack(o + 'IIQQQQQQ', 1, 6, 0, base, base, 0x400, 0x400, 1)\n"
            "else:\n"
            "    data[0:52] = struct.pack(o + '4s5B7xHHIIIIIHHHHHH', b'\\x7fELF', 1, 2 if o == '>' "
            "else 1, 1, 0, 0, 2, 3, 1, 0, 52, 0, 0, 52, 32, 1, 40, 0, 0)\n"
            "    data[52:84] = struct.pack(o + '8I', 1, 0, base, base, 0x400, 0x400, 6, 1)\n"
            "data[head_at:head_at + len(info)] = info\n"
            "data[0x180:0x180 + 2 * n] = struct.pack(o + 2 * P, base + text_at, len(ver))\n"
            "data[0x1a0:0x1a0 + 2 * n] = struct.pack(o + 2 * P, base + 0x240, len(mods))\n"
            "data[text_at:text_at + len(ver)] = ver\n"
            "data[0x240:0x240 + len(mods)] = mods\n"
            "open('root/bin/old', 'wb').write(data)\n"
            "E\n"
            "chmod +x root/bin/old",
            rows[i]);
        AUTO_FREE char *got = found("p");
        EXPECT_STR(got, "pkg:golang/example.com/old@v0.1.0\npkg:golang/github.com/a/b/v2@v2.0.1\n"
                        "pkg:golang/stdlib@1.16.5");
    }
}

TEST("jar: pom.properties, else the manifest, else the name; jars in jars too")
{
    if (!has_program("zip") || !has_program("python3"))
        SKIP("needs zip and python3");
    RUN("mkdir -p root/opt a/META-INF/maven/g.h/art b/META-INF w/WEB-INF/lib\n"
        "printf '#c\\ngroupId=g.h\\nartifactId=art\\nversion=1.2\\n' "
        ">a/META-INF/maven/g.h/art/pom.properties\n"
        "seq 20000 >a/filler\n"
        "printf 'Manifest-Version: 1.0\\r\\nImplementation-Version: 3.\\r\\n 4\\r\\n"
        "Implementation-Vendor: V Inc\\r\\nBundle-License: Apache-2.0\\r\\n' "
        ">b/META-INF/MANIFEST.MF\n"
        "(cd a; zip -q -r ../w/WEB-INF/lib/art-1.2.jar .)\n"
        "(cd b; zip -q -0 -r ../root/opt/thing.jar .)\n"
        "(cd w; zip -q -r ../root/opt/web.war .)\n"
        "python3 -c 'import zipfile; z = zipfile.ZipFile(\"root/opt/named-2.0-jre.jar\", \"w\"); "
        "z.writestr(\"x\", \"y\"); z.comment = b\"PK a comment\"'\n"
        "cp w/WEB-INF/lib/art-1.2.jar root/opt/again.jar");
    AUTO_FREE char *got = found("plo");
    EXPECT_STR(got, "pkg:maven/g.h/art@1.2 - opt/again.jar\n"
                    "pkg:maven/named/named@2.0-jre - opt/named-2.0-jre.jar\n"
                    "pkg:maven/thing/thing@3.4 Apache-2.0 opt/thing.jar\n"
                    "pkg:maven/web/web - opt/web.war");
    RUN("rm root/opt/again.jar");
    AUTO_FREE char *nested = found("po");
    EXPECT_CONTAINS(nested, "pkg:maven/g.h/art@1.2 opt/web.war!/WEB-INF/lib/art-1.2.jar");
}

TEST("jar: broken ones are told of")
{
    if (!has_program("zip"))
        SKIP("needs zip");
    RUN("mkdir -p root; printf 'no zip' >root/none.jar\n"
        "mkdir -p x/META-INF; printf 'groupId=g\\nartifactId=a\\nversion=1\\n' >x/p; yes | head -c "
        "9000 >x/META-INF/MANIFEST.MF\n"
        "(cd x; zip -q ../root/torn.jar META-INF/MANIFEST.MF p)\n"
        "python3 - <<'E'\n"
        "b = bytearray(open('root/torn.jar', 'rb').read())\n"
        "b[82] ^= 0xff\n"
        "open('root/torn.jar', 'wb').write(b)\n"
        "b = bytearray(open('root/torn.jar', 'rb').read())\n"
        "b[-20:-18] = b'\\xff\\xfe'\n"
        "open('root/more.jar', 'wb').write(b[:-22] + b'PK\\5\\6' + bytes(4) + "
        "b'\\xfe\\xff\\xfe\\xff' "
        "+ b'\\xff\\xff\\0\\0' + b'\\0\\0\\0\\x70\\0\\0')\n"
        "E");
    AUTO_FREE char *got = found("n");
    EXPECT_CONTAINS(got, "unread none.jar: zip: no directory");
    EXPECT_CONTAINS(got, "unread torn.jar: ");
    EXPECT_CONTAINS(got, "unread more.jar: zip: the directory: the file ends before byte");
}

TEST("npm: the packages of every node_modules, as npm ls lists them")
{
    if (!has_program("npm"))
        SKIP("needs npm");
    RUN("mkdir -p root/app/node_modules/a/node_modules/b root/app/node_modules/@s/c/lib "
        "root/app/node_modules/b; cd root/app\n"
        "printf '{\"name\":\"app\",\"version\":\"0.0.1\",\"dependencies\":{\"a\":\"1\",\"b\":\"2\","
        "\"@s/c\":\"3\"}}' >package.json\n"
        "printf '{\"name\":\"a\",\"version\":\"1.0.0\",\"license\":\"MIT\",\"dependencies\":"
        "{\"b\":\"1\"},\"author\":{\"name\":\"A N\"}}' >node_modules/a/package.json\n"
        "printf '\\357\\273\\277{\"name\":\"b\",\"version\":\"1.0.0\",\"licenses\":[{\"type\":"
        "\"ISC\"}]}' >node_modules/a/node_modules/b/package.json\n"
        "printf '{\"name\":\"b\",\"version\":\"2.0.0\",\"license\":{\"type\":\"BSD\"}}' "
        ">node_modules/b/package.json\n"
        "printf '{\"name\":\"@s/c\",\"version\":\"3.1.0\"}' >'node_modules/@s/c/package.json'\n"
        "printf '{\"type\":\"module\"}' >'node_modules/@s/c/lib/package.json'");
    AUTO_FREE char *got = found("nvls");
    EXPECT_STR(got, "@s/c 3.1.0 - -\na 1.0.0 MIT A N\nb 1.0.0 ISC -\nb 2.0.0 BSD -");
    AUTO_FREE char *purls = found("p");
    EXPECT_CONTAINS(purls, "pkg:npm/%40s/c@3.1.0\n");
    AUTO_FREE char *witness =
        shell("cd root/app; HOME=$PWD npm ls --all --parseable --long 2>/dev/null | tail -n +2 | "
              "sed 's/^[^:]*://; s/:.*//' | sort -u");
    EXPECT_STR(witness, "@s/c@3.1.0\na@1.0.0\nb@1.0.0\nb@2.0.0");
    RUN("echo '{' >root/app/node_modules/b/package.json");
    AUTO_FREE char *broken = found("n");
    EXPECT_CONTAINS(broken, "unread app/node_modules/b/package.json: line ");
}

TEST("python: what importlib.metadata lists")
{
    if (!has_program("python3"))
        SKIP("needs python3");
    RUN("d=root/usr/lib/python3/dist-packages; mkdir -p $d/Foo_Bar-1.0.dist-info $d/old.egg-info\n"
        "printf 'Metadata-Version: 2.1\\nName: Foo.Bar__x\\nVersion: 1.0\\nLicense: MIT\\n"
        "Author: A\\n\\nVersion: 9\\n' >$d/Foo_Bar-1.0.dist-info/METADATA\n"
        "printf 'Name: old\\nVersion: 0.9\\nLicense: UNKNOWN\\nClassifier: License :: OSI Approved "
        ":: BSD License\\n' >$d/old.egg-info/PKG-INFO\n"
        "printf 'Name: single\\nVersion: 2\\nLicense-Expression: MIT OR Apache-2.0\\nAuthor-email: "
        "a@example.org\\n' >$d/single.egg-info");
    AUTO_FREE char *got = found("pnls");
    EXPECT_STR(got, "pkg:pypi/foo-bar-x@1.0 Foo.Bar__x MIT A\npkg:pypi/old@0.9 old BSD License -\n"
                    "pkg:pypi/single@2 single MIT OR Apache-2.0 a@example.org");
    AUTO_FREE char *names = found("nv");
    keep("got", names);
    AUTO_FREE char *difference =
        shell("python3 - <<'E' | diff - <(cat got; echo)\nimport importlib.metadata as m\n"
              "for d in sorted(m.distributions(path=['root/usr/lib/python3/dist-packages']), "
              "key=lambda d: d.metadata['Name']): print(d.metadata['Name'], d.version)\nE");
    EXPECT_STR(difference, "");
}

TAP_MAIN()
