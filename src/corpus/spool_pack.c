/* Reading packs: three small reads, the file of the last chunk kept open. Nothing in a
 * pack is believed before its checksum and its bounds are right. */
#include <lmdepth/base/memory.h> /* lmd_memory_resize */
#include "chunk.h"
#include "corpus_bytes.h"
#include "spool.h"

struct lmd_pack_room {
    lmd_pack pack;
    uint32_t *ids;       /* owned */
    int32_t *starts;     /* owned */
    lmd_prompt *prompts; /* owned */
    size_t id_room;
    size_t prompt_room;
    lmd_text bytes;         /* owned */
    lmd_file *file;         /* owned: of the chunk, NULL at first */
    const lmd_spool *spool; /* borrowed: of which spool */
    int chunk;
    chunk_head head;
};

lmd_pack_room *lmd_pack_new_room(void)
{
    return lmd_memory_new(1, sizeof(lmd_pack_room));
}

static void close_chunk(lmd_pack_room *room)
{
    lmd_file_close(room->file);
    room->file = NULL;
}

void lmd_pack_free_room(lmd_pack_room *room)
{
    if (room) {
        close_chunk(room);
        lmd_memory_free(room->ids);
        lmd_memory_free(room->starts);
        lmd_memory_free(room->prompts);
        lmd_text_clear(&room->bytes);
        lmd_memory_free(room);
    }
}

static lmd_status open_file(const lmd_spool *spool, const spool_chunk *chunk,
                            lmd_file **file)
{
    char *const path = chunk_path(spool->folder, chunk->unit, chunk->stretch);
    const lmd_status status = lmd_file_open(file, path);
    lmd_memory_free(path);
    return status == LMD_OK ? LMD_OK : lmd_status_within(LMD_INPUT, "work folder");
}

/* Makes room->file the chunk's. */
static lmd_status open_chunk(lmd_pack_room *room, const lmd_spool *spool, int k)
{
    const spool_chunk *const chunk = &spool->chunks[k];
    if (room->file && room->spool == spool && room->chunk == k &&
        room->head.stamp == chunk->stamp) {
        return LMD_OK;
    }
    close_chunk(room);
    LMD_TRY(open_file(spool, chunk, &room->file));
    room->spool = spool;
    room->chunk = k;
    lmd_status status = chunk_read_head(room->file, &room->head);
    if (status == LMD_OK && room->head.stamp != chunk->stamp) {
        status = chunk_refuse(room->file, "it is not the one that the index knows");
    }
    if (status != LMD_OK) {
        close_chunk(room);
    }
    return status;
}

lmd_status lmd_spool_check_chunks(const lmd_spool *spool)
{
    lmd_pack_room *const room = lmd_pack_new_room();
    lmd_status status = LMD_OK;
    for (int k = 0; k < spool->n_chunks && status == LMD_OK; k++) {
        status = open_chunk(room, spool, k);
    }
    lmd_pack_free_room(room);
    return status;
}

static void make_room(lmd_pack_room *room, const chunk_pack *pack)
{
    if (pack->T > room->id_room) {
        room->id_room = pack->T;
        room->ids = lmd_memory_resize(room->ids, pack->T, sizeof *room->ids);
    }
    if (pack->n_prompts > room->prompt_room) {
        const size_t n = pack->n_prompts;
        room->prompt_room = n;
        room->prompts = lmd_memory_resize(room->prompts, n, sizeof *room->prompts);
        room->starts = lmd_memory_resize(room->starts, n + 1, sizeof *room->starts);
    }
}

/* Prompts with their starts; false when a number is out of bounds. */
static bool parse_prompts(lmd_pack_room *room, const lmd_spool *spool,
                          const chunk_pack *pack)
{
    const spool_chunk *const chunk = &spool->chunks[room->chunk];
    uint32_t start = 0;
    for (uint32_t i = 0; i < pack->n_prompts; i++) {
        uint32_t n_ids;
        lmd_prompt *const prompt = &room->prompts[i];
        chunk_parse_prompt(room->bytes.bytes, (int)i, prompt, &n_ids);
        if (prompt->group < 0 || prompt->group >= chunk->n_groups || prompt->next < -1 ||
            prompt->next >= spool->V || prompt->offset < 0 || n_ids < 1 ||
            n_ids > pack->T - start) {
            return false;
        }
        prompt->group = chunk->groups[prompt->group];
        room->starts[i] = (int32_t)start;
        start += n_ids;
    }
    room->starts[pack->n_prompts] = (int32_t)start;
    return start == pack->T;
}

static bool parse_ids(lmd_pack_room *room, const lmd_spool *spool, const chunk_pack *pack)
{
    const char *const bytes =
        room->bytes.bytes + (size_t)pack->n_prompts * CHUNK_PROMPT_BYTES;
    for (uint32_t i = 0; i < pack->T; i++) {
        room->ids[i] = corpus_load32(bytes + (size_t)i * sizeof(uint32_t));
        if (room->ids[i] >= (uint32_t)spool->V) {
            return false;
        }
    }
    return true;
}

static lmd_status read_pack(lmd_pack_room *room, const lmd_spool *spool, int64_t number)
{
    chunk_pack pack;
    const spool_chunk *const chunk = &spool->chunks[room->chunk];
    const int i = (int)(number - chunk->first_pack);
    if (i >= room->head.n_packs) {
        return chunk_refuse(room->file, "it has fewer packs than the index says");
    }
    LMD_TRY(chunk_read_pack(room->file, &room->head, i, &pack));
    if ((int32_t)pack.T != spool->pack_tokens[number]) {
        return chunk_refuse(room->file, "a pack is not as long as the index says");
    }
    const size_t n_bytes = chunk_pack_size(&pack);
    room->bytes.size = 0;
    char *const bytes = lmd_text_reserve(&room->bytes, n_bytes);
    LMD_TRY(lmd_file_read(room->file, pack.at, bytes, n_bytes));
    if (corpus_checksum(bytes, n_bytes) != pack.sum) {
        return chunk_refuse(room->file, "wrong checksum of a pack");
    }
    make_room(room, &pack);
    if (!parse_prompts(room, spool, &pack) || !parse_ids(room, spool, &pack)) {
        return chunk_refuse(room->file, "a pack contradicts itself");
    }
    room->pack = (lmd_pack){.T = (int)pack.T,
                            .n_prompts = (int)pack.n_prompts,
                            .ids = room->ids,
                            .starts = room->starts,
                            .prompts = room->prompts};
    return LMD_OK;
}

lmd_status lmd_spool_read_pack(const lmd_spool *spool, int64_t pack, lmd_pack_room *room,
                               const lmd_pack **out)
{
    *out = NULL;
    LMD_TRY(open_chunk(room, spool, lmd_spool_pack_chunk(spool, pack)));
    LMD_TRY(read_pack(room, spool, pack));
    *out = &room->pack;
    return LMD_OK;
}
