/* Private to base: who holds a lock, and what its file says of him. */
#ifndef LMDEPTH_BASE_LOCK_HOLDER_H
#define LMDEPTH_BASE_LOCK_HOLDER_H

#include <stdbool.h>             /* bool */
#include <lmdepth/base/status.h> /* lmd_status */
#include <lmdepth/base/text.h>   /* lmd_text */

enum { LOCK_NAME_SIZE = 128 };

/* What a lock file says. */
typedef struct lock_holder {
    char host[LOCK_NAME_SIZE];
    long long process;
    unsigned long long started; /* clock ticks: a number is given to many processes */
    char job[LOCK_NAME_SIZE];   /* "-": none */
    long long beat;             /* seconds since 1970 */
    bool is_understood;         /* the file holds the words of a lock */
} lock_holder;

/* This process, now. */
lock_holder lock_describe_self(void);

/* Of a fixed length, so that a beat can be written in place. */
void lock_format_holder(const lock_holder *holder, lmd_text *out);

/* What is at `path`; false when there is nothing. What can't be understood counts as a
 * sign of life, of nobody known, of the time it was written. */
bool lock_read_holder(const char *path, lock_holder *out);

/* The same words, the beat among them. */
bool lock_is_same(const lock_holder *a, const lock_holder *b);

bool lock_is_gone(const lock_holder *holder, const lock_holder *self);

/* "process 12 on n017, Slurm job 77 (last sign of life 5 s ago)", appended. */
void lock_append_holder(const lock_holder *holder, lmd_text *out);

#endif
