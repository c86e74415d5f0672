/* How long a job takes, from operations alone: those of the forward pass and of the lens
 * for a mean token, at the share of the peak that this machine shows now which the
 * kernel's products reach as a rule; memory, disks and other users are not in it. */

#include "app.h"

lmd_estimate lmd_estimate_work(const lmd_inputs *inputs, const lmd_kernel *kernel,
                               double prompt_tokens, double observed_share)
{
    const int length = prompt_tokens < 1 ? 1 : (int)(prompt_tokens + 0.5);
    const int32_t starts[2] = {0, length};
    lmd_estimate estimate = {
        .forward = lmd_model_flops(inputs->model, starts, 1) / length,
        .share = lmd_kernel_usual_share(kernel),
    };
    for (int i = 0; i < inputs->job->n_lenses; i++) {
        estimate.lens += lmd_lens_flops(inputs->lenses[i]) * inputs->L * observed_share;
    }
    return estimate;
}

double lmd_estimate_speed(const lmd_estimate *estimate, double peak)
{
    return estimate->share * peak * 1e9 / (estimate->forward + estimate->lens);
}

/* In the unit that people would take. */
static void append_time(double seconds, lmd_text *out)
{
    if (seconds < 120) {
        lmd_text_append_format(out, "%.*f seconds", seconds < 10 ? 1 : 0, seconds);
    } else if (seconds < 7200) {
        lmd_text_append_format(out, "%.0f minutes", seconds / 60);
    } else {
        lmd_text_append_format(out, "%.1f hours", seconds / 3600);
    }
}

void lmd_estimate_append(const lmd_estimate *estimate, double peak, int processors,
                         double tokens, bool is_exact, lmd_text *out)
{
    const double all = estimate->forward + estimate->lens;
    const double speed = lmd_estimate_speed(estimate, peak);
    const double million = 1e6 / speed / 3600;
    lmd_text_append_format(
        out, "work        %.3g GFLOP a token: forward %.0f %%, lens %.0f %%\n", all / 1e9,
        100 * estimate->forward / all, 100 * estimate->lens / all);
    lmd_text_append_format(
        out,
        "time        about %.*f tokens/s on this machine's %d processor%s (%.0f %% of "
        "the peak of %.0f GFLOP/s): ",
        speed < 1000 ? 1 : 0, speed, processors, processors == 1 ? "" : "s",
        100 * estimate->share, peak);
    append_time(tokens / speed, out);
    lmd_text_append_format(out, " for %s%.0f tokens, %.3g core-hours for each million\n",
                           is_exact ? "" : "about ", tokens, million * processors);
}
