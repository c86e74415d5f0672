/* A job written down again (libyaml's emitter knows what needs quotes), and the table of
 * keys for people. */
#include <lmdepth/job.h>

#include <stdio.h>               /* snprintf */
#include <stdlib.h>              /* strtod */
#include <string.h>              /* strcmp */
#include <yaml.h>                /* yaml_emitter_emit */
#include <lmdepth/base/log.h>    /* lmd_log_fatal */
#include <lmdepth/base/status.h> /* LMD_RESOURCE */
#include "job_rows.h"

/* ---- writing ---- */

static int take_bytes(void *context, unsigned char *bytes, size_t n_bytes)
{
    lmd_text_append(context, bytes, n_bytes);
    return 1;
}

/* Emits an event whose making had the result `is_made`; the emitter owns it then. */
static void emit(yaml_emitter_t *emitter, yaml_event_t *event, int is_made)
{
    if (!is_made || !yaml_emitter_emit(emitter, event)) {
        lmd_log_fatal(LMD_RESOURCE, "a job can't be written: %s",
                      emitter->problem ? emitter->problem : "out of memory");
    }
}

static void emit_scalar(yaml_emitter_t *emitter, const char *text)
{
    yaml_event_t event;
    const yaml_scalar_style_t style =
        *text ? YAML_ANY_SCALAR_STYLE : YAML_DOUBLE_QUOTED_SCALAR_STYLE;
    emit(emitter, &event,
         yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text,
                                      (int)strlen(text), 1, 1, style));
}

static void begin_mapping(yaml_emitter_t *emitter)
{
    yaml_event_t event;
    emit(emitter, &event,
         yaml_mapping_start_event_initialize(&event, NULL, NULL, 1,
                                             YAML_BLOCK_MAPPING_STYLE));
}

static void end_mapping(yaml_emitter_t *emitter)
{
    yaml_event_t event;
    emit(emitter, &event, yaml_mapping_end_event_initialize(&event));
}

static void begin_list(yaml_emitter_t *emitter)
{
    yaml_event_t event;
    emit(emitter, &event,
         yaml_sequence_start_event_initialize(&event, NULL, NULL, 1,
                                              YAML_BLOCK_SEQUENCE_STYLE));
}

static void end_list(yaml_emitter_t *emitter)
{
    yaml_event_t event;
    emit(emitter, &event, yaml_sequence_end_event_initialize(&event));
}

/* As few digits as give the same number again. */
static void emit_real(yaml_emitter_t *emitter, double number)
{
    char text[32];
    int n_digits = 6;
    do {
        (void)snprintf(text, sizeof text, "%.*g", n_digits, number);
    } while (strtod(text, NULL) != number && n_digits++ < 17);
    emit_scalar(emitter, text);
}

static void emit_int(yaml_emitter_t *emitter, int64_t number)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%lld", (long long)number);
    emit_scalar(emitter, text);
}

/* The pairs of one item of `corpus` or `observe.lenses`; all of them are strings. */
static void emit_object(yaml_emitter_t *emitter, const job_table *table,
                        const void *object, const job_entry *entries)
{
    begin_mapping(emitter);
    for (int i = 0; i < table->n_rows; i++) {
        const job_row *const row = &table->rows[i];
        const char *const text = *(char *const *)((const char *)object + row->member);
        if (text) {
            emit_scalar(emitter, row->name);
            emit_scalar(emitter, entries[i].written ? entries[i].written : text);
        }
    }
    end_mapping(emitter);
}

static void emit_sources(yaml_emitter_t *emitter, const job_record *record)
{
    begin_list(emitter);
    for (int i = 0; i < record->job.n_sources; i++) {
        emit_object(emitter, &job_source_keys, &record->job.sources[i],
                    record->source_entries + i * job_source_keys.n_rows);
    }
    end_list(emitter);
}

static void emit_lenses(yaml_emitter_t *emitter, const job_record *record)
{
    begin_list(emitter);
    for (int i = 0; i < record->job.n_lenses; i++) {
        emit_object(emitter, &job_lens_keys, &record->job.lenses[i],
                    record->lens_entries + i * job_lens_keys.n_rows);
    }
    end_list(emitter);
}

static void emit_value(yaml_emitter_t *emitter, const job_record *record, int i)
{
    const job_row *const row = &job_keys.rows[i];
    const char *const written = record->entries[i].written;
    const void *const member = (const char *)&record->job + row->member;
    switch (row->type) {
    case JOB_INT:
        emit_int(emitter, *(const int64_t *)member);
        break;
    case JOB_REAL:
        emit_real(emitter, *(const double *)member);
        break;
    case JOB_SOURCES:
        emit_sources(emitter, record);
        break;
    case JOB_LENSES:
        emit_lenses(emitter, record);
        break;
    default:
        emit_scalar(emitter, written ? written : *(char *const *)member);
        break;
    }
}

/* Length of the name of the section of a key, 0 for none. */
static size_t section_length(const char *name)
{
    const char *const dot = strchr(name, '.');
    return dot ? (size_t)(dot - name) : 0;
}

/* Ends the section of the row before and begins that of row i, where they differ. */
static void emit_border(yaml_emitter_t *emitter, int i)
{
    const char *const name = i < job_keys.n_rows ? job_keys.rows[i].name : "";
    const char *const before = i > 0 ? job_keys.rows[i - 1].name : "";
    const size_t n = section_length(name);
    const size_t n_before = section_length(before);
    if (n == n_before && strncmp(name, before, n) == 0) {
        return;
    }
    if (n_before > 0) {
        end_mapping(emitter);
    }
    if (n > 0) {
        char section[32];
        (void)snprintf(section, sizeof section, "%.*s", (int)n, name);
        emit_scalar(emitter, section);
        begin_mapping(emitter);
    }
}

static void emit_job(yaml_emitter_t *emitter, const job_record *record)
{
    begin_mapping(emitter);
    for (int i = 0; i < job_keys.n_rows; i++) {
        const char *const name = job_keys.rows[i].name;
        const size_t n = section_length(name);
        emit_border(emitter, i);
        if (strcmp(name, "output") != 0) {
            emit_scalar(emitter, n > 0 ? name + n + 1 : name);
            emit_value(emitter, record, i);
        }
    }
    emit_border(emitter, job_keys.n_rows);
    end_mapping(emitter);
}

void lmd_job_write(const lmd_job *job, lmd_text *out)
{
    yaml_emitter_t emitter;
    yaml_event_t event;
    if (!yaml_emitter_initialize(&emitter)) {
        lmd_log_fatal(LMD_RESOURCE, "a job can't be written: out of memory");
    }
    yaml_emitter_set_output(&emitter, take_bytes, out);
    yaml_emitter_set_unicode(&emitter, 1);
    yaml_emitter_set_width(&emitter, -1);
    emit(&emitter, &event,
         yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING));
    emit(&emitter, &event,
         yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1));
    emit_job(&emitter, job_record_of(job));
    emit(&emitter, &event, yaml_document_end_event_initialize(&event, 1));
    emit(&emitter, &event, yaml_stream_end_event_initialize(&event));
    yaml_emitter_delete(&emitter);
}

/* ---- help ---- */

static void describe_domain(const job_row *row, lmd_text *out)
{
    if (row->type == JOB_CHOICE) {
        lmd_text_append_string(out, row->domain.words);
    } else if (row->type == JOB_INT && row->domain.high > INT32_MAX) {
        lmd_text_append_format(out, "whole number, at least %lld",
                               (long long)row->domain.low);
    } else if (row->type == JOB_INT || row->type == JOB_REAL) {
        lmd_text_append_format(out, "%s from %lld to %lld",
                               row->type == JOB_INT ? "whole number" : "number",
                               (long long)row->domain.low, (long long)row->domain.high);
    }
}

static void describe_fallback(const job_row *row, lmd_text *out)
{
    if (!row->fallback) {
        lmd_text_append_string(out, "required");
    } else if (row->fallback == job_optional) {
        lmd_text_append_string(out, "optional");
    } else if (*row->fallback) {
        lmd_text_append_format(out, "default %s", row->fallback);
    }
}

/* "  model.precision  f32 bf16; default f32" and the help in a line of its own. */
static void describe_row(const job_table *table, const job_row *row, lmd_text *out)
{
    lmd_text head = {0};
    lmd_text rest = {0};
    lmd_text_append_format(&head, "%s%s", table->prefix, row->name);
    describe_domain(row, &rest);
    const size_t n_domain = rest.size;
    describe_fallback(row, &rest);
    lmd_text_append_format(out, "  %-27s %.*s%s%s\n", head.bytes, (int)n_domain,
                           lmd_text_string(&rest),
                           n_domain > 0 && rest.size > n_domain ? "; " : "",
                           lmd_text_string(&rest) + n_domain);
    lmd_text_append_format(out, "      %s\n", row->help);
    lmd_text_clear(&head);
    lmd_text_clear(&rest);
}

static void describe_objects(const job_table *table, lmd_text *out)
{
    for (int i = 0; i < table->n_rows; i++) {
        describe_row(table, &table->rows[i], out);
    }
}

void lmd_job_help(lmd_text *out)
{
    for (int i = 0; i < job_keys.n_rows; i++) {
        const job_row *const row = &job_keys.rows[i];
        describe_row(&job_keys, row, out);
        if (row->type == JOB_SOURCES) {
            describe_objects(&job_source_keys, out);
        } else if (row->type == JOB_LENSES) {
            describe_objects(&job_lens_keys, out);
        }
    }
}
