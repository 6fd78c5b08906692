/* Package data bases of distributions, held against their own programs. */
#include "fixture.h"

TEST("dpkg: the same packages as dpkg-query lists, each with its license")
{
    if (!has_program("dpkg-query") || access("/var/lib/dpkg/status", R_OK))
        SKIP("needs dpkg");
    RUN("mkdir -p root/var/lib/dpkg root/etc root/usr/share/doc/zlib1g\n"
        "cp /var/lib/dpkg/status root/var/lib/dpkg\n"
        "ln -s ../usr/lib/os-release root/etc/os-release; mkdir -p root/usr/lib\n"
        "printf 'ID=debian\\nVERSION_ID=\"12\"\\n' >root/usr/lib/os-release\n"
        "printf 'Package: gone\\nStatus: deinstall ok config-files\\nVersion: 1\\n"
        "Architecture: all\\n\\n' >>root/var/lib/dpkg/status");
    AUTO_FREE char *got = found("nva");
    keep("got", got);
    AUTO_FREE char *difference =
        shell("dpkg-query --admindir=$PWD/root/var/lib/dpkg -W -f='${db:Status-Status} ${Package} "
              "${Version} ${Architecture}\\n' | "
              "sed -En 's/^(installed|triggers-[a-z]*) //p' | sort -u >want; echo >>got; sort -u "
              "got | sed '/^$/d' | "
              "diff want - | head; wc -l <want");
    EXPECT(strtol(difference, NULL, 10) > 100);
    if (strchr(difference, '\n'))
        tap_fail(__FILE__, __LINE__, "%s", difference);
}

TEST("dpkg: purls, licenses of a machine-readable copyright file, suppliers")
{
    RUN("mkdir -p root/var/lib/dpkg root/etc root/usr/share/doc/a\n"
        "printf 'ID=debian\\nVERSION_ID=\"12\"\\n' >root/etc/os-release\n"
        "cat >root/var/lib/dpkg/status <<'E'\n"
        "Package: a\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1:2.0+b1~x-1\n"
        "Maintainer: M <m@example.org>\nDescription: short\n long\n .\n Version: 9\n\n"
        "Package: half\nStatus: install ok half-installed\nArchitecture: amd64\nVersion: 1\n\nE\n"
        "cat >root/usr/share/doc/a/copyright <<'E'\n"
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\n"
        "Files: *\nLicense: Expat\n\nFiles: b\nLicense: GPL-2+ or Artistic\n\nFiles: c\n"
        "License: Expat\n text\nE");
    AUTO_FREE char *got = found("plso");
    EXPECT_STR(got, "pkg:deb/debian/a@1:2.0%2Bb1~x-1?arch=amd64&distro=debian-12 Expat AND (GPL-2+ "
                    "or Artistic) M <m@example.org> var/lib/dpkg/status");
}

TEST("distroless: a file for each package")
{
    RUN("mkdir -p root/var/lib/dpkg/status.d; cd root/var/lib/dpkg/status.d\n"
        "printf 'Package: base-files\\nVersion: 12\\nArchitecture: amd64\\n' >base\n"
        "printf 'Package: tzdata\\nVersion: 2024a\\nArchitecture: all' >tzdata\n"
        "printf 'd41d8  usr/x\\n' >base.md5sums");
    AUTO_FREE char *got = found("po");
    EXPECT_STR(got, "pkg:deb/debian/base-files@12?arch=amd64 var/lib/dpkg/status.d/base\n"
                    "pkg:deb/debian/tzdata@2024a?arch=all var/lib/dpkg/status.d/tzdata");
}

TEST("apk: name, version, license, maintainer")
{
    RUN("mkdir -p root/lib/apk/db root/etc\n"
        "printf 'ID=alpine\\nVERSION_ID=3.18.4\\n' >root/etc/os-release\n"
        "cat >root/lib/apk/db/installed <<'E'\n"
        "C:Q1abc=\nP:musl\nV:1.2.4-r2\nA:x86_64\nL:MIT\nm:T <t@example.org>\nF:lib\nR:ld-musl\n"
        "Z:Q1=\n\n"
        "P:busybox\nV:1.36.1-r5\nA:x86_64\nL:GPL-2.0-only\no:busybox\nE");
    AUTO_FREE char *got = found("pls");
    EXPECT_STR(got,
               "pkg:apk/alpine/busybox@1.36.1-r5?arch=x86_64&distro=alpine-3.18.4 GPL-2.0-only -\n"
               "pkg:apk/alpine/musl@1.2.4-r2?arch=x86_64&distro=alpine-3.18.4 MIT T "
               "<t@example.org>");
}

/* Two packages made and installed by rpm itself, in the backend's data base. */
#define SPEC                                                                                       \
    "cat >$1.spec <<E\nName: $1\nVersion: $2\nRelease: 1\nSummary: s\nLicense: $3\nVendor: V "     \
    "Inc\n$4\nBuildArch: noarch\n%%description\nd\n%%files\nE\n"                                   \
    "rpmbuild --quiet --define \"_topdir $PWD/rb\" -bb $1.spec >/dev/null 2>&1\n"

#define MAKE_RPMS                                                                                  \
    "make() {\n" SPEC "}\nmake one 1.0 MIT ''; make two 2.0~rc1 'GPLv2+ and BSD' 'Epoch: 3'\n"

TEST("rpm: what rpm -qa lists, from SQLite")
{
    if (!has_program("rpmbuild"))
        SKIP("needs rpm");
    RUN(MAKE_RPMS
        "mkdir -p root/var/lib/rpm root/etc\n"
        "printf 'ID=fedora\\nVERSION_ID=39\\n' >root/etc/os-release\n"
        "rpm --define '_db_backend sqlite' --define \"_dbpath $PWD/root/var/lib/rpm\" --initdb\n"
        "rpm --define '_db_backend sqlite' --define \"_dbpath $PWD/root/var/lib/rpm\" -i --nodeps "
        "--force-debian --justdb --noscripts --ignorearch rb/RPMS/noarch/*.rpm >/dev/null 2>&1");
    AUTO_FREE char *got = found("plso");
    EXPECT_STR(got,
               "pkg:rpm/fedora/one@1.0-1?arch=noarch&distro=fedora-39 MIT V Inc "
               "var/lib/rpm/rpmdb.sqlite\n"
               "pkg:rpm/fedora/two@2.0~rc1-1?arch=noarch&distro=fedora-39&epoch=3 GPLv2+ and BSD V "
               "Inc var/lib/rpm/rpmdb.sqlite");
    AUTO_FREE char *query = shell("rpm --define '_db_backend sqlite' --define \"_dbpath "
                                  "$PWD/root/var/lib/rpm\" -qa | sort");
    EXPECT_STR(query, "one-1.0-1.noarch\ntwo-2.0~rc1-1.noarch");
}

/* The headers of the two as rows (number, bytes) in Python. */
#define READ_ROWS                                                                                  \
    MAKE_RPMS "mkdir -p root/var/lib/rpm db\n"                                                     \
              "rpm --define '_db_backend sqlite' --define \"_dbpath $PWD/db\" --initdb\n"          \
              "rpm --define '_db_backend sqlite' --define \"_dbpath $PWD/db\" -i --nodeps "        \
              "--force-debian --justdb --noscripts --ignorearch rb/RPMS/noarch/*.rpm "             \
              ">/dev/null 2>&1\n"                                                                  \
              "cat >rows.py <<'E'\nimport sqlite3\n"                                               \
              "rows = list(sqlite3.connect('db/rpmdb.sqlite').execute('select hnum, blob from "    \
              "Packages'))\nE\n"

TEST("rpm: the headers of the same packages from ndb, as its source describes it")
{
    if (!has_program("rpmbuild") || !has_program("python3"))
        SKIP("needs rpm"); /* Debian's rpm knows no ndb, so it is no witness here */
    RUN(READ_ROWS "PYTHONPATH=. python3 - <<'E'\nimport struct\nfrom rows import rows\n"
                  "slots, blobs = b'', b''\n"
                  "for n, blob in rows:\n"
                  "    at = (4096 + len(blobs)) // 16\n"
                  "    whole = b'BlbS' + struct.pack('<3I', n, 1, len(blob)) + blob\n"
                  "    whole += b'\\0' * (-(len(whole) + 12) %% 16) + bytes(8) + b'BlbE'\n"
                  "    slots += b'Slot' + struct.pack('<3I', n, at, len(whole) // 16)\n"
                  "    blobs += whole\n"
                  "head = b'RpmP' + struct.pack('<4I', 0, 1, 1, 9) + bytes(12)\n"
                  "empty = b'Slot' + bytes(12)\n"
                  "slots += empty * ((4096 - 32 - len(slots)) // 16)\n"
                  "open('root/var/lib/rpm/Packages.db', 'wb').write(head + slots + blobs)\nE");
    AUTO_FREE char *got = found("po");
    EXPECT_STR(got, "pkg:rpm/redhat/one@1.0-1?arch=noarch var/lib/rpm/Packages.db\n"
                    "pkg:rpm/redhat/two@2.0~rc1-1?arch=noarch&epoch=3 var/lib/rpm/Packages.db");
}

TEST("rpm: what rpm -qa lists from a hash of Berkeley DB, on pages and in chains")
{
    if (!has_program("rpmbuild") || !has_program("db5.3_load") || !has_program("python3"))
        SKIP("needs rpm and db5.3-util");
    RUN(READ_ROWS
        "PYTHONPATH=. python3 - >dump <<'E'\n"
        "import struct\nfrom rows import rows\n"
        "print('VERSION=3\\nformat=bytevalue\\ntype=hash\\ndb_pagesize=4096\\nHEADER=END')\n"
        "def row(k, v): print(' ' + struct.pack('<I', k).hex() + '\\n ' + v.hex())\n"
        "row(0, struct.pack('<I', 9))\n"
        "for k, v in rows:\n"
        "    row(k, v)\n"
        "    store = b'small\\0' + b'1\\0'\n"
        "    index = struct.pack('>8I', 1000, 6, 0, 1, 1001, 6, 6, 1)\n"
        "    row(k + 100, struct.pack('>2I', 2, len(store)) + index + store)\n"
        "print('DATA=END')\n"
        "E\n"
        "db5.3_load -f dump root/var/lib/rpm/Packages");
    AUTO_FREE char *got = found("po");
    EXPECT_STR(got, "pkg:rpm/redhat/one@1.0-1?arch=noarch var/lib/rpm/Packages\n"
                    "pkg:rpm/redhat/small@1 var/lib/rpm/Packages\n"
                    "pkg:rpm/redhat/two@2.0~rc1-1?arch=noarch&epoch=3 var/lib/rpm/Packages");
    AUTO_FREE char *query = shell("rpm --define '_db_backend bdb_ro' --define \"_dbpath "
                                  "$PWD/root/var/lib/rpm\" -qa --qf '%%{name} %%{version}\\n' "
                                  "2>/dev/null | grep -v small | sort");
    EXPECT_STR(query, "one 1.0\ntwo 2.0~rc1");
}

TEST("data bases that are none are told of, and what else is there is found")
{
    RUN("mkdir -p root/var/lib/rpm root/lib/apk/db; head -c 5000 /dev/urandom "
        ">root/var/lib/rpm/rpmdb.sqlite\n"
        "printf 'P:a\\nV:1\\n' >root/lib/apk/db/installed");
    AUTO_FREE char *got = found("p");
    EXPECT_CONTAINS(got, "pkg:apk/alpine/a@1\nunread var/lib/rpm/rpmdb.sqlite: ");
    RUN("rm root/var/lib/rpm/*; printf 'RpmP%%4096s' >root/var/lib/rpm/Packages.db");
    AUTO_FREE char *ndb = found("p");
    EXPECT_CONTAINS(ndb, "unread var/lib/rpm/Packages.db: ndb: not a data base");
    RUN("rm root/var/lib/rpm/*; printf '%%4096s' >root/var/lib/rpm/Packages");
    AUTO_FREE char *bdb = found("p");
    EXPECT_CONTAINS(bdb, "unread var/lib/rpm/Packages: bdb: not a hash data base");
}

TEST("symlinks lead nowhere outside the root, and inside they are followed")
{
    RUN("mkdir -p root/var/lib root/data/dpkg outside\n"
        "printf 'Package: inside\\nVersion: 1\\n' >root/data/dpkg/status\n"
        "printf 'Package: outside\\nVersion: 1\\n' >outside/status\n"
        "ln -s /data/dpkg root/var/lib/dpkg\n"
        "mkdir -p root/lib; ln -s $PWD/outside root/lib/apk\n"
        "mkdir -p root/usr/lib; ln -s ../../../../../../../../../../etc/os-release "
        "root/usr/lib/os-release");
    AUTO_FREE char *got = found("po");
    EXPECT_STR(got, "pkg:deb/debian/inside@1 var/lib/dpkg/status");
}

TEST("what is no regular file at the place of a data base is told of, and not opened")
{
    RUN("mkdir -p root/var/lib/dpkg root/lib/apk/db; mkfifo root/var/lib/dpkg/status\n"
        "mknod root/lib/apk/db/installed c 1 5 2>/dev/null || mkfifo root/lib/apk/db/installed");
    AUTO_FREE char *got = found("p");
    EXPECT_STR(got,
               "unread lib/apk/db/installed: open lib/apk/db/installed: it is no regular file"
               "\nunread var/lib/dpkg/status: open var/lib/dpkg/status: it is no regular file");
}

TEST("an empty root has nothing")
{
    RUN("mkdir root");
    AUTO_FREE char *got = found("p");
    EXPECT_STR(got, "");
}

TAP_MAIN()
