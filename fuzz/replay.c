/* fuzz/replay.c - runs a fuzz target over the files of a folder, as an ordinary test: one TAP case
 * for each file.  What is wrong shows as a crash, which the sanitizers provoke.
 *
 *     replay-json fuzz/corpus/json */
#include <dirent.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int is_visible(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

/* False when the file cannot be read. */
static int replay(const char *folder, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    if (!f)
        return 0;
    fseek(f, 0, SEEK_END);
    long size = ftell(f);
    rewind(f);
    /* Of exactly this size, so that the address sanitizer sees a step beyond. */
    uint8_t *data = malloc(size > 0 ? (size_t)size : 1);
    int is_read = data && size >= 0 && fread(data, 1, (size_t)size, f) == (size_t)size;
    fclose(f);
    if (is_read)
        LLVMFuzzerTestOneInput(data, (size_t)size);
    free(data);
    return is_read;
}

int main(int argc, char **argv)
{
    struct dirent **files;
    int n = argc == 2 ? scandir(argv[1], &files, is_visible, alphasort) : -1;
    if (n <= 0) {
        fprintf(stderr, "usage: %s FOLDER, with files in it\n", argv[0]);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("1..%d\n", n);
    int failed = 0;
    for (int i = 0; i < n; i++) {
        int is_ok = replay(argv[1], files[i]->d_name);
        failed += !is_ok;
        printf("%s %d - %s\n", is_ok ? "ok" : "not ok", i + 1, files[i]->d_name);
        free(files[i]);
    }
    free(files);
    return failed > 0;
}
