/* Normalizers NFC, NFD, NFKC and NFKD (Unicode Annex 15) over utf8proc's tables.
 *
 * Text below U+0300 is its own NFC, and text below U+0080 every form, so most text is
 * only looked at. The algorithm is written out here for two reasons: utf8proc's
 * reordering of combining marks is quadratic in their run, and `tokenizers` normalizes by
 * Unicode 9, for which newer characters have neither class nor mapping (is_unknown). */
#include "normalizer.h"

#include <stdbool.h>             /* bool */
#include <string.h>              /* memcpy */
#include <utf8proc.h>            /* utf8proc_decompose_char */
#include <lmdepth/base/memory.h> /* lmd_memory_new */

typedef struct form {
    lmd_normalizer base;
    unsigned options;   /* of utf8proc */
    unsigned char safe; /* bytes below it are left as they are by this form */
} form;

typedef struct points {
    utf8proc_int32_t *at; /* (count) owned */
    size_t count;
    size_t capacity;
} points;

static void append_point(points *all, utf8proc_int32_t point)
{
    if (all->count == all->capacity) {
        all->capacity = all->capacity == 0 ? 256 : 2 * all->capacity;
        all->at = lmd_memory_resize(all->at, all->capacity, sizeof *all->at);
    }
    all->at[all->count++] = point;
}

/* Characters newer than Unicode 9 that have a combining class or a mapping by now. */
static bool is_unknown(utf8proc_int32_t point)
{
    static const utf8proc_int32_t ranges[][2] = {
        {0x07FD, 0x07FD},   {0x0898, 0x089F},   {0x08CA, 0x08D3},   {0x09FE, 0x09FE},
        {0x0C3C, 0x0C3C},   {0x0D3B, 0x0D3C},   {0x0EBA, 0x0EBA},   {0x1715, 0x1715},
        {0x1ABF, 0x1ACE},   {0x1DF6, 0x1DFA},   {0x32FF, 0x32FF},   {0xA7F2, 0xA7F4},
        {0xA82C, 0xA82C},   {0xAB69, 0xAB69},   {0x10781, 0x107BA}, {0x10D24, 0x10D27},
        {0x10EAB, 0x10EAC}, {0x10F46, 0x10F50}, {0x10F82, 0x10F85}, {0x11070, 0x11070},
        {0x1133B, 0x1133B}, {0x1145E, 0x1145E}, {0x11839, 0x1183A}, {0x11938, 0x11938},
        {0x1193D, 0x1193E}, {0x11943, 0x11943}, {0x119E0, 0x119E0}, {0x11A34, 0x11A34},
        {0x11A47, 0x11A47}, {0x11A99, 0x11A99}, {0x11D42, 0x11D42}, {0x11D44, 0x11D45},
        {0x11D97, 0x11D97}, {0x16FF0, 0x16FF1}, {0x1E130, 0x1E136}, {0x1E2AE, 0x1E2AE},
        {0x1E2EC, 0x1E2EF}, {0x1F16C, 0x1F16C}, {0x1FBF0, 0x1FBF9},
#define ADDED(first, last, category) {first, last},
#include "unicode_additions.def"
#undef ADDED
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        if (point >= ranges[i][0] && point <= ranges[i][1]) {
            return true;
        }
    }
    return false;
}

static void decompose(const char *text, size_t size, unsigned options, points *all)
{
    enum { LONGEST = 32 }; // U+FDFA has the longest mapping, of 18
    utf8proc_int32_t mapped[LONGEST];
    int boundary = 0;
    for (size_t i = 0; i < size;) {
        uint32_t point = 0;
        i += lmd_text_decode_utf8(text + i, &point);
        mapped[0] = (utf8proc_int32_t)point;
        utf8proc_ssize_t n = 1;
        if (point >= 0x80 && !is_unknown(mapped[0])) {
            n = utf8proc_decompose_char((utf8proc_int32_t)point, mapped, LONGEST,
                                        (utf8proc_option_t)options, &boundary);
        }
        for (utf8proc_ssize_t k = 0; k < n && k < LONGEST; k++) {
            append_point(all, mapped[k]);
        }
    }
}

static int class_of(utf8proc_int32_t point)
{
    const int class = utf8proc_get_property(point)->combining_class;
    return class != 0 && is_unknown(point) ? 0 : class;
}

/* Stable merge sort by combining class. */
static void sort_run(utf8proc_int32_t *run, size_t n, utf8proc_int32_t *scratch)
{
    if (n < 2) {
        return;
    }
    const size_t half = n / 2;
    sort_run(run, half, scratch);
    sort_run(run + half, n - half, scratch);
    memcpy(scratch, run, half * sizeof *run);
    size_t left = 0;
    size_t right = half;
    for (size_t i = 0; left < half; i++) {
        const bool takes_left =
            right == n || class_of(scratch[left]) <= class_of(run[right]);
        run[i] = takes_left ? scratch[left++] : run[right++];
    }
}

/* Runs of characters with a class other than 0 go in order of their class. */
static void reorder(points *all)
{
    utf8proc_int32_t *const scratch = lmd_memory_new(all->count / 2 + 1, sizeof *scratch);
    for (size_t i = 0; i < all->count;) {
        size_t end = i;
        while (end < all->count && class_of(all->at[end]) != 0) {
            end++;
        }
        sort_run(all->at + i, end - i, scratch);
        i = end + 1;
    }
    lmd_memory_free(scratch);
}

/* The character that two compose to; -1 when there is none. U+11A7 stands before the
 * trailing consonants of Hangul and is none; utf8proc would swallow it. */
static utf8proc_int32_t compose_pair(utf8proc_int32_t first, utf8proc_int32_t second)
{
    utf8proc_int32_t pair[2] = {first, second};
    const utf8proc_option_t options = UTF8PROC_COMPOSE | UTF8PROC_STABLE;
    const bool is_one =
        second != 0x11A7 && utf8proc_normalize_utf32(pair, 2, options) == 1;
    return is_one && !is_unknown(pair[0]) ? pair[0] : -1;
}

/* Canonical composition: a character joins the last starter unless one between them has
 * its class or a higher one, or is a starter. */
static void compose(points *all)
{
    size_t count = 0;
    size_t starter = SIZE_MAX;
    int last_class = 0;
    for (size_t i = 0; i < all->count; i++) {
        const utf8proc_int32_t point = all->at[i];
        const int class = class_of(point);
        const bool is_free =
            starter != SIZE_MAX && (count == starter + 1 || last_class < class);
        const utf8proc_int32_t composed =
            is_free && point >= 0x80 ? compose_pair(all->at[starter], point) : -1;
        if (composed >= 0) {
            all->at[starter] = composed;
            continue;
        }
        starter = class == 0 ? count : starter;
        last_class = class;
        all->at[count++] = point;
    }
    all->count = count;
}

static lmd_status apply_form(const lmd_normalizer *self, lmd_matcher *matcher,
                             const char *text, size_t size, lmd_text *out)
{
    (void)matcher;
    const form *const rule = (const form *)self;
    size_t safe = 0;
    while (safe < size && (unsigned char)text[safe] < rule->safe) {
        safe++;
    }
    if (safe == size) {
        lmd_text_append(out, text, size);
        return LMD_OK;
    }
    points all = {0};
    decompose(text, size, rule->options, &all);
    reorder(&all);
    if ((rule->options & UTF8PROC_COMPOSE) != 0) {
        compose(&all);
    }
    for (size_t i = 0; i < all.count; i++) {
        char bytes[4];
        lmd_text_append(out, bytes, lmd_text_encode_utf8((uint32_t)all.at[i], bytes));
    }
    lmd_memory_free(all.at);
    return LMD_OK;
}

static void close_form(lmd_normalizer *self)
{
    lmd_memory_free(self);
}

static lmd_status open_form(lmd_normalizer **out, const lmd_normalizer_kind *kind,
                            unsigned options, unsigned char safe)
{
    form *const made = lmd_memory_new(1, sizeof *made);
    made->base.kind = kind;
    made->options = options | UTF8PROC_STABLE;
    made->safe = safe;
    *out = &made->base;
    return LMD_OK;
}

/* X(name, type, options of utf8proc, lead bytes below this one need no work): 0xCC leads
 * U+0300. */
#define FORMS(X)                                                                         \
    X(nfc, "NFC", UTF8PROC_DECOMPOSE | UTF8PROC_COMPOSE, 0xCC)                           \
    X(nfd, "NFD", UTF8PROC_DECOMPOSE, 0x80)                                              \
    X(nfkc, "NFKC", UTF8PROC_DECOMPOSE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT, 0x80)       \
    X(nfkd, "NFKD", UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT, 0x80)

#define FORM_ROW(name, type, options, safe)                                              \
    static lmd_status open_##name(lmd_normalizer **out, json_t *json)                    \
    {                                                                                    \
        (void)json;                                                                      \
        return open_form(out, &lmd_normalizer_##name, options, safe);                    \
    }                                                                                    \
    const lmd_normalizer_kind lmd_normalizer_##name = {type, open_##name, close_form,    \
                                                       apply_form, NULL};
FORMS(FORM_ROW)
