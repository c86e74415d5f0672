/* A crash while a result is open ends with exit code 3 and names the file; no longer when
 * it is closed. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <netcdf.h>
#include <lmdepth/base/status.h>
#include "netcdf_access.h"

/* Opens path, closes it if asked to, and crashes; *status as of wait(), `says` what it
 * wrote on standard error. */
static void crash(const char *path, bool is_closed, int *status, char *says, size_t size)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
        int ncid;
        (void)signal(SIGSEGV, SIG_DFL); // cmocka's, or a sanitizer's, is not the user's
        (void)dup2(ends[1], STDERR_FILENO);
        if (lmd_netcdf_open(path, &ncid) != LMD_OK) {
            _exit(99);
        }
        if (is_closed) {
            lmd_netcdf_close(ncid);
        }
        (void)raise(SIGSEGV);
        _exit(98);
    }
    (void)close(ends[1]);
    size_t used = 0;
    ssize_t n;
    while (used + 1 < size && (n = read(ends[0], says + used, size - 1 - used)) > 0) {
        used += (size_t)n;
    }
    says[used] = 0;
    (void)close(ends[0]);
    assert_true(waitpid(child, status, 0) == child);
}

static void a_crash_names_the_open_file(void **state)
{
    (void)state;
    char path[] = "/tmp/lmdepth-test-XXXXXX", says[4096];
    const int file = mkstemp(path);
    int ncid, status = 0;
    assert_true(file >= 0 && close(file) == 0);
    assert_int_equal(nc_create(path, NC_NETCDF4 | NC_CLOBBER, &ncid), NC_NOERR);
    assert_int_equal(nc_close(ncid), NC_NOERR);
    crash(path, false, &status, says, sizeof says);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), LMD_INPUT);
    assert_non_null(strstr(says, path));
    assert_non_null(strstr(says, "damaged?"));
    crash(path, true, &status, says, sizeof says);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    assert_int_equal(unlink(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crash_names_the_open_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
