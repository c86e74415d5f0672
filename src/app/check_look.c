/* Preparing goes into a temporary folder, by the code that `run` prepares with, so that
 * counts are those of the job. How much of a large corpus was looked at is known by the
 * bytes of its files as they are stored, for nobody knows how long a compressed text is.
 */

#include <stdlib.h>

#include "check_look.h"

typedef struct beginning {
    double text;   /* bytes of it that were prepared */
    double stored; /* bytes of the files that they come from */
    bool is_all;
} beginning;

/* Prepares pieces into `folder` until the text ends or enough was seen. */
static lmd_status prepare_unit(lmd_reader *reader, lmd_preparer *preparer,
                               const char *folder, beginning *seen)
{
    for (bool more = true; more;) {
        if (seen->text >= LMD_LOOK_BYTES) {
            seen->is_all = false;
            return LMD_OK;
        }
        lmd_text piece = {0};
        lmd_status status = lmd_reader_next(reader, &piece, &more);
        if (status == LMD_OK && more) {
            seen->text += (double)piece.size;
            status = lmd_preparer_work(preparer, &piece, 0, folder);
        }
        lmd_text_clear(&piece);
        LMD_TRY(status);
    }
    return LMD_OK;
}

static lmd_status prepare_beginning(const lmd_inputs *inputs, lmd_preparer *preparer,
                                    const char *folder, beginning *seen)
{
    const int n_units = lmd_corpus_units(inputs->corpus);
    seen->is_all = true;
    for (int unit = 0; unit < n_units && seen->is_all; unit++) {
        lmd_reader *reader;
        LMD_TRY(lmd_reader_open(&reader, inputs->corpus, unit, &inputs->policy));
        const lmd_status status = prepare_unit(reader, preparer, folder, seen);
        seen->stored += lmd_reader_stored(reader);
        lmd_reader_close(reader);
        LMD_TRY(status);
    }
    return LMD_OK;
}

/* ---- counts ---- */

static void count_records(const lmd_spool *spool, lmd_look *look)
{
    const size_t cells = (size_t)look->groups * LMD_FATE_COUNT;
    int64_t *records = lmd_memory_new(cells, sizeof *records);
    lmd_spool_records(spool, 0, 1, records);
    for (size_t i = 0; i < cells; i++) {
        const size_t fate = i % LMD_FATE_COUNT;
        look->fates[fate] += records[i];
        look->records += records[i];
        look->unusable += fate >= LMD_FATE_EMPTY ? records[i] : 0;
    }
    lmd_memory_free(records);
}

static lmd_status count_packs(const lmd_inputs *inputs, const lmd_spool *spool,
                              lmd_look *look)
{
    lmd_pack_room *room = lmd_pack_new_room();
    lmd_status status = LMD_OK;
    for (int64_t p = 0; p < look->packs && status == LMD_OK; p++) {
        const lmd_pack *pack = NULL;
        status = lmd_spool_read_pack(spool, p, room, &pack);
        const int n =
            status == LMD_OK ? lmd_engine_count_observed(&inputs->selection, pack) : 0;
        if (n > 0) {
            look->positions += n;
            look->model_packs++;
            look->model_tokens += pack->T;
        }
    }
    lmd_pack_free_room(room);
    return status;
}

/* A limit that was reached ends the job where it ends, whatever follows in the files. */
static void compare_with_whole(const lmd_inputs *inputs, const beginning *seen,
                               lmd_look *look)
{
    double stored = 0;
    for (int unit = 0; unit < lmd_corpus_units(inputs->corpus); unit++) {
        stored += (double)lmd_corpus_unit_bytes(inputs->corpus, unit);
    }
    const double sampled = (double)(look->records - look->fates[LMD_FATE_UNSAMPLED]);
    const double limit = (double)inputs->policy.limit;
    look->is_exact = seen->is_all || (limit > 0 && sampled >= limit);
    look->whole = look->is_exact || seen->stored <= 0 ? 1 : stored / seen->stored;
    if (limit > 0 && sampled > 0 && limit / sampled < look->whole) {
        look->whole = limit / sampled;
    }
    look->whole = look->whole < 1 || look->is_exact ? 1 : look->whole;
}

static lmd_status look_into(const lmd_inputs *inputs, const char *folder, lmd_look *look)
{
    lmd_team *team = lmd_team_new(lmd_threads_choose(0, lmd_threads_processors()));
    lmd_preparer *preparer =
        lmd_preparer_new(inputs->corpus, inputs->tokenizer, &inputs->policy, team);
    beginning seen = {0};
    lmd_spool *spool = NULL;
    lmd_status status = prepare_beginning(inputs, preparer, folder, &seen);
    if (status == LMD_OK) {
        status = (seen.is_all ? lmd_spool_collect : lmd_spool_collect_beginning)(
            &spool, inputs->corpus, &inputs->policy, preparer, folder);
    }
    if (status == LMD_OK) {
        look->packs = lmd_spool_packs(spool);
        look->tokens = lmd_spool_tokens(spool);
        look->groups = lmd_spool_groups(spool);
        count_records(spool, look);
        compare_with_whole(inputs, &seen, look);
        status = count_packs(inputs, spool, look);
    }
    lmd_spool_close(spool);
    lmd_preparer_free(preparer);
    lmd_team_free(team);
    return status;
}

lmd_status lmd_look_at_corpus(const lmd_inputs *inputs, lmd_look *look)
{
    const char *base = getenv("TMPDIR");
    char *folder = lmd_file_join(base != NULL ? base : "/tmp", "lmdepth-check-XXXXXX");
    if (mkdtemp(folder) == NULL) {
        const lmd_status status =
            lmd_status_set(LMD_RESOURCE, "no temporary folder can be made: %s", folder);
        lmd_memory_free(folder);
        return status;
    }
    *look = (lmd_look){0};
    const lmd_status status = look_into(inputs, folder, look);
    const lmd_status removed = lmd_spool_clear(folder);
    lmd_memory_free(folder);
    return status == LMD_OK ? removed : status;
}
