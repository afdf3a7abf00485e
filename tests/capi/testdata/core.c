/* SPDX-License-Identifier: Apache-2.0 */
/* Runs in a user's session: stations, desktops, handles, objects, tokens. */
#define _GNU_SOURCE
#include "check.h"
#include <wtsapi32.h>

static int seen, found_default, stop_after;

static BOOL CALLBACK desktop_w(LPWSTR name, LPARAM l)
{
	static const WCHAR want[] = u"Default";
	seen++;
	if (l == 42 && lstrcmpiW(name, want) == 0)
		found_default = 1;
	return stop_after == 0 || seen < stop_after;
}

static BOOL CALLBACK station_a(LPSTR name, LPARAM l)
{
	HWINSTA again = OpenWindowStationA(name, FALSE, 0); /* calls in again */
	if (again != NULL)
		CloseWindowStation(again);
	(void)l;
	seen++;
	return 7;
}

static void stations(void)
{
	HWINSTA own, s, auto1;
	HANDLE dup;
	DWORD n = 99;
	char name[64];
	WCHAR wide[64];
	USEROBJECTFLAGS flags;

	BEGIN("WS-33/own station");
	KEEPS((own = GetProcessWindowStation()) != NULL);
	WANT(own == GetProcessWindowStation());
	WANT((UINT_PTR)own % 4 == 0 && (UINT_PTR)own > 0 && (UINT_PTR)own < 0x10000000); /* ABI-15 */
	KEEPS(GetUserObjectInformationA(own, UOI_NAME, name, sizeof name, &n));
	WANT(strcmp(name, "WinSta0") == 0 && n == 8);
	END();

	BEGIN("UO-8/sizes");
	FAILS(ERROR_INSUFFICIENT_BUFFER, GetUserObjectInformationA(own, UOI_NAME, name, 7, &n));
	WANT(n == 16); /* the Unicode size (UO-9) */
	FAILS(ERROR_INSUFFICIENT_BUFFER, GetUserObjectInformationW(own, UOI_NAME, wide, 15, &n));
	WANT(n == 16);
	KEEPS(GetUserObjectInformationW(own, UOI_NAME, wide, 16, &n));
	WANT(lstrcmpW(wide, u"WinSta0") == 0);
	KEEPS(GetUserObjectInformationA(own, UOI_TYPE, name, sizeof name, NULL));
	WANT(strcmp(name, "WindowStation") == 0);
	END();

	BEGIN("UO-10/order");
	n = 99;
	FAILS(ERROR_NOACCESS, GetUserObjectInformationW(NULL, UOI_NAME, NULL, 4, &n));
	WANT(n == 99);
	FAILS(ERROR_NOACCESS, GetUserObjectInformationA(NULL, UOI_FLAGS, NULL, 4, &n));
	FAILS(ERROR_INVALID_HANDLE, GetUserObjectInformationW(NULL, UOI_NAME, wide, 4, &n));
	WANT(n == 0);
	n = 99;
	FAILS(ERROR_INVALID_PARAMETER, GetUserObjectInformationW(own, 66, wide, 4, &n));
	WANT(n == 0);
	FAILS(ERROR_INSUFFICIENT_BUFFER, GetUserObjectInformationW(own, UOI_FLAGS, &flags, 4, &n));
	WANT(n == sizeof flags);
	KEEPS(GetUserObjectInformationW(own, UOI_FLAGS, &flags, sizeof flags, &n));
	WANT(flags.dwFlags == WSF_VISIBLE && n == 12);
	END();

	BEGIN("WS-37/closing the own station");
	FAILS(ERROR_ACCESS_DENIED, CloseWindowStation(own));
	FAILS(ERROR_INVALID_HANDLE, CloseHandle(own));
	FAILS(ERROR_INVALID_HANDLE, CloseWindowStation(NULL));
	FAILS(ERROR_INVALID_HANDLE, CloseWindowStation((HWINSTA)(UINT_PTR)0xDEADBEEF00ul));
	KEEPS(DuplicateHandle(GetCurrentProcess(), own, GetCurrentProcess(), &dup, 0, FALSE, DUPLICATE_SAME_ACCESS));
	WANT(CompareObjectHandles(dup, own));
	KEEPS(CloseWindowStation(dup));
	END();

	BEGIN("WS-30/open");
	FAILS(ERROR_FILE_NOT_FOUND, OpenWindowStationA("no such station", FALSE, WINSTA_ENUMERATE));
	FAILS(ERROR_NO_UNICODE_TRANSLATION, OpenWindowStationA("\xff\xfe", FALSE, 0)); /* ABI-40 */
	KEEPS((s = OpenWindowStationW(u"wINsTA0", TRUE, WINSTA_ENUMERATE)) != NULL);
	KEEPS(GetHandleInformation(s, &n));
	WANT(n == HANDLE_FLAG_INHERIT);
	KEEPS(SetHandleInformation(s, HANDLE_FLAG_INHERIT, 0));
	KEEPS(GetUserObjectInformationA(s, UOI_FLAGS, &flags, sizeof flags, NULL));
	WANT(!flags.fInherit);
	KEEPS(CloseHandle(s));
	FAILS(ERROR_INVALID_HANDLE, CloseHandle(s));
	END();

	BEGIN("WS-23/create");
	FAILS(ERROR_PATH_NOT_FOUND, CreateWindowStationA("a\\b", 0, WINSTA_ALL_ACCESS, NULL));
	FAILS(ERROR_INVALID_PARAMETER, CreateWindowStationA(NULL, 2, WINSTA_ALL_ACCESS, NULL));
	FAILS(ERROR_ACCESS_DENIED, CreateWindowStationA("named", 0, WINSTA_ALL_ACCESS, NULL)); /* WS-15 */
	SetLastError(MARK);
	auto1 = CreateWindowStationW(NULL, 0, MAXIMUM_ALLOWED, NULL);
	WANT(auto1 != NULL && (GetLastError() == 0 || GetLastError() == MARK));
	KEEPS(CloseWindowStation(auto1));
	END();

	BEGIN("WS-31/enumeration");
	seen = 0;
	KEEPS(EnumWindowStationsA(station_a, 1) == 7); /* the callback's value (ABI-53) */
	WANT(seen >= 1);
	FAILS(ERROR_INVALID_PARAMETER, EnumWindowStationsW(NULL, 0));
	END();
}

static void desktops(void)
{
	HDESK d, e, mine;
	DWORD n;
	char name[64];
	PSECURITY_DESCRIPTOR sd;
	SECURITY_INFORMATION dacl = DACL_SECURITY_INFORMATION;

	BEGIN("DT-16/create");
	KEEPS((d = CreateDesktopA("c-\xC3\xA9t\xC3\xA9", NULL, NULL, 0, MAXIMUM_ALLOWED, NULL)) != NULL);
	KEEPS((e = CreateDesktopW(u"C-\u00C9T\u00C9", NULL, NULL, 0, MAXIMUM_ALLOWED, NULL)) != NULL); /* ABI-42, DT-3 */
	WANT(d != e && CompareObjectHandles(d, e));
	KEEPS(GetUserObjectInformationA(e, UOI_NAME, name, sizeof name, &n));
	WANT(strcmp(name, "c-\xC3\xA9t\xC3\xA9") == 0);
	FAILS(ERROR_INVALID_HANDLE, CreateDesktopA("", NULL, NULL, 0, MAXIMUM_ALLOWED, NULL));
	FAILS(ERROR_BAD_PATHNAME, CreateDesktopA("a\\b", NULL, NULL, 0, MAXIMUM_ALLOWED, NULL));
	FAILS(ERROR_INVALID_PARAMETER, CreateDesktopA("x", "device", NULL, 0, MAXIMUM_ALLOWED, NULL));
	FAILS(ERROR_INVALID_PARAMETER, CreateDesktopExA("x", NULL, NULL, 0, MAXIMUM_ALLOWED, NULL, 10, NULL));
	FAILS(ERROR_ACCESS_DENIED, CreateDesktopA("y", NULL, NULL, 0, DESKTOP_ENUMERATE, NULL)); /* DT-17 */
	KEEPS(CloseDesktop(e));
	END();

	BEGIN("DT-33/thread desktop");
	FAILS(ERROR_INVALID_PARAMETER, GetThreadDesktop(0));
	KEEPS((mine = GetThreadDesktop(GetCurrentThreadId())) != NULL);
	FAILS(ERROR_BUSY, CloseDesktop(mine)); /* DT-39 */
	FAILS(ERROR_INVALID_HANDLE, CloseHandle(mine));
	KEEPS(SetThreadDesktop(d));
	WANT(GetThreadDesktop(GetCurrentThreadId()) == d);
	FAILS(ERROR_BUSY, CloseDesktop(d));
	KEEPS(SetThreadDesktop(mine));
	FAILS(ERROR_INVALID_HANDLE, SetThreadDesktop(NULL));
	END();

	BEGIN("DT-30/enumeration");
	seen = 0;
	KEEPS(EnumDesktopsW(NULL, desktop_w, 42));
	WANT(found_default && seen >= 2);
	seen = 0;
	stop_after = 1;
	SetLastError(MARK);
	WANT(!EnumDesktopsW(GetProcessWindowStation(), desktop_w, 42) && seen == 1 && GetLastError() == MARK);
	FAILS(ERROR_INVALID_HANDLE, EnumDesktopsW((HWINSTA)INVALID_HANDLE_VALUE, desktop_w, 0));
	END();

	BEGIN("DT-29/open");
	FAILS(ERROR_FILE_NOT_FOUND, OpenDesktopA("nothing", 0, FALSE, GENERIC_READ));
	FAILS(ERROR_ACCESS_DENIED, OpenDesktopA("Winlogon", 0, FALSE, GENERIC_READ));
	KEEPS((e = OpenInputDesktop(0, FALSE, DESKTOP_READOBJECTS)) != NULL);
	KEEPS(CloseDesktop(e));
	END();

	BEGIN("UO-15/security");
	FAILS(ERROR_INSUFFICIENT_BUFFER, GetUserObjectSecurity(d, &dacl, NULL, 0, &n));
	sd = malloc(n);
	KEEPS(GetUserObjectSecurity(d, &dacl, sd, n, &n));
	WANT(IsValidSecurityDescriptor(sd));
	KEEPS(SetUserObjectSecurity(d, &dacl, sd));
	free(sd);
	KEEPS(CloseDesktop(d));
	FAILS(ERROR_FILE_NOT_FOUND, OpenDesktopW(u"c-\u00E9t\u00E9", 0, FALSE, GENERIC_READ)); /* DT-41 */
	END();
}

static HANDLE mutex;

static DWORD WINAPI worker(LPVOID arg)
{
	WaitForSingleObject(mutex, INFINITE);
	SetEvent((HANDLE)arg);
	return 0x12345678; /* ends without releasing */
}

static void objects(void)
{
	HANDLE e, f, t, h[2];
	DWORD id, code;
	LONG before;
	LARGE_INTEGER due;
	char *p, *q;

	BEGIN("ABI-31/named objects");
	SetLastError(MARK);
	WANT((e = CreateEventA(NULL, TRUE, FALSE, "Local\\c-event")) != NULL && GetLastError() == 0);
	SetLastError(MARK);
	WANT((f = CreateEventW(NULL, TRUE, FALSE, u"Local\\c-event")) != NULL && GetLastError() == ERROR_ALREADY_EXISTS);
	KEEPS(WaitForSingleObject(f, 0) == WAIT_TIMEOUT);
	KEEPS(SetEvent(e));
	KEEPS(WaitForSingleObject(f, INFINITE) == WAIT_OBJECT_0);
	FAILS(ERROR_FILE_NOT_FOUND, OpenEventA(SYNCHRONIZE, FALSE, "Local\\C-EVENT")); /* case matters */
	CloseHandle(f);
	FAILS(ERROR_INVALID_HANDLE, WaitForSingleObject(f, 0) != WAIT_FAILED);
	END();

	BEGIN("SYN-8/thread and mutex");
	mutex = CreateMutexA(NULL, FALSE, NULL);
	FAILS(ERROR_NOT_OWNER, ReleaseMutex(mutex));
	f = CreateEventA(NULL, FALSE, FALSE, NULL);
	KEEPS((t = CreateThread(NULL, 0, worker, f, 0, &id)) != NULL);
	WANT(id >= 0x40000000 && id != GetCurrentThreadId());
	WANT(WaitForSingleObject(f, 20000) == WAIT_OBJECT_0);
	WANT(WaitForSingleObject(t, 20000) == WAIT_OBJECT_0);
	KEEPS(GetExitCodeThread(t, &code));
	WANT(code == 0x12345678);
	WANT(WaitForSingleObject(mutex, 20000) == WAIT_ABANDONED);
	KEEPS(ReleaseMutex(mutex));
	h[0] = f;
	h[1] = e;
	KEEPS(WaitForMultipleObjects(2, h, FALSE, 1000) == WAIT_OBJECT_0 + 1);
	FAILS(ERROR_INVALID_PARAMETER, WaitForMultipleObjects(0, h, FALSE, 0) != WAIT_FAILED);
	FAILS(ERROR_INVALID_PARAMETER, WaitForMultipleObjects(65, h, FALSE, 0) != WAIT_FAILED);
	CloseHandle(t);
	CloseHandle(mutex);
	CloseHandle(e);
	END();

	BEGIN("SYN-9/semaphore and timer");
	FAILS(ERROR_INVALID_PARAMETER, CreateSemaphoreA(NULL, 2, 1, NULL) != NULL);
	e = CreateSemaphoreW(NULL, 1, 2, NULL);
	KEEPS(ReleaseSemaphore(e, 1, &before));
	WANT(before == 1);
	FAILS(ERROR_TOO_MANY_POSTS, ReleaseSemaphore(e, 1, NULL));
	KEEPS(SignalObjectAndWait(f, e, 1000, FALSE) == WAIT_OBJECT_0);
	CloseHandle(e);
	CloseHandle(f);
	e = CreateWaitableTimerA(NULL, TRUE, NULL);
	due.QuadPart = -10000; /* 1 ms */
	KEEPS(SetWaitableTimer(e, &due, 0, NULL, NULL, FALSE));
	WANT(WaitForSingleObject(e, 20000) == WAIT_OBJECT_0);
	CloseHandle(e);
	END();

	BEGIN("SYN-11/section");
	KEEPS((e = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 8192, NULL)) != NULL);
	KEEPS((p = MapViewOfFile(e, FILE_MAP_WRITE, 0, 0, 0)) != NULL);
	KEEPS((q = MapViewOfFile(e, FILE_MAP_READ, 0, 0, 4096)) != NULL);
	if (p != NULL && q != NULL) {
		strcpy(p, "shared");
		WANT(p != q && strcmp(q, "shared") == 0);
		KEEPS(UnmapViewOfFile(p));
		KEEPS(UnmapViewOfFile(q));
	}
	FAILS(ERROR_INVALID_ADDRESS, UnmapViewOfFile(p));
	FAILS(ERROR_INVALID_PARAMETER, CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 0, NULL) != NULL);
	CloseHandle(e);
	END();
}

static void processes(void)
{
	STARTUPINFOA si;
	PROCESS_INFORMATION pi;
	HANDLE token;
	DWORD n, code, session;
	char line[] = "/bin/sh -c \"exit 7\"", missing[] = "no-such-program", buffer[1024];
	TOKEN_USER *user = (TOKEN_USER *)(void *)buffer;

	BEGIN("ABI-60/process");
	memset(&si, 0, sizeof si);
	si.cb = sizeof si;
	KEEPS(CreateProcessA(NULL, line, NULL, NULL, FALSE, 0, NULL, NULL, &si, &pi));
	WANT(WaitForSingleObject(pi.hProcess, 20000) == WAIT_OBJECT_0);
	KEEPS(GetExitCodeProcess(pi.hProcess, &code));
	WANT(code == 7 && pi.dwProcessId != 0);
	CloseHandle(pi.hThread);
	CloseHandle(pi.hProcess);
	n = (DWORD)readlink("/proc/self/exe", buffer, 900);
	strcpy(buffer + n, " \"an exit code\"");
	KEEPS(CreateProcessA(NULL, buffer, NULL, NULL, FALSE, 0, NULL, NULL, &si, &pi));
	WANT(WaitForSingleObject(pi.hProcess, 20000) == WAIT_OBJECT_0);
	KEEPS(GetExitCodeProcess(pi.hProcess, &code));
	WANT(code == 0x12345678); /* ABI-62 */
	CloseHandle(pi.hThread);
	CloseHandle(pi.hProcess);
	FAILS(ERROR_FILE_NOT_FOUND, CreateProcessA(NULL, missing, NULL, NULL, FALSE, 0, NULL, NULL, &si, &pi));
	FAILS(ERROR_INVALID_PARAMETER, OpenProcess(PROCESS_ALL_ACCESS, FALSE, 0x7FFFFFF0) != NULL);
	KEEPS(ProcessIdToSessionId(GetCurrentProcessId(), &session));
	WANT(session == station_current_session());
	END();

	BEGIN("SE-20/token");
	KEEPS(OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token));
	FAILS(ERROR_INSUFFICIENT_BUFFER, GetTokenInformation(token, TokenUser, NULL, 0, &n));
	KEEPS(GetTokenInformation(token, TokenUser, buffer, sizeof buffer, &n));
	WANT(user->User.Sid->Revision == 1 && user->User.Sid->SubAuthorityCount > 0 && (char *)user->User.Sid == buffer + 16);
	KEEPS(GetTokenInformation(token, TokenSessionId, &code, sizeof code, &n));
	WANT(code == session && n == 4);
	FAILS(ERROR_INVALID_PARAMETER, GetTokenInformation(token, (TOKEN_INFORMATION_CLASS)99, buffer, sizeof buffer, &n));
	CloseHandle(token);
	END();

	BEGIN("SE-27/impersonation");
	FAILS(ERROR_NO_TOKEN, OpenThreadToken(GetCurrentThread(), TOKEN_QUERY, FALSE, &token));
	KEEPS(ImpersonateSelf(SecurityImpersonation));
	KEEPS(OpenThreadToken(GetCurrentThread(), TOKEN_QUERY, TRUE, &token));
	KEEPS(GetTokenInformation(token, TokenImpersonationLevel, &code, sizeof code, &n));
	WANT(code == SecurityImpersonation);
	CloseHandle(token);
	KEEPS(RevertToSelf());
	FAILS(ERROR_NO_TOKEN, OpenThreadToken(GetCurrentThread(), TOKEN_QUERY, FALSE, &token));
	END();
}

static void wts(void)
{
	PWTS_SESSION_INFOW list;
	WTS_SESSION_INFO_1A *ex;
	DWORD n, i, bytes = 77, level = 1, own = station_current_session();
	LPSTR text;
	LPWSTR wide;
	HANDLE token = (HANDLE)8;
	int found = 0;

	BEGIN("WTS-5/sessions");
	KEEPS(WTSEnumerateSessionsW(WTS_CURRENT_SERVER_HANDLE, 0, 1, &list, &n));
	for (i = 0; i < n; i++)
		found += list[i].SessionId == own && list[i].State == WTSActive;
	WANT(found == 1);
	WTSFreeMemory(list);
	FAILS(ERROR_INVALID_PARAMETER, WTSEnumerateSessionsW(NULL, 0, 2, &list, &n));
	KEEPS(WTSEnumerateSessionsExA(NULL, &level, 0, &ex, &n));
	for (i = 0, found = 0; i < n; i++)
		found += ex[i].SessionId == own && ex[i].pUserName != NULL && strcmp(ex[i].pUserName, "alice") == 0;
	WANT(found == 1);
	KEEPS(WTSFreeMemoryExA(WTSTypeSessionInfoLevel1, ex, n));
	END();

	BEGIN("WTS-8/query");
	KEEPS(WTSQuerySessionInformationA(NULL, WTS_CURRENT_SESSION, WTSUserName, &text, &bytes));
	WANT(strcmp(text, "alice") == 0 && bytes == 6);
	WTSFreeMemory(text);
	KEEPS(WTSQuerySessionInformationW(NULL, own, WTSUserName, &wide, &bytes));
	WANT(lstrcmpW(wide, u"alice") == 0 && bytes == 12);
	WTSFreeMemory(wide);
	bytes = 77;
	FAILS(ERROR_INVALID_USER_BUFFER, WTSQuerySessionInformationA(NULL, own, WTSUserName, NULL, &bytes));
	WANT(bytes == 77);
	FAILS(ERROR_CTX_WINSTATION_NOT_FOUND, WTSQuerySessionInformationA(NULL, 9999, WTSUserName, &text, &bytes));
	END();

	BEGIN("WTS-20/user token is LocalSystem's");
	FAILS(ERROR_PRIVILEGE_NOT_HELD, WTSQueryUserToken(own, &token));
	WANT(token == NULL); /* WTS-21 */
	END();
}

static void library(void)
{
	WCHAR wide[8];
	char back[16], text[80];
	LPSTR given;

	BEGIN("ABI-5/later tiers");
	FAILS(ERROR_CALL_NOT_IMPLEMENTED, CreateWindowExA(0, "c", "t", 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL) != NULL);
	FAILS(ERROR_CALL_NOT_IMPLEMENTED, CreateFileA("x", 0, 0, NULL, 0, 0, NULL) != INVALID_HANDLE_VALUE);
	WANT(station_is_implemented("CreateDesktopW") && !station_is_implemented("CreateWindowExA") && !station_is_implemented("nonsense"));
	END();

	BEGIN("ABI-22/modules");
	WANT(GetModuleHandleA("KERNEL32.dll") != NULL && GetModuleHandleW(u"User32") != NULL && GetModuleHandleA(NULL) != NULL);
	WANT(GetProcAddress(GetModuleHandleA("user32"), "CreateDesktopA") == (FARPROC)(void (*)(void))CreateDesktopA); /* ABI-23 */
	FAILS(ERROR_PROC_NOT_FOUND, GetProcAddress(GetModuleHandleA("user32"), "NoSuch") != NULL);
	END();

	BEGIN("ABI-40/text");
	KEEPS(MultiByteToWideChar(CP_UTF8, 0, "\xF0\x9F\x98\x80!", -1, wide, 8) == 4);
	WANT(wide[0] == 0xD83D && wide[1] == 0xDE00 && wide[2] == '!' && wide[3] == 0);
	KEEPS(WideCharToMultiByte(CP_UTF8, 0, wide, -1, back, sizeof back, NULL, NULL) == 6);
	WANT(strcmp(back, "\xF0\x9F\x98\x80!") == 0);
	FAILS(ERROR_NO_UNICODE_TRANSLATION, MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, "\xC0\x80", 2, wide, 8));
	FAILS(ERROR_INSUFFICIENT_BUFFER, MultiByteToWideChar(CP_UTF8, 0, "abc", 3, wide, 2));
	KEEPS(FormatMessageA(FORMAT_MESSAGE_FROM_SYSTEM, NULL, 5, 0, text, sizeof text, NULL) == 19);
	WANT(strcmp(text, "Access is denied.\r\n") == 0);
	KEEPS(FormatMessageA(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_ALLOCATE_BUFFER, NULL, 6, 0, (LPSTR)(void *)&given, 0, NULL));
	WANT(strcmp(given, "The handle is invalid.\r\n") == 0);
	LocalFree(given);
	END();
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "an exit code") == 0)
		ExitProcess(0x12345678);
	WANT(GetLastError() == 0); /* ABI-30 */
	stations();
	desktops();
	objects();
	processes();
	wts();
	library();
	printf("done\n");
	return 0;
}
