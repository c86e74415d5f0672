/* Which positions count, and in which fold: pure functions of job, record and place, so
 * that they do not depend on windows' neighbours, packs or ranks. Rules: interface 1.1.
 */

#include <lmdepth/base/hash.h>
#include <lmdepth/engine.h>

/* The number of position i in its record (corpus.h, lmd_pack). */
static uint64_t number_in_record(const lmd_prompt *prompt, int i)
{
    return (uint64_t)(prompt->offset + i);
}

bool lmd_engine_is_observed(const lmd_selection *selection, const lmd_prompt *prompt,
                            int i, int length)
{
    // The window before has predicted this window's first token already.
    if (i == 0 && prompt->has_bos && !prompt->is_first) {
        return false;
    }
    if (i < selection->skip) {
        return false;
    }
    switch (selection->which) {
    case LMD_WHICH_ALL:
        return true;
    case LMD_WHICH_LAST:
        return prompt->is_last && i == length - 1;
    case LMD_WHICH_EVERY:
        return (i - selection->skip) % selection->every == 0;
    case LMD_WHICH_SAMPLE:
        break;
    }
    const uint64_t record = lmd_hash_mix(lmd_hash_mix(selection->seed + 2) ^ prompt->key);
    return lmd_hash_is_below(lmd_hash_mix(record ^ number_in_record(prompt, i)),
                             selection->share);
}

int lmd_engine_count_observed(const lmd_selection *selection, const lmd_pack *pack)
{
    int n = 0;
    for (int p = 0; p < pack->n_prompts; p++) {
        const int length = pack->starts[p + 1] - pack->starts[p];
        for (int i = 0; i < length; i++) {
            n += lmd_engine_is_observed(selection, &pack->prompts[p], i, length);
        }
    }
    return n;
}

int lmd_engine_fold(uint64_t seed, uint64_t key, int folds)
{
    return (int)(lmd_hash_mix(lmd_hash_mix(seed) ^ key) % (uint64_t)folds);
}

/* A counting sort by band keeps ids ascending within each. */
void lmd_engine_order(const lmd_frequency *frequency, int32_t *order, int32_t *places,
                      int32_t *band_rows)
{
    const int n_bands = frequency->n_bands;
    for (int b = 0; b <= n_bands; b++) {
        band_rows[b] = 0;
    }
    for (int id = 0; id < frequency->V; id++) {
        band_rows[frequency->bands[id] + 1]++;
    }
    for (int b = 0; b < n_bands; b++) {
        band_rows[b + 1] += band_rows[b];
    }
    for (int id = 0; id < frequency->V; id++) {
        const int32_t row = band_rows[frequency->bands[id]]++;
        order[row] = id;
        places[id] = row;
    }
    for (int b = n_bands; b > 0; b--) {
        band_rows[b] = band_rows[b - 1];
    }
    band_rows[0] = 0;
}
