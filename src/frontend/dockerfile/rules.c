/* frontend/dockerfile/rules.c - the table of build checks.  Names, descriptions and addresses are
 * BuildKit's: editors and CI scripts go by them.
 *
 * Threads: constants. */
#include "frontend/dockerfile/rules.h"

#include <string.h>

#define PAGE(name) "https://docs.docker.com/go/dockerfile/rule/" name "/"

const struct check_rule check_rules[N_CHECK_RULES] = {
    [RULE_STAGE_NAME_CASING] = { "StageNameCasing", "Stage names should be lowercase",
                                 PAGE("stage-name-casing"), false },
    [RULE_FROM_AS_CASING] = { "FromAsCasing",
                              "The 'as' keyword should match the case of the 'from' keyword",
                              PAGE("from-as-casing"), false },
    [RULE_NO_EMPTY_CONTINUATION] = { "NoEmptyContinuation",
                                     "Empty continuation lines will become errors in a future "
                                     "release",
                                     PAGE("no-empty-continuation"), false },
    [RULE_CONSISTENT_INSTRUCTION_CASING] = { "ConsistentInstructionCasing",
                                             "All commands within the Dockerfile should use the "
                                             "same casing (either upper or lower)",
                                             PAGE("consistent-instruction-casing"), false },
    [RULE_DUPLICATE_STAGE_NAME] = { "DuplicateStageName", "Stage names should be unique",
                                    PAGE("duplicate-stage-name"), false },
    [RULE_RESERVED_STAGE_NAME] = { "ReservedStageName",
                                   "Reserved words should not be used as stage names",
                                   PAGE("reserved-stage-name"), false },
    [RULE_JSON_ARGS_RECOMMENDED] = { "JSONArgsRecommended",
                                     "JSON arguments recommended for ENTRYPOINT/CMD to prevent "
                                     "unintended behavior related to OS signals",
                                     PAGE("json-args-recommended"), false },
    [RULE_MAINTAINER_DEPRECATED] = { "MaintainerDeprecated",
                                     "The MAINTAINER instruction is deprecated, use a label "
                                     "instead to define an image author",
                                     PAGE("maintainer-deprecated"), false },
    [RULE_UNDEFINED_ARG_IN_FROM] = { "UndefinedArgInFrom", "FROM command must use declared ARGs",
                                     PAGE("undefined-arg-in-from"), false },
    [RULE_WORKDIR_RELATIVE_PATH] = { "WorkdirRelativePath",
                                     "Relative workdir without an absolute workdir declared "
                                     "within the build can have unexpected results if the base "
                                     "image changes",
                                     PAGE("workdir-relative-path"), false },
    [RULE_UNDEFINED_VAR] = { "UndefinedVar", "Variables should be defined before their use",
                             PAGE("undefined-var"), false },
    [RULE_MULTIPLE_INSTRUCTIONS_DISALLOWED] = { "MultipleInstructionsDisallowed",
                                                "Multiple instructions of the same type should "
                                                "not be used in the same stage",
                                                PAGE("multiple-instructions-disallowed"), false },
    [RULE_LEGACY_KEY_VALUE_FORMAT] = { "LegacyKeyValueFormat",
                                       "Legacy key/value format with whitespace separator should "
                                       "not be used",
                                       PAGE("legacy-key-value-format"), false },
    [RULE_INVALID_BASE_IMAGE_PLATFORM] = { "InvalidBaseImagePlatform",
                                           "Base image platform does not match expected target "
                                           "platform",
                                           PAGE("invalid-base-image-platform"), false },
    [RULE_REDUNDANT_TARGET_PLATFORM] = { "RedundantTargetPlatform",
                                         "Setting platform to predefined $TARGETPLATFORM in FROM "
                                         "is redundant as this is the default behavior",
                                         PAGE("redundant-target-platform"), false },
    [RULE_SECRETS_USED_IN_ARG_OR_ENV] = { "SecretsUsedInArgOrEnv",
                                          "Sensitive data should not be used in the ARG or ENV "
                                          "commands",
                                          PAGE("secrets-used-in-arg-or-env"), false },
    [RULE_INVALID_DEFAULT_ARG_IN_FROM] = { "InvalidDefaultArgInFrom",
                                           "Default value for global ARG results in an empty or "
                                           "invalid base image name",
                                           PAGE("invalid-default-arg-in-from"), false },
    [RULE_FROM_PLATFORM_FLAG_CONST_DISALLOWED] = { "FromPlatformFlagConstDisallowed",
                                                   "FROM --platform flag should not use a "
                                                   "constant value",
                                                   PAGE("from-platform-flag-const-disallowed"),
                                                   false },
    [RULE_COPY_IGNORED_FILE] = { "CopyIgnoredFile",
                                 "Attempting to Copy file that is excluded by .dockerignore",
                                 PAGE("copy-ignored-file"), false },
    [RULE_EXPOSE_PROTO_CASING] = { "ExposeProtoCasing",
                                   "Protocol in EXPOSE instruction should be lowercase",
                                   PAGE("expose-proto-casing"), false },
    [RULE_EXPOSE_INVALID_FORMAT] = { "ExposeInvalidFormat",
                                     "IP address and host-port mapping should not be used in "
                                     "EXPOSE instruction. This will become an error in a future "
                                     "release",
                                     PAGE("expose-invalid-format"), false },
    [RULE_INVALID_DEFINITION_DESCRIPTION] = { "InvalidDefinitionDescription",
                                              "Comment for build stage or argument should follow "
                                              "the format: `# <arg/stage name> <description>`. If "
                                              "this is not intended to be a description comment, "
                                              "add an empty line or comment between the "
                                              "instruction and the comment.",
                                              PAGE("invalid-definition-description"), true },
};

const struct check_rule *check_rule_find(const char *name)
{
    for (size_t i = 0; i < N_CHECK_RULES; i++)
        if (strcmp(check_rules[i].name, name) == 0)
            return &check_rules[i];
    return NULL;
}
