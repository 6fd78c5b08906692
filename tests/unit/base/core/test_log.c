#include "base/core/log.h"

#include <errno.h>
#include <fcntl.h>

#include "tap.h"

/* What log_event() writes to stderr while fn runs. */
static const char *logged(void (*fn)(void))
{
    static char text[8192];
    int pipe_fd[2], saved = dup(STDERR_FILENO);
    if (saved < 0 || pipe(pipe_fd) < 0 || dup2(pipe_fd[1], STDERR_FILENO) < 0)
        abort();
    fn();
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(pipe_fd[1]);
    ssize_t n = read(pipe_fd[0], text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    close(pipe_fd[0]);
    return text;
}

static void four_levels(void)
{
    log_event(LOG_DEBUG, "solver", "cache miss vertex=%s", "a");
    log_event(LOG_INFO, "solver", "started");
    log_event(LOG_WARN, "store", "slow disk ms=%d", 12);
    log_event(LOG_ERROR, "store", "no disk");
}

TEST("lines are level, room, message; what is above the level is silent")
{
    EXPECT_STR(logged(four_levels), "warn store slow disk ms=12\nerror store no disk\n");
    log_set_level(LOG_DEBUG);
    EXPECT(log_is_on(LOG_DEBUG));
    EXPECT_STR(logged(four_levels), "debug solver cache miss vertex=a\ninfo solver started\n"
                                    "warn store slow disk ms=12\nerror store no disk\n");
    log_set_level(LOG_ERROR);
    EXPECT(!log_is_on(LOG_WARN));
    EXPECT_STR(logged(four_levels), "error store no disk\n");
    log_set_level(LOG_WARN);
}

static void forged(void)
{
    log_event(LOG_WARN, "http", "path=%s", "a\nerror store forged\x1b[2J");
}

TEST("a value cannot write a line of its own nor steer a terminal")
{
    EXPECT_STR(logged(forged), "warn http path=a error store forged [2J\n");
}

static void long_one(void)
{
    char big[5000];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    log_event(LOG_WARN, "http", "%s", big);
}

TEST("a line too long is cut and ends as a line")
{
    const char *text = logged(long_one);
    EXPECT_INT(strlen(text), 2048);
    EXPECT_STR(text + 2046, "x\n");
}

static void unwritable(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (dup2(fd, STDERR_FILENO) < 0)
        abort();
    close(fd);
    errno = 33;
    log_event(LOG_WARN, "http", "nobody hears");
    if (errno != 33)
        abort();
}

TEST("a log that cannot be written changes nothing, errno neither")
{
    EXPECT_STR(logged(unwritable), "");
}

TAP_MAIN()
