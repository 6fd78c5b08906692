/* base/codec/yaml.h - one YAML document as a JSON value (libyaml behind our header).
 *
 * Plain scalars mean what YAML 1.2's core schema says (so that "no" and "012" are a text and 12);
 * everything quoted is a text, and keys are texts as they are written.
 *
 * Spec: YAML 1.2 chapter 10.3 "Core Schema"; the syntax is libyaml's, 1.1.  Threads: no state. */
#pragma once
#include "base/codec/json.h"

/* Bounded by LIMIT_YAML bytes, LIMIT_JSON_DEPTH levels and LIMIT_JSON_VALUES values; an empty text
 * is null.  Fails: INVALID "line L column C: why" (syntax, bytes that are no UTF-8, duplicate keys,
 * keys that are no scalars, NUL in a text, integers beyond 64 bits, infinities, a second document);
 * UNSUPPORTED (anchors, aliases, tags: a small text may not stand for a large one); LIMIT. */
NODISCARD int yaml_parse(struct span text, struct json **out, struct err *err);
