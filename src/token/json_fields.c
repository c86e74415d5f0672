/* Getters over jansson. */
#include "json_fields.h"

#include <math.h>   /* fabs */
#include <stdint.h> /* uint64_t */
#include <stdio.h>  /* snprintf */
#include <stdlib.h> /* strtod */
#include <string.h> /* strstr, strlen */

static bool is_missing(const json_t *value)
{
    return value == NULL || json_is_null(value);
}

lmd_status lmd_json_get_bool(const json_t *object, const char *key, bool fallback,
                             bool *value)
{
    const json_t *const found = json_object_get(object, key);
    if (!is_missing(found) && !json_is_boolean(found)) {
        return lmd_status_set(LMD_INPUT, "%s: neither true nor false", key);
    }
    *value = is_missing(found) ? fallback : json_is_true(found);
    return LMD_OK;
}

lmd_status lmd_json_get_string(const json_t *object, const char *key, const char **value,
                               size_t *size)
{
    const json_t *const found = json_object_get(object, key);
    if (!is_missing(found) && !json_is_string(found)) {
        return lmd_status_set(LMD_INPUT, "%s: no string", key);
    }
    *value = is_missing(found) ? NULL : json_string_value(found);
    if (size != NULL) {
        *size = is_missing(found) ? 0 : json_string_length(found);
    }
    return LMD_OK;
}

/* 10 to the power of a number of at most three digits, the nearest there is. */
static double power_of_ten(int exponent)
{
    char text[16];
    (void)snprintf(text, sizeof text, "1e%d", exponent);
    return strtod(text, NULL);
}

/* The fewest digits that give a number, which are those that stand in files: up to 15
 * there is nothing to try. */
static void write_shortest(double value, char text[40])
{
    enum { SAFE_DIGITS = 15, MOST_DIGITS = 17 };
    for (int n = SAFE_DIGITS; n <= MOST_DIGITS; n++) {
        (void)snprintf(text, 40, "%.*e", n - 1, value);
        if (strtod(text, NULL) == value) {
            return;
        }
    }
}

double lmd_json_rust_number(double value)
{
    enum { LARGEST_POWER = 308 };
    char text[40];
    write_shortest(fabs(value), text);
    const char *const end = strchr(text, 'e');
    const char *last = end; // behind the digits, zeros at their end left out
    while (last > text + 1 && (last[-1] == '0' || last[-1] == '.')) {
        last--;
    }
    uint64_t digits = 0;
    int exponent = end == NULL ? 0 : atoi(end + 1);
    for (const char *at = text; at < last; at++) {
        if (*at != '.') {
            digits = 10 * digits + (uint64_t)(*at - '0');
            exponent -= at > text;
        }
    }
    if (exponent < -LARGEST_POWER || exponent > LARGEST_POWER) {
        return value;
    }
    const double power = power_of_ten(exponent < 0 ? -exponent : exponent);
    const double found = exponent < 0 ? (double)digits / power : (double)digits * power;
    return value < 0.0 ? -found : found;
}

static bool is_empty(const json_t *value)
{
    return json_is_null(value) || json_is_false(value) ||
           (json_is_string(value) && json_string_length(value) == 0) ||
           (json_is_array(value) && json_array_size(value) == 0) ||
           (json_is_object(value) && json_object_size(value) == 0);
}

static bool is_word_of(const char *list, const char *word)
{
    const size_t n = strlen(word);
    for (const char *at = strstr(list, word); n > 0 && at != NULL;
         at = strstr(at + 1, word)) {
        const bool begins = at == list || at[-1] == ' ';
        if (begins && (at[n] == ' ' || at[n] == '\0')) {
            return true;
        }
    }
    return false;
}

lmd_status lmd_json_check_keys(json_t *object, const char *known)
{
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach(object, key, value)
    {
        if (!is_word_of(known, key) && !is_empty(value)) {
            return lmd_status_set(LMD_INPUT, "%s: an unknown key", key);
        }
    }
    return LMD_OK;
}
