/* The settings of a model, from config.json or GGUF metadata alike, and the table by
 * which a family says what it makes of each: so that nothing that could change the
 * arithmetic goes unread. */
#ifndef LMDEPTH_MODEL_SETTINGS_H
#define LMDEPTH_MODEL_SETTINGS_H

#include <stdbool.h>             /* bool */
#include <stddef.h>              /* size_t, offsetof */
#include <stdint.h>              /* int64_t */
#include <lmdepth/base/status.h> /* lmd_status */
#include <lmdepth/kernel.h>      /* lmd_activation */
#include <lmdepth/weights.h>     /* lmd_weights */

/* How the angles of rotary positions are made (rotary.h). */
typedef enum lmd_rope_kind {
    LMD_ROPE_PLAIN,
    LMD_ROPE_LINEAR,
    LMD_ROPE_DYNAMIC, /* plain within the context; no prompt may be longer */
    LMD_ROPE_LLAMA3
} lmd_rope_kind;

enum { LMD_LISTED_BLOCKS = 1024 };

/* A flag of each block, from a list of the config. */
typedef struct lmd_block_flags {
    int count; /* 0: no list was given */
    bool is_set[LMD_LISTED_BLOCKS];
} lmd_block_flags;

/* What the key tables of all families fill in; zero (or as said) where nothing is given.
 */
typedef struct lmd_config {
    int N, d, H, K, D, F, V; /* as in kernel.h */
    int HD, KD;              /* H * D and K * D: widths of queries, of keys and values */
    int QKV;                 /* HD + 2 KD: rows of a matrix that stacks all three */
    int value_D, rotary_D;   /* GGUF says them apart; a family checks them against D */
    int context;             /* longest prompt; 0: no limit */
    int bos;                 /* -1: none */
    double eps;              /* of the norms */
    bool is_tied;
    lmd_activation activation;

    /* rotary positions */
    double rope_base;      /* rope_parameters.rope_theta; see rotary.h */
    double rope_theta;     /* rope_theta beside it */
    int rope_pairs;        /* rotary_D / 2 */
    bool has_rope_factors; /* GGUF: tensor rope_freqs.weight */
    double rotary_share;   /* of a head's numbers that turn; 0: all */
    lmd_rope_kind rope_kind;
    double rope_factor;         /* linear, llama3; 0: not given */
    double rope_low, rope_high; /* llama3: frequency factors */
    int rope_context;           /* llama3: the context before scaling */
    int rope_context_beside;    /* the same outside rope_scaling, where it wins */

    /* attention */
    int window;                              /* 0: none */
    bool is_windowed;                        /* false: the window does not count */
    int window_start;                        /* first block that it binds */
    lmd_block_flags windowed;                /* or these blocks */
    bool has_q_bias, has_k_bias, has_v_bias; /* of the projections */
    bool has_o_bias, has_mlp_bias;
    bool has_head_norms; /* of queries and keys, head by head */

    /* one family each */
    bool is_parallel;        /* gptneox: attention and MLP at once; else one by one */
    bool is_scaled;          /* gpt2: scores are divided by sqrt(D) */
    bool is_scaled_by_block; /* gpt2: they are divided by the block's number too */
    int expand;              /* mamba: inner / d, where that is not given */
    int inner, inner_pair;   /* mamba: width of convolution and scan, and twice that */
    int n_states;            /* mamba: of each channel of the scan */
    int conv_width;          /* mamba */
    int delta_rank;          /* mamba */
    int projected;           /* mamba: delta_rank + 2 n_states */
    bool has_mixer_bias;     /* mamba: of its outer projections */
    bool has_conv_bias;      /* mamba */
} lmd_config;

typedef enum lmd_setting_kind {
    LMD_SETTING_NOTHING,
    LMD_SETTING_FLAG,
    LMD_SETTING_INTEGER,
    LMD_SETTING_REAL,
    LMD_SETTING_WORDS,
    LMD_SETTING_OTHER
} lmd_setting_kind;

typedef struct lmd_setting {
    char *name; /* owned; a member of an object: "rope_scaling.type" */
    char *text; /* owned; the value as people write it: 1, 0.5, true, silu, null */
    char *list; /* owned; an array of words, a line feed after each; else NULL */
    lmd_setting_kind kind;
    int64_t integer; /* of a flag: 0 or 1 */
    double real;     /* of an integer too */
    bool is_empty;   /* null, false, 0, "", [] or {}: a key that is off */
    bool is_known;   /* a row of a table has taken it */
} lmd_setting;

typedef struct lmd_settings {
    const char *path;   /* borrowed, for messages */
    lmd_setting *items; /* owned */
    size_t count;
    size_t capacity;
} lmd_settings;

/* {0} before. read_json: an object of config.json. read_gguf: the keys of `architecture`
 * and those of general and split that say what kind of file it is. `path` is borrowed. */
lmd_status lmd_model_read_json(lmd_settings *settings, const char *path);
lmd_status lmd_model_read_gguf(lmd_settings *settings, const lmd_weights *weights,
                               const char *architecture);
void lmd_model_clear_settings(lmd_settings *settings);

/* The text of a string; NULL when there is none of that name. */
const char *lmd_model_find_words(const lmd_settings *settings, const char *name);

/* One row of a family's table. A key that is null counts as not given, but for
 * LMD_KEY_LIMIT. Two rows may take the same key into two members. */
typedef enum lmd_key_kind {
    LMD_KEY_SIZE,   /* 1 to 2^24, into an int */
    LMD_KEY_LIMIT,  /* the same, but null is 0 */
    LMD_KEY_COUNT,  /* 0 to 2^24, into an int */
    LMD_KEY_EITHER, /* 1 to 2^24 or one of `words`, into an int */
    LMD_KEY_ID,     /* a token id into an int; what is no id is left alone */
    LMD_KEY_REAL,   /* finite, positive, rounded to float as the models' own code does */
    LMD_KEY_SHARE,  /* above 0, at most 1, as it is: it is multiplied and cut to an int */
    LMD_KEY_FLAG,   /* into a bool */
    LMD_KEY_WORD,   /* one of `words`, into an int (an enum); others are refused */
    LMD_KEY_LIST,   /* an array of `words`, 0 or 1 each, into an lmd_block_flags */
    LMD_KEY_ONLY,   /* must have one of the values of `only`, separated by | */
    LMD_KEY_ANY     /* does not change the arithmetic */
} lmd_key_kind;

typedef struct lmd_word {
    const char *word;
    int value;
} lmd_word;

typedef struct lmd_key {
    const char *name; /* with a final *: all that begin so (LMD_KEY_ANY) */
    lmd_key_kind kind;
    bool is_needed;
    size_t member; /* of lmd_config */
    const char *only;
    const lmd_word *words; /* borrowed; ends in {0} */
} lmd_key;

#define LMD_NEED_SIZE(name, member)                                                      \
    {                                                                                    \
        (name), LMD_KEY_SIZE, true, offsetof(lmd_config, member), NULL, NULL             \
    }
#define LMD_SIZE(name, member)                                                           \
    {                                                                                    \
        (name), LMD_KEY_SIZE, false, offsetof(lmd_config, member), NULL, NULL            \
    }
#define LMD_SIZE_OR_WORD(name, member, words)                                            \
    {                                                                                    \
        (name), LMD_KEY_EITHER, false, offsetof(lmd_config, member), NULL, (words)       \
    }
#define LMD_LIMIT(name, member)                                                          \
    {                                                                                    \
        (name), LMD_KEY_LIMIT, false, offsetof(lmd_config, member), NULL, NULL           \
    }
#define LMD_COUNT(name, member)                                                          \
    {                                                                                    \
        (name), LMD_KEY_COUNT, false, offsetof(lmd_config, member), NULL, NULL           \
    }
#define LMD_ID(name, member)                                                             \
    {                                                                                    \
        (name), LMD_KEY_ID, false, offsetof(lmd_config, member), NULL, NULL              \
    }
#define LMD_NEED_REAL(name, member)                                                      \
    {                                                                                    \
        (name), LMD_KEY_REAL, true, offsetof(lmd_config, member), NULL, NULL             \
    }
#define LMD_REAL(name, member)                                                           \
    {                                                                                    \
        (name), LMD_KEY_REAL, false, offsetof(lmd_config, member), NULL, NULL            \
    }
#define LMD_SHARE(name, member)                                                          \
    {                                                                                    \
        (name), LMD_KEY_SHARE, false, offsetof(lmd_config, member), NULL, NULL           \
    }
#define LMD_NEED_FLAG(name, member)                                                      \
    {                                                                                    \
        (name), LMD_KEY_FLAG, true, offsetof(lmd_config, member), NULL, NULL             \
    }
#define LMD_FLAG(name, member)                                                           \
    {                                                                                    \
        (name), LMD_KEY_FLAG, false, offsetof(lmd_config, member), NULL, NULL            \
    }
#define LMD_WORD(name, member, words)                                                    \
    {                                                                                    \
        (name), LMD_KEY_WORD, false, offsetof(lmd_config, member), NULL, (words)         \
    }
#define LMD_LIST(name, member, words)                                                    \
    {                                                                                    \
        (name), LMD_KEY_LIST, false, offsetof(lmd_config, member), NULL, (words)         \
    }
#define LMD_ONLY(name, values)                                                           \
    {                                                                                    \
        (name), LMD_KEY_ONLY, false, 0, (values), NULL                                   \
    }
#define LMD_ANY(name)                                                                    \
    {                                                                                    \
        (name), LMD_KEY_ANY, false, 0, NULL, NULL                                        \
    }

/* Takes the settings that a table (ending in a row {0}) knows, in the order of the table:
 * of two rows with the same member the later one wins. LMD_INPUT names key and value. */
lmd_status lmd_model_apply_keys(lmd_settings *settings, const lmd_key *keys,
                                lmd_config *config);

/* The table of what no family minds: token ids, dtype, dropout, ... */
extern const lmd_key lmd_model_harmless_keys[];

/* hidden_act and its kin, as transformers names them: into lmd_config.activation. */
extern const lmd_word lmd_model_activation_words[];

/* Refuses, by name, the first setting that no table has taken and that is not empty. */
lmd_status lmd_model_refuse_rest(const lmd_settings *settings);

#endif
