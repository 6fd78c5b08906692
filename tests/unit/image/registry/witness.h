/* tests/unit/image/registry/witness.h - Debian's docker-registry as the other side, on a port of
 * its own, and images to send there. */
#pragma once
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include "base/core/clock.h"
#include "image/registry/transfer.h"
#include "image/store/object.h"
#include "script.h"

extern char **environ;

static struct {
    pid_t pid; /* 0: none */
    int port;
    char *name; /* "127.0.0.1:PORT" */
} witness;

__attribute__((unused)) static int free_port(void)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *)&a, size) || getsockname(fd, (struct sockaddr *)&a, &size))
        abort();
    close(fd);
    return ntohs(a.sin_port);
}

__attribute__((unused)) static bool listens(int port)
{
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_there = connect(fd, (struct sockaddr *)&a, sizeof a) == 0;
    close(fd);
    return is_there;
}

__attribute__((unused)) static void witness_stop(void)
{
    if (witness.pid > 0) {
        kill(witness.pid, SIGKILL);
        waitpid(witness.pid, NULL, 0);
    }
    free(witness.name);
    memset(&witness, 0, sizeof witness);
}

/* Starts it with `more` at the end of its configuration, DIR in it being the case's folder; `http`
 * goes into the http section.  False when it is not installed or does not come up. */
__attribute__((unused)) static bool witness_start(const char *http, const char *more)
{
    static const char program[] = "/usr/bin/docker-registry";
    if (access(program, X_OK) != 0)
        return false;
    witness.port = free_port();
    witness.name = xasprintf("127.0.0.1:%d", witness.port);
    AUTO_FREE char *text =
        xasprintf("version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n"
                  "    rootdirectory: DIR/witness\n  delete:\n    enabled: true\n"
                  "http:\n  addr: %s\n%s%s",
                  witness.name, http, more);
    AUTO_FREE char *whole = xstrdup("");
    for (char *p = text, *at; p; p = at ? at + 3 : NULL) {
        at = strstr(p, "DIR");
        char *next = at ? xasprintf("%s%.*s%s", whole, (int)(at - p), p, tap_dir())
                        : xasprintf("%s%s", whole, p);
        free(whole);
        whole = next;
    }
    AUTO_FREE char *config = write_text("witness.yml", whole);
    AUTO_FREE char *log = in_dir("witness.log");
    char *argv[] = { (char *)(uintptr_t)program, (char[]){ "serve" }, config, NULL };
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    int failed = posix_spawn(&witness.pid, program, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    uint64_t until = clock_monotonic_ms() + 20000;
    while (!failed && !listens(witness.port)) {
        if (clock_monotonic_ms() > until || waitpid(witness.pid, NULL, WNOHANG) != 0) {
            AUTO_FREE char *why = read_text(log);
            printf("# %s\n", why);
            return false;
        }
        usleep(20000);
    }
    return !failed;
}

/* ---- images ---- */

/* An image of two layers in the store; `mark` makes it another. */
__attribute__((unused)) static struct descriptor make_image(const char *mark)
{
    AUTO_FREE char *config =
        xasprintf("{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{},"
                  "\"mark\":\"%s\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\""
                  ":[]}}",
                  mark);
    AUTO_FREE char *layer = xasprintf("layer of %s", mark);
    struct digest c, one, two;
    struct descriptor d = { 0 };
    EXPECT_OK(blob_put(store, span_of(config), &c, &err), &err);
    EXPECT_OK(blob_put(store, SPAN("the base of all"), &one, &err), &err);
    EXPECT_OK(blob_put(store, span_of(layer), &two, &err), &err);
    AUTO_VALUE(manifest_clear) struct manifest m = { .annotations = STR_MAP };
    m.config = descriptor_make(MEDIA_OCI_CONFIG, &c, strlen(config));
    *vec_push(&m.layers) = descriptor_make(MEDIA_OCI_LAYER, &one, strlen("the base of all"));
    *vec_push(&m.layers) = descriptor_make(MEDIA_OCI_LAYER, &two, strlen(layer));
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    buf_init(&text, LIMIT_MANIFEST);
    manifest_print(&m, &text);
    EXPECT_OK(manifest_put(store, buf_span(&text), MEDIA_OCI_MANIFEST, &d, &err), &err);
    return d;
}

/* An index of two such, for amd64 and arm64. */
__attribute__((unused)) static struct descriptor make_index(const char *mark)
{
    struct descriptor d = { 0 };
    AUTO_VALUE(index_clear) struct index i = { .annotations = STR_MAP };
    static const char *const platforms[] = { "linux/amd64", "linux/arm64" };
    for (int n = 0; n < 2; n++) {
        AUTO_FREE char *own = xasprintf("%s-%d", mark, n);
        struct descriptor *entry = vec_push(&i.manifests);
        *entry = make_image(own);
        EXPECT_OK(platform_parse(span_of(platforms[n]), &entry->platform, &err), &err);
    }
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    buf_init(&text, LIMIT_MANIFEST);
    index_print(&i, &text);
    EXPECT_OK(manifest_put(store, buf_span(&text), MEDIA_OCI_INDEX, &d, &err), &err);
    return d;
}

/* The reference of `name` ("lib/app:v1") at the witness. */
__attribute__((unused)) static void refer(const char *name)
{
    AUTO_FREE char *text = xasprintf("%s/%s", witness.name, name);
    reference_clear(&ref);
    EXPECT_OK(reference_parse(span_of(text), &ref, &err), &err);
}

__attribute__((unused)) static int push_image(const struct descriptor *d)
{
    AUTO(pool_free) struct pool *pool = pool_new(4);
    struct push_options o = { .pool = pool };
    return image_push(remote, &ref, store, d, &o, &err);
}

__attribute__((unused)) static int pull_image(const struct platform *platform, bool is_lazy,
                                              struct descriptor *out, struct descriptor *image)
{
    AUTO(pool_free) struct pool *pool = pool_new(4);
    struct pull_options o = { .platform = platform, .is_lazy = is_lazy, .pool = pool };
    return image_pull(remote, &ref, store, &o, out, image, &err);
}

/* What a command prints, without the last line break; NULL when it fails. */
__attribute__((unused)) static char *output_of(const char *command)
{
    FILE *f = popen(command, "r");
    char *text = xcalloc(1, 1 << 16);
    size_t n = f ? fread(text, 1, (1 << 16) - 1, f) : 0;
    if (n && text[n - 1] == '\n')
        text[n - 1] = '\0';
    if (!f || pclose(f) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

/* A store that is empty, instead of the one so far. */
__attribute__((unused)) static void other_store(void)
{
    static int n;
    char name[32];
    snprintf(name, sizeof name, "other-store-%d", n++);
    AUTO_FREE char *root = in_dir(name);
    store_close(store);
    store = NULL;
    EXPECT_OK(store_open(root, NULL, &store, &err), &err);
}

/* Client and log, no script. */
__attribute__((unused)) static void begin(struct remote_options o)
{
    catch_log();
    open_client(o);
}
