/* engine/scan/scan.h - what is installed in a root file system: the data bases of package managers,
 * and what programs and libraries say of themselves.
 *
 *     deb      var/lib/dpkg/status, var/lib/dpkg/status.d (distroless)
 *     apk      lib/apk/db/installed, usr/lib/apk/db/installed
 *     rpm      rpmdb.sqlite, Packages.db (ndb), Packages (Berkeley DB hash)
 *     golang   build information in ELF programs: of Go 1.18 and later inline, before by pointers
 *     maven    MANIFEST.MF and pom.properties of .jar .war .ear .hpi .jpi, also one in another
 *     npm      package.json of what is in a node_modules
 *     pypi     METADATA of *.dist-info, PKG-INFO of *.egg-info
 *
 * All of it is hostile input: nothing outside the root is opened, whatever symlinks say; every read
 * has a ceiling; what cannot be read is told (unread), and the rest is found nevertheless.
 *
 * Nothing is known here of images, documents or builds: a folder goes in, a list comes out that is
 * a function of its files.  Threads: no state. */
#pragma once
#include "base/core/cancel.h"
#include "base/core/err.h"
#include "base/core/vec.h"

/* Texts are UTF-8 without NUL, NULL where nothing is said.  All are owned. */
struct package {
    char *type; /* of its purl: "deb" */
    char *name, *version, *arch;
    char *license;  /* as written there, an expression or not */
    char *supplier; /* maintainer, vendor, author: as written there */
    char *purl;
    char *origin; /* the path that told of it, relative to the root; the first of several */
};

/* etc/os-release.  Owned, NULL where nothing is said. */
struct os_release {
    char *id, *version_id, *pretty_name;
};

struct scan_result {
    struct {
        struct package *items; /* by type, name, version, purl; each purl once */
        size_t n, cap;
    } packages;
    struct os_release os;
    struct str_list unread; /* "PATH: why", sorted */
};
void scan_result_clear(struct scan_result *r);

struct scan_options {
    /* Paths that are not there, as a .dockerignore hides them; may be NULL. */
    bool (*hides)(void *arg, const char *path);
    void *hides_arg;
    const struct cancel *cancel;
};
/* Looks at all below `root_fd` (borrowed); o may be NULL.  Fails: LIMIT (LIMIT_SCAN_PACKAGES),
 * CANCELED, DENIED and SYSTEM where a folder cannot be walked. */
NODISCARD int scan_root(int root_fd, const struct scan_options *o, struct scan_result *out,
                        struct err *err);
