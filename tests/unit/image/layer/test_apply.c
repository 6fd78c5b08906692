#include "fixture.h"

/* ---- helpers ---- */

static int apply(const char *lines, const char *where, enum layer_form form,
                 struct layer_apply_result *out, struct err *err)
{
    AUTO_FD int root = folder(where);
    AUTO_VALUE(buf_clear) struct buf tar = layer_of(lines);
    AUTO(reader_close) struct reader *r = reader_of_span(buf_span(&tar));
    struct id_map ids;
    if (id_map_current(&ids, err))
        return -1;
    struct layer_apply_options options = { .form = form, .ids = &ids };
    int result = layer_apply(r, root, &options, out, err);
    EXPECT(result || r->is_at_end);
    return result;
}

static void expect_tree(const char *where, const char *want)
{
    AUTO_FD int root = folder(where);
    AUTO_FREE char *got = tree_of(root);
    EXPECT_STR(got, want);
}

/* Layers one on another into one folder. */
static void merge(const char *below, const char *above, const char *want)
{
    struct err err = { 0 };
    AUTO_VALUE(layer_apply_result_clear) struct layer_apply_result one = { 0 }, two = { 0 };
    tap_remove_tree(tap_dir());
    mkdir(tap_dir(), 0755);
    EXPECT_OK(apply(below, "root", LAYER_MERGED, &one, &err), &err);
    EXPECT_OK(apply(above, "root", LAYER_MERGED, &two, &err), &err);
    expect_tree("root", want);
}

static char *joined(const struct str_list *l)
{
    struct buf b;
    buf_init(&b, (size_t)MIB);
    buf_puts(&b, "");
    vec_each (l, item)
        buf_printf(&b, "%s\n", *item);
    return b.data ? buf_take(&b) : xstrdup("");
}

/* ---- kinds of entries ---- */

static const char everything[] = "folder d 1777 33:44\n"
                                 "file d/empty 600 0:0\n"
                                 "file d/f 4755 1000:2000 = content\n"
                                 "folder dev 755 0:0\n"
                                 "block dev/disk 660 0:6 259:1\n"
                                 "char dev/null 666 0:0 1:3\n"
                                 "fifo fifo 640 0:0\n"
                                 "file none 0 7:0\n"
                                 "symlink s 777 0:0 -> /d/f\n";

static void all_kinds(void)
{
    struct err err = { 0 };
    AUTO_VALUE(layer_apply_result_clear) struct layer_apply_result out = { 0 };
    AUTO_FREE char *lines = xasprintf("%slink twin 4755 1000:2000 -> d/f\n", everything);
    AUTO_FREE char *want = xasprintf("%sfile twin 4755 1000:2000 = content\n", everything);
    REQUIRE_OK(apply(lines, "root", LAYER_MERGED, &out, &err), &err);
    expect_tree("root", want);
    EXPECT_INT(out.n_entries, 10);
    EXPECT_INT(out.n_bytes, 7);
    EXPECT_INT(out.n_lost_owners, 0);
    EXPECT_INT(out.implied_parents.n, 0);
}

TEST("every kind of entry is made with its owner, mode and time")
{
    if (geteuid() != 0)
        SKIP("needs root");
    all_kinds();
    AUTO_FREE char *real = shell(NULL, "stat -c '%%A %%u:%%g %%h %%t:%%T' root/d/f root/dev/null");
    EXPECT_STR(real, "-rwsr-xr-x 1000:2000 2 0:0\ncrw-rw-rw- 0:0 1 1:3\n");
}

TEST("in a user namespace with one id the same is told")
{
    as(ONE_ID, all_kinds);
}

TEST("without any privilege the same is told")
{
    as(NOBODY, all_kinds);
}

static void symlinks_lose(void)
{
    struct err err = { 0 };
    AUTO_VALUE(layer_apply_result_clear) struct layer_apply_result out = { 0 };
    REQUIRE_OK(apply("symlink s 777 5:0 -> x\nfifo p 600 0:5\n", "root", LAYER_MERGED, &out, &err),
               &err);
    EXPECT_INT(out.n_lost_owners, 2);
    expect_tree("root", "fifo p 600 0:0\nsymlink s 777 0:0 -> x\n");
}

TEST("root without capabilities is told the same")
{
    as(BARE_ROOT, all_kinds);
}

TEST("owners of symlinks and fifos that cannot be kept are counted")
{
    as(ONE_ID, symlinks_lose);
}

TEST("the umask does not matter")
{
    struct err err = { 0 };
    AUTO_VALUE(layer_apply_result_clear) struct layer_apply_result out = { 0 };
    mode_t before = umask(077);
    REQUIRE_OK(apply("folder d 777 0:0\nfile d/f 666 0:0\nfile new/g 644 0:0\nfifo p 622 0:0\n",
                     "root", LAYER_MERGED, &out, &err),
               &err);
    umask(before);
    expect_tree("root", "folder d 777 0:0\nfile d/f 666 0:0\nfolder new 755 0:0 at 0\n"
                        "file new/g 644 0:0\nfifo p 622 0:0\n");
}

TEST("a setgid folder does not give its group to what is made inside")
{
    if (geteuid() != 0)
        SKIP("needs root");
    merge("folder d 2775 0:50\nfile d/f 644 0:0\nfolder d/e 755 0:0\nfile d/mine 644 0:50\n", "",
          "folder d 2775 0:50\nfolder d/e 755 0:0\nfile d/f 644 0:0\nfile d/mine 644 0:50\n");
}

TEST("sparse files are sparse and whole, and each digest is that of the content")
{
    struct err err = { 0 };
    AUTO_FD int root = folder("root");
    AUTO_VALUE(buf_clear) struct buf tar = fixture("sparse-gnu.tar");
    AUTO(reader_close) struct reader *r = reader_of_span(buf_span(&tar));
    struct layer_apply_options options = { .form = LAYER_MERGED };
    AUTO_VALUE(layer_apply_result_clear) struct layer_apply_result out = { 0 };
    REQUIRE_OK(layer_apply(r, root, &options, &out, &err), &err);
    AUTO_FREE char *sums = shell(NULL, "cd root && sha256sum * | cut -c1-16");
    AUTO_FREE char *want = shell(NULL, "sed 's/.* //' $KILN_FIXTURES/layer/sparse-gnu.txt");
    EXPECT_STR(sums, want);
    AUTO_FREE char *blocks = shell(
        NULL,
        "test $(stat -c %%b root/void) = 0 && test $(stat -c %%b root/many) -lt 1000 && echo yes");
    EXPECT_STR(blocks, "yes\n");
}

static void note_digest(void *arg, const char *path, const struct digest *digest)
{
    buf_printf(arg, "%s  %s\n", digest_hex(digest).s, path);
}

TEST("whoever asks is told each file's digest")
{
    struct err err = { 0 };
    AUTO_FD int root = folder("root");
    AUTO_VALUE(buf_clear) struct buf tar = fixture("sparse-pax-0.1.tar"), told = { 0 };
    AUTO(reader_close) struct reader *r = reader_of_span(buf_span(&tar));
    buf_init(&told, (size_t)MIB);
    struct layer_apply_options options = { .on_file = note_digest, .arg = &told };
    AUTO_VALUE(layer_apply_result_clear) struct layer_apply_result out = { 0 };
    REQUIRE_OK(layer_apply(r, root, &options, &out, &err), &err);
    AUTO_FREE char *want = shell(NULL, "cd root && sha256sum *");
    EXPECT_STR(told.data, want);
}

/* One file and one folder with these attributes. */
static void apply_xattrs(void)
{
    static const char bits[] = "\1\0\0\2\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    const struct tar_xattr xattrs[] = {
        { "security.capability", span_bytes(bits, 20) },
        { "security.ima", SPAN("x") },
        { "system.posix_acl_access", SPAN("x") },
        { "trusted.overlay.redirect", SPAN("/etc") },
        { "user.kiln.node", SPAN("u=5") },
        { "user.note", SPAN("a\0b") },
        { "user.overlay.opaque", SPAN("y") },
    };
    struct tar_entry entries[] = { blank_entry(TAR_FOLDER, "d"), blank_entry(TAR_FILE, "f") };
    struct err err = { 0 };
    AUTO_VALUE(buf_clear) struct buf tar = { 0 };
    buf_init(&tar, (size_t)MIB);
    AUTO(writer_close) struct writer *w = writer_to_buf(&tar);
    AUTO(tar_writer_free) struct tar_writer *t = tar_writer_new(w, NULL);
    for (size_t i = 0; i < 2; i++) {
        entries[i].xattrs = xattrs;
        entries[i].n_xattrs = sizeof xattrs / sizeof *xattrs;
        entries[i].mode = 0755;
        REQUIRE_OK(tar_writer_entry(t, &entries[i], &err), &err);
    }
    REQUIRE_OK(tar_writer_finish(t, &err), &err);
    AUTO_FD int root = folder("root");
    AUTO(reader_close) struct reader *r = reader_of_span(buf_span(&tar));
    struct layer_apply_options options = { .form = LAYER_OVERLAY_USER };
    AUTO_VALUE(layer_apply_result_clear) struct layer_apply_result out = { 0 };
    REQUIRE_OK(layer_apply(r, root, &options, &out, &err), &err);
    AUTO_VALUE(str_list_clear) struct str_list of_file = { 0 }, of_folder = { 0 };
    REQUIRE_OK(fs_list_xattrs(root, "f", &of_file, &err), &err);
    REQUIRE_OK(fs_list_xattrs(root, "d", &of_folder, &err), &err);
    AUTO_FREE char *file = joined(&of_file), *folder_has = joined(&of_folder);
    EXPECT_STR(file, "security.capability\nuser.note\n");
    EXPECT_STR(folder_has, "user.note\n");
    expect_tree("root", "folder d 755 0:0\nfile f 755 0:0\n");
}

TEST("capabilities and user attributes are set, what belongs to the system is dropped")
{
    if (geteuid() != 0)
        SKIP("needs root");
    apply_xattrs();
}

TEST("capabilities and user attributes are set in a user namespace too")
{
    as(ONE_ID, apply_xattrs);
}

/* ---- names that exist ---- */

TEST("an entry takes the place of what is there, a folder joins a folder")
{
    merge(
        "folder a 755 0:0\nfile a/in 644 0:0\nfile b 644 0:0 = old\nsymlink c 777 0:0 -> a\n"
        "folder d 700 0:0\nfile d/in 644 0:0\nfile e 644 0:0\n",
        "file a 600 0:0 = file over folder\nfolder b 755 0:0\nfile c 644 0:0 = file over symlink\n"
        "folder d 711 0:0\nfifo e 644 0:0\n",
        "file a 600 0:0 = file over folder\nfolder b 755 0:0\nfile c 644 0:0 = file over symlink\n"
        "folder d 711 0:0\nfile d/in 644 0:0\nfifo e 644 0:0\n");
    merge("symlink a 777 0:0 -> b\nfolder b 755 0:0\n", "folder a 755 0:0\nfile a/f 644 0:0\n",
          "folder a 755 0:0\nfile a/f 644 0:0\nfolder b 755 0:0\n");
}

TEST("a replaced file does not write into its other names")
{
    merge("file a 644 0:0 = one\nlink b 644 0:0 -> a\n", "file b 644 0:0 = two\n",
          "file a 644 0:0 = one\nfile b 644 0:0 = two\n");
}

TEST("hard links: to symlinks, to themselves, onto what is there")
{
    merge(
        "symlink s 777 0:0 -> x\nfile f 644 0:0 = f\nfolder d 755 0:0\n",
        "link t 777 0:0 -> s\nlink f 644 0:0 -> f\nlink d 644 0:0 -> f\n",
        "file d 644 0:0 = f\nfile f 644 0:0 = f\nsymlink s 777 0:0 -> x\nsymlink t 777 0:0 -> x\n");
}

TEST("entries that make no sense are refused, naming the path")
{
    static const struct {
        const char *lines, *why;
    } rows[] = {
        { "file f 644 0:0\nfile f/g 644 0:0\n", "f/g: f: is no folder, but has entries below it" },
        { "link l 644 0:0 -> gone\n", "l: hard link to gone: there is no such file" },
        { "folder d 755 0:0\nlink l 644 0:0 -> d\n", "l: hard link to d: that is a folder" },
        { "link l 644 0:0 -> .\n", "l: hard link to the root" },
        { "symlink a 777 0:0 -> b\nsymlink b 777 0:0 -> a\nfile a/f 644 0:0\n",
          "too many symlinks" },
        { "file .wh. 644 0:0\n", ".wh.: a whiteout of no name" },
        { "file d/.wh... 644 0:0\n", "a whiteout of no name" },
        { "file .wh.a/b 644 0:0\n", "an entry below a whiteout" },
        { "file . 644 0:0\n", "/: the root as a file" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = { 0 };
        AUTO_VALUE(layer_apply_result_clear) struct layer_apply_result out = { 0 };
        AUTO_FREE char *where = xasprintf("root%zu", i);
        EXPECT_ERR(apply(rows[i].lines, where, LAYER_MERGED, &out, &err), &err, ERR_INVALID);
        EXPECT_CONTAINS(err.text, rows[i].why);
    }
}

/* ---- inside the root ---- */

TEST("nothing leaves the root: .., absolute paths, symlinks, hard links")
{
    static const char *const layers[] = {
        "symlink out 777 0:0 -> /\nfile out/stray 644 0:0\n",
        "symlink up 777 0:0 -> ../..\nfile up/stray 644 0:0\n",
        "symlink dangling 777 0:0 -> ../../new/deep\nfile dangling/stray 644 0:0\n",
        "symlink file 777 0:0 -> ../outside\nfile file 644 0:0 = not there\n",
        "symlink chain 777 0:0 -> up\nsymlink up 777 0:0 -> /..\nfolder chain/stray 755 0:0\n",
        "symlink d 777 0:0 -> ..\nfile d/.wh.outside 644 0:0\nfile d/.wh..wh..opq 644 0:0\n",
        "file ../../stray 644 0:0\nfile /stray 644 0:0\n",
    };
    put_file("outside", SPAN("outside"));
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        for (enum layer_form form = LAYER_MERGED; form <= LAYER_PLAIN; form++) {
            struct err err = { 0 };
            AUTO_VALUE(layer_apply_result_clear) struct layer_apply_result out = { 0 };
            if (form == LAYER_OVERLAY && geteuid() != 0)
                continue;
            AUTO_FREE char *where = xasprintf("root-%zu-%d", i, (int)form);
            EXPECT_OK(apply(layers[i], where, form, &out, &err), &err);
        }
    }
    AUTO_FREE char *left =
        shell(NULL, "ls -d stray new .wh* 2>/dev/null; cat outside; ls -d /stray 2>/dev/null");
    EXPECT_STR(left, "outside");
    expect_tree("root-0-0", "symlink out 777 0:0 -> /\nfile stray 644 0:0\n");
    expect_tree("root-2-0", "symlink dangling 777 0:0 -> ../../new/deep\nfolder new 755 0:0 at 0\n"
                            "folder new/deep 755 0:0 at 0\nfile new/deep/stray 644 0:0\n");
}

TEST("a hard link cannot bring in a file from outside")
{
    struct err err = { 0 };
    AUTO_VALUE(layer_apply_result_clear) struct layer_apply_result out = { 0 };
    put_file("outside", SPAN("outside"));
    EXPECT_ERR(apply("symlink d 777 0:0 -> ..\nlink l 644 0:0 -> d/outside\n", "root", LAYER_MERGED,
                     &out, &err),
               &err, ERR_INVALID);
    EXPECT_CONTAINS(err.text, "l: hard link to d/outside: there is no such file");
}

/* ---- whiteouts ---- */

static const char below[] =
    "folder d 755 0:0\nfile d/a 644 0:0\nfile d/b 644 0:0\nfolder d/e 755 0:0\n"
    "file d/e/x 644 0:0\nfile f 644 0:0\n";

TEST("merged: a whiteout removes what is below, whatever the order")
{
    merge(below, "file .wh.d 644 0:0\n", "file f 644 0:0\n");
    merge(below, "folder d 755 0:0\nfile d/.wh.a 644 0:0\nfile d/.wh.e 644 0:0\n",
          "folder d 755 0:0\nfile d/b 644 0:0\nfile f 644 0:0\n");
    merge(below, "file .wh.nothing 644 0:0\nfile no/.wh.folder 644 0:0\nfile f/.wh.file 644 0:0\n",
          below);
    /* What the layer itself adds stays. */
    merge(below, "folder d 755 0:0\nfile d/n 644 0:0\nfile .wh.d 644 0:0\n",
          "folder d 755 0:0\nfile d/n 644 0:0\nfile f 644 0:0\n");
    merge(below, "file f 644 0:0 = new\nfile .wh.f 644 0:0\n",
          "folder d 755 0:0\nfile d/a 644 0:0\n"
          "file d/b 644 0:0\nfolder d/e 755 0:0\nfile d/e/x 644 0:0\nfile f 644 0:0 = new\n");
}

TEST("merged: an opaque whiteout empties its folder of what is below")
{
    merge(below, "folder d 755 0:0\nfile d/.wh..wh..opq 644 0:0\nfile d/n 644 0:0\n",
          "folder d 755 0:0\nfile d/n 644 0:0\nfile f 644 0:0\n");
    merge(below,
          "folder d 755 0:0\nfile d/n 644 0:0\nfile d/e/m 644 0:0\nfile d/.wh..wh..opq 644 0:0\n",
          "folder d 755 0:0\nfolder d/e 755 0:0\nfile d/e/m 644 0:0\nfile d/n 644 0:0\nfile f 644 "
          "0:0\n");
    merge(below, "folder d/e 755 0:0\nfile d/.wh..wh..opq 644 0:0\n",
          "folder d 755 0:0\nfolder d/e 755 0:0\nfile f 644 0:0\n");
    merge(below, "file .wh..wh..opq 644 0:0\nfile n 644 0:0\n", "file n 644 0:0\n");
}

TEST("merged: leftovers of AUFS are ignored, a device 0:0 is a whiteout")
{
    merge(below,
          "folder .wh..wh.plnk 755 0:0\nfile .wh..wh.plnk/1.2 644 0:0\nfile .wh..wh.aufs 644 0:0\n",
          below);
    merge("file f 644 0:0\nfile g 644 0:0\n", "char f 0 0:0 0:0\n", "file g 644 0:0\n");
}

TEST("merged: a folder changed only inside keeps its time")
{
    merge(below, "file d/e/y 644 0:0\nfile d/.wh.a 644 0:0\n",
          "folder d 755 0:0\nfile d/b 644 0:0\nfolder d/e 755 0:0\nfile d/e/x 644 0:0\n"
          "file d/e/y 644 0:0\nfile f 644 0:0\n");
}

TEST("plain: the names of whiteouts mean nothing")
{
    struct err err = { 0 };
    AUTO_VALUE(layer_apply_result_clear) struct layer_apply_result out = { 0 };
    REQUIRE_OK(apply("file f 644 0:0\nfile .wh.f 644 0:0\nfile .wh..wh..opq 644 0:0\n", "root",
                     LAYER_PLAIN, &out, &err),
               &err);
    expect_tree("root", "file .wh..wh..opq 644 0:0\nfile .wh.f 644 0:0\nfile f 644 0:0\n");
}

/* ---- overlay ---- */

static const char in_overlay[] = "folder d 750 0:5\nfile d/.wh..wh..opq 644 0:0\nfile d/n 644 0:0\n"
                                 "file .wh.gone 644 0:0\n"
                                 "file deep/er/f 644 0:0\nfile deep/.wh.old 644 0:0\n"
                                 "file .wh.anew 644 0:0\nfile anew/f 644 0:0\n"
                                 "folder first 755 0:0\nfile .wh.first 644 0:0\n"
                                 "file kept 644 0:0\nfile .wh.kept 644 0:0\n"
                                 "file late/f 644 0:0\nfolder late 711 0:0\n"
                                 "symlink lib 777 0:0 -> usr/lib\nfile lib/x 644 0:0\n"
                                 "file .wh.back 644 0:0\nfile back 644 0:0\n";

static void overlay(void)
{
    struct err err = { 0 };
    AUTO_VALUE(layer_apply_result_clear) struct layer_apply_result out = { 0 };
    enum layer_form form = LAYER_OVERLAY_USER;
    REQUIRE_OK(apply(in_overlay, "root", form, &out, &err), &err);
    expect_tree("root",
                "folder anew 755 0:0 opaque at 0\nfile anew/f 644 0:0\nfile back 644 0:0\n"
                "folder d 750 0:5 opaque\nfile d/n 644 0:0\n"
                "folder deep 755 0:0 at 0\nfolder deep/er 755 0:0 at 0\nfile deep/er/f 644 0:0\n"
                "char deep/old 0 0:0 0:0\nfolder first 755 0:0 opaque\nchar gone 0 0:0 0:0\n"
                "file kept 644 0:0\nfolder late 711 0:0\nfile late/f 644 0:0\n"
                "symlink lib 777 0:0 -> usr/lib\nfolder usr 755 0:0 at 0\n"
                "folder usr/lib 755 0:0 at 0\nfile usr/lib/x 644 0:0\n");
    AUTO_FREE char *implied = joined(&out.implied_parents);
    EXPECT_STR(implied, "anew\ndeep\ndeep/er\nusr\nusr/lib\n");
}

TEST("overlay: whiteouts are devices 0:0, opaque folders are marked, implied parents are told")
{
    overlay();
}

TEST("overlay: the same in a user namespace")
{
    as(ONE_ID, overlay);
}

TEST("overlay: a mount shows what merging gives")
{
    struct err err = { 0 };
    AUTO_VALUE(layer_apply_result_clear)
    struct layer_apply_result a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 };
    static const char above[] = "folder d 711 0:0\nfile d/.wh..wh..opq 644 0:0\nfile d/n 644 0:0\n"
                                "file .wh.f 644 0:0\nfolder new 755 0:0\n";
    if (geteuid() != 0)
        SKIP("needs root");
    REQUIRE_OK(apply(below, "lower", LAYER_OVERLAY, &a, &err), &err);
    REQUIRE_OK(apply(above, "upper", LAYER_OVERLAY, &b, &err), &err);
    REQUIRE_OK(apply(below, "merged", LAYER_MERGED, &c, &err), &err);
    REQUIRE_OK(apply(above, "merged", LAYER_MERGED, &d, &err), &err);
    int status;
    AUTO_FREE char *got =
        shell(&status, "mkdir m && unshare -m sh -c 'mount -t overlay -o ro,lowerdir=upper:lower o "
                       "m && bsdtar -C m -cf - --format mtree . | sort'");
    if (status != 0 || !*got)
        SKIP("needs overlayfs and bsdtar");
    AUTO_FREE char *want = shell(NULL, "bsdtar -C merged -cf - --format mtree . | sort");
    /* The root's own time is nobody's. */
    EXPECT_STR(strstr(got, "./d"), strstr(want, "./d"));
}

TEST("overlay: a hard link to a lower layer asks for it")
{
    struct err err = { 0 };
    AUTO_VALUE(layer_apply_result_clear) struct layer_apply_result out = { 0 }, other = { 0 };
    EXPECT_ERR(apply("link l 644 0:0 -> lower/file\n", "root", LAYER_OVERLAY_USER, &out, &err),
               &err, ERR_UNSUPPORTED);
    EXPECT(out.needs_lower);
    EXPECT_ERR(apply("file .wh.f 644 0:0\nlink l 644 0:0 -> f\n", "other", LAYER_OVERLAY_USER,
                     &other, &err),
               &err, ERR_INVALID);
    EXPECT(!other.needs_lower);
    EXPECT_CONTAINS(err.text, "this layer removes it");
}

/* ---- options ---- */

TEST("an owner that was asked for replaces all owners")
{
    struct err err = { 0 };
    AUTO_FD int root = folder("root");
    AUTO_VALUE(buf_clear)
    struct buf tar = layer_of("folder d 755 1:1\nfile d/f 644 2:2\nsymlink s 777 3:3 -> x\n");
    AUTO(reader_close) struct reader *r = reader_of_span(buf_span(&tar));
    struct layer_owner owner = { 7, 8 };
    struct layer_apply_options options = { .form = LAYER_PLAIN, .owner = &owner };
    AUTO_VALUE(layer_apply_result_clear) struct layer_apply_result out = { 0 };
    if (geteuid() != 0)
        SKIP("needs root");
    REQUIRE_OK(layer_apply(r, root, &options, &out, &err), &err);
    expect_tree("root", "folder d 755 7:8\nfile d/f 644 7:8\nsymlink s 777 7:8 -> x\n");
}

TEST("a canceled apply stops")
{
    struct err err = { 0 };
    AUTO_FD int root = folder("root");
    AUTO(cancel_free) struct cancel *cancel = cancel_new();
    AUTO_VALUE(buf_clear) struct buf tar = layer_of("file f 644 0:0\n");
    AUTO(reader_close) struct reader *r = reader_of_span(buf_span(&tar));
    struct layer_apply_options options = { .cancel = cancel };
    AUTO_VALUE(layer_apply_result_clear) struct layer_apply_result out = { 0 };
    cancel_fire(cancel);
    EXPECT_ERR(layer_apply(r, root, &options, &out, &err), &err, ERR_CANCELED);
}

TAP_MAIN()
