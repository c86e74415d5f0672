/* The version, from the file VERSION, and the source tree's revision: the Makefile gives
 * both, and makes this object anew when either changes. */

#include "app.h"

const char lmd_version[] = LMDEPTH_VERSION;
const char lmd_revision[] = LMDEPTH_REVISION;
