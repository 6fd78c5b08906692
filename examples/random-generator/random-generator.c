/* random-generator - a small web service: each request is answered with a random number as JSON.
 *
 *     GET /                 {"random":1804289383,"id":"9f86d081884c7d65","version":"1.0"}
 *     GET /?burst=3         {"random":[5,17,2],...}
 *     GET /healthz          ok
 *
 * PORT says where to listen (default 8080).  SIGTERM and SIGINT end it.  One thread per connection. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef VERSION
#define VERSION "1.0"
#endif

enum { REQUEST_MAX = 8192, BURST_MAX = 1000, ANSWER_MAX = 16384 };

static uint64_t instance; /* told in every answer, so that one sees who answered */

static uint32_t random_number(void)
{
    uint32_t n = 0;
    while (getrandom(&n, sizeof n, 0) != sizeof n)
        ;
    return n >> 1;
}

static void send_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        text += n;
        len -= (size_t)n;
    }
}

static void answer(int fd, const char *status, const char *type, const char *body)
{
    char head[256];
    int n = snprintf(head, sizeof head,
                     "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                     "Connection: close\r\n\r\n",
                     status, type, strlen(body));
    send_all(fd, head, (size_t)n);
    send_all(fd, body, strlen(body));
}

static void answer_numbers(int fd, long burst)
{
    char body[ANSWER_MAX];
    size_t n = (size_t)snprintf(body, sizeof body, "{\"random\":%s", burst ? "[" : "");
    for (long i = 0; i < (burst ? burst : 1); i++)
        n += (size_t)snprintf(body + n, sizeof body - n, "%s%" PRIu32, i ? "," : "",
                              random_number());
    snprintf(body + n, sizeof body - n, "%s,\"id\":\"%016" PRIx64 "\",\"version\":\"" VERSION "\"}\n",
             burst ? "]" : "", instance);
    answer(fd, "200 OK", "application/json", body);
}

/* The value of burst=N in the query, 0 when there is none, -1 when it is no good number. */
static long burst_of(const char *target)
{
    const char *query = strchr(target, '?');
    const char *burst = query ? strstr(query, "burst=") : NULL;
    if (!burst)
        return 0;
    char *end;
    errno = 0;
    long n = strtol(burst + 6, &end, 10);
    return errno || (*end && *end != '&') || n < 1 || n > BURST_MAX ? -1 : n;
}

static void serve(int fd, char *request)
{
    char *target = strchr(request, ' ');
    char *end = target ? strchr(target + 1, ' ') : NULL;
    if (!end) {
        answer(fd, "400 Bad Request", "text/plain", "this is no HTTP request\n");
        return;
    }
    *end = '\0';
    target++;
    if (strncmp(request, "GET ", 4) != 0)
        answer(fd, "405 Method Not Allowed", "text/plain", "only GET is understood\n");
    else if (strcmp(target, "/healthz") == 0)
        answer(fd, "200 OK", "text/plain", "ok\n");
    else if (target[0] != '/' || (target[1] && target[1] != '?'))
        answer(fd, "404 Not Found", "text/plain", "nothing is here; try /\n");
    else if (burst_of(target) < 0)
        answer(fd, "400 Bad Request", "text/plain", "burst is a number from 1 to 1000\n");
    else
        answer_numbers(fd, burst_of(target));
}

static void *serve_connection(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char request[REQUEST_MAX + 1];
    size_t n = 0;
    request[0] = '\0';
    while (n < REQUEST_MAX && !strstr(request, "\r\n\r\n")) {
        ssize_t got = recv(fd, request + n, REQUEST_MAX - n, 0);
        if (got <= 0)
            break;
        n += (size_t)got;
        request[n] = '\0';
    }
    if (n > 0)
        serve(fd, request);
    close(fd);
    return NULL;
}

static int listen_on(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(port),
                                   .sin_addr = { .s_addr = htonl(INADDR_ANY) } };
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 64) < 0) {
        perror("random-generator: listen");
        exit(1);
    }
    return fd;
}

static void stop(int signal)
{
    (void)signal;
    _exit(0);
}

int main(void)
{
    const char *text = getenv("PORT");
    long port = text ? strtol(text, NULL, 10) : 8080;
    if (port < 1 || port > 65535) {
        fprintf(stderr, "random-generator: PORT=%s is no port\n", text);
        return 2;
    }
    signal(SIGTERM, stop);
    signal(SIGINT, stop);
    instance = ((uint64_t)random_number() << 32) | random_number();
    int listener = listen_on((uint16_t)port);
    printf("random-generator " VERSION " listens on port %ld\n", port);
    fflush(stdout);
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        pthread_t thread;
        if (fd < 0)
            continue;
        if (pthread_create(&thread, NULL, serve_connection, (void *)(intptr_t)fd) == 0)
            pthread_detach(thread);
        else
            close(fd);
    }
}
