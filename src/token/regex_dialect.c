/* Oniguruma's dialect (Ruby syntax), which tokenizer.json files are written in, rewritten
 * for PCRE2.
 *
 * Where the two differ in what tokenizers use: \s is the property White_Space (PCRE2 adds
 * U+180E); \w holds marks and alphabetic symbols; \h is a hexadecimal digit; an interval
 * followed by + repeats, it is not possessive; {,n} is an interval; classes nest and
 * intersect; (?m) is what others call (?s); Oniguruma knows newer characters
 * (unicode_additions.def). A class becomes one PCRE2 class, or, when it nests, intersects
 * or holds a negated set, a group of alternatives and lookaheads for a single character.
 * What is not here (back references, conditions, ...) is refused by name. Source:
 * Oniguruma's doc/RE and doc/SYNTAX.md; held against Hugging Face's package by tests. */
#include "token_regex.h"

#include <string.h> /* memchr */

enum { MAX_DEPTH = 50 };

typedef struct reader {
    const char *text; /* borrowed */
    size_t size;
    size_t at;
    size_t atom; /* where in the output the last repeatable thing begins */
    size_t groups[MAX_DEPTH];
    int depth;
} reader;

typedef struct set {
    lmd_text members; /* what stands between brackets */
    bool negated;
} set;

static const char white_space[] =
    "\\x{9}-\\x{D} \\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}"
    "\\x{2028}\\x{2029}\\x{202F}\\x{205F}\\x{3000}";

static const struct addition {
    uint32_t first;
    uint32_t last;
    const char *category;
} additions[] = {
#define ADDED(first, last, category) {first, last, category},
#include "unicode_additions.def"
#undef ADDED
};

static bool is_ascii_letter_or_digit(uint32_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static void append_character(lmd_text *out, uint32_t code_point)
{
    if (is_ascii_letter_or_digit(code_point)) {
        const char letter = (char)code_point;
        lmd_text_append(out, &letter, 1);
    } else {
        lmd_text_append_format(out, "\\x{%X}", (unsigned)code_point);
    }
}

static void insert_text(lmd_text *out, size_t place, const char *string)
{
    lmd_text tail = {0};
    lmd_text_append(&tail, out->bytes + place, out->size - place);
    out->size = place;
    lmd_text_append_string(out, string);
    lmd_text_append(out, tail.bytes, tail.size);
    lmd_text_clear(&tail);
}

static bool is_next(const reader *in, const char *string)
{
    const size_t n = strlen(string);
    return in->size - in->at >= n && memcmp(in->text + in->at, string, n) == 0;
}

static bool take(reader *in, const char *string)
{
    const bool found = is_next(in, string);
    in->at += found ? strlen(string) : 0;
    return found;
}

static uint32_t take_character(reader *in)
{
    uint32_t code_point = 0;
    in->at += lmd_text_decode_utf8(in->text + in->at, &code_point);
    return code_point;
}

static lmd_status refuse(const char *what)
{
    return lmd_status_set(LMD_INPUT, "%s is not supported", what);
}

static lmd_status refuse_escape(char letter)
{
    return lmd_status_set(LMD_INPUT, "the escape \\%c is not supported", letter);
}

/* ---- sets: \s \d \w \h \p{..} ---- */

static void append_property(lmd_text *members, const char *name)
{
    lmd_text_append_format(members, "\\p{%s}", name);
    for (size_t i = 0; i < sizeof additions / sizeof *additions; i++) {
        if (strncmp(additions[i].category, name, strlen(name)) == 0) {
            lmd_text_append_format(members, "\\x{%X}-\\x{%X}",
                                   (unsigned)additions[i].first,
                                   (unsigned)additions[i].last);
        }
    }
}

static void append_word(lmd_text *members)
{
    lmd_text_append_string(members, "\\p{Alphabetic}\\p{Pc}");
    append_property(members, "L");
    append_property(members, "M");
    append_property(members, "Nd");
}

static lmd_status append_named_set(lmd_text *members, const char *name, size_t size)
{
    static const char *const categories[] = {
        "L",  "Lu", "Ll", "Lt", "Lm", "Lo", "M",  "Mn", "Mc", "Me", "N",
        "Nd", "Nl", "No", "P",  "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po",
        "S",  "Sm", "Sc", "Sk", "So", "Z",  "Zs", "Zl", "Zp", "Cc"};
    for (size_t i = 0; i < sizeof categories / sizeof *categories; i++) {
        if (strlen(categories[i]) == size && memcmp(categories[i], name, size) == 0) {
            append_property(members, categories[i]);
            return LMD_OK;
        }
    }
    if (size == 3 && memcmp(name, "Han", 3) == 0) {
        lmd_text_append_string(members, "\\p{sc:Han}\\x{2B739}\\x{2EBF0}-\\x{2EE5D}"
                                        "\\x{31350}-\\x{323AF}");
        return LMD_OK;
    }
    return lmd_status_set(LMD_INPUT, "the property %.*s is not supported",
                          (int)(size < 40 ? size : 40), name);
}

/* Behind \p or \P. */
static lmd_status take_property(reader *in, bool negated, set *out)
{
    const char *const end =
        take(in, "{") ? memchr(in->text + in->at, '}', in->size - in->at) : NULL;
    if (end == NULL) {
        return refuse("\\p without braces");
    }
    out->negated = take(in, "^") ? !negated : negated;
    const char *const name = in->text + in->at;
    in->at = (size_t)(end - in->text) + 1;
    return append_named_set(&out->members, name, (size_t)(end - name));
}

static bool is_set_letter(char letter)
{
    return letter != '\0' && strchr("sSdDwWhHpP", letter) != NULL;
}

/* The set whose letter follows the backslash. A \w outside of a class takes Latin-1's
 * superscripts and fractions in, as Oniguruma's table of bytes does. */
static lmd_status take_set(reader *in, bool in_class, set *out)
{
    const char letter = in->text[in->at++];
    out->negated = letter >= 'A' && letter <= 'Z';
    switch (letter) {
    case 's':
    case 'S':
        lmd_text_append_string(&out->members, white_space);
        return LMD_OK;
    case 'd':
    case 'D':
        append_property(&out->members, "Nd");
        return LMD_OK;
    case 'h':
    case 'H':
        lmd_text_append_string(&out->members, "0-9A-Fa-f");
        return LMD_OK;
    case 'w':
    case 'W':
        append_word(&out->members);
        if (!in_class) {
            lmd_text_append_string(&out->members, "\\x{B2}\\x{B3}\\x{B9}\\x{BC}-\\x{BE}");
        }
        return LMD_OK;
    default:
        return take_property(in, out->negated, out);
    }
}

/* ---- single characters ---- */

static int hex_value(char c)
{
    const char *const digits = "0123456789abcdef";
    const char lower = c >= 'A' && c <= 'F' ? (char)(c + ('a' - 'A')) : c;
    const char *const found = c == '\0' ? NULL : strchr(digits, lower);
    return found == NULL ? -1 : (int)(found - digits);
}

/* From `fewest` to `most` hexadecimal digits. */
static lmd_status take_hex(reader *in, int fewest, int most, uint32_t *code_point)
{
    int n = 0;
    *code_point = 0;
    while (n < most && in->at < in->size && hex_value(in->text[in->at]) >= 0) {
        *code_point = 16 * *code_point + (uint32_t)hex_value(in->text[in->at++]);
        n++;
    }
    return n >= fewest && *code_point <= 0x10FFFF
               ? LMD_OK
               : lmd_status_set(LMD_INPUT, "bad hexadecimal character");
}

/* Behind \x: two digits (below 80, for more are bytes) or {1 to 8}. */
static lmd_status take_hex_escape(reader *in, uint32_t *code_point)
{
    if (take(in, "{")) {
        LMD_TRY(take_hex(in, 1, 8, code_point));
        return take(in, "}") ? LMD_OK : refuse("\\x{ without }");
    }
    LMD_TRY(take_hex(in, 1, 2, code_point));
    return *code_point < 0x80 ? LMD_OK : refuse("a byte above \\x7f");
}

/* The character whose letter follows the backslash. */
static lmd_status take_escaped_character(reader *in, bool in_class, uint32_t *code_point)
{
    static const char letters[] = "nrtfvae0";
    static const char values[] = "\n\r\t\f\v\a\x1b";
    const char letter = in->text[in->at];
    const char *const found = letter == '\0' ? NULL : strchr(letters, letter);
    if (found != NULL) {
        in->at++;
        *code_point = (uint32_t)values[found - letters];
        return LMD_OK;
    }
    if (take(in, "x")) {
        return take_hex_escape(in, code_point);
    }
    if (take(in, "u")) {
        return take_hex(in, 4, 4, code_point);
    }
    if (in_class && take(in, "b")) {
        *code_point = '\b';
        return LMD_OK;
    }
    if (is_ascii_letter_or_digit((uint32_t)(unsigned char)letter)) {
        return refuse_escape(letter);
    }
    *code_point = take_character(in);
    return LMD_OK;
}

/* ---- classes ---- */

typedef struct class_parts {
    lmd_text members;      /* a plain PCRE2 class */
    lmd_text alternatives; /* "|..." for each set that doesn't fit in there */
    lmd_text conditions;   /* "(?=...)" for each operand left of && */
} class_parts;

static lmd_status translate_class(reader *in, int depth, lmd_text *out);

/* members | alternatives as an expression for one character. */
static void append_union(const class_parts *parts, lmd_text *out)
{
    const bool has_members = parts->members.size > 0;
    if (parts->alternatives.size == 0 && has_members) {
        lmd_text_append_format(out, "[%s]", lmd_text_string(&parts->members));
    } else if (has_members) {
        lmd_text_append_format(out, "(?:[%s]%s)", lmd_text_string(&parts->members),
                               lmd_text_string(&parts->alternatives));
    } else if (parts->alternatives.size > 0) {
        lmd_text_append_format(out, "(?:%s)", lmd_text_string(&parts->alternatives) + 1);
    } else {
        lmd_text_append_string(out, "(?!)");
    }
}

static void append_class(const class_parts *parts, bool negated, lmd_text *out)
{
    const bool is_plain = parts->alternatives.size == 0 && parts->conditions.size == 0;
    if (is_plain && negated && parts->members.size > 0) {
        lmd_text_append_format(out, "[^%s]", lmd_text_string(&parts->members));
        return;
    }
    lmd_text whole = {0};
    lmd_text_append_string(&whole, lmd_text_string(&parts->conditions));
    append_union(parts, &whole);
    lmd_text_append_format(out, negated ? "(?:(?!%s)(?s:.))" : "(?:%s)",
                           lmd_text_string(&whole));
    lmd_text_clear(&whole);
}

/* The part left of && becomes a condition on what follows. */
static void start_operand(class_parts *parts)
{
    lmd_text left = {0};
    append_union(parts, &left);
    lmd_text_append_format(&parts->conditions, "(?=%s)", lmd_text_string(&left));
    lmd_text_clear(&left);
    parts->members.size = 0;
    parts->alternatives.size = 0;
}

static lmd_status add_set(reader *in, class_parts *parts)
{
    set found = {0};
    const lmd_status status = take_set(in, true, &found);
    if (status == LMD_OK && found.negated) {
        lmd_text_append_format(&parts->alternatives, "|[^%s]",
                               lmd_text_string(&found.members));
    } else if (status == LMD_OK) {
        lmd_text_append_string(&parts->members, lmd_text_string(&found.members));
    }
    lmd_text_clear(&found.members);
    return status;
}

static lmd_status take_class_character(reader *in, uint32_t *code_point)
{
    if (take(in, "\\")) {
        return in->at < in->size ? take_escaped_character(in, true, code_point)
                                 : refuse("a backslash at the end");
    }
    *code_point = take_character(in);
    return LMD_OK;
}

/* One character, or a range of two. */
static lmd_status add_range(reader *in, class_parts *parts)
{
    uint32_t first = 0;
    LMD_TRY(take_class_character(in, &first));
    append_character(&parts->members, first);
    const bool is_range = is_next(in, "-") && in->size - in->at > 1 &&
                          in->text[in->at + 1] != ']' && in->text[in->at + 1] != '[';
    if (!is_range) {
        return LMD_OK;
    }
    if (is_next(in, "-\\") && in->size - in->at > 2 &&
        is_set_letter(in->text[in->at + 2])) {
        return LMD_OK; // the hyphen before a set is a character
    }
    in->at++;
    uint32_t last = 0;
    LMD_TRY(take_class_character(in, &last));
    lmd_text_append_string(&parts->members, "-");
    append_character(&parts->members, last);
    return LMD_OK;
}

static lmd_status add_member(reader *in, int depth, class_parts *parts)
{
    if (is_next(in, "[:")) {
        return refuse("a POSIX class [:name:]");
    }
    if (take(in, "[")) {
        lmd_text_append_string(&parts->alternatives, "|");
        return translate_class(in, depth + 1, &parts->alternatives);
    }
    if (take(in, "&&")) {
        start_operand(parts);
        return LMD_OK;
    }
    if (is_next(in, "\\") && in->size - in->at > 1 &&
        is_set_letter(in->text[in->at + 1])) {
        in->at++;
        return add_set(in, parts);
    }
    return add_range(in, parts);
}

/* Behind the opening bracket, to behind the closing one. */
static lmd_status translate_class(reader *in, int depth, lmd_text *out)
{
    if (depth > MAX_DEPTH) {
        return refuse("a class nested so deep");
    }
    class_parts parts = {0};
    const bool negated = take(in, "^");
    lmd_status status = LMD_OK;
    if (is_next(in, "]")) {
        status = refuse("a class that begins with ]");
    }
    while (status == LMD_OK && in->at < in->size && !is_next(in, "]")) {
        status = add_member(in, depth, &parts);
    }
    if (status == LMD_OK && !take(in, "]")) {
        status = refuse("[ without ]");
    }
    if (status == LMD_OK) {
        append_class(&parts, negated, out);
    }
    lmd_text_clear(&parts.members);
    lmd_text_clear(&parts.alternatives);
    lmd_text_clear(&parts.conditions);
    return status;
}

/* ---- outside of classes ---- */

/* Options (imx-imx: or imx-imx) behind "(?"; Ruby's m is PCRE2's s. */
static lmd_status translate_options(reader *in, lmd_text *out)
{
    // Ruby's isolated (?i) makes a group of what follows: alike at the very start only.
    const bool is_at_start = in->at == 2;
    for (; in->at < in->size; in->at++) {
        const char letter = in->text[in->at];
        const char *const known = letter == '\0' ? NULL : strchr("im-", letter);
        if (known == NULL) {
            break;
        }
        lmd_text_append(out, letter == 'm' ? "s" : known, 1);
    }
    if (take(in, ":")) {
        lmd_text_append_string(out, ":");
        return LMD_OK;
    }
    if (is_at_start && take(in, ")")) {
        in->depth--;
        lmd_text_append_string(out, ")");
        return LMD_OK;
    }
    return refuse("this kind of (?");
}

static lmd_status translate_group(reader *in, lmd_text *out)
{
    static const char *const plain[] = {"?:", "?=", "?!", "?<=", "?<!", "?>"};
    if (in->depth == MAX_DEPTH) {
        return refuse("a group nested so deep");
    }
    in->groups[in->depth++] = out->size;
    lmd_text_append_string(out, "(");
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        if (take(in, plain[i])) {
            lmd_text_append_string(out, plain[i]);
            return LMD_OK;
        }
    }
    if (take(in, "?")) {
        lmd_text_append_string(out, "?");
        return translate_options(in, out);
    }
    lmd_text_append_string(out, "?:"); // nobody asks what a group has matched
    return LMD_OK;
}

static lmd_status translate_group_end(reader *in, lmd_text *out)
{
    if (in->depth == 0) {
        return refuse(") without (");
    }
    in->atom = in->groups[--in->depth];
    lmd_text_append_string(out, ")");
    return LMD_OK;
}

/* \b as Oniguruma has it: between a word's character and another. */
static void append_border(lmd_text *out, bool is_border)
{
    lmd_text word = {0};
    append_word(&word);
    lmd_text_append_string(&word, "\\x{B2}\\x{B3}\\x{B9}\\x{BC}-\\x{BE}");
    const char *const w = lmd_text_string(&word);
    lmd_text_append_format(out,
                           is_border ? "(?:(?<=[%s])(?![%s])|(?<![%s])(?=[%s]))"
                                     : "(?:(?<=[%s])(?=[%s])|(?<![%s])(?![%s]))",
                           w, w, w, w);
    lmd_text_clear(&word);
}

static lmd_status translate_escape(reader *in, lmd_text *out)
{
    if (in->at == in->size) {
        return refuse("a backslash at the end");
    }
    const char letter = in->text[in->at];
    if (letter == 'A' || letter == 'z' || letter == 'Z') {
        in->at++;
        lmd_text_append_format(out, "\\%c", letter);
        return LMD_OK;
    }
    if (letter == 'b' || letter == 'B') {
        in->at++;
        append_border(out, letter == 'b');
        return LMD_OK;
    }
    if (is_set_letter(letter)) {
        set found = {0};
        const lmd_status status = take_set(in, false, &found);
        lmd_text_append_format(out, found.negated ? "[^%s]" : "[%s]",
                               lmd_text_string(&found.members));
        lmd_text_clear(&found.members);
        return status;
    }
    uint32_t code_point = 0;
    LMD_TRY(take_escaped_character(in, false, &code_point));
    append_character(out, code_point);
    return LMD_OK;
}

/* The length of {n}, {n,}, {,m} or {n,m} at in->at; 0 when the brace is a character. */
static size_t interval_length(const reader *in)
{
    size_t i = in->at + 1;
    size_t digits = 0;
    bool has_comma = false;
    for (; i < in->size; i++) {
        const char c = in->text[i];
        if (c >= '0' && c <= '9') {
            digits++;
        } else if (c == ',' && !has_comma) {
            has_comma = true;
        } else {
            break;
        }
    }
    const bool is_interval = i < in->size && in->text[i] == '}' && digits > 0;
    return is_interval ? i + 1 - in->at : 0;
}

/* An interval. Behind it + repeats the whole, and so does ? behind {n}. */
static void translate_interval(reader *in, size_t length, lmd_text *out)
{
    const char *const text = in->text + in->at;
    const bool is_exact = memchr(text, ',', length) == NULL;
    lmd_text_append_string(out, "{");
    if (text[1] == ',') {
        lmd_text_append_string(out, "0");
    }
    lmd_text_append(out, text + 1, length - 1);
    in->at += length;
    if (is_next(in, "+") || (is_exact && is_next(in, "?"))) {
        insert_text(out, in->atom, "(?:");
        lmd_text_append_string(out, ")");
    }
}

static lmd_status translate_one(reader *in, lmd_text *out)
{
    const char c = in->text[in->at];
    if (c != '\0' && strchr("*+?|^$.", c) != NULL) {
        if (c == '.') {
            in->atom = out->size;
        }
        lmd_text_append(out, &c, 1);
        in->at++;
        return LMD_OK;
    }
    if (c == '{' && interval_length(in) > 0) {
        translate_interval(in, interval_length(in), out);
        return LMD_OK;
    }
    if (take(in, "(")) {
        return translate_group(in, out);
    }
    if (take(in, ")")) {
        return translate_group_end(in, out);
    }
    in->atom = out->size;
    if (take(in, "[")) {
        return translate_class(in, 0, out);
    }
    if (take(in, "\\")) {
        return translate_escape(in, out);
    }
    append_character(out, take_character(in));
    return LMD_OK;
}

lmd_status lmd_regex_translate(const char *pattern, size_t size, lmd_text *out)
{
    if (lmd_text_find_bad_utf8(pattern, size) != size) {
        return refuse("ill-formed UTF-8");
    }
    reader in = {.text = pattern, .size = size};
    while (in.at < in.size) {
        LMD_TRY(translate_one(&in, out));
    }
    return in.depth == 0 ? LMD_OK : refuse("( without )");
}
