/* image/store/layout.c - the store as an OCI image layout: oci-layout, index.json, folders, trash.
 *
 * Spec: image-spec image-layout.md.  index.json names each image by
 * org.opencontainers.image.ref.name, the whole reference, as containerd and buildah write it. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/codec/json.h"
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "image/oci/manifest.h"
#include "image/store/internal.h"
#include "image/store/name.h"

#define ANNOTATION_REF_NAME "org.opencontainers.image.ref.name"

static const char layout_text[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
static const char empty_index[] = "{\"schemaVersion\":2,\"manifests\":[]}";

static int check_version(struct store *st, struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    buf_init(&text, LIMIT_JSON);
    if (fs_read_file(st->fd, "oci-layout", &text, err))
        return err_wrap(err, "open the store %s", st->path);
    AUTO(json_free) struct json *layout = NULL;
    if (json_parse(buf_span(&text), &layout, err))
        return err_wrap(err, "read %s/oci-layout", st->path);
    const char *version = json_get_str(layout, "imageLayoutVersion");
    if (!version || strncmp(version, "1.", 2) != 0)
        return err_set(err, ERR_UNSUPPORTED, "open the store %s: OCI layout version %s, not 1.x",
                       st->path, version ? version : "missing");
    return 0;
}

int layout_prepare(struct store *st, struct err *err)
{
    if (st->options.is_readonly)
        return check_version(st, err);
    static const struct {
        const char *path;
        mode_t mode;
    } folders[] = {
        { "blobs/sha256", 0755 },
        { "blobs/sha512", 0755 },
        { "leases", 0755 },
        { "trash", 0700 }, /* snapshots on their way out have programs of root's in them */
    };
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        if (fs_make_dirs(st->fd, folders[i].path, folders[i].mode, err))
            return err_wrap(err, "make the store %s", st->path);
    if (!fs_exists(st->fd, "index.json") &&
        fs_write_file(st->fd, "index.json", SPAN(empty_index), 0644, false, err))
        return -1;
    if (!fs_exists(st->fd, "oci-layout"))
        return fs_write_file(st->fd, "oci-layout", SPAN(layout_text), 0644, false, err);
    return check_version(st, err);
}

static void index_add_names(struct json *manifests, const struct names *names)
{
    vec_each (names, named) {
        struct json *entry = descriptor_write(&named->target);
        struct json *annotations = json_get(entry, "annotations");
        if (!annotations) {
            json_set(entry, "annotations", json_new_object());
            annotations = json_get(entry, "annotations");
        }
        json_set_str(annotations, ANNOTATION_REF_NAME, named->name);
        json_push(manifests, entry);
    }
}

int layout_write_index(struct store *st, struct err *err)
{
    /* One writer at a time, each from what the index says then: the last one sees everything. */
    AUTO_FD int lock = -1;
    if (fs_lock(st->fd, "index.json.lock", true, true, &lock, err))
        return -1;
    AUTO_VALUE(names_clear) struct names images = { 0 }, served = { 0 };
    if (name_list(st, NAME_IMAGE, "", NULL, 0, &images, err) ||
        name_list(st, NAME_SERVED, "", NULL, 0, &served, err))
        return -1;
    AUTO(json_free) struct json *index = json_new_object();
    json_set_int(index, "schemaVersion", 2);
    json_set_str(index, "mediaType", MEDIA_OCI_INDEX);
    json_set(index, "manifests", json_new_array());
    struct json *manifests = json_get(index, "manifests");
    index_add_names(manifests, &images);
    index_add_names(manifests, &served);
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    buf_init(&text, SIZE_MAX / 2);
    json_print(index, &text);
    return fs_write_file(st->fd, "index.json", buf_span(&text), 0644, false, err);
}

struct blob_path blob_path(const struct digest *d)
{
    struct blob_path path;
    snprintf(path.s, sizeof path.s, "blobs/%s/%s", digest_algorithm_name(d->algorithm),
             digest_hex(d).s);
    return path;
}

int store_trash(struct store *st, const char *path, struct err *err)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    for (unsigned i = 0;; i++) {
        AUTO_FREE char *to =
            xasprintf("trash/%ld-%lld%09ld-%u", (long)getpid(), (long long)t.tv_sec, t.tv_nsec, i);
        if (renameat2(st->fd, path, st->fd, to, RENAME_NOREPLACE) == 0 || errno == ENOENT)
            return 0;
        if (errno != EEXIST)
            return err_sys(err, "move %s/%s to the trash", st->path, path);
    }
}

void trash_empty(struct store *st)
{
    AUTO_VALUE(str_list_clear) struct str_list names = { 0 };
    struct err ignored = { 0 };
    if (fs_list(st->fd, "trash", &names, &ignored))
        return;
    vec_each (&names, name) {
        AUTO_FREE char *path = xasprintf("trash/%s", *name);
        if (fs_remove_tree(st->fd, path, &ignored))
            err_clear(&ignored); /* another process may be at it; the next collection tries again */
    }
}
