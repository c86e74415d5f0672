/* Room token: text to the ids that Hugging Face gives, and how frequent ids are.
 *
 * A tokenizer is read once and then immutable, shared by all threads; each thread has an
 * encoder of its own (regex match data, scratch, word cache). Special-token strings in
 * the text are parsed as Hugging Face does by default. No BOS or EOS is added here:
 * lmd_token_adds_bos tells what Hugging Face would do.
 */
#ifndef LMDEPTH_TOKEN_H
#define LMDEPTH_TOKEN_H

#include <stdbool.h>             /* bool */
#include <stddef.h>              /* size_t */
#include <stdint.h>              /* int64_t, uint32_t */
#include <lmdepth/base/hash.h>   /* LMD_SHA256_HEX */
#include <lmdepth/base/status.h> /* lmd_status */
#include <lmdepth/base/text.h>   /* lmd_text */

/* ---- tokenizers ---- */

typedef struct lmd_tokenizer lmd_tokenizer;

/* Opens `path`: a tokenizer.json, a tokenizer.model (SentencePiece), a vocab.json with
 * merges.txt beside it, a .gguf file (with or without tensors), or a model folder (the
 * first of these that is there; of .gguf files the only one, or the first part of the
 * only one). tokenizer_config.json beside the file counts: add_bos_token, bos_token and,
 * where there is no tokenizer.json, tokenizer_class and added_tokens_decoder; then, for a
 * BOS, config.json. LMD_USAGE when the path does not exist;
 * LMD_INPUT for a folder without a tokenizer, damage, and every component that is not
 * supported, which is named. */
lmd_status lmd_token_open(lmd_tokenizer **out, const char *path);
void lmd_token_close(lmd_tokenizer *tokenizer); /* accepts NULL */

/* The file that was read and its sha256 (for a .gguf: of the vocabulary's metadata, not
 * of the tensors), and a line for people: "byte-level BPE, 49152 ids, smollm". */
const char *lmd_token_path(const lmd_tokenizer *tokenizer);
const char *lmd_token_sha256(const lmd_tokenizer *tokenizer);
const char *lmd_token_describe(const lmd_tokenizer *tokenizer);

/* One more than the largest id. */
int lmd_token_vocab(const lmd_tokenizer *tokenizer);

/* BOS id, -1 when none is known; does Hugging Face add it by default (bos: auto)? It may
 * be said that a BOS is to be added and not which. */
int lmd_token_bos(const lmd_tokenizer *tokenizer);
bool lmd_token_adds_bos(const lmd_tokenizer *tokenizer);

/* Special: `special: true` among added tokens; GGUF types control and unknown. */
bool lmd_token_is_special(const lmd_tokenizer *tokenizer, int id);

/* The bytes an id stands for, for figures and messages: byte-level pieces are mapped back
 * to raw bytes, others are given as written. Size 0 for an id without a token. The
 * result is borrowed from the tokenizer. */
const char *lmd_token_piece(const lmd_tokenizer *tokenizer, int id, size_t *size);

/* ---- encoding ---- */

typedef struct lmd_encoder lmd_encoder; /* one a thread */

/* A growing list of ids; {0} is an empty one. */
typedef struct lmd_ids {
    uint32_t *ids; /* owned */
    size_t count;
    size_t capacity;
} lmd_ids;

void lmd_ids_clear(lmd_ids *ids);
void lmd_ids_append(lmd_ids *ids, const uint32_t *values, size_t n);

/* The tokenizer is borrowed and must outlive the encoder. */
lmd_encoder *lmd_token_new_encoder(const lmd_tokenizer *tokenizer);
void lmd_token_free_encoder(lmd_encoder *encoder); /* accepts NULL */

/* Appends the ids of `text` (well-formed UTF-8, may hold zero bytes) to `out` and adds
 * the number of special-token strings found in it to *n_specials (may be NULL). Memory
 * and time are linear in the text, whatever it holds (n log n in a single word). A
 * character for which the vocabulary has no piece, no bytes and no unknown token is left
 * out, as Hugging Face does, with a warning once. LMD_INPUT only for ill-formed UTF-8 and
 * for such a character when an unknown token is named but is not in the vocabulary;
 * LMD_RESOURCE when a regular expression runs out of memory or of patience; LMD_INPUT
 * when a normalizer blows a text up. */
lmd_status lmd_token_encode(lmd_encoder *encoder, const char *text, size_t n_bytes,
                            lmd_ids *out, int64_t *n_specials);

/* ---- frequency ---- */

/* How frequent each id of a vocabulary is (method 2.1): rank 1 is the most frequent,
 * equal counts in order of id; ids that never occur and, unless kept, special ones have
 * rank 0. Bands: number 0 is `unranked` [0, 1), then ranks between lower edges at the
 * sorted union of the powers of two and 10^k + 1 below V (and 1); the last band ends
 * at V + 1. */
typedef struct lmd_frequency {
    int V;           /* rows of the unembedding */
    int64_t *counts; /* (V) owned */
    int32_t *ranks;  /* (V) owned; 0: unranked */
    int32_t *bands;  /* (V) owned; band of each id */
    int n_bands;
    int32_t *edges; /* (n_bands + 1) owned; band b holds ranks [edges[b], edges[b + 1]) */
} lmd_frequency;

/* From counts (V), copied. `keep_specials`: frequency.specials: keep. */
lmd_frequency *lmd_frequency_new(int V, const int64_t *counts,
                                 const lmd_tokenizer *tokenizer, bool keep_specials);
/* Bands of a vocabulary of V, for planning. */
int lmd_frequency_count_bands(int V);

void lmd_frequency_free(lmd_frequency *frequency); /* accepts NULL */

/* Reads counts (V) of a frequency file: the depth paper's JSON {"<id>": {"count": n,
 * ...}, ...} or TSV lines id<TAB>count, # comments; plain, .zst or .gz. Ids not listed
 * count 0; an id twice or outside [0, V): LMD_INPUT with line or key; so is a file
 * without any id, unless it has the "# vocabulary" of `lmdepth count`. A missing file:
 * LMD_USAGE. */
lmd_status lmd_frequency_read(const char *path, int V, int64_t *counts,
                              char sha256[LMD_SHA256_HEX]);

/* A frequency file as `lmdepth count` writes it, to be summed with others. Lines of its
 * comments:
 *     # vocabulary 49152           rows of the unembedding
 *     # tokenizer <sha256>         or none (format ids)
 *     # tokens 1234                the sum of the counts
 *     # input <sha256>  <name>     a file of the corpus
 * Any other comment is kept as it is. A file of another program may have none of them. */
typedef struct lmd_frequency_table {
    int64_t *counts; /* owned (n) */
    int n;
    int vocabulary;                 /* 0: not known */
    char tokenizer[LMD_SHA256_HEX]; /* "": not known */
    lmd_text inputs;                /* lines "<sha256>  <name>" */
    lmd_text comments;              /* lines, with their # */
} lmd_frequency_table;

/* Reads what lmd_frequency_read reads, without being told of a vocabulary. LMD_USAGE: no
 * such file. LMD_INPUT with line or key. To be cleared in any case. */
lmd_status lmd_frequency_load(const char *path, lmd_frequency_table *table);
void lmd_frequency_clear(lmd_frequency_table *table);

/* Adds counts, inputs and those comments that are not there yet. LMD_USAGE when
 * vocabulary or tokenizer are known and differ; LMD_INPUT when a sum overflows. */
lmd_status lmd_frequency_add(lmd_frequency_table *sum, const lmd_frequency_table *more);

/* The file's bytes, appended. */
void lmd_frequency_write(const lmd_frequency_table *table, lmd_text *out);

#endif
