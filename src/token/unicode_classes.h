/* Classes of single characters, as Rust's `char` and `regex` see them. */
#ifndef LMDEPTH_TOKEN_UNICODE_CLASSES_H
#define LMDEPTH_TOKEN_UNICODE_CLASSES_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint32_t */

/* White_Space. */
bool lmd_unicode_is_white(uint32_t code_point);

/* \w: letters, marks, decimal digits, connectors, joiners, alphabetic symbols. */
bool lmd_unicode_is_word(uint32_t code_point);

/* A combining mark (categories M*) of the table that `tokenizers` strips accents by. */
bool lmd_unicode_is_old_mark(uint32_t c);

#endif
