/* Any bytes as a line of jsonl: the text of what is accepted is UTF-8, and a record has a
 * label whatever becomes of it. */
#include <stdlib.h> /* abort */
#include <lmdepth/corpus.h>
#include "fuzz_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    lmd_text text = {0};
    lmd_text label = {0};
    const lmd_fate fate =
        lmd_corpus_parse_json((const char *)bytes, n_bytes, "a.b", "c", &text, &label);
    const char *const string = lmd_text_string(&text);
    if ((fate != LMD_FATE_USED && text.size > 0) || !label.bytes ||
        lmd_text_find_bad_utf8(string, text.size) != text.size) {
        abort();
    }
    lmd_text_clear(&text);
    lmd_text_clear(&label);
    fuzz_check_memory();
    return 0;
}
