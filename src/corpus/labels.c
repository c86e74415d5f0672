/* Open addressing with linear probing, at most half full. */
#include "labels.h"

#include <string.h>              /* memcmp */
#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include "corpus_bytes.h"

void corpus_labels_clear(corpus_labels *labels)
{
    for (int i = 0; i < labels->count; i++) {
        lmd_memory_free(labels->names[i]);
    }
    lmd_memory_free(labels->names);
    lmd_memory_free(labels->slots);
    *labels = (corpus_labels){0};
}

/* Where the label is or would be. */
static int *find_slot(const corpus_labels *labels, const char *name, size_t n_bytes)
{
    const size_t mask = (size_t)labels->n_slots - 1;
    size_t i = corpus_checksum(name, n_bytes) & mask;
    while (labels->slots[i] >= 0) {
        const char *const other = labels->names[labels->slots[i]];
        if (strlen(other) == n_bytes && memcmp(other, name, n_bytes) == 0) {
            break;
        }
        i = (i + 1) & mask;
    }
    return &labels->slots[i];
}

static void grow(corpus_labels *labels)
{
    const int n_slots = labels->n_slots > 0 ? 2 * labels->n_slots : 64;
    lmd_memory_free(labels->slots);
    labels->n_slots = n_slots;
    labels->slots = lmd_memory_new((size_t)n_slots, sizeof *labels->slots);
    labels->names =
        lmd_memory_resize(labels->names, (size_t)n_slots / 2, sizeof *labels->names);
    for (int i = 0; i < n_slots; i++) {
        labels->slots[i] = -1;
    }
    for (int i = 0; i < labels->count; i++) {
        *find_slot(labels, labels->names[i], strlen(labels->names[i])) = i;
    }
}

int corpus_labels_number(corpus_labels *labels, const char *name, size_t n_bytes)
{
    if (2 * labels->count >= labels->n_slots) {
        grow(labels);
    }
    int *const slot = find_slot(labels, name, n_bytes);
    if (*slot < 0) {
        labels->names[labels->count] = lmd_memory_copy_bytes(name, n_bytes);
        *slot = labels->count++;
    }
    return *slot;
}
