/* A spool in memory: what the index knows. It stays small: for each chunk its counts, for
 * each pack its number of tokens; everything else is read from the chunk files. */
#include "spool.h"

#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include <string.h>              /* memset */

lmd_spool *spool_new(const char *folder, int V)
{
    lmd_spool *const spool = lmd_memory_new(1, sizeof *spool);
    spool->folder = lmd_memory_copy_text(folder);
    spool->V = V;
    spool->token_counts = lmd_memory_new((size_t)V, sizeof *spool->token_counts);
    return spool;
}

void lmd_spool_close(lmd_spool *spool)
{
    if (!spool) {
        return;
    }
    for (int i = 0; i < spool->n_groups; i++) {
        lmd_memory_free(spool->groups[i]);
    }
    for (int i = 0; i < spool->n_chunks; i++) {
        lmd_memory_free(spool->chunks[i].groups);
        lmd_memory_free(spool->chunks[i].records);
    }
    lmd_memory_free(spool->folder);
    lmd_memory_free(spool->groups);
    lmd_memory_free(spool->chunks);
    lmd_memory_free(spool->pack_tokens);
    lmd_memory_free(spool->token_counts);
    lmd_memory_free(spool);
}

spool_chunk *spool_add_chunk(lmd_spool *spool, int n_groups, int n_packs)
{
    spool->chunks = lmd_memory_resize(spool->chunks, (size_t)spool->n_chunks + 1,
                                      sizeof *spool->chunks);
    spool->pack_tokens = lmd_memory_resize(
        spool->pack_tokens, (size_t)(spool->n_packs + n_packs), sizeof(int32_t));
    spool_chunk *const chunk = &spool->chunks[spool->n_chunks++];
    *chunk = (spool_chunk){.first_pack = spool->n_packs, .n_groups = n_groups};
    chunk->groups = lmd_memory_new((size_t)n_groups, sizeof *chunk->groups);
    chunk->records = lmd_memory_new((size_t)n_groups, sizeof *chunk->records);
    return chunk;
}

void spool_add_pack(lmd_spool *spool, int32_t T)
{
    spool->chunks[spool->n_chunks - 1].n_packs++;
    spool->pack_tokens[spool->n_packs++] = T;
    spool->n_tokens += T;
}

lmd_status lmd_spool_check(const lmd_spool *spool, const lmd_policy *policy)
{
    if (spool->V != policy->V) {
        return lmd_status_set(LMD_INPUT, "%s: prepared for %d ids, not %d", spool->folder,
                              spool->V, policy->V);
    }
    for (int64_t i = 0; i < spool->n_packs; i++) {
        if (spool->pack_tokens[i] > policy->pack_tokens) {
            return lmd_status_set(LMD_INPUT, "%s: a pack of %d tokens, more than %d",
                                  spool->folder, (int)spool->pack_tokens[i],
                                  policy->pack_tokens);
        }
    }
    return LMD_OK;
}

int lmd_spool_groups(const lmd_spool *spool)
{
    return spool->n_groups;
}

const char *lmd_spool_group(const lmd_spool *spool, int group)
{
    return spool->groups[group];
}

int lmd_spool_chunks(const lmd_spool *spool)
{
    return spool->n_chunks;
}

int64_t lmd_spool_packs(const lmd_spool *spool)
{
    return spool->n_packs;
}

int64_t lmd_spool_tokens(const lmd_spool *spool)
{
    return spool->n_tokens;
}

int lmd_spool_pack_tokens(const lmd_spool *spool, int64_t pack)
{
    return spool->pack_tokens[pack];
}

/* The last chunk that begins at or before the pack. One without packs begins where the
 * next one does, so it is never the last. */
int lmd_spool_pack_chunk(const lmd_spool *spool, int64_t pack)
{
    int low = 0;
    int high = spool->n_chunks;
    while (high - low > 1) {
        const int middle = low + (high - low) / 2;
        if (spool->chunks[middle].first_pack <= pack) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

void lmd_spool_records(const lmd_spool *spool, int part, int n, int64_t *counts)
{
    memset(counts, 0, (size_t)spool->n_groups * LMD_FATE_COUNT * sizeof *counts);
    for (int k = part; k < spool->n_chunks; k += n) {
        const spool_chunk *const chunk = &spool->chunks[k];
        for (int g = 0; g < chunk->n_groups; g++) {
            int64_t *const group = counts + (size_t)chunk->groups[g] * LMD_FATE_COUNT;
            for (int fate = 0; fate < LMD_FATE_COUNT; fate++) {
                group[fate] += chunk->records[g][fate];
            }
        }
    }
}

int64_t lmd_spool_specials(const lmd_spool *spool, int part, int n)
{
    int64_t sum = 0;
    for (int k = part; k < spool->n_chunks; k += n) {
        sum += spool->chunks[k].n_specials;
    }
    return sum;
}

const int64_t *lmd_spool_token_counts(const lmd_spool *spool)
{
    return spool->token_counts;
}
