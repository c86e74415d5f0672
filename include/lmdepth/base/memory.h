/* Heap memory that never comes back NULL: when there is none left the program ends with
 * exit code 4 and the size that was asked for. Live blocks are counted; at the end of a
 * program or test the count must be what it was at its start. */
#ifndef LMDEPTH_BASE_MEMORY_H
#define LMDEPTH_BASE_MEMORY_H

#include <stddef.h> /* size_t */
#include <stdint.h> /* int64_t */

/* `count` objects of `size` bytes, all zero, aligned for any type. count * size is
 * checked for overflow. A size of 0 gives a valid, freeable pointer. */
void *lmd_memory_new(size_t count, size_t size);

/* The same aligned to 64 bytes (a cache line, the widest vector). Not to be resized. */
void *lmd_memory_new_aligned(size_t count, size_t size);

/* Resizes a block of lmd_memory_new (or NULL); bytes beyond the old end are undefined. */
void *lmd_memory_resize(void *block, size_t count, size_t size);

/* A copy of a string, of `bytes` bytes plus a final zero. */
char *lmd_memory_copy_text(const char *text);
char *lmd_memory_copy_bytes(const void *bytes, size_t n_bytes);

/* Frees a block of any function above; NULL is accepted. */
void lmd_memory_free(void *block);

/* Gives what has been freed back to the system, which the allocator may have kept:
 * between two parts of a program that need much. */
void lmd_memory_trim(void);

/* Blocks that are allocated and not yet freed, in the whole process. */
int64_t lmd_memory_live(void);

/* Largest resident set of this process so far, in bytes. */
size_t lmd_memory_peak(void);

#endif
