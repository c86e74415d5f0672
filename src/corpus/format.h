/* What a format of corpus files is: where its records are and what is in one. */
#ifndef LMDEPTH_CORPUS_FORMAT_H
#define LMDEPTH_CORPUS_FORMAT_H

#include <stdbool.h>           /* bool */
#include <stddef.h>            /* size_t */
#include <lmdepth/base/text.h> /* lmd_text */
#include <lmdepth/corpus.h>    /* lmd_fate */
#include <lmdepth/token.h>     /* lmd_ids */

/* A stretch of a file in which the next record is looked for. */
typedef struct corpus_scan {
    const char *bytes;
    size_t n_bytes;
    bool is_start; /* the file begins with these bytes */
    bool is_end;   /* it ends with them */
    bool is_first; /* no record of this file was found before */
    size_t start;  /* out: the record, found */
    size_t end;
    size_t passed; /* out, not found: so many bytes hold nothing */
} corpus_scan;

/* A record to be parsed. */
typedef struct corpus_record {
    const char *bytes;
    size_t n_bytes;
    const char *field;
    const char *group_field; /* NULL: none */
    int V;                   /* ids must be below */
    bool is_sampled;         /* else only its label is wanted */
} corpus_record;

/* What is in it. */
typedef struct corpus_content {
    const char *text; /* borrowed from the record or from `scratch` */
    size_t n_text;
    lmd_text scratch; /* owned */
    lmd_text label;   /* owned; only with a group_field */
    lmd_ids ids;      /* owned; only of a format of ids */
} corpus_content;

typedef struct corpus_format {
    const char *name;
    const char *extension; /* of `auto`; NULL: none */
    bool has_fields;       /* understands field and group_field */
    bool has_ids;          /* its records are ids, not text */
    bool keeps_bom;        /* a byte order mark is text */
    /* The next record; false when the bytes hold no whole one. Only with is_end is a
     * record known to be whole at their end. */
    bool (*find)(corpus_scan *scan);
    /* LMD_FATE_USED and its content, or why there is none. */
    lmd_fate (*parse)(const corpus_record *record, corpus_content *out);
} corpus_format;

/* The label of records that have none. */
extern const char corpus_no_label[];

/* `find` behind a byte order mark. */
bool corpus_format_find(const corpus_format *format, corpus_scan *scan);

/* NULL for a name that is in no row; *is_later for one of a FORMAT_LATER row. */
const corpus_format *corpus_format_by_name(const char *name, bool *is_later);

/* The same by extension, .zst and .gz stripped. */
const corpus_format *corpus_format_by_extension(const char *path, bool *is_later);

/* "jsonl, paragraphs, ...": all that are built; ".jsonl, .txt": their extensions. */
void corpus_format_list(lmd_text *out);
void corpus_format_list_extensions(lmd_text *out);

/* Pieces that several formats share. */
bool corpus_format_find_line(corpus_scan *scan);                   /* that is not blank */
size_t corpus_format_strip_line(const char *line, size_t n_bytes); /* without LF, CR */
lmd_fate corpus_format_check_text(corpus_content *content);        /* UTF-8? */
void corpus_format_clear(corpus_content *content);

#endif
