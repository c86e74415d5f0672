/* What the files of this room want of a node's processors beyond the public header. */
#ifndef LMDEPTH_PLACES_H
#define LMDEPTH_PLACES_H

#include <lmdepth/parallel.h> /* lmd_places */

/* The system's number of core i of this process, equal for all processes of the node:
 * that of its first hardware thread. */
int lmd_places_core(const lmd_places *places, int i);

/* None of these numbers on this node is greater. */
int lmd_places_last_core(const lmd_places *places);

/* Lays pages that are not written yet by turns over the NUMA domains of the domain that
 * this process is in; where that is one, the first to write decides. How many there are;
 * `memory` NULL only asks. */
int lmd_places_spread(const lmd_places *places, lmd_domain domain, void *memory,
                      size_t n_bytes);

/* The calling thread runs on core i of this process, on all of them with -1. */
bool lmd_places_bind(const lmd_places *places, int i);

/* Has the rank as many cores as threads, and nobody else of the job on them? */
bool lmd_binding_is_a_thread_a_core(const lmd_binding *binding);

#endif
