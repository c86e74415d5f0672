/* Ranks and bands from counts (the depth paper's buckets are sums of these bands). */
#include <lmdepth/token.h>

#include <stdlib.h>              /* qsort */
#include <string.h>              /* memcpy */
#include <lmdepth/base/memory.h> /* lmd_memory_new */

typedef struct counted {
    int64_t count;
    int32_t id;
} counted;

static int compare_counted(const void *a, const void *b)
{
    const counted *const x = a;
    const counted *const y = b;
    if (x->count != y->count) {
        return x->count > y->count ? -1 : 1;
    }
    return (x->id > y->id) - (x->id < y->id);
}

static void rank_ids(lmd_frequency *table, const lmd_tokenizer *tokenizer,
                     bool keep_specials)
{
    counted *const order = lmd_memory_new((size_t)table->V, sizeof *order);
    size_t n = 0;
    for (int32_t id = 0; id < table->V; id++) {
        const bool is_dropped =
            !keep_specials && tokenizer != NULL && lmd_token_is_special(tokenizer, id);
        if (table->counts[id] > 0 && !is_dropped) {
            order[n++] = (counted){table->counts[id], id};
        }
    }
    qsort(order, n, sizeof *order, compare_counted);
    for (size_t i = 0; i < n; i++) {
        table->ranks[order[i].id] = (int32_t)i + 1;
    }
    lmd_memory_free(order);
}

/* The least edge above `edge`: a power of two or 10^k + 1. */
static int64_t next_edge(int64_t edge)
{
    int64_t two = 1;
    int64_t ten = 1;
    while (two <= edge) {
        two *= 2;
    }
    while (ten + 1 <= edge) {
        ten *= 10;
    }
    return two < ten + 1 ? two : ten + 1;
}

static void make_edges(lmd_frequency *table)
{
    table->edges[0] = 0;
    table->n_bands = 1;
    // Edges below V (interface 2), but rank 1 always has a band.
    for (int64_t edge = 1; edge < table->V || edge == 1; edge = next_edge(edge)) {
        table->edges[table->n_bands++] = (int32_t)edge;
    }
    table->edges[table->n_bands] = table->V + 1;
}

int lmd_frequency_count_bands(int V)
{
    int n_bands = 1;
    for (int64_t edge = 1; edge < V || edge == 1; edge = next_edge(edge)) {
        n_bands++;
    }
    return n_bands;
}

static int32_t band_of(const lmd_frequency *table, int32_t rank)
{
    int32_t band = 0;
    while (band + 1 < table->n_bands && table->edges[band + 1] <= rank) {
        band++;
    }
    return band;
}

lmd_frequency *lmd_frequency_new(int V, const int64_t *counts,
                                 const lmd_tokenizer *tokenizer, bool keep_specials)
{
    enum { MOST_EDGES = 1 + 31 + 10 + 1 }; // 0, powers of two, of ten, the end
    lmd_frequency *const table = lmd_memory_new(1, sizeof *table);
    table->V = V;
    table->counts = lmd_memory_new((size_t)V, sizeof *table->counts);
    table->ranks = lmd_memory_new((size_t)V, sizeof *table->ranks);
    table->bands = lmd_memory_new((size_t)V, sizeof *table->bands);
    table->edges = lmd_memory_new(MOST_EDGES, sizeof *table->edges);
    memcpy(table->counts, counts, (size_t)V * sizeof *counts);
    rank_ids(table, tokenizer, keep_specials);
    make_edges(table);
    for (int id = 0; id < V; id++) {
        table->bands[id] = band_of(table, table->ranks[id]);
    }
    return table;
}

void lmd_frequency_free(lmd_frequency *frequency)
{
    if (frequency != NULL) {
        lmd_memory_free(frequency->counts);
        lmd_memory_free(frequency->ranks);
        lmd_memory_free(frequency->bands);
        lmd_memory_free(frequency->edges);
        lmd_memory_free(frequency);
    }
}
