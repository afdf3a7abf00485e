/* SPDX-License-Identifier: Apache-2.0 */
/* Last error, its sentence, FormatMessage, and what is built. */
#include "internal.h"
#include "errors_gen.h"
#include "aclapi.h"
#include "ntsecapi.h"
#include "userenv.h"
#include "sddl.h"
#include "winnls.h"
#include "names_gen.h"
#include <ctype.h>
#include <dlfcn.h>
#include <stdio.h>

ST_TLS DWORD st_last_error;
static ST_TLS char *sentence; /* freed by its successor only: 600 bytes a thread */
static __thread char sentence_room[600];

ST_EXPORT DWORD GetLastError(void) { return st_last_error; }
ST_EXPORT void SetLastError(DWORD code) { st_last_error = code; }

const char *st_text_of(DWORD code)
{
	size_t lo = 0, hi = sizeof st_texts / sizeof *st_texts;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (st_texts[mid].code == code)
			return st_texts[mid].text;
		if (st_texts[mid].code < code)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

void st_sentence(const char *op, struct st_str object, struct st_str rule, struct st_str text, DWORD code)
{
	const char *words = st_text_of(code);
	sentence = sentence_room;
	if (text.n != 0)
		snprintf(sentence_room, sizeof sentence_room, "%.*s (%u)", (int)(text.n < 500 ? text.n : 500), text.p, code);
	else
		snprintf(sentence_room, sizeof sentence_room, "%s%s%.*s: %s (%u)%s%.*s", op, object.n != 0 ? " " : "",
			(int)(object.n < 300 ? object.n : 300), object.p, words != NULL ? words : "Win32 error", code, rule.n != 0 ? ", rule " : "",
			(int)(rule.n < 40 ? rule.n : 40), rule.p);
}

BOOL st_fail(const char *function, DWORD code)
{
	static const struct st_str none = {"", 0};
	st_sentence(function, none, none, none, code);
	st_last_error = code;
	return FALSE;
}

DWORD st_later(const char *function)
{
	st_fail(function, ERROR_CALL_NOT_IMPLEMENTED);
	return ERROR_CALL_NOT_IMPLEMENTED;
}

ST_EXPORT const char *station_last_error_text(void) { return sentence != NULL ? sentence : ""; }
ST_EXPORT unsigned station_abi_version(void) { return STATION_ABI; }

ST_EXPORT int station_handle_fd(HANDLE h)
{
	(void)h;
	st_later("station_handle_fd");
	return -1;
}

static const struct st_name *find(const char *name)
{
	size_t lo = 0, hi = sizeof st_names / sizeof *st_names;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		int d = strcmp(st_names[mid].name, name);
		if (d == 0)
			return &st_names[mid];
		if (d < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

ST_EXPORT BOOL station_is_implemented(const char *name)
{
	const struct st_name *n = name != NULL ? find(name) : NULL;
	return n != NULL && n->built;
}

/* FormatMessage from the system's table; inserts are left as they are. */
static DWORD format(const char *function, DWORD flags, DWORD code, const char **text, char *room, size_t size)
{
	const char *words;
	if ((flags & FORMAT_MESSAGE_FROM_SYSTEM) == 0 || (flags & (FORMAT_MESSAGE_FROM_STRING | FORMAT_MESSAGE_FROM_HMODULE)) != 0) {
		st_fail(function, (flags & (FORMAT_MESSAGE_FROM_STRING | FORMAT_MESSAGE_FROM_HMODULE)) != 0 ? ERROR_CALL_NOT_IMPLEMENTED : ERROR_INVALID_PARAMETER);
		return 0;
	}
	words = st_text_of(code);
	if (words == NULL) {
		st_fail(function, 317); /* ERROR_MR_MID_NOT_FOUND */
		return 0;
	}
	snprintf(room, size, "%s\r\n", words);
	*text = room;
	return (DWORD)strlen(room);
}

ST_EXPORT DWORD FormatMessageA(DWORD flags, LPCVOID source, DWORD code, DWORD lang, LPSTR out, DWORD room, va_list *args)
{
	char text[300];
	const char *t;
	DWORD n;
	(void)source, (void)lang, (void)args;
	if (out == NULL)
		return (DWORD)st_fail("FormatMessage", ERROR_INVALID_PARAMETER);
	n = format("FormatMessage", flags, code, &t, text, sizeof text);
	if (n == 0)
		return 0;
	if (flags & FORMAT_MESSAGE_ALLOCATE_BUFFER) {
		char *p = LocalAlloc(LMEM_FIXED, room > n + 1 ? room : n + 1);
		if (p == NULL)
			return 0;
		memcpy(p, t, n + 1);
		memcpy(out, &p, sizeof p);
		return n;
	}
	if (room < n + 1)
		return (DWORD)st_fail("FormatMessage", ERROR_INSUFFICIENT_BUFFER);
	memcpy(out, t, n + 1);
	return n;
}

ST_EXPORT DWORD FormatMessageW(DWORD flags, LPCVOID source, DWORD code, DWORD lang, LPWSTR out, DWORD room, va_list *args)
{
	char text[300];
	const char *t;
	DWORD n;
	(void)source, (void)lang, (void)args;
	if (out == NULL)
		return (DWORD)st_fail("FormatMessage", ERROR_INVALID_PARAMETER);
	n = format("FormatMessage", flags, code, &t, text, sizeof text);
	if (n == 0)
		return 0;
	if (flags & FORMAT_MESSAGE_ALLOCATE_BUFFER) {
		size_t units = room > n + 1 ? room : n + 1;
		WCHAR *p = LocalAlloc(LMEM_FIXED, units * sizeof *p);
		if (p == NULL)
			return 0;
		n = (DWORD)st_to_wide(t, n + 1, p, units) - 1;
		memcpy(out, &p, sizeof p);
		return n;
	}
	if (room < st_to_wide(t, n + 1, NULL, 0))
		return (DWORD)st_fail("FormatMessage", ERROR_INSUFFICIENT_BUFFER);
	return (DWORD)st_to_wide(t, n + 1, out, room) - 1;
}

/* Modules (ABI-22): the names of Windows' libraries all mean this one. */
static char self;

static int ours(const char *name)
{
	static const char *const libraries[] = {"kernel32", "kernelbase", "ntdll", "user32", "gdi32", "advapi32", "sechost", "wtsapi32", "userenv", "secur32"};
	size_t i, k, n = strlen(name);
	if (n > 4 && strcasecmp(name + n - 4, ".dll") == 0)
		n -= 4;
	for (i = 0; i < sizeof libraries / sizeof *libraries; i++) {
		k = strlen(libraries[i]);
		if (k == n && strncasecmp(libraries[i], name, n) == 0)
			return 1;
	}
	return 0;
}

static HMODULE program(void)
{
	static char marker;
	return (HMODULE)(void *)&marker;
}

ST_EXPORT HMODULE GetModuleHandleA(LPCSTR name)
{
	if (name == NULL)
		return program();
	if (ours(name))
		return (HMODULE)(void *)&self;
	st_fail("GetModuleHandle", 126); /* ERROR_MOD_NOT_FOUND */
	return NULL;
}

ST_EXPORT HMODULE LoadLibraryA(LPCSTR name)
{
	void *p;
	if (name == NULL) {
		st_fail("LoadLibrary", ERROR_INVALID_PARAMETER);
		return NULL;
	}
	if (ours(name))
		return (HMODULE)(void *)&self;
	p = dlopen(name, RTLD_NOW | RTLD_LOCAL);
	if (p == NULL)
		st_fail("LoadLibrary", 126);
	return p;
}

#define WIDE_NAME(F) \
	ST_EXPORT HMODULE F##W(LPCWSTR name) \
	{ \
		struct st_arg a; \
		HMODULE m; \
		uint32_t code = st_arg_w(&a, name); \
		if (code != 0) { \
			st_fail(#F, code); \
			return NULL; \
		} \
		m = F##A(a.s.p); \
		st_arg_free(&a); \
		return m; \
	}
WIDE_NAME(GetModuleHandle)
WIDE_NAME(LoadLibrary)

ST_EXPORT BOOL FreeLibrary(HMODULE m)
{
	if (m == NULL)
		return st_fail("FreeLibrary", ERROR_INVALID_HANDLE);
	if ((void *)m == (void *)&self || m == program())
		return TRUE;
	return dlclose(m) == 0 ? TRUE : st_fail("FreeLibrary", ERROR_INVALID_HANDLE);
}

ST_EXPORT FARPROC GetProcAddress(HMODULE m, LPCSTR name)
{
	const struct st_name *n;
	void *p = NULL;
	if (m == NULL || name == NULL || (uintptr_t)name < 0x10000) {
		st_fail("GetProcAddress", ERROR_PROC_NOT_FOUND);
		return NULL;
	}
	if ((void *)m == (void *)&self) {
		if ((n = find(name)) != NULL)
			return n->address;
	} else
		p = dlsym(m == program() ? RTLD_DEFAULT : (void *)m, name);
	if (p == NULL) {
		FARPROC none = NULL;
		st_fail("GetProcAddress", ERROR_PROC_NOT_FOUND);
		return none;
	}
	{
		FARPROC f;
		memcpy(&f, &p, sizeof f);
		return f;
	}
}

ST_EXPORT ULONG RtlNtStatusToDosError(NTSTATUS s)
{
	static const struct { uint32_t status; ULONG code; } map[] = {
		{0x00000000, 0}, {0x00000102, WAIT_TIMEOUT}, {0x00000103, ERROR_IO_PENDING}, {0x40000000, ERROR_ALREADY_EXISTS},
		{0x80000005, ERROR_MORE_DATA}, {0xC0000001, ERROR_GEN_FAILURE}, {0xC0000002, ERROR_INVALID_FUNCTION},
		{0xC0000003, ERROR_INVALID_PARAMETER}, {0xC0000004, ERROR_BAD_LENGTH}, {0xC0000005, ERROR_NOACCESS},
		{0xC0000008, ERROR_INVALID_HANDLE}, {0xC000000D, ERROR_INVALID_PARAMETER}, {0xC0000017, ERROR_NOT_ENOUGH_MEMORY},
		{0xC0000022, ERROR_ACCESS_DENIED}, {0xC0000023, ERROR_INSUFFICIENT_BUFFER}, {0xC0000024, ERROR_INVALID_HANDLE},
		{0xC0000033, ERROR_INVALID_NAME}, {0xC0000034, ERROR_FILE_NOT_FOUND}, {0xC0000035, ERROR_ALREADY_EXISTS},
		{0xC000003A, ERROR_PATH_NOT_FOUND}, {0xC0000046, ERROR_NOT_OWNER}, {0xC0000047, ERROR_TOO_MANY_POSTS},
		{0xC0000061, ERROR_PRIVILEGE_NOT_HELD}, {0xC000006D, ERROR_LOGON_FAILURE}, {0xC000007C, ERROR_NO_TOKEN},
		{0xC000009A, 1450}, {0xC00000BB, ERROR_NOT_SUPPORTED}, {0xC0000235, ERROR_INVALID_HANDLE},
	};
	size_t i;
	for (i = 0; i < sizeof map / sizeof *map; i++)
		if (map[i].status == (uint32_t)s)
			return map[i].code;
	return 317;
}
