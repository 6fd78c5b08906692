/* base/core/banned.h - functions that this project does not use; included by the compiler's command
 * line before every file, after the system headers that declare them. */
#pragma once
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Macros under clang with _FORTIFY_SOURCE. */
#undef sprintf
#undef vsprintf

#pragma GCC poison strcpy strcat sprintf vsprintf strtok atoi atol atof gets strncpy strncat
