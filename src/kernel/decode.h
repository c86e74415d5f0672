/* The decoder's inside, shared by decode.c (order of work) and decode_sweep.c (the states
 * before the last). */
#ifndef DECODE_H
#define DECODE_H

#include "kernel_inside.h"
#include "tally.h"

/* Most parts of the vocabulary that are swept at a time, each by one thread. */
enum { LMD_DECODE_SEGMENTS = 48 };

/* What is known of a token after the last state. */
typedef struct lmd_decode_token {
    bool is_finite;
    int32_t final, gold; /* ids; gold -1 for none */
    float best;          /* largest logit of the output */
    float scale;         /* p* = scale exp(z* - best) */
    double entropy;      /* of p* */
    float final_logit, gold_logit;
} lmd_decode_token;

struct lmd_decoder {
    lmd_kernel *kernel;     /* borrowed */
    lmd_head head;          /* arrays borrowed */
    lmd_tally_setup output; /* how the last state is tallied */
    lmd_tally_setup setup;  /* and the others */
    int d, V, max_L;
    int n_tiles, n_segments, tiles_per_segment;
    int block_tokens, M; /* tokens and (padded) rows of a block of the other states */

    /* All below: owned, one memory. */
    float *keep;      /* (n_tiles, LMD_DECODE_TOKENS, LMD_TILE_COLUMNS) logits */
    float *last_tile; /* (LMD_TILE_COLUMNS, d) last rows of the unembedding, padded */
    float *targets;   /* (LMD_TILE_COLUMNS, d) unembedding of t* and gold of each token */
    float *rows;      /* (max(M, LMD_DECODE_TOKENS), d) normalised states */
    float *wanted;    /* (M, 2) logits of t* and gold */
    float *scratch;   /* members' results, p*, e, panel */
    size_t scratch_floats;
    int32_t *last_ids;        /* (LMD_TILE_COLUMNS) padded */
    lmd_tally *tallies;       /* (n_segments, M) */
    double *masses;           /* (n_segments, M, n_bands) or NULL */
    lmd_decode_token *tokens; /* (LMD_DECODE_TOKENS) */
};

/* One call of lmd_decode. */
typedef struct lmd_decode_run {
    lmd_decoder *decoder;
    lmd_decode_fill *fill;
    const void *context;
    int S, L;
    const int32_t *gold;
    lmd_readout *readouts; /* (L, S) */
    double *mass;          /* (L, S, n_bands) or NULL */
    int first_token;       /* of the block being swept */
} lmd_decode_run;

/* A member's scratch. */
typedef struct lmd_decode_scratch {
    float *results; /* (max(M, LMD_DECODE_TOKENS), LMD_TILE_COLUMNS) */
    float *output;  /* (LMD_TILE_COLUMNS) p* */
    float *e;       /* (LMD_TILE_COLUMNS) */
    float *panel;   /* (16, d) for the product */
} lmd_decode_scratch;

lmd_decode_scratch lmd_decode_scratch_of(const lmd_decoder *decoder, int member);

/* Real columns of a tile. */
int lmd_decode_tile_columns(const lmd_decoder *decoder, int tile);
const int32_t *lmd_decode_tile_ids(const lmd_decoder *decoder, int tile);

/* out (M, LMD_TILE_COLUMNS) = logits of the first M rows; what is beyond V is -FLT_MAX.
 */
void lmd_decode_tile(const lmd_decoder *decoder, float *out, int M, int tile,
                     float *panel);
void lmd_decode_product(const lmd_decoder *decoder, float *out, int M, const float *W,
                        float *panel);

/* The states before the last, after the last is known. */
void lmd_decode_sweep(lmd_decode_run *run);

#endif
