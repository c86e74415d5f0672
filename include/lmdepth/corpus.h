/* Room corpus: files to records, records to prompts, prompts to packs, packs to the
 * spool.
 *
 * The way of a text:
 *   source   a glob of files of one format                          (job file)
 *   unit     one file, or a run of consecutive small ones: read once by one rank
 *   piece    the records of a unit that start in one stretch of LMD_CHUNK_BYTES of its
 *            decompressed text: bytes that any rank can prepare
 *   chunk    a prepared piece: one file of the spool, ids and an index of packs
 *   pack     whole prompts, in corpus order, up to pack_tokens: the unit of work
 *
 * What a chunk holds depends on corpus, tokenizer and policy only, never on ranks or
 * threads, and the corpus is never whole in memory. The rules that decide numbers are
 * those of interface 1 and 1.1.
 */
#ifndef LMDEPTH_CORPUS_H
#define LMDEPTH_CORPUS_H

#include <stdbool.h>             /* bool */
#include <stddef.h>              /* size_t */
#include <stdint.h>              /* int64_t */
#include <lmdepth/base/hash.h>   /* LMD_SHA256_HEX */
#include <lmdepth/base/status.h> /* lmd_status */
#include <lmdepth/base/team.h>   /* lmd_team */
#include <lmdepth/base/text.h>   /* lmd_text */
#include <lmdepth/token.h>       /* lmd_tokenizer */

enum { LMD_CHUNK_BYTES = 16 << 20 }; /* of decompressed text */

/* ---- fates: each record has exactly one ---- */

#define LMD_FATE_LIST(X)                                                                 \
    X(USED, "used")                                                                      \
    X(SPLIT, "split")                                                                    \
    X(CUT, "cut")                                                                        \
    X(UNSAMPLED, "unsampled")                                                            \
    X(EMPTY, "empty")                                                                    \
    X(LONG, "long")                                                                      \
    X(ENCODING, "encoding")                                                              \
    X(JSON, "json")                                                                      \
    X(FIELD, "field")                                                                    \
    X(ID, "id")

typedef enum lmd_fate {
#define LMD_FATE_ENUM(name, label) LMD_FATE_##name,
    LMD_FATE_LIST(LMD_FATE_ENUM)
#undef LMD_FATE_ENUM
        LMD_FATE_COUNT
} lmd_fate;

extern const char *const lmd_fate_names[LMD_FATE_COUNT];

/* ---- the corpus: which files ---- */

typedef struct lmd_source {
    const char *path;        /* glob, already relative to the current folder */
    const char *format;      /* a row of formats.def, or "auto" */
    const char *field;       /* jsonl: key of the text, dots go into objects */
    const char *group;       /* label, NULL: "all" unless group_field */
    const char *group_field; /* jsonl: key of each record's label; NULL: none */
    const char *where;       /* for messages: "demo.yaml:7" */
} lmd_source;

typedef struct lmd_corpus lmd_corpus;

/* Expands the globs (files in byte order of their names), settles formats, plans units.
 * LMD_USAGE, with `where`: a glob without files, an unknown format or extension (with the
 * list), both group and group_field, a group_field or a field other than "text" of a
 * format without fields, a format that is not built yet. LMD_INPUT: a match that is a
 * folder or can't be read. Strings are copied. */
lmd_status lmd_corpus_open(lmd_corpus **out, const lmd_source *sources, int n_sources);
void lmd_corpus_close(lmd_corpus *corpus); /* accepts NULL */

int lmd_corpus_files(const lmd_corpus *corpus);
const char *lmd_corpus_file(const lmd_corpus *corpus, int file);
const char *lmd_corpus_file_format(const lmd_corpus *corpus, int file);
int lmd_corpus_file_source(const lmd_corpus *corpus, int file); /* index of its source */
uint64_t lmd_corpus_file_bytes(const lmd_corpus *corpus, int file); /* as stored */
int lmd_corpus_units(const lmd_corpus *corpus);
uint64_t lmd_corpus_unit_bytes(const lmd_corpus *corpus, int unit); /* as stored */

/* One line of jsonl as it is read everywhere: LMD_FATE_USED with the string under `field`
 * appended to `text`, or LMD_FATE_ENCODING, _JSON or _FIELD. With a `group_field` (else
 * NULL), its label or "(none)" is appended to `label`. */
lmd_fate lmd_corpus_parse_json(const char *line, size_t n_bytes, const char *field,
                               const char *group_field, lmd_text *text, lmd_text *label);

/* ---- policy: from records to prompts ---- */

typedef enum lmd_long {
    LMD_LONG_SPLIT,
    LMD_LONG_HEAD,
    LMD_LONG_TAIL,
    LMD_LONG_SKIP
} lmd_long;

typedef struct lmd_policy {
    int bos;    /* id put before every window; -1: none */
    int length; /* tokens of a window, BOS included */
    lmd_long when_long;
    double sample; /* share of the records */
    int64_t limit; /* first so many records that were sampled; 0: all */
    uint64_t seed;
    int pack_tokens;     /* >= length */
    int V;               /* ids must be below */
    int64_t chunk_bytes; /* of a stretch; 0: LMD_CHUNK_BYTES */
} lmd_policy;

/* ---- reading: one rank, one unit, front to back ---- */

typedef struct lmd_reader lmd_reader;

/* With a limit, reading ends behind the `limit`-th sampled record of this unit. */
lmd_status lmd_reader_open(lmd_reader **out, const lmd_corpus *corpus, int unit,
                           const lmd_policy *policy);

/* Next piece, appended to the empty `piece` (self-contained, no pointers); *more false,
 * and none, at the end. Units without a record give no piece. */
lmd_status lmd_reader_next(lmd_reader *reader, lmd_text *piece, bool *more);

/* Bytes of the unit's files, as stored, that the pieces given so far come from; about, of
 * a compressed file. */
double lmd_reader_stored(const lmd_reader *reader);

/* After the end (or the limit): sha256 of each file of the unit as stored, a line
 * "<file number> <hex>\n" each, appended. With a limit the rest of the file is read for
 * it. */
lmd_status lmd_reader_hashes(lmd_reader *reader, lmd_text *out);
void lmd_reader_close(lmd_reader *reader); /* accepts NULL */

/* ---- preparing: any rank, any piece ---- */

typedef struct lmd_preparer lmd_preparer;

/* Encoders for each member of the team; everything is borrowed. tokenizer may be NULL
 * when all sources have format ids. */
lmd_preparer *lmd_preparer_new(const lmd_corpus *corpus, const lmd_tokenizer *tokenizer,
                               const lmd_policy *policy, lmd_team *team);
void lmd_preparer_free(lmd_preparer *preparer); /* accepts NULL */

/* Chunks get this key, not 0, which stands for everything but the piece's bytes that a
 * chunk depends on; one that is there with the same key and of the same piece is then not
 * made again. */
void lmd_preparer_set_key(lmd_preparer *preparer, uint64_t key);

/* Tokenises and packs a piece and writes its chunk into `folder` (write, fsync, rename).
 * `limit` > 0: only its first so many sampled records. A bad record is counted by its
 * fate; a status means the disk (LMD_RESOURCE) or a bug. */
lmd_status lmd_preparer_work(lmd_preparer *preparer, const lmd_text *piece, int64_t limit,
                             const char *folder);

/* Was the last piece's chunk there already? */
bool lmd_preparer_has_reused(const lmd_preparer *preparer);

/* ---- the spool ---- */

typedef struct lmd_spool lmd_spool;

/* Collects the chunks of `folder` into one index (groups in byte order of their names,
 * packs in corpus order, token counts, fates), applying the policy's limit across units:
 * chunks behind the last record are left out, and the one in which it lies is prepared
 * anew by `preparer`. Damaged or missing chunks: LMD_INPUT by name. */
lmd_status lmd_spool_collect(lmd_spool **out, const lmd_corpus *corpus,
                             const lmd_policy *policy, lmd_preparer *preparer,
                             const char *folder);

/* Name of the file that holds the index in the folder. */
#define LMD_SPOOL_INDEX "spool.index"
#define LMD_SPOOL_LARGEST_INDEX ((size_t)4 << 30) /* of a billion packs */

/* Removes the spool in a folder, and the folder if it holds nothing else. Files that are
 * not a spool's stay; a folder that is not there is no error. LMD_RESOURCE. */
lmd_status lmd_spool_clear(const char *folder);

/* Removes, before preparing, what is no chunk of this key: the index, chunks of another
 * key, damaged ones, temporary files. No folder: nothing to do. */
lmd_status lmd_spool_sweep(const char *folder, uint64_t key);

/* The same of a preparation that was ended early: as far as chunks are there, whether or
 * not any of their records can be used. For counts alone. */
lmd_status lmd_spool_collect_beginning(lmd_spool **out, const lmd_corpus *corpus,
                                       const lmd_policy *policy, lmd_preparer *preparer,
                                       const char *folder);

/* The index as bytes (for other ranks and for the file LMD_SPOOL_INDEX) and back; bytes
 * are checked. `folder` is where the chunks lie. `fingerprint` is any text, compared by
 * the caller to find out whether a spool fits. */
void lmd_spool_write_index(const lmd_spool *spool, const char *fingerprint,
                           lmd_text *out);
lmd_status lmd_spool_read_index(lmd_spool **out, const void *bytes, size_t n_bytes,
                                const char *folder, lmd_text *fingerprint);

/* Is it what this policy gives: its vocabulary, and no pack longer than pack_tokens?
 * Whoever has room for that alone asks before the packs are read. LMD_INPUT. */
lmd_status lmd_spool_check(const lmd_spool *spool, const lmd_policy *policy);

/* Are its chunks there, by their headers? Their packs are checked when they are read.
 * LMD_INPUT. */
lmd_status lmd_spool_check_chunks(const lmd_spool *spool);
void lmd_spool_close(lmd_spool *spool); /* accepts NULL */

int lmd_spool_groups(const lmd_spool *spool);
const char *lmd_spool_group(const lmd_spool *spool, int group);
int lmd_spool_chunks(const lmd_spool *spool);
int64_t lmd_spool_packs(const lmd_spool *spool);
int64_t lmd_spool_tokens(const lmd_spool *spool); /* in all prompts, BOS included */
int lmd_spool_pack_tokens(const lmd_spool *spool, int64_t pack); /* its T */
int lmd_spool_pack_chunk(const lmd_spool *spool, int64_t pack);

/* (group, fate) counts of the chunks k with k % n == part; n = 1: all. */
void lmd_spool_records(const lmd_spool *spool, int part, int n, int64_t *counts);
int64_t lmd_spool_specials(const lmd_spool *spool, int part, int n);

/* Occurrences of each id (V) in all records used, split or cut, cut-off parts included,
 * BOS not. */
const int64_t *lmd_spool_token_counts(const lmd_spool *spool);

/* ---- packs ---- */

/* A prompt: one window of one record. */
typedef struct lmd_prompt {
    uint64_t key; /* the record's: h(h(file number) ^ byte offset) */
    int32_t group;
    int32_t next;   /* gold of its last position; -1: the record ends here */
    int64_t offset; /* index in the record of its first position (see below) */
    bool is_first;  /* first kept window of its record */
    bool is_last;   /* last kept window of its record */
    bool has_bos;   /* its first position is the BOS */
} lmd_prompt;

/* Positions of a record are numbered from 0, the BOS of its first window included where
 * there is one; a token's number is therefore the same in whichever window it lies. With
 * a BOS, the BOS of a later window has no number of its own: `offset` + 0 is then the
 * number of the window's first token minus 1. */
typedef struct lmd_pack {
    int T;
    int n_prompts;
    const uint32_t *ids;       /* (T) */
    const int32_t *starts;     /* (n_prompts + 1) */
    const lmd_prompt *prompts; /* (n_prompts) */
} lmd_pack;

/* Room for one pack, refilled by each read. */
typedef struct lmd_pack_room lmd_pack_room;
lmd_pack_room *lmd_pack_new_room(void);
void lmd_pack_free_room(lmd_pack_room *room);

/* Reads pack `pack` (0 .. packs-1); *out points into the room until the next read. */
lmd_status lmd_spool_read_pack(const lmd_spool *spool, int64_t pack, lmd_pack_room *room,
                               const lmd_pack **out);

#endif
