/* What `bench` has found, as tables for people and as one JSON object for programs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "bench.h"

/* The processor's own name, "unknown" where the system does not tell. */
static void find_processor(char *name, size_t size)
{
    snprintf(name, size, "unknown");
    FILE *file = fopen("/proc/cpuinfo", "r");
    if (file == NULL) {
        return;
    }
    char line[256];
    while (fgets(line, sizeof line, file) != NULL) {
        const char *value = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && value != NULL) {
            value += strspn(value, ": ");
            snprintf(name, size, "%.*s", (int)strcspn(value, "\n"), value);
            break;
        }
    }
    (void)fclose(file);
}

/* ---- for people ---- */

static void print_rows(const lmd_bench_report *report, bool is_forward)
{
    bool is_first = true;
    for (int i = 0; i < report->n_rows; i++) {
        const lmd_bench_row *row = &report->rows[i];
        if (row->is_forward != is_forward) {
            continue;
        }
        if (is_first) {
            printf("\n%-13s tokens states stored products threads %8s/s GFLOP/s of peak "
                   "(least, greatest) on cpu%s\n",
                   is_forward ? "forward" : "decode", is_forward ? "tokens" : "rows",
                   is_forward ? "" : " MB a row   GB/s");
            is_first = false;
        }
        const lmd_bench_timing *timing = &row->timing;
        printf("%-13s %6d %6d %-6s %-8s %7d %10.1f %7.1f %6.1f%% (%5.1f, %8.1f) %5.0f%%",
               row->shape->name, row->tokens,
               is_forward ? row->shape->N + 1 : row->states, row->stored, row->precision,
               row->threads, row->per_second, row->gflops, 100 * timing->of_peak,
               100 * timing->least_of_peak, 100 * timing->greatest_of_peak,
               100 * timing->on_cpu);
        if (!is_forward) {
            printf(" %8.3f %6.1f", 1e-6 * row->bytes,
                   1e-9 * row->bytes * row->per_second);
        }
        printf("\n");
    }
}

static void print_job(const lmd_bench_job *job)
{
    printf("\njob          %lld tokens in %lld packs, %d rank%s x %d thread%s, %s\n",
           (long long)job->tokens, (long long)job->packs, job->ranks,
           job->ranks == 1 ? "" : "s", job->threads, job->threads == 1 ? "" : "s",
           job->arithmetic);
    printf("speed        %.1f tokens/s, %.1f %% of the peak (%.1f, %.1f; %d repetition%s)"
           "\n",
           job->tokens_per_s, 100 * job->of_peak, 100 * job->least_of_peak,
           100 * job->greatest_of_peak, job->repeats, job->repeats == 1 ? "" : "s");
    printf("time         %.2f s: forward %.2f, lens %.2f, metrics %.2f, waiting %.2f, "
           "other %.2f; before it loading %.2f, preparing %.2f\n",
           job->seconds, job->forward, job->lens, job->metric, job->wait, job->other,
           job->load, job->prepare);
}

void lmd_bench_print_text(const lmd_bench_report *report)
{
    char processor[128];
    int n;
    const lmd_bench_precision *precisions = lmd_bench_precisions(&n);
    find_processor(processor, sizeof processor);
    printf("lmdepth %s (%s)\nmachine      %s, %d processors\n", lmd_version, lmd_revision,
           processor, lmd_threads_processors());
    for (int i = 0; i < n; i++) {
        printf("%-12s %s\n", i == 0 ? "arithmetic" : "", report->arithmetics[i]);
    }
    printf("peak        ");
    for (int i = 0; i < n; i++) {
        printf(" %s %.1f GFLOP/s a core", precisions[i].name, report->peaks[i]);
    }
    printf("\n");
    print_rows(report, false);
    print_rows(report, true);
    if (report->job != NULL) {
        print_job(report->job);
    }
}

/* ---- for programs ---- */

static json_t *list_row(const lmd_bench_row *row)
{
    const lmd_bench_timing *timing = &row->timing;
    json_t *object = json_pack(
        "{s:s, s:i, s:s, s:s, s:s, s:i, s:f, s:f, s:f, s:f, s:f, s:f}", "shape",
        row->shape->name, "tokens", row->tokens, "stored", row->stored, "precision",
        row->precision, "kernel", row->kernel, "threads", row->threads,
        row->is_forward ? "tokens_per_s" : "rows_per_s", row->per_second, "gflops",
        row->gflops, "of_peak", timing->of_peak, "of_peak_least", timing->least_of_peak,
        "of_peak_greatest", timing->greatest_of_peak, "on_cpu", timing->on_cpu);
    if (!row->is_forward) {
        json_object_set_new(object, "d", json_integer(row->shape->d));
        json_object_set_new(object, "vocab", json_integer(row->shape->V));
        json_object_set_new(object, "states", json_integer(row->states));
        json_object_set_new(object, "bytes_per_row", json_real(row->bytes));
    }
    return object;
}

static json_t *list_rows(const lmd_bench_report *report, bool is_forward)
{
    json_t *list = json_array();
    for (int i = 0; i < report->n_rows; i++) {
        if (report->rows[i].is_forward == is_forward) {
            json_array_append_new(list, list_row(&report->rows[i]));
        }
    }
    return list;
}

static json_t *list_job(const lmd_bench_job *job)
{
    return json_pack(
        "{s:I, s:f, s:f, s:f, s:f, s:I, s:i, s:i, s:i, s:f, s:s,"
        " s:{s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}}",
        "tokens", (json_int_t)job->tokens, "tokens_per_s", job->tokens_per_s, "of_peak",
        job->of_peak, "of_peak_least", job->least_of_peak, "of_peak_greatest",
        job->greatest_of_peak, "packs", (json_int_t)job->packs, "ranks", job->ranks,
        "threads", job->threads, "repeats", job->repeats, "peak", job->peak, "kernel",
        job->arithmetic, "seconds", "all", job->seconds, "forward", job->forward, "lens",
        job->lens, "metric", job->metric, "wait", job->wait, "other", job->other, "load",
        job->load, "prepare", job->prepare);
}

static json_t *list_kernels(const lmd_bench_report *report)
{
    int n;
    const lmd_bench_precision *precisions = lmd_bench_precisions(&n);
    json_t *object = json_object();
    for (int i = 0; i < n; i++) {
        json_object_set_new(object, precisions[i].name,
                            json_string(report->arithmetics[i]));
    }
    return object;
}

/* That of bf16 is fp32's where its products are done in fp32. */
static json_t *list_peaks(const lmd_bench_report *report)
{
    int n;
    const lmd_bench_precision *precisions = lmd_bench_precisions(&n);
    json_t *object = json_pack("{s:n, s:n}", "f32", "bf16");
    for (int i = 0; i < n; i++) {
        json_object_set_new(object, precisions[i].name, json_real(report->peaks[i]));
    }
    return object;
}

void lmd_bench_print_json(const lmd_bench_report *report)
{
    char processor[128];
    find_processor(processor, sizeof processor);
    json_t *root = json_pack(
        "{s:{s:s, s:i, s:o, s:s, s:s}, s:o, s:o, s:o}", "machine", "processor", processor,
        "processors", lmd_threads_processors(), "kernels", list_kernels(report),
        "version", lmd_version, "revision", lmd_revision, "peak", list_peaks(report),
        "decode", list_rows(report, false), "forward", list_rows(report, true));
    if (report->job != NULL) {
        json_object_set_new(root, "job", list_job(report->job));
    }
    char *text = json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    puts(text);
    free(text);
    json_decref(root);
}
