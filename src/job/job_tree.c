/* YAML to a small tree, from libyaml's events: its own document tree would expand aliases
 * (and so bombs) and know nothing of the second of two equal keys. A job file needs
 * neither anchors nor tags, so they are refused instead of half understood. */
#include "job_tree.h"

#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include <lmdepth/base/text.h>   /* lmd_text */
#include <string.h>              /* strcmp */
#include <yaml.h>                /* yaml_parser_parse */

enum {
    DEEPEST = 8,    /* a job file needs 4 levels */
    MOST_KEYS = 200 /* of one mapping: each is compared with all before it */
};

typedef struct tree_reader {
    yaml_parser_t parser;
    const char *name;   /* borrowed */
    const char *folder; /* borrowed */
} tree_reader;

static size_t line_of(yaml_mark_t mark)
{
    return mark.line + 1;
}

void job_tree_free(job_node *node)
{
    if (!node) {
        return;
    }
    for (size_t i = 0; i < node->n_items; i++) {
        job_tree_free(node->items[i]);
    }
    lmd_memory_free(node->items);
    lmd_memory_free(node->key);
    lmd_memory_free(node->where);
    lmd_memory_free(node->text);
    lmd_memory_free(node);
}

job_node *job_tree_find(const job_node *mapping, const char *key)
{
    for (size_t i = 0; i < mapping->n_items; i++) {
        const char *const other = mapping->items[i]->key;
        if (other && strcmp(other, key) == 0) {
            return mapping->items[i];
        }
    }
    return NULL;
}

static job_node *new_node(const char *key, const char *where, const char *folder)
{
    job_node *const node = lmd_memory_new(1, sizeof(job_node));
    node->key = key ? lmd_memory_copy_text(key) : NULL;
    node->where = lmd_memory_copy_text(where);
    node->folder = folder;
    node->text = lmd_memory_copy_text("");
    node->is_void = true;
    return node;
}

static void set_scalar(job_node *node, const char *text, size_t n_bytes)
{
    lmd_memory_free(node->text);
    node->text = lmd_memory_copy_bytes(text, n_bytes);
    node->is_void = false;
}

job_node *job_tree_new_scalar(const char *text, const char *where)
{
    job_node *const node = new_node(NULL, where, "");
    set_scalar(node, text, strlen(text));
    return node;
}

/* A void scalar at the end of `parent`. */
static job_node *add_item(job_node *parent, const char *key, const char *where,
                          const char *folder)
{
    parent->items =
        lmd_memory_resize(parent->items, parent->n_items + 1, sizeof(job_node *));
    parent->items[parent->n_items] = new_node(key, where, folder);
    return parent->items[parent->n_items++];
}

static job_node *add_item_at(const tree_reader *reader, job_node *parent, const char *key,
                             yaml_mark_t mark)
{
    lmd_text where = {0};
    lmd_text_append_format(&where, "%s:%zu", reader->name, line_of(mark));
    job_node *const node = add_item(parent, key, lmd_text_string(&where), reader->folder);
    lmd_text_clear(&where);
    return node;
}

static lmd_status next_event(tree_reader *reader, yaml_event_t *event)
{
    if (yaml_parser_parse(&reader->parser, event)) {
        return LMD_OK;
    }
    const yaml_parser_t *const parser = &reader->parser;
    const char *const problem = parser->problem ? parser->problem : "not understood";
    if (parser->error == YAML_READER_ERROR) {
        return lmd_status_set(LMD_USAGE, "%s: no YAML near byte %zu: %s", reader->name,
                              parser->problem_offset, problem);
    }
    return lmd_status_set(
        LMD_USAGE, "%s:%zu: no YAML: %s%s%s", reader->name, line_of(parser->problem_mark),
        problem, parser->context ? " " : "", parser->context ? parser->context : "");
}

/* Anchor and tag of the events that may have one. */
static void get_marks(const yaml_event_t *event, const yaml_char_t **anchor,
                      const yaml_char_t **tag)
{
    *anchor = NULL;
    *tag = NULL;
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        *anchor = event->data.alias.anchor;
        break;
    case YAML_SCALAR_EVENT:
        *anchor = event->data.scalar.anchor;
        *tag = event->data.scalar.tag;
        break;
    case YAML_SEQUENCE_START_EVENT:
        *anchor = event->data.sequence_start.anchor;
        *tag = event->data.sequence_start.tag;
        break;
    case YAML_MAPPING_START_EVENT:
        *anchor = event->data.mapping_start.anchor;
        *tag = event->data.mapping_start.tag;
        break;
    default:
        break;
    }
}

static lmd_status refuse_marks(const tree_reader *reader, const yaml_event_t *event)
{
    const yaml_char_t *anchor;
    const yaml_char_t *tag;
    get_marks(event, &anchor, &tag);
    if (!anchor && !tag) {
        return LMD_OK;
    }
    return lmd_status_set(
        LMD_USAGE,
        "%s:%zu: %s '%s': a job file has no anchors, aliases or tags; "
        "write the value itself (in quotes if it begins with &, * or !)",
        reader->name, line_of(event->start_mark),
        event->type == YAML_ALIAS_EVENT ? "alias"
        : anchor                        ? "anchor"
                                        : "tag",
        (const char *)(anchor ? anchor : tag));
}

static lmd_status read_value(tree_reader *reader, const yaml_event_t *event, int depth,
                             job_node *out);

static lmd_status check_scalar(const tree_reader *reader, const yaml_event_t *event)
{
    const char *const text = (const char *)event->data.scalar.value;
    if (strlen(text) != event->data.scalar.length) {
        return lmd_status_set(LMD_USAGE, "%s:%zu: a zero byte in a value", reader->name,
                              line_of(event->start_mark));
    }
    return LMD_OK;
}

static lmd_status read_scalar(const tree_reader *reader, const yaml_event_t *event,
                              job_node *out)
{
    LMD_TRY(check_scalar(reader, event));
    set_scalar(out, (const char *)event->data.scalar.value, event->data.scalar.length);
    out->is_void = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !*out->text;
    return LMD_OK;
}

/* The item that begins with `event`. */
static lmd_status read_list_item(tree_reader *reader, const yaml_event_t *event,
                                 int depth, job_node *list)
{
    job_node *const item = add_item_at(reader, list, NULL, event->start_mark);
    return read_value(reader, event, depth, item);
}

static lmd_status check_key(const tree_reader *reader, const yaml_event_t *event,
                            const job_node *mapping)
{
    const size_t line = line_of(event->start_mark);
    LMD_TRY(refuse_marks(reader, event));
    if (event->type != YAML_SCALAR_EVENT) {
        return lmd_status_set(LMD_USAGE, "%s:%zu: a key must be a word", reader->name,
                              line);
    }
    LMD_TRY(check_scalar(reader, event));
    if (mapping->n_items == MOST_KEYS) {
        return lmd_status_set(LMD_USAGE, "%s:%zu: more than %d keys in one mapping",
                              reader->name, line, MOST_KEYS);
    }
    const char *const key = (const char *)event->data.scalar.value;
    const job_node *const first = job_tree_find(mapping, key);
    if (first) {
        return lmd_status_set(LMD_USAGE, "%s:%zu: key '%s' a second time (first at %s)",
                              reader->name, line, key, first->where);
    }
    return LMD_OK;
}

/* The key that is `event` and the value that follows it. */
static lmd_status read_pair(tree_reader *reader, const yaml_event_t *event, int depth,
                            job_node *mapping)
{
    LMD_TRY(check_key(reader, event, mapping));
    job_node *const item = add_item_at(
        reader, mapping, (const char *)event->data.scalar.value, event->start_mark);
    yaml_event_t value;
    LMD_TRY(next_event(reader, &value));
    const lmd_status status = read_value(reader, &value, depth, item);
    yaml_event_delete(&value);
    return status;
}

static lmd_status read_items(tree_reader *reader, yaml_event_type_t end, int depth,
                             job_node *out)
{
    bool is_end = false;
    lmd_status status = LMD_OK;
    while (status == LMD_OK && !is_end) {
        yaml_event_t event;
        LMD_TRY(next_event(reader, &event));
        is_end = event.type == end;
        if (!is_end) {
            status = out->kind == JOB_LIST ? read_list_item(reader, &event, depth, out)
                                           : read_pair(reader, &event, depth, out);
        }
        yaml_event_delete(&event);
    }
    return status;
}

static lmd_status read_value(tree_reader *reader, const yaml_event_t *event, int depth,
                             job_node *out)
{
    LMD_TRY(refuse_marks(reader, event));
    if (event->type == YAML_SCALAR_EVENT) {
        return read_scalar(reader, event, out);
    }
    if (depth == DEEPEST) {
        return lmd_status_set(LMD_USAGE, "%s: nested more than %d levels deep",
                              out->where, DEEPEST);
    }
    out->is_void = false;
    if (event->type == YAML_SEQUENCE_START_EVENT) {
        out->kind = JOB_LIST;
        return read_items(reader, YAML_SEQUENCE_END_EVENT, depth + 1, out);
    }
    out->kind = JOB_MAPPING;
    return read_items(reader, YAML_MAPPING_END_EVENT, depth + 1, out);
}

/* One event of the stream's frame; the document's content goes into `documents`. */
static lmd_status read_frame(tree_reader *reader, const yaml_event_t *event,
                             job_node *documents)
{
    switch (event->type) {
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return LMD_OK;
    case YAML_DOCUMENT_START_EVENT:
        return documents->n_items == 0
                   ? LMD_OK
                   : lmd_status_set(LMD_USAGE,
                                    "%s:%zu: a second document; a job file holds one",
                                    reader->name, line_of(event->start_mark));
    default:
        return read_list_item(reader, event, 0, documents);
    }
}

static lmd_status read_stream(tree_reader *reader, job_node *documents)
{
    bool is_end = false;
    lmd_status status = LMD_OK;
    while (status == LMD_OK && !is_end) {
        yaml_event_t event;
        LMD_TRY(next_event(reader, &event));
        is_end = event.type == YAML_STREAM_END_EVENT;
        status = read_frame(reader, &event, documents);
        yaml_event_delete(&event);
    }
    return status;
}

static lmd_status take_document(const tree_reader *reader, job_node *documents,
                                job_node **out)
{
    if (documents->n_items == 0 || documents->items[0]->is_void) {
        return lmd_status_set(LMD_USAGE,
                              "%s: empty; a job has at least model.path, corpus and "
                              "output",
                              reader->name);
    }
    if (documents->items[0]->kind != JOB_MAPPING) {
        return lmd_status_set(LMD_USAGE,
                              "%s: a job is a mapping of keys (model, corpus, output)",
                              documents->items[0]->where);
    }
    *out = documents->items[0];
    documents->n_items = 0;
    return LMD_OK;
}

lmd_status job_tree_read(job_node **out, const char *name, const char *folder,
                         const char *bytes, size_t n_bytes)
{
    *out = NULL;
    tree_reader reader = {.name = name, .folder = folder};
    if (!yaml_parser_initialize(&reader.parser)) {
        return lmd_status_set(LMD_RESOURCE, "%s: not enough memory", name);
    }
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)bytes, n_bytes);
    job_node *const documents = lmd_memory_new(1, sizeof(job_node));
    documents->kind = JOB_LIST;
    lmd_status status = read_stream(&reader, documents);
    if (status == LMD_OK) {
        status = take_document(&reader, documents, out);
    }
    job_tree_free(documents);
    yaml_parser_delete(&reader.parser);
    return status;
}

static void make_scalar(job_node *node, const char *value, const char *where)
{
    for (size_t i = 0; i < node->n_items; i++) {
        job_tree_free(node->items[i]);
    }
    lmd_memory_free(node->items);
    node->items = NULL;
    node->n_items = 0;
    node->kind = JOB_SCALAR;
    set_scalar(node, value, strlen(value));
    lmd_memory_free(node->where);
    node->where = lmd_memory_copy_text(where);
    node->folder = "";
}

static void set_item(job_node *mapping, const char *key, const char *value,
                     const char *where)
{
    job_node *node = job_tree_find(mapping, key);
    if (!node) {
        node = add_item(mapping, key, where, "");
    }
    make_scalar(node, value, where);
}

/* The words of a comma-separated string as scalars without the blanks around them. */
static void split_words(job_node *list, const char *text)
{
    for (const char *at = text; at; at = strchr(at, ',')) {
        at += *at == ',';
        size_t n_bytes = strcspn(at, ",");
        const char *word = at;
        while (n_bytes > 0 && lmd_text_is_white(word[0])) {
            word++;
            n_bytes--;
        }
        while (n_bytes > 0 && lmd_text_is_white(word[n_bytes - 1])) {
            n_bytes--;
        }
        job_node *const item = add_item(list, NULL, list->where, list->folder);
        set_scalar(item, word, n_bytes);
        item->is_void = n_bytes == 0;
    }
}

void job_tree_make_list(job_node *node)
{
    if (node->kind == JOB_SCALAR && !node->is_void) {
        node->kind = JOB_LIST;
        split_words(node, node->text);
    }
}

void job_tree_make_mapping(job_node *node, const char *key)
{
    if (node->kind == JOB_SCALAR && !node->is_void) {
        job_node *const item = add_item(node, key, node->where, node->folder);
        set_scalar(item, node->text, strlen(node->text));
        node->kind = JOB_MAPPING;
    }
}

/* The only source as a mapping, NULL when there are more. */
static job_node *only_source(job_node *corpus)
{
    job_tree_make_list(corpus);
    if (corpus->kind == JOB_LIST && corpus->n_items != 1) {
        return NULL;
    }
    job_node *const source = corpus->kind == JOB_LIST ? corpus->items[0] : corpus;
    job_tree_make_mapping(source, "path");
    return source;
}

lmd_status job_tree_set(job_node *root, const char *key, const char *value,
                        const char *where)
{
    const char *const dot = strchr(key, '.');
    if (!dot) {
        set_item(root, key, value, where);
        return LMD_OK;
    }
    char *const name = lmd_memory_copy_bytes(key, (size_t)(dot - key));
    job_node *section = job_tree_find(root, name);
    if (!section) {
        section = add_item(root, name, where, "");
    }
    if (strcmp(name, "corpus") == 0) {
        section = only_source(section);
    }
    lmd_memory_free(name);
    if (!section) {
        return lmd_status_set(
            LMD_USAGE,
            "%s: %s: only for a corpus of one source; --set corpus=PATH "
            "replaces all of them",
            where, key);
    }
    if (section->is_void) {
        section->kind = JOB_MAPPING;
        section->is_void = false;
    }
    if (section->kind == JOB_MAPPING) {
        set_item(section, dot + 1, value, where);
    }
    return LMD_OK; // what is no mapping is refused where the job is checked
}
