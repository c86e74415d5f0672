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
    int32_t final, gold;    /* ids; gold -1 for none */
    float reference, scale; /* p* = scale exp(z* - reference) */
    double entropy;         /* of p* */
    float final_logit, gold_logit;
} lmd_decode_token;

struct lmd_decoder {
    lmd_kernel *kernel;     /* borrowed */
    lmd_head head;          /* arrays borrowed */
    lmd_tally_setup output; /* how the last state is tallied */
    lmd_tally_setup setup;  /* and the others */
    int d, V, max_L;
    int n_tiles, n_segments, tiles_per_segment;
    int block_tokens, M; /* tokens and rows of a block of the other states */

    /* All below: owned, one memory. */
    float *keep;   /* (n_tiles, LMD_DECODE_TOKENS, LMD_TILE_STRIDE) logits */
    void *targets; /* (LMD_TILE_COLUMNS, d) packed: unembedding of t* and gold of the
                      block's tokens, of its type */
    float *rows;   /* (most rows, d) normalised states, packed for the product */
    float *wanted; /* (M, 2) logits of t* and gold */
    /* (M) a logit of the row that is as large as any in the segments done so far, or
     * nearly: which of two threads' comes last is all the same. */
    _Atomic float *bounds;
    float *scratch; /* members' results, p*, e, lanes, state */
    size_t scratch_floats;
    size_t product_at;  /* of a member's scratch for products; 0: the kernel's own */
    int32_t *last_ids;  /* (LMD_TILE_COLUMNS) padded */
    lmd_tally *tallies; /* (n_segments, M) */
    double *masses;     /* (n_segments, M, n_bands) or NULL */
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
    int rows;              /* packed for the product */
    int shape_rows;        /* the padded number of a whole block */
} lmd_decode_run;

/* A member's scratch. */
typedef struct lmd_decode_scratch {
    float *results;   /* (M, LMD_TILE_STRIDE) */
    float *output;    /* (LMD_TILE_COLUMNS) p* */
    float *e;         /* (LMD_TILE_COLUMNS) */
    float *state;     /* (d) one row as it is filled */
    lmd_lanes *lanes; /* (M) */
} lmd_decode_scratch;

lmd_decode_scratch lmd_decode_scratch_of(const lmd_decoder *decoder, int member);

/* Real columns of a tile. */
int lmd_decode_tile_columns(const lmd_decoder *decoder, int tile);
const int32_t *lmd_decode_tile_ids(const lmd_decoder *decoder, int tile);

/* Fills row `row` with `token` at `state`. */
void lmd_decode_fill_row(const lmd_decode_run *run, int row, int state, int token,
                         const lmd_decode_scratch *scratch);

/* The block has `used` rows, of at most `most`: clears those that only pad. */
void lmd_decode_set_rows(lmd_decode_run *run, int used, int most);

/* out (rows, LMD_TILE_COLUMNS), rows LMD_TILE_STRIDE floats apart = logits of the block;
 * what is beyond V is -FLT_MAX. */
void lmd_decode_tile(const lmd_decode_run *run, float *out, int tile, int member);

/* The same on n columns of packed weights. */
void lmd_decode_product(const lmd_decode_run *run, float *out, const void *W, int n,
                        int member);

/* The states before the last, after the last is known. */
void lmd_decode_sweep(lmd_decode_run *run);

#endif
