/* Fields of one CSV line. */
#include "base/codec/csv.h"

#include <stdlib.h>
#include <string.h>

#include "base/core/mem.h"
#include "tap.h"

static const struct {
    const char *name, *line, *want; /* fields joined by "|"; NULL: refused */
} rows[] = {
    { "fields are cut at commas", "type=local,dest=x", "type=local|dest=x" },
    { "a quoted field keeps its commas", "a,\"ids=b,c\",d", "a|ids=b,c|d" },
    { "a quote inside a quoted field is doubled", "\"a\"\"b\"", "a\"b" },
    { "empty fields are fields", "a,,b,", "a||b|" },
    { "an empty line is one empty field", "", "" },
    { "an open quote is refused", "a,\"b", NULL },
    { "text behind a closing quote is refused", "\"a\"b,c", NULL },
};

/* The fields joined by "|". */
static int join_fields(const char *line, char *to, size_t size, struct err *err)
{
    struct span rest = span_of(line);
    *to = '\0';
    for (bool is_first = true;; is_first = false) {
        AUTO_FREE char *field = NULL;
        if (csv_next(&rest, &field, err))
            return -1;
        if (!field)
            return 0;
        size_t n = strlen(to);
        snprintf(to + n, size - n, "%s%s", is_first ? "" : "|", field);
    }
}

TEST("a line gives its fields, or is refused")
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = { 0 };
        char got[256];
        int status = join_fields(rows[i].line, got, sizeof got, &err);
        if (rows[i].want) {
            EXPECT_INT(status, 0);
            EXPECT_STR(got, rows[i].want);
        } else {
            EXPECT_INT(err.kind, ERR_INVALID);
        }
    }
}

TAP_MAIN()
