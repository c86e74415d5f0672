/* Private header of the room app: what the subcommands share. */
#ifndef LMDEPTH_APP_H
#define LMDEPTH_APP_H

#include <argp.h>                /* argp */
#include <stdbool.h>             /* bool */
#include <lmdepth/base/file.h>   /* paths */
#include <lmdepth/base/lock.h>   /* lmd_lock */
#include <lmdepth/base/log.h>    /* messages */
#include <lmdepth/base/memory.h> /* memory */
#include <lmdepth/base/status.h> /* lmd_status */
#include <lmdepth/base/team.h>   /* lmd_team */
#include <lmdepth/base/text.h>   /* lmd_text */
#include <lmdepth/corpus.h>      /* lmd_corpus */
#include <lmdepth/engine.h>      /* lmd_engine */
#include <lmdepth/job.h>         /* lmd_job */
#include <lmdepth/model.h>       /* lmd_model */
#include <lmdepth/output.h>      /* lmd_result */
#include <lmdepth/parallel.h>    /* lmd_session */
#include <lmdepth/token.h>       /* lmd_tokenizer */

enum { LMD_SCHEMA = 1 }; /* lmdepth_schema: meaning of names in the result file */

/* ---- version.c ---- */

extern const char lmd_version[];  /* "0.1.0" */
extern const char lmd_revision[]; /* of the source tree, "unknown" outside git */

/* ---- arguments.c: what the command lines have in common ---- */

enum { LMD_OVERRIDES = 64 };

/* Parses with `argp`; false (and *code set) when the command should end now: help,
 * version, bad usage. Only the launcher's rank 0 prints. */
bool lmd_arguments_parse(const struct argp *argp, int argc, char **argv, void *input,
                         int *code);

/* Job file and overrides of `run`, `check` and `count`: a child of their argps. */
typedef struct lmd_job_arguments {
    const char *job;
    lmd_job_override overrides[LMD_OVERRIDES];
    int n_overrides;
    bool wants_help_job;
    bool is_quiet;
    bool has_output; /* -o */
    int threads;     /* 0: not given */
    const char *work;
    char *owned[LMD_OVERRIDES]; /* keys of --set, freed by lmd_job_arguments_clear */
    int n_owned;
} lmd_job_arguments;

extern const struct argp lmd_job_argp;
void lmd_job_arguments_clear(lmd_job_arguments *arguments);

/* The option --set KEY=VALUE, for a command with a parser of its own. */
void lmd_arguments_add_set(struct argp_state *state, lmd_job_arguments *arguments,
                           const char *text);

/* The value of an option that is a time. */
void lmd_arguments_set_seconds(struct argp_state *state, const char *option,
                               const char *text, double *seconds);

/* --help-job: prints the table of keys on standard output; true when it did. */
bool lmd_arguments_help_job(const lmd_job_arguments *arguments);

/* Is this the first process of a launched job? By the launchers' variables, for before
 * MPI has been started. */
bool lmd_arguments_is_first_process(void);

/* The command line with single spaces. Caller frees. */
char *lmd_arguments_join(int argc, char **argv);

/* Prints the last status message as an error, unless all is well, and returns the exit
 * code. Before MPI: of a launched job the first process speaks, and the others give it
 * time to. If they are not ended then, the first of each node says what is wrong there.
 */
int lmd_arguments_fail(lmd_status status);

/* ---- threads.c ---- */

/* Threads of this rank: `asked`, else OMP_NUM_THREADS, else `share`, the rank's share of
 * the cores that it may run on, or SLURM_CPUS_PER_TASK where that is less. (It is more
 * where Slurm counts hardware threads, or where something else has bound the rank.) */
int lmd_threads_choose(int asked, int share);

/* Cores this process may run on, without MPI. */
int lmd_threads_processors(void);

/* ---- locate.c: what the name of a model means ---- */

/* Opens a path, or org/name[@revision] in the Hugging Face cache. */
lmd_status lmd_locate_model(lmd_model **out, const char *name);

/* Opens the tokenizer of such a name: of the folder, when it is a file without one. */
lmd_status lmd_locate_tokenizer(lmd_tokenizer **out, const char *name,
                                const lmd_model *model); /* NULL: not open */

/* Of the weights' file; of several, that of their list, "<sha256>  <name>" a line. */
lmd_status lmd_locate_sha256(const lmd_model *model, char hex[LMD_SHA256_HEX]);

/* ---- inputs.c: everything that a job names, opened and checked ---- */

typedef struct lmd_inputs {
    lmd_job *job;
    lmd_model *model;
    lmd_tokenizer *tokenizer; /* NULL when every source holds ids */
    lmd_corpus *corpus;
    lmd_lens **lenses; /* (job->n_lenses) */
    lmd_policy policy;
    lmd_selection selection;
    int32_t *states; /* (L) observed */
    int L;
    int wants;                 /* LMD_DECODE_* */
    int64_t *frequency_counts; /* (V) of the frequency file; NULL: from the corpus */
    char frequency_sha256[LMD_SHA256_HEX]; /* of that file; "" */
} lmd_inputs;

/* Pure but for reading files; no MPI. Statuses and messages as interface 1.1. */
lmd_status lmd_inputs_open(lmd_inputs *inputs, const lmd_job_arguments *arguments);
void lmd_inputs_clear(lmd_inputs *inputs);

/* Before MPI is started, which makes a long story of a fatal error: has the processor the
 * product that LMDEPTH_KERNEL forces? Each rank asks its own. */
lmd_status lmd_inputs_check_kernel(const lmd_job_arguments *arguments);

/* The kernel of the job's precision, for the job's model. */
lmd_kernel *lmd_inputs_new_kernel(const lmd_inputs *inputs, lmd_team *team);

/* ---- prepare.c: corpus to spool; frequencies ---- */

typedef struct lmd_prepared {
    lmd_spool *spool;
    lmd_frequency *frequency;
    char (*file_hashes)[LMD_SHA256_HEX]; /* (files) */
    char *fingerprint;                   /* of corpus, tokenizer and policy */
    double seconds;
    bool was_reused;
} lmd_prepared;

/* Collective. Hashes every file of the corpus, the ranks sharing the work. */
lmd_status lmd_prepare_hash(lmd_session *session, const lmd_inputs *inputs,
                            char (*hashes)[LMD_SHA256_HEX]);

/* Collective. Fills `prepared`, reusing the spool in `folder` when its fingerprint fits,
 * else those of its chunks that do. `hashes` (files) when they are known already, NULL
 * when not. LMD_STOPPED, with the reason, when it had to end early. */
lmd_status lmd_prepare(lmd_session *session, const lmd_inputs *inputs, lmd_team *team,
                       const char *folder, char (*hashes)[LMD_SHA256_HEX],
                       lmd_prepared *prepared);
void lmd_prepared_clear(lmd_prepared *prepared);

/* ---- stop.c: reasons to end early ---- */

/* From now on SIGUSR1, SIGTERM and SIGINT ask for an early end; a second TERM or INT ends
 * the process at once. max_seconds from now, 0: no limit. */
void lmd_stop_watch(double max_seconds);

/* Sets the handlers once more, after a library that may have set its own. */
void lmd_stop_watch_again(void);

bool lmd_stop_is_signalled(void);

/* Would work of so many seconds go beyond the limit? */
bool lmd_stop_is_late(double needed);

/* Of this rank's stop, for people. */
const char *lmd_stop_reason(void);

/* ---- snapshots.c, store_*.c: what is counted so far, on disk and back ---- */

#define LMD_STORE_IDENTITY "identity"
#define LMD_STORE_LOCK "lock"

typedef struct lmd_store lmd_store;

typedef struct lmd_store_setup {
    const char *folder;      /* the work folder, which is there */
    const char *fingerprint; /* of the job */
    const char *identity;    /* the lines it is the hash of */
    int64_t n_packs;         /* of the spool */
    int threads;
    const char *command_line;
} lmd_store_setup;

/* Are there snapshots in the folder? */
bool lmd_store_has_snapshots(const char *folder);

/* Removes them. */
lmd_status lmd_store_clear(const char *folder);

/* LMD_USAGE, with the first line that differs, when the folder holds snapshots of a job
 * that is another one than `identity` says. */
lmd_status lmd_store_check_identity(const char *folder, const char *identity);

/* What a folder holds of unfinished work, for people. */
typedef struct lmd_store_view {
    int attempt;            /* the last one; 0: there are no snapshots */
    int64_t packs, n_packs; /* saved, of the spool */
    int files, damaged;     /* snapshots that count, and those that can't be read */
    double age;             /* seconds since the newest was written */
    lmd_text story;         /* owned: a line an attempt */
} lmd_store_view;

lmd_store_view lmd_store_look(const char *folder);
void lmd_store_view_clear(lmd_store_view *view);

/* Collective. Begins an attempt: sums what earlier ones have left into a base. Snapshots
 * that are damaged or foreign are named in a warning and ignored. The counters are
 * scratch, and zero afterwards. To be closed in any case. */
lmd_status lmd_store_open(lmd_store **out, lmd_session *session,
                          const lmd_store_setup *setup, lmd_counters *counters);
void lmd_store_close(lmd_store *store); /* accepts NULL */

/* Has an earlier attempt counted this pack? */
bool lmd_store_is_done(const lmd_store *store, int64_t pack);

/* This rank has counted it. */
void lmd_store_mark(lmd_store *store, int64_t pack);

/* Saves this rank's counters and packs, in place of what it has saved before. */
lmd_status lmd_store_save(lmd_store *store, lmd_counters *counters,
                          const lmd_effort *effort);

/* Root, at the end: adds what earlier attempts have counted to the sum of this one. */
lmd_status lmd_store_add_base(lmd_store *store, lmd_counters *counters);

/* Collective, at the end: from now on the store's packs are those of all ranks. */
void lmd_store_join(lmd_store *store);

/* Root, after join and add_base, when the result can't be written: the whole sum, as the
 * beginning of the next attempt. `effort` is this attempt's, of all ranks. */
lmd_status lmd_store_save_all(lmd_store *store, lmd_counters *counters,
                              const lmd_effort *effort);

int lmd_store_attempt(const lmd_store *store); /* from 1 */
const lmd_effort *lmd_store_before(const lmd_store *store);
const char *lmd_store_story(const lmd_store *store); /* root: lines on earlier attempts */
const char *lmd_store_line(const lmd_store *store);  /* on this one */

/* ---- compute.c: spool to counters ---- */

typedef struct lmd_computed {
    lmd_counters *counters;              /* reduced at the root */
    lmd_store *store;                    /* owned */
    int32_t *order, *places, *band_rows; /* owned: the unembedding's rows by band */
    int64_t positions;                   /* of all ranks and attempts */
    int64_t tokens, packs; /* of all ranks, in this attempt; tokens that went
                              through the model */
    double seconds;        /* first pack to the last rank's end */
    double load_seconds, reduce_seconds;
    double flops; /* of all ranks */
    double peak;  /* GFLOP/s of all ranks' threads */
    double forward_seconds, lens_seconds, metric_seconds,
        wait_seconds;                 /* mean over ranks */
    double own_weights;               /* bytes of them that this rank does not share */
    double first_memory, last_memory; /* private bytes of a rank, weights apart: after its
                                         first pack and its last, most of the ranks */
} lmd_computed;

typedef struct lmd_part {
    int part, parts; /* 0 of 1: the whole job */
} lmd_part;

typedef struct lmd_compute_options {
    lmd_part part;
    double snapshot_seconds; /* between two snapshots of a rank */
    lmd_store_setup store;   /* but for n_packs */
} lmd_compute_options;

/* Collective. Goes on from the snapshots in the work folder. LMD_STOPPED, with the reason
 * and what is done, when it had to end early and every rank has saved its work; another
 * status when something failed, the work saved where that was possible. */
lmd_status lmd_compute(lmd_session *session, lmd_inputs *inputs,
                       const lmd_prepared *prepared, lmd_kernel *kernel,
                       const lmd_compute_options *options, lmd_computed *computed);
void lmd_computed_clear(lmd_computed *computed);

/* Collective. All ranks must round alike: where they would not, all use the plain
 * product, with a warning. */
void lmd_compute_agree_arithmetic(lmd_session *session, lmd_kernel *kernel);

/* The counters' setup of a job. `prepared` gives groups and bands. */
lmd_metric_setup lmd_compute_setup(const lmd_inputs *inputs,
                                   const lmd_prepared *prepared);

/* ---- progress.c: a bar on a terminal, a line every 60 s in a log ---- */

typedef struct lmd_progress {
    bool is_on, is_terminal;
    const char *what;
    double start, last; /* seconds */
} lmd_progress;

void lmd_progress_start(lmd_progress *progress, const char *what);
/* done of total, `rate` in tokens/s and `share` of the peak, both 0 when unknown. */
void lmd_progress_show(lmd_progress *progress, double done, double total, double rate,
                       double share);
void lmd_progress_end(lmd_progress *progress);

/* ---- provenance.c ---- */

/* sha256 of the model's files; "" for what there is not. */
typedef struct lmd_model_hashes {
    char weights[LMD_SHA256_HEX], config[LMD_SHA256_HEX];
} lmd_model_hashes;

/* A line for each file of the corpus, with all that decides how it is read, appended. */
void lmd_provenance_append_corpus(const lmd_inputs *inputs,
                                  char (*file_hashes)[LMD_SHA256_HEX], bool has_names,
                                  lmd_text *text);

/* The lines that must be equal in results that are summed. Caller frees. */
char *lmd_provenance_kind(const lmd_inputs *inputs, const lmd_model_hashes *model,
                          const char *arithmetic);

/* All that determines the result of the whole job, a line each; and its hash. has_names:
 * names of files behind a tab, for people; the hash is of the lines without. Caller frees
 * both. */
char *lmd_provenance_identity(const lmd_inputs *inputs, const lmd_model_hashes *model,
                              char (*file_hashes)[LMD_SHA256_HEX], const char *arithmetic,
                              bool has_names);
char *lmd_provenance_fingerprint(const char *identity);

/* Fingerprint of parts of a job ("1/3", "0,2/3"); of all ("0/1") it is the job's. Caller
 * frees. */
char *lmd_provenance_share(const char *job_fingerprint, const char *parts);

/* Now, or SOURCE_DATE_EPOCH where it is set. */
void lmd_provenance_date(char out[32]);

/* A result's summary with another number of positions. Caller frees. */
char *lmd_provenance_resum(const char *summary, int64_t positions);

/* "<sha256>  <name of the file><what>", a line. */
void lmd_provenance_append_input(lmd_text *text, const char *sha256, const char *path,
                                 const char *what);

typedef struct lmd_provenance {
    const lmd_inputs *inputs;
    const lmd_prepared *prepared;
    const lmd_computed *computed;
    const lmd_session *session;
    const char *fingerprint, *job_fingerprint, *arithmetic, *command_line;
    const lmd_model_hashes *model_hashes;
    int threads;
    lmd_part part;
} lmd_provenance;

/* The result file's global attributes: names borrowed, values in `values` until cleared.
 */
enum { LMD_ATTRIBUTES = 48 };
typedef struct lmd_attributes {
    lmd_attribute list[LMD_ATTRIBUTES];
    char *values[LMD_ATTRIBUTES];
    int n;
} lmd_attributes;

void lmd_provenance_attributes(const lmd_provenance *provenance, lmd_attributes *out);
void lmd_attributes_clear(lmd_attributes *attributes);

/* ---- place.c: where a result is to be put ---- */

/* Can it be put there? Makes the folder; leaves nothing. */
lmd_status lmd_place_check(const char *path);

/* The same of a job's output, which must not be one of its inputs either. */
lmd_status lmd_place_check_job(const lmd_inputs *inputs);

/* Are both there and one file? `other` may be NULL. */
bool lmd_place_is_same(const char *path, const char *other);

/* Writes a file whole. One that is there stays: *is_there, when it holds these bytes,
 * `what` they are ("this sum") being said; LMD_USAGE when it holds others, unless it may
 * be replaced. */
lmd_status lmd_place_write(const char *path, const lmd_text *bytes, const char *what,
                           bool is_fresh, bool *is_there);

/* Is the file that is there this result? *is_complete then; LMD_USAGE when it is another
 * file. */
lmd_status lmd_place_judge(const char *path, const char *fingerprint, bool *is_complete);

/* ---- show_work.c ---- */

/* Is it a folder in which `run` or `count` works? */
bool lmd_work_is_one(const char *folder);

/* A screen, or a JSON object, on it, appended. */
lmd_status lmd_work_show(const char *folder, bool is_json, lmd_text *out);

/* ---- plan.c ---- */

typedef struct lmd_plan {
    const lmd_inputs *inputs;
    const lmd_kernel *kernel;
    int threads;
    lmd_session *session; /* NULL: no MPI (check); what is below is not used then */
    lmd_binding binding;
    int copies; /* of the weights on this node */
    lmd_domain domain;
} lmd_plan;

/* What will run, for people, appended. */
void lmd_plan_write(const lmd_plan *plan, lmd_text *out);

/* A line with `title` before it when the tokenizer has ids that the model has no row for.
 */
void lmd_plan_append_lost_ids(const lmd_inputs *inputs, const char *title, lmd_text *out);

typedef struct lmd_memory_plan {
    double weights;  /* bytes a node */
    double counters; /* bytes a rank */
    double engine;   /* bytes a rank: states, scratch, last-state logits */
    double library;  /* bytes of address space a thread: the library of products' own */
    int threads;     /* of a rank */
} lmd_memory_plan;

/* `n_groups` as far as known. */
lmd_memory_plan lmd_plan_memory(const lmd_inputs *inputs, int threads, int n_groups);

/* ---- estimate.c ---- */

/* Floating point operations of a mean token that goes through the model. */
typedef struct lmd_estimate {
    double forward, lens;
    double share; /* of the peak, to expect */
} lmd_estimate;

/* Of prompts of so many tokens, of which this share is observed. */
lmd_estimate lmd_estimate_work(const lmd_inputs *inputs, const lmd_kernel *kernel,
                               double prompt_tokens, double observed_share);

/* Tokens a second to expect of a peak (GFLOP/s). */
double lmd_estimate_speed(const lmd_estimate *estimate, double peak);

/* The lines `work` and `time` for people; `tokens` through the model in all. */
void lmd_estimate_append(const lmd_estimate *estimate, double peak, int processors,
                         double tokens, bool is_exact, lmd_text *out);

/* ---- limits.c ---- */

/* Bytes that this process, its control group or its node can still have, whichever is
 * least. */
double lmd_limits_left(void);

/* Private memory of this process that lies in memory now, in bytes; 0: not known. */
double lmd_limits_private(void);

/* LMD_RESOURCE, with the sum, when the plan does not fit the process, its control group
 * or the node, of whose ranks each needs it. The rank has its kernel by now. */
lmd_status lmd_limits_check(const lmd_memory_plan *plan, int node_ranks);

/* Before MPI is started, which fails or hangs in too small an address space: the same of
 * that limit alone, if there is one. */
lmd_status lmd_limits_check_start(const lmd_job_arguments *arguments);

/* ---- the subcommands: argv[0] is the command's name; the exit code is returned ---- */

#define COMMAND(name, help) int lmd_command_##name(int argc, char **argv);
#include "commands.def"
#undef COMMAND

#endif
