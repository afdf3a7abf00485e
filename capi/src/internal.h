/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the library share. */
#ifndef STATION_INTERNAL_H
#define STATION_INTERNAL_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#define STATION_NO_TEXT_MACROS
#include <stdlib.h>
#include "station.h"
#include "winternl.h"
#include "wtsapi32.h"
#include "winsvc.h"
#include "calls_gen.h"

#define ST_EXPORT __attribute__((visibility("default")))
#define ST_TLS __thread __attribute__((tls_model("initial-exec")))

struct st_name { const char *name; FARPROC address; int built; };

/* Errors. st_fail sets the thread's last error and gives FALSE; with a
 * sentence of its own when none came from the daemon. */
extern ST_TLS DWORD st_last_error;
BOOL st_fail(const char *function, DWORD code);
DWORD st_later(const char *function);
void st_sentence(const char *op, struct st_str object, struct st_str rule, struct st_str text, DWORD code);
const char *st_text_of(DWORD code);

/* st_result turns the number of a call into BOOL and last error; the sentence
 * was made when the reply came. */
static inline BOOL st_result(uint32_t code)
{
	if (code != 0)
		st_last_error = code;
	return code == 0;
}

/* Handles on the wire have 32 bits; what does not fit is no handle of ours. */
static inline uint32_t st_handle(const void *h)
{
	intptr_t v = (intptr_t)h;
	return v >= -16 && v <= 0x7FFFFFFF ? (uint32_t)v : 0x7FFFFFFCu;
}
static inline HANDLE st_pointer(uint32_t h) { return (HANDLE)(intptr_t)(int32_t)h; }

/* st_hello is what the daemon said of this thread; 0 or a Win32 number. */
struct st_hello { uint32_t process, thread, session; uint64_t daemon; };
uint32_t st_identity(struct st_hello *h);

/* st_closed is told of every handle that was closed. */
void st_closed(uint32_t h);

/* Text. A wire text is UTF-8, lone surrogates as their three bytes. The
 * functions that make text give memory for free(). */
struct st_str st_text(const char *s);
char *st_from_wide(const WCHAR *s, size_t units, uint32_t *n);
size_t st_wide_length(const WCHAR *s);
size_t st_to_wide(const char *s, size_t n, WCHAR *out, size_t room);
int st_valid_utf8(const char *s, size_t n);

/* st_arg is a text argument of either form. st_arg_a and st_arg_w give 0, 8 or
 * 1113; st_arg_free releases it. A NULL stays a NULL. */
struct st_arg { struct st_str s; char *own; };
uint32_t st_arg_a(struct st_arg *a, const char *s);
uint32_t st_arg_w(struct st_arg *a, const WCHAR *s);
void st_arg_free(struct st_arg *a);

/* st_sd gives the self-relative bytes of a descriptor of either form: 0 or a
 * Win32 number; *own is for free(). NULL gives no bytes. */
uint32_t st_sd(PSECURITY_DESCRIPTOR sd, struct st_str *out, char **own);
static inline uint8_t st_inherit(const SECURITY_ATTRIBUTES *sa) { return sa != NULL && sa->bInheritHandle; }
uint32_t st_sa(const SECURITY_ATTRIBUTES *sa, struct st_str *out, char **own);

/* st_sid_parse makes the binary form of S-1-… in out (SECURITY_MAX_SID_SIZE
 * bytes) and gives its length, 0 when it is none. */
size_t st_sid_parse(struct st_str text, uint8_t *out);
size_t st_sid_length(const void *sid);

#endif
