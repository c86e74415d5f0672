/* By utf8proc's categories (Unicode 13 and later) and, for what is newer or has its
 * alphabetic quality from elsewhere, a few ranges. */
#include "unicode_classes.h"

#include <stddef.h>   /* size_t */
#include <utf8proc.h> /* utf8proc_category */

bool lmd_unicode_is_white(uint32_t c)
{
    return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 ||
           c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
           c == 0x202F || c == 0x205F || c == 0x3000;
}

static bool is_new_word_character(uint32_t c)
{
    static const struct {
        uint32_t first;
        uint32_t last;
        char category[3];
    } rows[] = {
#define ADDED(first, last, category) {first, last, category},
#include "unicode_additions.def"
#undef ADDED
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (c >= rows[i].first && c <= rows[i].last) {
            const char *const category = rows[i].category;
            return category[0] == 'L' || category[0] == 'M' ||
                   (category[0] == 'N' && category[1] == 'd');
        }
    }
    return false;
}

bool lmd_unicode_is_word(uint32_t c)
{
    const bool is_alphabetic_symbol =
        (c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) ||
        (c >= 0x1F150 && c <= 0x1F169) || (c >= 0x1F170 && c <= 0x1F189);
    if (c == 0x200C || c == 0x200D || is_alphabetic_symbol) {
        return true;
    }
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
        return true;
    default:
        return is_new_word_character(c);
    }
}

/* Marks that are younger than Unicode 9, whose table `tokenizers` has. */
static bool is_young_mark(uint32_t c)
{
    static const uint32_t ranges[][2] = {
        {0x07FD, 0x07FD},   {0x0898, 0x08D3},   {0x09FE, 0x09FE},   {0x0AFA, 0x0AFF},
        {0x0B55, 0x0B55},   {0x0C04, 0x0C3C},   {0x0CF3, 0x0D00},   {0x0D3B, 0x0D3C},
        {0x0D81, 0x0D81},   {0x0EBA, 0x0EBA},   {0x0ECE, 0x0ECE},   {0x1715, 0x1715},
        {0x180F, 0x180F},   {0x1ABF, 0x1ACE},   {0x1CF7, 0x1CF7},   {0x1DF6, 0x1DFA},
        {0xA82C, 0xA82C},   {0xA8FF, 0xA8FF},   {0x10D24, 0x10D27}, {0x10EAB, 0x10F85},
        {0x11070, 0x11074}, {0x110C2, 0x110C2}, {0x11145, 0x11146}, {0x111C9, 0x111C9},
        {0x111CE, 0x111CF}, {0x11241, 0x11241}, {0x1133B, 0x1133B}, {0x1145E, 0x1145E},
        {0x1182C, 0x1183A}, {0x11930, 0x11A99}, {0x11D31, 0x11D97}, {0x11EF3, 0x11F42},
        {0x13440, 0x13455}, {0x16F4F, 0x16F4F}, {0x16F7F, 0x16F87}, {0x16FE4, 0x16FF1},
        {0x1CF00, 0x1CF46}, {0x1E08F, 0x1E136}, {0x1E2AE, 0x1E2EF}, {0x1E4EC, 0x1E4EF}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        if (c >= ranges[i][0] && c <= ranges[i][1]) {
            return true;
        }
    }
    return false;
}

bool lmd_unicode_is_old_mark(uint32_t c)
{
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
        return !is_young_mark(c);
    default:
        return c == 0x1CF2 || c == 0x1CF3; // letters since Unicode 12
    }
}
