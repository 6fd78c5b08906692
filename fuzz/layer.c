/* fuzz/layer.c - whatever archive is applied, in whatever form, nothing happens outside the root.
 */
#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/core/limits.h"
#include "base/sys/fs.h"
#include "image/layer/apply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The folder around the root holds two names, before and after. */
static void check_outside(int outer)
{
    AUTO_VALUE(str_list_clear) struct str_list names = { 0 };
    struct err err = { 0 };
    struct stat st;
    int result = fs_list(outer, ".", &names, &err);
    assert(result == 0 && names.n == 2);
    result = fstatat(outer, "witness", &st, AT_SYMLINK_NOFOLLOW);
    assert(result == 0 && S_ISREG(st.st_mode) && st.st_size == 4 && st.st_nlink == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[] = "/tmp/kiln-fuzz-XXXXXX";
    struct err err = { 0 };
    struct layer_apply_options options = { 0 };
    AUTO_VALUE(layer_apply_result_clear) struct layer_apply_result out = { 0 };
    if (size < 1 || size > 64 * KIB || !mkdtemp(path))
        return 0;
    options.form = (enum layer_form)(data[0] % 4);
    AUTO_FD int outer = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = mkdirat(outer, "root", 0755);
    assert(result == 0);
    result = fs_write_file(outer, "witness", SPAN("here"), 0644, false, &err);
    assert(result == 0);
    AUTO_FD int root = openat(outer, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO(reader_close) struct reader *r = reader_of_span(span_bytes(data + 1, size - 1));
    result = layer_apply(r, root, &options, &out, &err);
    assert(result == 0 || err.kind != ERR_NONE);
    check_outside(outer);
    result = fs_remove_tree(AT_FDCWD, path, &err);
    assert(result == 0);
    return 0;
}
