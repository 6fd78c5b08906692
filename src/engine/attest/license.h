/* engine/attest/license.h - what packages say of their license, as SPDX wants it said.
 *
 * Spec: SPDX 2.3 annex D "SPDX license expressions".  Threads: values. */
#pragma once
#include "base/core/map.h"

/* An expression for the text, owned by the caller: names that SPDX knows, or that Debian, Fedora
 * and others have for those, become SPDX's; all else a LicenseRef-..., which `refs` (string to
 * string) then has with the text that it stands for. */
char *license_expression(const char *text, struct map *refs);
