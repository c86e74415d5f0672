/* Model Unigram (Kudo 2018): of all ways to cut a text into pieces the one with the
 * largest sum of scores, by Viterbi's algorithm; a character without a piece of its own
 * costs the smallest score less ten.
 *
 * Which of two equal ways wins depends on rounding and order, so both are those of the
 * implementation the model comes from: SentencePiece keeps sums in single precision,
 * begins them anew when they are large, and prefers user-defined pieces; `tokenizers`
 * keeps them in double precision, takes neighbouring unknown characters for one text, and
 * looks that up once more. */
#include "scored_pieces.h"

#include <math.h>                /* isfinite */
#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include <lmdepth/base/text.h>   /* lmd_text_decode_utf8 */
#include "json_fields.h"
#include "pieces.h" /* lmd_spans */
#include "piece_trie.h"

static const double unknown_penalty = 10.0;

typedef struct unigram {
    lmd_token_model base;
    lmd_piece_trie *trie; /* owned */
    double *scores;       /* (n) owned */
    bool *is_fixed;       /* (n) owned; user-defined; NULL: none */
    size_t n;
    double worst;        /* of the scores of normal pieces */
    bool single_rounded; /* SentencePiece's rounding and rules */
    bool byte_fallback;
    int by_byte[256];
    int unknown; /* -1: none */
} unigram;

/* The best way to cut a text up to a place. */
typedef struct way {
    double score;
    uint32_t start; /* of its last piece; NOWHERE: the place was not reached */
    int id;         /* of its last piece; UNKNOWN: a character without one */
} way;

enum { UNKNOWN = -1 };
#define NOWHERE UINT32_MAX

/* SentencePiece 0.2.2 and later: sums beyond this are taken relative to the place. */
static const double largest_sum = 100000.0;

struct lmd_token_scratch {
    way *ways; /* (capacity) owned */
    size_t capacity;
    size_t reached;  /* the furthest place that a way leads to */
    lmd_spans spans; /* the chosen pieces, last first */
};

/* ---- making ---- */

static unigram *new_unigram(size_t n)
{
    unigram *const made = lmd_memory_new(1, sizeof *made);
    made->base.kind = &lmd_token_model_unigram;
    made->base.vocabulary = lmd_vocabulary_new();
    made->trie = lmd_piece_trie_new();
    made->scores = lmd_memory_new(n, sizeof *made->scores);
    made->n = n;
    made->worst = HUGE_VAL;
    made->unknown = -1;
    return made;
}

static void close_unigram(lmd_token_model *self)
{
    unigram *const made = (unigram *)self;
    lmd_vocabulary_free(made->base.vocabulary);
    lmd_piece_trie_free(made->trie);
    lmd_memory_free(made->scores);
    lmd_memory_free(made->is_fixed);
    lmd_memory_free(made);
}

static lmd_status add_piece(unigram *made, const char *text, size_t size, double score,
                            size_t id)
{
    if (!isfinite(score)) {
        return lmd_status_set(LMD_INPUT, "the score of piece %zu is not finite", id);
    }
    made->scores[id] = score;
    return lmd_vocabulary_add(made->base.vocabulary, text, size, (int64_t)id);
}

/* Lets a piece be found in text. */
static void use_piece(unigram *made, const char *text, size_t size, size_t id)
{
    if (size > 0) {
        lmd_piece_trie_add(made->trie, text, size, (int)id);
    }
}

static void lower_worst(unigram *made, double score)
{
    made->worst = score < made->worst ? score : made->worst;
}

static lmd_status add_scored(unigram *made, const lmd_scored_piece *piece, size_t id)
{
    if (piece->type == 0) {
        return LMD_OK;
    }
    LMD_TRY(add_piece(made, piece->text, piece->size, (double)piece->score, id));
    made->is_fixed[id] = piece->type == LMD_PIECE_USER_DEFINED;
    if (piece->type == LMD_PIECE_NORMAL) {
        lower_worst(made, (double)piece->score);
    }
    if (piece->type == LMD_PIECE_NORMAL || piece->type == LMD_PIECE_USER_DEFINED) {
        use_piece(made, piece->text, piece->size, id);
    }
    return LMD_OK;
}

lmd_status lmd_scored_unigram_open(lmd_token_model **out, const lmd_scored_pieces *pieces)
{
    unigram *const made = new_unigram(pieces->n);
    made->is_fixed = lmd_memory_new(pieces->n, sizeof *made->is_fixed);
    made->single_rounded = true;
    made->byte_fallback = pieces->byte_fallback;
    made->unknown = pieces->unknown;
    lmd_status status = LMD_OK;
    for (size_t id = 0; id < pieces->n && status == LMD_OK; id++) {
        status = add_scored(made, &pieces->at[id], id);
    }
    if (status != LMD_OK) {
        close_unigram(&made->base);
        return status;
    }
    lmd_scored_find_bytes(made->base.vocabulary, made->by_byte);
    *out = &made->base;
    return LMD_OK;
}

/* ---- reading JSON ---- */

static lmd_status read_vocabulary(unigram *made, const json_t *vocab)
{
    for (size_t id = 0; id < made->n; id++) {
        const json_t *const row = json_array_get(vocab, id);
        const json_t *const text = json_array_get(row, 0);
        const json_t *const score = json_array_get(row, 1);
        if (json_array_size(row) != 2 || !json_is_string(text) ||
            !json_is_number(score)) {
            return lmd_status_set(LMD_INPUT, "vocab: number %zu is no piece and score",
                                  id);
        }
        const char *const bytes = json_string_value(text);
        const size_t size = json_string_length(text);
        const double number = lmd_json_rust_number(json_number_value(score));
        LMD_TRY(lmd_status_within(add_piece(made, bytes, size, number, id), "vocab"));
        lower_worst(made, number);
        use_piece(made, bytes, size, id);
    }
    return LMD_OK;
}

static lmd_status read_unigram(unigram *made, json_t *json)
{
    const json_t *const unknown = json_object_get(json, "unk_id");
    LMD_TRY(lmd_json_check_keys(json, "type unk_id vocab byte_fallback"));
    LMD_TRY(lmd_json_get_bool(json, "byte_fallback", false, &made->byte_fallback));
    if (json_is_integer(unknown)) {
        const json_int_t id = json_integer_value(unknown);
        if (id < 0 || (uint64_t)id >= made->n) {
            return lmd_status_set(LMD_INPUT, "unk_id: %lld is not in the vocabulary",
                                  (long long)id);
        }
        made->unknown = (int)id;
    } else if (unknown != NULL && !json_is_null(unknown)) {
        return lmd_status_set(LMD_INPUT, "unk_id: no integer");
    }
    LMD_TRY(read_vocabulary(made, json_object_get(json, "vocab")));
    lmd_scored_find_bytes(made->base.vocabulary, made->by_byte);
    return LMD_OK;
}

static lmd_status open_unigram(lmd_token_model **out, json_t *json)
{
    const json_t *const vocab = json_object_get(json, "vocab");
    if (!json_is_array(vocab) || json_array_size(vocab) >= LMD_VOCABULARY_IDS) {
        return lmd_status_set(LMD_INPUT, "vocab: no list");
    }
    unigram *const made = new_unigram(json_array_size(vocab));
    const lmd_status status = read_unigram(made, json);
    if (status != LMD_OK) {
        close_unigram(&made->base);
        return status;
    }
    *out = &made->base;
    return LMD_OK;
}

/* ---- encoding ---- */

static lmd_token_scratch *new_unigram_scratch(const lmd_token_model *self)
{
    (void)self;
    return lmd_memory_new(1, sizeof(lmd_token_scratch));
}

static void free_unigram_scratch(lmd_token_scratch *scratch)
{
    lmd_memory_free(scratch->ways);
    lmd_memory_free(scratch->spans.at);
    lmd_memory_free(scratch);
}

static void start(lmd_token_scratch *scratch, size_t size)
{
    if (size + 1 > scratch->capacity) {
        scratch->capacity = size + size / 2 + 64;
        scratch->ways =
            lmd_memory_resize(scratch->ways, scratch->capacity, sizeof *scratch->ways);
    }
    for (size_t i = 0; i <= size; i++) {
        scratch->ways[i].start = NOWHERE;
    }
    scratch->ways[0] = (way){0.0, 0, UNKNOWN};
    scratch->reached = 0;
}

static double rounded(const unigram *made, double value)
{
    return made->single_rounded ? (double)(float)value : value;
}

static void offer(const unigram *made, way *to, double score, size_t start_of_piece,
                  int id)
{
    score = rounded(made, score);
    if (to->start == NOWHERE || score > to->score) {
        *to = (way){score, (uint32_t)start_of_piece, id};
    }
}

/* User-defined pieces are always to win. */
static double score_of(const unigram *made, int id, size_t length)
{
    if (made->is_fixed == NULL || !made->is_fixed[id]) {
        return made->scores[id];
    }
    return (double)(float)(0.1 * (double)(length - 1));
}

/* Lets the sums from `at` on begin at zero there, when they are large. */
static void restart_sums(const unigram *made, lmd_token_scratch *scratch, size_t at)
{
    way *const ways = scratch->ways;
    const float sum = (float)ways[at].score;
    if (!made->single_rounded || fabs((double)sum) <= largest_sum) {
        return;
    }
    for (size_t i = at; i <= scratch->reached; i++) {
        if (ways[i].start != NOWHERE) {
            ways[i].score = (double)((float)ways[i].score - sum);
        }
    }
}

/* Extends the best way to `at` by every piece that stands there; returns the length of
 * the character there. */
static size_t extend(const unigram *made, lmd_token_scratch *scratch, const char *text,
                     size_t size, size_t at)
{
    way *const ways = scratch->ways;
    uint32_t c = 0;
    uint32_t node = 0;
    int id = -1;
    bool has_character = false;
    const size_t n = lmd_text_decode_utf8(text + at, &c);
    for (size_t end = at;
         end < size &&
         lmd_piece_trie_step(made->trie, (unsigned char)text[end], &node, &id);
         end++) {
        if (id >= 0) {
            const size_t length = end + 1 - at;
            offer(made, &ways[end + 1], score_of(made, id, length) + ways[at].score, at,
                  id);
            has_character = has_character || length == n;
            scratch->reached = end + 1 > scratch->reached ? end + 1 : scratch->reached;
        }
    }
    if (!has_character) {
        scratch->reached = at + n > scratch->reached ? at + n : scratch->reached;
        const double unknown_score = rounded(made, made->worst - unknown_penalty);
        offer(made, &ways[at + n], unknown_score + ways[at].score, at, UNKNOWN);
    }
    return n;
}

/* The pieces of the best way, last first; for `tokenizers` neighbours that are unknown
 * are one. */
static void collect(const unigram *made, lmd_token_scratch *scratch, size_t size)
{
    lmd_spans *const spans = &scratch->spans;
    bool was_unknown = false;
    spans->count = 0;
    for (size_t end = size; end > 0; end = scratch->ways[end].start) {
        const bool is_unknown =
            scratch->ways[end].id == UNKNOWN || scratch->ways[end].id == made->unknown;
        if (is_unknown && was_unknown && !made->single_rounded) {
            spans->at[spans->count - 1].begin = scratch->ways[end].start;
        } else {
            lmd_spans_append(spans, scratch->ways[end].start, end);
        }
        was_unknown = is_unknown;
    }
}

static lmd_status append_span(const unigram *made, const way *ways, const char *text,
                              lmd_span span, bool *is_unknown, lmd_ids *out)
{
    const size_t size = span.end - span.begin;
    const way *const last = &ways[span.end];
    int id = last->id;
    if ((id == UNKNOWN || id == made->unknown) && !made->single_rounded) {
        id = lmd_vocabulary_find(made->base.vocabulary, text + span.begin, size);
    }
    if (id == UNKNOWN) {
        return lmd_scored_append_unknown(made->byte_fallback ? made->by_byte : NULL,
                                         made->unknown, text + span.begin, size,
                                         is_unknown, out);
    }
    const uint32_t number = (uint32_t)id;
    lmd_ids_append(out, &number, 1);
    *is_unknown = false;
    return LMD_OK;
}

static lmd_status encode_unigram(const lmd_token_model *self, lmd_token_scratch *scratch,
                                 const char *piece, size_t size, lmd_ids *out)
{
    const unigram *const made = (const unigram *)self;
    if (size >= NOWHERE) {
        return lmd_status_set(LMD_INPUT, "a text of %zu bytes is too long", size);
    }
    start(scratch, size);
    for (size_t at = 0; at < size;) {
        restart_sums(made, scratch, at);
        at += extend(made, scratch, piece, size, at);
    }
    collect(made, scratch, size);
    bool is_unknown = false;
    for (size_t i = scratch->spans.count; i-- > 0;) {
        LMD_TRY(append_span(made, scratch->ways, piece, scratch->spans.at[i], &is_unknown,
                            out));
    }
    return LMD_OK;
}

const lmd_token_model_kind lmd_token_model_unigram = {
    "Unigram",     "Unigram",           open_unigram,
    close_unigram, new_unigram_scratch, free_unigram_scratch,
    encode_unigram};
