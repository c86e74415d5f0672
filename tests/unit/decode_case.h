/* A made-up head, states and targets for the tests of the decoder. */
#ifndef DECODE_CASE_H
#define DECODE_CASE_H

#include "kernel_case.h"

typedef struct decode_case {
    int V, d, S, L, n_bands;
    float *states; /* (L, S, d) */
    float *W;      /* (V, d) by id */
    int32_t *bands, *ids, *places, *edges;
    int32_t *gold; /* (S) */
    lmd_matrix_type type;
    lmd_matrix matrix;
    lmd_readout *readouts;
    double *mass;
} decode_case;

static inline void fill(const void *context, int state, int token, float *out)
{
    const decode_case *c = context;
    const size_t d = (size_t)c->d;
    memcpy(out, c->states + ((size_t)state * (size_t)c->S + (size_t)token) * d,
           d * sizeof *out);
}

/* Bands of ids by a hash, some of them empty; rows in order of band, ids ascending. */
static inline void make_bands(decode_case *c)
{
    int row = 0;
    for (int b = 0; b < c->n_bands; b++) {
        c->edges[b] = row;
        for (int id = 0; id < c->V; id++) {
            const int band = (id * 7 + id / 5) % c->n_bands;
            if ((band % 3 == 1 ? band - 1 : band) == b) {
                c->bands[id] = b;
                c->ids[row] = id;
                c->places[id] = row++;
            }
        }
    }
    c->edges[c->n_bands] = row;
}

static inline void make_matrix(decode_case *c)
{
    void *memory = lmd_memory_new_aligned(1, lmd_matrix_bytes(c->V, c->d, c->type));
    lmd_matrix_bind(&c->matrix, c->V, c->d, c->type, memory);
    lmd_matrix_clear_padding(&c->matrix);
    for (int id = 0; id < c->V; id++) {
        lmd_matrix_put_row(&c->matrix, c->places[id], c->W + (size_t)id * (size_t)c->d);
    }
}

/* `step` > 0: whole multiples of it, so that products are exact and ties frequent. */
static inline decode_case make_case(int V, int d, int S, int L, float step)
{
    const size_t cells = (size_t)L * (size_t)S, ids = (size_t)V;
    decode_case c = {.V = V, .d = d, .S = S, .L = L, .n_bands = 7};
    c.type = case_type(LMD_F32);
    c.states = case_numbers(cells * (size_t)d, 1, 1.5f);
    c.W = case_numbers(ids * (size_t)d, 2, 1.5f);
    for (size_t i = 0; step > 0.0f && i < cells * (size_t)d; i++) {
        c.states[i] = step * rintf(2.0f * c.states[i]);
    }
    for (size_t i = 0; step > 0.0f && i < ids * (size_t)d; i++) {
        c.W[i] = rintf(c.W[i]);
    }
    c.bands = lmd_memory_new(ids, sizeof *c.bands);
    c.ids = lmd_memory_new(ids, sizeof *c.ids);
    c.places = lmd_memory_new(ids, sizeof *c.places);
    c.edges = lmd_memory_new((size_t)c.n_bands + 1, sizeof *c.edges);
    c.gold = lmd_memory_new((size_t)S, sizeof *c.gold);
    c.readouts = lmd_memory_new(cells, sizeof *c.readouts);
    c.mass = lmd_memory_new(cells * (size_t)c.n_bands, sizeof *c.mass);
    for (int s = 0; s < S; s++) {
        c.gold[s] = s % 5 == 4 ? -1 : s * 31 % V;
    }
    make_bands(&c);
    make_matrix(&c);
    return c;
}

static inline void free_case(decode_case *c)
{
    lmd_memory_free(c->states);
    lmd_memory_free(c->W);
    lmd_memory_free(c->bands);
    lmd_memory_free(c->ids);
    lmd_memory_free(c->places);
    lmd_memory_free(c->edges);
    lmd_memory_free(c->gold);
    lmd_memory_free(c->readouts);
    lmd_memory_free(c->mass);
    lmd_memory_free(c->matrix.packed);
}

#endif
