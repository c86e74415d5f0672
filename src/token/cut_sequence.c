/* Pre-tokenizer Sequence: several, each cutting the pieces of the one before. */
#include "pretokenizer.h"

#include <lmdepth/base/memory.h> /* lmd_memory_new */

typedef struct sequence {
    lmd_pretokenizer base;
    size_t count;
    lmd_pretokenizer *members[]; /* (count) owned; NULL does nothing */
} sequence;

static void close_sequence(lmd_pretokenizer *self)
{
    sequence *const all = (sequence *)self;
    for (size_t i = 0; i < all->count; i++) {
        lmd_pretokenizer_close(all->members[i]);
    }
    lmd_memory_free(all);
}

static lmd_status open_sequence(lmd_pretokenizer **out, json_t *json)
{
    const json_t *const list = json_object_get(json, "pretokenizers");
    if (!json_is_array(list)) {
        return lmd_status_set(LMD_INPUT, "pretokenizers: no list");
    }
    const size_t n = json_array_size(list);
    sequence *const all =
        lmd_memory_new(1, sizeof(sequence) + n * sizeof(lmd_pretokenizer *));
    all->base.kind = &lmd_pretokenizer_sequence;
    lmd_status status = LMD_OK;
    for (; all->count < n && status == LMD_OK; all->count++) {
        status = lmd_pretokenizer_open(&all->members[all->count],
                                       json_array_get(list, all->count));
        const lmd_pretokenizer *const made = all->members[all->count];
        all->base.asks_front = all->base.asks_front || (made != NULL && made->asks_front);
    }
    if (status != LMD_OK) {
        close_sequence(&all->base);
        return status;
    }
    *out = &all->base;
    return LMD_OK;
}

static lmd_status cut_sequence(const lmd_pretokenizer *self, lmd_matcher *matcher,
                               lmd_pieces *pieces)
{
    const sequence *const all = (const sequence *)self;
    for (size_t i = 0; i < all->count; i++) {
        if (all->members[i] != NULL) {
            LMD_TRY(lmd_pretokenizer_cut(all->members[i], matcher, pieces));
        }
    }
    return LMD_OK;
}

const lmd_pretokenizer_kind lmd_pretokenizer_sequence = {"Sequence", open_sequence,
                                                         close_sequence, cut_sequence};
