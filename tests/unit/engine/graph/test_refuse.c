/* What graph_unmarshal() refuses: files by name, and what is too large for a file. */
#include "base/core/limits.h"
#include "engine/graph/graph.h"
#include "fixture.h"

/* The text is what follows "read build graph: " and, where there is one, the operation's digest. */
static const struct {
    const char *file;
    enum err_kind kind;
    const char *text;
} rows[] = {
    { "not-protobuf", ERR_INVALID, "definition: is no protobuf message of its kind" },
    { "operation-not-protobuf", ERR_INVALID,
      "operation 1: operation: is no protobuf message of its kind" },
    { "operation-with-wrong-wire-type", ERR_INVALID,
      "operation 1: operation: is no protobuf message of its kind" },
    { "no-terminal-operation", ERR_INVALID, "the last operation does not name one result" },
    { "terminal-without-input", ERR_INVALID, "the last operation does not name one result" },
    { "terminal-with-two-inputs", ERR_INVALID, "the last operation does not name one result" },
    { "result-not-there", ERR_INVALID, ": there is no such operation" },
    { "result-without-digest", ERR_INVALID, "input: " },
    { "result-index-out-of-range", ERR_INVALID, "result: the operation has no output 1" },
    { "result-index-negative", ERR_INVALID, "result: the operation has no output -1" },
    { "input-not-there", ERR_INVALID, ": there is no such operation" },
    { "input-digest-malformed", ERR_INVALID, "input: " },
    { "input-digest-too-long", ERR_INVALID, "input: " },
    { "input-index-out-of-range", ERR_INVALID, " has no output 1" },
    { "input-index-huge", ERR_INVALID, " has no output 4294967296" },
    { "source-without-identifier", ERR_INVALID, "field identifier: is missing" },
    { "identifier-with-nul", ERR_INVALID, "field identifier: byte 9 is NUL" },
    { "identifier-not-utf-8", ERR_INVALID, "field identifier: byte 8 is not UTF-8" },
    { "identifier-with-surrogate", ERR_INVALID, "field identifier: byte 8 is not UTF-8" },
    { "attribute-with-nul", ERR_INVALID, "field attrs: byte 0 is NUL" },
    { "exec-without-meta", ERR_INVALID, "field args: a step needs a command" },
    { "exec-without-arguments", ERR_INVALID, "field args: a step needs a command" },
    { "exec-without-cwd", ERR_INVALID, "field cwd: a step needs a working directory" },
    { "exec-without-root", ERR_INVALID, "field mounts: 0 of them are \"/\", not one" },
    { "exec-with-two-roots", ERR_INVALID, "field mounts: 2 of them are \"/\", not one" },
    { "mount-input-out-of-range", ERR_INVALID,
      "mount 0: field input: index 0 is out of range (0)" },
    { "mount-input-below-none", ERR_INVALID, "mount 0: field input: index -2 is out of range (0)" },
    { "mount-output-out-of-range", ERR_INVALID,
      "mount 0: field output: index 1 is out of range (1)" },
    { "mount-output-twice", ERR_INVALID, "field output: 0 is given twice" },
    { "mount-output-with-a-gap", ERR_INVALID, "field output: 0 is missing" },
    { "mount-of-unknown-type", ERR_UNSUPPORTED, "mount 0: field mountType: value 5 is not known" },
    { "mount-of-unknown-sharing", ERR_UNSUPPORTED, "mount 1: field sharing: value 3 is not known" },
    { "mount-of-unknown-content-cache", ERR_UNSUPPORTED,
      "mount 0: field contentCache: value 3 is not known" },
    { "network-unknown", ERR_UNSUPPORTED, "field network: value 3 is not known" },
    { "security-unknown", ERR_UNSUPPORTED, "field security: value -1 is not known" },
    { "env-not-utf-8", ERR_INVALID, "field env: byte 2 is not UTF-8" },
    { "file-without-actions", ERR_INVALID, "field actions: there is none" },
    { "action-of-unknown-kind", ERR_UNSUPPORTED, "action 0: is of a kind that is not known here" },
    { "action-on-itself", ERR_INVALID, "action 0: field input: index 0 is out of range (0)" },
    { "action-on-a-later-one", ERR_INVALID, "action 0: field input: index 2 is out of range (1)" },
    { "action-secondary-out-of-range", ERR_INVALID,
      "action 0: field secondaryInput: index 1 is out of range (0)" },
    { "action-output-out-of-range", ERR_INVALID,
      "action 0: field output: index 1 is out of range (1)" },
    { "action-output-twice", ERR_INVALID, "field output: 0 is given twice" },
    { "action-path-with-nul", ERR_INVALID, "action 0: field path: byte 2 is NUL" },
    { "owner-input-out-of-range", ERR_INVALID,
      "action 0: field owner: index 1 is out of range (0)" },
    { "merge-of-one", ERR_INVALID, "field inputs: a merge needs two" },
    { "merge-input-out-of-range", ERR_INVALID, "field input: index 1 is out of range (1)" },
    { "diff-without-lower", ERR_INVALID, "field lower: is missing" },
    { "diff-without-upper", ERR_INVALID, "field upper: is missing" },
    { "diff-input-out-of-range", ERR_INVALID, "field upper: index 1 is out of range (1)" },
    { "build-from-out-of-range", ERR_INVALID, "field builder: index 0 is out of range (0)" },
    { "platform-too-long", ERR_INVALID, "platform: field OS: is too long" },
    { "platform-with-nul", ERR_INVALID, "field OS: byte 0 is NUL" },
    { "constraint-not-utf-8", ERR_INVALID, "field constraints: byte 0 is not UTF-8" },
    { "operation-of-unknown-kind", ERR_UNSUPPORTED, "is of a kind that is not known here" },
    { "description-with-nul", ERR_INVALID, "metadata: field description: byte 0 is NUL" },
    { "cap-not-utf-8", ERR_INVALID, "metadata: field caps: byte 0 is not UTF-8" },
    { "progress-group-not-utf-8", ERR_INVALID,
      "metadata: field progress group: byte 0 is not UTF-8" },
    { "place-in-no-file", ERR_INVALID, "source: there is no file 1" },
    { "place-in-negative-file", ERR_INVALID, "source: there is no file -1" },
    { "filename-with-nul", ERR_INVALID, "source: field filename: byte 1 is NUL" },
};
enum { N_ROWS = sizeof rows / sizeof rows[0] };

static void refuse(const char *name, struct span bytes)
{
    struct err err = { 0 };
    struct graph *g = NULL;
    size_t i = 0, skip = strlen("refuse-");
    if (!strstr(name, ".pb"))
        return;
    while (i < N_ROWS && (strncmp(name + skip, rows[i].file, strlen(rows[i].file)) != 0 ||
                          strcmp(name + skip + strlen(rows[i].file), ".pb") != 0))
        i++;
    if (i == N_ROWS) {
        tap_fail(__FILE__, __LINE__, "%s is in no row", name);
        return;
    }
    EXPECT_ERR(graph_unmarshal(bytes, &g, &err), &err, rows[i].kind);
    EXPECT_CONTAINS(err.text, "read build graph: ");
    EXPECT_CONTAINS(err.text, rows[i].text);
    EXPECT(g == NULL);
}

TEST("each refused file is refused as it says, with a text that tells where")
{
    EXPECT_INT(fixture_each("llb", "refuse-", refuse), 2 * N_ROWS);
}

TEST("every shorter part of a definition is read or refused, never misread")
{
    struct span whole = fixture_read("llb", "exec.pb");
    for (size_t len = 0; len < whole.len; len++) {
        struct err err = { 0 };
        AUTO(graph_free) struct graph *g = NULL;
        char *part = xmalloc(len + 1); /* of this very size, for the sanitizer to see */
        memcpy(part, whole.ptr, len);
        if (graph_unmarshal(span_bytes(part, len), &g, &err) != 0)
            EXPECT(err.kind == ERR_INVALID || err.kind == ERR_UNSUPPORTED);
        free(part);
    }
    free((void *)(uintptr_t)whole.ptr);
}

/* A definition of n empty operations: two bytes each. */
static struct span empty_operations(size_t n)
{
    char *bytes = xmalloc(2 * n);
    for (size_t i = 0; i < n; i++) {
        bytes[2 * i] = 1 << 3 | 2;
        bytes[2 * i + 1] = 0;
    }
    return span_bytes(bytes, 2 * n);
}

TEST("one operation more than the limit is refused")
{
    struct err err = { 0 };
    struct graph *g = NULL;
    struct span bytes = empty_operations(LIMIT_GRAPH_VERTICES + 1);
    EXPECT_ERR(graph_unmarshal(bytes, &g, &err), &err, ERR_LIMIT);
    EXPECT_STR(err.text, "read build graph: has more than 100000 operations");
    free((void *)(uintptr_t)bytes.ptr);
}

TEST("one byte more than the limit is refused before it is read")
{
    struct err err = { 0 };
    struct graph *g = NULL;
    static const char byte;
    EXPECT_ERR(graph_unmarshal(span_bytes(&byte, LIMIT_GRAPH_BYTES + 1), &g, &err), &err,
               ERR_LIMIT);
    EXPECT_STR(err.text, "read build graph: is larger than 67108864 bytes");
}

TEST("few bytes that unpack to very much memory are refused")
{
    struct err err = { 0 };
    struct graph *g = NULL;
    struct span bytes = empty_operations(LIMIT_GRAPH_BYTES / 4); /* 16 bytes of ours for two */
    EXPECT_ERR(graph_unmarshal(bytes, &g, &err), &err, ERR_LIMIT);
    EXPECT_STR(err.text, "read build graph: definition: unpacks to more than 201326592 bytes");
    free((void *)(uintptr_t)bytes.ptr);
}

TAP_MAIN()
