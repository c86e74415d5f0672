/* A pack's tokens as rows and positions. An untied embedding has its own matrix, whose
 * rows lie by id; a tied one is the unembedding, whose rows lie in the order of frequency
 * bands (lmd_model_load). */
#include "batch.h"

#include <assert.h> /* assert */
#include "family.h" /* struct lmd_model */

void lmd_model_embed(const lmd_model *model, const lmd_batch *batch, float *out)
{
    const bool is_tied = model->config.is_tied;
    const lmd_matrix *const rows = is_tied ? &model->unembedding : &model->embedding;
    const int32_t *const places = is_tied ? model->places : NULL;
    for (int t = 0; t < batch->T; t++) {
        const uint32_t id = batch->ids[t];
        assert(id < (uint32_t)model->config.V);
        lmd_matrix_get_row(rows, places ? places[id] : (int)id,
                           out + (size_t)t * (size_t)model->config.d);
    }
}

int lmd_model_number_positions(const lmd_model *model, int32_t *place,
                               const lmd_batch *batch)
{
    int longest = 0;
    for (int p = 0; p < batch->n_prompts; p++) {
        const int length = batch->starts[p + 1] - batch->starts[p];
        for (int t = 0; t < length; t++) {
            place[batch->starts[p] + t] = t;
        }
        longest = length > longest ? length : longest;
    }
    assert(model->config.context == 0 || longest <= model->config.context);
    (void)model;
    return longest;
}

double lmd_model_pairs(const int32_t *starts, int n_prompts, int window)
{
    double pairs = 0;
    for (int p = 0; p < n_prompts; p++) {
        const double n = starts[p + 1] - starts[p];
        const double seen = window > 0 && window < n ? window : n;
        pairs += seen * (seen + 1) / 2 + (n - seen) * seen;
    }
    return pairs;
}
