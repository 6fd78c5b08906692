/* tests/unit/image/oci/test_config.c - image configs of other programs, and our own. */
#include "image/oci/config.h"

#include "base/core/limits.h"
#include "fixture.h"

static char *print(const struct image_config *c)
{
    struct buf b;
    buf_init(&b, LIMIT_CONFIG);
    image_config_print(c, &b);
    return buf_take(&b);
}

static struct image_config read_config(const char *file)
{
    struct image_config c = { 0 };
    struct err err = { 0 };
    struct span bytes = fixture_read("oci", file);
    if (image_config_parse(bytes, &c, &err)) {
        tap_fail(__FILE__, __LINE__, "%s: %s", file, err.text);
        abort();
    }
    free((void *)(uintptr_t)bytes.ptr);
    return c;
}

static const char *const files[] = {
    "umoci-config.json",  "skopeo-docker-config.json",    "buildkit-config.json",
    "docker-config.json", "buildkit-scratch-config.json", "sha512-config.json",
};

TEST("configs of other programs are printed byte for byte, copies too")
{
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        AUTO_VALUE(image_config_clear) struct image_config c = read_config(files[i]);
        AUTO_VALUE(image_config_clear) struct image_config copy = { 0 };
        struct span bytes = fixture_read("oci", files[i]);
        AUTO_FREE char *want = span_dup(bytes);
        free((void *)(uintptr_t)bytes.ptr);
        want[strcspn(want, "\n")] = '\0';
        image_config_copy(&copy, &c);
        AUTO_FREE char *again = print(&c);
        AUTO_FREE char *of_copy = print(&copy);
        EXPECT_STR(again, want);
        EXPECT_STR(of_copy, want);
    }
}

TEST("all fields are read")
{
    AUTO_VALUE(image_config_clear) struct image_config c = read_config("buildkit-config.json");
    EXPECT_STR(platform_text(&c.platform).s, "linux/arm/v7");
    EXPECT_STR(c.created, "2023-11-14T22:13:20.5Z");
    EXPECT_STR(c.user, "app");
    EXPECT_INT(c.exposed_ports.n, 2);
    EXPECT_STR(c.env.items[1], "A=1");
    EXPECT(c.has_entrypoint && c.has_cmd);
    EXPECT_STR(c.volumes.items[1], "/b");
    EXPECT_STR(c.working_dir, "/w");
    EXPECT_STR(map_find_str(&c.labels, "b"), "2");
    EXPECT_STR(c.stop_signal, "SIGINT");
    EXPECT(c.args_escaped);
    REQUIRE(c.healthcheck);
    EXPECT_INT(c.healthcheck->interval_ns, 30000000000);
    EXPECT_INT(c.healthcheck->start_interval_ns, 7);
    EXPECT_INT(c.healthcheck->retries, 3);
    EXPECT_STR(c.on_build.items[0], "RUN true");
    EXPECT_STR(c.shell.items[0], "/bin/bash");
    EXPECT_INT(c.diff_ids.n, 1);
    EXPECT_INT(c.history.n, 2);
    EXPECT(!c.history.items[0].is_empty_layer && c.history.items[1].is_empty_layer);
    EXPECT_STR(c.history.items[1].comment, "buildkit.dockerfile.v0");
}

static void fill_process(struct image_config *c)
{
    c->user = xstrdup("app");
    str_list_push(&c->exposed_ports, "80/tcp");
    str_list_push(&c->exposed_ports, "443/tcp");
    str_list_push(&c->env, "PATH=/usr/local/sbin:/usr/local/bin");
    image_config_set_env(c, "A", "1");
    str_list_push(&c->entrypoint, "/e");
    str_list_push(&c->cmd, "c");
    str_list_push(&c->volumes, "/b");
    str_list_push(&c->volumes, "/a");
    c->working_dir = xstrdup("/w");
    map_set_str(&c->labels, "b", "2");
    map_set_str(&c->labels, "a", "1");
    c->stop_signal = xstrdup("SIGINT");
    c->args_escaped = true;
    c->healthcheck = xcalloc(1, sizeof *c->healthcheck);
    str_list_push(&c->healthcheck->test, "CMD-SHELL");
    str_list_push(&c->healthcheck->test, "true");
    c->healthcheck->interval_ns = 30000000000;
    c->healthcheck->timeout_ns = 1000000;
    c->healthcheck->start_period_ns = 5;
    c->healthcheck->start_interval_ns = 7;
    c->healthcheck->retries = 3;
    str_list_push(&c->on_build, "RUN true");
    str_list_push(&c->shell, "/bin/bash");
    str_list_push(&c->shell, "-c");
}

TEST("a config made here is what BuildKit would write")
{
    struct platform p = { .is_set = true, .os = "linux", .architecture = "arm", .variant = "v7" };
    AUTO_VALUE(image_config_clear) struct image_config c;
    AUTO_VALUE(image_config_clear) struct image_config want = read_config("buildkit-config.json");
    image_config_init(&c, &p);
    fill_process(&c);
    c.created = xstrdup("2023-11-14T22:13:20.5Z");
    *vec_push(&c.diff_ids) = want.diff_ids.items[0];
    *vec_push(&c.history) = (struct history){
        .created = xstrdup("2023-11-14T22:13:20Z"),
        .created_by = xstrdup("COPY /x /x # buildkit"),
        .comment = xstrdup("buildkit.dockerfile.v0"),
    };
    *vec_push(&c.history) = (struct history){
        .created = xstrdup("2023-11-14T22:13:20.5Z"),
        .created_by = xstrdup("ENV A=1"),
        .comment = xstrdup("buildkit.dockerfile.v0"),
        .is_empty_layer = true,
    };
    AUTO_FREE char *text = print(&c);
    AUTO_FREE char *want_text = print(&want);
    EXPECT_STR(text, want_text);
}

TEST("a scratch image without layers has diff_ids null")
{
    struct platform p = { .is_set = true, .os = "linux", .architecture = "amd64" };
    AUTO_VALUE(image_config_clear) struct image_config c;
    image_config_init(&c, &p);
    AUTO_FREE char *text = print(&c);
    EXPECT_STR(text, "{\"architecture\":\"amd64\",\"config\":{},\"os\":\"linux\",\"rootfs\":"
                     "{\"type\":\"layers\",\"diff_ids\":null}}");
}

TEST("what changes is replaced in place, unknown fields stay")
{
    AUTO_VALUE(image_config_clear) struct image_config c = read_config("docker-config.json");
    struct digest more = digest_of(SPAN("layer"));
    image_config_set_env(&c, "PATH", "/sbin");
    image_config_set_env(&c, "NEW", "a=b");
    str_list_clear(&c.cmd);
    str_list_push(&c.entrypoint, "/run");
    *vec_push(&c.diff_ids) = more;
    *vec_push(&c.history) = (struct history){ .created_by = xstrdup("COPY") };
    AUTO_FREE char *text = print(&c);
    EXPECT_CONTAINS(text,
                    "\"Tty\":false,\"Env\":[\"PATH=/sbin\",\"NEW=a=b\"],\"Image\":\"sha256:d");
    EXPECT_CONTAINS(
        text, "\"WorkingDir\":\"\",\"Entrypoint\":[\"/run\"],\"OnBuild\":null,\"Labels\":null}");
    EXPECT_CONTAINS(text, "\"docker_version\":\"20.10.7\"");
    EXPECT_CONTAINS(text, "\"author\":\"\",\"x-note\":\"kept\"},{\"created_by\":\"COPY\"}]");
    EXPECT_CONTAINS(text, digest_text(&more).s);
    EXPECT_STR(image_config_env(&c, "NEW"), "a=b");
    EXPECT(image_config_env(&c, "PAT") == NULL);
}

TEST("an unknown field of a history entry does not move to another entry")
{
    AUTO_VALUE(image_config_clear) struct image_config c = read_config("docker-config.json");
    free(c.history.items[0].created_by);
    c.history.items[0].created_by = xstrdup("another step");
    AUTO_FREE char *text = print(&c);
    EXPECT(strstr(text, "x-note") == NULL);
}

TEST("SHA-512 diffIDs are legal")
{
    AUTO_VALUE(image_config_clear) struct image_config c = read_config("sha512-config.json");
    EXPECT_INT(c.diff_ids.n, 2);
    EXPECT_INT(c.diff_ids.items[0].algorithm, DIGEST_SHA512);
    struct digest id = chain_id(c.diff_ids.items, 2);
    EXPECT_INT(id.algorithm, DIGEST_SHA256);
}

/* sha256sum of "sha256:54a7... sha256:7a1b..." without newline. */
TEST("the chainID of two layers is the hash of the two texts")
{
    AUTO_VALUE(image_config_clear) struct image_config c = read_config("umoci-config.json");
    struct digest one = chain_id(c.diff_ids.items, 1), two = chain_id(c.diff_ids.items, 2);
    EXPECT(digest_equal(&one, &c.diff_ids.items[0]));
    EXPECT_STR(digest_text(&two).s,
               "sha256:263c44f7b2dc2b569f8a8261e7a0a878a3ec74045030849d49344bb12e308031");
}

static void refuse(const char *name, struct span bytes)
{
    struct image_config c = { 0 };
    struct err err = { 0 };
    if (image_config_parse(bytes, &c, &err) == 0)
        tap_fail(__FILE__, __LINE__, "%s was accepted", name);
    EXPECT_INT(err.kind, strstr(name, "too-many") ? ERR_LIMIT : ERR_INVALID);
    EXPECT_CONTAINS(err.text, "parse image config: ");
    image_config_clear(&c);
}

TEST("broken configs are refused")
{
    EXPECT_INT(fixture_each("oci", "refuse-config-", refuse), 13);
}

TEST("a refusal names the field")
{
    static const struct {
        const char *file, *why;
    } rows[] = {
        { "refuse-config-cmd-of-numbers.json", "config: field Cmd: is not an array of strings" },
        { "refuse-config-healthcheck-interval.json",
          "config: Healthcheck: field Interval: is not an integer" },
        { "refuse-config-bad-diff-id.json", "rootfs: diff_ids[0]: " },
        { "refuse-config-history-entry.json", "history[0]: is not an object" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct image_config c = { 0 };
        struct err err = { 0 };
        struct span bytes = fixture_read("oci", rows[i].file);
        EXPECT_ERR(image_config_parse(bytes, &c, &err), &err, ERR_INVALID);
        EXPECT_CONTAINS(err.text, rows[i].why);
        free((void *)(uintptr_t)bytes.ptr);
    }
}

TAP_MAIN()
