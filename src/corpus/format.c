/* formats.def expanded, and what formats share: lines, the byte order mark, the check
 * of the encoding. */
#include "format.h"

#include <string.h>              /* memchr */
#include <lmdepth/base/file.h>   /* lmd_file_name_of */
#include <lmdepth/base/memory.h> /* lmd_memory_free */

const char corpus_no_label[] = "(none)";

#define FORMAT(name) extern const corpus_format corpus_format_##name;
#define FORMAT_LATER(name, extension)
#include "formats.def"
#undef FORMAT
#undef FORMAT_LATER

static const corpus_format *const formats[] = {
#define FORMAT(name) &corpus_format_##name,
#define FORMAT_LATER(name, extension)
#include "formats.def"
#undef FORMAT
#undef FORMAT_LATER
};

static const struct {
    const char *name;
    const char *extension;
} later[] = {
#define FORMAT(name)
#define FORMAT_LATER(name, extension) {#name, extension},
#include "formats.def"
#undef FORMAT
#undef FORMAT_LATER
};

enum {
    N_FORMATS = sizeof formats / sizeof *formats,
    N_LATER = sizeof later / sizeof *later
};

const corpus_format *corpus_format_by_name(const char *name, bool *is_later)
{
    *is_later = false;
    for (int i = 0; i < N_LATER; i++) {
        *is_later = *is_later || strcmp(later[i].name, name) == 0;
    }
    for (int i = 0; i < N_FORMATS; i++) {
        if (strcmp(formats[i]->name, name) == 0) {
            return formats[i];
        }
    }
    return NULL;
}

/* Does the name, but for .zst or .gz, end so? */
static bool has_extension(const char *path, const char *extension)
{
    const char *const name = lmd_file_name_of(path);
    size_t n = strlen(name);
    const size_t n_extension = extension ? strlen(extension) : 0;
    if (lmd_file_ends_with(name, ".zst")) {
        n -= strlen(".zst");
    } else if (lmd_file_ends_with(name, ".gz")) {
        n -= strlen(".gz");
    }
    return n_extension > 0 && n >= n_extension &&
           memcmp(name + n - n_extension, extension, n_extension) == 0;
}

const corpus_format *corpus_format_by_extension(const char *path, bool *is_later)
{
    *is_later = false;
    for (int i = 0; i < N_LATER; i++) {
        *is_later = *is_later || has_extension(path, later[i].extension);
    }
    for (int i = 0; i < N_FORMATS; i++) {
        if (has_extension(path, formats[i]->extension)) {
            return formats[i];
        }
    }
    return NULL;
}

void corpus_format_list(lmd_text *out)
{
    for (int i = 0; i < N_FORMATS; i++) {
        lmd_text_append_format(out, "%s%s", i > 0 ? ", " : "", formats[i]->name);
    }
}

void corpus_format_list_extensions(lmd_text *out)
{
    const char *between = "";
    for (int i = 0; i < N_FORMATS; i++) {
        if (formats[i]->extension) {
            lmd_text_append_format(out, "%s%s", between, formats[i]->extension);
            between = ", ";
        }
    }
}

bool corpus_format_find(const corpus_format *format, corpus_scan *scan)
{
    static const char bom[3] = {'\xef', '\xbb', '\xbf'};
    const size_t n = scan->n_bytes < sizeof bom ? scan->n_bytes : sizeof bom;
    const bool may_be_bom =
        scan->is_start && !format->keeps_bom && n > 0 && memcmp(scan->bytes, bom, n) == 0;
    scan->passed = 0;
    if (may_be_bom && n < sizeof bom && !scan->is_end) {
        return false;
    }
    if (!may_be_bom || n < sizeof bom) {
        return format->find(scan);
    }
    corpus_scan rest = *scan;
    rest.bytes += sizeof bom;
    rest.n_bytes -= sizeof bom;
    const bool is_found = format->find(&rest);
    scan->start = rest.start + sizeof bom;
    scan->end = rest.end + sizeof bom;
    scan->passed = rest.passed + sizeof bom;
    return is_found;
}

bool corpus_format_find_line(corpus_scan *scan)
{
    size_t at = 0;
    while (at < scan->n_bytes) {
        const char *const line = scan->bytes + at;
        const char *const feed = memchr(line, '\n', scan->n_bytes - at);
        if (!feed && !scan->is_end) {
            break;
        }
        const size_t n_line = feed ? (size_t)(feed - line) + 1 : scan->n_bytes - at;
        if (!lmd_text_is_blank(line, n_line)) {
            scan->start = at;
            scan->end = at + n_line;
            return true;
        }
        at += n_line;
    }
    scan->passed = at;
    return false;
}

size_t corpus_format_strip_line(const char *line, size_t n_bytes)
{
    size_t n = n_bytes;
    if (n > 0 && line[n - 1] == '\n') {
        n--;
    }
    if (n > 0 && line[n - 1] == '\r') {
        n--;
    }
    return n;
}

lmd_fate corpus_format_check_text(corpus_content *content)
{
    const bool is_right =
        lmd_text_find_bad_utf8(content->text, content->n_text) == content->n_text;
    return is_right ? LMD_FATE_USED : LMD_FATE_ENCODING;
}

void corpus_format_clear(corpus_content *content)
{
    lmd_text_clear(&content->scratch);
    lmd_text_clear(&content->label);
    lmd_ids_clear(&content->ids);
}
