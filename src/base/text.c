/* Growing strings double their room, so appending is linear in all. UTF-8 is checked by
 * the table of well-formed sequences of the Unicode Standard (Table 3-7): only the second
 * byte has a range that depends on the first. */
#include <lmdepth/base/text.h>

#include <assert.h>              /* assert */
#include <errno.h>               /* ERANGE */
#include <lmdepth/base/log.h>    /* lmd_log_fatal */
#include <lmdepth/base/memory.h> /* lmd_memory_resize */
#include <lmdepth/base/status.h> /* LMD_RESOURCE */
#include <locale.h>              /* newlocale */
#include <math.h>                /* isfinite */
#include <stdio.h>               /* vsnprintf */
#include <stdlib.h>              /* strtoll, strtod_l */
#include <string.h>              /* memcpy, strspn */

enum { SMALLEST_CAPACITY = 64 };

void lmd_text_clear(lmd_text *text)
{
    lmd_memory_free(text->bytes);
    *text = (lmd_text){0};
}

void lmd_text_append_size(lmd_text *text, double n_bytes)
{
    if (n_bytes < 1e4) {
        lmd_text_append_format(text, "%.0f bytes", n_bytes);
    } else if (n_bytes < 1e6) {
        lmd_text_append_format(text, "%.0f kB", n_bytes / 1e3);
    } else if (n_bytes < 1e9) {
        lmd_text_append_format(text, "%.0f MB", n_bytes / 1e6);
    } else {
        lmd_text_append_format(text, "%.2f GB", n_bytes / 1e9);
    }
}

char *lmd_text_reserve(lmd_text *text, size_t n_bytes)
{
    if (n_bytes > SIZE_MAX / 4 - text->size) {
        lmd_log_fatal(LMD_RESOURCE, "out of memory: a text of %zu + %zu bytes",
                      text->size, n_bytes);
    }
    const size_t needed = text->size + n_bytes + 1;
    if (needed > text->capacity) {
        size_t capacity = 2 * text->capacity;
        capacity = capacity < SMALLEST_CAPACITY ? SMALLEST_CAPACITY : capacity;
        capacity = capacity < needed ? needed : capacity;
        text->bytes = lmd_memory_resize(text->bytes, capacity, 1);
        text->capacity = capacity;
    }
    text->bytes[text->size] = 0;
    text->bytes[text->size + n_bytes] = 0;
    return text->bytes + text->size;
}

void lmd_text_append(lmd_text *text, const void *bytes, size_t n_bytes)
{
    char *const end = lmd_text_reserve(text, n_bytes);
    if (n_bytes > 0) {
        memcpy(end, bytes, n_bytes);
        text->size += n_bytes;
    }
}

void lmd_text_append_string(lmd_text *text, const char *string)
{
    lmd_text_append(text, string, strlen(string));
}

void lmd_text_append_format(lmd_text *text, const char *format, ...)
{
    va_list arguments;
    va_list again;
    va_start(arguments, format);
    va_copy(again, arguments);
    const int wanted = vsnprintf(NULL, 0, format, arguments);
    if (wanted > 0) {
        const size_t n_bytes = (size_t)wanted;
        (void)vsnprintf(lmd_text_reserve(text, n_bytes), n_bytes + 1, format, again);
        text->size += n_bytes;
    }
    va_end(again);
    va_end(arguments);
}

const char *lmd_text_string(const lmd_text *text)
{
    return text->bytes ? text->bytes : "";
}

/* Length of the sequence that `first` begins and the range of its second byte; 0 when no
 * sequence begins so. */
static size_t sequence_length(unsigned char first, unsigned char *low,
                              unsigned char *high)
{
    *low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    *high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (first < 0x80) {
        return 1;
    }
    if (first < 0xc2 || first > 0xf4) {
        return 0;
    }
    return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/* Length of the well-formed sequence at bytes[0]; 0 when there is none. */
static size_t well_formed_length(const unsigned char *bytes, size_t n_bytes)
{
    unsigned char low;
    unsigned char high;
    const size_t length = sequence_length(bytes[0], &low, &high);
    if (length == 0 || length > n_bytes) {
        return 0;
    }
    if (length > 1 && (bytes[1] < low || bytes[1] > high)) {
        return 0;
    }
    for (size_t i = 2; i < length; i++) {
        if ((bytes[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return length;
}

static bool is_ascii_word(const unsigned char *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return (word & UINT64_C(0x8080808080808080)) == 0;
}

size_t lmd_text_find_bad_utf8(const char *bytes, size_t n_bytes)
{
    const unsigned char *const data = (const unsigned char *)bytes;
    size_t at = 0;
    while (at < n_bytes) {
        if (n_bytes - at >= sizeof(uint64_t) && is_ascii_word(data + at)) {
            at += sizeof(uint64_t);
            continue;
        }
        const size_t length = well_formed_length(data + at, n_bytes - at);
        if (length == 0) {
            return at;
        }
        at += length;
    }
    return n_bytes;
}

size_t lmd_text_decode_utf8(const char *bytes, uint32_t *code_point)
{
    const unsigned char *const data = (const unsigned char *)bytes;
    if (data[0] < 0x80) {
        *code_point = data[0];
        return 1;
    }
    const size_t length = data[0] < 0xe0 ? 2 : data[0] < 0xf0 ? 3 : 4;
    uint32_t value = data[0] & (0x7fU >> length);
    for (size_t i = 1; i < length; i++) {
        value = value << 6 | (data[i] & 0x3fU);
    }
    *code_point = value;
    return length;
}

size_t lmd_text_encode_utf8(uint32_t code_point, char out[4])
{
    assert(code_point <= 0x10ffff);
    if (code_point < 0x80) {
        out[0] = (char)code_point;
        return 1;
    }
    const size_t length = code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code_point & 0x3f));
        code_point >>= 6;
    }
    out[0] = (char)((0xf00U >> length & 0xf0U) | code_point);
    return length;
}

bool lmd_text_is_white(char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

bool lmd_text_is_blank(const char *bytes, size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes; i++) {
        if (!lmd_text_is_white(bytes[i])) {
            return false;
        }
    }
    return true;
}

void lmd_text_make_printable(char *string)
{
    for (char *c = string; *c; c++) {
        const unsigned char byte = (unsigned char)*c;
        const unsigned char next = (unsigned char)c[1];
        if ((byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7f) {
            *c = '?';
        } else if (byte == 0xc2 && next >= 0x80 && next < 0xa0) {
            *c++ = '?';
            *c = '?';
        }
    }
}

bool lmd_text_to_int64(const char *string, int64_t *value)
{
    const char *const digits = string + (*string == '-' || *string == '+');
    if (*digits == 0 || digits[strspn(digits, "0123456789")] != 0) {
        return false;
    }
    errno = 0;
    const long long number = strtoll(string, NULL, 10);
    if (errno == ERANGE) {
        return false;
    }
    *value = number;
    return true;
}

/* Only decimal notation: strtod also knows white space, hexadecimal, infinity and NaN. */
bool lmd_text_to_double(const char *string, double *value)
{
    if (*string == 0 || string[strspn(string, "0123456789+-.eE")] != 0) {
        return false;
    }
    const locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (c_locale == (locale_t)0) {
        lmd_log_fatal(LMD_RESOURCE, "the C locale can't be had");
    }
    char *end = NULL;
    const double number = strtod_l(string, &end, c_locale);
    freelocale(c_locale);
    if (end == string || *end != 0 || !isfinite(number)) {
        return false;
    }
    *value = number;
    return true;
}

static double unit_seconds(const char *unit)
{
    static const struct {
        const char *name;
        double seconds;
    } units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(unit, units[i].name) == 0) {
            return units[i].seconds;
        }
    }
    return 0;
}

/* [D-][HH:]MM:SS, and D-HH. */
static bool parse_clock(const char *string, double *seconds)
{
    double sum = 0;
    int n_fields = 0;
    const bool has_days = strchr(string, '-') != NULL;
    for (const char *at = string;; at++) {
        const size_t width = strspn(at, "0123456789");
        if (width == 0 || width > 6) {
            return false;
        }
        const double field = strtod(at, NULL);
        sum = n_fields == 0 ? field : sum * (n_fields == 1 && has_days ? 24 : 60) + field;
        n_fields++;
        at += width;
        if (*at == 0) {
            break;
        }
        if (*at != (n_fields == 1 && has_days ? '-' : ':')) {
            return false;
        }
    }
    /* Days and hours may be the last that are said; without days it is MM:SS. */
    for (int i = n_fields; has_days && i < 4; i++) {
        sum *= 60;
    }
    *seconds = sum;
    return n_fields <= (has_days ? 4 : 3) && n_fields >= 2 && sum > 0;
}

bool lmd_text_to_seconds(const char *string, double *seconds)
{
    const size_t width = strspn(string, "0123456789.");
    if (strpbrk(string, ":-")) {
        return parse_clock(string, seconds) && *seconds < 1e9;
    }
    char *const number = lmd_memory_copy_bytes(string, width);
    const double unit = unit_seconds(string + width);
    double value = 0;
    const bool is_number = lmd_text_to_double(number, &value);
    lmd_memory_free(number);
    *seconds = value * unit;
    return is_number && *seconds > 0 && *seconds < 1e9;
}
