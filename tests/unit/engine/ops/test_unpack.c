/* ADD of archives: which are unpacked, and that nothing leaves the destination. */
#include "fixture.h"

static int add(const char *src, const char *dest, const struct copy_owner *owner, bool *did)
{
    struct op_action a = copy_action(dest);
    AUTO(tree_free) struct tree *t = NULL;
    AUTO_FREE char *path = xasprintf("%s/c", tap_dir());
    AUTO_FD int to = folder("r");
    err_clear(&err);
    EXPECT_OK(tree_of_context(NULL, path, NULL, &t, &err), &err);
    struct copy_job job = { .from = t, .src = src, .to_fd = to, .action = &a };
    if (owner)
        job.owner = *owner;
    *did = false;
    return unpack_run(&job, did, &err);
}

TEST("archives are known by their content, not by their name")
{
    static const struct {
        const char *name, *make, *program;
        bool is_archive;
    } rows[] = {
        { "plain tar", "cat t.tar", "tar", true },
        { "gzip", "gzip -c t.tar", "gzip", true },
        { "bzip2", "bzip2 -c t.tar", "bzip2", true },
        { "xz", "xz -c t.tar", "xz", true },
        { "zstd", "zstd -qc t.tar", "zstd", true },
        { "ustar", "tar --format=ustar -c -C t .", "tar", true },
        { "old tar", "tar --format=v7 -c -C t .", "tar", true },
        { "text", "echo hello", "echo", false },
        { "nothing", ":", "true", false },
        { "a compressed text", "echo hello | gzip -c", "gzip", false },
        { "an xz of a text", "echo hello | xz -c", "xz", false },
        { "half a gzip header", "printf '\\037\\213'", "printf", false },
        { "zeros", "head -c 20000 /dev/zero", "head", false },
        { "noise", "seq 9999", "seq", false },
        { "a zip", "printf 'PK\\003\\004aaaaaaaaaaaaaaaaaaaaaaaaa'", "printf", false },
    };
    RUN("mkdir -p t/d c; echo x >t/d/f; tar -cf t.tar -C t .");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool did = false;
        AUTO_FREE char *look = xasprintf("command -v %s >/dev/null 2>&1", rows[i].program);
        if (system(look))
            continue;
        RUN("rm -rf r; mkdir r; (%s) >c/file", rows[i].make);
        if (add("file", "/to", NULL, &did))
            tap_fail(__FILE__, __LINE__, "%s: %s", rows[i].name, err.text);
        AUTO_FREE char *got = shell("cd r; find . -mindepth 1 | sort | tr '\\n' ' '");
        const char *want = rows[i].is_archive ? "./to ./to/d ./to/d/f " : "";
        if (did != rows[i].is_archive || strcmp(got, want) != 0)
            tap_fail(__FILE__, __LINE__, "%s: %s, %s", rows[i].name,
                     did ? "unpacked" : "not unpacked", got);
    }
}

TEST("folders, fifos and symlinks are no archives")
{
    bool did = true;
    RUN("mkdir -p c/d r; mkfifo c/p; ln -s d c/l");
    static const char *const sources[] = { "d", "p", "l" };
    for (size_t i = 0; i < 3; i++) {
        EXPECT_OK(add(sources[i], "/to", NULL, &did), &err);
        EXPECT(!did);
    }
}

TEST("entries keep owner, mode, time and links; --chown replaces the owner")
{
    if (geteuid() != 0)
        SKIP("needs root");
    bool did = false;
    RUN("mkdir -p t c r; cd t; echo x >f; chown 7:8 f; chmod 4750 f; touch -d @1000 f; ln f h; ln "
        "-s "
        "f l; tar -cf ../c/t.tar .");
    EXPECT_OK(add("t.tar", "/one/", NULL, &did), &err);
    EXPECT_OK(
        add("t.tar", "/two", &(struct copy_owner){ .is_set = true, .uid = 1, .gid = 2 }, &did),
        &err);
    AUTO_FREE char *got =
        shell("cd r; stat -c '%%n %%a %%u:%%g %%Y %%h' one/f two/f; readlink one/l");
    EXPECT_STR(got, "one/f 4750 7:8 1000 2\ntwo/f 4750 1:2 1000 2\nf");
}

TEST("names with .. and symlinks that lead out stay below the destination")
{
    bool did = false;
    RUN("mkdir c r; python3 - <<'END'\nimport tarfile, io\nt = tarfile.open('c/evil.tar', 'w')\n"
        "def add(name, **kw):\n    i = tarfile.TarInfo(name)\n    i.size = kw.pop('size', 0)\n"
        "    for k, v in kw.items(): setattr(i, k, v)\n    t.addfile(i, io.BytesIO(b'x' * "
        "i.size))\n"
        "add('../../up', size=1)\nadd('/abs', size=1)\n"
        "add('out', type=tarfile.SYMTYPE, linkname='../../..')\nadd('out/inside', size=1)\nEND\n");
    EXPECT_OK(add("evil.tar", "/to", NULL, &did), &err);
    AUTO_FREE char *got = shell("ls; cd r; find . -mindepth 1 | sort | tr '\\n' ' '");
    EXPECT_STR(got, "c\nr\n./to ./to/abs ./to/inside ./to/out ./to/up ");
}

TEST("an archive that breaks off fails and is named")
{
    bool did = false;
    RUN("mkdir t c r; head -c 100000 /dev/urandom >t/f; tar -c -C t . | gzip >all; head -c 50000 "
        "all "
        ">c/half.tgz");
    EXPECT_ERR(add("half.tgz", "/to", NULL, &did), &err, ERR_CORRUPT);
    EXPECT_CONTAINS(err.text, "unpack half.tgz: ");
}

TAP_MAIN()
