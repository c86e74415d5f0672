/* Every step through the array is held against its end, and a match counts only when key
 * and content are whole characters, so a damaged map gives another text but never an
 * ill-formed one. */
#include "charsmap.h"

#include <stdint.h>              /* uint32_t */
#include <string.h>              /* memcpy */
#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include <lmdepth/base/text.h>   /* lmd_text_find_bad_utf8 */

struct lmd_charsmap {
    uint32_t *units; /* (n_units) owned */
    size_t n_units;
    char *strings; /* (n_bytes + 1) owned; ends in zero */
    size_t n_bytes;
};

static uint32_t read_little(const char *bytes)
{
    const unsigned char *const at = (const unsigned char *)bytes;
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
           (uint32_t)at[3] << 24;
}

/* Is there a content of more than LONGEST bytes? The longest of NFKC has 33. */
static bool has_long_content(const char *strings, size_t n_bytes)
{
    enum { LONGEST = 1024 };
    size_t length = 0;
    for (size_t i = 0; i < n_bytes && length <= LONGEST; i++) {
        length = strings[i] == 0 ? 0 : length + 1;
    }
    return length > LONGEST;
}

lmd_status lmd_charsmap_new(lmd_charsmap **out, const char *bytes, size_t size)
{
    const size_t n_trie = size < 4 ? 0 : read_little(bytes);
    if (size < 8 || n_trie < 4 || n_trie % 4 != 0 || n_trie > size - 4) {
        return lmd_status_set(LMD_INPUT, "the precompiled character map is damaged");
    }
    const char *const strings = bytes + 4 + n_trie;
    const size_t n_bytes = size - 4 - n_trie;
    if (lmd_text_find_bad_utf8(strings, n_bytes) != n_bytes) {
        return lmd_status_set(LMD_INPUT,
                              "the precompiled character map is not well-formed UTF-8");
    }
    if (has_long_content(strings, n_bytes)) {
        return lmd_status_set(LMD_INPUT,
                              "the precompiled character map makes a text of a "
                              "character");
    }
    lmd_charsmap *const map = lmd_memory_new(1, sizeof *map);
    map->n_units = n_trie / 4;
    map->units = lmd_memory_new(map->n_units, sizeof *map->units);
    for (size_t i = 0; i < map->n_units; i++) {
        map->units[i] = read_little(bytes + 4 + 4 * i);
    }
    map->strings = lmd_memory_copy_bytes(strings, n_bytes);
    map->n_bytes = n_bytes;
    *out = map;
    return LMD_OK;
}

void lmd_charsmap_free(lmd_charsmap *map)
{
    if (map != NULL) {
        lmd_memory_free(map->units);
        lmd_memory_free(map->strings);
        lmd_memory_free(map);
    }
}

/* The distance from a node to its children. */
static size_t offset_of(uint32_t unit)
{
    return (size_t)(unit >> 10) << ((unit & (1U << 9)) >> 6);
}

static bool is_inside_character(char byte)
{
    return ((unsigned char)byte & 0xC0) == 0x80;
}

/* The content at a node that ends a key; NULL when there is none. */
static const char *content_at(const lmd_charsmap *map, size_t node)
{
    const size_t value =
        node < map->n_units ? map->units[node] & ((1U << 31) - 1) : map->n_bytes;
    return value >= map->n_bytes || is_inside_character(map->strings[value])
               ? NULL
               : map->strings + value;
}

size_t lmd_charsmap_match(const lmd_charsmap *map, bool longest, const char *text,
                          size_t size, const char **content)
{
    size_t length = 0;
    size_t node = offset_of(map->units[0]);
    for (size_t i = 0; i < size && (longest || length == 0); i++) {
        const unsigned char byte = (unsigned char)text[i];
        node ^= byte;
        if (node >= map->n_units ||
            (map->units[node] & ((1U << 31) | 0xFF)) != (uint32_t)byte) {
            break;
        }
        const uint32_t unit = map->units[node];
        node ^= offset_of(unit);
        const bool is_whole = i + 1 == size || !is_inside_character(text[i + 1]);
        const char *const found =
            ((unit >> 8) & 1) != 0 && is_whole ? content_at(map, node) : NULL;
        if (found != NULL) {
            *content = found;
            length = i + 1;
        }
    }
    return length;
}
