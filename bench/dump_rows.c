/* What the lens sees, row by row: the result file keeps sums only, but to hold one
 * precision or one program against another every position at every state is wanted.
 *
 *     dump_rows MODEL WORK f32|bf16 THREADS OUT.npy [PACKS]
 *
 * MODEL is a file or folder, WORK the work folder of `lmdepth run --prepare-only`, PACKS
 * how many of its packs (all). OUT is NumPy's own format, version 1.0: (positions, N + 1)
 * records, all positions of a pack in their order, pack by pack, through the logit lens.
 */
#include <stdio.h>
#include <string.h>

#include <lmdepth/base/file.h>
#include <lmdepth/base/memory.h>
#include <lmdepth/base/text.h>
#include <lmdepth/corpus.h>
#include <lmdepth/lens.h>
#include <lmdepth/model.h>

/* A record as NumPy names it. t* is the output's top-1 in this precision. */
typedef struct dump_row {
    double entropy, kl, lse;
    int32_t id;              /* of the position */
    int32_t gold;            /* -1: none */
    int32_t top1;            /* of this state */
    int32_t rank, gold_rank; /* of t*; of gold, 0 without */
    float margin;
} dump_row;

static const char descr[] =
    "[('entropy', '<f8'), ('kl', '<f8'), ('lse', '<f8'), ('id', '<i4'), "
    "('gold', '<i4'), ('top1', '<i4'), ('rank', '<i4'), ('gold_rank', '<i4'), "
    "('margin', '<f4')]";

typedef struct dump_run {
    lmd_team *team;
    lmd_model *model;
    lmd_kernel *kernel;
    lmd_lens *lens;
    lmd_decoder *decoder;
    lmd_spool *spool;
    int32_t *ids;      /* (V) 0, 1, 2, ...: rows in the order of ids */
    int32_t *observed; /* (L) all states */
    void *weights;
    FILE *out;
    int L;
} dump_run;

/* ---- opening ---- */

static int32_t *count_up(int n)
{
    int32_t *numbers = lmd_memory_new((size_t)n, sizeof *numbers);
    for (int i = 0; i < n; i++) {
        numbers[i] = i;
    }
    return numbers;
}

static lmd_status open_model(dump_run *run, const char *path, const char *precision,
                             int threads)
{
    const bool is_bf16 = strcmp(precision, "bf16") == 0;
    run->team = lmd_team_new(threads);
    LMD_TRY(lmd_model_open(&run->model, path));
    if (is_bf16) {
        lmd_model_use_bf16(run->model);
    }
    const lmd_model_shape *shape = lmd_model_get_shape(run->model);
    run->kernel = is_bf16 ? lmd_kernel_new_bf16(run->team, shape->max_C)
                          : lmd_kernel_new(run->team, shape->max_C);
    run->weights = lmd_memory_new_aligned(lmd_model_bytes(run->model), 1);
    LMD_TRY(lmd_model_load(run->model, NULL, run->weights));
    LMD_TRY(lmd_lens_open(&run->lens, "logit", NULL, NULL, run->model));
    static int32_t band_rows[2];
    band_rows[1] = shape->V;
    run->L = shape->N + 1;
    run->ids = count_up(shape->V);
    run->observed = count_up(run->L);
    const lmd_head head = {
        .matrix = lmd_model_unembedding(run->model),
        .ids = run->ids,
        .places = run->ids,
        .band_rows = band_rows,
        .n_bands = 1,
    };
    run->decoder =
        lmd_decoder_new(run->kernel, &head, run->L, LMD_DECODE_ENTROPY | LMD_DECODE_KL);
    return LMD_OK;
}

static lmd_status open_spool(dump_run *run, const char *folder)
{
    lmd_text bytes = {0};
    lmd_text fingerprint = {0};
    char *path = lmd_file_join(folder, LMD_SPOOL_INDEX);
    lmd_status status = lmd_file_read_all(path, LMD_SPOOL_LARGEST_INDEX, &bytes);
    if (status == LMD_OK) {
        status = lmd_spool_read_index(&run->spool, bytes.bytes, bytes.size, folder,
                                      &fingerprint);
    }
    lmd_memory_free(path);
    lmd_text_clear(&bytes);
    lmd_text_clear(&fingerprint);
    const lmd_policy policy = {.V = lmd_model_get_shape(run->model)->V,
                               .pack_tokens = 1 << 20};
    return status == LMD_OK ? lmd_spool_check(run->spool, &policy) : status;
}

static void close_all(dump_run *run)
{
    lmd_spool_close(run->spool);
    lmd_decoder_free(run->decoder);
    lmd_lens_close(run->lens);
    lmd_kernel_free(run->kernel);
    lmd_model_close(run->model);
    lmd_team_free(run->team);
    lmd_memory_free(run->ids);
    lmd_memory_free(run->observed);
    lmd_memory_free(run->weights);
}

/* ---- NumPy's header: magic, length, a dictionary padded to 64 bytes ---- */

static void write_header(const dump_run *run, int64_t positions)
{
    char text[512];
    const int used = snprintf(
        text, sizeof text, "{'descr': %s, 'fortran_order': False, 'shape': (%lld, %d), }",
        descr, (long long)positions, run->L);
    enum { PREFIX = 10 };
    const int total = (PREFIX + used + 1 + 63) / 64 * 64;
    const int length = total - PREFIX;
    const unsigned char prefix[PREFIX] = {0x93,
                                          'N',
                                          'U',
                                          'M',
                                          'P',
                                          'Y',
                                          1,
                                          0,
                                          (unsigned char)(length % 256),
                                          (unsigned char)(length / 256)};
    fwrite(prefix, 1, PREFIX, run->out);
    fprintf(run->out, "%-*s\n", length - 1, text);
}

/* ---- packs ---- */

/* The next id of each position of a pack, as the engine takes it. */
static void fill_gold(const lmd_pack *pack, int32_t *gold)
{
    for (int p = 0; p < pack->n_prompts; p++) {
        const int end = pack->starts[p + 1];
        for (int i = pack->starts[p]; i < end; i++) {
            gold[i] = i + 1 < end ? (int32_t)pack->ids[i + 1] : pack->prompts[p].next;
        }
    }
}

static void write_block(const dump_run *run, const lmd_pack *pack,
                        const lmd_lens_view *view, const lmd_readout *readouts)
{
    for (int s = 0; s < view->S; s++) {
        for (int l = 0; l < view->L; l++) {
            const lmd_readout *readout = &readouts[l * view->S + s];
            const dump_row row = {
                .entropy = readout->entropy,
                .kl = readout->kl,
                .lse = readout->lse,
                .id = (int32_t)pack->ids[view->positions[s]],
                .gold = view->gold[s],
                .top1 = readout->top1,
                .rank = readout->final_rank,
                .gold_rank = readout->gold_rank,
                .margin = readout->margin,
            };
            fwrite(&row, sizeof row, 1, run->out);
        }
    }
}

static void dump_pack(const dump_run *run, const lmd_pack *pack)
{
    const lmd_model_shape *shape = lmd_model_get_shape(run->model);
    const size_t T = (size_t)pack->T;
    float *states =
        lmd_memory_new_aligned((size_t)run->L * T * (size_t)shape->d, sizeof *states);
    void *work = lmd_memory_new_aligned(lmd_model_work_bytes(run->model, pack->T), 1);
    int32_t *positions = count_up(pack->T);
    int32_t *gold = lmd_memory_new(T, sizeof *gold);
    lmd_readout *readouts =
        lmd_memory_new((size_t)run->L * LMD_DECODE_TOKENS, sizeof *readouts);
    const lmd_batch batch = {pack->T, pack->n_prompts, pack->ids, pack->starts};
    fill_gold(pack, gold);
    lmd_model_forward(run->model, run->kernel, &batch, work, states);
    for (int first = 0; first < pack->T; first += LMD_DECODE_TOKENS) {
        const int left = pack->T - first;
        const lmd_lens_view view = {
            .states = states,
            .T = pack->T,
            .positions = positions + first,
            .gold = gold + first,
            .S = left < LMD_DECODE_TOKENS ? left : LMD_DECODE_TOKENS,
            .observed = run->observed,
            .L = run->L,
        };
        lmd_lens_decode(run->lens, run->decoder, &view, readouts, NULL);
        write_block(run, pack, &view, readouts);
    }
    lmd_memory_free(states);
    lmd_memory_free(work);
    lmd_memory_free(positions);
    lmd_memory_free(gold);
    lmd_memory_free(readouts);
}

static lmd_status dump_packs(dump_run *run, const char *path, int64_t n)
{
    const int64_t all = lmd_spool_packs(run->spool);
    n = n <= 0 || n > all ? all : n;
    int64_t positions = 0;
    for (int64_t p = 0; p < n; p++) {
        positions += lmd_spool_pack_tokens(run->spool, p);
    }
    run->out = fopen(path, "wb");
    if (run->out == NULL) {
        return lmd_status_set(LMD_RESOURCE, "%s can't be written", path);
    }
    write_header(run, positions);
    lmd_pack_room *room = lmd_pack_new_room();
    lmd_status status = LMD_OK;
    for (int64_t p = 0; p < n && status == LMD_OK; p++) {
        const lmd_pack *pack;
        status = lmd_spool_read_pack(run->spool, p, room, &pack);
        if (status == LMD_OK) {
            dump_pack(run, pack);
        }
    }
    lmd_pack_free_room(room);
    const bool has_failed = ferror(run->out) != 0;
    return fclose(run->out) != 0 || has_failed
               ? lmd_status_set(LMD_RESOURCE, "%s can't be written whole", path)
               : status;
}

int main(int argc, char **argv)
{
    int64_t threads = 0;
    int64_t packs = 0;
    const bool is_good = (argc == 6 || argc == 7) &&
                         (strcmp(argv[3], "f32") == 0 || strcmp(argv[3], "bf16") == 0) &&
                         lmd_text_to_int64(argv[4], &threads) && threads >= 1 &&
                         threads <= 4096 &&
                         (argc == 6 || lmd_text_to_int64(argv[6], &packs));
    if (!is_good) {
        fprintf(stderr, "dump_rows MODEL WORK f32|bf16 THREADS OUT.npy [PACKS]\n");
        return LMD_USAGE;
    }
    dump_run run = {0};
    lmd_status status = open_model(&run, argv[1], argv[3], (int)threads);
    status = status == LMD_OK ? open_spool(&run, argv[2]) : status;
    if (status == LMD_OK) {
        fprintf(stderr, "arithmetic  %s\n", lmd_kernel_arithmetic(run.kernel));
        status = dump_packs(&run, argv[5], packs);
    }
    if (status != LMD_OK) {
        fprintf(stderr, "dump_rows: %s\n", lmd_status_message());
    }
    close_all(&run);
    return (int)status;
}
