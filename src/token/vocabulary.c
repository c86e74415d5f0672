/* An open-addressing table over an arena of bytes: 150,000 pieces are read in some tens
 * of milliseconds, and a look-up touches one slot and one piece. */
#include "vocabulary.h"

#include <stdbool.h>             /* bool */
#include <string.h>              /* memcpy, memcmp */
#include <lmdepth/base/hash.h>   /* lmd_hash_mix */
#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include <lmdepth/base/text.h>   /* lmd_text */

typedef struct entry {
    size_t offset; /* of the piece in the arena */
    uint32_t size;
    int32_t id;
} entry;

struct lmd_vocabulary {
    lmd_text arena;
    entry *entries; /* (count) owned */
    size_t count;
    size_t capacity;
    uint32_t *slots; /* (n_slots) owned; entry + 1, 0: free */
    size_t n_slots;  /* a power of two, at least twice the count */
    uint32_t *by_id; /* (end) owned; entry + 1, 0: none */
    int end;
    size_t by_id_capacity;
};

uint64_t lmd_vocabulary_hash(const char *bytes, size_t size)
{
    uint64_t hash = size;
    for (; size >= 8; size -= 8, bytes += 8) {
        uint64_t word = 0;
        memcpy(&word, bytes, 8);
        hash = lmd_hash_mix(hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
    }
    uint64_t rest = 0;
    for (size_t i = 0; i < size; i++) {
        rest = (rest << 8) | (unsigned char)bytes[i];
    }
    return lmd_hash_mix(hash ^ rest);
}

lmd_vocabulary *lmd_vocabulary_new(void)
{
    lmd_vocabulary *const vocabulary = lmd_memory_new(1, sizeof *vocabulary);
    vocabulary->n_slots = 1024;
    vocabulary->slots = lmd_memory_new(vocabulary->n_slots, sizeof *vocabulary->slots);
    return vocabulary;
}

void lmd_vocabulary_free(lmd_vocabulary *vocabulary)
{
    if (vocabulary != NULL) {
        lmd_text_clear(&vocabulary->arena);
        lmd_memory_free(vocabulary->entries);
        lmd_memory_free(vocabulary->slots);
        lmd_memory_free(vocabulary->by_id);
        lmd_memory_free(vocabulary);
    }
}

static const char *bytes_of(const lmd_vocabulary *vocabulary, const entry *piece)
{
    return lmd_text_string(&vocabulary->arena) + piece->offset;
}

/* The slot that holds a piece, or the free one where it belongs. */
static size_t slot_of(const lmd_vocabulary *vocabulary, const char *piece, size_t size)
{
    const size_t mask = vocabulary->n_slots - 1;
    size_t slot = lmd_vocabulary_hash(piece, size) & mask;
    while (vocabulary->slots[slot] != 0) {
        const entry *const found = &vocabulary->entries[vocabulary->slots[slot] - 1];
        if (found->size == size &&
            memcmp(bytes_of(vocabulary, found), piece, size) == 0) {
            break;
        }
        slot = (slot + 1) & mask;
    }
    return slot;
}

static void grow_slots(lmd_vocabulary *vocabulary)
{
    lmd_memory_free(vocabulary->slots);
    vocabulary->n_slots *= 2;
    vocabulary->slots = lmd_memory_new(vocabulary->n_slots, sizeof *vocabulary->slots);
    for (size_t i = 0; i < vocabulary->count; i++) {
        const entry *const piece = &vocabulary->entries[i];
        const size_t slot = slot_of(vocabulary, bytes_of(vocabulary, piece), piece->size);
        vocabulary->slots[slot] = (uint32_t)i + 1;
    }
}

static void append_entry(lmd_vocabulary *vocabulary, const char *piece, size_t size)
{
    if (vocabulary->count == vocabulary->capacity) {
        vocabulary->capacity = vocabulary->capacity == 0 ? 512 : 2 * vocabulary->capacity;
        vocabulary->entries = lmd_memory_resize(vocabulary->entries, vocabulary->capacity,
                                                sizeof *vocabulary->entries);
    }
    const entry added = {vocabulary->arena.size, (uint32_t)size, -1};
    lmd_text_append(&vocabulary->arena, piece, size);
    lmd_text_append(&vocabulary->arena, "", 1);
    vocabulary->entries[vocabulary->count++] = added;
}

/* Makes `id` stand for an entry. */
static void name_id(lmd_vocabulary *vocabulary, int id, size_t index)
{
    const size_t needed = (size_t)id + 1;
    if (needed > vocabulary->by_id_capacity) {
        const size_t capacity = needed + needed / 2 + 512;
        vocabulary->by_id =
            lmd_memory_resize(vocabulary->by_id, capacity, sizeof *vocabulary->by_id);
        memset(vocabulary->by_id + vocabulary->by_id_capacity, 0,
               (capacity - vocabulary->by_id_capacity) * sizeof *vocabulary->by_id);
        vocabulary->by_id_capacity = capacity;
    }
    vocabulary->by_id[id] = (uint32_t)index + 1;
    vocabulary->end = id >= vocabulary->end ? id + 1 : vocabulary->end;
}

lmd_status lmd_vocabulary_add(lmd_vocabulary *vocabulary, const char *piece, size_t size,
                              int64_t id)
{
    if (id < 0 || id >= LMD_VOCABULARY_IDS || size > INT32_MAX) {
        return lmd_status_set(LMD_INPUT, "piece %.*s: the id %lld is out of bounds",
                              (int)(size < 60 ? size : 60), piece, (long long)id);
    }
    if (2 * (vocabulary->count + 1) > vocabulary->n_slots) {
        grow_slots(vocabulary);
    }
    const size_t slot = slot_of(vocabulary, piece, size);
    if (vocabulary->slots[slot] == 0) {
        append_entry(vocabulary, piece, size);
        vocabulary->slots[slot] = (uint32_t)vocabulary->count;
    }
    const size_t index = vocabulary->slots[slot] - 1;
    vocabulary->entries[index].id = (int32_t)id;
    name_id(vocabulary, (int)id, index);
    return LMD_OK;
}

int lmd_vocabulary_find(const lmd_vocabulary *vocabulary, const char *piece, size_t size)
{
    const uint32_t found = vocabulary->slots[slot_of(vocabulary, piece, size)];
    return found == 0 ? -1 : vocabulary->entries[found - 1].id;
}

const char *lmd_vocabulary_piece(const lmd_vocabulary *vocabulary, int id, size_t *size)
{
    const bool is_known = id >= 0 && id < vocabulary->end && vocabulary->by_id[id] != 0;
    if (!is_known) {
        *size = 0;
        return NULL;
    }
    const entry *const piece = &vocabulary->entries[vocabulary->by_id[id] - 1];
    *size = piece->size;
    return bytes_of(vocabulary, piece);
}

size_t lmd_vocabulary_count(const lmd_vocabulary *vocabulary)
{
    return vocabulary->count;
}

int lmd_vocabulary_end(const lmd_vocabulary *vocabulary)
{
    return vocabulary->end;
}
