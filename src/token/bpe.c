/* Model BPE: a word's characters become ids, neighbours merge in order of rank.
 *
 * A character that the vocabulary lacks becomes its <0xAB> bytes (byte_fallback), else
 * the unknown token, else nothing at all, as in `tokenizers`; the last is told once.
 * Settings that alter the result and are not done here (dropout, prefixes and suffixes of
 * subwords) are refused by name. */
#include "bpe.h"

#include <stdio.h>               /* snprintf */
#include <string.h>              /* memcpy, memchr */
#include <lmdepth/base/log.h>    /* lmd_log_warn */
#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include <lmdepth/base/text.h>   /* lmd_text_decode_utf8 */
#include "json_fields.h"
#include "word_cache.h"

struct lmd_token_scratch {
    lmd_word_cache *cache; /* owned */
    lmd_merge_scratch merge;
    lmd_ids symbols;
};

/* ---- making ---- */

lmd_bpe *lmd_bpe_new(void)
{
    lmd_bpe *const bpe = lmd_memory_new(1, sizeof *bpe);
    bpe->base.kind = &lmd_token_model_bpe;
    bpe->base.vocabulary = lmd_vocabulary_new();
    bpe->merges = lmd_merges_new();
    return bpe;
}

static void close_bpe(lmd_token_model *self)
{
    lmd_bpe *const bpe = (lmd_bpe *)self;
    lmd_vocabulary_free(bpe->base.vocabulary);
    lmd_merges_free(bpe->merges);
    lmd_memory_free(bpe);
}

void lmd_bpe_seal(lmd_bpe *bpe)
{
    for (uint32_t c = 0; c < sizeof bpe->by_character / sizeof *bpe->by_character; c++) {
        char bytes[4];
        const size_t size = lmd_text_encode_utf8(c, bytes);
        bpe->by_character[c] = lmd_vocabulary_find(bpe->base.vocabulary, bytes, size);
    }
    for (unsigned byte = 0; byte < 256; byte++) {
        char name[8];
        const int size = snprintf(name, sizeof name, "<0x%02X>", byte);
        bpe->by_byte[byte] =
            lmd_vocabulary_find(bpe->base.vocabulary, name, (size_t)size);
    }
}

static lmd_status find_piece(const lmd_bpe *bpe, const char *piece, size_t size, int *id)
{
    *id = lmd_vocabulary_find(bpe->base.vocabulary, piece, size);
    return *id >= 0 ? LMD_OK
                    : lmd_status_set(LMD_INPUT, "merges: %.*s is not in the vocabulary",
                                     (int)(size < 60 ? size : 60), piece);
}

lmd_status lmd_bpe_add_merge(lmd_bpe *bpe, const char *left, size_t left_size,
                             const char *right, size_t right_size)
{
    int ids[3] = {-1, -1, -1};
    LMD_TRY(find_piece(bpe, left, left_size, &ids[0]));
    LMD_TRY(find_piece(bpe, right, right_size, &ids[1]));
    lmd_text merged = {0};
    lmd_text_append(&merged, left, left_size);
    lmd_text_append(&merged, right, right_size);
    const lmd_status status =
        find_piece(bpe, lmd_text_string(&merged), merged.size, &ids[2]);
    if (status == LMD_OK) {
        lmd_merges_add(bpe->merges, (uint32_t)ids[0], (uint32_t)ids[1], (uint32_t)ids[2]);
    }
    lmd_text_clear(&merged);
    return status;
}

lmd_status lmd_bpe_add_merge_line(lmd_bpe *bpe, const char *line, size_t size)
{
    if (size >= 8 && memcmp(line, "#version", 8) == 0) {
        return LMD_OK;
    }
    const char *const space = memchr(line, ' ', size);
    const size_t left = space == NULL ? 0 : (size_t)(space - line);
    if (space == NULL || memchr(space + 1, ' ', size - left - 1) != NULL) {
        return lmd_status_set(LMD_INPUT, "merges: \"%.*s\" is no pair",
                              (int)(size < 60 ? size : 60), line);
    }
    return lmd_bpe_add_merge(bpe, line, left, space + 1, size - left - 1);
}

/* ---- reading ---- */

static lmd_status read_vocabulary(lmd_bpe *bpe, json_t *vocab)
{
    if (!json_is_object(vocab)) {
        return lmd_status_set(LMD_INPUT, "vocab: no object");
    }
    for (void *at = json_object_iter(vocab); at != NULL;
         at = json_object_iter_next(vocab, at)) {
        const json_t *const id = json_object_iter_value(at);
        if (!json_is_integer(id)) {
            return lmd_status_set(LMD_INPUT, "vocab: the id of \"%s\" is no integer",
                                  json_object_iter_key(at));
        }
        LMD_TRY(lmd_status_within(
            lmd_vocabulary_add(bpe->base.vocabulary, json_object_iter_key(at),
                               json_object_iter_key_len(at), json_integer_value(id)),
            "vocab"));
    }
    return LMD_OK;
}

static lmd_status read_merge(lmd_bpe *bpe, const json_t *merge)
{
    if (json_is_string(merge)) {
        return lmd_bpe_add_merge_line(bpe, json_string_value(merge),
                                      json_string_length(merge));
    }
    const json_t *const left = json_array_get(merge, 0);
    const json_t *const right = json_array_get(merge, 1);
    if (json_array_size(merge) != 2 || !json_is_string(left) || !json_is_string(right)) {
        return lmd_status_set(LMD_INPUT,
                              "merges: neither a string nor a pair of strings");
    }
    return lmd_bpe_add_merge(bpe, json_string_value(left), json_string_length(left),
                             json_string_value(right), json_string_length(right));
}

static lmd_status read_merges(lmd_bpe *bpe, const json_t *merges)
{
    if (!json_is_array(merges)) {
        return lmd_status_set(LMD_INPUT, "merges: no list");
    }
    for (size_t i = 0; i < json_array_size(merges); i++) {
        LMD_TRY(read_merge(bpe, json_array_get(merges, i)));
    }
    return LMD_OK;
}

static lmd_status read_unknown(lmd_bpe *bpe, const json_t *json)
{
    const char *unknown = NULL;
    size_t size = 0;
    LMD_TRY(lmd_json_get_string(json, "unk_token", &unknown, &size));
    bpe->has_unknown = unknown != NULL;
    bpe->unknown = -1;
    if (bpe->has_unknown) {
        bpe->unknown = lmd_vocabulary_find(bpe->base.vocabulary, unknown, size);
    }
    return LMD_OK;
}

static lmd_status read_settings(lmd_bpe *bpe, json_t *json)
{
    const json_t *const dropout = json_object_get(json, "dropout");
    if (dropout != NULL && !json_is_null(dropout) &&
        !(json_is_number(dropout) && json_number_value(dropout) == 0.0)) {
        return lmd_status_set(LMD_INPUT, "dropout is not supported");
    }
    LMD_TRY(lmd_json_check_keys(json, "type dropout unk_token fuse_unk byte_fallback "
                                      "ignore_merges vocab merges"));
    LMD_TRY(lmd_json_get_bool(json, "ignore_merges", false, &bpe->ignore_merges));
    LMD_TRY(lmd_json_get_bool(json, "byte_fallback", false, &bpe->byte_fallback));
    return lmd_json_get_bool(json, "fuse_unk", false, &bpe->fuse_unknown);
}

static lmd_status read_bpe(lmd_bpe *bpe, json_t *json)
{
    LMD_TRY(read_settings(bpe, json));
    LMD_TRY(read_vocabulary(bpe, json_object_get(json, "vocab")));
    LMD_TRY(read_unknown(bpe, json));
    return read_merges(bpe, json_object_get(json, "merges"));
}

static lmd_status open_bpe(lmd_token_model **out, json_t *json)
{
    lmd_bpe *const bpe = lmd_bpe_new();
    const lmd_status status = read_bpe(bpe, json);
    if (status != LMD_OK) {
        close_bpe(&bpe->base);
        return status;
    }
    lmd_bpe_seal(bpe);
    *out = &bpe->base;
    return LMD_OK;
}

/* ---- encoding ---- */

static lmd_token_scratch *new_scratch(const lmd_token_model *self)
{
    (void)self;
    lmd_token_scratch *const scratch = lmd_memory_new(1, sizeof *scratch);
    scratch->cache = lmd_word_cache_new();
    return scratch;
}

static void free_scratch(lmd_token_scratch *scratch)
{
    lmd_word_cache_free(scratch->cache);
    lmd_merge_scratch_clear(&scratch->merge);
    lmd_ids_clear(&scratch->symbols);
    lmd_memory_free(scratch);
}

/* False when one of the bytes has no piece. */
static bool append_bytes(const lmd_bpe *bpe, const char *character, size_t size,
                         lmd_ids *symbols)
{
    uint32_t ids[4] = {0};
    for (size_t i = 0; i < size; i++) {
        const int id = bpe->by_byte[(unsigned char)character[i]];
        if (id < 0) {
            return false;
        }
        ids[i] = (uint32_t)id;
    }
    lmd_ids_append(symbols, ids, size);
    return true;
}

/* An unknown token is written when the next known character or the word's end comes, so
 * that neighbours can be fused; bytes in between do not hurry it. */
static lmd_status add_unknown(const lmd_bpe *bpe, const char *character, size_t size,
                              bool *is_pending, lmd_ids *symbols)
{
    if (bpe->byte_fallback && append_bytes(bpe, character, size, symbols)) {
        return LMD_OK;
    }
    if (!bpe->has_unknown) {
        lmd_log_warn(
            "the vocabulary has no pieces for some characters of the text; they are "
            "left out, as Hugging Face does");
        return LMD_OK;
    }
    if (bpe->unknown < 0) {
        return lmd_status_set(LMD_INPUT,
                              "the vocabulary has neither a piece for the character %.*s "
                              "nor its unk_token",
                              (int)size, character);
    }
    const uint32_t unknown = (uint32_t)bpe->unknown;
    if (*is_pending && !bpe->fuse_unknown) {
        lmd_ids_append(symbols, &unknown, 1);
    }
    *is_pending = true;
    return LMD_OK;
}

static lmd_status find_symbols(const lmd_bpe *bpe, const char *piece, size_t size,
                               lmd_ids *symbols)
{
    const size_t n_known = sizeof bpe->by_character / sizeof *bpe->by_character;
    const uint32_t unknown = (uint32_t)bpe->unknown;
    bool is_pending = false;
    symbols->count = 0;
    for (size_t i = 0; i < size;) {
        uint32_t c = 0;
        const size_t n = lmd_text_decode_utf8(piece + i, &c);
        const int id = c < n_known
                           ? bpe->by_character[c]
                           : lmd_vocabulary_find(bpe->base.vocabulary, piece + i, n);
        if (id < 0) {
            LMD_TRY(add_unknown(bpe, piece + i, n, &is_pending, symbols));
        } else {
            const uint32_t known[2] = {unknown, (uint32_t)id};
            lmd_ids_append(symbols, known + !is_pending, 1U + is_pending);
            is_pending = false;
        }
        i += n;
    }
    lmd_ids_append(symbols, &unknown, is_pending);
    return LMD_OK;
}

static lmd_status encode_bpe(const lmd_token_model *self, lmd_token_scratch *scratch,
                             const char *piece, size_t size, lmd_ids *out)
{
    const lmd_bpe *const bpe = (const lmd_bpe *)self;
    size_t n = 0;
    const uint32_t *const known = lmd_word_cache_get(scratch->cache, piece, size, &n);
    if (known != NULL) {
        lmd_ids_append(out, known, n);
        return LMD_OK;
    }
    if (size >= UINT32_MAX) {
        return lmd_status_set(LMD_INPUT, "a word of %zu bytes is too long", size);
    }
    lmd_ids *const symbols = &scratch->symbols;
    const int whole =
        bpe->ignore_merges ? lmd_vocabulary_find(bpe->base.vocabulary, piece, size) : -1;
    if (whole >= 0) {
        const uint32_t id = (uint32_t)whole;
        symbols->count = 0;
        lmd_ids_append(symbols, &id, 1);
    } else {
        LMD_TRY(find_symbols(bpe, piece, size, symbols));
        symbols->count =
            lmd_merges_apply(bpe->merges, &scratch->merge, symbols->ids, symbols->count);
    }
    lmd_word_cache_put(scratch->cache, piece, size, symbols->ids, symbols->count);
    lmd_ids_append(out, symbols->ids, symbols->count);
    return LMD_OK;
}

const lmd_token_model_kind lmd_token_model_bpe = {
    "BPE", "BPE", open_bpe, close_bpe, new_scratch, free_scratch, encode_bpe};
