#include "fixture.h"

static void expect_raw(int dir, const char *path, const char *want)
{
    AUTO_VALUE(buf_clear) struct buf value = { 0 };
    struct err err = { 0 };
    bool is_there;
    buf_init(&value, 1000);
    EXPECT_OK(fs_get_xattr(dir, path, NODE_XATTR, &value, &is_there, &err), &err);
    EXPECT_STR(is_there ? value.data : NULL, want);
}

static void expect_node(int dir, const char *path, const char *want)
{
    struct node_stat st;
    struct err err = { 0 };
    REQUIRE_OK(node_stat(dir, path, NULL, &st, &err), &err);
    if (S_ISDIR(st.mode))
        st.size = 0; /* each file system has its own idea */
    AUTO_FREE char *got = xasprintf("%o %u:%u %u:%u %" PRIu64, st.mode, st.uid, st.gid,
                                    major(st.rdev), minor(st.rdev), st.size);
    EXPECT_STR(got, want);
}

static void owners(void)
{
    struct err err = { 0 };
    AUTO_FD int dir = folder("d");
    put_file("d/f", SPAN("five!"));
    EXPECT_OK(node_set_attributes(dir, "f", 1000, 2000, 04750, &err), &err);
    expect_node(dir, "f", "104750 1000:2000 0:0 5");
    EXPECT_OK(node_set_owner(dir, "f", 0, 7, &err), &err);
    expect_node(dir, "f", "104750 0:7 0:0 5");
    EXPECT_OK(node_set_mode(dir, "f", 0, &err), &err);
    expect_node(dir, "f", "100000 0:7 0:0 5");
    EXPECT_OK(node_set_attributes(dir, "f", 0, 0, 0644, &err), &err);
    expect_node(dir, "f", "100644 0:0 0:0 5");
    expect_raw(dir, "f", NULL); /* nothing left to note */
    EXPECT_OK(node_set_owner(dir, ".", 5, 5, &err), &err);
    expect_node(dir, ".", "40755 5:5 0:0 0");
}

static void noted_owner(void)
{
    struct err err = { 0 };
    AUTO_FD int dir = folder("d");
    put_file("d/f", SPAN(""));
    EXPECT_OK(node_set_attributes(dir, "f", 1000, 0, 0600, &err), &err);
    expect_raw(dir, "f", "u=1000");
    owners();
}

TEST("owner and mode are told as they were set: by root")
{
    if (geteuid() != 0)
        SKIP("needs root");
    owners();
}

TEST("owner and mode are told as they were set: in a user namespace with one id")
{
    as(ONE_ID, noted_owner);
}

static void ordinary_user(void)
{
    struct err err = { 0 };
    noted_owner();
    AUTO_FD int dir = folder("d");
    EXPECT_OK(node_set_mode(dir, "f", 0, &err), &err);
    expect_raw(dir, "f", "m=0");
    struct stat st;
    EXPECT_INT(fstatat(dir, "f", &st, 0), 0);
    EXPECT_INT(st.st_mode & 07777, 0600); /* or we could not read it */
    EXPECT_OK(node_set_attributes(dir, "f", 65534, 65534, 0644, &err), &err);
    expect_node(dir, "f", "100644 65534:65534 0:0 5"); /* our number, but not us */
}

TEST("owner and mode are told as they were set: by an ordinary user")
{
    as(NOBODY, ordinary_user);
}

static void devices(void)
{
    struct err err = { 0 };
    AUTO_FD int dir = folder("d");
    struct node_device null = { S_IFCHR | 0666, makedev(1, 3), 0, 0 },
                       disk = { S_IFBLK | 0640, makedev(259, 70000), 1, 6 };
    EXPECT_OK(node_make_device(dir, "null", &null, &err), &err);
    EXPECT_OK(node_make_device(dir, "disk", &disk, &err), &err);
    EXPECT_ERR(node_make_device(dir, "disk", &disk, &err), &err, ERR_EXISTS);
    expect_node(dir, "null", "20666 0:0 1:3 0");
    expect_node(dir, "disk", "60640 1:6 259:70000 0");
    EXPECT_OK(node_set_owner(dir, "disk", 0, 6, &err), &err);
    expect_node(dir, "disk", "60640 0:6 259:70000 0");
}

static void noted_devices(void)
{
    devices();
    AUTO_FD int dir = folder("d");
    expect_raw(dir, "null", "c=1:3");
    expect_raw(dir, "disk", "g=6 b=259:70000");
}

TEST("devices: by root, and noted where mknod is forbidden")
{
    if (geteuid() != 0)
        SKIP("needs root");
    devices();
    tap_remove_tree(tap_dir());
    mkdir(tap_dir(), 0755);
    as(ONE_ID, noted_devices);
}

static void capabilities(void)
{
    static const char bits[] = "\1\0\0\2\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    struct err err = { 0 };
    AUTO_FD int dir = folder("d");
    AUTO_VALUE(buf_clear) struct buf value = { 0 };
    bool is_there = true;
    buf_init(&value, 1000);
    put_file("d/f", SPAN("x"));
    EXPECT_OK(node_get_capability(dir, "f", &value, &is_there, &err), &err);
    EXPECT(!is_there);
    EXPECT_OK(node_set_capability(dir, "f", span_bytes(bits, 20), &err), &err);
    EXPECT_OK(node_get_capability(dir, "f", &value, &is_there, &err), &err);
    EXPECT(is_there && span_equal(buf_span(&value), span_bytes(bits, 20)));
}

TEST("owners and devices are noted for root without capabilities")
{
    as(BARE_ROOT, noted_owner);
    tap_remove_tree(tap_dir());
    mkdir(tap_dir(), 0755);
    as(BARE_ROOT, noted_devices);
}

TEST("file capabilities: by root, in a user namespace, and noted by an ordinary user")
{
    if (geteuid() == 0)
        capabilities();
    tap_remove_tree(tap_dir());
    mkdir(tap_dir(), 0755);
    as(ONE_ID, capabilities);
    tap_remove_tree(tap_dir());
    mkdir(tap_dir(), 0755);
    as(NOBODY, capabilities);
}

static void open_file(void)
{
    struct err err = { 0 };
    struct node_stat by_name, by_fd;
    AUTO_FD int dir = folder("d");
    put_file("d/f", SPAN("five!"));
    REQUIRE_OK(node_set_attributes(dir, "f", 7, 8, 0640, &err), &err);
    AUTO_FD int fd = openat(dir, "f", O_RDONLY | O_CLOEXEC);
    REQUIRE_OK(node_stat(dir, "f", NULL, &by_name, &err), &err);
    REQUIRE_OK(node_stat_fd(fd, NULL, &by_fd, &err), &err);
    EXPECT_INT(by_fd.uid, 7);
    EXPECT_INT(by_fd.gid, 8);
    EXPECT_INT(by_fd.mode, by_name.mode);
    EXPECT_INT(by_fd.ino, by_name.ino);
    EXPECT_INT(by_fd.has_override, geteuid() != 0 || by_name.has_override);
}

TEST("an open file is told as by its name")
{
    as(ONE_ID, open_file);
    tap_remove_tree(tap_dir());
    mkdir(tap_dir(), 0755);
    as(NOBODY, open_file);
}

TEST("an override that is none is corrupt")
{
    static const char *const values[] = { "u",   "u=",  "u=1 ", "u=4294967296", "m=8",  "m=10000",
                                          "x=1", "c=1", "c=1:", "u=1x",         " u=1", "u=-1" };
    AUTO_FD int dir = folder("d");
    put_file("d/f", SPAN(""));
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct err err = { 0 };
        struct node_stat st;
        REQUIRE_OK(fs_set_xattr(dir, "f", NODE_XATTR, span_of(values[i]), &err), &err);
        EXPECT_ERR(node_stat(dir, "f", NULL, &st, &err), &err, ERR_CORRUPT);
    }
}

TEST("with all ids and as root no override is looked for")
{
    struct id_map all = { .n_ids = UINT32_MAX }, one = { .is_single = true, .n_ids = 1 },
                  some = { .n_ids = 65536 };
    EXPECT_INT(node_may_override(&all), geteuid() != 0);
    EXPECT(node_may_override(&one));
    EXPECT(node_may_override(&some));
    EXPECT(node_may_override(NULL));
}

TAP_MAIN()
