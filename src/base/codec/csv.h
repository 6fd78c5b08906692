/* base/codec/csv.h - the fields of one line of CSV, as docker's clients read them from their flags:
 * type=local,"dest=a,b".
 *
 * Spec: RFC 4180 for one line; a field with a comma or a quote is quoted, a quote inside doubled.
 * Threads: no state. */
#pragma once
#include "base/core/err.h"
#include "base/core/span.h"

/* The next field, unquoted, owned by the caller; NULL at the end.  *rest begins as the line and
 * goes on behind the field.  Fails: INVALID. */
NODISCARD int csv_next(struct span *rest, char **out, struct err *err);
