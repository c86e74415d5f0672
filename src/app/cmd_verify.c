/* lmdepth verify: states and logits of this program against a reference dump, each row's
 * largest error relative to the root mean square of the reference row (interface 3). */

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <lmdepth/kernel.h>
#include <lmdepth/weights.h>

#include "app.h"

typedef struct lmd_verify_arguments {
    const char *model, *reference;
    double rtol;
    int threads;
    bool is_bf16;
} lmd_verify_arguments;

enum { OPTION_THREADS = 256, OPTION_PRECISION };

static const struct argp_option options[] = {
    {"rtol", 'r', "R", 0, "Largest error relative to the row's root mean square [1e-4]",
     0},
    {"precision", OPTION_PRECISION, "P", 0,
     "f32 or bf16, which rounds the operands of products [f32]", 0},
    {"threads", OPTION_THREADS, "N", 0, "Threads [all processors]", 0},
    {0},
};

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    lmd_verify_arguments *arguments = state->input;
    int64_t threads;
    switch (key) {
    case 'r':
        if (!lmd_text_to_double(text, &arguments->rtol) || !(arguments->rtol > 0)) {
            argp_error(state, "--rtol wants a positive number, not '%s'", text);
        }
        break;
    case OPTION_PRECISION:
        arguments->is_bf16 = strcmp(text, "bf16") == 0;
        if (!arguments->is_bf16 && strcmp(text, "f32") != 0) {
            argp_error(state, "--precision wants f32 or bf16, not '%s'", text);
        }
        break;
    case OPTION_THREADS:
        if (!lmd_text_to_int64(text, &threads) || threads < 1 || threads > 4096) {
            argp_error(state, "--threads wants a number from 1 to 4096, not '%s'", text);
        }
        arguments->threads = (int)threads;
        break;
    case ARGP_KEY_ARG:
        if (arguments->model == NULL) {
            arguments->model = text;
        } else if (arguments->reference == NULL) {
            arguments->reference = text;
        } else {
            argp_error(state, "a model and a reference, not '%s' as well", text);
        }
        break;
    case ARGP_KEY_END:
        if (arguments->reference == NULL) {
            argp_error(state, "which model and which reference?");
        }
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static const struct argp argp = {
    .options = options,
    .parser = parse_option,
    .args_doc = "MODEL REF.safetensors",
    .doc =
        "Holds states and logits against a reference dump: REF holds input_ids (I64, T), "
        "states (F32, (N+1, T, d), before the final norm) and logits (F32, (T, V)); with "
        "a "
        "tensor rows (I64, R), states_rows (F32, (N+1, R, d)) and logits_rows (F32, (R, "
        "V)) hold "
        "those R positions instead.",
};

/* ---- the reference ---- */

typedef struct lmd_reference {
    lmd_weights *file;
    const lmd_tensor *states, *logits;
    uint32_t *ids; /* (T) owned */
    int T;
    int64_t *rows; /* (R) owned: positions that states and logits hold */
    int R;
} lmd_reference;

static void close_reference(lmd_reference *reference)
{
    lmd_weights_close(reference->file);
    lmd_memory_free(reference->ids);
    lmd_memory_free(reference->rows);
}

/* Reads the one-dimensional I64 tensor `name`, each value in [0, limit). */
static lmd_status read_indices(const lmd_reference *reference, const char *name,
                               int64_t limit, int64_t **values, int *n)
{
    const char *path = lmd_weights_path(reference->file);
    const lmd_tensor *tensor = lmd_weights_find(reference->file, name);
    if (tensor == NULL || tensor->n_dims != 1 || tensor->shape[0] < 1 ||
        tensor->shape[0] > 1 << 24) {
        return lmd_status_set(LMD_INPUT, "%s: no tensor %s of one dimension", path, name);
    }
    *n = (int)tensor->shape[0];
    *values = lmd_memory_new((size_t)*n, sizeof **values);
    LMD_TRY(lmd_weights_read_int64(reference->file, tensor, *values));
    for (int i = 0; i < *n; i++) {
        if ((*values)[i] < 0 || (*values)[i] >= limit) {
            return lmd_status_set(LMD_INPUT,
                                  "%s: tensor %s: %lld at %d is outside [0, %lld)", path,
                                  name, (long long)(*values)[i], i, (long long)limit);
        }
    }
    return LMD_OK;
}

static lmd_status read_ids(lmd_reference *reference, int V)
{
    int64_t *ids = NULL;
    const lmd_status status =
        read_indices(reference, "input_ids", V, &ids, &reference->T);
    if (status == LMD_OK) {
        reference->ids = lmd_memory_new((size_t)reference->T, sizeof *reference->ids);
        for (int t = 0; t < reference->T; t++) {
            reference->ids[t] = (uint32_t)ids[t];
        }
    }
    lmd_memory_free(ids);
    return status;
}

/* Which positions the reference holds: tensor rows, else all. */
static lmd_status read_rows(lmd_reference *reference)
{
    if (lmd_weights_find(reference->file, "rows") != NULL) {
        return read_indices(reference, "rows", reference->T, &reference->rows,
                            &reference->R);
    }
    reference->R = reference->T;
    reference->rows = lmd_memory_new((size_t)reference->R, sizeof *reference->rows);
    for (int r = 0; r < reference->R; r++) {
        reference->rows[r] = r;
    }
    return LMD_OK;
}

static lmd_status find_values(const lmd_reference *reference, const char *name,
                              int64_t rows, int64_t row_length, const lmd_tensor **out)
{
    const lmd_tensor *tensor = lmd_weights_find(reference->file, name);
    if (tensor == NULL || tensor->n_rows != rows || tensor->row_length != row_length) {
        return lmd_status_set(LMD_INPUT, "%s: no tensor %s of %lld rows of %lld",
                              lmd_weights_path(reference->file), name, (long long)rows,
                              (long long)row_length);
    }
    *out = tensor;
    return LMD_OK;
}

static lmd_status open_reference(lmd_reference *reference, const char *path,
                                 const lmd_model_shape *shape)
{
    LMD_TRY(lmd_weights_open(&reference->file, path));
    LMD_TRY(read_ids(reference, shape->V));
    LMD_TRY(read_rows(reference));
    if (shape->context > 0 && reference->T > shape->context) {
        return lmd_status_set(LMD_INPUT,
                              "%s: %d ids are beyond the model's context of %d", path,
                              reference->T, shape->context);
    }
    const int64_t R = reference->R;
    const bool is_part = lmd_weights_find(reference->file, "rows") != NULL;
    LMD_TRY(find_values(reference, is_part ? "states_rows" : "states", (shape->N + 1) * R,
                        shape->d, &reference->states));
    return find_values(reference, is_part ? "logits_rows" : "logits", R, shape->V,
                       &reference->logits);
}

/* ---- errors ---- */

/* Largest |mine - theirs| relative to the root mean square of theirs, over one row. */
static double row_error(const float *mine, const float *theirs, int n)
{
    double square_sum = 0;
    double largest = 0;
    for (int i = 0; i < n; i++) {
        const double difference = fabs((double)mine[i] - (double)theirs[i]);
        square_sum += (double)theirs[i] * (double)theirs[i];
        // Not fmax: it would drop a NaN.
        largest = difference <= largest ? largest : difference;
    }
    const double rms = sqrt(square_sum / n);
    return largest == 0 ? 0 : largest / rms;
}

typedef struct lmd_verification {
    const lmd_model *model;
    lmd_kernel *kernel;
    const lmd_reference *reference;
    const float *states; /* (N + 1, T, d) */
    double worst;
} lmd_verification;

static void note(lmd_verification *verification, const char *what, double error)
{
    printf("%-10s %.3e\n", what, error);
    verification->worst = error <= verification->worst ? verification->worst : error;
}

static lmd_status verify_states(lmd_verification *verification)
{
    const lmd_model_shape *shape = lmd_model_get_shape(verification->model);
    const lmd_reference *reference = verification->reference;
    const size_t d = (size_t)shape->d;
    float *theirs = lmd_memory_new(d, sizeof *theirs);
    lmd_status status = LMD_OK;
    for (int l = 0; l <= shape->N && status == LMD_OK; l++) {
        double largest = 0;
        for (int r = 0; r < reference->R && status == LMD_OK; r++) {
            const int64_t row = (int64_t)l * reference->R + r;
            status =
                lmd_weights_read_rows(reference->file, reference->states, row, 1, theirs);
            const size_t mine =
                (size_t)l * (size_t)reference->T + (size_t)reference->rows[r];
            const double error =
                row_error(verification->states + mine * d, theirs, shape->d);
            largest = error <= largest ? largest : error;
        }
        char what[32];
        snprintf(what, sizeof what, "state %d", l);
        if (status == LMD_OK) {
            note(verification, what, largest);
        }
    }
    lmd_memory_free(theirs);
    return status;
}

static lmd_status verify_logits(lmd_verification *verification)
{
    const lmd_model_shape *shape = lmd_model_get_shape(verification->model);
    const lmd_reference *reference = verification->reference;
    const size_t d = (size_t)shape->d;
    const size_t V = (size_t)shape->V;
    float *normed = lmd_memory_new_aligned(d, sizeof *normed);
    float *mine = lmd_memory_new_aligned(V, sizeof *mine);
    float *theirs = lmd_memory_new(V, sizeof *theirs);
    lmd_status status = LMD_OK;
    double largest = 0;
    for (int r = 0; r < reference->R && status == LMD_OK; r++) {
        const size_t row =
            (size_t)shape->N * (size_t)reference->T + (size_t)reference->rows[r];
        lmd_model_final_norm(verification->model, verification->states + row * d, normed);
        lmd_kernel_linear(verification->kernel, mine, normed, d,
                          lmd_model_unembedding(verification->model), NULL, 1);
        status = lmd_weights_read_rows(reference->file, reference->logits, r, 1, theirs);
        const double error = row_error(mine, theirs, shape->V);
        largest = error <= largest ? largest : error;
    }
    if (status == LMD_OK) {
        note(verification, "logits", largest);
    }
    lmd_memory_free(normed);
    lmd_memory_free(mine);
    lmd_memory_free(theirs);
    return status;
}

/* ---- the command ---- */

static lmd_status verify_loaded(const lmd_model *model, lmd_kernel *kernel,
                                const lmd_reference *reference, double rtol)
{
    const lmd_model_shape *shape = lmd_model_get_shape(model);
    const int32_t starts[2] = {0, reference->T};
    const lmd_batch batch = {
        .T = reference->T, .n_prompts = 1, .ids = reference->ids, .starts = starts};
    const size_t n = (size_t)(shape->N + 1) * (size_t)reference->T * (size_t)shape->d;
    float *states = lmd_memory_new_aligned(n, sizeof *states);
    void *work = lmd_memory_new_aligned(lmd_model_work_bytes(model, reference->T), 1);
    lmd_model_forward(model, kernel, &batch, work, states);
    lmd_memory_free(work);
    lmd_verification verification = {
        .model = model, .kernel = kernel, .reference = reference, .states = states};
    lmd_status status = verify_states(&verification);
    if (status == LMD_OK) {
        status = verify_logits(&verification);
    }
    lmd_memory_free(states);
    LMD_TRY(status);
    printf("%-10s %.3e (%s %.1e)\n", "largest", verification.worst,
           verification.worst <= rtol ? "within" : "beyond", rtol);
    // A comparison with NaN is false, so that an error that is not a number fails.
    return verification.worst <= rtol
               ? LMD_OK
               : lmd_status_set(LMD_FAILED, "largest error %.3e is beyond %.1e",
                                verification.worst, rtol);
}

static lmd_status verify_model(const lmd_verify_arguments *arguments, lmd_model *model)
{
    const lmd_model_shape *shape = lmd_model_get_shape(model);
    lmd_reference reference = {0};
    lmd_status status = open_reference(&reference, arguments->reference, shape);
    void *memory = NULL;
    if (status == LMD_OK) {
        memory = lmd_memory_new_aligned(lmd_model_bytes(model), 1);
        status = lmd_model_load(model, NULL, memory);
    }
    if (status == LMD_OK) {
        lmd_team *team = lmd_team_new(
            lmd_threads_choose(arguments->threads, lmd_threads_processors()));
        lmd_kernel *kernel = arguments->is_bf16 ? lmd_kernel_new_bf16(team, shape->max_C)
                                                : lmd_kernel_new(team, shape->max_C);
        status = verify_loaded(model, kernel, &reference, arguments->rtol);
        lmd_kernel_free(kernel);
        lmd_team_free(team);
    }
    close_reference(&reference);
    lmd_memory_free(memory);
    return status;
}

int lmd_command_verify(int argc, char **argv)
{
    lmd_verify_arguments arguments = {.rtol = 1e-4};
    int code;
    if (!lmd_arguments_parse(&argp, argc, argv, &arguments, &code)) {
        return code;
    }
    lmd_model *model = NULL;
    lmd_status status = lmd_locate_model(&model, arguments.model);
    if (status == LMD_OK && arguments.is_bf16) {
        lmd_model_use_bf16(model);
    }
    if (status == LMD_OK) {
        status = verify_model(&arguments, model);
    }
    lmd_model_close(model);
    return lmd_arguments_fail(status);
}
