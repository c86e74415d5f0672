/* Inside of lmd_spool, for the room's own files. */
#ifndef LMDEPTH_CORPUS_SPOOL_H
#define LMDEPTH_CORPUS_SPOOL_H

#include <stdint.h> /* int64_t */
#include <lmdepth/corpus.h>

typedef struct spool_chunk {
    int unit;
    int64_t stretch;
    uint64_t stamp; /* of the chunk's header */
    int64_t first_pack;
    int n_packs;
    int n_groups;
    int32_t *groups;                    /* owned (n_groups): numbers in the spool */
    int64_t (*records)[LMD_FATE_COUNT]; /* owned (n_groups) */
    int64_t n_specials;
} spool_chunk;

struct lmd_spool {
    char *folder; /* owned */
    int V;
    char **groups; /* owned (n_groups), in byte order */
    int n_groups;
    spool_chunk *chunks; /* owned (n_chunks) */
    int n_chunks;
    int32_t *pack_tokens; /* owned (n_packs) */
    int64_t n_packs;
    int64_t n_tokens;
    int64_t *token_counts; /* owned (V) */
};

lmd_spool *spool_new(const char *folder, int V);

/* An empty chunk at the end, with room for its groups and packs. */
spool_chunk *spool_add_chunk(lmd_spool *spool, int n_groups, int n_packs);

/* Sets the T of the next pack of the last chunk. */
void spool_add_pack(lmd_spool *spool, int32_t T);

#endif
