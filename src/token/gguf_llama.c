/* A GGUF vocabulary of kind llama: SentencePiece's byte-pair encoding with scores. Spaces
 * are written as U+2581, one more stands before every stretch of text between special
 * tokens (unless add_space_prefix is false), as in Hugging Face's and llama.cpp's reading
 * of these files; what has no piece becomes bytes. */
#include "gguf_vocabulary.h"

#include <string.h>              /* memcpy */
#include <jansson.h>             /* json_pack */
#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include "scored_pieces.h"

static lmd_status open_normalizer(lmd_tokenizer *tokenizer, bool adds_prefix)
{
    json_t *const spaces = json_pack("{s:s, s:{s:s}, s:s}", "type", "Replace", "pattern",
                                     "String", " ", "content", LMD_SPACE_MARK);
    json_t *const prefix = adds_prefix ? json_pack("{s:s, s:s}", "type", "Prepend",
                                                   "prepend", LMD_SPACE_MARK)
                                       : json_null();
    json_t *const all =
        json_pack("{s:s, s:[o, o]}", "type", "Sequence", "normalizers", prefix, spaces);
    const lmd_status status = lmd_normalizer_open(&tokenizer->normalizer, all);
    json_decref(all);
    return status;
}

static lmd_status refuse_settings(const lmd_weights *file)
{
    bool removes = false;
    (void)lmd_weights_get_bool(file, "tokenizer.ggml.remove_extra_whitespaces", &removes);
    if (removes) {
        return lmd_status_set(LMD_INPUT, "tokenizer.ggml.remove_extra_whitespaces is not "
                                         "supported for kind llama");
    }
    return lmd_weights_has(file, "tokenizer.ggml.precompiled_charsmap")
               ? lmd_status_set(LMD_INPUT, "tokenizer.ggml.precompiled_charsmap is not "
                                           "supported for kind llama")
               : LMD_OK;
}

static lmd_status read_unknown(const lmd_weights *file, size_t n, int *unknown)
{
    int64_t id = 0; // without the key, as in Llama
    (void)lmd_weights_get_int(file, "tokenizer.ggml.unknown_token_id", &id);
    if (id < 0 || (uint64_t)id >= n) {
        return lmd_status_set(LMD_INPUT,
                              "tokenizer.ggml.unknown_token_id: %lld is out of bounds",
                              (long long)id);
    }
    *unknown = (int)id;
    return LMD_OK;
}

/* In text user-defined pieces are added tokens; for the model they are like others. */
static int type_of(const lmd_gguf_pieces *pieces, size_t id)
{
    const int64_t type = pieces->types == NULL ? LMD_PIECE_NORMAL : pieces->types[id];
    if (!lmd_gguf_is_token(pieces, id)) {
        return 0;
    }
    return type == LMD_PIECE_USER_DEFINED ? LMD_PIECE_NORMAL : (int)type;
}

static lmd_status read_model(lmd_tokenizer *tokenizer, const lmd_gguf_pieces *pieces,
                             const double *scores, int unknown)
{
    lmd_scored_piece *const list = lmd_memory_new(pieces->n, sizeof *list);
    for (size_t id = 0; id < pieces->n; id++) {
        list[id] = (lmd_scored_piece){pieces->at[id].bytes, pieces->at[id].size,
                                      (float)scores[id], type_of(pieces, id)};
    }
    const lmd_scored_pieces all = {list, pieces->n, unknown, true};
    const lmd_status status = lmd_scored_bpe_open(&tokenizer->model, &all);
    lmd_memory_free(list);
    return lmd_status_within(status, "tokenizer.ggml.tokens");
}

lmd_status lmd_gguf_read_llama(lmd_tokenizer *tokenizer, const lmd_weights *file)
{
    lmd_gguf_pieces pieces = {0};
    const double *scores = NULL;
    size_t n_scores = 0;
    int unknown = 0;
    bool adds_prefix = true;
    LMD_TRY(refuse_settings(file));
    LMD_TRY(lmd_gguf_read_pieces(file, &pieces));
    if (!lmd_weights_get_reals(file, "tokenizer.ggml.scores", &scores, &n_scores) ||
        n_scores != pieces.n) {
        return lmd_status_set(LMD_INPUT,
                              "tokenizer.ggml.scores: not one number for each token");
    }
    LMD_TRY(read_unknown(file, pieces.n, &unknown));
    (void)lmd_weights_get_bool(file, "tokenizer.ggml.add_space_prefix", &adds_prefix);
    LMD_TRY(open_normalizer(tokenizer, adds_prefix));
    LMD_TRY(read_model(tokenizer, &pieces, scores, unknown));
    for (size_t id = 0; id < pieces.n; id++) {
        LMD_TRY(lmd_gguf_add_token(tokenizer, &pieces, id, false));
    }
    return LMD_OK;
}
