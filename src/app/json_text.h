/* What `--json` prints: texts may come from a path or a file of somebody else and hold
 * any bytes, of which jansson makes NULL. */
#ifndef LMDEPTH_APP_JSON_TEXT_H
#define LMDEPTH_APP_JSON_TEXT_H

#include <jansson.h> /* json_t */

/* A JSON string, null of NULL; each byte that is no UTF-8 becomes U+FFFD. The caller's
 * reference. */
json_t *lmd_json_text(const char *text);

/* Prints it on standard output and lets go of it. */
void lmd_json_print(json_t *root);

#endif
