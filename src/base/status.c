/* The message of a failure is kept beside the status, one buffer a thread, so that a
 * status stays a plain integer and nobody has to free anything. The new message is made
 * in a second buffer first: its arguments may point into the old one. */
#include <lmdepth/base/status.h>

#include <stdarg.h> /* va_list */
#include <stdio.h>  /* vsnprintf */
#include <string.h> /* strlen, memcpy */

enum { MESSAGE_SIZE = 2048 };

static _Thread_local char message[MESSAGE_SIZE];

/* Names come from hostile files: a control character in them must neither break the line
 * nor speak to a terminal. An overlong text is cut where a UTF-8 sequence starts. */
static void keep(const char text[MESSAGE_SIZE], bool is_cut)
{
    size_t length = strlen(text);
    if (is_cut) {
        length = MESSAGE_SIZE - sizeof "...";
        while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80) {
            length--;
        }
    }
    for (size_t i = 0; i < length; i++) {
        const unsigned char byte = (unsigned char)text[i];
        const bool is_control = byte < 0x20 || byte == 0x7f;
        message[i] = (char)(is_control ? '?' : text[i]);
    }
    message[length] = 0;
    if (is_cut) {
        memcpy(message + length, "...", sizeof "...");
    }
}

bool lmd_status_is_ok(lmd_status status)
{
    return status == LMD_OK;
}

const char *lmd_status_text(lmd_status status)
{
    switch (status) {
#define LMD_STATUS_CASE(name, code, text)                                                \
    case LMD_##name:                                                                     \
        return text;
        LMD_STATUS_LIST(LMD_STATUS_CASE)
#undef LMD_STATUS_CASE
    }
    return "unknown status";
}

lmd_status lmd_status_set(lmd_status status, const char *format, ...)
{
    char text[MESSAGE_SIZE] = "";
    va_list arguments;
    va_start(arguments, format);
    const int wanted = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    keep(text, wanted >= MESSAGE_SIZE);
    return status;
}

lmd_status lmd_status_within(lmd_status status, const char *format, ...)
{
    if (status == LMD_OK) {
        return status;
    }
    char prefix[MESSAGE_SIZE] = "";
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(prefix, sizeof prefix, format, arguments);
    va_end(arguments);
    return lmd_status_set(status, "%s: %s", prefix, message);
}

const char *lmd_status_message(void)
{
    return message;
}
