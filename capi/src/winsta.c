/* SPDX-License-Identifier: Apache-2.0 */
/* Window stations, desktops and what both share (docs/spec/winsta.md). */
#include "internal.h"

/* FORMS defines the A and W form of a function whose text arguments were
 * already taken by name##_core. */
#define ARGS1(F, CH, s1) \
	struct st_arg n; \
	uint32_t bad = st_arg_##F(&n, s1)

static HWINSTA create_station(uint32_t bad, struct st_arg *n, DWORD flags, ACCESS_MASK access, const SECURITY_ATTRIBUTES *sa)
{
	struct api_CreateWindowStationRequest q;
	struct api_OpenedReply v;
	struct st_reply r;
	char *own = NULL;
	HWINSTA h = NULL;
	memset(&q, 0, sizeof q);
	if (bad == 0)
		bad = st_sa(sa, &q.Descriptor, &own);
	if (bad != 0)
		st_fail("CreateWindowStation", bad);
	else {
		q.Name = n->s;
		q.Flags = flags;
		q.Access = access;
		q.Inherit = st_inherit(sa);
		if (st_result(api_CreateWindowStation(&r, &q, &v))) {
			h = st_pointer(v.Handle);
			if (!v.Existed)
				st_last_error = 0; /* WS-23 */
			st_free(&r);
		}
	}
	free(own);
	st_arg_free(n);
	return h;
}

static HWINSTA open_station(uint32_t bad, struct st_arg *n, BOOL inherit, ACCESS_MASK access)
{
	struct api_OpenRequest q;
	struct api_HandleReply v;
	struct st_reply r;
	HWINSTA h = NULL;
	if (bad != 0)
		st_fail("OpenWindowStation", bad);
	else {
		memset(&q, 0, sizeof q);
		q.Name = n->s;
		q.Inherit = inherit != 0;
		q.Access = access;
		if (st_result(api_OpenWindowStation(&r, &q, &v))) {
			h = st_pointer(v.Handle);
			st_free(&r);
		}
	}
	st_arg_free(n);
	return h;
}

static HDESK create_desktop(uint32_t bad, struct st_arg *n, const void *device, const void *mode, DWORD flags, ACCESS_MASK access,
	const SECURITY_ATTRIBUTES *sa, ULONG heap, const void *reserved)
{
	struct api_CreateDesktopRequest q;
	struct api_OpenedReply v;
	struct st_reply r;
	char *own = NULL;
	HDESK h = NULL;
	memset(&q, 0, sizeof q);
	if (bad == 0 && (device != NULL || mode != NULL || reserved != NULL))
		bad = ERROR_INVALID_PARAMETER; /* DT-14 */
	if (bad == 0)
		bad = st_sa(sa, &q.Descriptor, &own);
	if (bad != 0)
		st_fail("CreateDesktop", bad);
	else {
		q.Name = n->s;
		q.Flags = flags;
		q.Access = access;
		q.HeapKB = heap;
		q.Inherit = st_inherit(sa);
		if (st_result(api_CreateDesktop(&r, &q, &v))) {
			h = st_pointer(v.Handle);
			st_free(&r);
		}
	}
	free(own);
	st_arg_free(n);
	return h;
}

static HDESK open_desktop(uint32_t bad, struct st_arg *n, DWORD flags, BOOL inherit, ACCESS_MASK access)
{
	struct api_OpenDesktopRequest q;
	struct api_HandleReply v;
	struct st_reply r;
	HDESK h = NULL;
	if (bad != 0)
		st_fail("OpenDesktop", bad);
	else {
		memset(&q, 0, sizeof q);
		q.Name = n->s;
		q.Flags = flags;
		q.Inherit = inherit != 0;
		q.Access = access;
		if (st_result(api_OpenDesktop(&r, &q, &v))) {
			h = st_pointer(v.Handle);
			st_free(&r);
		}
	}
	st_arg_free(n);
	return h;
}

#define FORMS(F, L, STR) \
	ST_EXPORT HWINSTA CreateWindowStation##F(STR name, DWORD flags, ACCESS_MASK access, LPSECURITY_ATTRIBUTES sa) \
	{ ARGS1(L, F, name); return create_station(bad, &n, flags, access, sa); } \
	ST_EXPORT HWINSTA OpenWindowStation##F(STR name, BOOL inherit, ACCESS_MASK access) \
	{ ARGS1(L, F, name); return open_station(bad, &n, inherit, access); } \
	ST_EXPORT HDESK CreateDesktop##F(STR name, STR device, LPDEVMODE##F mode, DWORD flags, ACCESS_MASK access, LPSECURITY_ATTRIBUTES sa) \
	{ ARGS1(L, F, name); return create_desktop(bad, &n, device, mode, flags, access, sa, 0, NULL); } \
	ST_EXPORT HDESK CreateDesktopEx##F(STR name, STR device, LPDEVMODE##F mode, DWORD flags, ACCESS_MASK access, LPSECURITY_ATTRIBUTES sa, ULONG heap, PVOID reserved) \
	{ ARGS1(L, F, name); return create_desktop(bad, &n, device, mode, flags, access, sa, heap, reserved); } \
	ST_EXPORT HDESK OpenDesktop##F(STR name, DWORD flags, BOOL inherit, ACCESS_MASK access) \
	{ ARGS1(L, F, name); return open_desktop(bad, &n, flags, inherit, access); }
FORMS(A, a, LPCSTR)
FORMS(W, w, LPCWSTR)

/* Calls with one handle and no answer. */
#define ON_HANDLE(NAME, TYPE, CALL) \
	ST_EXPORT BOOL NAME(TYPE h) \
	{ \
		struct api_HandleRequest q; \
		struct st_reply r; \
		q.Handle = st_handle(h); \
		if (!st_result(CALL(&r, &q))) \
			return FALSE; \
		st_free(&r); \
		return TRUE; \
	}
ON_HANDLE(CloseWindowStation, HWINSTA, api_CloseWindowStation)
ON_HANDLE(SetProcessWindowStation, HWINSTA, api_SetProcessWindowStation)
ON_HANDLE(CloseDesktop, HDESK, api_CloseDesktop)
ON_HANDLE(SetThreadDesktop, HDESK, api_SetThreadDesktop)
ON_HANDLE(SwitchDesktop, HDESK, api_SwitchDesktop)

ST_EXPORT HWINSTA GetProcessWindowStation(void)
{
	struct api_HandleReply v;
	struct st_reply r;
	if (!st_result(api_GetProcessWindowStation(&r, &v)))
		return NULL;
	st_free(&r);
	return st_pointer(v.Handle);
}

ST_EXPORT HDESK GetThreadDesktop(DWORD thread)
{
	struct api_ThreadRequest q;
	struct api_HandleReply v;
	struct st_reply r;
	q.ThreadID = thread;
	if (!st_result(api_GetThreadDesktop(&r, &q, &v)))
		return NULL;
	st_free(&r);
	return st_pointer(v.Handle);
}

ST_EXPORT HDESK OpenInputDesktop(DWORD flags, BOOL inherit, ACCESS_MASK access)
{
	struct api_OpenDesktopRequest q;
	struct api_HandleReply v;
	struct st_reply r;
	memset(&q, 0, sizeof q);
	q.Flags = flags;
	q.Inherit = inherit != 0;
	q.Access = access;
	if (!st_result(api_OpenInputDesktop(&r, &q, &v)))
		return NULL;
	st_free(&r);
	return st_pointer(v.Handle);
}

ST_EXPORT BOOL IsGUIThread(BOOL convert)
{
	struct st_reply r;
	(void)convert; /* a thread of ours becomes one by its first call, so both ask the same */
	if (!st_result(api_IsGUIThread(&r)))
		return FALSE;
	st_free(&r);
	return TRUE;
}

/* Enumerations work on a snapshot and give the callback's last value (ABI-53,
 * WS-31); the callback may call anything, so the last error is the callback's. */
typedef BOOL (*each)(void *callback, char *name, WCHAR *wide, LPARAM l);
static BOOL each_a(void *f, char *name, WCHAR *wide, LPARAM l)
{
	WINSTAENUMPROCA g;
	(void)wide;
	memcpy(&g, f, sizeof g);
	return g(name, l);
}
static BOOL each_w(void *f, char *name, WCHAR *wide, LPARAM l)
{
	WINSTAENUMPROCW g;
	(void)name;
	memcpy(&g, f, sizeof g);
	return g(wide, l);
}

static BOOL walk(const char *function, const struct st_strs *names, each call, void *callback, LPARAM l)
{
	BOOL last = TRUE;
	uint32_t i;
	if (names->n == 0)
		return st_fail(function, ERROR_FILE_NOT_FOUND);
	for (i = 0; i < names->n && last; i++) {
		struct st_str s = names->v[i];
		size_t units = st_to_wide(s.p, s.n, NULL, 0);
		char *name = malloc(s.n + 1);
		WCHAR *wide = malloc((units + 1) * sizeof *wide);
		if (name == NULL || wide == NULL) {
			free(name);
			free(wide);
			return st_fail(function, ERROR_NOT_ENOUGH_MEMORY);
		}
		memcpy(name, s.p, s.n);
		name[s.n] = 0;
		st_to_wide(s.p, s.n, wide, units);
		wide[units] = 0;
		last = call(callback, name, wide, l);
		free(name);
		free(wide);
	}
	return last;
}

static BOOL enum_stations(each call, void *callback, int none, LPARAM l)
{
	struct api_NamesReply v;
	struct st_reply r;
	BOOL last;
	if (none)
		return st_fail("EnumWindowStations", ERROR_INVALID_PARAMETER); /* WS-32 */
	if (!st_result(api_EnumWindowStations(&r, &v)))
		return FALSE;
	last = walk("EnumWindowStations", &v.Names, call, callback, l);
	st_free(&r);
	return last;
}

static BOOL enum_desktops(HWINSTA h, each call, void *callback, int none, LPARAM l)
{
	struct api_HandleRequest q;
	struct api_NamesReply v;
	struct st_reply r;
	BOOL last;
	if (none)
		return st_fail("EnumDesktops", ERROR_INVALID_PARAMETER);
	q.Handle = st_handle(h);
	if (!st_result(api_EnumDesktops(&r, &q, &v)))
		return FALSE;
	last = walk("EnumDesktops", &v.Names, call, callback, l);
	st_free(&r);
	return last;
}

ST_EXPORT BOOL EnumWindowStationsA(WINSTAENUMPROCA f, LPARAM l) { return enum_stations(each_a, &f, f == NULL, l); }
ST_EXPORT BOOL EnumWindowStationsW(WINSTAENUMPROCW f, LPARAM l) { return enum_stations(each_w, &f, f == NULL, l); }
ST_EXPORT BOOL EnumDesktopsA(HWINSTA h, DESKTOPENUMPROCA f, LPARAM l) { return enum_desktops(h, each_a, &f, f == NULL, l); }
ST_EXPORT BOOL EnumDesktopsW(HWINSTA h, DESKTOPENUMPROCW f, LPARAM l) { return enum_desktops(h, each_w, &f, f == NULL, l); }

/* GetUserObjectInformation: the order of the checks is UO-10, the sizes of
 * the A form UO-9. */
static BOOL information(int ansi, HANDLE h, int index, void *out, DWORD len, LPDWORD needed)
{
	static const char *const op = "GetUserObjectInformation";
	int text = index == UOI_NAME || index == UOI_TYPE;
	struct api_IndexRequest q;
	struct api_BytesReply v;
	struct st_reply r;
	DWORD dummy;
	BOOL ok = TRUE;
	if (out == NULL && len != 0 && !(ansi && text))
		return st_fail(op, ERROR_NOACCESS);
	if (needed == NULL)
		needed = &dummy;
	q.Handle = st_handle(h);
	q.Index = (uint32_t)index;
	if (!st_result(api_GetUserObjectInformation(&r, &q, &v))) {
		*needed = 0;
		return FALSE;
	}
	if (ansi && text) {
		WCHAR wide[260];
		size_t units = v.Data.n / 2 < 260 ? v.Data.n / 2 : 260;
		uint32_t n = 0;
		char *name;
		memcpy(wide, v.Data.p, units * 2);
		if (units > 0 && wide[units - 1] == 0)
			units--;
		name = st_from_wide(wide, units, &n);
		if (name == NULL)
			ok = st_fail(op, ERROR_NOT_ENOUGH_MEMORY);
		else if (len < n + 1) {
			*needed = (DWORD)(2 * (units + 1)); /* the Unicode size (UO-9) */
			ok = st_fail(op, ERROR_INSUFFICIENT_BUFFER);
		} else if (out == NULL)
			ok = st_fail(op, ERROR_NOACCESS);
		else {
			memcpy(out, name, n + 1);
			*needed = n + 1;
		}
		free(name);
	} else {
		*needed = v.Data.n;
		if (len < v.Data.n)
			ok = st_fail(op, ERROR_INSUFFICIENT_BUFFER);
		else if (v.Data.n != 0)
			memcpy(out, v.Data.p, v.Data.n);
	}
	st_free(&r);
	return ok;
}

ST_EXPORT BOOL GetUserObjectInformationA(HANDLE h, int index, PVOID out, DWORD len, LPDWORD needed) { return information(1, h, index, out, len, needed); }
ST_EXPORT BOOL GetUserObjectInformationW(HANDLE h, int index, PVOID out, DWORD len, LPDWORD needed) { return information(0, h, index, out, len, needed); }

static BOOL set_information(HANDLE h, int index, const void *info, DWORD len)
{
	struct api_SetIndexRequest q;
	struct st_reply r;
	if (info == NULL && len != 0)
		return st_fail("SetUserObjectInformation", ERROR_NOACCESS);
	q.Handle = st_handle(h);
	q.Index = (uint32_t)index;
	q.Data.p = info;
	q.Data.n = len < 64 ? len : 64; /* no class takes more */
	if (!st_result(api_SetUserObjectInformation(&r, &q)))
		return FALSE;
	st_free(&r);
	return TRUE;
}

ST_EXPORT BOOL SetUserObjectInformationA(HANDLE h, int index, PVOID info, DWORD len) { return set_information(h, index, info, len); }
ST_EXPORT BOOL SetUserObjectInformationW(HANDLE h, int index, PVOID info, DWORD len) { return set_information(h, index, info, len); }

typedef uint32_t (*get_sd)(struct st_reply *, const struct api_SecurityRequest *, struct api_BytesReply *);
typedef uint32_t (*set_sd)(struct st_reply *, const struct api_SetSecurityRequest *);

static BOOL security_get(const char *op, get_sd call, HANDLE h, SECURITY_INFORMATION parts, PSECURITY_DESCRIPTOR sd, DWORD len, LPDWORD needed)
{
	struct api_SecurityRequest q;
	struct api_BytesReply v;
	struct st_reply r;
	BOOL ok = TRUE;
	q.Handle = st_handle(h);
	q.Parts = parts;
	if (!st_result(call(&r, &q, &v)))
		return FALSE;
	*needed = v.Data.n;
	if (len < v.Data.n)
		ok = st_fail(op, ERROR_INSUFFICIENT_BUFFER);
	else if (sd == NULL)
		ok = st_fail(op, ERROR_NOACCESS);
	else
		memcpy(sd, v.Data.p, v.Data.n);
	st_free(&r);
	return ok;
}

static BOOL security_set(const char *op, set_sd call, HANDLE h, SECURITY_INFORMATION parts, PSECURITY_DESCRIPTOR sd)
{
	struct api_SetSecurityRequest q;
	struct st_reply r;
	char *own = NULL;
	uint32_t code = sd == NULL ? ERROR_INVALID_PARAMETER : st_sd(sd, &q.Descriptor, &own);
	if (code != 0)
		return st_fail(op, code);
	q.Handle = st_handle(h);
	q.Parts = parts;
	code = call(&r, &q);
	free(own);
	if (!st_result(code))
		return FALSE;
	st_free(&r);
	return TRUE;
}

ST_EXPORT BOOL GetUserObjectSecurity(HANDLE h, PSECURITY_INFORMATION parts, PSECURITY_DESCRIPTOR sd, DWORD len, LPDWORD needed)
{
	if (parts == NULL || needed == NULL)
		return st_fail("GetUserObjectSecurity", ERROR_INVALID_PARAMETER);
	return security_get("GetUserObjectSecurity", api_GetUserObjectSecurity, h, *parts, sd, len, needed);
}

ST_EXPORT BOOL SetUserObjectSecurity(HANDLE h, PSECURITY_INFORMATION parts, PSECURITY_DESCRIPTOR sd)
{
	if (parts == NULL)
		return st_fail("SetUserObjectSecurity", ERROR_INVALID_PARAMETER);
	return security_set("SetUserObjectSecurity", api_SetUserObjectSecurity, h, *parts, sd);
}

ST_EXPORT BOOL GetKernelObjectSecurity(HANDLE h, SECURITY_INFORMATION parts, PSECURITY_DESCRIPTOR sd, DWORD len, LPDWORD needed)
{
	if (needed == NULL)
		return st_fail("GetKernelObjectSecurity", ERROR_INVALID_PARAMETER);
	return security_get("GetKernelObjectSecurity", api_GetKernelObjectSecurity, h, parts, sd, len, needed);
}

ST_EXPORT BOOL SetKernelObjectSecurity(HANDLE h, SECURITY_INFORMATION parts, PSECURITY_DESCRIPTOR sd)
{
	return security_set("SetKernelObjectSecurity", api_SetKernelObjectSecurity, h, parts, sd);
}
