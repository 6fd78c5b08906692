/* tests/unit/engine/source/git_lab.h - repositories of tests/harness/repository, served by
 * tests/harness/source-server, and what is fetched of them. */
#pragma once
#include "engine/source/git_internal.h"
#include "fixture.h"
#include "served.h"

/* Made once: tests/harness/repository. */
static char shared[] = "/tmp/kiln-test-git-XXXXXX";
static char *first, *second, *third, *topic, *tag; /* hashes */

struct lab {
    struct served served;
    struct store *store;
    struct git_source *source;
    const char *secret; /* what authorization() gives the main host; NULL: nothing */
    const char *agent;
    struct git_access access;
    int n_out;
    char *out; /* owned; the folder of the last checkout */
};

static int authorization(void *arg, const char *host, bool is_main, char **out, struct err *e)
{
    const struct lab *l = arg;
    (void)host, (void)e;
    *out = l->secret && is_main ? xstrdup(l->secret) : NULL;
    return 0;
}

static int agent(void *arg, const char **path, struct err *e)
{
    (void)e;
    *path = ((const struct lab *)arg)->agent;
    return 0;
}

static bool lab_open(struct lab *l)
{
    AUTO_FREE char *path = xasprintf("%s/store", tap_dir());
    *l = (struct lab){ .access = { authorization, agent, NULL, "default", NULL } };
    l->access.arg = l;
    err_clear(&err);
    shell("mkdir served; cp -a %s/git served/git", shared);
    if (!served_start(&l->served))
        return false;
    EXPECT_OK(store_open(path, NULL, &l->store, &err), &err);
    EXPECT_OK(git_source_open(l->store, &l->source, &err), &err);
    return l->source != NULL;
}

static void lab_close(struct lab *l)
{
    git_source_close(l->source);
    store_close(l->store);
    served_stop(&l->served);
    free(l->out);
}

#define LAB(l)                                                                                     \
    struct lab l;                                                                                  \
    if (!lab_open(&l))                                                                             \
    return

static struct git_wish wish(const struct lab *l, const char *remote, const char *ref)
{
    return (struct git_wish){
        .remote = remote, .ref = ref, .subdir = "", .checksum = "", .access = &l->access
    };
}

static char *remote_of(const struct lab *l, const char *manner, const char *repository)
{
    return strcmp(manner, "daemon") == 0
               ? xasprintf("git://127.0.0.1:%d/%s", l->served.git_port, repository)
               : xasprintf("http://127.0.0.1:%d/%s/%s", l->served.http_port, manner, repository);
}

/* Into a new folder l->out. */
static int check_out(struct lab *l, const struct git_wish *q, const struct git_commit *at)
{
    AUTO_FD int fd = -1;
    free(l->out);
    l->out = xasprintf("%s/out%d", tap_dir(), l->n_out++);
    if (mkdir(l->out, 0755) < 0)
        abort();
    EXPECT_OK(fs_open(AT_FDCWD, l->out, O_RDONLY | O_DIRECTORY, 0, &fd, &err), &err);
    return git_source_checkout(l->source, q, at, l->out, fd, &err);
}

static int fetch(struct lab *l, const struct git_wish *q)
{
    struct git_commit at;
    err_clear(&err);
    return git_source_resolve(l->source, q, &at, &err) || check_out(l, q, &at) ? -1 : 0;
}

/* What a script prints in the folder of the last checkout; the caller's. */
__attribute__((unused, format(printf, 2, 3))) static char *look(const struct lab *l,
                                                                const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    AUTO_FREE char *script = xvasprintf(fmt, args);
    va_end(args);
    AUTO_FREE char *command = xasprintf("cd %s 2>&1 && (%s) 2>&1", l->out, script);
    FILE *pipe = popen(command, "r");
    char text[8192];
    size_t n = pipe ? fread(text, 1, sizeof text - 1, pipe) : 0;
    if (pipe)
        pclose(pipe);
    while (n && text[n - 1] == '\n')
        n--;
    return xstrndup(text, n);
}

#define LIST "find . -mindepth 1 -not -path './.git/*' -printf '%%P ' | tr ' ' '\\n' | sort | xargs"
#define EXPECT_LOOK(l, want, ...)                                                                  \
    do {                                                                                           \
        AUTO_FREE char *looked_ = look(l, __VA_ARGS__);                                            \
        EXPECT_STR(looked_, want);                                                                 \
    } while (0)

static char *hash_of(const char *ref)
{
    AUTO_FREE char *command = xasprintf("git -C %s/git/app.git rev-parse %s", shared, ref);
    FILE *pipe = popen(command, "r");
    char text[128] = "";
    if (!pipe || !fgets(text, sizeof text, pipe) || pclose(pipe))
        abort();
    text[strcspn(text, "\n")] = '\0';
    return xstrdup(text);
}

/* Instead of tap_main(). */
static int git_lab_main(int argc, char **argv)
{
    AUTO_FREE char *command = NULL;
    if (!mkdtemp(shared))
        abort();
    command = xasprintf("%s/repository %s", harness_folder(), shared);
    if (system(command))
        abort();
    first = hash_of("light");
    second = hash_of("v1^{commit}");
    third = hash_of("main");
    topic = hash_of("topic");
    tag = hash_of("v1");
    int status = tap_main(argc, argv);
    tap_remove_tree(shared);
    char *all[] = { first, second, third, topic, tag };
    for (size_t i = 0; i < 5; i++)
        free(all[i]);
    return status;
}
