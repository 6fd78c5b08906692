/* tests/registry/serve.c - the embedded registry as a program, for tests from outside.
 *
 *     registry-serve STORE [readonly] [htpasswd=FILE] [cert=FILE key=FILE]
 *
 * Prints its port, then a line for each request, and ends when its standard input does. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "serve/registry/registry.h"

static void print_event(void *arg, const struct registry_event *e)
{
    (void)arg;
    printf("%d %s %s\n", e->status, e->method, e->path);
}

/* The text behind "NAME=", or NULL. */
static const char *option(int argc, char **argv, const char *name)
{
    for (int i = 2; i < argc; i++)
        if (strncmp(argv[i], name, strlen(name)) == 0)
            return argv[i] + strlen(name);
    return NULL;
}

static int fail(const struct err *err)
{
    fprintf(stderr, "error: %s\n", err->text);
    return 1;
}

int main(int argc, char **argv)
{
    struct err err = { 0 };
    struct store *st = NULL;
    struct registry *r = NULL;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc < 2)
        return 2;
    if (store_open(argv[1], NULL, &st, &err))
        return fail(&err);
    struct registry_options o = { .store = st,
                                  .is_readonly = option(argc, argv, "readonly") != NULL,
                                  .htpasswd = option(argc, argv, "htpasswd="),
                                  .tls_cert = option(argc, argv, "cert="),
                                  .tls_key = option(argc, argv, "key="),
                                  .log = print_event };
    if (registry_start(&o, &r, &err))
        return fail(&err);
    printf("%u\n", registry_port(r));
    char ignored[64];
    while (read(STDIN_FILENO, ignored, sizeof ignored) > 0)
        ;
    registry_stop(r, 5000);
    store_close(st);
    return 0;
}
