/* What the program tells people: on standard error, from the root rank unless it is an
 * error. Standard output is for data and belongs to the subcommands. */
#ifndef LMDEPTH_BASE_LOG_H
#define LMDEPTH_BASE_LOG_H

#include <stdbool.h> /* bool */

/* Who speaks. Until it is called: rank 0 of 1. With more than one rank, errors and
 * warnings of ranks other than 0 begin with "[rank R on HOST]". `host` is copied. */
void lmd_log_identify(int rank, int ranks, const char *host);

/* Called by lmd_log_fatal with the exit code instead of exit(); it must not return.
 * `parallel` sets MPI_Abort here. NULL: exit(). */
void lmd_log_on_fatal(void (*end)(int code));

/* A line for people (a line feed is added), root rank only. */
__attribute__((format(printf, 1, 2))) void lmd_log_say(const char *format, ...);

/* The same with "lmdepth: warning: " before it. Every rank; the same text only once. */
__attribute__((format(printf, 1, 2))) void lmd_log_warn(const char *format, ...);

/* The same with "lmdepth: error: " before it. Every rank. */
__attribute__((format(printf, 1, 2))) void lmd_log_error(const char *format, ...);

/* Beyond repair: prints like lmd_log_error and ends all ranks with `code`. */
__attribute__((format(printf, 2, 3), noreturn)) void
lmd_log_fatal(int code, const char *format, ...);

/* Silences lmd_log_say (option -q). Warnings and errors still speak. */
void lmd_log_set_quiet(bool quiet);
bool lmd_log_is_quiet(void);

/* Is this the rank whose lmd_log_say is printed? */
bool lmd_log_is_root(void);

#endif
