/* SentencePiece's byte-pair encoding (Kudo and Richardson 2018): of all neighbours that
 * make a piece together, the pair whose piece has the best score merges first, of equals
 * the leftmost.
 *
 * Which texts can merge is known beforehand, so every cut of a piece into two that can
 * stand there (pieces, or characters that are none) becomes a merge whose rank is the
 * place of the score, and bpe_merge.c does the rest. Characters that occur in no piece,
 * and user-defined pieces, merge with nothing: they end a run. Where no piece has a space
 * mark behind another character, nothing merges across that place, and the text may be
 * cut into words there, which a cache remembers. */
#include "scored_pieces.h"

#include <math.h>                /* isfinite */
#include <stdlib.h>              /* qsort */
#include <string.h>              /* memcmp */
#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include <lmdepth/base/text.h>   /* lmd_text_decode_utf8 */
#include "bpe_merge.h"
#include "word_cache.h"

/* Pieces have some tens of bytes; all cuts of longer ones would be slow to list. */
enum { LONGEST_PIECE = 1024, MARK_SIZE = 3 };

typedef struct scored_bpe {
    lmd_token_model base;
    lmd_vocabulary *symbols; /* owned; pieces that may come about: their ids; characters
                                in them that are none: numbers from n_ids on */
    lmd_vocabulary *fixed;   /* owned; user-defined pieces */
    size_t longest_fixed;
    uint32_t n_ids;
    lmd_merges *merges; /* owned */
    bool cuts_words;
    bool byte_fallback;
    int by_byte[256];
    int unknown;
} scored_bpe;

struct lmd_token_scratch {
    lmd_word_cache *cache; /* owned */
    lmd_merge_scratch merge;
    lmd_ids run;  /* symbols that may merge */
    lmd_ids word; /* ids of the word so far */
    bool is_unknown;
};

static void close_scored(lmd_token_model *self)
{
    scored_bpe *const bpe = (scored_bpe *)self;
    lmd_vocabulary_free(bpe->base.vocabulary);
    lmd_vocabulary_free(bpe->symbols);
    lmd_vocabulary_free(bpe->fixed);
    lmd_merges_free(bpe->merges);
    lmd_memory_free(bpe);
}

/* ---- making ---- */

static lmd_status add_piece(scored_bpe *bpe, const lmd_scored_piece *piece, size_t id)
{
    if (piece->type == 0) {
        return LMD_OK;
    }
    if (piece->size > LONGEST_PIECE) {
        return lmd_status_set(LMD_INPUT, "piece %zu has %zu bytes, %d are the limit", id,
                              piece->size, LONGEST_PIECE);
    }
    if (!isfinite(piece->score)) {
        return lmd_status_set(LMD_INPUT, "the score of piece %zu is not finite", id);
    }
    LMD_TRY(
        lmd_vocabulary_add(bpe->base.vocabulary, piece->text, piece->size, (int64_t)id));
    if (piece->size > 0 && piece->type == LMD_PIECE_USER_DEFINED) {
        bpe->longest_fixed =
            piece->size > bpe->longest_fixed ? piece->size : bpe->longest_fixed;
        return lmd_vocabulary_add(bpe->fixed, piece->text, piece->size, (int64_t)id);
    }
    const bool merges =
        piece->type == LMD_PIECE_NORMAL || piece->type == LMD_PIECE_UNUSED;
    return piece->size > 0 && merges
               ? lmd_vocabulary_add(bpe->symbols, piece->text, piece->size, (int64_t)id)
               : LMD_OK;
}

/* The number of a text that may stand as half of a piece; -1 when it may not. */
static int64_t number_of_half(scored_bpe *bpe, const char *text, size_t size)
{
    uint32_t c = 0;
    const int known = lmd_vocabulary_find(bpe->symbols, text, size);
    if (known >= 0 || lmd_text_decode_utf8(text, &c) != size) {
        return known;
    }
    const int end = lmd_vocabulary_end(bpe->symbols);
    const int64_t number = end > (int)bpe->n_ids ? end : (int64_t)bpe->n_ids;
    return lmd_vocabulary_add(bpe->symbols, text, size, number) == LMD_OK ? number : -1;
}

static lmd_status add_cuts(scored_bpe *bpe, const lmd_scored_piece *piece, size_t id,
                           uint32_t rank)
{
    uint32_t c = 0;
    for (size_t i = lmd_text_decode_utf8(piece->text, &c); i < piece->size;
         i += lmd_text_decode_utf8(piece->text + i, &c)) {
        const int64_t left = number_of_half(bpe, piece->text, i);
        const int64_t right = number_of_half(bpe, piece->text + i, piece->size - i);
        if (left < 0 || right < 0) {
            continue;
        }
        if (piece->type == LMD_PIECE_UNUSED) {
            return lmd_status_set(LMD_INPUT,
                                  "piece %zu is unused, which is not supported for a "
                                  "piece that others merge to",
                                  id);
        }
        lmd_merges_add_ranked(bpe->merges, (uint32_t)left, (uint32_t)right, (uint32_t)id,
                              rank);
    }
    return LMD_OK;
}

static int compare_descending(const void *left, const void *right)
{
    const float a = *(const float *)left;
    const float b = *(const float *)right;
    return (a < b) - (a > b);
}

/* How many different scores are better. */
static uint32_t rank_of_score(const float *scores, size_t n, float score)
{
    size_t low = 0;
    size_t high = n;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (scores[middle] > score) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return (uint32_t)low;
}

static lmd_status add_merges(scored_bpe *bpe, const lmd_scored_pieces *pieces)
{
    float *const scores = lmd_memory_new(pieces->n, sizeof *scores);
    for (size_t id = 0; id < pieces->n; id++) {
        scores[id] = pieces->at[id].score;
    }
    qsort(scores, pieces->n, sizeof *scores, compare_descending);
    lmd_status status = LMD_OK;
    for (size_t id = 0; id < pieces->n && status == LMD_OK; id++) {
        const lmd_scored_piece *const piece = &pieces->at[id];
        // A text that two ids have is the later one's.
        if (lmd_vocabulary_find(bpe->symbols, piece->text, piece->size) == (int)id) {
            status =
                add_cuts(bpe, piece, id, rank_of_score(scores, pieces->n, piece->score));
        }
    }
    lmd_memory_free(scores);
    return status;
}

/* Does a space mark stand behind another character? */
static bool has_inner_mark(const lmd_scored_piece *piece)
{
    bool was_other = false;
    for (size_t i = 0; i < piece->size;) {
        uint32_t c = 0;
        i += lmd_text_decode_utf8(piece->text + i, &c);
        if (c == 0x2581 && was_other) {
            return true;
        }
        was_other = c != 0x2581;
    }
    return false;
}

static bool may_cut_words(const scored_bpe *bpe, const lmd_scored_pieces *pieces)
{
    for (size_t id = 0; id < pieces->n; id++) {
        const int type = pieces->at[id].type;
        if ((type == LMD_PIECE_NORMAL || type == LMD_PIECE_USER_DEFINED) &&
            has_inner_mark(&pieces->at[id])) {
            return false;
        }
    }
    const int mark = lmd_vocabulary_find(bpe->symbols, LMD_SPACE_MARK, MARK_SIZE);
    return mark >= 0 && mark < (int)bpe->n_ids;
}

static lmd_status fill(scored_bpe *bpe, const lmd_scored_pieces *pieces)
{
    for (size_t id = 0; id < pieces->n; id++) {
        LMD_TRY(add_piece(bpe, &pieces->at[id], id));
    }
    LMD_TRY(add_merges(bpe, pieces));
    lmd_scored_find_bytes(bpe->base.vocabulary, bpe->by_byte);
    bpe->cuts_words = may_cut_words(bpe, pieces);
    return LMD_OK;
}

static const lmd_token_model_kind scored_kind;

lmd_status lmd_scored_bpe_open(lmd_token_model **out, const lmd_scored_pieces *pieces)
{
    scored_bpe *const bpe = lmd_memory_new(1, sizeof *bpe);
    bpe->base.kind = &scored_kind;
    bpe->base.vocabulary = lmd_vocabulary_new();
    bpe->symbols = lmd_vocabulary_new();
    bpe->fixed = lmd_vocabulary_new();
    bpe->merges = lmd_merges_new();
    bpe->n_ids = (uint32_t)pieces->n;
    bpe->unknown = pieces->unknown;
    bpe->byte_fallback = pieces->byte_fallback;
    const lmd_status status = fill(bpe, pieces);
    if (status != LMD_OK) {
        close_scored(&bpe->base);
        return status;
    }
    *out = &bpe->base;
    return LMD_OK;
}

/* ---- encoding ---- */

static lmd_token_scratch *new_scored_scratch(const lmd_token_model *self)
{
    (void)self;
    lmd_token_scratch *const scratch = lmd_memory_new(1, sizeof *scratch);
    scratch->cache = lmd_word_cache_new();
    return scratch;
}

static void free_scored_scratch(lmd_token_scratch *scratch)
{
    lmd_word_cache_free(scratch->cache);
    lmd_merge_scratch_clear(&scratch->merge);
    lmd_ids_clear(&scratch->run);
    lmd_ids_clear(&scratch->word);
    lmd_memory_free(scratch);
}

static lmd_status append_unknown(const scored_bpe *bpe, lmd_token_scratch *scratch,
                                 const char *character, size_t size)
{
    return lmd_scored_append_unknown(bpe->byte_fallback ? bpe->by_byte : NULL,
                                     bpe->unknown, character, size, &scratch->is_unknown,
                                     &scratch->word);
}

static void append_id(lmd_token_scratch *scratch, uint32_t id)
{
    lmd_ids_append(&scratch->word, &id, 1);
    scratch->is_unknown = false;
}

/* The end of a run: its symbols merge and become ids. */
static lmd_status end_run(const scored_bpe *bpe, lmd_token_scratch *scratch)
{
    lmd_ids *const run = &scratch->run;
    run->count = lmd_merges_apply(bpe->merges, &scratch->merge, run->ids, run->count);
    for (size_t i = 0; i < run->count; i++) {
        if (run->ids[i] < bpe->n_ids) {
            append_id(scratch, run->ids[i]);
        } else {
            size_t size = 0;
            const char *const character =
                lmd_vocabulary_piece(bpe->symbols, (int)run->ids[i], &size);
            LMD_TRY(append_unknown(bpe, scratch, character, size));
        }
    }
    run->count = 0;
    return LMD_OK;
}

/* The longest user-defined piece at the beginning of a text; its size is 0 when there is
 * none. */
static int find_fixed(const scored_bpe *bpe, const char *text, size_t size, size_t *taken)
{
    for (size_t n = size < bpe->longest_fixed ? size : bpe->longest_fixed; n > 0; n--) {
        const int id = lmd_vocabulary_find(bpe->fixed, text, n);
        if (id >= 0) {
            *taken = n;
            return id;
        }
    }
    *taken = 0;
    return -1;
}

static lmd_status encode_word(const scored_bpe *bpe, lmd_token_scratch *scratch,
                              const char *word, size_t size)
{
    for (size_t i = 0; i < size;) {
        size_t n = 0;
        const int fixed = find_fixed(bpe, word + i, size - i, &n);
        if (fixed >= 0) {
            LMD_TRY(end_run(bpe, scratch));
            append_id(scratch, (uint32_t)fixed);
            i += n;
            continue;
        }
        uint32_t c = 0;
        n = lmd_text_decode_utf8(word + i, &c);
        const int symbol = lmd_vocabulary_find(bpe->symbols, word + i, n);
        if (symbol >= 0) {
            const uint32_t number = (uint32_t)symbol;
            lmd_ids_append(&scratch->run, &number, 1);
        } else {
            LMD_TRY(end_run(bpe, scratch));
            LMD_TRY(append_unknown(bpe, scratch, word + i, n));
        }
        i += n;
    }
    return end_run(bpe, scratch);
}

/* Where the word at the beginning of a text ends: before the next space mark that stands
 * behind another character. */
static size_t end_of_word(const scored_bpe *bpe, const char *text, size_t size)
{
    size_t at = 0;
    while (bpe->cuts_words && at + MARK_SIZE <= size &&
           memcmp(text + at, LMD_SPACE_MARK, MARK_SIZE) == 0) {
        at += MARK_SIZE;
    }
    const char *const next =
        bpe->cuts_words ? memmem(text + at, size - at, LMD_SPACE_MARK, MARK_SIZE) : NULL;
    return next == NULL ? size : (size_t)(next - text);
}

static lmd_status encode_cached(const scored_bpe *bpe, lmd_token_scratch *scratch,
                                const char *word, size_t size, lmd_ids *out)
{
    size_t n = 0;
    const uint32_t *const known = lmd_word_cache_get(scratch->cache, word, size, &n);
    if (known != NULL) {
        lmd_ids_append(out, known, n);
        return LMD_OK;
    }
    scratch->run.count = 0;
    scratch->word.count = 0;
    scratch->is_unknown = false;
    LMD_TRY(encode_word(bpe, scratch, word, size));
    lmd_word_cache_put(scratch->cache, word, size, scratch->word.ids,
                       scratch->word.count);
    lmd_ids_append(out, scratch->word.ids, scratch->word.count);
    return LMD_OK;
}

static lmd_status encode_scored(const lmd_token_model *self, lmd_token_scratch *scratch,
                                const char *piece, size_t size, lmd_ids *out)
{
    const scored_bpe *const bpe = (const scored_bpe *)self;
    if (size >= UINT32_MAX) {
        return lmd_status_set(LMD_INPUT, "a text of %zu bytes is too long", size);
    }
    for (size_t i = 0; i < size;) {
        const size_t n = end_of_word(bpe, piece + i, size - i);
        LMD_TRY(encode_cached(bpe, scratch, piece + i, n, out));
        i += n;
    }
    return LMD_OK;
}

static const lmd_token_model_kind scored_kind = {
    .type = "SentencePiece BPE",
    .description = "SentencePiece BPE",
    .close = close_scored,
    .new_scratch = new_scored_scratch,
    .free_scratch = free_scored_scratch,
    .encode = encode_scored,
};
