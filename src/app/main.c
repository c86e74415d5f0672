/* lmdepth: the program. Finds the subcommand in the table and calls it. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <lmdepth/kernel.h>

#include "app.h"

static const struct command {
    const char *name;
    const char *help;
    int (*run)(int argc, char **argv);
} commands[] = {
#define COMMAND(name, help) {#name, help, lmd_command_##name},
#include "commands.def"
#undef COMMAND
};

enum { COMMANDS = sizeof commands / sizeof commands[0] };

static void print_help(FILE *stream)
{
    fprintf(stream, "Usage: lmdepth COMMAND [OPTION...] [ARGUMENT...]\n"
                    "How a language model uses its depth, over a whole corpus.\n\n");
    for (int i = 0; i < COMMANDS; i++) {
        fprintf(stream, "  %-10s %s\n", commands[i].name, commands[i].help);
    }
    fprintf(
        stream,
        "\n"
        "  lmdepth COMMAND --help tells a command's options, lmdepth run --help-job the\n"
        "  keys of a job file. With more than one rank:\n"
        "      mpirun -n 4 lmdepth run job.yaml\n"
        "      srun --mpi=pmix lmdepth run job.yaml\n"
        "\n"
        "Exit codes: 0 complete; 1 failed or different; 2 usage or job file; 3 input or\n"
        "model that can't be read or is not supported; 4 memory, disk or time to start;\n"
        "75 stopped early with a good snapshot: run the same command again.\n");
}

/* Should the library have chosen other kernels when it was loaded? Says so. */
static bool wants_other_core(void)
{
    const char *better = lmd_kernel_better_core();
    if (better == NULL || getenv("LMDEPTH_CORRECTED_BLAS") != NULL) {
        return false;
    }
    if (lmd_arguments_is_first_process()) {
        lmd_log_say(
            "OpenBLAS has chosen kernels of half speed for this processor: started anew "
            "with OPENBLAS_CORETYPE=%s",
            better);
    }
    setenv("LMDEPTH_CORRECTED_BLAS", better, 1);
    setenv("OPENBLAS_CORETYPE", better, 1);
    return true;
}

/* What the library chooses when it is loaded, before any line of ours, can only be cured
 * by starting anew with its variable set (once: it is set then). */
static void correct_blas(char **argv)
{
    if (wants_other_core()) {
        execv("/proc/self/exe", argv); // if it can't be, all works as it is
    }
}

/* Data that could not be written is a failure, whatever the command thought. */
static int finish(int code)
{
    if ((fflush(stdout) != 0 || ferror(stdout)) && code == LMD_OK) {
        lmd_log_error("standard output can't be written");
        return LMD_RESOURCE;
    }
    return code;
}

/* Calls the command under its full name, which argp shows in help and errors. */
static int run_command(const struct command *command, int argc, char **argv)
{
    char name[64];
    snprintf(name, sizeof name, "lmdepth %s", command->name);
    argv[1] = name;
    return finish(command->run(argc - 1, argv + 1));
}

int main(int argc, char **argv)
{
    argp_err_exit_status = LMD_USAGE;
    (void)prctl(PR_SET_NAME, "lmdepth"); // started anew it would be called "exe"
    const bool speaks = lmd_arguments_is_first_process();
    if (argc < 2) {
        print_help(stderr);
        return LMD_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 ||
        strcmp(name, "help") == 0) {
        if (speaks) {
            print_help(stdout);
        }
        return finish(LMD_OK);
    }
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        if (speaks) {
            printf("lmdepth %s (%s)\n", lmd_version, lmd_revision);
        }
        return finish(LMD_OK);
    }
    for (int i = 0; i < COMMANDS; i++) {
        if (strcmp(name, commands[i].name) == 0) {
            correct_blas(argv);
            return run_command(&commands[i], argc, argv);
        }
    }
    (void)lmd_status_set(LMD_USAGE, "no command '%s'; lmdepth --help lists them", name);
    return lmd_arguments_fail(LMD_USAGE);
}
