/* The map between bytes and characters of byte-level vocabularies (Radford et al. 2019,
 * bytes_to_unicode of the released encoder). Both ways are arithmetic on the four ranges,
 * so there is no table to build or to share. */
#include "byte_level.h"

/* Bytes that do not print, in order: 0-32, 127-160, 173. */
static uint32_t character_of(unsigned char byte)
{
    if (byte <= 32) {
        return 256U + byte;
    }
    if (byte >= 127 && byte <= 160) {
        return 256U + 33U + (byte - 127U);
    }
    return byte == 173 ? 256U + 33U + 34U : byte;
}

/* -1 for a character that stands for no byte. */
static int byte_of(uint32_t character)
{
    if (character < 256) {
        const bool prints = character_of((unsigned char)character) == character;
        return prints ? (int)character : -1;
    }
    if (character < 256 + 33) {
        return (int)(character - 256);
    }
    if (character < 256 + 33 + 34) {
        return (int)(character - 256 - 33 + 127);
    }
    return character == 256 + 33 + 34 ? 173 : -1;
}

void lmd_byte_level_write(const char *bytes, size_t n, lmd_text *out)
{
    char *const room = lmd_text_reserve(out, 2 * n + 1);
    size_t size = 0;
    for (size_t i = 0; i < n; i++) {
        const uint32_t character = character_of((unsigned char)bytes[i]);
        if (character < 0x80) {
            room[size++] = (char)character;
        } else {
            room[size++] = (char)(0xC0 | (character >> 6));
            room[size++] = (char)(0x80 | (character & 0x3F));
        }
    }
    room[size] = '\0';
    out->size += size;
}

bool lmd_byte_level_read(const char *text, size_t n, lmd_text *out)
{
    const size_t old_size = out->size;
    for (size_t i = 0; i < n;) {
        uint32_t character = 0;
        i += lmd_text_decode_utf8(text + i, &character);
        const int byte = byte_of(character);
        if (byte < 0) {
            out->size = old_size;
            return false;
        }
        const char value = (char)byte;
        lmd_text_append(out, &value, 1);
    }
    return true;
}
