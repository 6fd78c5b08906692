/* What a step is lent: the door before an ssh agent, agents of key files, devices. */
#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "engine/ops/cdi.h"
#include "engine/ops/ssh.h"
#include "fixture.h"

static int unix_socket(const char *path, bool listens)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | (listens ? SOCK_NONBLOCK : 0), 0);
    memcpy(at.sun_path, path, strlen(path) + 1);
    int status = listens ? bind(fd, (struct sockaddr *)&at, sizeof at)
                         : connect(fd, (struct sockaddr *)&at, sizeof at);
    if (status < 0 || (listens && listen(fd, 5) < 0))
        abort();
    return fd;
}

/* Serves until nothing happens any more. */
static void pump(struct ssh_door *d)
{
    struct pollfd fds[64];
    for (;;) {
        size_t n = ssh_door_watch(d, fds, 64);
        if (poll(fds, n, 20) <= 0)
            return;
        ssh_door_serve(d, fds, n);
    }
}

static void say(int fd, const char *bytes, size_t n)
{
    if (send(fd, bytes, n, MSG_NOSIGNAL) != (ssize_t)n)
        abort();
}
#define SAY(fd, literal) say(fd, literal, sizeof(literal) - 1)

/* What is there to read, as hexadecimal digits; "end" when the other side has closed. */
static const char *heard(int fd)
{
    static char text[200];
    unsigned char bytes[64];
    ssize_t n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n == 0)
        return "end";
    text[0] = '\0';
    for (ssize_t i = 0; i < n; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    return text;
}

struct scene {
    int agent; /* listens */
    struct ssh_door *door;
    int client;
};

static void scene_begin(struct scene *s)
{
    err_clear(&err);
    AUTO_FREE char *path = xasprintf("%s/agent", tap_dir());
    const struct ssh_door_options o = {
        .agent = path, .uid = getuid(), .gid = getgid(), .mode = 0640
    };
    s->agent = unix_socket(path, true);
    EXPECT_OK(ssh_door_open(&o, &s->door, &err), &err);
    s->client = unix_socket(ssh_door_path(s->door), false);
    pump(s->door);
}

static void scene_end(struct scene *s)
{
    AUTO_FREE char *path = xstrdup(ssh_door_path(s->door));
    struct stat st;
    close(s->client);
    close(s->agent);
    ssh_door_close(s->door);
    EXPECT(stat(path, &st) < 0);
}

TEST("to list keys and to sign pass the door, in however many pieces they come")
{
    struct scene s;
    scene_begin(&s);
    SAY(s.client, "\0\0");
    pump(s.door);
    SAY(s.client, "\0\1\13");
    pump(s.door);
    int served = accept(s.agent, NULL, NULL);
    REQUIRE(served >= 0);
    EXPECT_STR(heard(served), "000000010b");
    SAY(served, "\0\0\0\5\14\0\0\0\0");
    pump(s.door);
    EXPECT_STR(heard(s.client), "000000050c00000000");
    SAY(s.client, "\0\0\0\3\15xx\0\0\0\1\13"); /* two at once: the second waits for its turn */
    pump(s.door);
    EXPECT_STR(heard(served), "000000030d7878");
    SAY(served, "\0\0\0\1\5");
    pump(s.door);
    EXPECT_STR(heard(s.client), "0000000105");
    EXPECT_STR(heard(served), "000000010b");
    close(served);
    scene_end(&s);
}

TEST("all else is refused, and the agent hears nothing of it")
{
    struct scene s;
    scene_begin(&s);
    static const unsigned char types[] = { 1, 17, 18, 19, 20, 21, 22, 23, 25, 26, 27, 255 };
    for (size_t i = 0; i < sizeof types; i++) {
        const char message[] = { 0, 0, 0, 2, (char)types[i], 'x' };
        say(s.client, message, sizeof message);
        pump(s.door);
        EXPECT_STR(heard(s.client), "0000000105");
    }
    EXPECT(accept(s.agent, NULL, NULL) < 0 && errno == EAGAIN);
    scene_end(&s);
}

TEST("a message without an end or with nothing in it ends the connection alone")
{
    struct scene s;
    scene_begin(&s);
    SAY(s.client, "\177\0\0\1\13");
    pump(s.door);
    EXPECT(strcmp(heard(s.client), "end") == 0 || errno == ECONNRESET);
    AUTO_FD int second = unix_socket(ssh_door_path(s.door), false);
    pump(s.door);
    SAY(second, "\0\0\0\0");
    pump(s.door);
    EXPECT_STR(heard(second), "end");
    AUTO_FD int third = unix_socket(ssh_door_path(s.door), false);
    pump(s.door);
    SAY(third, "\0\0\0\1\23");
    pump(s.door);
    EXPECT_STR(heard(third), "0000000105");
    scene_end(&s);
}

TEST("an agent that is gone ends the connection")
{
    struct scene s;
    scene_begin(&s);
    close(s.agent);
    SAY(s.client, "\0\0\0\1\13");
    pump(s.door);
    EXPECT_STR(heard(s.client), "end");
    s.agent = -1;
    scene_end(&s);
}

TEST("sixteen may be connected, the next one waits")
{
    struct scene s;
    int more[16];
    scene_begin(&s);
    for (size_t i = 0; i < 16; i++) {
        more[i] = unix_socket(ssh_door_path(s.door), false);
        pump(s.door);
    }
    SAY(more[15], "\0\0\0\1\23");
    pump(s.door);
    EXPECT_STR(heard(more[15]), "");
    close(more[0]);
    pump(s.door);
    EXPECT_STR(heard(more[15]), "0000000105");
    for (size_t i = 1; i < 16; i++)
        close(more[i]);
    scene_end(&s);
}

TEST("the door has the mode asked for")
{
    struct scene s;
    struct stat st;
    scene_begin(&s);
    REQUIRE(stat(ssh_door_path(s.door), &st) == 0);
    EXPECT(S_ISSOCK(st.st_mode) && (st.st_mode & 0777) == 0640);
    scene_end(&s);
}

TEST("an option stands for a running agent, keys, or nothing")
{
    err_clear(&err);
    AUTO_FREE char *agent = xasprintf("%s/agent", tap_dir());
    AUTO_FREE char *absent = xasprintf("%s/absent", tap_dir());
    AUTO_FD int listener = unix_socket(agent, true);
    const char *const two[] = { agent, absent }, *const gone[] = { absent };
    const struct ssh_option options[] = {
        { "running", two, 1 }, { "two", two, 2 }, { "gone", gone, 1 }, { "default", NULL, 0 }
    };
    struct ssh_agents *a = ssh_agents_new(options, 4);
    const char *path = "";
    EXPECT_OK(ssh_agents_find(a, "running", NULL, &path, &err), &err);
    EXPECT_STR(path, agent);
    EXPECT_OK(ssh_agents_find(a, "nobody", NULL, &path, &err), &err);
    EXPECT(!path);
    EXPECT_ERR(ssh_agents_find(a, "two", NULL, &path, &err), &err, ERR_INVALID);
    err_clear(&err);
    EXPECT_ERR(ssh_agents_find(a, "gone", NULL, &path, &err), &err, ERR_NOT_FOUND);
    EXPECT_CONTAINS(err.text, "ssh agent gone: ");
    err_clear(&err);
    unsetenv("SSH_AUTH_SOCK");
    EXPECT_ERR(ssh_agents_find(a, "default", NULL, &path, &err), &err, ERR_NOT_FOUND);
    setenv("SSH_AUTH_SOCK", agent, 1);
    err_clear(&err);
    EXPECT_OK(ssh_agents_find(a, "default", NULL, &path, &err), &err);
    EXPECT_STR(path, agent);
    unsetenv("SSH_AUTH_SOCK");
    ssh_agents_free(a);
}

/* ---- devices ---- */

static void print_edits(const struct cdi_edits *e, struct buf *out)
{
    vec_each (&e->env, one)
        buf_printf(out, "%s ", *one);
    vec_each (&e->mounts, m)
        buf_printf(out, "%s%s->%s%s ", m->is_device ? "device " : "", m->host, m->dest,
                   m->is_readonly ? " ro" : "");
    if (e->allows_itself)
        buf_puts(out, "allowed ");
}

TEST("a device's name stands for what its file says")
{
    AUTO_VALUE(buf_clear) struct buf folders = { 0 };
    RUN("mkdir low high; "
        "echo '{\"kind\":\"a.b/c\",\"containerEdits\":{\"env\":[\"ALL=1\"]},\"devices\":["
        "{\"name\":\"x\",\"containerEdits\":{\"deviceNodes\":[{\"path\":\"/dev/x\"}]}},"
        "{\"name\":\"y\",\"annotations\":{\"org.mobyproject.buildkit.device.autoallow\":\"true\"},"
        "\"containerEdits\":{\"mounts\":[{\"hostPath\":\"/h\",\"containerPath\":\"/c\","
        "\"options\":[\"ro\"]}]}}]}' >low/1.json; "
        "echo '{\"kind\":\"a.b/c\",\"devices\":[{\"name\":\"y\",\"containerEdits\":{\"env\":"
        "[\"HIGH=1\"]}}]}' >high/1.json; "
        "echo '{\"kind\":\"a.b/bad\",\"devices\":[{\"name\":\"hook\",\"containerEdits\":{\"hooks\":"
        "[{}]}},{\"name\":\"path\",\"containerEdits\":{\"deviceNodes\":[{\"path\":\"x\"}]}},"
        "{\"name\":\"env\",\"containerEdits\":{\"env\":[1]}}]}' >low/2.json; "
        "printf 'cdiVersion: 0.6.0\\nkind: a.b/yaml\\ndevices:\\n- name: \"0\"\\n  containerEdits:"
        "\\n    deviceNodes:\\n    - path: /dev/y\\n      permissions: rwm\\n      fileMode: "
        "0o666\\n"
        "- name: less\\n  containerEdits: {deviceNodes: [{path: /dev/z, permissions: r}]}\\n' "
        ">low/3.yaml; echo 'kind: [' >low/0.yaml; "
        "echo 'no JSON' >low/0.json; echo x >low/note.txt");
    buf_init(&folders, 10000);
    buf_printf(&folders, "%s/absent:%s/low:%s/high", tap_dir(), tap_dir(), tap_dir());
    static const struct {
        const char *name, *want; /* NULL: not there */
        enum err_kind kind;
    } rows[] = {
        { "a.b/c=x", "ALL=1 device /dev/x->/dev/x ", ERR_NONE },
        { "a.b/c=y", "HIGH=1 ", ERR_NONE },
        { "a.b/c", "HIGH=1 ", ERR_NONE },
        { "a.b/c=*", "HIGH=1 ", ERR_NONE },
        { "a.b/c=z", NULL, ERR_NONE },
        { "a.b/other=x", NULL, ERR_NONE },
        { "a.b/yaml=0", "device /dev/y->/dev/y ", ERR_NONE },
        { "a.b/yaml=less", NULL, ERR_UNSUPPORTED },
        { "a.b/bad=hook", NULL, ERR_UNSUPPORTED },
        { "a.b/bad=path", NULL, ERR_INVALID },
        { "a.b/bad=env", NULL, ERR_INVALID },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO_VALUE(cdi_edits_clear) struct cdi_edits e = { 0 };
        AUTO_VALUE(buf_clear) struct buf text;
        err_clear(&err);
        bool is_there = false;
        buf_init(&text, 10000);
        int status = cdi_find(folders.data, rows[i].name, &e, &is_there, &err);
        EXPECT(err.kind == rows[i].kind && (status != 0) == (rows[i].kind != ERR_NONE));
        if (status)
            continue;
        print_edits(&e, &text);
        EXPECT(is_there == (rows[i].want != NULL));
        EXPECT_STR(text.data ? text.data : "", rows[i].want ? rows[i].want : "");
    }
    folders.len = 0;
    buf_printf(&folders, "%s/low", tap_dir());
    AUTO_VALUE(cdi_edits_clear) struct cdi_edits e = { 0 };
    AUTO_VALUE(buf_clear) struct buf text;
    err_clear(&err);
    bool is_there = false;
    buf_init(&text, 10000);
    EXPECT_OK(cdi_find(folders.data, "a.b/c=y", &e, &is_there, &err), &err);
    print_edits(&e, &text);
    EXPECT_STR(text.data, "ALL=1 /h->/c ro allowed ");
}

TAP_MAIN()
