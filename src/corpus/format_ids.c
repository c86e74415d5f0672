/* ids: a line is token ids in decimal, between white space. */
#include "format.h"

/* The number at *at, which is moved behind it; false for what is none or is not below V.
 */
static bool read_id(const char **at, const char *end, int V, uint32_t *id)
{
    uint64_t value = 0;
    const char *const start = *at;
    while (*at < end && **at >= '0' && **at <= '9' && value < (uint64_t)V) {
        value = 10 * value + (uint64_t)(**at - '0');
        (*at)++;
    }
    *id = (uint32_t)value;
    return *at > start && value < (uint64_t)V && (*at == end || lmd_text_is_white(**at));
}

static lmd_fate parse(const corpus_record *record, corpus_content *out)
{
    const char *at = record->bytes;
    const char *const end = at + record->n_bytes;
    out->ids.count = 0;
    while (record->is_sampled && at < end) {
        uint32_t id;
        if (lmd_text_is_white(*at)) {
            at++;
        } else if (read_id(&at, end, record->V, &id)) {
            lmd_ids_append(&out->ids, &id, 1);
        } else {
            return LMD_FATE_ID;
        }
    }
    return LMD_FATE_USED;
}

const corpus_format corpus_format_ids = {
    .name = "ids",
    .has_ids = true,
    .find = corpus_format_find_line,
    .parse = parse,
};
