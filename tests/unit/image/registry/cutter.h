/* tests/unit/image/registry/cutter.h - a network between client and registry that breaks once. */
#pragma once
#include "../../base/net/raw_server.h"
#include "tap.h"

static struct {
    struct raw_server *raw;
    pthread_mutex_t lock;
    int port;         /* of the registry */
    const char *verb; /* the first request of this kind is cut */
    size_t after;     /* bytes towards the registry, or back */
    bool is_back, is_done;
} cutter = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Whether this piece starts the request that is to be cut. */
__attribute__((unused)) static bool is_victim(const char *piece)
{
    pthread_mutex_lock(&cutter.lock);
    bool is_it = !cutter.is_done && strncmp(piece, cutter.verb, strlen(cutter.verb)) == 0;
    cutter.is_done |= is_it;
    pthread_mutex_unlock(&cutter.lock);
    return is_it;
}

__attribute__((unused)) static bool is_due(size_t n_sent, size_t n_back)
{
    pthread_mutex_lock(&cutter.lock);
    bool is_it = (cutter.is_back ? n_back : n_sent) > cutter.after;
    pthread_mutex_unlock(&cutter.lock);
    return is_it;
}

__attribute__((unused)) static bool was_cut(void)
{
    pthread_mutex_lock(&cutter.lock);
    bool is_done = cutter.is_done;
    pthread_mutex_unlock(&cutter.lock);
    return is_done;
}

__attribute__((unused)) static int cutter_connect(void)
{
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_port = htons((uint16_t)cutter.port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&a, sizeof a))
        abort();
    return fd;
}

/* Hands bytes on, both ways, until one side ends or the cut is due. */
__attribute__((unused)) static void cut_serve(struct raw_server *s, int fd)
{
    (void)s;
    static _Thread_local char piece[65537];
    int there = cutter_connect();
    size_t n_sent = 0, n_back = 0;
    bool is_cut = false;
    for (;;) {
        fd_set set;
        FD_ZERO(&set);
        FD_SET(fd, &set);
        FD_SET(there, &set);
        if (select((fd > there ? fd : there) + 1, &set, NULL, NULL, NULL) <= 0)
            break;
        bool is_ours = FD_ISSET(fd, &set);
        ssize_t n = recv(is_ours ? fd : there, piece, sizeof piece - 1, 0);
        if (n <= 0)
            break;
        piece[n] = '\0';
        if (is_ours && is_victim(piece)) {
            is_cut = true;
            n_sent = n_back = 0;
        }
        raw_send(is_ours ? there : fd, piece, (size_t)n);
        *(is_ours ? &n_sent : &n_back) += (size_t)n;
        if (is_cut && is_due(n_sent, n_back))
            break;
    }
    close(there);
}

/* Cuts the first request that begins with `verb` after so many bytes. */
__attribute__((unused)) static void cut_first(const char *verb, size_t after, bool is_back)
{
    pthread_mutex_lock(&cutter.lock);
    cutter.verb = verb;
    cutter.after = after;
    cutter.is_back = is_back;
    cutter.is_done = false;
    pthread_mutex_unlock(&cutter.lock);
}
