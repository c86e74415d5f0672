/* The parts of `lmdepth run`: cmd_run.c drives, run_arguments.c reads the command line,
 * run_identity.c tells which job it is, run_folder.c enters the work folder, and
 * run_result.c writes the result. */
#ifndef LMDEPTH_APP_RUN_H
#define LMDEPTH_APP_RUN_H

#include "app.h"

typedef struct lmd_run_arguments {
    lmd_job_arguments job;
    bool is_fresh, keeps_work, only_prepares;
    lmd_part part;
    double max_seconds; /* 0: no limit */
    double snapshot_seconds;
    lmd_domain weights_per;
} lmd_run_arguments;

typedef struct lmd_run {
    lmd_session *session;
    const lmd_run_arguments *arguments;
    char *command_line;
    lmd_inputs inputs;
    lmd_team *team;
    lmd_kernel *kernel;
    int threads;
    lmd_binding binding;
    int copies;       /* of the weights on this node */
    char *work;       /* folder of the spool */
    char *unfinished; /* folder of the snapshots: that one, or a part's own in it */
    lmd_model_hashes model_hashes;
    char (*corpus_hashes)[LMD_SHA256_HEX]; /* (files) owned; NULL: not known yet */
    bool is_complete_already;
    lmd_lock *lock, *spool_lock; /* of the root */
    lmd_prepared prepared;
    lmd_computed computed;
    char *identity, *job_fingerprint, *fingerprint;
} lmd_run;

/* ---- run_arguments.c ---- */

extern const struct argp lmd_run_argp; /* input: lmd_run_arguments */

lmd_run_arguments lmd_run_defaults(void);

/* ---- run_identity.c ---- */

/* Collective. The model's files are read for their hashes, by the root. */
lmd_status lmd_run_hash_model(lmd_run *run);

/* Collective. The corpus's files are hashed once, and only when it is needed before they
 * are read anyway. */
lmd_status lmd_run_hash_corpus(lmd_run *run);

/* The lines that determine the job; caller frees. */
char *lmd_run_identity(const lmd_run *run, char (*hashes)[LMD_SHA256_HEX],
                       bool has_names);

/* Sets the fingerprints of the job, and of the part that is run. */
void lmd_run_set_fingerprints(lmd_run *run, char (*hashes)[LMD_SHA256_HEX]);

/* Collective. Looks at what is at the output's place before any work is done. */
lmd_status lmd_run_check_existing(lmd_run *run);

/* ---- run_folder.c ---- */

/* Collective. Takes the job's lock; refuses the unfinished work of another job, or throws
 * it away (--fresh). */
lmd_status lmd_run_enter_work(lmd_run *run);

/* Root: one part prepares, the others wait for it. */
lmd_status lmd_run_lock_spool(lmd_run *run);

/* The result is there already: a run that was killed as soon as it had written it has
 * left its work, which goes now. */
void lmd_run_clear_work(lmd_run *run);

/* Asked for; and a folder that was named to a part of a job serves the other parts. */
bool lmd_run_keeps_work(const lmd_run *run);

/* Gives the locks back, and removes folders that are empty. */
void lmd_run_leave_work(lmd_run *run);

/* ---- run_result.c ---- */

/* Collective. The result, the end of the work folder, and the contract's last line. */
lmd_status lmd_run_finish(lmd_run *run);

#endif
