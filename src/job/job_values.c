/* The two small languages inside job values: which positions, which states. Both are
 * read by a cursor over the string; blanks between words do not matter. */
#include <lmdepth/job.h>

#include <ctype.h>               /* isdigit */
#include <errno.h>               /* ERANGE */
#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include <stdlib.h>              /* strtoll */
#include <string.h>              /* strncmp */
#include "job_values.h"

static const char *skip_blanks(const char *at)
{
    while (lmd_text_is_white(*at)) {
        at++;
    }
    return at;
}

/* Is all of `text` this word? */
static bool is_word(const char *text, const char *word)
{
    const char *const at = skip_blanks(text);
    const size_t n = strlen(word);
    return strncmp(at, word, n) == 0 && *skip_blanks(at + n) == 0;
}

/* What follows the word and a blank, NULL when it does not begin so. */
static const char *behind_word(const char *text, const char *word)
{
    const char *const at = skip_blanks(text);
    const size_t n = strlen(word);
    if (strncmp(at, word, n) != 0 || !lmd_text_is_white(at[n])) {
        return NULL;
    }
    return skip_blanks(at + n);
}

/* A copy without blanks at its end, the caller's. */
static char *trimmed(const char *text)
{
    size_t n = strlen(text);
    while (n > 0 && lmd_text_is_white(text[n - 1])) {
        n--;
    }
    return lmd_memory_copy_bytes(text, n);
}

static bool read_every(const char *text, int64_t *every)
{
    char *const number = trimmed(text);
    const bool is_right = lmd_text_to_int64(number, every) && *every >= 1;
    lmd_memory_free(number);
    return is_right;
}

static bool read_share(const char *text, double *share)
{
    char *const number = trimmed(text);
    const bool is_right = lmd_text_to_double(number, share) && *share >= 0 && *share <= 1;
    lmd_memory_free(number);
    return is_right;
}

lmd_status lmd_job_parse_positions(const char *text, lmd_positions *out)
{
    const char *const every = behind_word(text, "every");
    const char *const share = behind_word(text, "sample");
    *out = (lmd_positions){.kind = LMD_POSITIONS_ALL};
    if (is_word(text, "all")) {
        return LMD_OK;
    }
    if (is_word(text, "last")) {
        out->kind = LMD_POSITIONS_LAST;
        return LMD_OK;
    }
    if (every && read_every(every, &out->every)) {
        out->kind = LMD_POSITIONS_EVERY;
        return LMD_OK;
    }
    if (share && read_share(share, &out->share)) {
        out->kind = LMD_POSITIONS_SAMPLE;
        return LMD_OK;
    }
    return lmd_status_set(LMD_USAGE,
                          "expected all, last, every K (K at least 1) or sample P "
                          "(P from 0 to 1), not '%s'",
                          text);
}

static bool read_index(const char **at, int64_t *index)
{
    const char *const start = skip_blanks(*at);
    if (!isdigit((unsigned char)start[*start == '-'])) {
        return false;
    }
    char *end = NULL;
    errno = 0;
    *index = strtoll(start, &end, 10);
    *at = skip_blanks(end);
    return errno != ERANGE;
}

/* "3", "-1", "0-30" or "-3--1" and the comma behind it; *more when one was there. */
static bool read_range(const char **at, int64_t *low, int64_t *high, bool *more)
{
    if (!read_index(at, low)) {
        return false;
    }
    *high = *low;
    if (**at == '-') {
        (*at)++;
        if (!read_index(at, high)) {
            return false;
        }
    }
    *more = **at == ',';
    *at += *more;
    return *more || **at == 0;
}

static lmd_status refuse_states(const char *text)
{
    return lmd_status_set(LMD_USAGE,
                          "expected all, or indices and ranges such as '0-30, -1' "
                          "(negative from the end), not '%s'",
                          text);
}

/* Index from the front of one that may count from the end; -1 when out of range. */
static int64_t from_front(int64_t index, int N)
{
    const int64_t front = index < 0 && index >= -(int64_t)N - 1 ? index + N + 1 : index;
    return front > N || front < 0 ? -1 : front;
}

static lmd_status take_range(const char *text, int64_t low, int64_t high, int N,
                             bool *is_taken)
{
    const int64_t first = from_front(low, N);
    const int64_t last = from_front(high, N);
    if (first < 0 || last < 0) {
        return lmd_status_set(LMD_USAGE,
                              "state %lld of '%s' is out of range: the model has states "
                              "0 to %d",
                              (long long)(first < 0 ? low : high), text, N);
    }
    if (first > last) {
        return lmd_status_set(LMD_USAGE, "range %lld-%lld of '%s' runs backwards",
                              (long long)low, (long long)high, text);
    }
    for (int64_t i = first; i <= last; i++) {
        is_taken[i] = true;
    }
    return LMD_OK;
}

static lmd_status take_states(const char *text, int N, bool *is_taken)
{
    if (is_word(text, "all")) {
        return take_range(text, 0, N, N, is_taken);
    }
    const char *at = text;
    bool more = true;
    while (more) {
        int64_t low;
        int64_t high;
        if (!read_range(&at, &low, &high, &more)) {
            return refuse_states(text);
        }
        LMD_TRY(take_range(text, low, high, N, is_taken));
    }
    return LMD_OK;
}

lmd_status lmd_job_parse_states(const char *text, int N, int32_t *states, int *L)
{
    bool *const is_taken = lmd_memory_new((size_t)N + 1, sizeof *is_taken);
    const lmd_status status = take_states(text, N, is_taken);
    is_taken[N] = true;
    *L = 0;
    for (int32_t i = 0; status == LMD_OK && i <= N; i++) {
        if (is_taken[i]) {
            states[(*L)++] = i;
        }
    }
    lmd_memory_free(is_taken);
    return status;
}

lmd_status job_values_check_states(const char *text)
{
    const char *at = text;
    bool more = !is_word(text, "all");
    while (more) {
        int64_t low;
        int64_t high;
        if (!read_range(&at, &low, &high, &more)) {
            return refuse_states(text);
        }
    }
    return LMD_OK;
}
