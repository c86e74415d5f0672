/* Every block comes from calloc, realloc or aligned_alloc, so that free() takes all of
 * them back and no header has to stand before a block. */
#include <lmdepth/base/memory.h>

#include <lmdepth/base/log.h>    /* lmd_log_fatal */
#include <lmdepth/base/status.h> /* LMD_RESOURCE */
#include <malloc.h>              /* malloc_trim */
#include <stdatomic.h>           /* atomic_fetch_add */
#include <stdio.h>               /* fopen, fgets */
#include <stdlib.h>              /* calloc, aligned_alloc */
#include <string.h>              /* memset, memcpy */
#include <sys/mman.h>            /* madvise */
#include <sys/resource.h>        /* getrusage */

enum {
    ALIGNMENT = 64,
    HUGE_PAGE = 2 << 20,  /* bytes, of x86-64 and of most others */
    LARGE = HUGE_PAGE / 4 /* blocks that are worth a huge page */
};

static _Atomic int64_t n_live;

__attribute__((noreturn)) static void end_without_memory(size_t count, size_t size)
{
    lmd_log_fatal(LMD_RESOURCE, "out of memory: %zu x %zu bytes were asked for", count,
                  size);
}

/* count * size, at least 1, so that an empty block has an address of its own. The upper
 * half of size_t is refused too: rounding up can't overflow then. */
static size_t checked_bytes(size_t count, size_t size)
{
    if (size > 0 && count > SIZE_MAX / 2 / size) {
        end_without_memory(count, size);
    }
    const size_t n_bytes = count * size;
    return n_bytes > 0 ? n_bytes : 1;
}

void *lmd_memory_new(size_t count, size_t size)
{
    void *const block = calloc(1, checked_bytes(count, size));
    if (!block) {
        end_without_memory(count, size);
    }
    atomic_fetch_add(&n_live, 1);
    return block;
}

/* Large blocks ask for huge pages: on a virtual machine, where looking up an address
 * takes two walks, they made products of fp32 1.12 to 1.15 times as fast. */
void *lmd_memory_new_aligned(size_t count, size_t size)
{
    const size_t n_bytes = checked_bytes(count, size);
    const size_t unit = n_bytes < LARGE ? ALIGNMENT : HUGE_PAGE;
    const size_t rounded = (n_bytes + unit - 1) / unit * unit;
    void *const block = aligned_alloc(unit, rounded);
    if (!block) {
        end_without_memory(count, size);
    }
    if (unit == HUGE_PAGE) {
        (void)madvise(block, rounded, MADV_HUGEPAGE); // a kernel without them: no loss
    }
    memset(block, 0, n_bytes);
    atomic_fetch_add(&n_live, 1);
    return block;
}

void *lmd_memory_resize(void *block, size_t count, size_t size)
{
    void *const moved = realloc(block, checked_bytes(count, size));
    if (!moved) {
        end_without_memory(count, size);
    }
    if (!block) {
        atomic_fetch_add(&n_live, 1);
    }
    return moved;
}

char *lmd_memory_copy_text(const char *text)
{
    return lmd_memory_copy_bytes(text, strlen(text));
}

char *lmd_memory_copy_bytes(const void *bytes, size_t n_bytes)
{
    if (n_bytes == SIZE_MAX) {
        end_without_memory(n_bytes, 1);
    }
    char *const copy = lmd_memory_new(n_bytes + 1, 1);
    if (n_bytes > 0) {
        memcpy(copy, bytes, n_bytes);
    }
    return copy;
}

void lmd_memory_free(void *block)
{
    if (block) {
        atomic_fetch_sub(&n_live, 1);
        free(block);
    }
}

void lmd_memory_trim(void)
{
    (void)malloc_trim(0);
}

int64_t lmd_memory_live(void)
{
    return atomic_load(&n_live);
}

/* Linux's high-water mark is preferred to ru_maxrss, which a process inherits from the
 * one that started it: under a large parent it would be the parent's. */
size_t lmd_memory_peak(void)
{
    size_t kibibytes = 0;
    FILE *const status = fopen("/proc/self/status", "re");
    if (status) {
        char line[256];
        while (kibibytes == 0 && fgets(line, sizeof line, status)) {
            if (strncmp(line, "VmHWM:", 6) == 0) {
                kibibytes = (size_t)strtoull(line + 6, NULL, 10);
            }
        }
        (void)fclose(status);
    }
    struct rusage usage;
    if (kibibytes == 0 && getrusage(RUSAGE_SELF, &usage) == 0) {
        kibibytes = (size_t)usage.ru_maxrss;
    }
    return kibibytes * 1024;
}
