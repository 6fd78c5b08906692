/* Layouts and archives, read by others. */
#include "fixture.h"

TEST("an OCI archive is a function of the image and its names")
{
    LAB(l);
    struct export_result r;
    REQUIRE_OK(export_as(&l, "type=oci,dest=DIR/a.tar,name=app:1", &r), &err);
    export_result_clear(&r);
    REQUIRE_OK(export_as(&l, "type=oci,dest=DIR/b.tar,name=app:1", &r), &err);
    AUTO_FREE char *got =
        shell("cmp a.tar b.tar; tar --numeric-owner -tvf a.tar | sed 's/ [0-9]* 1970/ SIZE 1970/; "
              "s/[0-9a-f]\\{64\\}/HEX/; s/  */ /g'");
    EXPECT_STR(got, "drwxr-xr-x 0/0 SIZE 1970-01-01 00:00 blobs/\n"
                    "drwxr-xr-x 0/0 SIZE 1970-01-01 00:00 blobs/sha256/\n"
                    "-rw-r--r-- 0/0 SIZE 1970-01-01 00:00 blobs/sha256/HEX\n"
                    "-rw-r--r-- 0/0 SIZE 1970-01-01 00:00 blobs/sha256/HEX\n"
                    "-rw-r--r-- 0/0 SIZE 1970-01-01 00:00 blobs/sha256/HEX\n"
                    "-rw-r--r-- 0/0 SIZE 1970-01-01 00:00 blobs/sha256/HEX\n"
                    "-rw-r--r-- 0/0 SIZE 1970-01-01 00:00 index.json\n"
                    "-rw-r--r-- 0/0 SIZE 1970-01-01 00:00 oci-layout");
    AUTO_FREE char *index = shell("tar -xOf a.tar index.json; tar -xOf a.tar oci-layout");
    AUTO_FREE char *want = xasprintf(
        "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\","
        "\"manifests\":[{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":"
        "\"%s\",\"size\":%" PRIu64 ",\"annotations\":{\"io.containerd.image.name\":"
        "\"docker.io/library/app:1\",\"org.opencontainers.image.created\":"
        "\"2001-09-09T01:46:40Z\",\"org.opencontainers.image.ref.name\":\"1\"},"
        "\"platform\":{\"architecture\":\"amd64\",\"os\":\"linux\"}}]}"
        "{\"imageLayoutVersion\":\"1.0.0\"}",
        digest_text(&r.target.digest).s, r.target.size);
    EXPECT_STR(index, want);
    export_result_clear(&r);
    lab_close(&l);
}

TEST("skopeo reads the archive, the layout and docker's archive as the same image")
{
    static const struct {
        const char *spec, *source;
    } rows[] = {
        { "type=oci,dest=DIR/x,name=app:1", "oci-archive:x:1" },
        { "type=oci,dest=DIR/x,tar=false,name=app:1", "oci:x:1" },
        { "type=oci,dest=DIR/x,name=app:1,compression=zstd", "oci-archive:x:1" },
        { "type=oci,dest=DIR/x,name=app:1,compression=uncompressed", "oci-archive:x:1" },
        { "type=docker,dest=DIR/x,name=app:1", "docker-archive:x:docker.io/library/app:1" },
        { "type=docker,dest=DIR/x,name=app:1,oci-mediatypes=true", "docker-archive:x" },
    };
    if (!has_program("skopeo") || !has_program("jq"))
        SKIP("needs skopeo and jq");
    LAB(l);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct export_result r;
        lab_close(&l);
        RUN("rm -rf store x copy");
        REQUIRE(lab_open(&l));
        REQUIRE_OK(export_as(&l, rows[i].spec, &r), &err);
        AUTO_FREE char *config = shell("skopeo inspect --config --raw %s", rows[i].source);
        AUTO_FREE char *want = blob_text(&l, &r.config_digest);
        EXPECT_STR(config, want);
        /* copying verifies every blob against its digest, and diffIDs */
        RUN("skopeo copy -q %s dir:copy", rows[i].source);
        AUTO_FREE char *n = shell("jq '.layers | length' copy/manifest.json");
        EXPECT_STR(n, "2");
        export_result_clear(&r);
    }
    lab_close(&l);
}

TEST("umoci unpacks the layout into the root file system")
{
    if (!has_program("umoci") || geteuid() != 0)
        SKIP("needs umoci and root");
    LAB(l);
    struct export_result r;
    REQUIRE_OK(export_as(&l, "type=oci,dest=DIR/x,tar=false,name=app:1", &r), &err);
    AUTO_FREE char *got = shell(
        "umoci unpack --image x:1 out >/dev/null 2>&1; cd out/rootfs; find . -mindepth 1 | sort "
        "| tr '\\n' ' '; readlink bin/ash; seq 5000 | cmp - app/data");
    EXPECT_STR(got, "./app ./app/data ./bin ./bin/ash ./bin/sh ./etc ./etc/hosts sh");
    export_result_clear(&r);
    lab_close(&l);
}

TEST("docker's archive lists its names and layers")
{
    LAB(l);
    struct export_result r;
    REQUIRE_OK(export_as(&l, "type=docker,dest=DIR/x.tar,\"name=app:1,host:5000/b\"", &r), &err);
    AUTO_FREE char *got = shell("tar -xOf x.tar manifest.json | sed 's/[0-9a-f]\\{64\\}/HEX/g'");
    EXPECT_STR(got,
               "[{\"Config\":\"blobs/sha256/HEX\",\"RepoTags\":[\"app:1\",\"host:5000/b:latest\"],"
               "\"Layers\":[\"blobs/sha256/HEX\",\"blobs/sha256/HEX\"]}]");
    export_result_clear(&r);
    REQUIRE_OK(export_as(&l, "type=docker,dest=DIR/y.tar", &r), &err);
    AUTO_FREE char *nameless = shell("tar -xOf y.tar manifest.json");
    EXPECT_CONTAINS(nameless, "\"RepoTags\":null");
    export_result_clear(&r);
    lab_close(&l);
}

TEST("a layout that is there keeps its other images")
{
    static const char *const specs[] = { "type=oci,dest=DIR/x,tar=false,name=app:1",
                                         "type=oci,dest=DIR/x,tar=false,name=app:2",
                                         "type=oci,dest=DIR/x,tar=false",
                                         "type=oci,dest=DIR/x,tar=false,name=app:1" };
    LAB(l);
    struct export_result r;
    for (int i = 0; i < 4; i++) {
        l.top = add_layer(&l, l.top, "echo more >>more");
        add_history(&l.config, "RUN more", false);
        REQUIRE_OK(export_as(&l, specs[i], &r), &err);
        if (i < 3)
            export_result_clear(&r);
    }
    AUTO_FREE char *got =
        shell("ls x x/blobs | tr '\n' ' '; for f in x/blobs/sha256/*; do sha256sum <$f | grep -q "
              "${f##*/}; done; grep -o 'name\":\"[^\"]*' x/index.json | cut -c8- | tr '\n' ' ';"
              "grep -o digest x/index.json | wc -l");
    EXPECT_STR(got, "x: blobs index.json oci-layout  x/blobs: sha256 docker.io/library/app:1 1 "
                    "docker.io/library/app:2 2 3");
    AUTO_FREE char *index = shell("cat x/index.json");
    EXPECT_CONTAINS(index, digest_text(&r.target.digest).s);
    export_result_clear(&r);
    RUN("echo nonsense >x/index.json");
    EXPECT_ERR(export_as(&l, "type=oci,dest=DIR/x,tar=false", &r), &err, ERR_INVALID);
    EXPECT_CONTAINS(err.text, "index.json of the layout that is there");
    export_result_clear(&r);
    lab_close(&l);
}

/* Exports with stdout as the file `out` of the case. */
static int to_stdout(struct lab *l, const char *spec)
{
    struct export_result r;
    AUTO_FREE char *path = xasprintf("%s/out", tap_dir());
    fflush(stdout);
    AUTO_FD int saved = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    AUTO_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    dup2(fd, STDOUT_FILENO);
    int status = export_as(l, spec, &r);
    dup2(saved, STDOUT_FILENO);
    export_result_clear(&r);
    return status;
}

TEST("dest=- is stdout")
{
    LAB(l);
    struct export_result r;
    EXPECT_OK(to_stdout(&l, "type=oci,dest=-,name=app:1"), &err);
    REQUIRE_OK(export_as(&l, "type=oci,dest=DIR/file,name=app:1", &r), &err);
    RUN("cmp out file");
    export_result_clear(&r);
    EXPECT_OK(to_stdout(&l, "-"), &err);
    AUTO_FREE char *got = shell("tar -tf out | tr '\\n' ' '");
    EXPECT_STR(got, "app/ app/data bin/ bin/ash bin/sh etc/ etc/hosts ");
    lab_close(&l);
}

TEST("a file that is there is replaced when the new one is whole; a device or pipe is written to")
{
    LAB(l);
    struct export_result r;
    RUN("echo old >x; mkfifo pipe; ln -s x link");
    REQUIRE_OK(export_as(&l, "type=oci,dest=DIR/x", &r), &err);
    export_result_clear(&r);
    RUN("tar -tf x >/dev/null; cat pipe >through & echo");
    REQUIRE_OK(export_as(&l, "type=oci,dest=DIR/pipe", &r), &err);
    export_result_clear(&r);
    REQUIRE_OK(export_as(&l, "type=oci,dest=/dev/null", &r), &err);
    export_result_clear(&r);
    AUTO_FREE char *got = shell("test -p pipe; test -c /dev/null; while ! cmp -s x through; do "
                                "sleep 0.01; done; ls");
    EXPECT_STR(got, "link\npipe\nstore\nthrough\nx");
    lab_close(&l);
}

TEST("a folder as dest, and a folder that is not there, are refused")
{
    LAB(l);
    struct export_result r;
    RUN("mkdir d");
    EXPECT_ERR(export_as(&l, "type=oci,dest=DIR/d", &r), &err, ERR_INVALID);
    EXPECT_CONTAINS(err.text, "/d: that is a folder");
    export_result_clear(&r);
    EXPECT_ERR(export_as(&l, "type=oci,dest=DIR/none/x", &r), &err, ERR_NOT_FOUND);
    export_result_clear(&r);
    lab_close(&l);
}

TEST("a full disk leaves no file, and what was there before")
{
    if (geteuid() != 0)
        SKIP("needs root");
    LAB(l);
    struct export_result r;
    AUTO_FREE char *mount =
        xasprintf("mkdir %s/small && mount -t tmpfs -o size=8k none %s/small 2>/dev/null",
                  tap_dir(), tap_dir());
    if (system(mount)) {
        lab_close(&l);
        SKIP("cannot mount");
    }
    RUN("echo old >small/x");
    static const char *const specs[] = { "type=oci,dest=DIR/small/x", "type=tar,dest=DIR/small/x" };
    for (size_t i = 0; i < 2; i++) {
        EXPECT_ERR(export_as(&l, specs[i], &r), &err, ERR_SYSTEM);
        EXPECT_CONTAINS(err.text, "no space left");
        export_result_clear(&r);
        AUTO_FREE char *got = shell("ls small; cat small/x");
        EXPECT_STR(got, "x\nold");
    }
    RUN("umount small");
    lab_close(&l);
}

int main(int argc, char **argv)
{
    return lab_main(argc, argv);
}
