/* Reasons to end early: a signal (Slurm's USR1 before a time limit, TERM, a user's INT)
 * or the time that --max-time gave. The handler only counts; whoever works asks now and
 * then. A second TERM or INT ends the process at once: what was saved is whole. */

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "app.h"

enum { REPEAT_SECONDS = 2 };

static volatile sig_atomic_t n_signals;
static volatile sig_atomic_t last_signal;

static double deadline; /* seconds of lmd_team_clock; 0: none */

/* Launchers repeat a signal at once, and Slurm sends TERM some minutes after USR1: only a
 * TERM or INT that comes a while after another one is meant as "at once". */
static void take_signal(int number)
{
    static volatile sig_atomic_t has_ended;
    static struct timespec first;
    struct timespec now;
    if (number != SIGUSR1) {
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        if (has_ended && now.tv_sec - first.tv_sec >= REPEAT_SECONDS) {
            _exit(LMD_FAILED);
        }
        if (!has_ended) {
            first = now;
            has_ended = 1;
        }
    }
    if (n_signals == 0) {
        last_signal = number;
        n_signals = 1;
    }
}

void lmd_stop_watch_again(void)
{
    static const int signals[] = {SIGUSR1, SIGTERM, SIGINT};
    struct sigaction action = {.sa_handler = take_signal, .sa_flags = SA_RESTART};
    (void)sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        (void)sigaction(signals[i], &action, NULL);
    }
}

void lmd_stop_watch(double max_seconds)
{
    lmd_stop_watch_again();
    deadline = max_seconds > 0 ? lmd_team_clock() + max_seconds : 0;
}

bool lmd_stop_is_signalled(void)
{
    return n_signals > 0;
}

bool lmd_stop_is_late(double needed)
{
    return deadline > 0 && lmd_team_clock() + needed >= deadline;
}

const char *lmd_stop_reason(void)
{
    if (n_signals == 0) {
        return deadline > 0 && lmd_stop_is_late(0)
                   ? "the time of --max-time is over"
                   : "the time of --max-time is nearly over";
    }
    return last_signal == SIGUSR1   ? "signal USR1"
           : last_signal == SIGTERM ? "signal TERM"
                                    : "signal INT";
}
