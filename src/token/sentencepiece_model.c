/* Protocol buffers are a sequence of fields: a number with the wire type in its low three
 * bits, then a varint, 4 or 8 bytes, or a length and that many bytes. Every length is
 * held against what is left; fields of other numbers are passed over. Field numbers are
 * those of sentencepiece_model.proto. */
#include "sentencepiece_model.h"

#include <string.h>              /* memcpy */
#include <lmdepth/base/memory.h> /* lmd_memory_resize */
#include <lmdepth/base/text.h>   /* lmd_text_find_bad_utf8 */

enum wire { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

/* A stretch of the file that is being read. */
typedef struct cursor {
    const char *file; /* where the file begins, for messages */
    const char *at;
    const char *end;
} cursor;

typedef struct field {
    uint64_t number;
    enum wire wire;
    uint64_t value;    /* of a varint; the bits of 4 or 8 bytes */
    const char *bytes; /* of WIRE_BYTES; borrowed */
    size_t size;
} field;

static lmd_status damaged(const cursor *from, const char *what)
{
    return lmd_status_set(LMD_INPUT, "byte %zu: %s", (size_t)(from->at - from->file),
                          what);
}

static lmd_status read_varint(cursor *from, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (from->at == from->end) {
            return damaged(from, "the file is truncated");
        }
        const unsigned char byte = (unsigned char)*from->at++;
        *value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            return LMD_OK;
        }
    }
    return damaged(from, "a number of more than 64 bits");
}

static lmd_status take(cursor *from, uint64_t n, const char **bytes)
{
    if (n > (uint64_t)(from->end - from->at)) {
        return damaged(from, "the file is truncated");
    }
    *bytes = from->at;
    from->at += n;
    return LMD_OK;
}

static lmd_status read_field(cursor *from, field *out)
{
    uint64_t tag = 0;
    uint64_t length = 0;
    const char *bytes = NULL;
    LMD_TRY(read_varint(from, &tag));
    *out = (field){.number = tag >> 3, .wire = (enum wire)(tag & 7)};
    switch (out->wire) {
    case WIRE_VARINT:
        return read_varint(from, &out->value);
    case WIRE_64:
    case WIRE_32:
        length = out->wire == WIRE_64 ? 8 : 4;
        LMD_TRY(take(from, length, &bytes));
        for (uint64_t i = 0; i < length; i++) {
            out->value |= (uint64_t)(unsigned char)bytes[i] << (8 * i);
        }
        return LMD_OK;
    case WIRE_BYTES:
        LMD_TRY(read_varint(from, &length));
        LMD_TRY(take(from, length, &out->bytes));
        out->size = (size_t)length;
        return LMD_OK;
    default:
        return damaged(from, "no SentencePiece model (an unknown wire type)");
    }
}

static float to_float(uint64_t value)
{
    const uint32_t bits = (uint32_t)value;
    float number = 0.0F;
    memcpy(&number, &bits, sizeof number);
    return number;
}

/* What a field of a message does to its object. */
typedef lmd_status field_work(lmd_sentencepiece_model *model, const cursor *inside,
                              const field *one);

/* The message in a field, or the whole file. */
static lmd_status read_message(lmd_sentencepiece_model *model, cursor from,
                               field_work *work)
{
    while (from.at < from.end) {
        field one = {0};
        LMD_TRY(read_field(&from, &one));
        const cursor inside = {from.file, one.bytes,
                               one.bytes == NULL ? NULL : one.bytes + one.size};
        LMD_TRY(work(model, &inside, &one));
    }
    return LMD_OK;
}

static lmd_status read_piece_field(lmd_sentencepiece_model *model, const cursor *inside,
                                   const field *one)
{
    lmd_scored_piece *const piece = &model->pieces[model->n - 1];
    (void)inside;
    if (one->number == 1 && one->wire == WIRE_BYTES) {
        piece->text = one->bytes;
        piece->size = one->size;
    } else if (one->number == 2 && one->wire == WIRE_32) {
        piece->score = to_float(one->value);
    } else if (one->number == 3 && one->wire == WIRE_VARINT) {
        if (one->value < LMD_PIECE_NORMAL || one->value > LMD_PIECE_BYTE) {
            return lmd_status_set(LMD_INPUT, "the type %llu is unknown",
                                  (unsigned long long)one->value);
        }
        piece->type = (int)one->value;
    }
    return LMD_OK;
}

static lmd_status read_piece(lmd_sentencepiece_model *model, cursor from)
{
    if (model->n == LMD_VOCABULARY_IDS) {
        return damaged(&from, "too many pieces");
    }
    if (model->n == model->capacity) {
        model->capacity = model->capacity == 0 ? 1024 : 2 * model->capacity;
        model->pieces =
            lmd_memory_resize(model->pieces, model->capacity, sizeof *model->pieces);
    }
    const size_t id = model->n++;
    lmd_scored_piece *const piece = &model->pieces[id];
    *piece = (lmd_scored_piece){.text = "", .type = LMD_PIECE_NORMAL};
    LMD_TRY(
        lmd_status_within(read_message(model, from, read_piece_field), "piece %zu", id));
    return lmd_text_find_bad_utf8(piece->text, piece->size) == piece->size
               ? LMD_OK
               : lmd_status_set(LMD_INPUT, "piece %zu is not UTF-8", id);
}

static lmd_status read_trainer_field(lmd_sentencepiece_model *model, const cursor *inside,
                                     const field *one)
{
    (void)inside;
    if (one->wire == WIRE_VARINT) {
        switch (one->number) {
        case 3:
            model->kind = (int64_t)one->value;
            break;
        case 24:
            model->space_is_last = one->value != 0;
            break;
        case 35:
            model->byte_fallback = one->value != 0;
            break;
        case 41:
            model->bos = (int32_t)one->value;
            break;
        default:
            break;
        }
    }
    return LMD_OK;
}

static lmd_status read_normalizer_field(lmd_sentencepiece_model *model,
                                        const cursor *inside, const field *one)
{
    (void)inside;
    if (one->number == 2 && one->wire == WIRE_BYTES) {
        model->map_bytes = one->size > 0 ? one->bytes : NULL;
        model->map_size = one->size;
    } else if (one->number == 3 && one->wire == WIRE_VARINT) {
        model->adds_space = one->value != 0;
    } else if (one->number == 4 && one->wire == WIRE_VARINT) {
        model->removes_extra = one->value != 0;
    } else if (one->number == 5 && one->wire == WIRE_VARINT) {
        model->escapes = one->value != 0;
    }
    return LMD_OK;
}

static lmd_status read_model_field(lmd_sentencepiece_model *model, const cursor *inside,
                                   const field *one)
{
    if (one->wire != WIRE_BYTES) {
        return LMD_OK;
    }
    switch (one->number) {
    case 1:
        return read_piece(model, *inside);
    case 2:
        return read_message(model, *inside, read_trainer_field);
    case 3:
        return read_message(model, *inside, read_normalizer_field);
    default:
        return LMD_OK;
    }
}

lmd_status lmd_sentencepiece_read(lmd_sentencepiece_model *model, const char *bytes,
                                  size_t size)
{
    *model = (lmd_sentencepiece_model){.kind = LMD_SENTENCEPIECE_UNIGRAM,
                                       .bos = 1,
                                       .adds_space = true,
                                       .removes_extra = true,
                                       .escapes = true};
    const cursor all = {bytes, bytes, bytes + size};
    LMD_TRY(read_message(model, all, read_model_field));
    return model->n > 0 ? LMD_OK : damaged(&all, "no SentencePiece model (no pieces)");
}

void lmd_sentencepiece_clear(lmd_sentencepiece_model *model)
{
    lmd_memory_free(model->pieces);
    *model = (lmd_sentencepiece_model){0};
}
