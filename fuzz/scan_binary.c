/* fuzz/scan_binary.c - the readers of binary formats take any file: the first byte chooses one of
 * ELF, zip, rpm's data bases and headers; nothing but texts that are UTF-8 comes out. */
#include <assert.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/codec/json.h"
#include "base/core/limits.h"
#include "base/sys/fs.h"
#include "engine/scan/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct scan_result *r)
{
    vec_each (&r->packages, p) {
        assert(p->name && p->type && p->purl && p->origin);
        AUTO(json_free) struct json *text = json_new_str(p->name);
        assert(json_str(text)); /* UTF-8 */
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct scan_options none = { 0 };
    AUTO_VALUE(scan_result_clear) struct scan_result out = { 0 };
    struct scan s = { .root_fd = -1, .out = &out, .options = &none };
    struct err err = { 0 };
    if (size < 1 || size > MIB)
        return 0;
    AUTO_FD int fd = memfd_create("fuzz", MFD_CLOEXEC);
    struct span content = span_bytes(data + 1, size - 1);
    if (fd < 0 || fs_write_all(fd, content, &err))
        return 0;
    struct bytes bytes = { .fd = fd, .size = content.len };
    int status = 0;
    switch (data[0]) {
    case 'e':
        status = go_read(&s, &bytes, "x", &err);
        break;
    case 'z':
        status = jar_read(&s, &bytes, "x.jar", &err);
        break;
    case 'n':
        status = rpm_ndb_read(&s, &bytes, "x", &err);
        break;
    case 'b':
        status = rpm_bdb_read(&s, &bytes, "x", &err);
        break;
    case 's':
        status = rpm_sqlite_read(&s, &bytes, "x", &err);
        break;
    case 'h':
        status = rpm_header_parse(&s, content, "x", &err);
        break;
    default:
        return 0;
    }
    assert((status == 0) == (err.kind == ERR_NONE));
    check(&out);
    return 0;
}
