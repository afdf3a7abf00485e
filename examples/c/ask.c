/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A service that asks the logged-on user. A service has no screen of its own:
 * what it shows on its desktop nobody sees. WTSSendMessage shows a box in the
 * session of whoever is logged on, wherever they sit.
 *
 *   station service create ask "/path/to/ask"
 *   station service start ask
 */
#include <windows.h>
#include <wtsapi32.h>
#include <stdio.h>
#include <string.h>

static SERVICE_STATUS_HANDLE handle;
static HANDLE stop;

static void tell(DWORD state, DWORD exitcode)
{
	SERVICE_STATUS s;
	memset(&s, 0, sizeof s);
	s.dwServiceType = SERVICE_WIN32_OWN_PROCESS;
	s.dwCurrentState = state;
	s.dwControlsAccepted = state == SERVICE_RUNNING ? SERVICE_ACCEPT_STOP : 0;
	s.dwWin32ExitCode = exitcode;
	SetServiceStatus(handle, &s);
}

static DWORD WINAPI control(DWORD code, DWORD event, LPVOID data, LPVOID context)
{
	(void)event, (void)data, (void)context;
	if (code == SERVICE_CONTROL_STOP) {
		tell(SERVICE_STOP_PENDING, 0);
		SetEvent(stop);
	}
	return code == SERVICE_CONTROL_STOP || code == SERVICE_CONTROL_INTERROGATE ? NO_ERROR : ERROR_CALL_NOT_IMPLEMENTED;
}

static void ask(DWORD session)
{
	char title[] = "Maintenance", text[] = "May the backup start now?";
	DWORD answer = 0;
	if (!WTSSendMessageA(WTS_CURRENT_SERVER_HANDLE, session, title, sizeof title - 1, text, sizeof text - 1,
		MB_YESNO | MB_ICONQUESTION, 60, &answer, TRUE))
		printf("session %u: cannot ask: %u\n", session, GetLastError());
	else
		printf("session %u: %s\n", session, answer == IDYES ? "yes" : answer == IDNO ? "no" : "no answer");
	fflush(stdout);
}

static void WINAPI service_main(DWORD argc, LPSTR *argv)
{
	PWTS_SESSION_INFOA sessions;
	DWORD n, i;
	handle = RegisterServiceCtrlHandlerExA(argv[0], control, NULL);
	if (handle == NULL)
		return;
	stop = CreateEventA(NULL, TRUE, FALSE, NULL);
	tell(SERVICE_RUNNING, 0);
	printf("%s runs with %u arguments\n", argv[0], argc);
	fflush(stdout);
	if (WTSEnumerateSessionsA(WTS_CURRENT_SERVER_HANDLE, 0, 1, &sessions, &n)) {
		for (i = 0; i < n; i++)
			if (sessions[i].State == WTSActive)
				ask(sessions[i].SessionId);
		WTSFreeMemory(sessions);
	}
	WaitForSingleObject(stop, INFINITE);
	tell(SERVICE_STOPPED, 0);
}

int main(void)
{
	char name[] = "ask";
	SERVICE_TABLE_ENTRYA table[] = {{name, service_main}, {NULL, NULL}};
	if (!StartServiceCtrlDispatcherA(table)) {
		fprintf(stderr, "ask is a service: start it with `station service start` (%u)\n", GetLastError());
		return 1;
	}
	return 0;
}
