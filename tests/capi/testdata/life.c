/* SPDX-License-Identifier: Apache-2.0 */
/* Fork, foreign threads, closed descriptors, signals; with an argument: a
 * daemon that is replaced (a line on standard input says when). */
#define _GNU_SOURCE
#include "check.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

static volatile sig_atomic_t signals;
static void on_signal(int n) { (void)n; signals++; }

static void *foreign(void *p)
{
	HANDLE *h = p;
	SetLastError(7);
	h[2] = (HANDLE)(UINT_PTR)GetCurrentThreadId();
	h[1] = (HANDLE)(UINT_PTR)(WaitForSingleObject(h[0], 20000) == WAIT_OBJECT_0);
	return NULL;
}

static int descriptors(void)
{
	int i, n = 0;
	for (i = 0; i < 1000; i++)
		n += fcntl(i, F_GETFD) >= 0;
	return n;
}

int main(int argc, char **argv)
{
	HANDLE e, m, h[3];
	pthread_t t;
	pid_t child;
	DWORD self, thread;
	int before = descriptors(), status, fd;
	char line[16];

	(void)argv;
	BEGIN("ABI-21/nothing at load");
	WANT(before == 3);
	self = GetCurrentProcessId();
	thread = GetCurrentThreadId();
	WANT(descriptors() == 4);
	END();
	if (argc > 1) {
		BEGIN("ABI-36/restart");
		e = CreateEventA(NULL, TRUE, FALSE, NULL);
		WANT(e != NULL);
		printf("waiting\n");
		fflush(stdout);
		FAILS(RPC_S_SERVER_UNAVAILABLE, WaitForSingleObject(e, INFINITE) != WAIT_FAILED);
		FAILS(RPC_S_SERVER_UNAVAILABLE, CreateEventA(NULL, TRUE, FALSE, NULL) != NULL);
		WANT(strstr(station_last_error_text(), "1722") != NULL);
		printf("lost\n");
		fflush(stdout);
		if (fgets(line, sizeof line, stdin) == NULL)
			return 1;
		FAILS(ERROR_INVALID_HANDLE, SetEvent(e)); /* the old connection's */
		KEEPS(GetProcessWindowStation() != NULL);
		KEEPS((e = CreateEventA(NULL, TRUE, TRUE, NULL)) != NULL);
		KEEPS(WaitForSingleObject(e, 0) == WAIT_OBJECT_0);
		WANT(GetCurrentProcessId() == self);
		END();
		printf("done\n");
		return 0;
	}

	BEGIN("ABI-50/foreign thread");
	h[0] = e = CreateEventA(NULL, TRUE, FALSE, NULL);
	SetLastError(3);
	pthread_create(&t, NULL, foreign, h);
	SetEvent(e);
	pthread_join(t, NULL);
	WANT(h[1] == (HANDLE)1 && h[2] != (HANDLE)(UINT_PTR)thread && GetLastError() == 3);
	WANT(descriptors() == 4); /* given up when it ended */
	END();

	BEGIN("ABI-63/fork");
	m = CreateMutexA(NULL, TRUE, NULL);
	fflush(stdout);
	child = fork();
	if (child == 0) {
		int bad = 0;
		bad |= GetCurrentProcessId() == self || GetCurrentThreadId() == thread ? 1 : 0;
		SetLastError(0);
		bad |= SetEvent(e) || GetLastError() != ERROR_INVALID_HANDLE ? 2 : 0; /* nothing inherited */
		bad |= GetProcessWindowStation() == NULL ? 4 : 0;
		bad |= descriptors() != 4 ? 8 : 0; /* the parent's socket is closed here */
		_exit(bad);
	}
	WANT(waitpid(child, &status, 0) == child && status == 0);
	if (status != 0)
		printf("child: %#x\n", status);
	KEEPS(ReleaseMutex(m)); /* the parent is still the same thread */
	WANT(GetCurrentThreadId() == thread);
	END();

	BEGIN("ABI-57/signals");
	{
		struct sigaction a;
		struct itimerval every = {{0, 2000}, {0, 2000}}, off = {{0, 0}, {0, 0}};
		HANDLE never = CreateEventA(NULL, TRUE, FALSE, NULL);
		memset(&a, 0, sizeof a);
		a.sa_handler = on_signal;
		sigaction(SIGALRM, &a, NULL);
		setitimer(ITIMER_REAL, &every, NULL);
		KEEPS(WaitForSingleObject(never, 200) == WAIT_TIMEOUT);
		setitimer(ITIMER_REAL, &off, NULL);
		WANT(signals > 3);
		CloseHandle(never);
	}
	END();

	BEGIN("ABI-36/closed descriptors");
	for (fd = 3; fd < 1000; fd++)
		close(fd);
	KEEPS(GetProcessWindowStation() != NULL);
	WANT(GetCurrentThreadId() != thread && GetCurrentProcessId() == self);
	KEEPS(SetEvent(e)); /* the process, and so its handles, is the same */
	/* The number is used for something else: nothing may be written to it. */
	for (fd = 3; fd < 1000; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			break;
	{
		int p[2];
		char got;
		WANT(pipe(p) == 0 && dup2(p[1], fd) == fd);
		close(p[1]);
		KEEPS(SetEvent(e));
		close(fd);
		WANT(read(p[0], &got, 1) == 0);
	}
	END();
	printf("done\n");
	return 0;
}
