/* Growing byte strings and the little UTF-8 that readers need. */
#ifndef LMDEPTH_BASE_TEXT_H
#define LMDEPTH_BASE_TEXT_H

#include <stdarg.h>  /* va_list */
#include <stdbool.h> /* bool */
#include <stddef.h>  /* size_t */
#include <stdint.h>  /* uint32_t */

/* A growing byte string. bytes[size] is always zero once something was appended; `bytes`
 * is NULL before. {0} is an empty one. */
typedef struct lmd_text {
    char *bytes; /* owned */
    size_t size;
    size_t capacity;
} lmd_text;

void lmd_text_clear(lmd_text *text); /* frees; leaves an empty one */
void lmd_text_append(lmd_text *text, const void *bytes, size_t n_bytes);
void lmd_text_append_string(lmd_text *text, const char *string);
__attribute__((format(printf, 2, 3))) void
lmd_text_append_format(lmd_text *text, const char *format, ...);

/* A size in memory for people: "12 kB", "340 MB", "1.20 GB". */
void lmd_text_append_size(lmd_text *text, double n_bytes);

/* Makes room for `n_bytes` more, so that a reader can write behind `size` itself. The
 * byte after them is zero; a reader that fills fewer and raises `size` sets its own zero.
 */
char *lmd_text_reserve(lmd_text *text, size_t n_bytes);

/* The string, "" when empty. */
const char *lmd_text_string(const lmd_text *text);

/* Offset of the first byte that is not well-formed UTF-8 (surrogates, overlong forms and
 * code points above U+10FFFF are not); n_bytes when all is well. */
size_t lmd_text_find_bad_utf8(const char *bytes, size_t n_bytes);

/* Decodes the code point at bytes[0] of well-formed UTF-8; returns its length, 1 to 4. */
size_t lmd_text_decode_utf8(const char *bytes, uint32_t *code_point);

/* Writes a code point as UTF-8 into out[4]; returns its length. */
size_t lmd_text_encode_utf8(uint32_t code_point, char out[4]);

/* Space, tab, LF, VT, FF or CR: what the job file calls white space. */
bool lmd_text_is_white(char byte);
bool lmd_text_is_blank(const char *bytes, size_t n_bytes);

/* Makes a '?' of every control character (ASCII's and Unicode's C1) but line feed and
 * tab: what stands in a file of somebody else must not command a terminal. */
void lmd_text_make_printable(char *string);

/* Integers and reals of a whole string, without locale; false unless all of it is one. */
bool lmd_text_to_int64(const char *string, int64_t *value);
bool lmd_text_to_double(const char *string, double *value);

/* A positive time: seconds with a unit (45s, 90m, 12h, 2d; a bare number: seconds), or as
 * Slurm writes it: MM:SS, HH:MM:SS, D-HH:MM:SS. */
bool lmd_text_to_seconds(const char *string, double *seconds);

#endif
