/* engine/export/attest.c - what is said of an image, put beside it.
 *
 * Each predicate is wrapped into an in-toto statement whose subject is the image manifest, under
 * every name that it gets.  The statements are layers of one manifest for each image:
 *
 *     OCI      artifactType ARTIFACT_TYPE, the empty config, subject: the image manifest; so it is
 *              a referrer as well
 *     else     (Docker's types, or oci-artifact=false) an image of the platform unknown/unknown
 *              whose diffIDs are the statements
 *
 * The index lists it behind all images, as of the platform unknown/unknown, with annotations that
 * say which one it is about.  Beside files a statement is a file itself, and its subjects are they.
 *
 * Spec: in-toto attestation spec v1 "Statement"; BuildKit docs/attestations/attestation-storage.md.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/codec/json.h"
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "base/sys/fs.h"
#include "engine/export/internal.h"
#include "image/store/blob.h"

#define STATEMENT_TYPE "https://in-toto.io/Statement/v1"
#define MEDIA_STATEMENT "application/vnd.in-toto+json"
#define ARTIFACT_TYPE "application/vnd.docker.attestation.manifest.v1+json"
#define PREDICATE_ANNOTATION "in-toto.io/predicate-type"

bool attest_is_asked(const struct export_image *images, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (images[i].n_attestations)
            return true;
    return false;
}

/* ---- statements ---- */

static void add_subject(struct json *subjects, const char *name, const struct digest *d)
{
    struct json *subject = json_new_object(), *digests = json_new_object();
    json_set_str(digests, digest_algorithm_name(d->algorithm), digest_hex(d).s);
    json_set_str(subject, "name", name);
    json_set(subject, "digest", digests);
    json_push(subjects, subject);
}

/* The predicate's bytes stand in the statement as they are. */
static int print_statement(const struct attestation *a, const struct json *subjects,
                           struct buf *out, struct err *err)
{
    AUTO(json_free) struct json *type = json_new_str(a->predicate_type);
    if (a->predicate.len > LIMIT_ATTESTATION)
        return err_set(err, ERR_LIMIT, "%s has %zu bytes, more than %zu", a->file, a->predicate.len,
                       LIMIT_ATTESTATION);
    buf_puts(out, "{\"_type\":\"" STATEMENT_TYPE "\",\"predicateType\":");
    json_print(type, out);
    buf_puts(out, ",\"subject\":");
    json_print(subjects, out);
    buf_puts(out, ",\"predicate\":");
    buf_put(out, a->predicate);
    buf_putc(out, '}');
    return 0;
}

static int list_subjects(const struct export_host *h, const struct export_spec *s,
                         const struct export_image *image, const struct made_image *made,
                         struct json *out, struct err *err)
{
    const struct str_list *names = export_names(h, s);
    vec_each (names, name) {
        AUTO_VALUE(reference_clear) struct reference ref = { 0 };
        if (reference_parse(span_of(*name), &ref, err))
            return -1;
        AUTO_FREE char *purl = reference_purl(&ref, &image->config->platform);
        add_subject(out, purl, &made->manifest.digest);
    }
    if (!names->n)
        add_subject(out, "_", &made->manifest.digest);
    return 0;
}

/* ---- the manifest ---- */

struct making {
    const struct export_host *host;
    struct made_image *made;
    struct manifest manifest;
    bool is_artifact;
};

static void making_clear(struct making *m)
{
    manifest_clear(&m->manifest);
}

static int add_statement(struct making *m, const struct attestation *a, const struct json *subjects,
                         struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    struct digest digest;
    buf_init(&text, 2 * LIMIT_ATTESTATION);
    if (print_statement(a, subjects, &text, err) ||
        blob_put(m->host->store, buf_span(&text), &digest, err))
        return err_wrap(err, "keep %s", a->file);
    struct descriptor *d = vec_push(&m->manifest.layers);
    *d = descriptor_make(MEDIA_STATEMENT, &digest, text.len);
    if (m->manifest.family == MEDIA_FAMILY_OCI)
        map_set_str(&d->annotations, PREDICATE_ANNOTATION, a->predicate_type);
    return 0;
}

/* The content stands in the descriptor, as the image-spec allows. */
static void describe_empty(struct descriptor *d)
{
    AUTO(json_free) struct json *o = descriptor_write(d);
    json_set_str(o, "data", "e30=");
    d->raw = STEAL(o);
}

static struct json *config_of_statements(const struct descriptors *layers)
{
    struct json *o = json_new_object(), *rootfs = json_new_object(), *diff_ids = json_new_array();
    vec_each (layers, layer)
        json_push(diff_ids, json_new_str(digest_text(&layer->digest).s));
    json_set_str(rootfs, "type", "layers");
    json_set(rootfs, "diff_ids", diff_ids);
    json_set_str(o, "architecture", "unknown");
    json_set_str(o, "os", "unknown");
    json_set(o, "config", json_new_object());
    json_set(o, "rootfs", rootfs);
    return o;
}

static int set_config(struct making *m, struct err *err)
{
    AUTO(json_free)
    struct json *config =
        m->is_artifact ? json_new_object() : config_of_statements(&m->manifest.layers);
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    struct digest digest;
    buf_init(&text, LIMIT_CONFIG);
    json_print(config, &text);
    if (blob_put(m->host->store, buf_span(&text), &digest, err))
        return -1;
    m->manifest.config =
        descriptor_make(m->is_artifact                              ? MEDIA_OCI_EMPTY
                        : m->manifest.family == MEDIA_FAMILY_DOCKER ? MEDIA_DOCKER_CONFIG
                                                                    : MEDIA_OCI_CONFIG,
                        &digest, text.len);
    if (!m->is_artifact)
        return 0;
    describe_empty(&m->manifest.config);
    const struct descriptor *image = &m->made->manifest;
    m->manifest.artifact_type = xstrdup(ARTIFACT_TYPE);
    m->manifest.subject = xcalloc(1, sizeof *m->manifest.subject);
    *m->manifest.subject = descriptor_make(image->media_type, &image->digest, image->size);
    return 0;
}

static int put_manifest(struct making *m, struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    struct made_image *made = m->made;
    buf_init(&text, LIMIT_MANIFEST);
    manifest_print(&m->manifest, &text);
    if (manifest_put(m->host->store, buf_span(&text), manifest_media_type(&m->manifest),
                     &made->attestation, err))
        return -1;
    made->attestation.annotations = (struct map)STR_MAP;
    map_set_str(&made->attestation.annotations, "vnd.docker.reference.digest",
                digest_text(&made->manifest.digest).s);
    map_set_str(&made->attestation.annotations, "vnd.docker.reference.type",
                "attestation-manifest");
    made->attestation.platform =
        (struct platform){ .is_set = true, .os = "unknown", .architecture = "unknown" };
    descriptor_copy(vec_push(&made->attestation_blobs), &m->manifest.config);
    vec_each (&m->manifest.layers, layer)
        descriptor_copy(vec_push(&made->attestation_blobs), layer);
    return 0;
}

int attest_make(const struct export_host *h, const struct export_spec *s,
                const struct export_image *image, struct made_image *made, struct err *err)
{
    AUTO_VALUE(making_clear)
    struct making m = { .host = h, .made = made, .manifest = { .annotations = STR_MAP } };
    AUTO(json_free) struct json *subjects = json_new_array();
    if (!image->n_attestations)
        return 0;
    m.manifest.family = s->has_docker_types ? MEDIA_FAMILY_DOCKER : MEDIA_FAMILY_OCI;
    m.is_artifact = !s->has_docker_types && !s->has_no_artifact;
    if (list_subjects(h, s, image, made, subjects, err))
        return -1;
    for (size_t i = 0; i < image->n_attestations; i++)
        if (add_statement(&m, &image->attestations[i], subjects, err))
            return -1;
    if (set_config(&m, err) || put_manifest(&m, err))
        return err_wrap(err, "attest");
    return 0;
}

/* ---- beside files ---- */

struct listing {
    struct json *subjects;
    const struct cancel *cancel;
};

static int list_file(void *arg, const struct tree_entry *e, struct err *err)
{
    struct listing *l = arg;
    AUTO_FD int fd = -1;
    if (!S_ISREG(e->stat.mode))
        return 0;
    if (cancel_check(l->cancel, err) ||
        fs_open(e->dir_fd, e->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, &fd, err))
        return -1;
    AUTO(reader_close) struct reader *file = reader_of_fd(fd, false);
    AUTO(writer_close) struct writer *hash = writer_hashing(NULL, DIGEST_SHA256);
    if (stream_copy(file, hash, NULL, err))
        return err_wrap(err, "read %s", e->path);
    struct digest digest = writer_hashing_digest(hash);
    add_subject(l->subjects, e->path, &digest);
    return 0;
}

/* For people: indented, as BuildKit writes it. */
static int print_file(const struct attestation *a, const struct json *subjects, char **out,
                      struct err *err)
{
    AUTO_VALUE(buf_clear) struct buf text = { 0 };
    AUTO(json_free) struct json *statement = NULL;
    struct buf pretty;
    buf_init(&text, (size_t)GIB); /* as many subjects as there are files */
    buf_init(&pretty, (size_t)(4 * GIB));
    if (print_statement(a, subjects, &text, err) || json_parse(buf_span(&text), &statement, err))
        return err_wrap(err, "write %s", a->file);
    json_print_pretty(statement, &pretty);
    *out = buf_take(&pretty);
    return 0;
}

int attest_files(const struct export_host *h, const struct export_spec *s,
                 const struct export_image *image, const struct tree *tree, struct map *out,
                 struct err *err)
{
    AUTO(json_free) struct json *subjects = json_new_array();
    struct listing listing = { .subjects = subjects, .cancel = h->cancel };
    struct tree_walk how = { .visit = list_file, .arg = &listing, .cancel = h->cancel };
    size_t n_asked = 0;
    for (size_t i = 0; i < image->n_attestations; i++)
        n_asked += !image->attestations[i].is_inline_only;
    if (!n_asked)
        return 0;
    if (tree_walk(tree, "", &how, err))
        return -1;
    for (size_t i = 0; i < image->n_attestations; i++) {
        const struct attestation *a = &image->attestations[i];
        char *text = NULL;
        if (a->is_inline_only)
            continue;
        AUTO_FREE char *name =
            xasprintf("%s%s", s->attestation_prefix ? s->attestation_prefix : "", a->file);
        if (print_file(a, subjects, &text, err))
            return -1;
        map_set(out, name, text);
    }
    map_sort(out);
    return 0;
}
