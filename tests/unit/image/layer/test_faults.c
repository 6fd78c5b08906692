/* Each system call that apply and pack make fails in turn: a seccomp filter answers it with EIO.
 * The calls must fail as SYSTEM, leak nothing and crash nowhere. */
#include <seccomp.h>

#include "fixture.h"
#include "image/layer/pack.h"

static const char archive[] = "folder d 1777 33:44\n"
                              "file d/f 4755 1000:2000 = content\n"
                              "symlink s 777 5:5 -> /d\n"
                              "file s/through 644 0:0\n"
                              "file dangling/new/f 644 0:0\n"
                              "link twin 4755 1000:2000 -> d/f\n"
                              "char null 666 0:0 1:3\n"
                              "fifo fifo 4640 0:7\n"
                              "folder old 755 0:0\n"
                              "file old/f 644 0:0\n"
                              "file old 600 0:0 = in its way\n"
                              "file .wh.below 644 0:0\n"
                              "file d/.wh..wh..opq 644 0:0\n"
                              "folder link 755 0:0\n";
static const char below[] =
    "folder below 755 0:0\nfile below/f 644 0:0\nfolder d 755 0:0\nfile d/x 644 0:0\n"
    "folder d/y 755 0:0\nfile d/y/z 644 0:0\nsymlink dangling 777 0:0 -> to/there\n"
    "symlink link 777 0:0 -> d\n";

static void refuse(int number)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (!filter || seccomp_rule_add(filter, SCMP_ACT_ERRNO(EIO), number, 0) || seccomp_load(filter))
        _exit(76);
    seccomp_release(filter);
}

static int apply_both(int root, enum layer_form form, int refused, struct err *err)
{
    struct layer_apply_options options = { .form = form };
    AUTO_VALUE(layer_apply_result_clear) struct layer_apply_result one = { 0 }, two = { 0 };
    AUTO_VALUE(buf_clear) struct buf first = layer_of(below), second = layer_of(archive);
    AUTO(reader_close) struct reader *a = reader_of_span(buf_span(&first));
    AUTO(reader_close) struct reader *b = reader_of_span(buf_span(&second));
    if (layer_apply(a, root, &options, &one, err))
        return -1;
    if (refused >= 0)
        refuse(refused);
    return layer_apply(b, root, &options, &two, err);
}

/* Runs one call in a child that may not make the system call; what went wrong, or NULL. */
static const char *fails_well(int (*call)(int root, int refused, struct err *err), int refused)
{
    tap_remove_tree(tap_dir());
    mkdir(tap_dir(), 0755);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        struct err err = { 0 };
        int root = folder("root");
        int result = call(root, refused, &err);
        _exit(result == 0 ? 1 : err.kind == ERR_SYSTEM && *err.text ? 0 : 2);
    }
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        abort();
    if (!WIFEXITED(status))
        return "crashed";
    return WEXITSTATUS(status) == 0   ? NULL
           : WEXITSTATUS(status) == 1 ? "succeeded"
                                      : "failed oddly";
}

static int apply_merged(int root, int refused, struct err *err)
{
    return apply_both(root, LAYER_MERGED, refused, err);
}

static int apply_overlay(int root, int refused, struct err *err)
{
    return apply_both(root, LAYER_OVERLAY_USER, refused, err);
}

static int pack_all(int root, int refused, struct err *err)
{
    static const char *const paths[] = { "d", "d/f", "fifo", "null", "s", "twin" };
    struct layer_apply_options options = { .form = LAYER_MERGED };
    AUTO_VALUE(layer_apply_result_clear) struct layer_apply_result out = { 0 };
    AUTO_VALUE(buf_clear)
    struct buf tar = layer_of("folder d 755 0:0\nfile d/f 644 5:5 = f\nlink twin 644 5:5 -> d/f\n"
                              "fifo fifo 644 0:0\nchar null 644 0:0 1:3\nsymlink s 777 0:0 -> d\n");
    AUTO(reader_close) struct reader *r = reader_of_span(buf_span(&tar));
    AUTO(writer_close) struct writer *w = writer_discard();
    AUTO(change_list_free) struct change_list *l = change_list_new();
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        change_list_add(l, paths[i], CHANGE_ADD);
    if (layer_apply(r, root, &options, &out, err))
        return -1;
    if (refused >= 0)
        refuse(refused);
    return layer_pack(root, l, NULL, w, err);
}

struct row {
    const char *name;
    int number;
};
#define CALL(name)                                                                                 \
    {                                                                                              \
#name, SCMP_SYS(name)                                                                      \
    }

static void each_fails(int (*call)(int root, int refused, struct err *err), const struct row *rows,
                       size_t n)
{
    const char *without = fails_well(call, -1);
    EXPECT_STR(without, "succeeded");
    for (size_t i = 0; i < n; i++) {
        const char *why = fails_well(call, rows[i].number);
        if (why)
            tap_fail(__FILE__, __LINE__, "with %s refused it %s", rows[i].name, why);
    }
}

TEST("merged: each call that fails is an error")
{
    static const struct row rows[] = {
        CALL(openat),     CALL(openat2),   CALL(write),  CALL(utimensat), CALL(newfstatat),
        CALL(mkdirat),    CALL(symlinkat), CALL(linkat), CALL(mknodat),   CALL(unlinkat),
        CALL(fchown),     CALL(fchownat),  CALL(fchmod), CALL(fchmodat),  CALL(readlinkat),
        CALL(getdents64), CALL(lgetxattr),
    };
    if (geteuid() != 0)
        SKIP("needs root");
    each_fails(apply_merged, rows, sizeof rows / sizeof *rows);
}

TEST("overlay: each call that fails is an error")
{
    static const struct row rows[] = {
        CALL(mknodat),  CALL(lsetxattr), CALL(newfstatat),
        CALL(unlinkat), CALL(openat2),   CALL(mkdirat),
    };
    if (geteuid() != 0)
        SKIP("needs root");
    each_fails(apply_overlay, rows, sizeof rows / sizeof *rows);
}

TEST("pack: each call that fails is an error")
{
    static const struct row rows[] = {
        CALL(openat),     CALL(openat2),    CALL(read),
        CALL(newfstatat), CALL(readlinkat), CALL(fgetxattr),
    };
    if (geteuid() != 0)
        SKIP("needs root");
    each_fails(pack_all, rows, sizeof rows / sizeof *rows);
}

TAP_MAIN()
