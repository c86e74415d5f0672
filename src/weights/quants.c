/* ggml's tensor types, one row each, with the function that widens a block to float.
 *
 * A block holds a fixed number of quantised values and their scales. All arithmetic is
 * fp32 in the order of the `gguf` Python package (gguf/quants.py, dequantize_blocks),
 * whose results the tests demand bit for bit: the scale of a sub-block is rounded to fp32
 * before it meets the value, and nothing may be contracted to a fused multiply-add.
 * Layouts: ggml-common.h and ggml-quants.c of ggml; each function draws its own, offsets
 * in bytes. "d" is a half float that scales the block, "m" one that is added.
 */
#include "quants.h"

#include <string.h>            /* memcpy, strcmp */
#include <lmdepth/base/half.h> /* lmd_half_from_f16 */

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "files are little-endian");

static inline float half_at(const uint8_t *in)
{
    uint16_t bits;
    memcpy(&bits, in, sizeof bits);
    return lmd_half_from_f16(bits);
}

static inline uint32_t word_at(const uint8_t *in)
{
    uint32_t word;
    memcpy(&word, in, sizeof word);
    return word;
}

/* ---- plain numbers ---- */

static void widen_f32(float *restrict out, const uint8_t *restrict in, size_t n)
{
    memcpy(out, in, n * sizeof *out);
}

static void widen_f16(float *restrict out, const uint8_t *restrict in, size_t n)
{
    lmd_half_widen_f16(out, in, n);
}

static void widen_bf16(float *restrict out, const uint8_t *restrict in, size_t n)
{
    lmd_half_widen_bf16(out, in, n);
}

static void widen_i32(int64_t *restrict out, const uint8_t *restrict in, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int32_t value;
        memcpy(&value, in + 4 * i, sizeof value);
        out[i] = value;
    }
}

static void widen_i64(int64_t *restrict out, const uint8_t *restrict in, size_t n)
{
    memcpy(out, in, n * sizeof *out);
}

/* ---- blocks of 32: value i sits in the low half of byte i, value 16 + i in the high
 * ---- */

/* d 0..1, q 2..17 */
static void widen_q4_0(float *restrict out, const uint8_t *restrict in, size_t n_blocks)
{
    for (size_t b = 0; b < n_blocks; b++, in += 18, out += 32) {
        const float d = half_at(in);
        for (int i = 0; i < 16; i++) {
            const int q = in[2 + i];
            out[i] = d * (float)((q & 15) - 8);
            out[16 + i] = d * (float)((q >> 4) - 8);
        }
    }
}

/* d 0..1, m 2..3, q 4..19 */
static void widen_q4_1(float *restrict out, const uint8_t *restrict in, size_t n_blocks)
{
    for (size_t b = 0; b < n_blocks; b++, in += 20, out += 32) {
        const float d = half_at(in);
        const float m = half_at(in + 2);
        for (int i = 0; i < 16; i++) {
            const int q = in[4 + i];
            out[i] = d * (float)(q & 15) + m;
            out[16 + i] = d * (float)(q >> 4) + m;
        }
    }
}

/* d 0..1, fifth bits 2..5 (bit i: value i), q 6..21 */
static void widen_q5_0(float *restrict out, const uint8_t *restrict in, size_t n_blocks)
{
    for (size_t b = 0; b < n_blocks; b++, in += 22, out += 32) {
        const float d = half_at(in);
        const uint32_t high = word_at(in + 2);
        for (int i = 0; i < 16; i++) {
            const int q = in[6 + i];
            const int q_low = (q & 15) | (int)((high >> i) & 1) << 4;
            const int q_high = (q >> 4) | (int)((high >> (16 + i)) & 1) << 4;
            out[i] = d * (float)(q_low - 16);
            out[16 + i] = d * (float)(q_high - 16);
        }
    }
}

/* d 0..1, m 2..3, fifth bits 4..7, q 8..23 */
static void widen_q5_1(float *restrict out, const uint8_t *restrict in, size_t n_blocks)
{
    for (size_t b = 0; b < n_blocks; b++, in += 24, out += 32) {
        const float d = half_at(in);
        const float m = half_at(in + 2);
        const uint32_t high = word_at(in + 4);
        for (int i = 0; i < 16; i++) {
            const int q = in[8 + i];
            const int q_low = (q & 15) | (int)((high >> i) & 1) << 4;
            const int q_high = (q >> 4) | (int)((high >> (16 + i)) & 1) << 4;
            out[i] = d * (float)q_low + m;
            out[16 + i] = d * (float)q_high + m;
        }
    }
}

/* d 0..1, signed q 2..33 */
static void widen_q8_0(float *restrict out, const uint8_t *restrict in, size_t n_blocks)
{
    for (size_t b = 0; b < n_blocks; b++, in += 34, out += 32) {
        const float d = half_at(in);
        for (int i = 0; i < 32; i++) {
            out[i] = d * (float)(int8_t)in[2 + i];
        }
    }
}

/* The sixteen levels of the non-linear four-bit types. */
static const int8_t IQ4_LEVELS[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                      1,    13,   25,  38,  53,  69,  89,  113};

/* d 0..1, level numbers 2..17 */
static void widen_iq4_nl(float *restrict out, const uint8_t *restrict in, size_t n_blocks)
{
    for (size_t b = 0; b < n_blocks; b++, in += 18, out += 32) {
        const float d = half_at(in);
        for (int i = 0; i < 16; i++) {
            out[i] = d * (float)IQ4_LEVELS[in[2 + i] & 15];
            out[16 + i] = d * (float)IQ4_LEVELS[in[2 + i] >> 4];
        }
    }
}

/* ---- blocks of 256 with scales of sub-blocks, themselves quantised ---- */

/* Sixteen sub-blocks of 16: byte k of 0..15 holds scale (low) and minimum (high) of
 * sub-block k, two-bit q 16..79, d 80..81, m 82..83. */
static void widen_q2_k(float *restrict out, const uint8_t *restrict in, size_t n_blocks)
{
    for (size_t b = 0; b < n_blocks; b++, in += 84, out += 256) {
        const float d = half_at(in + 80);
        const float m = half_at(in + 82);
        for (int k = 0; k < 16; k++) {
            const float scale = d * (float)(in[k] & 15);
            const float minimum = m * (float)(in[k] >> 4);
            const uint8_t *q = in + 16 + 32 * (k / 8) + 16 * (k % 2);
            const int shift = 2 * (k / 2 % 4);
            for (int i = 0; i < 16; i++) {
                out[16 * k + i] = scale * (float)((q[i] >> shift) & 3) - minimum;
            }
        }
    }
}

/* Six-bit scales of Q3_K's sub-blocks: four low bits in bytes 0..7 (low halves: 0 to 7,
 * high halves: 8 to 15), two high bits in bytes 8..11 (bits 2s, 2s+1: 4s to 4s+3). */
static int q3_k_scale(const uint8_t *in, int k)
{
    const int low = (in[k % 8] >> (4 * (k / 8))) & 15;
    const int high = (in[8 + k % 4] >> (2 * (k / 4))) & 3;
    return (low | high << 4) - 32;
}

/* Third bits 0..31 (4 is subtracted where it is 0), two-bit q 32..95, scales 96..107,
 * d 108..109. */
static void widen_q3_k(float *restrict out, const uint8_t *restrict in, size_t n_blocks)
{
    for (size_t b = 0; b < n_blocks; b++, in += 110, out += 256) {
        const float d = half_at(in + 108);
        for (int k = 0; k < 16; k++) {
            const float scale = d * (float)q3_k_scale(in + 96, k);
            const uint8_t *high = in + 16 * (k % 2);
            const uint8_t *q = in + 32 + 32 * (k / 8) + 16 * (k % 2);
            const int shift = 2 * (k / 2 % 4);
            for (int i = 0; i < 16; i++) {
                const int bit = (high[i] >> (k / 2)) & 1;
                out[16 * k + i] = scale * (float)(((q[i] >> shift) & 3) + 4 * bit - 4);
            }
        }
    }
}

/* Scale and minimum of sub-block k of 8 in Q4_K and Q5_K, six bits each, in 12 bytes: the
 * first four lie whole in bytes 0..3 and 4..7; of the last four, the low bits lie in
 * bytes 8..11 and the two high bits on top of the first four. */
static void k_scale_minimum(const uint8_t *in, int k, int *scale, int *minimum)
{
    if (k < 4) {
        *scale = in[k] & 63;
        *minimum = in[4 + k] & 63;
    } else {
        *scale = (in[4 + k] & 15) | (in[k - 4] >> 6) << 4;
        *minimum = (in[4 + k] >> 4) | (in[k] >> 6) << 4;
    }
}

/* d 0..1, m 2..3, scales 4..15, q 16..143: 32 bytes serve two sub-blocks of 32. */
static void widen_q4_k(float *restrict out, const uint8_t *restrict in, size_t n_blocks)
{
    for (size_t b = 0; b < n_blocks; b++, in += 144, out += 256) {
        const float d = half_at(in);
        const float m = half_at(in + 2);
        for (int k = 0; k < 8; k++) {
            int scale_bits;
            int minimum_bits;
            k_scale_minimum(in + 4, k, &scale_bits, &minimum_bits);
            const float scale = d * (float)scale_bits;
            const float minimum = m * (float)minimum_bits;
            const uint8_t *q = in + 16 + 32 * (k / 2);
            const int shift = 4 * (k % 2);
            for (int i = 0; i < 32; i++) {
                out[32 * k + i] = scale * (float)((q[i] >> shift) & 15) - minimum;
            }
        }
    }
}

/* As Q4_K with fifth bits in 16..47 (bit k of byte i: sub-block k, value i), q 48..175.
 */
static void widen_q5_k(float *restrict out, const uint8_t *restrict in, size_t n_blocks)
{
    for (size_t b = 0; b < n_blocks; b++, in += 176, out += 256) {
        const float d = half_at(in);
        const float m = half_at(in + 2);
        for (int k = 0; k < 8; k++) {
            int scale_bits;
            int minimum_bits;
            k_scale_minimum(in + 4, k, &scale_bits, &minimum_bits);
            const float scale = d * (float)scale_bits;
            const float minimum = m * (float)minimum_bits;
            const uint8_t *high = in + 16;
            const uint8_t *q = in + 48 + 32 * (k / 2);
            const int shift = 4 * (k % 2);
            for (int i = 0; i < 32; i++) {
                const int value = ((q[i] >> shift) & 15) | ((high[i] >> k) & 1) << 4;
                out[32 * k + i] = scale * (float)value - minimum;
            }
        }
    }
}

/* Sixteen sub-blocks of 16: low four bits 0..127, high two 128..191, signed scales
 * 192..207, d 208..209. Each half of the block has 64 + 32 bytes of q. */
static void widen_q6_k(float *restrict out, const uint8_t *restrict in, size_t n_blocks)
{
    for (size_t b = 0; b < n_blocks; b++, in += 210, out += 256) {
        const float d = half_at(in + 208);
        for (int k = 0; k < 16; k++) {
            const float scale = d * (float)(int8_t)in[192 + k];
            const uint8_t *low = in + 64 * (k / 8) + 16 * (k % 4);
            const uint8_t *high = in + 128 + 32 * (k / 8) + 16 * (k % 2);
            const int low_shift = 4 * (k / 4 % 2);
            const int high_shift = 2 * (k / 2 % 4);
            for (int i = 0; i < 16; i++) {
                const int top = ((high[i] >> high_shift) & 3) << 4;
                const int value = ((low[i] >> low_shift) & 15) | top;
                out[16 * k + i] = scale * (float)(value - 32);
            }
        }
    }
}

/* d 0..1, high two bits of eight scales 2..3, their low four bits 4..7, level numbers
 * 8..135: each sub-block of 32 is laid out like a block of IQ4_NL. */
static void widen_iq4_xs(float *restrict out, const uint8_t *restrict in, size_t n_blocks)
{
    for (size_t b = 0; b < n_blocks; b++, in += 136, out += 256) {
        const float d = half_at(in);
        for (int k = 0; k < 8; k++) {
            const int low = (in[4 + k / 2] >> (4 * (k % 2))) & 15;
            const int high = (in[2 + k / 4] >> (2 * (k % 4))) & 3;
            const float scale = d * (float)((low | high << 4) - 32);
            const uint8_t *q = in + 8 + 16 * k;
            for (int i = 0; i < 16; i++) {
                out[32 * k + i] = scale * (float)IQ4_LEVELS[q[i] & 15];
                out[32 * k + 16 + i] = scale * (float)IQ4_LEVELS[q[i] >> 4];
            }
        }
    }
}

/* ---- the table ---- */

/* Position in the table is ggml's number (enum ggml_type of ggml.h). To add a type: write
 * its function above, change its row to WEIGHTS, and add it to
 * tests/reference/make_quants.py. REMOVED are numbers that ggml has given up. */
#define WEIGHTS(name, length, bytes, widen)                                              \
    {                                                                                    \
        name, length, bytes, true, widen, NULL                                           \
    }
#define INTEGERS(name, bytes, widen)                                                     \
    {                                                                                    \
        name, 1, bytes, true, NULL, widen                                                \
    }
#define LISTED(name, bytes)                                                              \
    {                                                                                    \
        name, 1, bytes, true, NULL, NULL                                                 \
    }
#define REFUSED(name, length, bytes)                                                     \
    {                                                                                    \
        name, length, bytes, false, NULL, NULL                                           \
    }
#define REMOVED(name)                                                                    \
    {                                                                                    \
        name, 0, 0, false, NULL, NULL                                                    \
    }

static const lmd_encoding TYPES[] = {
    [0] = WEIGHTS("F32", 1, 4, widen_f32),
    [1] = WEIGHTS("F16", 1, 2, widen_f16),
    [2] = WEIGHTS("Q4_0", 32, 18, widen_q4_0),
    [3] = WEIGHTS("Q4_1", 32, 20, widen_q4_1),
    [4] = REMOVED("Q4_2"),
    [5] = REMOVED("Q4_3"),
    [6] = WEIGHTS("Q5_0", 32, 22, widen_q5_0),
    [7] = WEIGHTS("Q5_1", 32, 24, widen_q5_1),
    [8] = WEIGHTS("Q8_0", 32, 34, widen_q8_0),
    [9] = REFUSED("Q8_1", 32, 40),
    [10] = WEIGHTS("Q2_K", 256, 84, widen_q2_k),
    [11] = WEIGHTS("Q3_K", 256, 110, widen_q3_k),
    [12] = WEIGHTS("Q4_K", 256, 144, widen_q4_k),
    [13] = WEIGHTS("Q5_K", 256, 176, widen_q5_k),
    [14] = WEIGHTS("Q6_K", 256, 210, widen_q6_k),
    [15] = REFUSED("Q8_K", 256, 292),
    [16] = REFUSED("IQ2_XXS", 256, 66),
    [17] = REFUSED("IQ2_XS", 256, 74),
    [18] = REFUSED("IQ3_XXS", 256, 98),
    [19] = REFUSED("IQ1_S", 256, 50),
    [20] = WEIGHTS("IQ4_NL", 32, 18, widen_iq4_nl),
    [21] = REFUSED("IQ3_S", 256, 110),
    [22] = REFUSED("IQ2_S", 256, 82),
    [23] = WEIGHTS("IQ4_XS", 256, 136, widen_iq4_xs),
    [24] = LISTED("I8", 1),
    [25] = LISTED("I16", 2),
    [26] = INTEGERS("I32", 4, widen_i32),
    [27] = INTEGERS("I64", 8, widen_i64),
    [28] = LISTED("F64", 8),
    [29] = REFUSED("IQ1_M", 256, 56),
    [30] = WEIGHTS("BF16", 1, 2, widen_bf16),
    [31] = REMOVED("Q4_0_4_4"),
    [32] = REMOVED("Q4_0_4_8"),
    [33] = REMOVED("Q4_0_8_8"),
    [34] = REFUSED("TQ1_0", 256, 54),
    [35] = REFUSED("TQ2_0", 256, 66),
    [36] = REMOVED("IQ4_NL_4_4"),
    [37] = REMOVED("IQ4_NL_4_8"),
    [38] = REMOVED("IQ4_NL_8_8"),
    [39] = REFUSED("MXFP4", 32, 17),
    [40] = REFUSED("NVFP4", 64, 36),
    [41] = REFUSED("Q1_0", 128, 18),
};

const lmd_encoding *lmd_weights_find_type(uint32_t number)
{
    return number < sizeof TYPES / sizeof TYPES[0] ? &TYPES[number] : NULL;
}

/* Numbers that are no weights are listed; weights that can't be widened are refused by
 * name when they are read. */
static const lmd_encoding DTYPES[] = {
    WEIGHTS("F32", 1, 4, widen_f32),
    WEIGHTS("F16", 1, 2, widen_f16),
    WEIGHTS("BF16", 1, 2, widen_bf16),
    INTEGERS("I32", 4, widen_i32),
    INTEGERS("I64", 8, widen_i64),
    LISTED("F64", 8),
    LISTED("BOOL", 1),
    LISTED("U8", 1),
    LISTED("I8", 1),
    LISTED("U16", 2),
    LISTED("I16", 2),
    LISTED("U32", 4),
    LISTED("U64", 8),
};

const lmd_encoding *lmd_weights_find_dtype(const char *name)
{
    for (size_t i = 0; i < sizeof DTYPES / sizeof DTYPES[0]; i++) {
        if (strcmp(DTYPES[i].name, name) == 0) {
            return &DTYPES[i];
        }
    }
    return NULL;
}
