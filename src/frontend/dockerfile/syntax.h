/* frontend/dockerfile/syntax.h - which front end a file asks for.
 *
 * BuildKit runs whatever image "# syntax=" names.  Here the Dockerfile language is built in, so
 * docker/dockerfile, of any version and from any mirror, is this front end; another image is
 * refused rather than half understood.
 *
 * Spec: dockerfile reference "syntax"; build argument BUILDKIT_SYNTAX.  Threads: no state. */
#pragma once
#include <stdbool.h>

#include "base/core/err.h"
#include "base/core/span.h"
#include "frontend/dockerfile/source.h"

/* "docker/dockerfile:1", "docker.io/docker/dockerfile:1.7-labs", "mirror:5000/docker/dockerfile",
 * "docker/dockerfile-upstream:master@sha256:...", "dockerfile.v0". */
bool syntax_is_dockerfile(const char *image);
/* Looks at the file and at `build_arg`, the value of BUILDKIT_SYNTAX (NULL: not given), which
 * counts before the file.  Fails: UNSUPPORTED, *where telling the line of the file at fault; the
 * text has no "NAME:LINE: " yet. */
NODISCARD int syntax_check(struct span text, const char *build_arg, struct source_lines *where,
                           struct err *err);
