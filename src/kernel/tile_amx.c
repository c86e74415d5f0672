/* Products of bf16 with AMX, the matrix registers of x86-64 (Sapphire Rapids and later):
 * 32 rows by 32 columns in four tile registers of 16 x 16 sums.
 *
 * A tile register holds 16 rows of 64 bytes. A step takes 32 channels: two of rows (16
 * rows x 16 pairs), two of weights (16 pairs x 16 columns, which is how a panel lies),
 * and four products of 16 cycles each for four loads of 8. Rows are packed so that such
 * a tile is one run of 1,024 bytes. The parts of C are long, up to 288 channels, since
 * the sums go through memory between them; a panel's part (18 KB) stays in the
 * first-level cache, that of the rows streams from the second. With 384 channels the two
 * were up to 15 % slower, with 192 3 %.
 *
 * What it costs, in cycles of a tile of 9 steps, 576 without: 64 to read rows from the
 * second-level cache, some 240 to store sums that are not in the first, as many to load
 * them. Sums kept in a buffer and added by the vector units while the next tile is
 * computed took longer (310), as did asking for rows or sums beforehand.
 *
 * TDPBF16PS sums the products of even channels and those of odd ones of a step apart, in
 * fp32, each fused and rounded to nearest, then adds both; it takes subnormal numbers for
 * 0 and makes none. Sums carry on from part to part.
 *
 * The registers' state is 8 KB and has to be asked for, once in a process. They are set
 * up at the start of a block and released at its end, so that a thread that rests has
 * none to be saved. */
#include <assert.h>
#include <cpuid.h>
#include <immintrin.h>
#include <string.h>
#include <sys/syscall.h> /* SYS_arch_prctl */
#include <unistd.h>      /* syscall */
#include "tile_x86_64.h"

enum {
    PANEL = LMD_PANEL_COLUMNS,
    UNIT = 16,               /* rows, and columns, of a register */
    PAIRS = UNIT,            /* of channels in a step */
    STEP = 2 * PAIRS,        /* channels */
    ROWS = 2 * UNIT,         /* of a tile */
    LINE = 64,               /* bytes */
    PANEL_STRIDE = 4 * PANEL /* bytes from pair to pair */
};

/* Palette 1: eight registers of 16 rows, 64 bytes each. */
typedef struct tile_setup {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_setup;

/* ---- may we? ---- */

static bool has_instructions(void)
{
    enum { AMX_BF16 = 1 << 22, AMX_TILE = 1 << 24, OSXSAVE = 1 << 27, STATES = 3 << 17 };
    unsigned int a, b, c, d;
    if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & OSXSAVE) == 0 ||
        __get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 ||
        (d & (AMX_BF16 | AMX_TILE)) != (AMX_BF16 | AMX_TILE)) {
        return false;
    }
    uint32_t low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & STATES) == STATES;
}

bool lmd_product_has_amx(void)
{
    enum { ARCH_REQUEST_STATE = 0x1023, TILE_DATA = 18 };
    static int answer = -1; // asked while there is one thread; the same answer any time
    if (answer < 0) {
        answer = has_instructions() &&
                 syscall(SYS_arch_prctl, ARCH_REQUEST_STATE, TILE_DATA) == 0;
    }
    return answer == 1;
}

static void set_up(void)
{
    tile_setup setup = {.palette = 1};
    for (int i = 0; i < 8; i++) {
        setup.rows[i] = UNIT;
        setup.row_bytes[i] = LINE;
    }
    _tile_loadconfig(&setup);
}

double lmd_peak_amx_rounds(size_t rounds, float *sink)
{
    _Alignas(64) float sums[UNIT * UNIT];
    set_up();
    for (size_t i = 0; i < rounds; i++) { // of registers that are 0
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, sums, LINE);
    _tile_release();
    *sink = sums[0];
    return (double)rounds * 4 * UNIT * UNIT * STEP * 2;
}

/* ---- a tile ---- */

/* out (32, 32) += a b, or out (16, 32) if there is no second half. */
typedef struct amx_task {
    const float *a;     /* rows: `steps` runs of 16 x 16 floats that hold a pair each */
    size_t a_half;      /* floats to the second 16 rows */
    const void *b;      /* the panel's part */
    const void *b_last; /* its last step, filled up with 0 */
    int steps;
    bool has_half, add;
    float *out;
    size_t out_bytes; /* from row to row */
    const char *next; /* weights that shall be there in time, so many lines a step */
    int next_lines;
} amx_task;

/* Registers: 0 to 3 sums, 4 and 5 rows, 6 and 7 columns. */
static void load_sums(const amx_task *task)
{
    float *low = task->out + UNIT * task->out_bytes / sizeof(float);
    if (!task->add) {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
        return;
    }
    _tile_loadd(0, task->out, task->out_bytes);
    _tile_loadd(1, task->out + UNIT, task->out_bytes);
    if (task->has_half) {
        _tile_loadd(2, low, task->out_bytes);
        _tile_loadd(3, low + UNIT, task->out_bytes);
    }
}

static void store_sums(const amx_task *task)
{
    float *low = task->out + UNIT * task->out_bytes / sizeof(float);
    _tile_stored(0, task->out, task->out_bytes);
    _tile_stored(1, task->out + UNIT, task->out_bytes);
    if (task->has_half) {
        _tile_stored(2, low, task->out_bytes);
        _tile_stored(3, low + UNIT, task->out_bytes);
    }
}

static void tile(const amx_task *task)
{
    const float *a = task->a, *a_half = a + task->a_half;
    const char *b = task->b, *next = task->next;
    load_sums(task);
    for (int step = 0; step < task->steps; step++) {
        b = step == task->steps - 1 ? task->b_last : b;
        for (int i = 0; i < task->next_lines; i++, next += LINE) {
            __builtin_prefetch(next, 0, 2);
        }
        _tile_loadd(4, a, LINE);
        _tile_loadd(6, b, PANEL_STRIDE);
        _tile_loadd(7, b + LINE, PANEL_STRIDE);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        if (task->has_half) {
            _tile_loadd(5, a_half, LINE);
            _tile_dpbf16ps(2, 5, 6);
            _tile_dpbf16ps(3, 5, 7);
        }
        a += UNIT * PAIRS;
        a_half += UNIT * PAIRS;
        b += PAIRS * PANEL_STRIDE;
    }
    store_sums(task);
}

/* A tile at the edge: all of it is computed, out gets what it has room for. */
static void edge_tile(const amx_task *task, int rows, int columns)
{
    float results[ROWS * PANEL] = {0};
    amx_task whole = *task;
    whole.out = results;
    whole.out_bytes = PANEL * sizeof(float);
    const size_t size = (size_t)columns * sizeof(float);
    for (size_t i = 0; task->add && i < (size_t)rows; i++) {
        memcpy(results + i * PANEL, task->out + i * task->out_bytes / 4, size);
    }
    tile(&whole);
    for (size_t i = 0; i < (size_t)rows; i++) {
        memcpy(task->out + i * task->out_bytes / 4, results + i * PANEL, size);
    }
}

/* ---- a block ---- */

/* The last step of a panel's part: in place, or filled up with 0. */
static const void *last_step(const lmd_product_block *block, const char *part, int n,
                             float *filled)
{
    const int done = (n - 1) / STEP * STEP;
    const char *last = part + (size_t)(done / 2) * PANEL_STRIDE;
    if (n - done == STEP) {
        return last;
    }
    const size_t pairs = (size_t)(n - done + 1) / 2;
    assert(block->type == LMD_BF16);
    memset(filled, 0, PAIRS * PANEL_STRIDE);
    memcpy(filled, last, pairs * PANEL_STRIDE);
    return filled;
}

/* All rows times one panel, channels [first, first + n). */
static void panel_part(const lmd_product_block *block, int column, int first, int n)
{
    _Alignas(64) float filled[PAIRS * PANEL];
    const size_t row_floats = (size_t)lmd_product_row_floats(&lmd_product_amx, block->C);
    const int left = block->n - column, columns = left < PANEL ? left : PANEL;
    const int parts = (block->M + ROWS - 1) / ROWS;
    const char *b =
        lmd_panel_part(block->W, block->type, block->C, (size_t)column, first);
    amx_task task = {.a_half = UNIT * row_floats,
                     .b = b,
                     .b_last = last_step(block, b, n, filled),
                     .steps = (n + STEP - 1) / STEP,
                     .add = first > 0,
                     .out_bytes = block->out_stride * sizeof(float)};
    const char *next =
        lmd_panel_part(block->W, block->type, block->C,
                       (size_t)(left > PANEL ? column + PANEL : column), first);
    const int lines = STEP / 2 * PANEL_STRIDE / LINE; // of a step
    const int each = (lines + parts - 1) / parts;
    for (int part = 0; part < parts; part++) {
        const size_t row = (size_t)part * ROWS;
        const int rows = block->M - (int)row;
        task.a = block->in + row * row_floats + (size_t)first / 2 * UNIT;
        task.out = block->out + row * block->out_stride +
                   (size_t)(column / PANEL) * block->out_panel;
        task.has_half = rows > UNIT;
        task.next = next + (size_t)part * (size_t)(each * task.steps) * LINE;
        task.next_lines = part * each < lines ? each : 0;
        if ((rows >= ROWS || rows == UNIT) && columns == PANEL) {
            tile(&task);
        } else {
            edge_tile(&task, rows < ROWS ? rows : ROWS, columns);
        }
    }
}

static void run(const lmd_vector_table *vector, const lmd_product_block *block)
{
    (void)vector;
    set_up();
    for (int first = 0; first < block->C; first += block->chunk) {
        const int left = block->C - first;
        const int n = left < block->chunk ? left : block->chunk;
        for (int column = 0; column < block->n; column += PANEL) {
            panel_part(block, column, first, n);
        }
    }
    _tile_release();
}

const lmd_product lmd_product_amx = {.name = "amx",
                                     .arithmetic = "bf16; pairs amx",
                                     .run = run,
                                     .tile_rows = UNIT,
                                     .row_block = PAIRS,
                                     .rows = LMD_ROWS_PAIRS,
                                     .peak = LMD_PEAK_TILES};
