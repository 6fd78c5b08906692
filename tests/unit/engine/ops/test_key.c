/* Keys of operations against records that docker 28.5.2 (BuildKit 0.25) made of the Dockerfile in
 * tests/fixtures/cache: sha256("KEY@0") of each. */
#include <string.h>

#include "base/core/mem.h"
#include "engine/ops/key.h"
#include "tap.h"

#define PATH_VARIABLE "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static void expect_record(const char *name, struct digest key, const char *want)
{
    AUTO_FREE char *text = xasprintf("%s@0", digest_text(&key).s);
    struct digest record = digest_of(span_of(text));
    struct digest_text hex = digest_hex(&record);
    if (strncmp(hex.s, want, strlen(want)) != 0)
        tap_fail(__FILE__, __LINE__, "%s: record %s, expected %s...", name, hex.s, want);
}

static struct platform amd64(void)
{
    return (struct platform){ .is_set = true, .os = "linux", .architecture = "amd64" };
}

/* RUN COMMAND with one mount beside the root. */
static struct digest run_key(const char *command, const struct op_mount *other,
                             enum exec_network network, const struct exec_host *host)
{
    const char *args[] = { "/bin/sh", "-c", command }, *env[] = { PATH_VARIABLE, NULL };
    struct op_mount mounts[2] = { { .dest = "/", .input = 0, .output = 0 } };
    struct vertex v = { .type = OP_EXEC, .n_inputs = 1, .platform = amd64() };
    bool has_socket = other && other->type == MOUNT_SSH;
    env[1] = "SSH_AUTH_SOCK=/run/buildkit/ssh_agent.0";
    if (other)
        mounts[1] = *other;
    v.exec = (struct op_exec){ .args = { args, 3 },
                               .env = { env, has_socket ? 2 : 1 },
                               .cwd = "/",
                               .mounts = mounts,
                               .n_mounts = other ? 2 : 1,
                               .network = network,
                               .hosts = host,
                               .n_hosts = host != NULL,
                               .removes_mount_stubs = true };
    return key_of_exec(&v);
}

TEST("steps")
{
    static const struct {
        const char *name, *command;
        struct op_mount mount;
        const char *want;
    } rows[] = {
        { "a cache called by its folder",
          "echo > /cache1/x",
          { .type = MOUNT_CACHE, .dest = "/cache1", .id = "//cache1" },
          "11b0eaf33e0cedb76bd8ef04" },
        { "a cache with a name",
          "echo > /cache2/x",
          { .type = MOUNT_CACHE, .dest = "/cache2", .id = "foo" },
          "6a8ff957197090ac3bc814a6" },
        { "a locked cache",
          "echo y > /cache2/x",
          { .type = MOUNT_CACHE, .dest = "/cache2", .id = "foo", .sharing = CACHE_LOCKED },
          "9d390958f59d2e62b27a2f60" },
        { "tmpfs",
          "echo > /tm/x",
          { .type = MOUNT_TMPFS, .dest = "/tm" },
          "4b9d79bcdea84c566d66ecab" },
        { "tmpfs with a size",
          "echo z > /tm/x",
          { .type = MOUNT_TMPFS, .dest = "/tm", .size = 1000000 },
          "d8e49c82ccc9a81b484ec8ce" },
        { "a secret",
          "echo 1",
          { .type = MOUNT_SECRET,
            .dest = "/run/secrets/s",
            .id = "s",
            .mode = 0400,
            .is_optional = true },
          "afe2ff963f0c8b9658350023" },
        { "ssh",
          "echo 4",
          { .type = MOUNT_SSH,
            .dest = "/run/buildkit/ssh_agent.0",
            .id = "",
            .mode = 0600,
            .is_optional = true },
          "a7f5d8e9308b164ce9a0a3db" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct op_mount m = rows[i].mount;
        m.input = m.output = -1;
        expect_record(rows[i].name, run_key(rows[i].command, &m, NETWORK_DEFAULT, NULL),
                      rows[i].want);
    }
    expect_record("no network", run_key("echo 5", NULL, NETWORK_NONE, NULL),
                  "29834bee7732ec8c3e38d493");
}

TEST("what is of the machine is no part of a step's key: addresses of hosts, names of caches")
{
    static const struct exec_host hosts[] = { { "db", "10.0.0.1" },
                                              { "db", "::1" },
                                              { "b", "::1" } };
    struct digest one = run_key("x", NULL, NETWORK_DEFAULT, &hosts[0]);
    struct digest two = run_key("x", NULL, NETWORK_DEFAULT, &hosts[1]);
    struct digest three = run_key("x", NULL, NETWORK_DEFAULT, &hosts[2]);
    EXPECT(digest_equal(&one, &two));
    EXPECT(!digest_equal(&one, &three));
    struct op_mount m = { .type = MOUNT_CACHE, .dest = "/c", .id = "a", .input = -1, .output = -1 };
    one = run_key("x", &m, NETWORK_DEFAULT, NULL);
    m.id = "b";
    m.sharing = CACHE_PRIVATE;
    two = run_key("x", &m, NETWORK_DEFAULT, NULL);
    EXPECT(digest_equal(&one, &two));
}

static struct digest file_key(const struct op_action *a, size_t n_inputs)
{
    struct vertex v = { .type = OP_FILE, .n_inputs = n_inputs };
    v.file = (struct op_file){ .actions = a, .n_actions = 1 };
    return key_of_file(&v);
}

TEST("file operations")
{
    struct op_action copy = { .type = ACTION_COPY,
                              .src = "/f.txt",
                              .path = "/c/own1",
                              .owner = { .is_set = true,
                                         .user = { .kind = OWNER_ID, .id = 7 },
                                         .group = { .kind = OWNER_ID, .id = 8 } },
                              .mode = MODE_KEEP,
                              .timestamp_ns = TIMESTAMP_NONE,
                              .mode_text = "",
                              .follows_symlinks = true,
                              .copies_dir_contents = true,
                              .creates_dest_path = true,
                              .has_wildcards = true,
                              .may_match_nothing = true,
                              .input = 0,
                              .secondary = 1,
                              .output = 0 };
    expect_record("COPY --chown=7:8", file_key(&copy, 2), "ebba232291ffc3e6f95e4e55");
    copy.path = "/c/own2";
    copy.owner = (struct owner){ .is_set = true, .user = { .kind = OWNER_ID } };
    expect_record("COPY --chown=0", file_key(&copy, 2), "6262e37369fb0239e80600d8");
    copy.owner.is_set = false;
    copy.path = "/c/mode1";
    copy.mode = 0755;
    expect_record("COPY --chmod=755", file_key(&copy, 2), "dc70185f3e852031178ef6a2");
    struct op_action folder = { .type = ACTION_MKDIR,
                                .path = "/w",
                                .mode = 0755,
                                .makes_parents = true,
                                .timestamp_ns = TIMESTAMP_NONE,
                                .input = 0,
                                .secondary = -1,
                                .output = 0 };
    expect_record("WORKDIR", file_key(&folder, 1), "f6515d8afd8f2d2ce6612a1d");
}

TEST("where a file lies in its source is no part of the key, what it is called is")
{
    struct op_action a = {
        .type = ACTION_COPY, .src = "/a/f", .path = "/", .mode_text = "", .input = 0, .secondary = 1
    };
    struct digest one = file_key(&a, 2);
    a.src = "/b/c/f";
    struct digest two = file_key(&a, 2);
    a.src = "/a/g";
    struct digest three = file_key(&a, 2);
    EXPECT(digest_equal(&one, &two));
    EXPECT(!digest_equal(&one, &three));
}

TEST("layers on one another")
{
    static const int32_t inputs[] = { 0, 1 };
    struct vertex v = { .type = OP_MERGE, .n_inputs = 2, .merge = { inputs, 2 } };
    expect_record("COPY --link", key_of_merge(&v), "5dbfbafede47210a7bd73634");
    struct vertex lower = { .type = OP_DIFF, .n_inputs = 2, .diff = { .lower = 0, .upper = 1 } };
    struct vertex upper = { .type = OP_DIFF, .n_inputs = 1, .diff = { .lower = -1, .upper = 0 } };
    struct digest one = key_of_diff(&lower), two = key_of_diff(&upper);
    EXPECT(!digest_equal(&one, &two));
}

TEST("the selector of a step is in its order, that of a file operation is sorted")
{
    struct key_path items[] = { { .path = "/b", .follows = true },
                                { .path = "/a", .follows = true } };
    struct key_paths paths = { .items = items, .n = 2, .cap = 2 };
    struct digest b_a = digest_of(SPAN("/b\0/a")), exec = exec_selector(&paths);
    struct digest file = file_selector(&paths), order = key_order(&paths);
    EXPECT(digest_equal(&exec, &b_a) && digest_equal(&file, &b_a) && digest_equal(&order, &b_a));
    struct key_path turned[] = { items[1], items[0] };
    struct key_paths other = { .items = turned, .n = 2, .cap = 2 };
    exec = exec_selector(&other), file = file_selector(&other), order = key_order(&other);
    EXPECT(!digest_equal(&exec, &b_a) && digest_equal(&file, &b_a) && !digest_equal(&order, &b_a));
    other.n = 1;
    order = key_order(&other);
    EXPECT(!digest_is_set(&order));
}

TAP_MAIN()
