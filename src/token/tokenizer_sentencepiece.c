/* tokenizer.model, SentencePiece's file, in a folder without tokenizer.json.
 *
 * Control, unknown and user-defined pieces are looked for in raw text, as Hugging Face
 * does; what lies between them is encoded as SentencePiece encodes it, each stretch a
 * text of its own. Where the class is LlamaTokenizer, spaces and BOS are as transformers
 * 4 has them: a space is added before every stretch (legacy: true or not said), or before
 * the beginning of the text if it has none (legacy: false); a BOS is added unless
 * add_bos_token says no. transformers 5, which reads no such folder that it wrote itself,
 * orders merges by id and cuts runs of spaces like no other. */
#include "tokenizer.h"

#include <string.h>              /* strcmp */
#include <lmdepth/base/memory.h> /* lmd_memory_copy_text */
#include "json_fields.h"
#include "normal_sentencepiece.h"
#include "sentencepiece_model.h"

/* ---- spaces ---- */

static lmd_status open_library_rules(lmd_tokenizer *tokenizer,
                                     const lmd_sentencepiece_model *model)
{
    lmd_sentencepiece_rules rules = {.adds_space = model->adds_space,
                                     .space_is_last = model->space_is_last,
                                     .removes_extra = model->removes_extra,
                                     .escapes = model->escapes};
    if (model->map_bytes != NULL) {
        LMD_TRY(lmd_charsmap_new(&rules.map, model->map_bytes, model->map_size));
    }
    lmd_sentencepiece_normalizer_open(&tokenizer->normalizer, rules);
    return LMD_OK;
}

/* Before the beginning of the text only, and not before a space. */
static lmd_status open_first_space(lmd_tokenizer *tokenizer, bool adds_space)
{
    json_t *const cut = json_pack("{s:s, s:s, s:s, s:b}", "type", "Metaspace",
                                  "replacement", LMD_SPACE_MARK, "prepend_scheme",
                                  adds_space ? "first" : "never", "split", 0);
    const lmd_status status = lmd_pretokenizer_open(&tokenizer->pretokenizer, cut);
    json_decref(cut);
    return status;
}

static bool has_bos(const lmd_sentencepiece_model *model)
{
    return model->bos >= 0 && (uint64_t)model->bos < model->n &&
           model->pieces[model->bos].type == LMD_PIECE_CONTROL;
}

static bool is_of_llama(const lmd_sentencepiece_model *model)
{
    return model->map_bytes == NULL && !model->removes_extra && model->escapes &&
           model->adds_space && !model->space_is_last;
}

static lmd_status open_llama_rules(lmd_tokenizer *tokenizer,
                                   const lmd_sentencepiece_model *model,
                                   const json_t *config)
{
    bool is_legacy = true;
    bool adds_space = true;
    LMD_TRY(lmd_json_get_bool(config, "legacy", true, &is_legacy));
    LMD_TRY(lmd_json_get_bool(config, "add_prefix_space", true, &adds_space));
    if (!is_of_llama(model)) {
        return lmd_status_set(LMD_INPUT, "the normalizer_spec is not one of a "
                                         "LlamaTokenizer");
    }
    tokenizer->adds_bos = true;
    if (!is_legacy) {
        return open_first_space(tokenizer, adds_space);
    }
    const lmd_sentencepiece_rules rules = {.adds_space = adds_space, .escapes = true};
    lmd_sentencepiece_normalizer_open(&tokenizer->normalizer, rules);
    return LMD_OK;
}

static bool is_llama_class(const char *name)
{
    return strcmp(name, "LlamaTokenizer") == 0 || strcmp(name, "LlamaTokenizerFast") == 0;
}

/* Nobody says what a file is for that is there alone: of its kind all are of a
 * LlamaTokenizer. */
static bool is_bare_llama(const lmd_tokenizer *tokenizer,
                          const lmd_sentencepiece_model *model)
{
    return lmd_tokenizer_is_alone(tokenizer) && model->kind == LMD_SENTENCEPIECE_BPE &&
           is_of_llama(model) && has_bos(model);
}

static lmd_status open_rules(lmd_tokenizer *tokenizer,
                             const lmd_sentencepiece_model *model, const json_t *config)
{
    char *name = NULL;
    lmd_status status = LMD_OK;
    LMD_TRY(lmd_tokenizer_find_class(tokenizer, config, &name));
    if (name == NULL ? is_bare_llama(tokenizer, model) : is_llama_class(name)) {
        status = open_llama_rules(tokenizer, model, config);
    } else if (name == NULL) {
        status = open_library_rules(tokenizer, model);
    } else {
        status = lmd_status_set(LMD_INPUT,
                                "the tokenizer_class %s is not supported without a "
                                "tokenizer.json",
                                name);
    }
    lmd_memory_free(name);
    return status;
}

/* ---- pieces ---- */

static lmd_status find_unknown(const lmd_sentencepiece_model *model, int *unknown)
{
    *unknown = -1;
    for (size_t id = 0; id < model->n; id++) {
        if (model->pieces[id].type == LMD_PIECE_UNKNOWN) {
            if (*unknown >= 0) {
                return lmd_status_set(LMD_INPUT, "pieces %d and %zu are both unknown",
                                      *unknown, id);
            }
            *unknown = (int)id;
        }
    }
    return *unknown >= 0 ? LMD_OK : lmd_status_set(LMD_INPUT, "no unknown piece");
}

static lmd_status open_model(lmd_tokenizer *tokenizer,
                             const lmd_sentencepiece_model *model)
{
    lmd_scored_pieces pieces = {
        .at = model->pieces, .n = model->n, .byte_fallback = model->byte_fallback};
    LMD_TRY(find_unknown(model, &pieces.unknown));
    switch (model->kind) {
    case LMD_SENTENCEPIECE_UNIGRAM:
        return lmd_scored_unigram_open(&tokenizer->model, &pieces);
    case LMD_SENTENCEPIECE_BPE:
        return lmd_scored_bpe_open(&tokenizer->model, &pieces);
    default:
        return lmd_status_set(LMD_INPUT,
                              "trainer_spec.model_type %lld is not supported (1, "
                              "Unigram, and 2, BPE, are)",
                              (long long)model->kind);
    }
}

static lmd_status add_tokens(lmd_tokenizer *tokenizer,
                             const lmd_sentencepiece_model *model)
{
    for (size_t id = 0; id < model->n; id++) {
        const lmd_scored_piece *const piece = &model->pieces[id];
        const bool special =
            piece->type == LMD_PIECE_UNKNOWN || piece->type == LMD_PIECE_CONTROL;
        if (piece->size > 0 && (special || piece->type == LMD_PIECE_USER_DEFINED)) {
            const lmd_added_token token = {.content = piece->text,
                                           .size = piece->size,
                                           .id = (int)id,
                                           .special = special};
            LMD_TRY(lmd_tokenizer_add_token(tokenizer, &token));
        }
    }
    return LMD_OK;
}

static lmd_status read_model(lmd_tokenizer *tokenizer,
                             const lmd_sentencepiece_model *model, const json_t *config)
{
    LMD_TRY(open_model(tokenizer, model));
    LMD_TRY(open_rules(tokenizer, model, config));
    LMD_TRY(add_tokens(tokenizer, model));
    tokenizer->bos = has_bos(model) ? (int)model->bos : -1;
    lmd_text text = {0};
    lmd_text_append_format(&text, "SentencePiece %s, %zu ids, tokenizer.model",
                           model->kind == LMD_SENTENCEPIECE_BPE ? "BPE" : "Unigram",
                           model->n);
    tokenizer->description = lmd_memory_copy_text(lmd_text_string(&text));
    lmd_text_clear(&text);
    return LMD_OK;
}

lmd_status lmd_tokenizer_read_sentencepiece(lmd_tokenizer *tokenizer, const char *bytes,
                                            size_t size, const json_t *config)
{
    lmd_sentencepiece_model model = {0};
    lmd_status status = lmd_sentencepiece_read(&model, bytes, size);
    if (status == LMD_OK) {
        status = read_model(tokenizer, &model, config);
    }
    lmd_sentencepiece_clear(&model);
    return status;
}
