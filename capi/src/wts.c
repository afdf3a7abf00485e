/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions (docs/spec/sessions.md, part 3). Results are one block each, so that
 * WTSFreeMemory frees them whole. */
#include "internal.h"
#include <errno.h>
#include <sys/random.h>
#include <time.h>

/* local tells whether a server handle means this host (WTS-4); others are a
 * farm's, which is not there yet. */
static BOOL local(const char *op, HANDLE server)
{
	return server == WTS_CURRENT_SERVER_HANDLE ? TRUE : st_fail(op, RPC_S_SERVER_UNAVAILABLE);
}

static uint32_t current(uint32_t session)
{
	return session == WTS_CURRENT_SESSION ? station_current_session() : session;
}

static size_t units_a(struct st_str s) { return (size_t)s.n + 1; }
static size_t units_w(struct st_str s) { return (st_to_wide(s.p, s.n, NULL, 0) + 1) * sizeof(WCHAR); }

static char *put_a(char **at, struct st_str s)
{
	char *p = *at;
	memcpy(p, s.p, s.n);
	p[s.n] = 0;
	*at += s.n + 1;
	return p;
}

static WCHAR *put_w(char **at, struct st_str s)
{
	WCHAR *p = (WCHAR *)(void *)*at;
	size_t n = st_to_wide(s.p, s.n, NULL, 0);
	st_to_wide(s.p, s.n, p, n);
	p[n] = 0;
	*at += (n + 1) * sizeof *p;
	return p;
}

static struct st_str process_sid(struct st_str s, uint8_t *sid)
{
	struct st_str out = {(const char *)sid, 0};
	out.n = (uint32_t)st_sid_parse(s, sid);
	return out;
}

#define FORMS(F, L) \
	ST_EXPORT BOOL WTSEnumerateSessions##F(HANDLE server, DWORD reserved, DWORD version, PWTS_SESSION_INFO##F *out, LPDWORD count) \
	{ \
		static const char *const op = "WTSEnumerateSessions"; \
		struct api_SessionsReply v; \
		struct st_reply r; \
		uint32_t i; \
		size_t n; \
		char *block, *at; \
		if (reserved != 0 || version != 1 || out == NULL || count == NULL) \
			return st_fail(op, ERROR_INVALID_PARAMETER); \
		if (!local(op, server) || !st_result(api_WTSEnumerateSessions(&r, &v))) \
			return FALSE; \
		n = v.Sessions.n * sizeof **out; \
		for (i = 0; i < v.Sessions.n; i++) \
			n += units_##L(v.Sessions.v[i].Name); \
		if ((block = malloc(n + 1)) == NULL) { \
			st_free(&r); \
			return st_fail(op, ERROR_NOT_ENOUGH_MEMORY); \
		} \
		memset(block, 0, n); \
		*out = (void *)block; \
		*count = v.Sessions.n; \
		at = block + v.Sessions.n * sizeof **out; \
		for (i = 0; i < v.Sessions.n; i++) { \
			(*out)[i].SessionId = v.Sessions.v[i].ID; \
			(*out)[i].State = (WTS_CONNECTSTATE_CLASS)v.Sessions.v[i].State; \
			(*out)[i].pWinStationName = put_##L(&at, v.Sessions.v[i].Name); \
		} \
		st_free(&r); \
		return TRUE; \
	} \
	ST_EXPORT BOOL WTSEnumerateSessionsEx##F(HANDLE server, LPDWORD level, DWORD filter, PWTS_SESSION_INFO_1##F *out, LPDWORD count) \
	{ \
		static const char *const op = "WTSEnumerateSessionsEx"; \
		struct api_SessionsReply v; \
		struct st_reply r; \
		uint32_t i; \
		size_t n; \
		char *block, *at; \
		if (level == NULL || *level != 1 || filter != 0 || out == NULL || count == NULL) \
			return st_fail(op, ERROR_INVALID_PARAMETER); \
		if (!local(op, server) || !st_result(api_WTSEnumerateSessions(&r, &v))) \
			return FALSE; \
		n = v.Sessions.n * sizeof **out; \
		for (i = 0; i < v.Sessions.n; i++) \
			n += units_##L(v.Sessions.v[i].Name) + units_##L(v.Sessions.v[i].User) + units_##L(v.Sessions.v[i].Domain); \
		if ((block = calloc(1, n + 1)) == NULL) { \
			st_free(&r); \
			return st_fail(op, ERROR_NOT_ENOUGH_MEMORY); \
		} \
		*out = (void *)block; \
		*count = v.Sessions.n; \
		at = block + v.Sessions.n * sizeof **out; \
		for (i = 0; i < v.Sessions.n; i++) { \
			const struct api_Session *s = &v.Sessions.v[i]; \
			(*out)[i].ExecEnvId = (*out)[i].SessionId = s->ID; \
			(*out)[i].State = (WTS_CONNECTSTATE_CLASS)s->State; \
			(*out)[i].pSessionName = put_##L(&at, s->Name); \
			if (s->User.n != 0) { \
				(*out)[i].pUserName = put_##L(&at, s->User); \
				(*out)[i].pDomainName = put_##L(&at, s->Domain); \
			} \
		} \
		st_free(&r); \
		return TRUE; \
	} \
	ST_EXPORT BOOL WTSEnumerateProcesses##F(HANDLE server, DWORD reserved, DWORD version, PWTS_PROCESS_INFO##F *out, LPDWORD count) \
	{ \
		static const char *const op = "WTSEnumerateProcesses"; \
		struct api_SessionRequest q = {WTS_ANY_SESSION}; \
		struct api_ProcessesReply v; \
		struct st_reply r; \
		uint8_t sid[SECURITY_MAX_SID_SIZE]; \
		uint32_t i; \
		size_t n; \
		char *block, *at, *sids; \
		if (reserved != 0 || version != 1 || out == NULL || count == NULL) \
			return st_fail(op, ERROR_INVALID_PARAMETER); \
		if (!local(op, server) || !st_result(api_EnumProcesses(&r, &q, &v))) \
			return FALSE; \
		n = v.Processes.n * (sizeof **out + sizeof sid); \
		for (i = 0; i < v.Processes.n; i++) \
			n += units_##L(v.Processes.v[i].Name); \
		if ((block = calloc(1, n + 1)) == NULL) { \
			st_free(&r); \
			return st_fail(op, ERROR_NOT_ENOUGH_MEMORY); \
		} \
		*out = (void *)block; \
		*count = v.Processes.n; \
		sids = block + v.Processes.n * sizeof **out; \
		at = sids + v.Processes.n * sizeof sid; \
		for (i = 0; i < v.Processes.n; i++, sids += sizeof sid) { \
			const struct api_Process *p = &v.Processes.v[i]; \
			struct st_str s = process_sid(p->UserSID, sid); \
			(*out)[i].SessionId = p->SessionID; \
			(*out)[i].ProcessId = p->ProcessID; \
			if (s.n != 0) { \
				memcpy(sids, s.p, s.n); \
				(*out)[i].pUserSid = (void *)sids; \
			} \
			(*out)[i].pProcessName = put_##L(&at, p->Name); \
		} \
		st_free(&r); \
		st_last_error = 0; /* WTS-7 */ \
		return TRUE; \
	}
FORMS(A, a)
FORMS(W, w)

/* is_text tells the classes that give a text (WTS-10). */
static int is_text(WTS_INFO_CLASS c)
{
	return c <= WTSOEMId || c == WTSUserName || c == WTSWinStationName || c == WTSDomainName || c == WTSClientName || c == WTSClientDirectory;
}

static BOOL query(int ansi, HANDLE server, DWORD session, WTS_INFO_CLASS class, void **out, LPDWORD bytes)
{
	static const char *const op = "WTSQuerySessionInformation";
	struct api_SessionInformationRequest q;
	struct api_BytesReply v;
	struct st_reply r;
	uint32_t n = 0;
	void *p;
	if (out == NULL || bytes == NULL)
		return st_fail(op, ERROR_INVALID_USER_BUFFER); /* WTS-8 */
	if (!local(op, server))
		return FALSE;
	q.SessionID = current(session);
	q.Class = (uint32_t)class;
	if (!st_result(api_WTSQuerySessionInformation(&r, &q, &v)))
		return FALSE;
	if (ansi && (class == WTSSessionInfo || class == WTSSessionInfoEx || class == WTSClientInfo || class == WTSConfigInfo)) {
		WTSINFOW w;
		WTSINFOA *a;
		char *text;
		if (class != WTSSessionInfo || v.Data.n < sizeof w) {
			st_free(&r);
			return st_fail(op, ERROR_CALL_NOT_IMPLEMENTED); /* the W forms have them */
		}
		memcpy(&w, v.Data.p, sizeof w);
		st_free(&r);
		if ((a = calloc(1, sizeof *a)) == NULL)
			return st_fail(op, ERROR_NOT_ENOUGH_MEMORY);
		memcpy(a, &w, offsetof(WTSINFOW, WinStationName));
#define COPY(FIELD) \
		if ((text = st_from_wide(w.FIELD, st_wide_length(w.FIELD), &n)) != NULL) { \
			memcpy(a->FIELD, text, n < sizeof a->FIELD ? n : sizeof a->FIELD - 1); \
			free(text); \
		}
		COPY(WinStationName)
		COPY(Domain)
		COPY(UserName)
		a->ConnectTime = w.ConnectTime;
		a->DisconnectTime = w.DisconnectTime;
		a->LastInputTime = w.LastInputTime;
		a->LogonTime = w.LogonTime;
		a->CurrentTime = w.CurrentTime;
		*out = a;
		*bytes = sizeof *a;
		return TRUE;
	}
	if (ansi && is_text(class) && v.Data.n >= 2) {
		WCHAR *w = malloc(v.Data.n);
		if (w != NULL)
			memcpy(w, v.Data.p, v.Data.n);
		p = w != NULL ? st_from_wide(w, v.Data.n / 2 - 1, &n) : NULL;
		free(w);
		n++;
	} else {
		n = v.Data.n;
		if ((p = malloc(n + 1)) != NULL)
			memcpy(p, v.Data.p, n);
	}
	st_free(&r);
	if (p == NULL)
		return st_fail(op, ERROR_NOT_ENOUGH_MEMORY);
	*out = p;
	*bytes = n;
	return TRUE;
}

ST_EXPORT BOOL WTSQuerySessionInformationA(HANDLE server, DWORD session, WTS_INFO_CLASS class, LPSTR *out, LPDWORD bytes)
{
	void *p = NULL;
	BOOL ok = query(1, server, session, class, out != NULL ? &p : NULL, bytes);
	if (ok)
		*out = p;
	return ok;
}

ST_EXPORT BOOL WTSQuerySessionInformationW(HANDLE server, DWORD session, WTS_INFO_CLASS class, LPWSTR *out, LPDWORD bytes)
{
	void *p = NULL;
	BOOL ok = query(0, server, session, class, out != NULL ? &p : NULL, bytes);
	if (ok)
		*out = p;
	return ok;
}

ST_EXPORT void WTSFreeMemory(PVOID p) { free(p); }

static BOOL free_typed(WTS_TYPE_CLASS class, void *p)
{
	if ((int)class < 0 || class > WTSTypeSessionInfoLevel1)
		return st_fail("WTSFreeMemoryEx", ERROR_INVALID_PARAMETER);
	free(p);
	return TRUE;
}

ST_EXPORT BOOL WTSFreeMemoryExA(WTS_TYPE_CLASS class, PVOID p, ULONG n) { (void)n; return free_typed(class, p); }
ST_EXPORT BOOL WTSFreeMemoryExW(WTS_TYPE_CLASS class, PVOID p, ULONG n) { (void)n; return free_typed(class, p); }
ST_EXPORT void WTSCloseServer(HANDLE h) { (void)h; }

ST_EXPORT BOOL WTSQueryUserToken(ULONG session, PHANDLE out)
{
	struct api_SessionRequest q;
	struct api_HandleReply v;
	struct st_reply r;
	if (out == NULL)
		return st_fail("WTSQueryUserToken", ERROR_INVALID_PARAMETER);
	*out = NULL; /* WTS-21 */
	q.SessionID = session;
	if (!st_result(api_WTSQueryUserToken(&r, &q, &v)))
		return FALSE;
	st_free(&r);
	*out = st_pointer(v.Handle);
	return TRUE;
}

/* send asks; while it waits the daemon may be replaced: the box has a key and
 * the same question attaches to it again, for 30 seconds. */
static BOOL send(HANDLE server, DWORD session, struct st_str title, struct st_str text, DWORD style, DWORD seconds, LPDWORD response, BOOL wait)
{
	static const char *const op = "WTSSendMessage";
	struct api_SendMessageRequest q;
	struct api_SendMessageReply v;
	struct st_reply r;
	unsigned char box[16];
	uint32_t code;
	int tries;
	if (response == NULL)
		return st_fail(op, ERROR_INVALID_PARAMETER);
	if (!local(op, server))
		return FALSE;
	if (getrandom(box, sizeof box, 0) != (ssize_t)sizeof box)
		return st_fail(op, ERROR_GEN_FAILURE);
	q.SessionID = current(session);
	q.Title = title;
	q.Text = text;
	q.Style = style;
	q.Seconds = seconds;
	q.Wait = wait != 0;
	q.Key.p = (const char *)box;
	q.Key.n = sizeof box;
	code = api_WTSSendMessage(&r, &q, &v);
	for (tries = 0; code == RPC_S_SERVER_UNAVAILABLE && wait && tries < 300 && q.SessionID != WTS_CURRENT_SESSION; tries++) {
		struct timespec t = {0, 100000000};
		nanosleep(&t, NULL);
		code = api_WTSSendMessage(&r, &q, &v);
	}
	if (!st_result(code))
		return FALSE;
	st_free(&r);
	*response = v.Response;
	return TRUE;
}

static struct st_str part(const char *p, DWORD n)
{
	struct st_str s = {p != NULL ? p : "", 0};
	s.n = p != NULL ? n : 0;
	return s;
}

ST_EXPORT BOOL WTSSendMessageA(HANDLE server, DWORD session, LPSTR title, DWORD titleBytes, LPSTR text, DWORD textBytes, DWORD style, DWORD seconds, LPDWORD response, BOOL wait)
{
	if (titleBytes > 65536 || textBytes > 65536)
		return st_fail("WTSSendMessage", ERROR_INVALID_PARAMETER);
	if (!st_valid_utf8(title, title != NULL ? titleBytes : 0) || !st_valid_utf8(text, text != NULL ? textBytes : 0))
		return st_fail("WTSSendMessage", ERROR_NO_UNICODE_TRANSLATION);
	return send(server, session, part(title, titleBytes), part(text, textBytes), style, seconds, response, wait);
}

ST_EXPORT BOOL WTSSendMessageW(HANDLE server, DWORD session, LPWSTR title, DWORD titleBytes, LPWSTR text, DWORD textBytes, DWORD style, DWORD seconds, LPDWORD response, BOOL wait)
{
	uint32_t tn = 0, n = 0;
	char *t, *m;
	BOOL ok;
	if (titleBytes % 2 != 0 || textBytes % 2 != 0 || titleBytes > 65536 || textBytes > 65536)
		return st_fail("WTSSendMessage", ERROR_INVALID_PARAMETER); /* WTS-30 */
	t = st_from_wide(title, title != NULL ? titleBytes / 2 : 0, &tn);
	m = st_from_wide(text, text != NULL ? textBytes / 2 : 0, &n);
	ok = t != NULL && m != NULL ? send(server, session, part(t, tn), part(m, n), style, seconds, response, wait)
		: st_fail("WTSSendMessage", ERROR_NOT_ENOUGH_MEMORY);
	free(t);
	free(m);
	return ok;
}

typedef uint32_t (*on_session)(struct st_reply *, const struct api_SessionWaitRequest *);

static BOOL session_call(const char *op, on_session call, HANDLE server, DWORD session, BOOL wait)
{
	struct api_SessionWaitRequest q;
	struct st_reply r;
	if (!local(op, server))
		return FALSE;
	q.SessionID = current(session);
	q.Wait = wait != 0;
	if (!st_result(call(&r, &q)))
		return FALSE;
	st_free(&r);
	return TRUE;
}

ST_EXPORT BOOL WTSLogoffSession(HANDLE server, DWORD session, BOOL wait) { return session_call("WTSLogoffSession", api_WTSLogoffSession, server, session, wait); }
ST_EXPORT BOOL WTSDisconnectSession(HANDLE server, DWORD session, BOOL wait) { return session_call("WTSDisconnectSession", api_WTSDisconnectSession, server, session, wait); }

static BOOL connect_session(uint32_t bad, struct st_arg *password, ULONG session, ULONG target)
{
	struct api_ConnectSessionRequest q;
	struct st_reply r;
	BOOL ok = FALSE;
	if (bad == 0 && password->s.p == NULL)
		bad = ERROR_INVALID_PARAMETER; /* WTS-39c */
	if (bad != 0)
		st_fail("WTSConnectSession", bad);
	else {
		q.SessionID = session;
		q.Target = target;
		q.Password = password->s;
		if ((ok = st_result(api_WTSConnectSession(&r, &q))))
			st_free(&r);
	}
	if (password->own != NULL)
		explicit_bzero(password->own, password->s.n);
	st_arg_free(password);
	return ok;
}

ST_EXPORT BOOL WTSConnectSessionA(ULONG session, ULONG target, LPSTR password, BOOL wait)
{
	struct st_arg a;
	uint32_t bad = st_arg_a(&a, password);
	(void)wait; /* it is done when the call returns */
	return connect_session(bad, &a, session, target);
}

ST_EXPORT BOOL WTSConnectSessionW(ULONG session, ULONG target, LPWSTR password, BOOL wait)
{
	struct st_arg a;
	uint32_t bad = st_arg_w(&a, password);
	(void)wait;
	return connect_session(bad, &a, session, target);
}

ST_EXPORT BOOL WTSTerminateProcess(HANDLE server, DWORD pid, DWORD code)
{
	HANDLE h;
	BOOL ok;
	DWORD why;
	if (!local("WTSTerminateProcess", server))
		return FALSE;
	if ((h = OpenProcess(PROCESS_TERMINATE, FALSE, pid)) == NULL)
		return FALSE;
	ok = TerminateProcess(h, code);
	why = st_last_error;
	CloseHandle(h);
	st_last_error = why;
	return ok;
}

ST_EXPORT DWORD WTSGetActiveConsoleSessionId(void)
{
	struct api_SessionRequest v;
	struct st_reply r;
	if (api_GetActiveConsoleSession(&r, &v) != 0)
		return 0xFFFFFFFFu;
	st_free(&r);
	return v.SessionID;
}

ST_EXPORT BOOL ProcessIdToSessionId(DWORD pid, LPDWORD session)
{
	struct api_SessionRequest q = {WTS_ANY_SESSION};
	struct api_ProcessesReply v;
	struct st_hello h;
	struct st_reply r;
	uint32_t i;
	if (session == NULL)
		return st_fail("ProcessIdToSessionId", ERROR_INVALID_PARAMETER);
	if (st_identity(&h) == 0 && h.process == pid) {
		*session = h.session;
		return TRUE;
	}
	if (!st_result(api_EnumProcesses(&r, &q, &v)))
		return FALSE;
	for (i = 0; i < v.Processes.n; i++)
		if (v.Processes.v[i].ProcessID == pid) {
			*session = v.Processes.v[i].SessionID;
			st_free(&r);
			return TRUE;
		}
	st_free(&r);
	return st_fail("ProcessIdToSessionId", ERROR_INVALID_PARAMETER);
}

ST_EXPORT BOOL LockWorkStation(void)
{
	struct api_SessionRequest q = {WTS_CURRENT_SESSION};
	struct st_reply r;
	if (!st_result(api_LockSession(&r, &q)))
		return FALSE;
	st_free(&r);
	return TRUE;
}
