/* One bit that any rank may raise and that all ranks see soon: "stop". And the common way
 * out of an object whose ranks serve each other: nobody leaves while somebody may ask. */
#ifndef LMDEPTH_NOTICE_H
#define LMDEPTH_NOTICE_H

#include <mpi.h>     /* MPI_Comm */
#include <stdbool.h> /* bool */

typedef struct lmd_notice lmd_notice;

/* Tags of the communicator from this one on belong to the notice. */
enum { LMD_NOTICE_TAG = 100 };

/* `comm` is borrowed; the same for all ranks. */
lmd_notice *lmd_notice_new(MPI_Comm comm);

void lmd_notice_raise(lmd_notice *notice);

/* Has anyone raised it, as far as is known here? One cheap call into MPI; the root must
 * come here often, because it passes the word on. */
bool lmd_notice_is_raised(lmd_notice *notice);

/* Collective. Calls serve(context) until all ranks are here, then frees the notice. Each
 * rank has completed all its requests to others before. */
void lmd_notice_close(lmd_notice *notice, void (*serve)(void *), void *context);

#endif
