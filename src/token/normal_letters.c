/* Normalizers Lowercase, StripAccents and Strip.
 *
 * Lowercase maps character by character (no final sigma), StripAccents leaves out
 * combining marks (categories M*), Strip white space at the edges. Which characters these
 * are is asked of utf8proc; where Rust's tables are newer or, for marks, older, a row of
 * exceptions says so. */
#include "normalizer.h"

#include <utf8proc.h>            /* utf8proc_tolower */
#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include "json_fields.h"
#include "unicode_classes.h"

typedef struct letters {
    lmd_normalizer base;
    bool left; /* of Strip */
    bool right;
} letters;

static lmd_status open_letters(lmd_normalizer **out, json_t *json,
                               const lmd_normalizer_kind *kind)
{
    letters made = {.base = {kind}};
    LMD_TRY(lmd_json_check_keys(json, "type strip_left strip_right"));
    LMD_TRY(lmd_json_get_bool(json, "strip_left", false, &made.left));
    LMD_TRY(lmd_json_get_bool(json, "strip_right", false, &made.right));
    letters *const kept = lmd_memory_new(1, sizeof *kept);
    *kept = made;
    *out = &kept->base;
    return LMD_OK;
}

static void close_letters(lmd_normalizer *self)
{
    lmd_memory_free(self);
}

/* ---- Lowercase ---- */

/* Capitals of Unicode 16 and 17: ranges whose small letters stand at a fixed distance. */
static uint32_t lower_new(uint32_t c)
{
    static const struct {
        uint32_t first;
        uint32_t last;
        int32_t distance;
    } rows[] = {
        {0x1C89, 0x1C89, 1},      {0xA7CB, 0xA7CB, 0x264 - 0xA7CB},
        {0xA7CC, 0xA7CC, 1},      {0xA7CE, 0xA7CE, 1},
        {0xA7D2, 0xA7D2, 1},      {0xA7D4, 0xA7D4, 1},
        {0xA7DA, 0xA7DA, 1},      {0xA7DC, 0xA7DC, 0x19B - 0xA7DC},
        {0x10D50, 0x10D65, 0x20}, {0x16EA0, 0x16EB8, 0x1B},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (c >= rows[i].first && c <= rows[i].last) {
            return (uint32_t)((int32_t)c + rows[i].distance);
        }
    }
    return c;
}

static lmd_status apply_lowercase(const lmd_normalizer *self, lmd_matcher *matcher,
                                  const char *text, size_t size, lmd_text *out)
{
    (void)self;
    (void)matcher;
    for (size_t i = 0; i < size;) {
        uint32_t c = 0;
        char bytes[4];
        i += lmd_text_decode_utf8(text + i, &c);
        const uint32_t lower = (uint32_t)utf8proc_tolower((utf8proc_int32_t)c);
        const uint32_t mapped = lower == c ? lower_new(c) : lower;
        // The only capital whose small form is two characters: a dotted I.
        lmd_text_append(out, bytes,
                        lmd_text_encode_utf8(c == 0x130 ? 'i' : mapped, bytes));
        if (c == 0x130) {
            lmd_text_append_string(out, "\xCC\x87");
        }
    }
    return LMD_OK;
}

static lmd_status open_lowercase(lmd_normalizer **out, json_t *json)
{
    return open_letters(out, json, &lmd_normalizer_lowercase);
}

const lmd_normalizer_kind lmd_normalizer_lowercase = {
    "Lowercase", open_lowercase, close_letters, apply_lowercase, NULL};

/* ---- StripAccents ---- */

static lmd_status apply_strip_accents(const lmd_normalizer *self, lmd_matcher *matcher,
                                      const char *text, size_t size, lmd_text *out)
{
    (void)self;
    (void)matcher;
    for (size_t i = 0; i < size;) {
        uint32_t c = 0;
        const size_t n = lmd_text_decode_utf8(text + i, &c);
        if (!lmd_unicode_is_old_mark(c)) {
            lmd_text_append(out, text + i, n);
        }
        i += n;
    }
    return LMD_OK;
}

static lmd_status open_strip_accents(lmd_normalizer **out, json_t *json)
{
    return open_letters(out, json, &lmd_normalizer_strip_accents);
}

const lmd_normalizer_kind lmd_normalizer_strip_accents = {
    "StripAccents", open_strip_accents, close_letters, apply_strip_accents, NULL};

/* ---- Strip ---- */

/* What Strip leaves of a text. */
static lmd_span kept_by_strip(const letters *made, const char *text, size_t size)
{
    size_t first = SIZE_MAX; // of what is no white space
    size_t end = 0;
    for (size_t i = 0; i < size;) {
        uint32_t c = 0;
        const size_t n = lmd_text_decode_utf8(text + i, &c);
        if (!lmd_unicode_is_white(c)) {
            first = first == SIZE_MAX ? i : first;
            end = i + n;
        }
        i += n;
    }
    if (first == SIZE_MAX && (made->left || made->right)) {
        return (lmd_span){0, 0};
    }
    return (lmd_span){made->left ? first : 0, made->right ? end : size};
}

static lmd_status apply_strip(const lmd_normalizer *self, lmd_matcher *matcher,
                              const char *text, size_t size, lmd_text *out)
{
    const lmd_span kept = kept_by_strip((const letters *)self, text, size);
    (void)matcher;
    lmd_text_append(out, text + kept.begin, kept.end - kept.begin);
    return LMD_OK;
}

static lmd_status front_of_strip(const lmd_normalizer *self, lmd_matcher *matcher,
                                 const char *text, size_t size, size_t *front)
{
    const lmd_span kept = kept_by_strip((const letters *)self, text, size);
    const size_t end = *front < kept.end ? *front : kept.end;
    (void)matcher;
    *front = end > kept.begin ? end - kept.begin : 0;
    return LMD_OK;
}

static lmd_status open_strip(lmd_normalizer **out, json_t *json)
{
    return open_letters(out, json, &lmd_normalizer_strip);
}

const lmd_normalizer_kind lmd_normalizer_strip = {"Strip", open_strip, close_letters,
                                                  apply_strip, front_of_strip};
