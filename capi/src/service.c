/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Services. ServiceMain runs on a thread of its own; the handler runs on the
 * dispatcher's, which asks the daemon for one control after the other (ABI-66,
 * SCM-20). A process runs one service (a shared process's second one is
 * another process here).
 *
 * mu guards what ServiceMain's side and the dispatcher's side share.
 */
#include "internal.h"
#include <errno.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

static SC_HANDLE opened(uint32_t code, struct st_reply *r, const struct api_HandleReply *v)
{
	if (!st_result(code))
		return NULL;
	st_free(r);
	return st_pointer(v->Handle);
}

static void fill(LPSERVICE_STATUS out, const struct api_ServiceStatus *s)
{
	out->dwServiceType = s->Type;
	out->dwCurrentState = s->State;
	out->dwControlsAccepted = s->Accepts;
	out->dwWin32ExitCode = s->Win32ExitCode;
	out->dwServiceSpecificExitCode = s->SpecificExitCode;
	out->dwCheckPoint = s->CheckPoint;
	out->dwWaitHint = s->WaitHint;
}

ST_EXPORT BOOL CloseServiceHandle(SC_HANDLE h)
{
	return CloseHandle(h);
}

ST_EXPORT BOOL DeleteService(SC_HANDLE h)
{
	struct api_HandleRequest q;
	struct st_reply r;
	q.Handle = st_handle(h);
	if (!st_result(api_DeleteService(&r, &q)))
		return FALSE;
	st_free(&r);
	return TRUE;
}

ST_EXPORT BOOL ControlService(SC_HANDLE h, DWORD control, LPSERVICE_STATUS out)
{
	struct api_ControlServiceRequest q;
	struct api_ServiceStatusReply v;
	struct api_HandleRequest q2;
	struct st_reply r;
	uint32_t code;
	if (out == NULL)
		return st_fail("ControlService", ERROR_INVALID_PARAMETER);
	q.Service = st_handle(h);
	q.Control = control;
	code = api_ControlService(&r, &q, &v);
	if (code == 0) {
		fill(out, &v.Status);
		st_free(&r);
		return TRUE;
	}
	/* SCM-19: these tell the status too. */
	if (code == ERROR_INVALID_SERVICE_CONTROL || code == ERROR_SERVICE_CANNOT_ACCEPT_CTRL || code == ERROR_SERVICE_NOT_ACTIVE || code == ERROR_DEPENDENT_SERVICES_RUNNING) {
		q2.Handle = st_handle(h);
		if (api_QueryServiceStatus(&r, &q2, &v) == 0) {
			fill(out, &v.Status);
			st_free(&r);
		}
	}
	return st_result(code);
}

static BOOL status(SC_HANDLE h, struct api_ServiceStatus *out)
{
	struct api_HandleRequest q;
	struct api_ServiceStatusReply v;
	struct st_reply r;
	q.Handle = st_handle(h);
	if (!st_result(api_QueryServiceStatus(&r, &q, &v)))
		return FALSE;
	*out = v.Status;
	st_free(&r);
	return TRUE;
}

ST_EXPORT BOOL QueryServiceStatus(SC_HANDLE h, LPSERVICE_STATUS out)
{
	struct api_ServiceStatus s;
	if (out == NULL)
		return st_fail("QueryServiceStatus", ERROR_INVALID_ADDRESS);
	if (!status(h, &s))
		return FALSE;
	fill(out, &s);
	return TRUE;
}

ST_EXPORT BOOL QueryServiceStatusEx(SC_HANDLE h, SC_STATUS_TYPE level, LPBYTE buffer, DWORD len, LPDWORD needed)
{
	struct api_ServiceStatus s;
	SERVICE_STATUS_PROCESS p;
	SERVICE_STATUS plain;
	if (level != SC_STATUS_PROCESS_INFO)
		return st_fail("QueryServiceStatusEx", 124); /* ERROR_INVALID_LEVEL */
	if (needed == NULL || (buffer == NULL && len != 0))
		return st_fail("QueryServiceStatusEx", ERROR_INVALID_ADDRESS);
	*needed = sizeof p;
	if (len < sizeof p)
		return st_fail("QueryServiceStatusEx", ERROR_INSUFFICIENT_BUFFER);
	if (!status(h, &s))
		return FALSE;
	fill(&plain, &s);
	memset(&p, 0, sizeof p);
	memcpy(&p, &plain, sizeof plain);
	p.dwProcessId = s.ProcessID;
	memcpy(buffer, &p, sizeof p);
	return TRUE;
}

/* list makes texts of an array or of a block of NUL-ended ones. */
struct list { struct st_str *v; struct st_arg *args; uint32_t n; };

static void list_free(struct list *l)
{
	uint32_t i;
	for (i = 0; i < l->n; i++)
		st_arg_free(&l->args[i]);
	free(l->v);
	free(l->args);
}

static uint32_t list_add(struct list *l, uint32_t bad, struct st_arg a)
{
	struct st_str *v = realloc(l->v, (l->n + 1) * sizeof *v);
	struct st_arg *args;
	if (v != NULL)
		l->v = v;
	args = v != NULL ? realloc(l->args, (l->n + 1) * sizeof *args) : NULL;
	if (args == NULL) {
		st_arg_free(&a);
		return ERROR_NOT_ENOUGH_MEMORY;
	}
	l->args = args;
	l->v[l->n] = a.s;
	l->args[l->n++] = a;
	return bad;
}

static size_t units_a(struct st_str s) { return (size_t)s.n + 1; }
static size_t units_w(struct st_str s) { return st_to_wide(s.p, s.n, NULL, 0) + 1; }
static void put_a(char *out, struct st_str s)
{
	memcpy(out, s.p, s.n);
	out[s.n] = 0;
}
static void put_w(WCHAR *out, struct st_str s)
{
	size_t n = st_to_wide(s.p, s.n, NULL, 0);
	st_to_wide(s.p, s.n, out, n);
	out[n] = 0;
}
static size_t length_a(const char *s) { return strlen(s); }
static size_t length_w(const WCHAR *s) { return st_wide_length(s); }

#define FORMS(F, L, CH, STR) \
	ST_EXPORT SC_HANDLE OpenSCManager##F(STR machine, STR database, DWORD access) \
	{ \
		struct api_OpenSCManagerRequest q; \
		struct api_HandleReply v; \
		struct st_reply r; \
		struct st_arg a; \
		SC_HANDLE h = NULL; \
		uint32_t bad = st_arg_##L(&a, database); \
		if (bad == 0 && machine != NULL && *machine != 0) \
			bad = RPC_S_SERVER_UNAVAILABLE; \
		if (bad == 0) { \
			q.Database = a.s; \
			q.Access = access; \
			h = opened(api_OpenSCManager(&r, &q, &v), &r, &v); \
		} else \
			st_fail("OpenSCManager", bad); \
		st_arg_free(&a); \
		return h; \
	} \
	ST_EXPORT SC_HANDLE OpenService##F(SC_HANDLE m, STR name, DWORD access) \
	{ \
		struct api_OpenServiceRequest q; \
		struct api_HandleReply v; \
		struct st_reply r; \
		struct st_arg a; \
		SC_HANDLE h = NULL; \
		uint32_t bad = m == NULL ? ERROR_INVALID_HANDLE : name == NULL ? ERROR_INVALID_ADDRESS : 0; /* SCM-8 */ \
		uint32_t e = st_arg_##L(&a, name); \
		if (bad == 0) \
			bad = e; \
		if (bad == 0) { \
			q.Manager = st_handle(m); \
			q.Name = a.s; \
			q.Access = access; \
			h = opened(api_OpenService(&r, &q, &v), &r, &v); \
		} else \
			st_fail("OpenService", bad); \
		st_arg_free(&a); \
		return h; \
	} \
	ST_EXPORT SC_HANDLE CreateService##F(SC_HANDLE m, STR name, STR display, DWORD access, DWORD type, DWORD start, DWORD error, \
		STR binary, STR group, LPDWORD tag, STR depends, STR account, STR password) \
	{ \
		struct api_CreateServiceRequest q; \
		struct api_HandleReply v; \
		struct st_reply r; \
		struct st_arg a[5]; \
		struct list on = {NULL, NULL, 0}; \
		STR text[5]; \
		SC_HANDLE h = NULL; \
		uint32_t bad = m == NULL ? ERROR_INVALID_HANDLE : name == NULL || binary == NULL ? ERROR_INVALID_ADDRESS : 0, e; /* SCM-6 */ \
		int i; \
		text[0] = name; text[1] = display; text[2] = binary; text[3] = account; text[4] = password; \
		for (i = 0; i < 5; i++) \
			if ((e = st_arg_##L(&a[i], text[i])) != 0 && bad == 0) \
				bad = e; \
		if (bad == 0 && ((group != NULL && *group != 0) || tag != NULL)) \
			bad = ERROR_NOT_SUPPORTED; /* load-order groups */ \
		for (; bad == 0 && depends != NULL && *depends != 0; depends += length_##L(depends) + 1) { \
			struct st_arg d; \
			bad = st_arg_##L(&d, depends); \
			bad = list_add(&on, bad, d); \
		} \
		if (bad == 0) { \
			memset(&q, 0, sizeof q); \
			q.Manager = st_handle(m); \
			q.Name = a[0].s; \
			q.DisplayName = a[1].s; \
			q.Access = access; \
			q.Type = type; \
			q.StartType = start; \
			q.ErrorControl = error; \
			q.BinaryPath = a[2].s; \
			q.Account = a[3].s; \
			q.Password = a[4].s; \
			q.Depends.v = on.v; \
			q.Depends.n = on.n; \
			h = opened(api_CreateService(&r, &q, &v), &r, &v); \
		} else \
			st_fail("CreateService", bad); \
		list_free(&on); \
		for (i = 0; i < 5; i++) \
			st_arg_free(&a[i]); \
		return h; \
	} \
	ST_EXPORT BOOL StartService##F(SC_HANDLE s, DWORD n, STR *args) \
	{ \
		struct api_StartServiceRequest q; \
		struct st_reply r; \
		struct list l = {NULL, NULL, 0}; \
		uint32_t bad = n != 0 && args == NULL ? ERROR_INVALID_PARAMETER : 0; \
		DWORD i; \
		for (i = 0; bad == 0 && i < n; i++) { \
			struct st_arg a; \
			bad = st_arg_##L(&a, args[i]); \
			bad = list_add(&l, bad, a); \
		} \
		if (bad == 0) { \
			q.Service = st_handle(s); \
			q.Args.v = l.v; \
			q.Args.n = l.n; \
			bad = api_StartService(&r, &q); \
			if (bad == 0) \
				st_free(&r); \
			st_result(bad); \
		} else \
			st_fail("StartService", bad); \
		list_free(&l); \
		return bad == 0; \
	} \
	ST_EXPORT BOOL QueryServiceConfig##F(SC_HANDLE s, LPQUERY_SERVICE_CONFIG##F out, DWORD len, LPDWORD needed) \
	{ \
		struct api_HandleRequest q; \
		struct api_ServiceConfigReply v; \
		struct st_reply r; \
		size_t n, i; \
		CH *at; \
		if (needed == NULL) \
			return st_fail("QueryServiceConfig", ERROR_INVALID_ADDRESS); \
		q.Handle = st_handle(s); \
		if (!st_result(api_QueryServiceConfig(&r, &q, &v))) \
			return FALSE; \
		n = 1 + 1 + units_##L(v.Config.BinaryPath) + units_##L(v.Config.Account) + units_##L(v.Config.DisplayName); \
		for (i = 0; i < v.Config.Depends.n; i++) \
			n += units_##L(v.Config.Depends.v[i]); \
		n = sizeof *out + n * sizeof(CH); \
		*needed = (DWORD)n; \
		if (len < n || out == NULL) { \
			st_free(&r); \
			return st_fail("QueryServiceConfig", ERROR_INSUFFICIENT_BUFFER); \
		} \
		memset(out, 0, sizeof *out); \
		out->dwServiceType = v.Config.Type; \
		out->dwStartType = v.Config.StartType; \
		out->dwErrorControl = v.Config.ErrorControl; \
		at = (CH *)(void *)(out + 1); \
		put_##L(out->lpBinaryPathName = at, v.Config.BinaryPath); \
		at += units_##L(v.Config.BinaryPath); \
		put_##L(out->lpServiceStartName = at, v.Config.Account); \
		at += units_##L(v.Config.Account); \
		put_##L(out->lpDisplayName = at, v.Config.DisplayName); \
		at += units_##L(v.Config.DisplayName); \
		*(out->lpLoadOrderGroup = at++) = 0; \
		out->lpDependencies = at; \
		for (i = 0; i < v.Config.Depends.n; i++) { \
			put_##L(at, v.Config.Depends.v[i]); \
			at += units_##L(v.Config.Depends.v[i]); \
		} \
		*at = 0; \
		st_free(&r); \
		return TRUE; \
	} \
	ST_EXPORT BOOL EnumServicesStatusEx##F(SC_HANDLE m, SC_ENUM_TYPE level, DWORD type, DWORD state, LPBYTE buffer, DWORD len, \
		LPDWORD needed, LPDWORD count, LPDWORD resume, STR group) \
	{ \
		static const char *const op = "EnumServicesStatusEx"; \
		struct api_HandleRequest q; \
		struct api_ServicesReply v; \
		struct st_reply r; \
		ENUM_SERVICE_STATUS_PROCESS##F e; \
		size_t n = 0, rows = 0, i, row = 0; \
		CH *at; \
		if (level != SC_ENUM_PROCESS_INFO) \
			return st_fail(op, 124); \
		if (needed == NULL || count == NULL) \
			return st_fail(op, ERROR_INVALID_ADDRESS); \
		if (type == 0 || state == 0 || state > SERVICE_STATE_ALL || (group != NULL && *group != 0)) \
			return st_fail(op, ERROR_INVALID_PARAMETER); \
		q.Handle = st_handle(m); \
		if (!st_result(api_EnumServicesStatus(&r, &q, &v))) \
			return FALSE; \
		for (i = 0; i < v.Services.n; i++) { \
			struct api_Service *s = &v.Services.v[i]; \
			if ((s->Status.Type & type) == 0 || (state & (s->Status.State == SERVICE_STOPPED ? SERVICE_INACTIVE : SERVICE_ACTIVE)) == 0) { \
				s->Name.p = NULL; \
				continue; \
			} \
			rows++; \
			n += (units_##L(s->Name) + units_##L(s->DisplayName)) * sizeof(CH) + sizeof e; \
		} \
		*count = 0; \
		*needed = (DWORD)n; \
		if (len < n || (buffer == NULL && n != 0)) { \
			st_free(&r); \
			return st_fail(op, ERROR_MORE_DATA); \
		} \
		*needed = 0; \
		at = (CH *)(void *)(buffer + rows * sizeof e); \
		for (i = 0; i < v.Services.n; i++) { \
			const struct api_Service *s = &v.Services.v[i]; \
			SERVICE_STATUS plain; \
			if (s->Name.p == NULL) \
				continue; \
			memset(&e, 0, sizeof e); \
			put_##L(e.lpServiceName = at, s->Name); \
			at += units_##L(s->Name); \
			put_##L(e.lpDisplayName = at, s->DisplayName); \
			at += units_##L(s->DisplayName); \
			fill(&plain, &s->Status); \
			memcpy(&e.ServiceStatusProcess, &plain, sizeof plain); \
			e.ServiceStatusProcess.dwProcessId = s->Status.ProcessID; \
			memcpy(buffer + row++ * sizeof e, &e, sizeof e); \
		} \
		*count = (DWORD)rows; \
		if (resume != NULL) \
			*resume = 0; \
		st_free(&r); \
		return TRUE; \
	}
FORMS(A, a, CHAR, LPCSTR)
FORMS(W, w, WCHAR, LPCWSTR)

/* The running service. */
static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct {
	int active;                 /* a dispatcher runs */
	char *name;                 /* of the service */
	uint32_t argc;
	char **argv;                /* argv[0] is the name */
	WCHAR **wide;
	LPSERVICE_MAIN_FUNCTIONA main_a;
	LPSERVICE_MAIN_FUNCTIONW main_w;
	LPHANDLER_FUNCTION plain;
	LPHANDLER_FUNCTION_EX ex;
	LPVOID context;
	int stopped;
	int waiter;                 /* the control thread waits in the daemon */
	int have;                   /* a control is there for the dispatcher */
	struct api_NextControlReply control;
	uint32_t handled, failed;
} svc;                          /* guarded by mu, but for what is set before its threads start */
static char handle_value;

static void *service_main(void *unused)
{
	(void)unused;
	if (svc.main_w != NULL)
		svc.main_w(svc.argc, svc.wide);
	else
		svc.main_a(svc.argc, svc.argv);
	return NULL;
}

/* control_thread asks for controls, so that the dispatcher can also wait for
 * the service to stop. A daemon that was replaced is asked again for 60 s. */
static void *control_thread(void *unused)
{
	uint32_t handled = 0;
	int lost = 0;
	(void)unused;
	for (;;) {
		struct api_NextControlRequest q;
		struct api_NextControlReply v;
		struct st_reply r;
		uint32_t code;
		q.Name = st_text(svc.name);
		q.Handled = handled;
		code = api_NextServiceControl(&r, &q, &v);
		if (code == RPC_S_SERVER_UNAVAILABLE && lost++ < 600) {
			struct timespec t = {0, 100000000};
			nanosleep(&t, NULL);
			pthread_mutex_lock(&mu);
			code = svc.stopped ? code : 0;
			pthread_mutex_unlock(&mu);
			if (code == 0)
				continue;
		}
		pthread_mutex_lock(&mu);
		if (code == 0) {
			lost = 0;
			svc.control = v;
			svc.have = 1;
			st_free(&r);
		} else
			svc.failed = code;
		pthread_cond_broadcast(&changed);
		while (svc.have && svc.failed == 0)
			pthread_cond_wait(&changed, &mu);
		handled = svc.handled;
		code = svc.failed;
		pthread_mutex_unlock(&mu);
		if (code != 0)
			return NULL;
	}
}

static BOOL dispatch(const struct st_strs *names, size_t *which)
{
	static const char *const op = "StartServiceCtrlDispatcher";
	struct api_DispatcherRequest q;
	struct api_DispatcherReply v;
	struct st_reply r;
	pthread_t t;
	pthread_attr_t attr;
	uint32_t i, code;
	q.Names = *names;
	code = api_StartServiceCtrlDispatcher(&r, &q, &v);
	if (code == RPC_S_SERVER_UNAVAILABLE) /* no daemon: no service either (ABI-66) */
		return st_fail(op, ERROR_FAILED_SERVICE_CONTROLLER_CONNECT);
	if (!st_result(code))
		return FALSE;
	*which = 0;
	for (i = 0; i < names->n; i++)
		if (names->v[i].n == v.Name.n && strncasecmp(names->v[i].p, v.Name.p, v.Name.n) == 0)
			*which = i;
	svc.name = strndup(v.Name.p, v.Name.n);
	svc.argc = v.Args.n != 0 ? v.Args.n : 1;
	svc.argv = calloc(svc.argc + 1, sizeof *svc.argv);
	svc.wide = calloc(svc.argc + 1, sizeof *svc.wide);
	for (i = 0; svc.argv != NULL && svc.wide != NULL && i < svc.argc; i++) {
		struct st_str s = v.Args.n != 0 ? v.Args.v[i] : v.Name;
		size_t n = units_w(s);
		svc.argv[i] = strndup(s.p, s.n);
		svc.wide[i] = malloc(n * sizeof(WCHAR));
		if (svc.wide[i] != NULL)
			put_w(svc.wide[i], s);
	}
	st_free(&r);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	code = svc.name == NULL || svc.argv == NULL || svc.wide == NULL || pthread_create(&t, &attr, control_thread, NULL) != 0;
	pthread_attr_destroy(&attr);
	return code == 0 ? TRUE : st_fail(op, ERROR_SERVICE_NO_THREAD);
}

/* serve runs ServiceMain and the handler until the service has stopped. */
static BOOL serve(void)
{
	pthread_t t;
	pthread_attr_t attr;
	int e;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	e = pthread_create(&t, &attr, service_main, NULL);
	pthread_attr_destroy(&attr);
	if (e != 0)
		return st_fail("StartServiceCtrlDispatcher", ERROR_SERVICE_NO_THREAD);
	pthread_mutex_lock(&mu);
	while (!svc.stopped && svc.failed == 0) {
		struct api_NextControlReply c;
		LPHANDLER_FUNCTION_EX ex;
		LPHANDLER_FUNCTION plain;
		LPVOID context;
		WTSSESSION_NOTIFICATION session = {sizeof session, 0};
		DWORD answer = 0;
		if (!svc.have) {
			pthread_cond_wait(&changed, &mu);
			continue;
		}
		c = svc.control;
		ex = svc.ex;
		plain = svc.plain;
		context = svc.context;
		pthread_mutex_unlock(&mu);
		session.dwSessionId = c.SessionID;
		if (ex != NULL)
			answer = ex(c.Control, c.EventType, c.Control == SERVICE_CONTROL_SESSIONCHANGE ? &session : NULL, context);
		else if (plain != NULL && c.Control != SERVICE_CONTROL_SESSIONCHANGE) /* NTF-2 */
			plain(c.Control);
		pthread_mutex_lock(&mu);
		svc.handled = answer;
		svc.have = 0;
		pthread_cond_broadcast(&changed);
	}
	e = svc.stopped ? 0 : (int)svc.failed;
	pthread_mutex_unlock(&mu);
	return e == 0 || e == ERROR_SERVICE_NOT_ACTIVE ? TRUE : st_fail("StartServiceCtrlDispatcher", (DWORD)e);
}

#define DISPATCH(F, L) \
	ST_EXPORT BOOL StartServiceCtrlDispatcher##F(const SERVICE_TABLE_ENTRY##F *table) \
	{ \
		static const char *const op = "StartServiceCtrlDispatcher"; \
		struct list l = {NULL, NULL, 0}; \
		struct st_strs names; \
		uint32_t bad = table == NULL || table->lpServiceProc == NULL || table->lpServiceName == NULL ? ERROR_INVALID_PARAMETER : 0, i; \
		size_t which = 0; \
		BOOL ok; \
		pthread_mutex_lock(&mu); \
		if (bad == 0 && svc.active) \
			bad = ERROR_SERVICE_ALREADY_RUNNING; /* SCM-28 */ \
		if (bad == 0) \
			svc.active = 1; \
		pthread_mutex_unlock(&mu); \
		if (bad != 0) \
			return st_fail(op, bad); \
		for (i = 0; bad == 0 && table[i].lpServiceProc != NULL && table[i].lpServiceName != NULL; i++) { \
			struct st_arg a; \
			bad = st_arg_##L(&a, table[i].lpServiceName); \
			bad = list_add(&l, bad, a); \
		} \
		names.v = l.v; \
		names.n = l.n; \
		ok = bad == 0 ? dispatch(&names, &which) : st_fail(op, bad); \
		list_free(&l); \
		if (!ok) { \
			pthread_mutex_lock(&mu); \
			svc.active = 0; \
			pthread_mutex_unlock(&mu); \
			return FALSE; \
		} \
		svc.main_##L = table[which].lpServiceProc; \
		return serve(); \
	}
DISPATCH(A, a)
DISPATCH(W, w)

static SERVICE_STATUS_HANDLE handler(int named, LPHANDLER_FUNCTION plain, LPHANDLER_FUNCTION_EX ex, LPVOID context)
{
	SERVICE_STATUS_HANDLE h = NULL;
	pthread_mutex_lock(&mu);
	if (svc.active && svc.name != NULL && named && (plain != NULL || ex != NULL)) {
		svc.plain = plain;
		svc.ex = ex;
		svc.context = context;
		h = (SERVICE_STATUS_HANDLE)(void *)&handle_value;
	}
	pthread_mutex_unlock(&mu);
	if (h == NULL)
		st_fail("RegisterServiceCtrlHandler", named ? ERROR_SERVICE_NOT_IN_EXE : ERROR_INVALID_PARAMETER);
	return h;
}

ST_EXPORT SERVICE_STATUS_HANDLE RegisterServiceCtrlHandlerA(LPCSTR name, LPHANDLER_FUNCTION f) { return handler(name != NULL, f, NULL, NULL); }
ST_EXPORT SERVICE_STATUS_HANDLE RegisterServiceCtrlHandlerW(LPCWSTR name, LPHANDLER_FUNCTION f) { return handler(name != NULL, f, NULL, NULL); }
ST_EXPORT SERVICE_STATUS_HANDLE RegisterServiceCtrlHandlerExA(LPCSTR name, LPHANDLER_FUNCTION_EX f, LPVOID context) { return handler(name != NULL, NULL, f, context); }
ST_EXPORT SERVICE_STATUS_HANDLE RegisterServiceCtrlHandlerExW(LPCWSTR name, LPHANDLER_FUNCTION_EX f, LPVOID context) { return handler(name != NULL, NULL, f, context); }

ST_EXPORT BOOL SetServiceStatus(SERVICE_STATUS_HANDLE h, LPSERVICE_STATUS s)
{
	struct api_SetServiceStatusRequest q;
	struct st_reply r;
	if (s == NULL)
		return st_fail("SetServiceStatus", ERROR_INVALID_PARAMETER);
	if ((void *)h != (void *)&handle_value)
		return st_fail("SetServiceStatus", ERROR_INVALID_HANDLE);
	memset(&q, 0, sizeof q);
	q.Name = st_text(svc.name);
	q.Status.Type = s->dwServiceType;
	q.Status.State = s->dwCurrentState;
	q.Status.Accepts = s->dwControlsAccepted;
	q.Status.Win32ExitCode = s->dwWin32ExitCode;
	q.Status.SpecificExitCode = s->dwServiceSpecificExitCode;
	q.Status.CheckPoint = s->dwCheckPoint;
	q.Status.WaitHint = s->dwWaitHint;
	if (!st_result(api_SetServiceStatus(&r, &q)))
		return FALSE;
	st_free(&r);
	if (s->dwCurrentState == SERVICE_STOPPED) {
		pthread_mutex_lock(&mu);
		svc.stopped = 1;
		pthread_cond_broadcast(&changed);
		pthread_mutex_unlock(&mu);
	}
	return TRUE;
}
