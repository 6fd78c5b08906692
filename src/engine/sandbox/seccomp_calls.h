/* engine/sandbox/seccomp_calls.h - the calls that a step may make, for seccomp_profile.c. */
#pragma once

extern const char *const seccomp_allowed[]; /* names; NULL-terminated */
