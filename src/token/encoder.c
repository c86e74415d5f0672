/* Encoding, as `tokenizers` does it: tokens that are looked for in raw text are taken
 * out; what lies between them is normalized; tokens that are looked for in normalized
 * text are taken out; the rest is cut into pieces and each piece goes through the model.
 * Every stretch is a text of its own: no lookahead sees past its end. */
#include "tokenizer.h"

#include <stdbool.h>             /* bool */
#include <lmdepth/base/memory.h> /* lmd_memory_new */

struct lmd_encoder {
    const lmd_tokenizer *tokenizer; /* borrowed */
    lmd_matcher *matcher;           /* owned */
    lmd_token_scratch *scratch;     /* owned */
    lmd_pieces pieces;
    lmd_text normalized;
    int64_t n_specials;  /* found by the running call */
    bool begins;         /* does the running stretch stand where the text begins? */
    const char *stretch; /* borrowed; the stretch, normalized */
    size_t front;        /* bytes of it that come from the text's first character */
};

/* What is done to a stretch of text without tokens of one kind. */
typedef lmd_status stretch_work(lmd_encoder *encoder, const char *text, size_t size,
                                lmd_ids *out);

lmd_encoder *lmd_token_new_encoder(const lmd_tokenizer *tokenizer)
{
    lmd_encoder *const encoder = lmd_memory_new(1, sizeof *encoder);
    encoder->tokenizer = tokenizer;
    encoder->matcher = lmd_matcher_new();
    encoder->scratch = tokenizer->model->kind->new_scratch(tokenizer->model);
    return encoder;
}

void lmd_token_free_encoder(lmd_encoder *encoder)
{
    if (encoder != NULL) {
        lmd_matcher_free(encoder->matcher);
        encoder->tokenizer->model->kind->free_scratch(encoder->scratch);
        lmd_pieces_clear(&encoder->pieces);
        lmd_text_clear(&encoder->normalized);
        lmd_memory_free(encoder);
    }
}

static lmd_status encode_pieces(lmd_encoder *encoder, const char *text, size_t size,
                                lmd_ids *out)
{
    const lmd_tokenizer *const tokenizer = encoder->tokenizer;
    const lmd_token_model *const model = tokenizer->model;
    lmd_pieces *const pieces = &encoder->pieces;
    const size_t before = (size_t)(text - encoder->stretch);
    lmd_pieces_start(pieces, text, size,
                     encoder->front > before ? encoder->front - before : 0);
    if (tokenizer->pretokenizer != NULL) {
        LMD_TRY(lmd_pretokenizer_cut(tokenizer->pretokenizer, encoder->matcher, pieces));
    }
    for (size_t i = 0; i < pieces->spans.count; i++) {
        const lmd_span span = pieces->spans.at[i];
        LMD_TRY(model->kind->encode(model, encoder->scratch, pieces->text + span.begin,
                                    span.end - span.begin, out));
    }
    return LMD_OK;
}

/* Takes the added tokens out of a text; `work` does what lies between them. */
static lmd_status encode_between_tokens(lmd_encoder *encoder, bool normalized,
                                        const char *text, size_t size, stretch_work *work,
                                        lmd_ids *out)
{
    const lmd_added_tokens *const added = encoder->tokenizer->added;
    size_t taken = 0;
    lmd_added_match match = {0};
    while (lmd_added_tokens_match(added, normalized, text, size, match.next, taken,
                                  &match)) {
        if (taken < match.begin) {
            LMD_TRY(work(encoder, text + taken, match.begin - taken, out));
        }
        // A token all of which the one before it has swallowed is none.
        if (match.begin < match.end) {
            const uint32_t id = (uint32_t)match.token->id;
            lmd_ids_append(out, &id, 1);
            encoder->n_specials += match.token->special;
            encoder->begins = false;
        }
        taken = match.end;
    }
    return taken < size ? work(encoder, text + taken, size - taken, out) : LMD_OK;
}

/* How much of a stretch that is to be normalized comes from the text's first character.
 */
static lmd_status find_front(lmd_encoder *encoder, const char *text, size_t size)
{
    const lmd_tokenizer *const tokenizer = encoder->tokenizer;
    uint32_t first = 0;
    encoder->front = encoder->begins ? lmd_text_decode_utf8(text, &first) : 0;
    encoder->begins = false;
    const bool is_asked =
        tokenizer->pretokenizer != NULL && tokenizer->pretokenizer->asks_front;
    return encoder->front > 0 && is_asked && tokenizer->normalizer != NULL
               ? lmd_normalizer_front(tokenizer->normalizer, encoder->matcher, text, size,
                                      &encoder->front)
               : LMD_OK;
}

static lmd_status encode_stretch(lmd_encoder *encoder, const char *text, size_t size,
                                 lmd_ids *out)
{
    const lmd_normalizer *const normalizer = encoder->tokenizer->normalizer;
    LMD_TRY(find_front(encoder, text, size));
    if (normalizer != NULL) {
        encoder->normalized.size = 0;
        LMD_TRY(lmd_normalizer_apply(normalizer, encoder->matcher, text, size,
                                     &encoder->normalized));
        text = lmd_text_string(&encoder->normalized);
        size = encoder->normalized.size;
    }
    encoder->stretch = text;
    return encode_between_tokens(encoder, true, text, size, encode_pieces, out);
}

lmd_status lmd_token_encode(lmd_encoder *encoder, const char *text, size_t n_bytes,
                            lmd_ids *out, int64_t *n_specials)
{
    const size_t bad = lmd_text_find_bad_utf8(text, n_bytes);
    if (bad != n_bytes) {
        return lmd_status_set(LMD_INPUT, "ill-formed UTF-8 at byte %zu", bad);
    }
    encoder->n_specials = 0;
    encoder->begins = true;
    LMD_TRY(encode_between_tokens(encoder, false, text, n_bytes, encode_stretch, out));
    if (n_specials != NULL) {
        *n_specials += encoder->n_specials;
    }
    return LMD_OK;
}
