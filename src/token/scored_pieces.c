/* What SentencePiece's models have in common: bytes and unknown characters. */
#include "scored_pieces.h"

#include <stdio.h> /* snprintf */

void lmd_scored_find_bytes(const lmd_vocabulary *vocabulary, int by_byte[256])
{
    for (unsigned byte = 0; byte < 256; byte++) {
        char name[8];
        const int size = snprintf(name, sizeof name, "<0x%02X>", byte);
        by_byte[byte] = lmd_vocabulary_find(vocabulary, name, (size_t)size);
    }
}

static bool append_bytes(const int by_byte[256], const char *character, size_t size,
                         lmd_ids *out)
{
    for (size_t i = 0; i < size; i++) {
        if (by_byte[(unsigned char)character[i]] < 0) {
            return false;
        }
    }
    for (size_t i = 0; i < size; i++) {
        const uint32_t id = (uint32_t)by_byte[(unsigned char)character[i]];
        lmd_ids_append(out, &id, 1);
    }
    return true;
}

lmd_status lmd_scored_append_unknown(const int by_byte[256], int unknown,
                                     const char *character, size_t size, bool *is_unknown,
                                     lmd_ids *out)
{
    if (by_byte != NULL && append_bytes(by_byte, character, size, out)) {
        *is_unknown = false;
        return LMD_OK;
    }
    if (unknown < 0) {
        return lmd_status_set(LMD_INPUT,
                              "the vocabulary has neither a piece for the character %.*s "
                              "nor an unknown token",
                              (int)(size < 4 ? size : 4), character);
    }
    const uint32_t id = (uint32_t)unknown;
    lmd_ids_append(out, &id, !*is_unknown);
    *is_unknown = true;
    return LMD_OK;
}
