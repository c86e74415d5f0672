/* Outcome of everything that can go wrong because of the outside world.
 *
 * A function that meets a bad file, argument or machine returns an lmd_status and leaves
 * a message for people that names file, line, key or tensor. The numbers are the exit
 * codes of the program, so a status travels unchanged from a reader to the shell.
 * A bug of our own is an assert; what is beyond repair is lmd_log_fatal (log.h).
 */
#ifndef LMDEPTH_BASE_STATUS_H
#define LMDEPTH_BASE_STATUS_H

#include <stdbool.h> /* bool */

/* X(name, exit code, text). */
#define LMD_STATUS_LIST(X)                                                               \
    X(OK, 0, "complete")                                                                 \
    X(FAILED, 1, "failed or different")                                                  \
    X(USAGE, 2, "usage or job file")                                                     \
    X(INPUT, 3, "an input or model can't be read or is not supported")                   \
    X(RESOURCE, 4, "memory, disk or time to start")                                      \
    X(STOPPED, 75, "stopped early with a good snapshot: run the same command again")

typedef enum lmd_status {
#define LMD_STATUS_ENUM(name, code, text) LMD_##name = (code),
    LMD_STATUS_LIST(LMD_STATUS_ENUM)
#undef LMD_STATUS_ENUM
} lmd_status;

bool lmd_status_is_ok(lmd_status status);

/* The row's text of LMD_STATUS_LIST. */
const char *lmd_status_text(lmd_status status);

/* Sets this thread's message and returns `status`, so that a failure is one statement:
 *     return lmd_status_set(LMD_INPUT, "%s: truncated at byte %zu", path, offset);
 * The message has no final full stop and no line break. */
__attribute__((format(printf, 2, 3))) lmd_status lmd_status_set(lmd_status status,
                                                                const char *format, ...);

/* Puts "<prefix>: " before this thread's message; returns `status`. For a caller that
 * knows the file where the callee only knew the key. Nothing happens for LMD_OK. */
__attribute__((format(printf, 2, 3))) lmd_status
lmd_status_within(lmd_status status, const char *format, ...);

/* This thread's last message; "" before the first. Valid until the next set. */
const char *lmd_status_message(void);

/* Forwards a failure to the caller. */
#define LMD_TRY(call)                                                                    \
    do {                                                                                 \
        const lmd_status lmd_try_status_ = (call);                                       \
        if (lmd_try_status_ != LMD_OK) {                                                 \
            return lmd_try_status_;                                                      \
        }                                                                                \
    } while (0)

#endif
