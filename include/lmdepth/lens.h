/* Room lens: where a state becomes a distribution over the vocabulary.
 *
 * q_l = softmax(U FN(t_l(s_l))): a lens gives the transform t_l, the model its final norm
 * FN and unembedding U (method 1.2); the sweep over the vocabulary is `decode` of room
 * kernel. A lens is one file and one row of src/lens/lenses.def. At the last state every
 * lens is the identity, so that its distribution is the model's output.
 */
#ifndef LMDEPTH_LENS_H
#define LMDEPTH_LENS_H

#include <stdint.h>              /* int32_t */
#include <lmdepth/base/status.h> /* lmd_status */
#include <lmdepth/kernel.h>      /* lmd_readout */
#include <lmdepth/model.h>       /* lmd_model */

typedef struct lmd_lens lmd_lens;

/* `kind` is a row of lenses.def; `path`: its file where the kind has one, else NULL;
 * `name`: label, NULL for the kind. The model is borrowed. LMD_USAGE for an unknown kind,
 * with the list of kinds. */
lmd_status lmd_lens_open(lmd_lens **out, const char *kind, const char *path,
                         const char *name, const lmd_model *model);
void lmd_lens_close(lmd_lens *lens); /* accepts NULL */
const char *lmd_lens_name(const lmd_lens *lens);
const char *lmd_lens_kind(const lmd_lens *lens);

/* What is read of a pack: which positions at which states. */
typedef struct lmd_lens_view {
    const float *states; /* (N + 1, T, d) of lmd_model_forward */
    int T;
    const int32_t *positions; /* (S) rows of the pack, S <= LMD_DECODE_TOKENS */
    const int32_t *gold;      /* (S) next id or -1 */
    int S;
    const int32_t *observed; /* (L) state indices, ascending, the last is N */
    int L;
} lmd_lens_view;

/* readouts (L, S), mass (L, S, n_bands) or NULL, as lmd_decode. */
void lmd_lens_decode(const lmd_lens *lens, lmd_decoder *decoder,
                     const lmd_lens_view *view, lmd_readout *readouts, double *mass);

/* Operations of decoding one position at one state: 2 d V, and the transform's. */
double lmd_lens_flops(const lmd_lens *lens);

#endif
