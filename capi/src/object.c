/* SPDX-License-Identifier: Apache-2.0 */
/* Handles, named objects, waits, shared memory, time and memory. */
#include "internal.h"
#include <pthread.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

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
ON_HANDLE(SetEvent, HANDLE, api_SetEvent)
ON_HANDLE(ResetEvent, HANDLE, api_ResetEvent)
ON_HANDLE(PulseEvent, HANDLE, api_PulseEvent)
ON_HANDLE(ReleaseMutex, HANDLE, api_ReleaseMutex)
ON_HANDLE(CancelWaitableTimer, HANDLE, api_CancelWaitableTimer)

ST_EXPORT BOOL CloseHandle(HANDLE h)
{
	struct api_HandleRequest q;
	struct st_reply r;
	q.Handle = st_handle(h);
	if (!st_result(api_CloseHandle(&r, &q)))
		return FALSE;
	st_free(&r);
	st_closed(q.Handle);
	return TRUE;
}

ST_EXPORT NTSTATUS NtClose(HANDLE h)
{
	DWORD before = st_last_error;
	NTSTATUS s = CloseHandle(h) ? 0 : st_last_error == ERROR_INVALID_HANDLE ? (NTSTATUS)0xC0000008u : (NTSTATUS)0xC0000001u;
	st_last_error = before;
	return s;
}

ST_EXPORT HANDLE GetCurrentProcess(void) { return (HANDLE)(LONG_PTR)-1; }
ST_EXPORT HANDLE GetCurrentThread(void) { return (HANDLE)(LONG_PTR)-2; }
ST_EXPORT HANDLE GetCurrentProcessToken(void) { return (HANDLE)(LONG_PTR)-4; }
ST_EXPORT HANDLE GetCurrentThreadToken(void) { return (HANDLE)(LONG_PTR)-5; }
ST_EXPORT HANDLE GetCurrentThreadEffectiveToken(void) { return (HANDLE)(LONG_PTR)-6; }

ST_EXPORT BOOL DuplicateHandle(HANDLE from, HANDLE h, HANDLE to, LPHANDLE out, DWORD access, BOOL inherit, DWORD options)
{
	struct api_DuplicateHandleRequest q;
	struct api_HandleReply v;
	struct st_reply r;
	if (out != NULL)
		*out = NULL;
	q.SourceProcess = st_handle(from);
	q.Source = st_handle(h);
	q.TargetProcess = st_handle(to);
	q.Access = access;
	q.Inherit = inherit != 0;
	q.Options = options;
	if (!st_result(api_DuplicateHandle(&r, &q, &v)))
		return FALSE;
	st_free(&r);
	if (out != NULL)
		*out = st_pointer(v.Handle);
	return TRUE;
}

ST_EXPORT BOOL GetHandleInformation(HANDLE h, LPDWORD flags)
{
	struct api_HandleRequest q;
	struct api_FlagsReply v;
	struct st_reply r;
	if (flags == NULL)
		return st_fail("GetHandleInformation", ERROR_INVALID_PARAMETER);
	q.Handle = st_handle(h);
	if (!st_result(api_GetHandleInformation(&r, &q, &v)))
		return FALSE;
	st_free(&r);
	*flags = v.Flags;
	return TRUE;
}

ST_EXPORT BOOL SetHandleInformation(HANDLE h, DWORD mask, DWORD flags)
{
	struct api_SetHandleInformationRequest q;
	struct st_reply r;
	q.Handle = st_handle(h);
	q.Mask = mask;
	q.Flags = flags;
	if (!st_result(api_SetHandleInformation(&r, &q)))
		return FALSE;
	st_free(&r);
	return TRUE;
}

ST_EXPORT BOOL CompareObjectHandles(HANDLE a, HANDLE b)
{
	struct api_CompareHandlesRequest q;
	struct api_BoolReply v;
	struct st_reply r;
	q.First = st_handle(a);
	q.Second = st_handle(b);
	if (!st_result(api_CompareObjectHandles(&r, &q, &v)))
		return FALSE;
	st_free(&r);
	return v.Value != 0;
}

/* made gives the handle of a new or found object; a named one sets the last
 * error to 0 or 183 (ABI-31). */
static HANDLE made(uint32_t code, struct st_reply *r, const struct api_OpenedReply *v, int named)
{
	if (!st_result(code))
		return NULL;
	st_free(r);
	if (named)
		st_last_error = v->Existed ? ERROR_ALREADY_EXISTS : 0;
	return st_pointer(v->Handle);
}

/* CREATE begins the common part of a create function; FINISH ends it. */
#define CREATE(TYPE, OP) \
	struct api_##TYPE q; \
	struct api_OpenedReply v; \
	struct st_reply r; \
	char *own = NULL; \
	HANDLE h = NULL; \
	memset(&q, 0, sizeof q); \
	if (bad == 0) \
		bad = st_sa(sa, &q.Descriptor, &own); \
	if (bad != 0) { \
		st_fail(OP, bad); \
		free(own); \
		st_arg_free(n); \
		return NULL; \
	} \
	q.Name = n->s; \
	q.Inherit = st_inherit(sa)
#define FINISH(CALL) \
	h = made(CALL(&r, &q, &v), &r, &v, n->s.n != 0); \
	free(own); \
	st_arg_free(n); \
	return h

static HANDLE event(uint32_t bad, struct st_arg *n, const SECURITY_ATTRIBUTES *sa, BOOL manual, BOOL initial, DWORD access)
{
	CREATE(CreateEventRequest, "CreateEvent");
	q.Access = access;
	q.Manual = manual != 0;
	q.Initial = initial != 0;
	FINISH(api_CreateEvent);
}

static HANDLE mutex(uint32_t bad, struct st_arg *n, const SECURITY_ATTRIBUTES *sa, BOOL owned, DWORD access)
{
	CREATE(CreateMutexRequest, "CreateMutex");
	q.Access = access;
	q.Owned = owned != 0;
	FINISH(api_CreateMutex);
}

static HANDLE semaphore(uint32_t bad, struct st_arg *n, const SECURITY_ATTRIBUTES *sa, LONG initial, LONG maximum, DWORD access)
{
	CREATE(CreateSemaphoreRequest, "CreateSemaphore");
	q.Access = access;
	q.Initial = initial;
	q.Maximum = maximum;
	FINISH(api_CreateSemaphore);
}

static HANDLE timer(uint32_t bad, struct st_arg *n, const SECURITY_ATTRIBUTES *sa, BOOL manual, DWORD access)
{
	CREATE(CreateTimerRequest, "CreateWaitableTimer");
	q.Access = access;
	q.Manual = manual != 0;
	FINISH(api_CreateWaitableTimer);
}

static HANDLE section(uint32_t bad, struct st_arg *n, HANDLE file, const SECURITY_ATTRIBUTES *sa, DWORD protect, DWORD high, DWORD low)
{
	if (bad == 0 && file != INVALID_HANDLE_VALUE)
		bad = ERROR_NOT_SUPPORTED; /* sections of files come with CreateFile */
	{
		CREATE(CreateSectionRequest, "CreateFileMapping");
		q.Protect = protect & ~(SEC_COMMIT | SEC_RESERVE);
		q.Size = (uint64_t)high << 32 | low;
		FINISH(api_CreateFileMapping);
	}
}

static HANDLE job(uint32_t bad, struct st_arg *n, const SECURITY_ATTRIBUTES *sa)
{
	CREATE(CreateObjectRequest, "CreateJobObject");
	FINISH(api_CreateJobObject);
}

typedef uint32_t (*opener)(struct st_reply *, const struct api_OpenRequest *, struct api_HandleReply *);

static HANDLE open_named(const char *op, opener call, uint32_t bad, struct st_arg *n, DWORD access, BOOL inherit)
{
	struct api_OpenRequest q;
	struct api_HandleReply v;
	struct st_reply r;
	HANDLE h = NULL;
	if (bad == 0 && n->s.p == NULL)
		bad = ERROR_INVALID_PARAMETER;
	if (bad != 0)
		st_fail(op, bad);
	else {
		q.Name = n->s;
		q.Inherit = inherit != 0;
		q.Access = access;
		if (st_result(call(&r, &q, &v))) {
			st_free(&r);
			h = st_pointer(v.Handle);
		}
	}
	st_arg_free(n);
	return h;
}

/* section_rights gives SECTION_MAP bits for FILE_MAP bits: only EXECUTE differs. */
static DWORD section_rights(DWORD access)
{
	return (access & ~FILE_MAP_EXECUTE) | (access & FILE_MAP_EXECUTE ? SECTION_MAP_EXECUTE : 0);
}

#define ARG(L, s1) \
	struct st_arg n; \
	uint32_t bad = st_arg_##L(&n, s1)
#define FORMS(F, L, STR) \
	ST_EXPORT HANDLE CreateEvent##F(LPSECURITY_ATTRIBUTES sa, BOOL manual, BOOL initial, STR name) \
	{ ARG(L, name); return event(bad, &n, sa, manual, initial, 0); } \
	ST_EXPORT HANDLE CreateEventEx##F(LPSECURITY_ATTRIBUTES sa, STR name, DWORD flags, DWORD access) \
	{ ARG(L, name); if (bad == 0 && flags > 3) bad = ERROR_INVALID_PARAMETER; return event(bad, &n, sa, (flags & CREATE_EVENT_MANUAL_RESET) != 0, (flags & CREATE_EVENT_INITIAL_SET) != 0, access); } \
	ST_EXPORT HANDLE OpenEvent##F(DWORD access, BOOL inherit, STR name) \
	{ ARG(L, name); return open_named("OpenEvent", api_OpenEvent, bad, &n, access, inherit); } \
	ST_EXPORT HANDLE CreateMutex##F(LPSECURITY_ATTRIBUTES sa, BOOL owned, STR name) \
	{ ARG(L, name); return mutex(bad, &n, sa, owned, 0); } \
	ST_EXPORT HANDLE CreateMutexEx##F(LPSECURITY_ATTRIBUTES sa, STR name, DWORD flags, DWORD access) \
	{ ARG(L, name); if (bad == 0 && flags > 1) bad = ERROR_INVALID_PARAMETER; return mutex(bad, &n, sa, (flags & CREATE_MUTEX_INITIAL_OWNER) != 0, access); } \
	ST_EXPORT HANDLE OpenMutex##F(DWORD access, BOOL inherit, STR name) \
	{ ARG(L, name); return open_named("OpenMutex", api_OpenMutex, bad, &n, access, inherit); } \
	ST_EXPORT HANDLE CreateSemaphore##F(LPSECURITY_ATTRIBUTES sa, LONG initial, LONG maximum, STR name) \
	{ ARG(L, name); return semaphore(bad, &n, sa, initial, maximum, 0); } \
	ST_EXPORT HANDLE CreateSemaphoreEx##F(LPSECURITY_ATTRIBUTES sa, LONG initial, LONG maximum, STR name, DWORD flags, DWORD access) \
	{ ARG(L, name); if (bad == 0 && flags != 0) bad = ERROR_INVALID_PARAMETER; return semaphore(bad, &n, sa, initial, maximum, access); } \
	ST_EXPORT HANDLE OpenSemaphore##F(DWORD access, BOOL inherit, STR name) \
	{ ARG(L, name); return open_named("OpenSemaphore", api_OpenSemaphore, bad, &n, access, inherit); } \
	ST_EXPORT HANDLE CreateWaitableTimer##F(LPSECURITY_ATTRIBUTES sa, BOOL manual, STR name) \
	{ ARG(L, name); return timer(bad, &n, sa, manual, 0); } \
	ST_EXPORT HANDLE CreateWaitableTimerEx##F(LPSECURITY_ATTRIBUTES sa, STR name, DWORD flags, DWORD access) \
	{ ARG(L, name); if (bad == 0 && flags > 1) bad = ERROR_INVALID_PARAMETER; return timer(bad, &n, sa, (flags & CREATE_WAITABLE_TIMER_MANUAL_RESET) != 0, access); } \
	ST_EXPORT HANDLE OpenWaitableTimer##F(DWORD access, BOOL inherit, STR name) \
	{ ARG(L, name); return open_named("OpenWaitableTimer", api_OpenWaitableTimer, bad, &n, access, inherit); } \
	ST_EXPORT HANDLE CreateFileMapping##F(HANDLE file, LPSECURITY_ATTRIBUTES sa, DWORD protect, DWORD high, DWORD low, STR name) \
	{ ARG(L, name); return section(bad, &n, file, sa, protect, high, low); } \
	ST_EXPORT HANDLE OpenFileMapping##F(DWORD access, BOOL inherit, STR name) \
	{ ARG(L, name); return open_named("OpenFileMapping", api_OpenFileMapping, bad, &n, section_rights(access), inherit); } \
	ST_EXPORT HANDLE CreateJobObject##F(LPSECURITY_ATTRIBUTES sa, STR name) \
	{ ARG(L, name); return job(bad, &n, sa); } \
	ST_EXPORT HANDLE OpenJobObject##F(DWORD access, BOOL inherit, STR name) \
	{ ARG(L, name); return open_named("OpenJobObject", api_OpenJobObject, bad, &n, access, inherit); }
FORMS(A, a, LPCSTR)
FORMS(W, w, LPCWSTR)

ST_EXPORT BOOL ReleaseSemaphore(HANDLE h, LONG count, LPLONG before)
{
	struct api_ReleaseSemaphoreRequest q;
	struct api_CountReply v;
	struct st_reply r;
	q.Handle = st_handle(h);
	q.Count = count;
	if (!st_result(api_ReleaseSemaphore(&r, &q, &v)))
		return FALSE;
	st_free(&r);
	if (before != NULL)
		*before = v.Previous;
	return TRUE;
}

ST_EXPORT BOOL SetWaitableTimer(HANDLE h, const LARGE_INTEGER *due, LONG period, PTIMERAPCROUTINE done, LPVOID arg, BOOL resume)
{
	struct api_SetTimerRequest q;
	struct st_reply r;
	(void)arg, (void)resume;
	if (due == NULL)
		return st_fail("SetWaitableTimer", ERROR_INVALID_PARAMETER);
	if (done != NULL)
		return st_fail("SetWaitableTimer", ERROR_NOT_SUPPORTED); /* APCs come with alertable waits */
	q.Handle = st_handle(h);
	q.Due = due->QuadPart;
	q.Period = period;
	if (!st_result(api_SetWaitableTimer(&r, &q)))
		return FALSE;
	st_free(&r);
	return TRUE;
}

/* Waits. An APC cannot be queued yet, so alertable waits are plain ones. */
ST_EXPORT DWORD WaitForSingleObjectEx(HANDLE h, DWORD ms, BOOL alertable)
{
	struct api_WaitRequest q;
	struct api_WaitReply v;
	struct st_reply r;
	(void)alertable;
	q.Handle = st_handle(h);
	q.Millis = ms;
	if (!st_result(api_WaitForSingleObject(&r, &q, &v)))
		return WAIT_FAILED;
	st_free(&r);
	return v.Result;
}

ST_EXPORT DWORD WaitForSingleObject(HANDLE h, DWORD ms) { return WaitForSingleObjectEx(h, ms, FALSE); }

ST_EXPORT DWORD WaitForMultipleObjectsEx(DWORD n, const HANDLE *h, BOOL whole, DWORD ms, BOOL alertable)
{
	struct api_WaitManyRequest q;
	struct api_WaitReply v;
	struct st_reply r;
	uint32_t handles[MAXIMUM_WAIT_OBJECTS];
	DWORD i;
	(void)alertable;
	if (n == 0 || n > MAXIMUM_WAIT_OBJECTS || h == NULL) {
		st_fail("WaitForMultipleObjects", ERROR_INVALID_PARAMETER);
		return WAIT_FAILED;
	}
	for (i = 0; i < n; i++)
		handles[i] = st_handle(h[i]);
	q.Handles.v = handles;
	q.Handles.n = n;
	q.All = whole != 0;
	q.Millis = ms;
	if (!st_result(api_WaitForMultipleObjects(&r, &q, &v)))
		return WAIT_FAILED;
	st_free(&r);
	return v.Result;
}

ST_EXPORT DWORD WaitForMultipleObjects(DWORD n, const HANDLE *h, BOOL whole, DWORD ms) { return WaitForMultipleObjectsEx(n, h, whole, ms, FALSE); }

ST_EXPORT DWORD SignalObjectAndWait(HANDLE signal, HANDLE wait, DWORD ms, BOOL alertable)
{
	struct api_SignalAndWaitRequest q;
	struct api_WaitReply v;
	struct st_reply r;
	(void)alertable;
	q.Signal = st_handle(signal);
	q.Wait = st_handle(wait);
	q.Millis = ms;
	if (!st_result(api_SignalObjectAndWait(&r, &q, &v)))
		return WAIT_FAILED;
	st_free(&r);
	return v.Result;
}

/* Views. views_mu guards the list of what is mapped. */
struct view { void *at; size_t bytes; struct view *next; };
static pthread_mutex_t views_mu = PTHREAD_MUTEX_INITIALIZER;
static struct view *views;

ST_EXPORT LPVOID MapViewOfFileEx(HANDLE h, DWORD access, DWORD high, DWORD low, SIZE_T bytes, LPVOID base)
{
	static const char *const op = "MapViewOfFile";
	struct api_MapViewRequest q;
	struct api_MapViewReply v;
	struct st_reply r;
	struct view *w;
	uint64_t offset = (uint64_t)high << 32 | low;
	int copy = access == FILE_MAP_COPY, prot = PROT_READ;
	void *p;
	if (access == 0 || offset % 65536 != 0 || base != NULL) {
		st_fail(op, offset % 65536 != 0 ? 1132 : base != NULL ? ERROR_INVALID_ADDRESS : ERROR_INVALID_PARAMETER);
		return NULL;
	}
	if ((access & FILE_MAP_WRITE) || copy)
		prot |= PROT_WRITE;
	if (access & FILE_MAP_EXECUTE)
		prot |= PROT_EXEC;
	q.Handle = st_handle(h);
	q.Access = copy ? SECTION_MAP_READ : section_rights(access) & (SECTION_MAP_READ | SECTION_MAP_WRITE | SECTION_MAP_EXECUTE);
	if (!st_result(api_MapViewOfFile(&r, &q, &v)))
		return NULL;
	st_free(&r);
	if (r.nfds != 1) {
		while (r.nfds > 0)
			close(r.fds[--r.nfds]);
		st_fail(op, ERROR_GEN_FAILURE);
		return NULL;
	}
	if (bytes == 0 && offset < v.Size)
		bytes = v.Size - offset;
	if (bytes == 0 || offset > v.Size || bytes > v.Size - offset) {
		close(r.fds[0]);
		st_fail(op, ERROR_ACCESS_DENIED);
		return NULL;
	}
	w = malloc(sizeof *w);
	p = mmap(NULL, bytes, prot, copy ? MAP_PRIVATE : MAP_SHARED, r.fds[0], (off_t)offset);
	close(r.fds[0]);
	if (p == MAP_FAILED || w == NULL) {
		if (p != MAP_FAILED)
			munmap(p, bytes);
		free(w);
		st_fail(op, ERROR_NOT_ENOUGH_MEMORY);
		return NULL;
	}
	w->at = p;
	w->bytes = bytes;
	pthread_mutex_lock(&views_mu);
	w->next = views;
	views = w;
	pthread_mutex_unlock(&views_mu);
	return p;
}

ST_EXPORT LPVOID MapViewOfFile(HANDLE h, DWORD access, DWORD high, DWORD low, SIZE_T bytes) { return MapViewOfFileEx(h, access, high, low, bytes, NULL); }

ST_EXPORT BOOL UnmapViewOfFile(LPCVOID p)
{
	struct view **at, *w = NULL;
	pthread_mutex_lock(&views_mu);
	for (at = &views; *at != NULL; at = &(*at)->next)
		if ((*at)->at == p) {
			w = *at;
			*at = w->next;
			break;
		}
	pthread_mutex_unlock(&views_mu);
	if (w == NULL)
		return st_fail("UnmapViewOfFile", ERROR_INVALID_ADDRESS);
	munmap(w->at, w->bytes);
	free(w);
	return TRUE;
}

ST_EXPORT BOOL FlushViewOfFile(LPCVOID p, SIZE_T bytes)
{
	(void)bytes; /* memory of a section is shared as it is */
	return p != NULL ? TRUE : st_fail("FlushViewOfFile", ERROR_INVALID_ADDRESS);
}

/* Jobs. */
ST_EXPORT BOOL AssignProcessToJobObject(HANDLE h, HANDLE process)
{
	struct api_JobProcessRequest q;
	struct st_reply r;
	q.Job = st_handle(h);
	q.Process = st_handle(process);
	if (!st_result(api_AssignProcessToJobObject(&r, &q)))
		return FALSE;
	st_free(&r);
	return TRUE;
}

ST_EXPORT BOOL TerminateJobObject(HANDLE h, UINT code)
{
	struct api_TerminateJobRequest q;
	struct st_reply r;
	q.Job = st_handle(h);
	q.ExitCode = code;
	if (!st_result(api_TerminateJobObject(&r, &q)))
		return FALSE;
	st_free(&r);
	return TRUE;
}

ST_EXPORT BOOL IsProcessInJob(HANDLE process, HANDLE h, PBOOL in)
{
	struct api_JobProcessRequest q;
	struct api_BoolReply v;
	struct st_reply r;
	if (in == NULL)
		return st_fail("IsProcessInJob", ERROR_INVALID_PARAMETER);
	q.Job = st_handle(h);
	q.Process = st_handle(process);
	if (!st_result(api_IsProcessInJob(&r, &q, &v)))
		return FALSE;
	st_free(&r);
	*in = v.Value != 0;
	return TRUE;
}

/* Time. */
static uint64_t nanos(clockid_t c)
{
	struct timespec t;
	clock_gettime(c, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

ST_EXPORT ULONGLONG GetTickCount64(void) { return nanos(CLOCK_BOOTTIME) / 1000000u; }
ST_EXPORT DWORD GetTickCount(void) { return (DWORD)GetTickCount64(); }

ST_EXPORT void GetSystemTimeAsFileTime(LPFILETIME t)
{
	uint64_t v = nanos(CLOCK_REALTIME) / 100u + 116444736000000000u;
	t->dwLowDateTime = (DWORD)v;
	t->dwHighDateTime = (DWORD)(v >> 32);
}

ST_EXPORT BOOL QueryPerformanceCounter(PLARGE_INTEGER v) { v->QuadPart = (LONGLONG)nanos(CLOCK_MONOTONIC); return TRUE; }
ST_EXPORT BOOL QueryPerformanceFrequency(PLARGE_INTEGER v) { v->QuadPart = 1000000000; return TRUE; }

ST_EXPORT DWORD SleepEx(DWORD ms, BOOL alertable)
{
	struct timespec t = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
	(void)alertable;
	if (ms == INFINITE)
		for (;;)
			pause();
	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &t) != 0) /* a signal does not end it */
		;
	return 0;
}

ST_EXPORT void Sleep(DWORD ms) { SleepEx(ms, FALSE); }

/* Memory that other functions give away by LocalFree. */
ST_EXPORT HLOCAL LocalAlloc(UINT flags, SIZE_T bytes)
{
	void *p = flags & LMEM_ZEROINIT ? calloc(1, bytes != 0 ? bytes : 1) : malloc(bytes != 0 ? bytes : 1);
	if (p == NULL)
		st_fail("LocalAlloc", ERROR_NOT_ENOUGH_MEMORY);
	return p;
}

ST_EXPORT HLOCAL LocalFree(HLOCAL p)
{
	free(p);
	return NULL;
}
