/* Normalizer Precompiled: SentencePiece's character map as Hugging Face applies it, which
 * is not SentencePiece's way. A grapheme of less than six bytes that begins with a key
 * becomes that key's content, whatever stands behind it in the grapheme; otherwise each
 * character that begins with a key becomes its content; and the shortest key counts. */
#include "normalizer.h"

#include <string.h>              /* strlen */
#include <utf8proc.h>            /* utf8proc_grapheme_break_stateful */
#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include "charsmap.h"
#include "json_fields.h"

enum { SHORT_GRAPHEME = 6 };

typedef struct precompiled {
    lmd_normalizer base;
    lmd_charsmap *map; /* owned */
} precompiled;

static int value_of_digit(char digit)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *const found = digit == '\0' ? NULL : strchr(digits, digit);
    return found == NULL ? -1 : (int)(found - digits);
}

static lmd_status decode_base64(const char *text, size_t size, lmd_text *out)
{
    uint32_t bits = 0;
    int n_bits = 0;
    while (size > 0 && text[size - 1] == '=') {
        size--;
    }
    for (size_t i = 0; i < size; i++) {
        const int value = value_of_digit(text[i]);
        if (value < 0) {
            return lmd_status_set(LMD_INPUT, "precompiled_charsmap: no base64");
        }
        bits = (bits << 6 | (uint32_t)value) & 0xFFFF;
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            const char byte = (char)(unsigned char)(bits >> n_bits & 0xFF);
            lmd_text_append(out, &byte, 1);
        }
    }
    return LMD_OK;
}

static lmd_status open_precompiled(lmd_normalizer **out, json_t *json)
{
    const char *string = NULL;
    size_t size = 0;
    lmd_charsmap *map = NULL;
    LMD_TRY(lmd_json_check_keys(json, "type precompiled_charsmap"));
    LMD_TRY(lmd_json_get_string(json, "precompiled_charsmap", &string, &size));
    if (string == NULL) {
        return lmd_status_set(LMD_INPUT, "precompiled_charsmap: no string");
    }
    lmd_text bytes = {0};
    lmd_status status = decode_base64(string, size, &bytes);
    if (status == LMD_OK) {
        status = lmd_charsmap_new(&map, lmd_text_string(&bytes), bytes.size);
    }
    lmd_text_clear(&bytes);
    LMD_TRY(status);
    precompiled *const made = lmd_memory_new(1, sizeof *made);
    made->base.kind = &lmd_normalizer_precompiled;
    made->map = map;
    *out = &made->base;
    return LMD_OK;
}

static void close_precompiled(lmd_normalizer *self)
{
    precompiled *const made = (precompiled *)self;
    lmd_charsmap_free(made->map);
    lmd_memory_free(made);
}

static size_t size_of_grapheme(const char *text, size_t size)
{
    utf8proc_int32_t state = 0;
    uint32_t before = 0;
    size_t end = lmd_text_decode_utf8(text, &before);
    while (end < size) {
        uint32_t next = 0;
        const size_t n = lmd_text_decode_utf8(text + end, &next);
        if (utf8proc_grapheme_break_stateful((utf8proc_int32_t)before,
                                             (utf8proc_int32_t)next, &state)) {
            break;
        }
        before = next;
        end += n;
    }
    return end;
}

/* Appends the content for a stretch; false when it begins with no key. */
static bool append_content(const lmd_charsmap *map, const char *text, size_t size,
                           lmd_text *out)
{
    const char *content = NULL;
    if (lmd_charsmap_match(map, false, text, size, &content) == 0) {
        return false;
    }
    lmd_text_append_string(out, content);
    return true;
}

/* Appends what becomes of the text up to `front`; if that is nothing, of the next that
 * becomes something. */
static void map_text(const lmd_charsmap *map, const char *text, size_t size, size_t front,
                     lmd_text *out)
{
    for (size_t i = 0; i < size && (i < front || out->size == 0);) {
        const size_t n = size_of_grapheme(text + i, size - i);
        if (n < SHORT_GRAPHEME && append_content(map, text + i, n, out)) {
            i += n;
            continue;
        }
        for (const size_t end = i + n; i < end && (i < front || out->size == 0);) {
            uint32_t c = 0;
            const size_t one = lmd_text_decode_utf8(text + i, &c);
            if (!append_content(map, text + i, one, out)) {
                lmd_text_append(out, text + i, one);
            }
            i += one;
        }
    }
}

static lmd_status apply_precompiled(const lmd_normalizer *self, lmd_matcher *matcher,
                                    const char *text, size_t size, lmd_text *out)
{
    (void)matcher;
    map_text(((const precompiled *)self)->map, text, size, size, out);
    return LMD_OK;
}

/* What is left out at a text's beginning does not move what follows: for `tokenizers` the
 * first character that is left stands where the text began. */
static lmd_status front_of_precompiled(const lmd_normalizer *self, lmd_matcher *matcher,
                                       const char *text, size_t size, size_t *front)
{
    lmd_text alone = {0};
    (void)matcher;
    if (*front > 0) {
        map_text(((const precompiled *)self)->map, text, size, *front, &alone);
        *front = alone.size;
    }
    lmd_text_clear(&alone);
    return LMD_OK;
}

const lmd_normalizer_kind lmd_normalizer_precompiled = {
    "Precompiled", open_precompiled, close_precompiled, apply_precompiled,
    front_of_precompiled};
