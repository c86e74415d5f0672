/* Two tries over bytes, for raw and for normalized text, walked from every position whose
 * byte begins a token: that is Aho-Corasick's leftmost-longest match, linear as tokens
 * are short. Flags act on a match as in `tokenizers`: a token that may not stand where it
 * was found is passed over whole. */
#include "added_tokens.h"

#include <string.h>              /* memcmp, memcpy */
#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include <lmdepth/base/text.h>   /* lmd_text_decode_utf8 */
#include "unicode_classes.h"
#include "vocabulary.h" /* contents to indices */

typedef struct node {
    uint32_t child;   /* first of the children, 0: none */
    uint32_t sibling; /* next of the same parent, 0: none */
    int token;        /* that ends here, -1: none */
    unsigned char byte;
} node;

typedef struct trie {
    node *nodes; /* (count) owned; 0 is a dummy */
    size_t count;
    size_t capacity;
    uint32_t roots[256]; /* by first byte, 0: none */
} trie;

struct lmd_added_tokens {
    lmd_added_token *tokens; /* (count) owned */
    char **contents;         /* (count) owned; theirs */
    size_t count;
    size_t capacity;
    lmd_vocabulary *by_content; /* owned; content to index */
    int *by_id;                 /* (n_ids) owned; index + 1 */
    size_t n_ids;
    trie tries[2]; /* raw, normalized */
};

/* ---- tries ---- */

static uint32_t new_node(trie *words, unsigned char byte)
{
    if (words->count == words->capacity) {
        words->capacity = words->capacity == 0 ? 256 : 2 * words->capacity;
        words->nodes = lmd_memory_resize(words->nodes, words->capacity, sizeof(node));
    }
    if (words->count == 0) {
        words->nodes[words->count++] = (node){.token = -1};
        return new_node(words, byte);
    }
    words->nodes[words->count] = (node){.token = -1, .byte = byte};
    return (uint32_t)words->count++;
}

static uint32_t find_child(const trie *words, uint32_t parent, unsigned char byte)
{
    uint32_t child = words->nodes[parent].child;
    while (child != 0 && words->nodes[child].byte != byte) {
        child = words->nodes[child].sibling;
    }
    return child;
}

static void add_word(trie *words, const char *word, size_t size, int token)
{
    const unsigned char first = (unsigned char)word[0];
    if (words->roots[first] == 0) {
        words->roots[first] = new_node(words, first);
    }
    uint32_t at = words->roots[first];
    for (size_t i = 1; i < size; i++) {
        uint32_t child = find_child(words, at, (unsigned char)word[i]);
        if (child == 0) {
            child = new_node(words, (unsigned char)word[i]);
            words->nodes[child].sibling = words->nodes[at].child;
            words->nodes[at].child = child;
        }
        at = child;
    }
    // Of equal patterns the first counts; in `tokenizers` any, by chance.
    if (words->nodes[at].token < 0) {
        words->nodes[at].token = token;
    }
}

/* The longest word at the beginning of a text: its token, -1 when there is none. */
static int longest_word(const trie *words, const char *text, size_t size, size_t *length)
{
    int token = -1;
    uint32_t at = words->roots[(unsigned char)text[0]];
    for (size_t i = 1; at != 0; i++) {
        if (words->nodes[at].token >= 0) {
            token = words->nodes[at].token;
            *length = i;
        }
        at = i < size ? find_child(words, at, (unsigned char)text[i]) : 0;
    }
    return token;
}

/* ---- the list ---- */

lmd_added_tokens *lmd_added_tokens_new(void)
{
    lmd_added_tokens *const added = lmd_memory_new(1, sizeof *added);
    added->by_content = lmd_vocabulary_new();
    return added;
}

void lmd_added_tokens_free(lmd_added_tokens *added)
{
    if (added != NULL) {
        for (size_t i = 0; i < added->count; i++) {
            lmd_memory_free(added->contents[i]);
        }
        lmd_memory_free(added->contents);
        lmd_memory_free(added->tokens);
        lmd_vocabulary_free(added->by_content);
        lmd_memory_free(added->by_id);
        lmd_memory_free(added->tries[0].nodes);
        lmd_memory_free(added->tries[1].nodes);
        lmd_memory_free(added);
    }
}

static void index_by_id(lmd_added_tokens *added, int id, size_t index)
{
    const size_t needed = (size_t)id + 1;
    if (needed > added->n_ids) {
        added->by_id = lmd_memory_resize(added->by_id, needed, sizeof *added->by_id);
        memset(added->by_id + added->n_ids, 0, (needed - added->n_ids) * sizeof(int));
        added->n_ids = needed;
    }
    added->by_id[id] = (int)index + 1;
}

void lmd_added_tokens_add(lmd_added_tokens *added, const lmd_added_token *token,
                          const char *pattern, size_t pattern_size)
{
    if (added->count == added->capacity) {
        added->capacity = added->capacity == 0 ? 64 : 2 * added->capacity;
        added->tokens =
            lmd_memory_resize(added->tokens, added->capacity, sizeof *added->tokens);
        added->contents =
            lmd_memory_resize(added->contents, added->capacity, sizeof *added->contents);
    }
    const size_t index = added->count++;
    added->tokens[index] = *token;
    added->contents[index] = lmd_memory_copy_bytes(token->content, token->size);
    added->tokens[index].content = added->contents[index];
    // The index is far below the bound of ids.
    (void)lmd_vocabulary_add(added->by_content, token->content, token->size,
                             (int64_t)index);
    index_by_id(added, token->id, index);
    if (pattern_size > 0) {
        add_word(&added->tries[token->normalized], pattern, pattern_size, (int)index);
    }
}

size_t lmd_added_tokens_count(const lmd_added_tokens *added)
{
    return added->count;
}

const lmd_added_token *lmd_added_tokens_at(const lmd_added_tokens *added, size_t index)
{
    return &added->tokens[index];
}

const lmd_added_token *lmd_added_tokens_find(const lmd_added_tokens *added,
                                             const char *content, size_t size)
{
    const int index = lmd_vocabulary_find(added->by_content, content, size);
    return index < 0 ? NULL : &added->tokens[index];
}

const lmd_added_token *lmd_added_tokens_by_id(const lmd_added_tokens *added, int id)
{
    const bool is_known = id >= 0 && (size_t)id < added->n_ids && added->by_id[id] != 0;
    return is_known ? &added->tokens[added->by_id[id] - 1] : NULL;
}

/* ---- matching ---- */

/* The code point that ends at text[end]. */
static uint32_t character_before(const char *text, size_t end, size_t *begin)
{
    uint32_t code_point = 0;
    *begin = end - 1;
    while (*begin > 0 && ((unsigned char)text[*begin] & 0xC0) == 0x80) {
        --*begin;
    }
    lmd_text_decode_utf8(text + *begin, &code_point);
    return code_point;
}

static bool is_inside_word(const char *text, size_t size, size_t begin, size_t end)
{
    size_t at = 0;
    uint32_t next = 0;
    if (begin > 0 && lmd_unicode_is_word(character_before(text, begin, &at))) {
        return true;
    }
    if (end < size) {
        lmd_text_decode_utf8(text + end, &next);
        return lmd_unicode_is_word(next);
    }
    return false;
}

static size_t strip_left(const char *text, size_t begin, size_t limit)
{
    size_t at = 0;
    while (begin > limit && lmd_unicode_is_white(character_before(text, begin, &at))) {
        begin = at;
    }
    return begin > limit ? begin : limit;
}

static size_t strip_right(const char *text, size_t size, size_t end)
{
    while (end < size) {
        uint32_t code_point = 0;
        const size_t n = lmd_text_decode_utf8(text + end, &code_point);
        if (!lmd_unicode_is_white(code_point)) {
            break;
        }
        end += n;
    }
    return end;
}

bool lmd_added_tokens_match(const lmd_added_tokens *added, bool normalized,
                            const char *text, size_t size, size_t start, size_t taken,
                            lmd_added_match *match)
{
    const trie *const words = &added->tries[normalized];
    for (size_t at = start; words->count > 0 && at < size; at++) {
        size_t length = 0;
        const int index = longest_word(words, text + at, size - at, &length);
        if (index < 0) {
            continue;
        }
        // Flags are those of the token that its id stands for now.
        const lmd_added_token *const token =
            lmd_added_tokens_by_id(added, added->tokens[index].id);
        if (token->single_word && is_inside_word(text, size, at, at + length)) {
            at += length - 1;
            continue;
        }
        match->token = token;
        match->next = at + length;
        match->begin = token->lstrip ? strip_left(text, at, taken) : at;
        match->end = token->rstrip ? strip_right(text, size, match->next) : match->next;
        return true;
    }
    return false;
}
