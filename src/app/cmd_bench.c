/* lmdepth bench: the lens kernel, the forward pass and whole jobs against the peak of
 * this machine, which is measured in the same moments (interface 3). */
#include <stdio.h>
#include <string.h>

#include "bench.h"

enum { LIST = 16 };

typedef struct bench_arguments {
    lmd_job_arguments job; /* its `job` NULL: none */
    const char *shapes[LIST];
    int threads[LIST];
    int n_shapes, n_threads;
    int repeats;           /* 0: not given */
    const char *precision; /* NULL: all */
    bool is_json, is_quick;
} bench_arguments;

/* ---- command line ---- */

enum {
    OPTION_JOB = 256,
    OPTION_SHAPE,
    OPTION_THREADS,
    OPTION_REPEAT,
    OPTION_QUICK,
    OPTION_PRECISION,
    OPTION_SET,
    OPTION_WORK
};

static const struct argp_option options[] = {
    {"json", 'j', NULL, 0, "For programs: one JSON object", 0},
    {"shape", OPTION_SHAPE, "NAME", 0,
     "Time this shape, may be repeated: gpt2-124m, smollm2-135m, pythia-6.9b, llama-3-8b "
     "[all four; none with --job], tiny",
     0},
    {"threads", OPTION_THREADS, "N[,N...]", 0,
     "Time with so many threads [1 and all processors]; with --job threads a rank, as "
     "run "
     "takes them",
     0},
    {"repeat", OPTION_REPEAT, "N", 0,
     "Repetitions, of which the median counts [5; of a job 1]", 0},
    {"precision", OPTION_PRECISION, "NAME", 0,
     "Products in this precision only: f32, bf16 [both; of a job its own]", 0},
    {"quick", OPTION_QUICK, NULL, 0,
     "Two small shapes, few tokens and states: seconds, and less exact", 0},
    {"job", OPTION_JOB, "JOB.yaml", 0,
     "Time a whole job, also under mpirun or srun; no result is kept", 0},
    {"set", OPTION_SET, "KEY=VALUE", 0, "Override a key of the job file", 0},
    {"work", OPTION_WORK, "FOLDER", 0, "Work folder of the job [OUTPUT.bench.work]", 0},
    {0},
};

static void add_shape(struct argp_state *state, bench_arguments *arguments,
                      const char *name)
{
    int n;
    const lmd_bench_shape *shapes = lmd_bench_shapes(&n);
    bool is_known = false;
    for (int i = 0; i < n; i++) {
        is_known = is_known || strcmp(shapes[i].name, name) == 0;
    }
    if (!is_known) {
        argp_error(state,
                   "no shape '%s': gpt2-124m, smollm2-135m, pythia-6.9b, llama-3-8b, "
                   "tiny",
                   name);
    } else if (arguments->n_shapes < LIST) {
        arguments->shapes[arguments->n_shapes++] = name;
    }
}

static void set_threads(struct argp_state *state, bench_arguments *arguments,
                        const char *text)
{
    arguments->n_threads = 0;
    for (const char *at = text; at != NULL && arguments->n_threads < LIST;) {
        const size_t length = strcspn(at, ",");
        char *number = lmd_memory_copy_bytes(at, length);
        int64_t threads = 0;
        const bool is_good =
            lmd_text_to_int64(number, &threads) && threads >= 1 && threads <= 4096;
        lmd_memory_free(number);
        if (!is_good) {
            argp_error(state, "--threads wants numbers from 1 to 4096, not '%s'", text);
            return;
        }
        arguments->threads[arguments->n_threads++] = (int)threads;
        at = at[length] == ',' ? at + length + 1 : NULL;
    }
}

static void set_precision(struct argp_state *state, bench_arguments *arguments,
                          const char *name)
{
    int n;
    const lmd_bench_precision *precisions = lmd_bench_precisions(&n);
    for (int i = 0; i < n; i++) {
        if (strcmp(precisions[i].name, name) == 0) {
            arguments->precision = name;
            return;
        }
    }
    argp_error(state, "--precision wants f32 or bf16, not '%s'", name);
}

static void set_repeats(struct argp_state *state, bench_arguments *arguments,
                        const char *text)
{
    int64_t repeats;
    if (!lmd_text_to_int64(text, &repeats) || repeats < 1 ||
        repeats > LMD_BENCH_REPEATS) {
        argp_error(state, "--repeat wants a number from 1 to %d, not '%s'",
                   LMD_BENCH_REPEATS, text);
        return;
    }
    arguments->repeats = (int)repeats;
}

static void check_together(struct argp_state *state, bench_arguments *arguments)
{
    if (arguments->job.job == NULL) {
        if (arguments->job.n_overrides > 0 || arguments->job.work != NULL) {
            argp_error(state, "--set and --work are for --job");
        }
        return;
    }
    if (arguments->precision != NULL) {
        argp_error(state, "a job names its precision: --set model.precision=%s",
                   arguments->precision);
    }
    if (arguments->n_threads > 1) {
        argp_error(state, "--job takes one number of threads");
    }
    arguments->job.threads = arguments->n_threads == 1 ? arguments->threads[0] : 0;
}

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    bench_arguments *arguments = state->input;
    switch (key) {
    case 'j':
        arguments->is_json = true;
        break;
    case OPTION_PRECISION:
        set_precision(state, arguments, text);
        break;
    case OPTION_SHAPE:
        add_shape(state, arguments, text);
        break;
    case OPTION_THREADS:
        set_threads(state, arguments, text);
        break;
    case OPTION_REPEAT:
        set_repeats(state, arguments, text);
        break;
    case OPTION_QUICK:
        arguments->is_quick = true;
        break;
    case OPTION_JOB:
        arguments->job.job = text;
        break;
    case OPTION_SET:
        lmd_arguments_add_set(state, &arguments->job, text);
        break;
    case OPTION_WORK:
        arguments->job.work = text;
        break;
    case ARGP_KEY_ARG:
        argp_error(state, "no arguments, not '%s'; a job file goes with --job", text);
        break;
    case ARGP_KEY_END:
        check_together(state, arguments);
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static const struct argp argp = {
    .options = options,
    .parser = parse_option,
    .doc =
        "Times the lens kernel and the forward pass on random weights, and with --job a "
        "whole job, against the multiply-add peak of this machine, measured before and "
        "after each repetition.\vA row is one state at one position. GFLOP/s count the "
        "products (and attention) that the sizes call for, nothing else. Weights of "
        "the forward pass go through a temporary folder (TMPDIR, up to 0.45 GB).",
};

/* ---- kernel and forward pass ---- */

enum { ROWS = 4096 };

typedef struct bench_run {
    const bench_arguments *arguments;
    int threads[LIST];
    int n_threads;
    lmd_bench_row *rows; /* (ROWS) */
    int n_rows;
} bench_run;

static bool is_wanted(const bench_arguments *arguments, const lmd_bench_shape *shape)
{
    for (int i = 0; i < arguments->n_shapes; i++) {
        if (strcmp(arguments->shapes[i], shape->name) == 0) {
            return true;
        }
    }
    const bool has_names = arguments->n_shapes > 0 || arguments->job.job != NULL;
    return !has_names && (arguments->is_quick ? shape->is_quick : shape->is_default);
}

static void choose_threads(bench_run *bench)
{
    const bench_arguments *arguments = bench->arguments;
    const int processors = lmd_threads_processors();
    if (arguments->n_threads > 0) {
        memcpy(bench->threads, arguments->threads, sizeof bench->threads);
        bench->n_threads = arguments->n_threads;
        return;
    }
    bench->threads[bench->n_threads++] = 1;
    if (processors > 1) {
        bench->threads[bench->n_threads++] = processors;
    }
}

static void add_row(bench_run *bench, const lmd_bench_row *row)
{
    lmd_log_say("%-7s %-12s %4d tokens, stored %-4s, %-4s, threads %d: %5.1f %% of the "
                "peak",
                row->is_forward ? "forward" : "decode", row->shape->name, row->tokens,
                row->stored, row->precision, row->threads, 100 * row->timing.of_peak);
    if (bench->n_rows < ROWS) {
        bench->rows[bench->n_rows++] = *row;
    }
}

static lmd_status time_plan(bench_run *bench, const lmd_bench_plan *plan)
{
    const lmd_bench_row decode = lmd_bench_decode(plan);
    add_row(bench, &decode);
    if (plan->shape->H == 0) {
        return LMD_OK;
    }
    lmd_bench_row rows[2];
    int n;
    LMD_TRY(lmd_bench_forward(plan, rows, &n));
    for (int i = 0; i < n; i++) {
        add_row(bench, &rows[i]);
    }
    return LMD_OK;
}

static lmd_status time_shape(bench_run *bench, const lmd_bench_shape *shape)
{
    static const lmd_matrix_type types[] = {LMD_F32, LMD_BF16};
    int n_precisions;
    const lmd_bench_precision *precisions = lmd_bench_precisions(&n_precisions);
    const int repeats = bench->arguments->repeats;
    for (int p = 0; p < n_precisions; p++) {
        const char *only = bench->arguments->precision;
        const bool is_asked = only == NULL || strcmp(precisions[p].name, only) == 0;
        for (size_t t = 0; t < sizeof types / sizeof types[0] && is_asked; t++) {
            const bool is_possible =
                !precisions[p].takes_bf16_only || types[t] == LMD_BF16;
            for (int i = 0; i < bench->n_threads && is_possible; i++) {
                const lmd_bench_plan plan = {.shape = shape,
                                             .precision = &precisions[p],
                                             .stored = types[t],
                                             .threads = bench->threads[i],
                                             .repeats = repeats > 0 ? repeats : 5,
                                             .is_quick = bench->arguments->is_quick};
                LMD_TRY(time_plan(bench, &plan));
            }
        }
    }
    return LMD_OK;
}

static lmd_status time_shapes(bench_run *bench)
{
    int n;
    const lmd_bench_shape *shapes = lmd_bench_shapes(&n);
    choose_threads(bench);
    for (int i = 0; i < n; i++) {
        if (is_wanted(bench->arguments, &shapes[i])) {
            LMD_TRY(time_shape(bench, &shapes[i]));
        }
    }
    return LMD_OK;
}

/* ---- the report ---- */

/* The median of five peaks of one core, and the arithmetic, of each precision. */
static void measure_machine(lmd_bench_report *report)
{
    enum { TIMES = 5, MILLISECONDS = 50 };
    int n;
    const lmd_bench_precision *precisions = lmd_bench_precisions(&n);
    lmd_team *team = lmd_team_new(1);
    for (int p = 0; p < n; p++) {
        double peaks[TIMES];
        lmd_kernel *kernel = precisions[p].new_kernel(team, 64);
        for (int i = 0; i < TIMES; i++) {
            peaks[i] = lmd_kernel_measure_peak(kernel, MILLISECONDS);
        }
        report->peaks[p] = lmd_bench_median(peaks, TIMES);
        snprintf(report->arithmetics[p], sizeof report->arithmetics[p], "%s",
                 lmd_kernel_arithmetic(kernel));
        lmd_kernel_free(kernel);
    }
    lmd_team_free(team);
}

/* By one process. */
static lmd_status report_all(const bench_arguments *arguments, const lmd_bench_job *job)
{
    bench_run bench = {.arguments = arguments,
                       .rows = lmd_memory_new(ROWS, sizeof(lmd_bench_row))};
    const lmd_status status = time_shapes(&bench);
    if (status == LMD_OK) {
        lmd_bench_report report = {
            .rows = bench.rows, .n_rows = bench.n_rows, .job = job};
        measure_machine(&report);
        (arguments->is_json ? lmd_bench_print_json : lmd_bench_print_text)(&report);
    }
    lmd_memory_free(bench.rows);
    return status;
}

/* With MPI, which is over before the root reports. */
static lmd_status time_job(int *argc, char ***argv, const bench_arguments *arguments,
                           lmd_bench_job *job, bool *is_root)
{
    lmd_session *session = lmd_parallel_start(argc, argv);
    lmd_stop_watch(0);
    const lmd_status status = lmd_bench_run_job(
        session, &arguments->job, arguments->repeats > 0 ? arguments->repeats : 1, job);
    *is_root = lmd_parallel_is_root(session);
    if (status != LMD_OK && *is_root) {
        lmd_log_error("%s", lmd_status_message());
    }
    lmd_parallel_end(session);
    return status;
}

int lmd_command_bench(int argc, char **argv)
{
    bench_arguments arguments = {0};
    int code;
    if (!lmd_arguments_parse(&argp, argc, argv, &arguments, &code)) {
        return code;
    }
    if (arguments.job.job == NULL) {
        return lmd_arguments_is_first_process()
                   ? lmd_arguments_fail(report_all(&arguments, NULL))
                   : LMD_OK;
    }
    code = lmd_arguments_fail(lmd_inputs_check_kernel(&arguments.job));
    if (code != LMD_OK) {
        lmd_job_arguments_clear(&arguments.job);
        return code;
    }
    lmd_bench_job job;
    bool is_root;
    code = (int)time_job(&argc, &argv, &arguments, &job, &is_root);
    if (code == LMD_OK && is_root) {
        code = lmd_arguments_fail(report_all(&arguments, &job));
    }
    lmd_job_arguments_clear(&arguments.job);
    return code;
}
