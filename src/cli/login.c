/* cli/login.c - kiln login, kiln logout. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "cli/cli.h"
#include "image/registry/credentials.h"

#define DEFAULT_REGISTRY "docker.io"
enum { ANSWER_MAX = 64 * 1024 };

struct login_flags {
    const char *username;
    bool password_stdin;
};
static const struct flag login_table[] = {
    { "username", 'u', FLAG_TEXT, offsetof(struct login_flags, username), "NAME",
      "who to be; asked on the terminal when absent", NULL, COMPLETES_NOTHING },
    { "password-stdin", 0, FLAG_SWITCH, offsetof(struct login_flags, password_stdin), NULL,
      "the password, or a token, comes on stdin", NULL, COMPLETES_NOTHING },
    { 0 },
};

/* One line; Ctrl-C ends the wait. */
static int read_line(int fd, struct cancel *cancel, char *line, size_t size, ssize_t *n,
                     struct err *err)
{
    struct pollfd fds[] = { { .fd = fd, .events = POLLIN },
                            { .fd = cancel_fd(cancel), .events = POLLIN } };
    while (poll(fds, 2, -1) < 0 && errno == EINTR)
        continue;
    if (cancel_check(cancel, err))
        return -1;
    *n = read(fd, line, size);
    return *n < 0 ? err_sys(err, "read from the terminal") : 0;
}

/* One line from the terminal, which is put right again whatever happens. */
static int ask(struct cli *cli, const char *question, bool is_hidden, char **out, struct err *err)
{
    AUTO_FD int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    struct termios before, now;
    char line[1024];
    if (fd < 0 || tcgetattr(fd, &before)) {
        err_set(err, ERR_INVALID, "ask for the %s: there is no terminal", question);
        return err_hint(err, "give --username and --password-stdin");
    }
    dprintf(fd, "%s: ", question);
    now = before;
    now.c_lflag &= ~(tcflag_t)ECHO;
    if (is_hidden && tcsetattr(fd, TCSAFLUSH, &now))
        return err_sys(err, "switch off the terminal's echo");
    ssize_t n = 0;
    int status = read_line(fd, cli->cancel, line, sizeof line, &n, err);
    if (is_hidden) {
        tcsetattr(fd, TCSAFLUSH, &before);
        dprintf(fd, "\n");
    }
    if (status)
        return err_wrap(err, "ask for the %s", question);
    *out = span_dup(span_trim(span_bytes(line, (size_t)n)));
    explicit_bzero(line, sizeof line);
    return 0;
}

static int get_password(struct cli *cli, bool is_stdin, char **out, struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf b = { 0 };
    if (!is_stdin)
        return ask(cli, "password", true, out, err);
    buf_init(&b, ANSWER_MAX);
    if (fs_read_fd(STDIN_FILENO, &b, err))
        return err_wrap(err, "read the password from stdin");
    struct span text = buf_span(&b);
    while (text.len && strchr("\r\n", text.ptr[text.len - 1]))
        text.len--;
    *out = span_dup(text);
    return text.len ? 0 : err_set(err, ERR_INVALID, "read the password from stdin: it is empty");
}

static void say_login(struct cli *cli, const char *registry, const char *user)
{
    AUTO_FREE char *file = credentials_file(cli->global.authfile);
    if (!cli->wants_json) {
        say("logged in to %s as %s (%s)", registry, user, file);
        return;
    }
    AUTO(json_free) struct json *o = json_new_object();
    json_set_str(o, "registry", registry);
    json_set_str(o, "user", user);
    json_set_str(o, "file", file);
    say_json(o);
}

static int login(struct cli *cli, const void *p, struct err *err)
{
    const struct login_flags *flags = p;
    const char *registry = cli->n_args ? cli->args[0] : DEFAULT_REGISTRY;
    AUTO(engine_close) struct engine *e = NULL;
    AUTO_FREE char *user = xstrdup_or_null(flags->username);
    AUTO_FREE char *password = NULL;
    if (flags->password_stdin && !user)
        return cli_misuse(
            cli, err_set(err, ERR_INVALID, "kiln login: --password-stdin needs --username"));
    if ((!user && ask(cli, "user name", false, &user, err)) ||
        get_password(cli, flags->password_stdin, &password, err))
        return err->kind == ERR_INVALID ? cli_misuse(cli, -1) : -1;
    int status = cli_engine(cli, false, NULL, &e, err);
    if (!status)
        status = remote_login(engine_remote(e), registry, user, password, err);
    explicit_bzero(password, strlen(password));
    if (!status)
        say_login(cli, registry, user);
    return status;
}

const struct command command_login = {
    .name = "login",
    .args = "[REGISTRY]",
    .summary = "Keeps credentials for a registry, after trying them",
    .about = "They go to the file that docker and podman read, or to the helper that it names.",
    .examples = "echo \"$TOKEN\" | kiln login -u robot --password-stdin registry.example.com",
    .flags = login_table,
    .flags_size = sizeof(struct login_flags),
    .n_args_max = 1,
    .run = login,
};

static int logout(struct cli *cli, const void *flags, struct err *err)
{
    (void)flags;
    const char *registry = cli->n_args ? cli->args[0] : DEFAULT_REGISTRY;
    AUTO(engine_close) struct engine *e = NULL;
    bool was_there;
    if (cli_engine(cli, false, NULL, &e, err) ||
        remote_logout(engine_remote(e), registry, &was_there, err))
        return -1;
    if (cli->wants_json) {
        AUTO(json_free) struct json *o = json_new_object();
        json_set_str(o, "registry", registry);
        json_set_bool(o, "wasLoggedIn", was_there);
        say_json(o);
    } else if (was_there) {
        say("logged out of %s", registry);
    } else {
        say("not logged in to %s", registry);
    }
    return 0;
}

const struct command command_logout = {
    .name = "logout",
    .args = "[REGISTRY]",
    .summary = "Forgets the credentials for a registry",
    .n_args_max = 1,
    .run = logout,
};
