/* A model of random weights, as the files that Hugging Face would save. The vocabulary is
 * small: a forward pass only looks rows of the embedding up. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <lmdepth/base/half.h>

#include "bench.h"

/* Tensors and their shapes, a letter a dimension; # is the block. Lists end with NULL. */
typedef struct tensor_name {
    const char *name, *dims;
} tensor_name;

static const tensor_name gpt2_outer[] = {
    {"transformer.wte.weight", "Vd"},
    {"transformer.wpe.weight", "Pd"},
    {"transformer.ln_f.weight", "d"},
    {"transformer.ln_f.bias", "d"},
    {NULL, NULL},
};
static const tensor_name gpt2_block[] = {
    {"transformer.h.#.ln_1.weight", "d"},
    {"transformer.h.#.ln_1.bias", "d"},
    {"transformer.h.#.attn.c_attn.weight", "d3"},
    {"transformer.h.#.attn.c_attn.bias", "3"},
    {"transformer.h.#.attn.c_proj.weight", "dd"},
    {"transformer.h.#.attn.c_proj.bias", "d"},
    {"transformer.h.#.ln_2.weight", "d"},
    {"transformer.h.#.ln_2.bias", "d"},
    {"transformer.h.#.mlp.c_fc.weight", "dF"},
    {"transformer.h.#.mlp.c_fc.bias", "F"},
    {"transformer.h.#.mlp.c_proj.weight", "Fd"},
    {"transformer.h.#.mlp.c_proj.bias", "d"},
    {NULL, NULL},
};
static const tensor_name llama_outer[] = {
    {"model.embed_tokens.weight", "Vd"},
    {"model.norm.weight", "d"},
    {NULL, NULL},
};
static const tensor_name llama_block[] = {
    {"model.layers.#.input_layernorm.weight", "d"},
    {"model.layers.#.self_attn.q_proj.weight", "dd"},
    {"model.layers.#.self_attn.k_proj.weight", "Kd"},
    {"model.layers.#.self_attn.v_proj.weight", "Kd"},
    {"model.layers.#.self_attn.o_proj.weight", "dd"},
    {"model.layers.#.post_attention_layernorm.weight", "d"},
    {"model.layers.#.mlp.gate_proj.weight", "Fd"},
    {"model.layers.#.mlp.up_proj.weight", "Fd"},
    {"model.layers.#.mlp.down_proj.weight", "dF"},
    {NULL, NULL},
};

enum { VOCABULARY = 1024, POSITIONS = 1024 };

static int size_of(const lmd_bench_shape *shape, char letter)
{
    switch (letter) {
    case 'V':
        return VOCABULARY;
    case 'P':
        return POSITIONS;
    case '3':
        return 3 * shape->d;
    case 'K':
        return shape->d / shape->H * shape->K;
    case 'F':
        return shape->F;
    default:
        return shape->d;
    }
}

/* ---- the header of a safetensors file ---- */

typedef struct tensor_list {
    const lmd_bench_shape *shape;
    lmd_matrix_type stored;
    json_t *header;
    int64_t values; /* so far */
} tensor_list;

static void add_tensor(tensor_list *list, const tensor_name *row, int block)
{
    const int bytes = list->stored == LMD_F32 ? 4 : 2;
    json_t *dims = json_array();
    int64_t n = 1;
    for (const char *letter = row->dims; *letter != '\0'; letter++) {
        const int size = size_of(list->shape, *letter);
        json_array_append_new(dims, json_integer(size));
        n *= size;
    }
    lmd_text name = {0};
    const char *hash = strchr(row->name, '#');
    if (hash != NULL) {
        lmd_text_append(&name, row->name, (size_t)(hash - row->name));
        lmd_text_append_format(&name, "%d%s", block, hash + 1);
    } else {
        lmd_text_append_string(&name, row->name);
    }
    json_object_set_new(list->header, lmd_text_string(&name),
                        json_pack("{s:s, s:o, s:[I, I]}", "dtype",
                                  list->stored == LMD_F32 ? "F32" : "BF16", "shape", dims,
                                  "data_offsets", (json_int_t)(list->values * bytes),
                                  (json_int_t)((list->values + n) * bytes)));
    lmd_text_clear(&name);
    list->values += n;
}

static void list_tensors(tensor_list *list)
{
    const bool is_gpt2 = strcmp(list->shape->family, "gpt2") == 0;
    for (const tensor_name *row = is_gpt2 ? gpt2_outer : llama_outer; row->name != NULL;
         row++) {
        add_tensor(list, row, 0);
    }
    for (int block = 0; block < list->shape->N; block++) {
        for (const tensor_name *row = is_gpt2 ? gpt2_block : llama_block;
             row->name != NULL; row++) {
            add_tensor(list, row, block);
        }
    }
}

/* ---- the files ---- */

/* n values, from one stretch of noise again and again. */
static bool write_values(FILE *file, int64_t n, lmd_matrix_type stored)
{
    enum { STRETCH = 1048573 }; // odd, so that rows differ
    float *noise = lmd_bench_noise(STRETCH, 0.05F);
    uint16_t *halves = lmd_memory_new(STRETCH, sizeof *halves);
    lmd_half_narrow_bf16(halves, noise, STRETCH);
    const void *source = stored == LMD_F32 ? (const void *)noise : (const void *)halves;
    const size_t bytes = stored == LMD_F32 ? 4 : 2;
    bool is_good = true;
    for (int64_t done = 0; done < n && is_good; done += STRETCH) {
        const size_t some = (size_t)(n - done < STRETCH ? n - done : STRETCH);
        is_good = fwrite(source, bytes, some, file) == some;
    }
    lmd_memory_free(halves);
    lmd_memory_free(noise);
    return is_good;
}

static lmd_status write_weights(const char *path, const tensor_list *list)
{
    char *header = json_dumps(list->header, JSON_COMPACT);
    const uint64_t length = strlen(header);
    unsigned char prefix[8];
    for (int i = 0; i < 8; i++) {
        prefix[i] = (unsigned char)(length >> (8 * i));
    }
    FILE *file = fopen(path, "wb");
    bool is_good = file != NULL && fwrite(prefix, 1, 8, file) == 8 &&
                   fwrite(header, 1, length, file) == length &&
                   write_values(file, list->values, list->stored);
    if (file != NULL) {
        is_good = fclose(file) == 0 && is_good;
    }
    free(header);
    return is_good ? LMD_OK
                   : lmd_status_set(LMD_RESOURCE,
                                    "%s: %lld numbers can't be written (TMPDIR names "
                                    "another folder)",
                                    path, (long long)list->values);
}

static json_t *make_config(const lmd_bench_shape *shape)
{
    if (strcmp(shape->family, "gpt2") == 0) {
        return json_pack("{s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:s}", "model_type", "gpt2",
                         "n_embd", shape->d, "n_inner", shape->F, "n_layer", shape->N,
                         "n_head", shape->H, "vocab_size", VOCABULARY, "n_positions",
                         POSITIONS, "activation_function", "gelu_new");
    }
    return json_pack("{s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:f, s:f, s:s, s:b}",
                     "model_type", "llama", "hidden_size", shape->d, "intermediate_size",
                     shape->F, "num_hidden_layers", shape->N, "num_attention_heads",
                     shape->H, "num_key_value_heads", shape->K, "vocab_size", VOCABULARY,
                     "max_position_embeddings", POSITIONS, "rms_norm_eps", 1e-5,
                     "rope_theta", 1e4, "hidden_act", "silu", "tie_word_embeddings", 1);
}

static lmd_status write_config(const char *path, const lmd_bench_shape *shape)
{
    json_t *config = make_config(shape);
    char *text = json_dumps(config, JSON_INDENT(2));
    const lmd_status status = lmd_file_write(path, text, strlen(text));
    free(text);
    json_decref(config);
    return status;
}

static lmd_status write_model(const char *folder, const lmd_bench_shape *shape,
                              lmd_matrix_type stored)
{
    tensor_list list = {.shape = shape, .stored = stored, .header = json_object()};
    list_tensors(&list);
    char *weights = lmd_file_join(folder, "model.safetensors");
    char *config = lmd_file_join(folder, "config.json");
    lmd_status status = write_config(config, shape);
    if (status == LMD_OK) {
        status = write_weights(weights, &list);
    }
    lmd_memory_free(config);
    lmd_memory_free(weights);
    json_decref(list.header);
    return status;
}

lmd_status lmd_bench_make_model(const lmd_bench_shape *shape, lmd_matrix_type stored,
                                char **folder)
{
    const char *base = getenv("TMPDIR");
    *folder = lmd_file_join(base != NULL ? base : "/tmp", "lmdepth-bench-XXXXXX");
    lmd_status status = LMD_OK;
    if (mkdtemp(*folder) == NULL) {
        status =
            lmd_status_set(LMD_RESOURCE, "no temporary folder can be made: %s", *folder);
    } else {
        status = write_model(*folder, shape, stored);
        if (status == LMD_OK) {
            return LMD_OK;
        }
        (void)lmd_file_remove_tree(*folder);
    }
    lmd_memory_free(*folder);
    *folder = NULL;
    return status;
}
