/* tests/unit/base/net/raw_server.h - a TCP server that says what a test wants it to say, lies
 * included.
 *
 *     struct raw_server *s = raw_start(raw_say, "HTTP/1.1 200 OK\r\n...");
 *     ... raw_url(s, "/path") ...
 *     raw_stop(s);
 *
 * `serve` runs once per connection on a thread of its own; the socket is closed when it returns.
 * raw_stop() shuts all connections and joins. */
#pragma once
#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { RAW_CONNECTIONS = 64, RAW_REQUEST = 65536 };

struct raw_server;
struct raw_connection {
    struct raw_server *server;
    int fd;
    pthread_t thread;
};
struct raw_server {
    pthread_mutex_t mutex; /* guards what follows */
    int fd;
    uint16_t port;
    pthread_t thread;
    void (*serve)(struct raw_server *s, int fd);
    const char *text; /* for serve */
    struct raw_connection connections[RAW_CONNECTIONS];
    int n_connections;
    char request[RAW_REQUEST]; /* the last one, header and body */
    char url[256];
};

__attribute__((unused)) static void *raw_serve_thread(void *arg)
{
    struct raw_connection *c = arg;
    c->server->serve(c->server, c->fd);
    shutdown(c->fd, SHUT_RDWR);
    return NULL;
}

__attribute__((unused)) static void *raw_accept_thread(void *arg)
{
    struct raw_server *s = arg;
    int fd;
    while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
        pthread_mutex_lock(&s->mutex);
        assert(s->n_connections < RAW_CONNECTIONS);
        struct raw_connection *c = &s->connections[s->n_connections++];
        *c = (struct raw_connection){ .server = s, .fd = fd };
        pthread_create(&c->thread, NULL, raw_serve_thread, c);
        pthread_mutex_unlock(&s->mutex);
    }
    return NULL;
}

__attribute__((unused)) static struct raw_server *raw_start(void (*serve)(struct raw_server *, int),
                                                            const char *text)
{
    struct raw_server *s = calloc(1, sizeof *s);
    assert(s);
    pthread_mutex_init(&s->mutex, NULL);
    s->serve = serve;
    s->text = text;
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof a;
    if (bind(s->fd, (struct sockaddr *)&a, size) || listen(s->fd, 16) ||
        getsockname(s->fd, (struct sockaddr *)&a, &size))
        abort();
    s->port = ntohs(a.sin_port);
    pthread_create(&s->thread, NULL, raw_accept_thread, s);
    return s;
}

__attribute__((unused)) static void raw_stop(struct raw_server *s)
{
    shutdown(s->fd, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->fd);
    for (int i = 0; i < s->n_connections; i++) {
        shutdown(s->connections[i].fd, SHUT_RDWR);
        pthread_join(s->connections[i].thread, NULL);
        close(s->connections[i].fd);
    }
    pthread_mutex_destroy(&s->mutex);
    free(s);
}

__attribute__((unused)) static const char *raw_url(struct raw_server *s, const char *path)
{
    snprintf(s->url, sizeof s->url, "http://127.0.0.1:%u%s", s->port, path);
    return s->url;
}

__attribute__((unused)) static int raw_count(struct raw_server *s)
{
    pthread_mutex_lock(&s->mutex);
    int n = s->n_connections;
    pthread_mutex_unlock(&s->mutex);
    return n;
}

__attribute__((unused)) static void raw_send(int fd, const char *text, size_t len)
{
    while (len) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        text += n;
        len -= (size_t)n;
    }
}

__attribute__((unused)) static void raw_puts(int fd, const char *text)
{
    raw_send(fd, text, strlen(text));
}

__attribute__((unused)) static int raw_is_whole(const char *request, size_t len)
{
    const char *body = strstr(request, "\r\n\r\n");
    if (!body)
        return 0;
    body += 4;
    if (strcasestr(request, "transfer-encoding: chunked"))
        return strstr(body, "0\r\n\r\n") != NULL;
    const char *length = strcasestr(request, "\r\ncontent-length:");
    return !length || len - (size_t)(body - request) >= strtoull(length + 17, NULL, 10);
}

/* Reads one request into s->request; 0 at the end of the connection. */
__attribute__((unused)) static int raw_read(struct raw_server *s, int fd)
{
    static _Thread_local char text[RAW_REQUEST];
    size_t len = 0;
    text[0] = '\0';
    while (!raw_is_whole(text, len)) {
        ssize_t n = recv(fd, text + len, sizeof text - 1 - len, 0);
        if (n <= 0)
            return 0;
        len += (size_t)n;
        text[len] = '\0';
    }
    pthread_mutex_lock(&s->mutex);
    memcpy(s->request, text, len + 1);
    pthread_mutex_unlock(&s->mutex);
    return 1;
}

/* serve: one request, one answer, then the end. */
__attribute__((unused)) static void raw_say(struct raw_server *s, int fd)
{
    if (raw_read(s, fd))
        raw_puts(fd, s->text);
}

/* serve: the same answer to each request of a connection. */
__attribute__((unused)) static void raw_keep_saying(struct raw_server *s, int fd)
{
    while (raw_read(s, fd))
        raw_puts(fd, s->text);
}

/* serve: says its text, then nothing until the client goes. */
__attribute__((unused)) static void raw_say_and_stall(struct raw_server *s, int fd)
{
    char c;
    if (!raw_read(s, fd))
        return;
    raw_puts(fd, s->text);
    while (recv(fd, &c, 1, 0) > 0)
        ;
}
