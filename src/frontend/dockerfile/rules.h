/* frontend/dockerfile/rules.h - the build checks: what each is called and what it is about.
 *
 * A warning names its rule; everything else that is the same for all warnings of a rule stands
 * here, once.  Where a rule is applied: lint.c (the text alone), lint_values.c (stages and values).
 *
 * Spec: docs.docker.com/reference/build-checks.  Threads: constants. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum check_rule_id {
    RULE_STAGE_NAME_CASING,
    RULE_FROM_AS_CASING,
    RULE_NO_EMPTY_CONTINUATION,
    RULE_CONSISTENT_INSTRUCTION_CASING,
    RULE_DUPLICATE_STAGE_NAME,
    RULE_RESERVED_STAGE_NAME,
    RULE_JSON_ARGS_RECOMMENDED,
    RULE_MAINTAINER_DEPRECATED,
    RULE_UNDEFINED_ARG_IN_FROM,
    RULE_WORKDIR_RELATIVE_PATH,
    RULE_UNDEFINED_VAR,
    RULE_MULTIPLE_INSTRUCTIONS_DISALLOWED,
    RULE_LEGACY_KEY_VALUE_FORMAT,
    RULE_INVALID_BASE_IMAGE_PLATFORM,
    RULE_REDUNDANT_TARGET_PLATFORM,
    RULE_SECRETS_USED_IN_ARG_OR_ENV,
    RULE_INVALID_DEFAULT_ARG_IN_FROM,
    RULE_FROM_PLATFORM_FLAG_CONST_DISALLOWED,
    RULE_COPY_IGNORED_FILE,
    RULE_EXPOSE_PROTO_CASING,
    RULE_EXPOSE_INVALID_FORMAT,
    RULE_INVALID_DEFINITION_DESCRIPTION,
    N_CHECK_RULES
};

struct check_rule {
    const char *name; /* "StageNameCasing" */
    const char *description;
    const char *url;
    bool is_experimental; /* silent unless asked for: "# check=experimental=NAME" */
};
extern const struct check_rule check_rules[N_CHECK_RULES]; /* by id */

/* NULL when there is none of this name, which is case-sensitive. */
const struct check_rule *check_rule_find(const char *name);
