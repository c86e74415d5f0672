/* A lens hands the decoder one row at a time: transform, then the model's final norm. The
 * sweep over the vocabulary asks for rows as its blocks need them, so no normalised copy
 * of the states is kept. */
#include <lmdepth/lens.h>

#include <assert.h>              /* assert */
#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include <lmdepth/base/text.h>   /* lmd_text */
#include <string.h>              /* strcmp */
#include "lens_row.h"

#define LENS(kind) extern const lmd_lens_row lmd_lens_row_##kind;
#include "lenses.def"
#undef LENS

static const lmd_lens_row *const rows[] = {
#define LENS(kind) &lmd_lens_row_##kind,
#include "lenses.def"
#undef LENS
};

enum { N_ROWS = sizeof rows / sizeof *rows };

struct lmd_lens {
    const lmd_lens_row *row; /* borrowed */
    const lmd_model *model;  /* borrowed */
    lmd_transform *data;     /* owned by the row's functions */
    char *name;              /* owned */
};

/* ---- life ---- */

static lmd_status find_row(const lmd_lens_row **out, const char *kind)
{
    lmd_text known = {0};
    for (int i = 0; i < N_ROWS; i++) {
        if (strcmp(rows[i]->kind, kind) == 0) {
            *out = rows[i];
            lmd_text_clear(&known);
            return LMD_OK;
        }
        lmd_text_append_format(&known, "%s%s", i ? ", " : "", rows[i]->kind);
    }
    const lmd_status status = lmd_status_set(
        LMD_USAGE, "there is no lens kind '%s', but: %s", kind, lmd_text_string(&known));
    lmd_text_clear(&known);
    return status;
}

lmd_status lmd_lens_open(lmd_lens **out, const char *kind, const char *path,
                         const char *name, const lmd_model *model)
{
    *out = NULL;
    const lmd_lens_row *row = NULL;
    lmd_transform *data = NULL;
    LMD_TRY(find_row(&row, kind));
    LMD_TRY(row->open(&data, path, model));
    lmd_lens *const lens = lmd_memory_new(1, sizeof *lens);
    *lens = (lmd_lens){row, model, data, lmd_memory_copy_text(name ? name : kind)};
    *out = lens;
    return LMD_OK;
}

void lmd_lens_close(lmd_lens *lens)
{
    if (lens) {
        lens->row->close(lens->data);
        lmd_memory_free(lens->name);
        lmd_memory_free(lens);
    }
}

const char *lmd_lens_name(const lmd_lens *lens)
{
    return lens->name;
}

const char *lmd_lens_kind(const lmd_lens *lens)
{
    return lens->row->kind;
}

/* ---- use ---- */

typedef struct lens_sight {
    const lmd_lens *lens;
    const lmd_lens_view *view;
    int N, d;
} lens_sight;

/* An lmd_decode_fill: the normalised, transformed row of one token at one state. At the
 * last state the lens is the identity, so that this is the model's own output. */
static void fill(const void *context, int state, int token, float *out)
{
    const lens_sight *const sight = context;
    const lmd_lens_view *const view = sight->view;
    const lmd_lens *const lens = sight->lens;
    const int index = view->observed[state];
    const size_t row = (size_t)index * (size_t)view->T + (size_t)view->positions[token];
    const float *const in = view->states + row * (size_t)sight->d;
    if (index == sight->N) {
        lmd_model_final_norm(lens->model, in, out);
    } else {
        lens->row->transform(lens->data, lens->model, index, in, out);
        lmd_model_final_norm(lens->model, out, out);
    }
}

void lmd_lens_decode(const lmd_lens *lens, lmd_decoder *decoder,
                     const lmd_lens_view *view, lmd_readout *readouts, double *mass)
{
    const lmd_model_shape *const shape = lmd_model_get_shape(lens->model);
    assert(view->S <= LMD_DECODE_TOKENS && view->observed[view->L - 1] == shape->N);
    const lens_sight sight = {lens, view, shape->N, shape->d};
    lmd_decode(decoder, fill, &sight, view->S, view->L, view->gold, readouts, mass);
}

double lmd_lens_flops(const lmd_lens *lens)
{
    const lmd_model_shape *const shape = lmd_model_get_shape(lens->model);
    return 2.0 * shape->d * shape->V + lens->row->flops(lens->data, lens->model);
}
