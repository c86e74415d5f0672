/* Open files, what is said when reading one crashes, and those that are never closed.
 *
 * HDF5 runs over some damaged files like over a cliff (SECURITY.md): what it follows into
 * nowhere has no checksum, and nothing that we could look at before. So while files are
 * open, a signal of that kind ends the program as damage does elsewhere, with a message
 * that names them. Handlers that others have set (MPI, sanitizers) stay.
 *
 * Nor does HDF5 always find an end of closing a file in which it has met damage, or it
 * frees what is none of its own, in a sound file too, for it shares its lists among them.
 * Files are open to read, so all are left open then, and the library is kept from closing
 * them when the program ends. */
#define H5_USE_110_API
#include <hdf5.h> /* H5dont_atexit; before netcdf.h */

#include "netcdf_access.h"

#include <signal.h> /* sigaction */
#include <string.h> /* strlen */
#include <unistd.h> /* write, _exit */
#include <lmdepth/base/text.h>

enum { FILES = 8, SIGNALS = 4 };

static const int signals[SIGNALS] = {SIGSEGV, SIGBUS, SIGFPE, SIGABRT};

typedef struct open_file {
    int ncid;
    const char *path; /* borrowed; NULL: none */
} open_file;

static open_file files[FILES];
static int n_open;
static bool is_damaged; /* one of them, by what HDF5 says */
static bool is_ours[SIGNALS];

static void say(const char *text)
{
    const ssize_t ignored = write(STDERR_FILENO, text, strlen(text));
    (void)ignored;
}

/* Calls only what a handler may. */
static void end(int signal_number)
{
    (void)signal_number;
    const char *before = "lmdepth: error: ";
    for (int i = 0; i < FILES; i++) {
        if (files[i].path != NULL) {
            say(before);
            say(files[i].path);
            before = " or ";
        }
    }
    say(": damaged? The program crashed while it read it\n");
    _exit(LMD_INPUT);
}

static void set_handlers(void)
{
    const struct sigaction ours = {.sa_handler = end};
    for (int i = 0; i < SIGNALS; i++) {
        struct sigaction now;
        is_ours[i] = sigaction(signals[i], NULL, &now) == 0 &&
                     (now.sa_flags & SA_SIGINFO) == 0 && now.sa_handler == SIG_DFL &&
                     sigaction(signals[i], &ours, NULL) == 0;
    }
}

static void clear_handlers(void)
{
    for (int i = 0; i < SIGNALS; i++) {
        if (is_ours[i]) {
            (void)signal(signals[i], SIG_DFL);
            is_ours[i] = false;
        }
    }
}

static void note(int ncid, const char *path)
{
    if (n_open++ == 0) {
        set_handlers();
    }
    for (int i = 0; i < FILES; i++) {
        if (files[i].path == NULL) {
            files[i] = (open_file){ncid, path};
            return;
        }
    }
}

static void forget(int ncid)
{
    for (int i = 0; i < FILES; i++) {
        if (files[i].path != NULL && files[i].ncid == ncid) {
            files[i] = (open_file){0};
            break;
        }
    }
    if (--n_open == 0) {
        clear_handlers();
    }
}

/* None has this number. */
enum { NOT_YET = -1 };

lmd_status lmd_netcdf_guarded_open(const char *path, int *ncid)
{
    (void)H5dont_atexit();
    note(NOT_YET, path);
    lmd_status status = lmd_netcdf_inspect(path);
    if (status == LMD_OK) {
        status = lmd_netcdf_check(nc_open(path, NC_NOWRITE, ncid), LMD_INPUT, path,
                                  "can't open");
    }
    forget(NOT_YET);
    if (status == LMD_OK) {
        note(*ncid, path);
    }
    return status;
}

void lmd_netcdf_distrust(void)
{
    is_damaged = true;
}

void lmd_netcdf_close(int ncid)
{
    if (!is_damaged) {
        (void)nc_close(ncid);
    }
    forget(ncid);
}
