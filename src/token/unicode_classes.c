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

bool lmd_unicode_is_old_mark(uint32_t c)
{
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
        return true;
    default:
        return false;
    }
}
