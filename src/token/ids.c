/* The growing list of ids that the encoder writes to. */
#include <lmdepth/token.h>

#include <string.h>              /* memcpy */
#include <lmdepth/base/memory.h> /* lmd_memory_resize */

void lmd_ids_clear(lmd_ids *ids)
{
    lmd_memory_free(ids->ids);
    *ids = (lmd_ids){0};
}

void lmd_ids_append(lmd_ids *ids, const uint32_t *values, size_t n)
{
    if (n == 0) {
        return;
    }
    if (n > ids->capacity - ids->count) {
        const size_t twice = 2 * ids->capacity;
        const size_t needed = ids->count + n;
        ids->capacity = twice > needed ? twice : needed + 64;
        ids->ids = lmd_memory_resize(ids->ids, ids->capacity, sizeof *ids->ids);
    }
    memcpy(ids->ids + ids->count, values, n * sizeof *values);
    ids->count += n;
}
