/* engine/export/archive.c - an image as an OCI layout or as what `docker load` reads, in a tar or a
 * folder.
 *
 *     oci-layout, index.json, blobs/sha256/HEX      of both
 *     manifest.json                                 of docker's:
 * [{"Config":PATH,"RepoTags":[...],"Layers":[PATH...]}]
 *
 * Entries come sorted, owned by 0:0, with the time 0: the archive is a function of the image and
 * its names.
 *
 * Spec: image-spec image-layout.md; docker image save. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/codec/json.h"
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "engine/export/internal.h"
#include "image/layer/tar_writer.h"
#include "image/store/blob.h"

/* What goes in, by path: blobs by digest, texts by content. */
struct content {
    struct digest digest; /* DIGEST_NONE: text */
    char *text;           /* owned */
};

static void content_free(void *p)
{
    struct content *c = p;
    free(c->text);
    free(c);
}

static char *blob_name(const struct digest *d)
{
    return xasprintf("blobs/%s/%s", digest_algorithm_name(d->algorithm), digest_hex(d).s);
}

static void add_blob(struct map *files, const struct digest *d)
{
    AUTO_FREE char *path = blob_name(d);
    struct content *c = xcalloc(1, sizeof *c);
    c->digest = *d;
    map_set(files, path, c);
}

static void add_text(struct map *files, const char *path, struct json *value)
{
    struct content *c = xcalloc(1, sizeof *c);
    struct buf text;
    buf_init(&text, SIZE_MAX / 2); /* an index that was there is in it, "<" printed as six bytes */
    json_print(value, &text);
    c->text = buf_take(&text);
    map_set(files, path, c);
    json_free(value);
}

static void add_image(struct map *files, const struct made_image *m)
{
    add_blob(files, &m->manifest.digest);
    add_blob(files, &m->config.digest);
    vec_each (&m->layers, layer)
        add_blob(files, &layer->ref.blob.digest);
    if (m->attestation.media_type)
        add_blob(files, &m->attestation.digest);
    vec_each (&m->attestation_blobs, blob)
        add_blob(files, &blob->digest);
}

static int tags_of(const struct str_list *names, struct str_list *whole, struct str_list *familiar,
                   struct err *err)
{
    vec_each (names, name) {
        AUTO_VALUE(reference_clear) struct reference ref = { 0 };
        if (reference_parse(span_of(*name), &ref, err))
            return -1;
        str_list_take(whole, reference_text(&ref));
        str_list_take(familiar, reference_familiar(&ref));
    }
    return 0;
}

#define CREATED "org.opencontainers.image.created"

/* One entry for each name, as containerd and docker write it; one without, when there is none.  The
 * time is that of the image, where BuildKit without SOURCE_DATE_EPOCH takes the clock's: the same
 * image is the same archive. */
static struct json *index_json(const struct descriptor *target, const char *created,
                               const struct str_list *names)
{
    struct json *index = json_new_object(), *manifests = json_new_array();
    json_set_int(index, "schemaVersion", 2);
    json_set_str(index, "mediaType", MEDIA_OCI_INDEX);
    for (size_t i = 0; i < (names->n ? names->n : 1); i++) {
        AUTO_VALUE(descriptor_clear) struct descriptor entry = { 0 };
        descriptor_copy(&entry, target);
        if (created && !map_has(&entry.annotations, CREATED))
            map_set_str(&entry.annotations, CREATED, created);
        if (names->n) {
            const char *colon = strrchr(names->items[i], ':');
            map_set_str(&entry.annotations, "io.containerd.image.name", names->items[i]);
            map_set_str(&entry.annotations, "org.opencontainers.image.ref.name",
                        colon && !strchr(colon, '/') ? colon + 1 : "latest");
        }
        json_push(manifests, descriptor_write(&entry));
    }
    json_set(index, "manifests", manifests);
    return index;
}

static struct json *docker_manifest(const struct made_image *m, const struct str_list *tags)
{
    struct json *list = json_new_array(), *entry = json_new_object(), *layers = json_new_array();
    AUTO_FREE char *config = blob_name(&m->config.digest);
    json_set_str(entry, "Config", config);
    json_set(entry, "RepoTags", tags->n ? json_of_list(tags) : json_new_null());
    vec_each (&m->layers, layer) {
        AUTO_FREE char *path = blob_name(&layer->ref.blob.digest);
        json_push(layers, json_new_str(path));
    }
    json_set(entry, "Layers", layers);
    json_push(list, entry);
    return list;
}

static int collect(const struct export_host *h, const struct export_spec *s,
                   const struct made_image *made, size_t n, const struct descriptor *target,
                   struct map *files, struct err *err)
{
    AUTO_VALUE(str_list_clear) struct str_list whole = { 0 }, familiar = { 0 };
    if (tags_of(export_names(h, s), &whole, &familiar, err))
        return -1;
    for (size_t i = 0; i < n; i++)
        add_image(files, &made[i]);
    if (media_is_index(target->media_type))
        add_blob(files, &target->digest);
    struct json *layout = json_new_object();
    json_set_str(layout, "imageLayoutVersion", "1.0.0");
    add_text(files, "oci-layout", layout);
    add_text(files, "index.json", index_json(target, made[0].created, &whole));
    if (s->type == EXPORT_DOCKER)
        add_text(files, "manifest.json", docker_manifest(&made[0], &familiar));
    map_sort(files);
    return 0;
}

/* ---- as a tar ---- */

struct tar_body {
    struct writer base;
    struct tar_writer *tar;
};

static int tar_body_write(struct writer *w, struct span bytes, struct err *err)
{
    return tar_writer_write(((struct tar_body *)w)->tar, bytes, err);
}

static int tar_file(struct tar_writer *t, const char *path, uint64_t size, struct err *err)
{
    struct tar_entry e = { .type = TAR_FILE,
                           .path = path,
                           .link = "",
                           .size = size,
                           .mode = 0644,
                           .user_name = "",
                           .group_name = "" };
    return tar_writer_entry(t, &e, err);
}

static int tar_blob(const struct export_host *h, struct tar_writer *t, const char *path,
                    const struct digest *d, struct err *err)
{
    static const struct writer_ops ops = { .write = tar_body_write };
    struct tar_body body = { .base = { .ops = &ops }, .tar = t };
    AUTO_FD int fd = -1;
    uint64_t size = 0;
    if (blob_open(h->store, d, &fd, &size, err) || tar_file(t, path, size, err))
        return -1;
    AUTO(reader_close) struct reader *file = reader_of_fd(fd, false);
    return stream_copy(file, &body.base, NULL, err);
}

static int tar_folders(struct tar_writer *t, struct err *err)
{
    static const char *const folders[] = { "blobs", "blobs/sha256" };
    for (size_t i = 0; i < 2; i++) {
        struct tar_entry e = { .type = TAR_FOLDER,
                               .path = folders[i],
                               .link = "",
                               .mode = 0755,
                               .user_name = "",
                               .group_name = "" };
        if (tar_writer_entry(t, &e, err))
            return -1;
    }
    return 0;
}

static int write_tar(const struct export_host *h, const char *dest, const struct map *files,
                     struct err *err)
{
    AUTO_VALUE(sink_close) struct sink sink = { .fd = -1 };
    if (sink_open(dest, &sink, err))
        return -1;
    AUTO(tar_writer_free) struct tar_writer *t = tar_writer_new(sink.writer, NULL);
    if (tar_folders(t, err))
        return -1;
    map_each (files, e) {
        const struct content *c = e->value;
        struct span text = span_of(c->text);
        if (cancel_check(h->cancel, err))
            return -1;
        if (c->text ? tar_file(t, e->key, text.len, err) || tar_writer_write(t, text, err)
                    : tar_blob(h, t, e->key, &c->digest, err))
            return err_wrap(err, "write %s", dest);
    }
    if (tar_writer_finish(t, err))
        return -1;
    return sink_commit(&sink, err);
}

/* ---- as a folder ---- */

static int folder_blob(const struct export_host *h, int to, const char *path,
                       const struct digest *d, struct err *err)
{
    AUTO_FD int from = -1, fd = -1;
    uint64_t size = 0;
    if (fs_exists(to, path))
        return 0;
    AUTO_FD int folder = -1;
    AUTO_FREE char *parent = xstrndup(path, (size_t)(strrchr(path, '/') - path));
    if (blob_open(h->store, d, &from, &size, err) ||
        fs_open(to, parent, O_RDONLY | O_DIRECTORY, 0, &folder, err) ||
        fs_open_temporary(folder, 0644, &fd, err) || fs_copy_bytes(from, fd, size, err))
        return -1;
    return fs_publish(fd, to, path, err);
}

/* The name under which an index lists an image; "" when it has none. */
static const char *listed_name(const struct json *entry)
{
    const struct json *annotations = json_get(entry, "annotations");
    const char *whole = json_get_str(annotations, "io.containerd.image.name");
    const char *tag = json_get_str(annotations, "org.opencontainers.image.ref.name");
    return whole ? whole : tag ? tag : "";
}

static bool is_listed(const struct json *manifests, const struct json *entry)
{
    const char *name = listed_name(entry), *digest = json_get_str(entry, "digest");
    for (size_t i = 0; i < json_len(manifests); i++) {
        const struct json *other = json_at(manifests, i);
        if (strcmp(listed_name(other), name) == 0 &&
            (*name || strcmp(json_get_str(other, "digest"), digest) == 0))
            return true;
    }
    return false;
}

/* The images that a layout already has stay in its index, but for those whose names are given anew.
 */
static int add_listed(int to, struct map *files, struct err *err)
{
    const struct content *ours = map_find(files, "index.json");
    AUTO(json_free) struct json *old = NULL, *index = NULL;
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    buf_init(&text, LIMIT_JSON);
    if (!fs_exists(to, "index.json"))
        return 0;
    if (fs_read_file(to, "index.json", &text, err) || json_parse(buf_span(&text), &old, err) ||
        json_parse(span_of(ours->text), &index, err))
        return err_wrap(err, "index.json of the layout that is there");
    struct json *manifests = json_get(index, "manifests");
    const struct json *before = json_get(old, "manifests");
    for (size_t i = 0; i < json_len(before); i++) {
        struct json *entry = json_at(before, i);
        if (json_get_str(entry, "digest") && !is_listed(manifests, entry))
            json_push(manifests, json_ref(entry));
    }
    add_text(files, "index.json", STEAL(index));
    return 0;
}

static int write_folder(const struct export_host *h, const char *dest, struct map *files,
                        struct err *err)
{
    AUTO_FD int to = -1;
    if (fs_make_dirs(AT_FDCWD, dest, 0755, err) ||
        fs_open(AT_FDCWD, dest, O_RDONLY | O_DIRECTORY, 0, &to, err) ||
        fs_make_dirs(to, "blobs/sha256", 0755, err) ||
        fs_make_dirs(to, "blobs/sha512", 0755, err) || add_listed(to, files, err))
        return err_wrap(err, "write %s", dest);
    map_each (files, e) {
        const struct content *c = e->value;
        if (c->text ? fs_write_file(to, e->key, span_of(c->text), 0644, false, err)
                    : folder_blob(h, to, e->key, &c->digest, err))
            return err_wrap(err, "write %s/%s", dest, e->key);
    }
    unlinkat(to, "blobs/sha512", AT_REMOVEDIR); /* stays only when something is in it */
    return 0;
}

int archive_write(const struct export_host *h, const struct export_spec *s,
                  const struct made_image *made, size_t n, const struct descriptor *target,
                  struct err *err)
{
    AUTO_VALUE(map_clear) struct map files = { .free_value = content_free };
    for (size_t i = 0; i < n; i++)
        if (image_complete(h, &made[i], err))
            return -1;
    if (collect(h, s, made, n, target, &files, err))
        return -1;
    return s->is_tar ? write_tar(h, s->dest, &files, err) : write_folder(h, s->dest, &files, err);
}
