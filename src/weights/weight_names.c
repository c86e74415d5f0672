/* Sorted names and binary search: some thousand tensors or keys, written once, so a hash
 * table would earn nothing. */
#include "weight_names.h"

#include <stdlib.h>            /* qsort, bsearch */
#include <string.h>            /* strcmp */
#include <lmdepth/base/text.h> /* lmd_text_find_bad_utf8 */

enum { LONGEST_NAME = 65535 }; /* the limit of the GGUF specification for keys */

static int compare_names(const void *left, const void *right)
{
    const lmd_name *const a = left;
    const lmd_name *const b = right;
    return strcmp(a->text, b->text);
}

const char *lmd_weights_names_sort(lmd_name *names, int n)
{
    if (n > 1) {
        qsort(names, (size_t)n, sizeof *names, compare_names);
    }
    for (int i = 1; i < n; i++) {
        if (strcmp(names[i - 1].text, names[i].text) == 0) {
            return names[i].text;
        }
    }
    return NULL;
}

int lmd_weights_names_find(const lmd_name *names, int n, const char *text)
{
    if (n == 0) {
        return -1;
    }
    const lmd_name key = {.text = text, .index = 0};
    const lmd_name *const found =
        bsearch(&key, names, (size_t)n, sizeof *names, compare_names);
    return found == NULL ? -1 : found->index;
}

bool lmd_weights_names_is_good(const char *bytes, size_t n_bytes)
{
    if (n_bytes == 0 || n_bytes > LONGEST_NAME) {
        return false;
    }
    for (size_t i = 0; i < n_bytes; i++) {
        const unsigned char byte = (unsigned char)bytes[i];
        if (byte < 0x20 || byte == 0x7f) {
            return false;
        }
    }
    return lmd_text_find_bad_utf8(bytes, n_bytes) == n_bytes;
}
