/* How far the work is: on a terminal a line that is written over, twice a second; in a
 * log a plain line every 60 s. Root rank only. */

#include <stdio.h>
#include <unistd.h>

#include "app.h"

void lmd_progress_start(lmd_progress *progress, const char *what)
{
    const double now = lmd_team_clock();
    *progress = (lmd_progress){
        .is_on = lmd_log_is_root() && !lmd_log_is_quiet(),
        .is_terminal = isatty(STDERR_FILENO) != 0,
        .what = what,
        .start = now,
        .last = now,
    };
}

static void format_time(double seconds, char *out, size_t size)
{
    const long s = (long)(seconds + 0.5);
    if (s < 3600) {
        snprintf(out, size, "%ld:%02ld", s / 60, s % 60);
    } else {
        snprintf(out, size, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    }
}

void lmd_progress_show(lmd_progress *progress, double done, double total, double rate,
                       double share)
{
    const double now = lmd_team_clock();
    const double pause = progress->is_terminal ? 0.5 : 60.0;
    if (!progress->is_on || now - progress->last < pause) {
        return;
    }
    progress->last = now;
    const double part = total > 0 ? done / total : 1.0;
    char left[32] = "?";
    if (part > 0) {
        format_time((now - progress->start) * (1.0 - part) / part, left, sizeof left);
    }
    char line[160];
    snprintf(line, sizeof line,
             "%s %.0f/%.0f (%.0f %%), %.1f tokens/s, %.0f %% of peak, %s left",
             progress->what, done, total, 100.0 * part, rate, 100.0 * share, left);
    if (progress->is_terminal) {
        fprintf(stderr, "\r\033[K%s", line);
        fflush(stderr);
    } else {
        lmd_log_say("%s", line);
    }
}

void lmd_progress_end(lmd_progress *progress)
{
    if (progress->is_on && progress->is_terminal) {
        fprintf(stderr, "\r\033[K");
        fflush(stderr);
    }
}
