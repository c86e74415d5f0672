/* Normalizer Sequence: several, one after the other. */
#include "normalizer.h"

#include <lmdepth/base/memory.h> /* lmd_memory_new */

typedef struct sequence {
    lmd_normalizer base;
    size_t count;
    lmd_normalizer *members[]; /* (count) owned; NULL does nothing */
} sequence;

static void close_sequence(lmd_normalizer *self)
{
    sequence *const all = (sequence *)self;
    for (size_t i = 0; i < all->count; i++) {
        lmd_normalizer_close(all->members[i]);
    }
    lmd_memory_free(all);
}

static lmd_status open_sequence(lmd_normalizer **out, json_t *json)
{
    const json_t *const list = json_object_get(json, "normalizers");
    if (!json_is_array(list)) {
        return lmd_status_set(LMD_INPUT, "normalizers: no list");
    }
    const size_t n = json_array_size(list);
    sequence *const all =
        lmd_memory_new(1, sizeof(sequence) + n * sizeof(lmd_normalizer *));
    all->base.kind = &lmd_normalizer_sequence;
    lmd_status status = LMD_OK;
    for (; all->count < n && status == LMD_OK; all->count++) {
        status = lmd_normalizer_open(&all->members[all->count],
                                     json_array_get(list, all->count));
    }
    if (status != LMD_OK) {
        close_sequence(&all->base);
        return status;
    }
    *out = &all->base;
    return LMD_OK;
}

static lmd_status apply_sequence(const lmd_normalizer *self, lmd_matcher *matcher,
                                 const char *text, size_t size, lmd_text *out)
{
    const sequence *const all = (const sequence *)self;
    lmd_status status = LMD_OK;
    lmd_text now = {0};
    lmd_text_append(&now, text, size);
    for (size_t i = 0; i < all->count && status == LMD_OK; i++) {
        if (all->members[i] != NULL) {
            lmd_text next = {0};
            status = lmd_normalizer_apply(all->members[i], matcher, lmd_text_string(&now),
                                          now.size, &next);
            lmd_text_clear(&now);
            now = next;
        }
        if (status == LMD_OK) {
            status = lmd_normalizer_check_growth(size, now.size);
        }
    }
    lmd_text_append(out, lmd_text_string(&now), now.size);
    lmd_text_clear(&now);
    return status;
}

static lmd_status front_of_sequence(const lmd_normalizer *self, lmd_matcher *matcher,
                                    const char *text, size_t size, size_t *front)
{
    const sequence *const all = (const sequence *)self;
    lmd_status status = LMD_OK;
    lmd_text now = {0};
    lmd_text_append(&now, text, size);
    for (size_t i = 0; i < all->count && status == LMD_OK; i++) {
        if (all->members[i] == NULL) {
            continue;
        }
        lmd_text next = {0};
        status = lmd_normalizer_front(all->members[i], matcher, lmd_text_string(&now),
                                      now.size, front);
        if (status == LMD_OK) {
            status = lmd_normalizer_apply(all->members[i], matcher, lmd_text_string(&now),
                                          now.size, &next);
        }
        lmd_text_clear(&now);
        now = next;
    }
    lmd_text_clear(&now);
    return status;
}

const lmd_normalizer_kind lmd_normalizer_sequence = {
    "Sequence", open_sequence, close_sequence, apply_sequence, front_of_sequence};
