/* GPT-2's writing of bytes as characters: bytes that print in Latin-1 stand for
 * themselves, the others for U+0100, U+0101, ... in order. */
#ifndef LMDEPTH_TOKEN_BYTE_LEVEL_H
#define LMDEPTH_TOKEN_BYTE_LEVEL_H

#include <stdbool.h>           /* bool */
#include <stddef.h>            /* size_t */
#include <lmdepth/base/text.h> /* lmd_text */

/* Appends the characters of n bytes. */
void lmd_byte_level_write(const char *bytes, size_t n, lmd_text *out);

/* Appends the bytes of n bytes of such characters; false, and nothing appended, when
 * there is another character among them. */
bool lmd_byte_level_read(const char *text, size_t n, lmd_text *out);

#endif
