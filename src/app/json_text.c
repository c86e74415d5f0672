/* JSON for standard output. */
#include "json_text.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lmdepth/base/text.h>

json_t *lmd_json_text(const char *text)
{
    if (text == NULL) {
        return json_null();
    }
    lmd_text well_formed = {0};
    const size_t size = strlen(text);
    for (size_t at = 0; at < size;) {
        const size_t n = lmd_text_find_bad_utf8(text + at, size - at);
        lmd_text_append(&well_formed, text + at, n);
        at += n;
        if (at < size) {
            lmd_text_append_string(&well_formed, "\xEF\xBF\xBD");
            at++;
        }
    }
    json_t *string = json_string(lmd_text_string(&well_formed));
    lmd_text_clear(&well_formed);
    return string;
}

void lmd_json_print(json_t *root)
{
    assert(root != NULL);
    char *text = json_dumps(root, JSON_INDENT(2));
    puts(text);
    free(text);
    json_decref(root);
}
