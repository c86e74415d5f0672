/* A chunk: one file of the spool. All integers are little-endian.
 *
 *     header    HEADER_BYTES, with a checksum of itself and one of the tables
 *     packs     each: prompts (32 bytes each), then ids (u32 each)
 *     tables    record counts (group, fate), i64
 *               sizes of the groups' names, u32; the names
 *               token counts: id u32, count i64
 *               packs: at u64, T u32, prompts u32, checksum u64
 *
 * The tables are read once, when the spool is collected; a pack is read by its row of the
 * last table, which ends with the file, and is checked by its own checksum. */
#ifndef LMDEPTH_CORPUS_CHUNK_H
#define LMDEPTH_CORPUS_CHUNK_H

#include <stdbool.h>           /* bool */
#include <stdint.h>            /* int64_t */
#include <lmdepth/base/file.h> /* lmd_file */
#include <lmdepth/corpus.h>    /* lmd_fate */
#include "labels.h"

/* What is known of a chunk without its packs. */
typedef struct chunk_head {
    int V;
    int unit;
    bool is_last; /* of the unit */
    int64_t stretch;
    int64_t previous; /* stretch of the chunk before in the unit; -1: none */
    int n_groups;
    int n_packs;
    uint64_t n_names;  /* bytes */
    uint64_t n_counts; /* ids that occur */
    int64_t n_specials;
    int64_t n_trailing; /* records behind the last sampled one */
    uint64_t tables_at;
    uint64_t tables_sum;
    uint64_t key;       /* of the preparation: corpus.h */
    uint64_t piece_sum; /* checksum of the piece that it was made from */
    uint64_t stamp;     /* checksum of all the above, and so of the chunk */
} chunk_head;

/* Owned by the caller. */
char *chunk_path(const char *folder, int unit, int64_t stretch);

/* ---- writing ---- */

/* A chunk that grows by prompts and counts. */
typedef struct chunk_writer {
    chunk_head head;
    corpus_labels groups;
    int64_t (*records)[LMD_FATE_COUNT]; /* owned (groups.count) */
    int n_records_room;
    int pack_tokens;
    lmd_text image;   /* header and packs */
    lmd_text table;   /* of packs */
    lmd_text prompts; /* of the pack that grows */
    lmd_text ids;
    int n_prompts;
} chunk_writer;

/* Begins a chunk; `head` gives V, unit, is_last, stretch, previous, key, piece_sum. */
void chunk_begin(chunk_writer *writer, const chunk_head *head, int pack_tokens);
void chunk_clear(chunk_writer *writer);

/* Number of a group in the chunk. */
int chunk_group(chunk_writer *writer, const char *name, size_t n_bytes);

void chunk_count_record(chunk_writer *writer, int group, lmd_fate fate);

/* Adds a prompt: the BOS (-1: none) and n ids. A pack that it does not fit into is closed
 * before. */
void chunk_add_prompt(chunk_writer *writer, const lmd_prompt *prompt, int bos,
                      const uint32_t *ids, size_t n);

/* Writes the file; token_counts (V). */
lmd_status chunk_finish(chunk_writer *writer, const int64_t *token_counts,
                        const char *folder);

/* ---- reading ---- */

/* LMD_INPUT, with the path, for what is no whole chunk. */
lmd_status chunk_read_head(const lmd_file *file, chunk_head *head);

/* The tables of a chunk in memory. */
typedef struct chunk_tables {
    lmd_text bytes; /* owned; the rest points into it */
    const char *records;
    const char *name_sizes;
    const char *names;
    const char *counts;
    const char *packs;
    int64_t total; /* of all counts */
} chunk_tables;

lmd_status chunk_read_tables(const lmd_file *file, const chunk_head *head,
                             chunk_tables *tables);

typedef struct chunk_pack {
    uint64_t at;
    uint32_t T;
    uint32_t n_prompts;
    uint64_t sum;
} chunk_pack;

enum { CHUNK_PACK_BYTES = 24, CHUNK_COUNT_BYTES = 12, CHUNK_PROMPT_BYTES = 32 };

/* Row i of the table of packs. */
chunk_pack chunk_parse_pack(const char *row);
lmd_status chunk_read_pack(const lmd_file *file, const chunk_head *head, int i,
                           chunk_pack *pack);

/* Where a row's pack must lie, and how large it is. */
bool chunk_holds_pack(const chunk_head *head, const chunk_pack *pack);
size_t chunk_pack_size(const chunk_pack *pack);

/* Prompt i of a pack's bytes; the group is the chunk's. */
void chunk_parse_prompt(const char *bytes, int i, lmd_prompt *prompt, uint32_t *n_ids);

lmd_status chunk_refuse(const lmd_file *file, const char *what);

#endif
