/* What is bad about the places of ranks and threads, and what to type instead. */
#include "places.h"

#include <lmdepth/base/text.h> /* lmd_text_append_format */

bool lmd_binding_is_a_thread_a_core(const lmd_binding *binding)
{
    return binding->is_alone && binding->threads == binding->cores;
}

const char *lmd_binding_describe(const lmd_binding *binding)
{
    return lmd_binding_is_a_thread_a_core(binding) ? "a thread a core, bound"
           : binding->load > 1 + 1e-6              ? "more threads than cores"
           : binding->cores < binding->node_cores  ? "ranks bound, threads free"
                                                   : "not bound";
}

/* ---- what is bad about it ---- */

enum { FINE, IDLE_CORES, TOO_MANY, SAME_CORES, FEW_CORES };

static int kind_of(const lmd_binding *binding, bool is_bound)
{
    if (binding->threads > binding->cores) {
        return binding->cores < binding->node_cores ? FEW_CORES : TOO_MANY;
    }
    if (binding->load > 1 + 1e-6) {
        return binding->used_cores < binding->node_cores ? SAME_CORES : TOO_MANY;
    }
    return is_bound && binding->used_cores < binding->node_cores ? IDLE_CORES : FINE;
}

static void append_advice(const lmd_binding *binding, lmd_launcher launcher, int kind,
                          lmd_text *out)
{
    const int fair = binding->node_cores / binding->node_ranks;
    const int threads = kind != IDLE_CORES ? binding->threads : fair >= 1 ? fair : 1;
    if (kind == TOO_MANY) {
        lmd_text_append_format(out, "; ask for fewer ranks or threads: `lmdepth check` "
                                    "suggests both");
    } else if (launcher == LMD_LAUNCHER_MPIRUN) {
        lmd_text_append_format(out,
                               "; type `mpirun --bind-to none`, or `mpirun --map-by "
                               "slot:PE=%d --bind-to core` for %d thread%s a rank",
                               threads, threads, threads == 1 ? "" : "s");
    } else if (launcher == LMD_LAUNCHER_SRUN) {
        lmd_text_append_format(
            out, "; type `srun --cpus-per-task=%d --hint=nomultithread`", threads);
    } else {
        lmd_text_append_format(out, "; give each rank %d core%s of its own", threads,
                               threads == 1 ? "" : "s");
    }
}

int lmd_binding_judge(const lmd_binding *binding, lmd_launcher launcher, bool is_bound,
                      lmd_text *out)
{
    const int kind = kind_of(binding, is_bound);
    switch (kind) {
    case FEW_CORES:
        lmd_text_append_format(
            out, "the %d threads of a rank are bound to %d of the node's %d cores",
            binding->threads, binding->cores, binding->node_cores);
        break;
    case SAME_CORES:
        lmd_text_append_format(
            out,
            "ranks are bound to the same cores: %.3g threads for each, while %d of "
            "the node's %d cores are idle",
            binding->load, binding->node_cores - binding->used_cores,
            binding->node_cores);
        break;
    case TOO_MANY:
        lmd_text_append_format(
            out, "%.3g threads for each core (%d rank%s on the node, %d core%s)",
            binding->load, binding->node_ranks, binding->node_ranks == 1 ? "" : "s",
            binding->node_cores, binding->node_cores == 1 ? "" : "s");
        break;
    case IDLE_CORES:
        lmd_text_append_format(
            out, "ranks are bound to %d of the node's %d cores: the others are idle",
            binding->used_cores, binding->node_cores);
        break;
    default:
        return FINE;
    }
    append_advice(binding, launcher, kind, out);
    return kind;
}
