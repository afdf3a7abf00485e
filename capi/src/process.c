/* SPDX-License-Identifier: Apache-2.0 */
/* Processes, threads and tokens. */
#include "internal.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <unistd.h>

extern char **environ;

static HANDLE opened(uint32_t code, struct st_reply *r, const struct api_HandleReply *v)
{
	if (!st_result(code))
		return NULL;
	st_free(r);
	return st_pointer(v->Handle);
}

/* stored puts the handle of a call into *out; on failure NULL. */
static BOOL stored(uint32_t code, struct st_reply *r, const struct api_HandleReply *v, PHANDLE out)
{
	*out = opened(code, r, v);
	return code == 0;
}

ST_EXPORT HANDLE OpenProcess(DWORD access, BOOL inherit, DWORD pid)
{
	struct api_OpenProcessRequest q;
	struct api_HandleReply v;
	struct st_reply r;
	q.ProcessID = pid;
	q.Access = access;
	q.Inherit = inherit != 0;
	return opened(api_OpenProcess(&r, &q, &v), &r, &v);
}

ST_EXPORT HANDLE OpenThread(DWORD access, BOOL inherit, DWORD tid)
{
	struct api_OpenThreadRequest q;
	struct api_HandleReply v;
	struct st_reply r;
	q.ThreadID = tid;
	q.Access = access;
	q.Inherit = inherit != 0;
	return opened(api_OpenThread(&r, &q, &v), &r, &v);
}

ST_EXPORT BOOL TerminateProcess(HANDLE h, UINT code)
{
	struct api_TerminateProcessRequest q;
	struct st_reply r;
	q.Process = st_handle(h);
	q.ExitCode = code;
	if (!st_result(api_TerminateProcess(&r, &q)))
		return FALSE;
	st_free(&r);
	return TRUE;
}

/* Codes of more than eight bits pass through the daemon (ABI-62). */
ST_EXPORT void ExitProcess(UINT code)
{
	if (code > 255) {
		fflush(NULL);
		TerminateProcess(GetCurrentProcess(), code);
	}
	exit((int)(code & 255));
}

ST_EXPORT BOOL GetExitCodeProcess(HANDLE h, LPDWORD code)
{
	struct api_HandleRequest q;
	struct api_ExitCodeReply v;
	struct st_reply r;
	if (code == NULL)
		return st_fail("GetExitCodeProcess", ERROR_INVALID_PARAMETER);
	q.Handle = st_handle(h);
	if (!st_result(api_GetExitCodeProcess(&r, &q, &v)))
		return FALSE;
	st_free(&r);
	*code = v.Code;
	if (v.Signal != 0 && v.Code == 128 + v.Signal)
		*code = v.Signal == 11 ? 0xC0000005u : 0xC0000000u + v.Signal;
	return TRUE;
}

ST_EXPORT void GetStartupInfoA(LPSTARTUPINFOA si)
{
	memset(si, 0, sizeof *si);
	si->cb = sizeof *si;
}

ST_EXPORT void GetStartupInfoW(LPSTARTUPINFOW si)
{
	memset(si, 0, sizeof *si);
	si->cb = sizeof *si;
}

/* split makes argv of a command line by the rules of the Microsoft C run-time:
 * blanks separate, quotes keep together, 2n backslashes before a quote are n,
 * 2n+1 are n and a quote. The first word knows no backslashes. */
static char **split(const char *line, int *argc)
{
	size_t room = strlen(line) / 2 + 3;
	char **argv = calloc(room, sizeof *argv);
	char *out = malloc(strlen(line) + room + 1), *o = out;
	const char *p = line;
	int n = 0;
	if (argv == NULL || out == NULL) {
		free(argv);
		free(out);
		return NULL;
	}
	argv[room - 1] = out; /* for free */
	while (*p != 0) {
		int quoted = 0;
		while (*p == ' ' || *p == '\t')
			p++;
		if (*p == 0)
			break;
		argv[n++] = o;
		while (*p != 0 && (quoted || (*p != ' ' && *p != '\t'))) {
			size_t slashes = 0, i;
			if (n > 1)
				while (p[slashes] == '\\')
					slashes++;
			if (p[slashes] == '"') {
				for (i = 0; i < slashes / 2; i++)
					*o++ = '\\';
				p += slashes + 1;
				if (slashes % 2 == 1)
					*o++ = '"';
				else if (quoted && *p == '"' && n > 1) {
					*o++ = '"';
					p++;
				} else
					quoted = !quoted;
				continue;
			}
			if (slashes > 0) {
				for (i = 0; i < slashes; i++)
					*o++ = '\\';
				p += slashes;
				continue;
			}
			*o++ = *p++;
		}
		*o++ = 0;
	}
	*argc = n;
	argv[n < (int)room - 1 ? n : (int)room - 1] = n < (int)room - 1 ? NULL : argv[room - 1];
	argv[room - 1] = out;
	return argv;
}

static void split_free(char **argv, size_t line)
{
	if (argv != NULL) {
		free(argv[line / 2 + 2]);
		free(argv);
	}
}

/* locate finds a program: with a slash as it is, else in the caller's
 * directory, the current one and PATH (ABI-60); `.exe` may be absent. */
static int try_path(char *out, size_t room, const char *dir, size_t dn, const char *name, size_t nn)
{
	int n;
	if (dn == 0)
		n = snprintf(out, room, "%.*s", (int)nn, name);
	else
		n = snprintf(out, room, "%.*s/%.*s", (int)dn, dir, (int)nn, name);
	if (n > 0 && (size_t)n < room && access(out, F_OK) == 0)
		return 1;
	if (nn > 4 && strncasecmp(name + nn - 4, ".exe", 4) == 0)
		return try_path(out, room, dir, dn, name, nn - 4);
	return 0;
}

static int locate(const char *name, size_t n, char *out, size_t room)
{
	char self[PATH_MAX];
	ssize_t k;
	const char *p, *end, *slash;
	if (n == 0)
		return 0;
	if (memchr(name, '/', n) != NULL) {
		char cwd[PATH_MAX];
		if (name[0] == '/')
			return try_path(out, room, "", 0, name, n);
		return getcwd(cwd, sizeof cwd) != NULL && try_path(out, room, cwd, strlen(cwd), name, n);
	}
	k = readlink("/proc/self/exe", self, sizeof self - 1);
	if (k > 0) {
		self[k] = 0;
		slash = strrchr(self, '/');
		if (slash != NULL && try_path(out, room, self, (size_t)(slash - self), name, n))
			return 1;
	}
	if (getcwd(self, sizeof self) != NULL && try_path(out, room, self, strlen(self), name, n))
		return 1;
	for (p = getenv("PATH"); p != NULL && *p != 0; p = *end != 0 ? end + 1 : end) {
		end = strchr(p, ':');
		if (end == NULL)
			end = p + strlen(p);
		if (end > p && try_path(out, room, p, (size_t)(end - p), name, n))
			return 1;
	}
	return 0;
}

struct start {
	HANDLE token;
	struct st_arg application, line, dir, desktop;
	BOOL inherit;
	DWORD flags;
	const void *environment; /* of the form wide says */
	LPPROCESS_INFORMATION out;
};

/* environment makes a list of texts from a block or from environ. */
static uint32_t environment(const void *block, int wide, int inherit, struct st_strs *out, struct st_str **list, char ***owned, size_t *n)
{
	size_t i, count = 0;
	out->v = NULL;
	out->n = 0;
	if (block == NULL) {
		if (!inherit)
			return 0;
		while (environ != NULL && environ[count] != NULL)
			count++;
	} else if (wide) {
		const WCHAR *p;
		for (p = block; *p != 0; p += st_wide_length(p) + 1)
			count++;
	} else {
		const char *p;
		for (p = block; *p != 0; p += strlen(p) + 1)
			count++;
	}
	*list = calloc(count + 1, sizeof **list);
	*owned = calloc(count + 1, sizeof **owned);
	if (*list == NULL || *owned == NULL)
		return ERROR_NOT_ENOUGH_MEMORY;
	if (block == NULL)
		for (i = 0; i < count; i++)
			(*list)[i] = st_text(environ[i]);
	else if (wide) {
		const WCHAR *p = block;
		for (i = 0; i < count; i++, p += st_wide_length(p) + 1) {
			if (((*owned)[i] = st_from_wide(p, st_wide_length(p), &(*list)[i].n)) == NULL)
				return ERROR_NOT_ENOUGH_MEMORY;
			(*list)[i].p = (*owned)[i];
			*n = i + 1;
		}
	} else {
		const char *p = block;
		for (i = 0; i < count; i++, p += strlen(p) + 1)
			(*list)[i] = st_text(p);
	}
	out->v = *list;
	out->n = (uint32_t)count;
	return 0;
}

static uint32_t run(struct start *s)
{
	struct api_CreateProcessRequest q;
	struct api_CreateProcessReply v;
	struct st_reply r;
	struct st_str *words = NULL, *envs = NULL;
	char path[PATH_MAX], cwd[PATH_MAX], **argv = NULL, **owned = NULL;
	const char *line = s->line.s.p != NULL ? s->line.s.p : s->application.s.p;
	size_t line_n = line != NULL ? strlen(line) : 0, owned_n = 0, i;
	int argc = 0, fds[3], null = -1, own = s->token == NULL;
	uint32_t code = 0;
	if (s->out == NULL)
		return ERROR_INVALID_PARAMETER;
	memset(s->out, 0, sizeof *s->out);
	if (line == NULL || s->flags & CREATE_SUSPENDED)
		return line == NULL ? ERROR_INVALID_PARAMETER : ERROR_NOT_SUPPORTED;
	memset(&q, 0, sizeof q);
	argv = split(line, &argc);
	if (argv == NULL)
		return ERROR_NOT_ENOUGH_MEMORY;
	if (s->application.s.p != NULL) {
		if (!locate(s->application.s.p, s->application.s.n, path, sizeof path))
			code = ERROR_FILE_NOT_FOUND;
	} else if (argc == 0)
		code = ERROR_FILE_NOT_FOUND;
	else if (!locate(argv[0], strlen(argv[0]), path, sizeof path)) {
		/* An unquoted name with blanks is tried at each blank. */
		const char *end = line + strlen(argv[0]);
		code = ERROR_FILE_NOT_FOUND;
		while (line[0] != '"' && code != 0 && *end != 0) {
			end++;
			end += strcspn(end, " \t");
			if (locate(line, (size_t)(end - line), path, sizeof path)) {
				char **rest = split(end, &argc), *first = malloc((size_t)(end - line) + line_n + 4);
				split_free(rest, strlen(end));
				if (first == NULL) {
					code = ERROR_NOT_ENOUGH_MEMORY;
					break;
				}
				sprintf(first, "\"%.*s\"%s", (int)(end - line), line, end);
				split_free(argv, line_n);
				line_n = strlen(first);
				argv = split(first, &argc);
				free(first);
				if (argv == NULL)
					return ERROR_NOT_ENOUGH_MEMORY;
				code = 0;
			}
		}
	}
	if (code == 0)
		code = environment(s->environment, (s->flags & CREATE_UNICODE_ENVIRONMENT) != 0, own, &q.Env, &envs, &owned, &owned_n);
	if (code == 0 && (words = calloc((size_t)argc + 1, sizeof *words)) == NULL)
		code = ERROR_NOT_ENOUGH_MEMORY;
	for (i = 0; code == 0 && i < 3; i++) {
		fds[i] = (int)i;
		if (fcntl((int)i, F_GETFD) < 0) {
			if (null < 0 && (null = open("/dev/null", O_RDWR | O_CLOEXEC)) < 0)
				code = ERROR_NOT_ENOUGH_MEMORY;
			fds[i] = null;
		}
	}
	if (code == 0) {
		for (i = 0; i < (size_t)argc; i++)
			words[i] = st_text(argv[i]);
		q.Token = own ? 0 : st_handle(s->token);
		q.Path = st_text(path);
		q.Args.v = words;
		q.Args.n = (uint32_t)argc;
		q.Dir = s->dir.s;
		if (q.Dir.p == NULL && own && getcwd(cwd, sizeof cwd) != NULL)
			q.Dir = st_text(cwd);
		q.Desktop = s->desktop.s;
		q.Inherit = s->inherit != 0;
		q.FileCount = 3;
		code = api_CreateProcess(&r, &q, &v, fds, 3);
	}
	if (code == 0) {
		st_free(&r);
		s->out->hProcess = st_pointer(v.Process);
		s->out->dwProcessId = v.ProcessID;
		/* A thread of the program is known when it calls; until then this
		 * handle, which is signaled when the process ends, stands for it. */
		DuplicateHandle(GetCurrentProcess(), s->out->hProcess, GetCurrentProcess(), &s->out->hThread, 0, FALSE, DUPLICATE_SAME_ACCESS);
	}
	if (null >= 0)
		close(null);
	for (i = 0; i < owned_n; i++)
		free(owned[i]);
	free(owned);
	free(envs);
	free(words);
	split_free(argv, line_n);
	return code;
}

#define START(F, L, STR, PSTR, SI) \
	static BOOL start##F(const char *op, HANDLE token, STR application, PSTR line, BOOL inherit, DWORD flags, LPVOID env, STR dir, SI si, LPPROCESS_INFORMATION out) \
	{ \
		struct start s; \
		uint32_t code, e; \
		memset(&s, 0, sizeof s); \
		code = st_arg_##L(&s.application, application); \
		if ((e = st_arg_##L(&s.line, line)) != 0) code = e; \
		if ((e = st_arg_##L(&s.dir, dir)) != 0) code = e; \
		if ((e = st_arg_##L(&s.desktop, si != NULL ? si->lpDesktop : NULL)) != 0) code = e; \
		s.token = token; \
		s.inherit = inherit; \
		s.flags = flags; \
		s.environment = env; \
		s.out = out; \
		if (code == 0 && si == NULL) \
			code = ERROR_INVALID_PARAMETER; \
		if (code == 0) { \
			code = run(&s); \
			if (code == ERROR_FILE_NOT_FOUND || code == ERROR_INVALID_PARAMETER || code == ERROR_NOT_SUPPORTED || code == ERROR_NOT_ENOUGH_MEMORY) \
				st_fail(op, code); \
			else \
				st_result(code); \
		} else \
			st_fail(op, code); \
		st_arg_free(&s.application); \
		st_arg_free(&s.line); \
		st_arg_free(&s.dir); \
		st_arg_free(&s.desktop); \
		return code == 0; \
	} \
	ST_EXPORT BOOL CreateProcess##F(STR application, PSTR line, LPSECURITY_ATTRIBUTES psa, LPSECURITY_ATTRIBUTES tsa, BOOL inherit, DWORD flags, LPVOID env, STR dir, SI si, LPPROCESS_INFORMATION out) \
	{ (void)psa, (void)tsa; return start##F("CreateProcess", NULL, application, line, inherit, flags, env, dir, si, out); } \
	ST_EXPORT BOOL CreateProcessAsUser##F(HANDLE token, STR application, PSTR line, LPSECURITY_ATTRIBUTES psa, LPSECURITY_ATTRIBUTES tsa, BOOL inherit, DWORD flags, LPVOID env, STR dir, SI si, LPPROCESS_INFORMATION out) \
	{ (void)psa, (void)tsa; return start##F("CreateProcessAsUser", token, application, line, inherit, flags, env, dir, si, out); }
START(A, a, LPCSTR, LPSTR, LPSTARTUPINFOA)
START(W, w, LPCWSTR, LPWSTR, LPSTARTUPINFOW)

/* Threads. The daemon knows that a thread ended, not with what, so the codes of
 * threads made here are kept while the thread runs or the handle that
 * CreateThread gave is open. codes_mu guards the list and all its members. */
struct code { DWORD code; uint32_t handle; int ended; sem_t go; struct code *next; };
static pthread_mutex_t codes_mu = PTHREAD_MUTEX_INITIALIZER;
static struct code *codes;
static ST_TLS struct code *my_code;

/* forget frees an entry that neither thread nor handle needs. */
static void forget_locked(struct code *c)
{
	struct code **at;
	if (!c->ended || c->handle != 0)
		return;
	for (at = &codes; *at != NULL && *at != c; at = &(*at)->next)
		;
	if (*at == c)
		*at = c->next;
	sem_destroy(&c->go);
	free(c);
}

/* st_closed hears of every handle that was closed. */
void st_closed(uint32_t h)
{
	struct code *c;
	pthread_mutex_lock(&codes_mu);
	for (c = codes; c != NULL && c->handle != h; c = c->next)
		;
	if (c != NULL) {
		c->handle = 0;
		forget_locked(c);
	}
	pthread_mutex_unlock(&codes_mu);
}

static void ends(DWORD code)
{
	struct code *c = my_code;
	my_code = NULL;
	if (c == NULL)
		return;
	pthread_mutex_lock(&codes_mu);
	c->code = code;
	c->ended = 1;
	forget_locked(c);
	pthread_mutex_unlock(&codes_mu);
}

struct birth { LPTHREAD_START_ROUTINE f; LPVOID arg; sem_t born; DWORD thread; uint32_t error; struct code *code; };

static void *begin(void *p)
{
	struct birth *b = p;
	LPTHREAD_START_ROUTINE f = b->f;
	LPVOID arg = b->arg;
	struct st_hello h;
	b->error = st_identity(&h);
	if (b->error != 0) {
		sem_post(&b->born);
		return NULL;
	}
	b->thread = h.thread;
	my_code = b->code;
	sem_post(&b->born); /* b is gone from here on */
	while (sem_wait(&my_code->go) != 0)
		;
	ends(f(arg));
	return NULL;
}

ST_EXPORT HANDLE CreateThread(LPSECURITY_ATTRIBUTES sa, SIZE_T stack, LPTHREAD_START_ROUTINE f, LPVOID arg, DWORD flags, LPDWORD id)
{
	static const char *const op = "CreateThread";
	struct birth b;
	pthread_attr_t attr;
	pthread_t t;
	HANDLE h;
	int e;
	if (f == NULL || (flags & ~(CREATE_SUSPENDED | STACK_SIZE_PARAM_IS_A_RESERVATION)) != 0) {
		st_fail(op, ERROR_INVALID_PARAMETER);
		return NULL;
	}
	if (flags & CREATE_SUSPENDED) {
		st_fail(op, ERROR_NOT_SUPPORTED);
		return NULL;
	}
	b.f = f;
	b.arg = arg;
	b.error = 0;
	if ((b.code = calloc(1, sizeof *b.code)) == NULL) {
		st_fail(op, ERROR_NOT_ENOUGH_MEMORY);
		return NULL;
	}
	b.code->code = STILL_ACTIVE;
	sem_init(&b.code->go, 0, 0);
	sem_init(&b.born, 0, 0);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (stack >= (SIZE_T)PTHREAD_STACK_MIN)
		pthread_attr_setstacksize(&attr, (stack + 4095) & ~(SIZE_T)4095);
	e = pthread_create(&t, &attr, begin, &b);
	pthread_attr_destroy(&attr);
	if (e == 0)
		while (sem_wait(&b.born) != 0)
			;
	sem_destroy(&b.born);
	if (e != 0 || b.error != 0) {
		sem_destroy(&b.code->go);
		free(b.code);
		st_fail(op, e != 0 ? ERROR_NOT_ENOUGH_MEMORY : b.error);
		return NULL;
	}
	if (id != NULL)
		*id = b.thread;
	h = OpenThread(THREAD_ALL_ACCESS, st_inherit(sa), b.thread);
	pthread_mutex_lock(&codes_mu);
	b.code->handle = h != NULL ? st_handle(h) : 0;
	b.code->next = codes;
	codes = b.code;
	pthread_mutex_unlock(&codes_mu);
	sem_post(&b.code->go); /* a thread that has begun waits until it is known */
	return h;
}

ST_EXPORT void ExitThread(DWORD code)
{
	ends(code);
	pthread_exit(NULL);
}

/* GetExitCodeThread knows the threads of this process that CreateThread made,
 * by the handle it gave or a duplicate; of any other thread only whether it
 * runs. */
ST_EXPORT BOOL GetExitCodeThread(HANDLE h, LPDWORD out)
{
	uint32_t open[64];
	DWORD known[64], wait, before = st_last_error;
	struct code *c;
	int n = 0, i;
	if (out == NULL)
		return st_fail("GetExitCodeThread", ERROR_INVALID_PARAMETER);
	wait = WaitForSingleObject(h, 0);
	if (wait == WAIT_FAILED)
		return FALSE;
	pthread_mutex_lock(&codes_mu);
	for (c = codes; c != NULL; c = c->next) {
		if (c->handle == st_handle(h)) {
			*out = wait == WAIT_OBJECT_0 ? c->code : STILL_ACTIVE;
			pthread_mutex_unlock(&codes_mu);
			return TRUE;
		}
		if (c->handle != 0 && c->ended && n < 64) {
			open[n] = c->handle;
			known[n++] = c->code;
		}
	}
	pthread_mutex_unlock(&codes_mu);
	*out = wait == WAIT_OBJECT_0 ? 0 : STILL_ACTIVE;
	for (i = 0; wait == WAIT_OBJECT_0 && i < n; i++)
		if (CompareObjectHandles(h, st_pointer(open[i]))) {
			*out = known[i];
			break;
		}
	st_last_error = before;
	return TRUE;
}

/* Tokens. */
ST_EXPORT BOOL OpenProcessToken(HANDLE process, DWORD access, PHANDLE out)
{
	struct api_OpenTokenRequest q;
	struct api_HandleReply v;
	struct st_reply r;
	if (out == NULL)
		return st_fail("OpenProcessToken", ERROR_INVALID_PARAMETER);
	q.Process = st_handle(process);
	q.Access = access;
	return stored(api_OpenProcessToken(&r, &q, &v), &r, &v, out);
}

ST_EXPORT BOOL DuplicateTokenEx(HANDLE token, DWORD access, LPSECURITY_ATTRIBUTES sa, SECURITY_IMPERSONATION_LEVEL level, TOKEN_TYPE type, PHANDLE out)
{
	struct api_DuplicateTokenRequest q;
	struct api_HandleReply v;
	struct st_reply r;
	if (out == NULL)
		return st_fail("DuplicateTokenEx", ERROR_INVALID_PARAMETER);
	q.Token = st_handle(token);
	q.Access = access;
	q.Level = (uint32_t)level;
	q.Type = (uint32_t)type;
	q.Inherit = st_inherit(sa);
	return stored(api_DuplicateToken(&r, &q, &v), &r, &v, out);
}

ST_EXPORT BOOL DuplicateToken(HANDLE token, SECURITY_IMPERSONATION_LEVEL level, PHANDLE out)
{
	return DuplicateTokenEx(token, TOKEN_IMPERSONATE | TOKEN_QUERY, NULL, level, TokenImpersonation, out);
}

ST_EXPORT BOOL SetTokenInformation(HANDLE token, TOKEN_INFORMATION_CLASS class, LPVOID info, DWORD len)
{
	struct api_SetTokenSessionRequest q;
	struct st_reply r;
	if (info == NULL)
		return st_fail("SetTokenInformation", ERROR_INVALID_PARAMETER);
	if (class != TokenSessionId)
		return st_fail("SetTokenInformation", ERROR_CALL_NOT_IMPLEMENTED);
	if (len != 4)
		return st_fail("SetTokenInformation", ERROR_BAD_LENGTH);
	q.Token = st_handle(token);
	memcpy(&q.SessionID, info, 4);
	if (!st_result(api_SetTokenSession(&r, &q)))
		return FALSE;
	st_free(&r);
	return TRUE;
}

ST_EXPORT BOOL ImpersonateLoggedOnUser(HANDLE token)
{
	struct api_HandleRequest q;
	struct st_reply r;
	q.Handle = st_handle(token);
	if (!st_result(api_ImpersonateLoggedOnUser(&r, &q)))
		return FALSE;
	st_free(&r);
	return TRUE;
}

ST_EXPORT BOOL RevertToSelf(void)
{
	struct st_reply r;
	if (!st_result(api_RevertToSelf(&r)))
		return FALSE;
	st_free(&r);
	return TRUE;
}

ST_EXPORT BOOL OpenThreadToken(HANDLE thread, DWORD access, BOOL self, PHANDLE out)
{
	struct api_OpenThreadTokenRequest q;
	struct api_HandleReply v;
	struct st_reply r;
	if (out == NULL)
		return st_fail("OpenThreadToken", ERROR_INVALID_PARAMETER);
	q.Thread = st_handle(thread);
	q.Access = access;
	q.AsSelf = self != 0;
	return stored(api_OpenThreadToken(&r, &q, &v), &r, &v, out);
}

ST_EXPORT BOOL ImpersonateSelf(SECURITY_IMPERSONATION_LEVEL level)
{
	struct api_ImpersonateSelfRequest q;
	struct st_reply r;
	q.Level = (uint32_t)level;
	if (!st_result(api_ImpersonateSelf(&r, &q)))
		return FALSE;
	st_free(&r);
	return TRUE;
}

/* Only the calling thread can be meant: a connection speaks for itself. */
ST_EXPORT BOOL ImpersonateAnonymousToken(HANDLE thread)
{
	struct st_reply r;
	if (thread != GetCurrentThread())
		return st_fail("ImpersonateAnonymousToken", ERROR_NOT_SUPPORTED);
	if (!st_result(api_ImpersonateAnonymousToken(&r)))
		return FALSE;
	st_free(&r);
	return TRUE;
}

ST_EXPORT BOOL AllocateLocallyUniqueId(PLUID out)
{
	struct api_LUIDReply v;
	struct st_reply r;
	if (out == NULL)
		return st_fail("AllocateLocallyUniqueId", ERROR_INVALID_PARAMETER);
	if (!st_result(api_AllocateLocallyUniqueId(&r, &v)))
		return FALSE;
	st_free(&r);
	memcpy(out, &v.LUID, sizeof *out);
	return TRUE;
}

#define LOGON(F, L, STR) \
	ST_EXPORT BOOL LogonUser##F(STR user, STR domain, STR password, DWORD type, DWORD provider, PHANDLE out) \
	{ \
		struct api_LogonUserRequest q; \
		struct api_HandleReply v; \
		struct st_reply r; \
		struct st_arg u, d, p; \
		uint32_t code = st_arg_##L(&u, user), e; \
		BOOL ok = FALSE; \
		(void)provider; \
		if ((e = st_arg_##L(&d, domain)) != 0) code = e; \
		if ((e = st_arg_##L(&p, password)) != 0) code = e; \
		if (code == 0 && (user == NULL || out == NULL)) code = ERROR_INVALID_PARAMETER; \
		if (code != 0) \
			st_fail("LogonUser", code); \
		else { \
			q.Name = u.s; \
			q.Domain = d.s; \
			q.Password = p.s; \
			q.Type = type; \
			ok = stored(api_LogonUser(&r, &q, &v), &r, &v, out); \
		} \
		if (p.own != NULL) \
			explicit_bzero(p.own, p.s.n); \
		st_arg_free(&u); \
		st_arg_free(&d); \
		st_arg_free(&p); \
		return ok; \
	}
LOGON(A, a, LPCSTR)
LOGON(W, w, LPCWSTR)

/* sids lays out {count, {PSID, attributes}…} with the SIDs behind, from the
 * daemon's {count, {attributes, SID}…}. counted says whether the structure
 * begins with the count. */
static size_t sids(const uint8_t *p, uint32_t len, uint32_t count, int counted, uint8_t *out)
{
	size_t head = (counted ? 8 : 0) + 16 * (size_t)(count != 0 || !counted ? count : 1), at = head;
	uint32_t i;
	const uint8_t *end = p + len;
	if (out != NULL) {
		memset(out, 0, head);
		if (counted)
			memcpy(out, &count, 4);
	}
	for (i = 0; i < count && end - p >= 12; i++) {
		size_t n = st_sid_length(p + 4);
		if ((size_t)(end - p) < 4 + n)
			break;
		if (out != NULL) {
			SID_AND_ATTRIBUTES s;
			memset(&s, 0, sizeof s);
			s.Sid = (PSID)(void *)(out + at);
			memcpy(&s.Attributes, p, 4);
			memcpy(out + (counted ? 8 : 0) + 16 * (size_t)i, &s, sizeof s);
			memcpy(out + at, p + 4, n);
		}
		at += (n + 7) & ~(size_t)7;
		p += 4 + n;
	}
	return at;
}

/* pointed lays out {pointer} with the data behind. */
static size_t pointed(const struct st_str *s, uint8_t *out)
{
	if (out != NULL) {
		void *to = s->n != 0 ? out + sizeof(void *) : NULL;
		memcpy(out, &to, sizeof to);
		memcpy(out + sizeof to, s->p, s->n);
	}
	return sizeof(void *) + s->n;
}

static size_t token_layout(TOKEN_INFORMATION_CLASS class, const struct st_str *d, uint8_t *out)
{
	const uint8_t *p = (const uint8_t *)d->p;
	switch ((int)class) {
	case TokenUser:
	case TokenIntegrityLevel:
		return sids(p, d->n, 1, 0, out);
	case TokenGroups:
	case TokenRestrictedSids:
	case TokenLogonSid:
		return d->n < 4 ? 0 : sids(p + 4, d->n - 4, st_le32(p), 1, out);
	case TokenOwner:
	case TokenPrimaryGroup:
	case TokenDefaultDacl:
		return pointed(d, out);
	case TokenLinkedToken: {
		HANDLE h = d->n >= 4 ? st_pointer(st_le32(p)) : NULL;
		if (out != NULL)
			memcpy(out, &h, sizeof h);
		return sizeof h;
	}
	}
	if (out != NULL)
		memcpy(out, d->p, d->n);
	return d->n;
}

ST_EXPORT BOOL GetTokenInformation(HANDLE token, TOKEN_INFORMATION_CLASS class, LPVOID info, DWORD len, PDWORD needed)
{
	static const char *const op = "GetTokenInformation";
	struct api_IndexRequest q;
	struct api_TokenReply v;
	struct st_reply r;
	size_t n;
	BOOL ok = TRUE;
	if (needed == NULL || (info == NULL && len != 0))
		return st_fail(op, ERROR_NOACCESS);
	if (class == TokenLinkedToken && len < sizeof(HANDLE)) { /* a handle must not be made in vain */
		*needed = sizeof(HANDLE);
		return st_fail(op, ERROR_INSUFFICIENT_BUFFER);
	}
	q.Handle = st_handle(token);
	q.Index = (uint32_t)class;
	if (!st_result(api_GetTokenInformation(&r, &q, &v)))
		return FALSE;
	n = token_layout(class, &v.Data, NULL);
	*needed = (DWORD)n;
	if (len < n)
		ok = st_fail(op, ERROR_INSUFFICIENT_BUFFER);
	else if (n != 0)
		token_layout(class, &v.Data, info);
	st_free(&r);
	return ok;
}
