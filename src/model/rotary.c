/* Rotary position embedding (Su et al. 2021): pair i of a head turns by the position
 * times base^(-2i / R). Every step is rounded to fp32 in the order in which transformers
 * rounds it, because the angles grow with the position: at position 8000 one unit in the
 * last place of a frequency is 5e-4 in the angle.
 *
 * Kinds that depend on the length of the prompt at hand (dynamic) have no angles of their
 * own beyond the context: no prompt is allowed to be longer, and within it they are
 * plain. Others (yarn, longrope, ...) are refused by the table of words. */
#include "rotary.h"

#include <math.h>   /* powf, cosf, sinf */
#include <stddef.h> /* size_t */

static const double pi = 3.14159265358979323846;

const lmd_word lmd_model_rope_words[] = {
    {"default", LMD_ROPE_PLAIN},
    {"linear", LMD_ROPE_LINEAR},
    {"dynamic", LMD_ROPE_DYNAMIC},
    {"llama3", LMD_ROPE_LLAMA3},
    {0},
};

const lmd_word lmd_model_gguf_rope_words[] = {
    {"none", LMD_ROPE_PLAIN},
    {"linear", LMD_ROPE_LINEAR},
    {0},
};

/* ---- config ---- */

/* The base stands in one of two places. Both may hold it; readers disagree on which of
 * two different ones counts. */
static lmd_status complete_base(lmd_config *config, const char *path)
{
    if (config->rope_base > 0 && config->rope_theta > 0 &&
        fabs(config->rope_base - config->rope_theta) > 0) {
        return lmd_status_set(LMD_INPUT,
                              "%s: key 'rope_theta' is %.9g, but 'rope_parameters' or "
                              "'rope_scaling' make it %.9g",
                              path, config->rope_theta, config->rope_base);
    }
    config->rope_base = config->rope_base > 0    ? config->rope_base
                        : config->rope_theta > 0 ? config->rope_theta
                                                 : 10000;
    return LMD_OK;
}

static lmd_status complete_llama3(lmd_config *config, const char *path)
{
    if (!(config->rope_low > 0) || !(config->rope_high > 0)) {
        return lmd_status_set(LMD_INPUT,
                              "%s: rope scaling llama3 needs keys 'low_freq_factor' and "
                              "'high_freq_factor'",
                              path);
    }
    if (config->rope_high <= config->rope_low) {
        return lmd_status_set(LMD_INPUT,
                              "%s: key 'high_freq_factor' is %.9g, no more than "
                              "'low_freq_factor'",
                              path, config->rope_high);
    }
    config->rope_context = config->rope_context_beside ? config->rope_context_beside
                           : config->rope_context      ? config->rope_context
                                                       : config->context;
    return LMD_OK;
}

lmd_status lmd_model_complete_rotary(lmd_config *config, const char *path)
{
    LMD_TRY(complete_base(config, path));
    config->rope_pairs = config->rotary_D / 2;
    const bool is_plain = config->rope_kind == LMD_ROPE_PLAIN;
    if (is_plain && config->rope_factor > 0 && fabs(config->rope_factor - 1) > 0) {
        return lmd_status_set(LMD_INPUT,
                              "%s: rope scaling has a key 'factor' of %.9g but no kind",
                              path, config->rope_factor);
    }
    if (!is_plain && !(config->rope_factor > 0)) {
        return lmd_status_set(LMD_INPUT, "%s: rope scaling needs a key 'factor'", path);
    }
    if (config->rope_kind == LMD_ROPE_DYNAMIC && config->rope_context > 0 &&
        config->rope_context < config->context) {
        config->context = config->rope_context;
    }
    return config->rope_kind == LMD_ROPE_LLAMA3 ? complete_llama3(config, path) : LMD_OK;
}

void lmd_model_remark_rotary(const lmd_config *config, lmd_text *out)
{
    if (config->rope_kind == LMD_ROPE_LINEAR) {
        lmd_text_append_format(out, "rotary positions are divided by %.9g (linear)\n",
                               config->rope_factor);
    }
    if (config->rope_kind == LMD_ROPE_LLAMA3) {
        lmd_text_append_format(out,
                               "slow rotary frequencies are divided by %.9g beyond a "
                               "context of %d (llama3)\n",
                               config->rope_factor, config->rope_context);
    }
    if (config->rope_kind == LMD_ROPE_DYNAMIC) {
        lmd_text_append_format(out,
                               "dynamic rotary scaling by %.9g begins beyond %d tokens: "
                               "no prompt may be longer\n",
                               config->rope_factor, config->context);
    }
    if (config->has_rope_factors) {
        lmd_text_append_string(out, "rotary frequencies have factors of their own\n");
    }
}

/* ---- angles ---- */

/* Wavelengths beyond the original context over `low` are stretched by the factor, those
 * below that over `high` stay, those between are blended. Where torch divides a number by
 * a tensor it multiplies with the reciprocal, and so does this. */
static float scale_llama3(float frequency, const lmd_config *config)
{
    const float factor = (float)config->rope_factor;
    const float context = (float)config->rope_context;
    const float wavelength = 1.0F / frequency * (float)(2 * pi);
    const float longest = (float)(config->rope_context / config->rope_low);
    const float shortest = (float)(config->rope_context / config->rope_high);
    if (wavelength > longest) {
        return frequency / factor;
    }
    if (wavelength < shortest) {
        return frequency;
    }
    const float share = (1.0F / wavelength * context - (float)config->rope_low) /
                        (float)(config->rope_high - config->rope_low);
    return (1.0F - share) * frequency / factor + share * frequency;
}

void lmd_model_rotary_frequencies(float *out, const lmd_config *config,
                                  const float *factors)
{
    for (int i = 0; i < config->rotary_D / 2; i++) {
        const float exponent = (float)(2 * i) / (float)config->rotary_D;
        float frequency = 1.0F / powf((float)config->rope_base, exponent);
        if (config->rope_kind == LMD_ROPE_LINEAR) {
            frequency /= (float)config->rope_factor;
        } else if (config->rope_kind == LMD_ROPE_LLAMA3) {
            frequency = scale_llama3(frequency, config);
        }
        out[i] = factors ? frequency / factors[i] : frequency;
    }
}

void lmd_model_fill_rotary(float *cosines, float *sines, int positions,
                           const float *frequencies, int pairs)
{
    for (int t = 0; t < positions; t++) {
        const size_t row = (size_t)t * (size_t)pairs;
        for (int i = 0; i < pairs; i++) {
            const float angle = (float)t * frequencies[i];
            cosines[row + (size_t)i] = cosf(angle);
            sines[row + (size_t)i] = sinf(angle);
        }
    }
}
