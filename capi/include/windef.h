/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Basic types of the Win32 names, for 64-bit Linux. Rules ABI-10 to ABI-15 and
 * ABI-20 of docs/spec/cabi.md.
 */
#ifndef STATION_WINDEF_H
#define STATION_WINDEF_H

#include <stddef.h>
#include <stdint.h>
#include <stdarg.h>

/* STATION_ABI tells these headers from others with the same names. */
#define STATION_ABI 1

#if !defined(STRICT) && !defined(NO_STRICT)
#define STRICT 1
#endif

#ifdef __cplusplus
#define STATION_BEGIN extern "C" {
#define STATION_END }
#else
#define STATION_BEGIN
#define STATION_END
#endif

/* The platform's own calling convention (ABI-20). */
#define WINAPI
#define WINAPIV
#define CALLBACK
#define APIENTRY
#define NTAPI
#define PASCAL
#define CDECL
#ifndef __stdcall
#define __stdcall
#endif
#ifndef __cdecl
#define __cdecl
#endif
#ifndef __fastcall
#define __fastcall
#endif
#define DECLSPEC_IMPORT
#define DECLSPEC_NORETURN __attribute__((noreturn))
#define WINBASEAPI DECLSPEC_IMPORT
#define WINUSERAPI DECLSPEC_IMPORT
#define WINADVAPI DECLSPEC_IMPORT
#ifndef CONST
#define CONST const
#endif
#ifndef VOID
#define VOID void
#endif
#ifndef FALSE
#define FALSE 0
#endif
#ifndef TRUE
#define TRUE 1
#endif
#define MAX_PATH 260

STATION_BEGIN

typedef unsigned char BYTE, UCHAR, BOOLEAN, *PBYTE, *LPBYTE, *PUCHAR, *PBOOLEAN;
typedef char CHAR, *PCHAR, *PSTR, *LPSTR;
typedef const char *PCSTR, *LPCSTR;
typedef short SHORT, *PSHORT;
typedef unsigned short WORD, USHORT, ATOM, LANGID, *PWORD, *LPWORD, *PUSHORT;
typedef int BOOL, INT, LONG, INT32, LONG32, HRESULT, NTSTATUS, *PBOOL, *LPBOOL, *PINT, *LPINT, *PLONG, *LPLONG;
typedef unsigned int UINT, ULONG, DWORD, UINT32, ULONG32, DWORD32, COLORREF, LCID, *PUINT, *LPUINT, *PULONG, *PDWORD, *LPDWORD;
typedef long long LONGLONG, INT64, LONG64, *PLONGLONG;
typedef unsigned long long ULONGLONG, UINT64, ULONG64, DWORD64, DWORDLONG, *PULONGLONG, *PDWORD64;
typedef float FLOAT;
typedef long INT_PTR, LONG_PTR, LRESULT, LPARAM, SSIZE_T, *PINT_PTR, *PLONG_PTR;
typedef unsigned long UINT_PTR, ULONG_PTR, DWORD_PTR, SIZE_T, WPARAM, KAFFINITY, *PUINT_PTR, *PULONG_PTR, *PDWORD_PTR, *PSIZE_T;
typedef void *PVOID, *LPVOID;
typedef const void *LPCVOID, *PCVOID;

/* WCHAR is one UTF-16 unit; with -fshort-wchar it is wchar_t (ABI-11). */
#if defined(__SIZEOF_WCHAR_T__) && __SIZEOF_WCHAR_T__ == 2
typedef wchar_t WCHAR;
#elif defined(__cplusplus)
typedef char16_t WCHAR;
#else
typedef unsigned short WCHAR;
#endif
typedef WCHAR *PWCHAR, *PWSTR, *LPWSTR, *PWCH, *LPWCH;
typedef const WCHAR *PCWSTR, *LPCWSTR, *PCWCH;

#ifdef UNICODE
typedef WCHAR TCHAR, *PTCHAR, *LPTSTR, *PTSTR;
typedef const WCHAR *LPCTSTR, *PCTSTR;
#ifndef __TEXT
#if defined(__SIZEOF_WCHAR_T__) && __SIZEOF_WCHAR_T__ == 2
#define __TEXT(s) L##s
#else
#define __TEXT(s) u##s
#endif
#endif
#else
typedef char TCHAR, *PTCHAR, *LPTSTR, *PTSTR;
typedef const char *LPCTSTR, *PCTSTR;
#ifndef __TEXT
#define __TEXT(s) s
#endif
#endif
#ifndef TEXT
#define TEXT(s) __TEXT(s)
#endif

typedef void *HANDLE, **PHANDLE, **LPHANDLE;
#ifdef STRICT
#define DECLARE_HANDLE(name) struct name##__ { int unused; }; typedef struct name##__ *name
#else
#define DECLARE_HANDLE(name) typedef HANDLE name
#endif
DECLARE_HANDLE(HWINSTA);
DECLARE_HANDLE(HDESK);
DECLARE_HANDLE(HWND);
DECLARE_HANDLE(HHOOK);
DECLARE_HANDLE(HINSTANCE);
DECLARE_HANDLE(HICON);
DECLARE_HANDLE(HBRUSH);
DECLARE_HANDLE(HMENU);
DECLARE_HANDLE(HDC);
DECLARE_HANDLE(HRGN);
DECLARE_HANDLE(HKL);
DECLARE_HANDLE(HMONITOR);
DECLARE_HANDLE(HWINEVENTHOOK);
DECLARE_HANDLE(HKEY);
typedef HINSTANCE HMODULE;
typedef HICON HCURSOR;
typedef HANDLE HGLOBAL, HLOCAL, HDWP, HGDIOBJ;

/* What GetProcAddress gives: cast it to the function's type. */
typedef INT_PTR (WINAPI *FARPROC)(void);
typedef INT_PTR (WINAPI *PROC)(void);

typedef struct _FILETIME { DWORD dwLowDateTime, dwHighDateTime; } FILETIME, *PFILETIME, *LPFILETIME;
typedef struct _GUID { DWORD Data1; WORD Data2, Data3; BYTE Data4[8]; } GUID;
typedef struct tagPOINT { LONG x, y; } POINT, *PPOINT, *LPPOINT;
typedef struct tagSIZE { LONG cx, cy; } SIZE, *PSIZE, *LPSIZE;
typedef struct tagRECT { LONG left, top, right, bottom; } RECT, *PRECT, *LPRECT;
typedef const RECT *LPCRECT;

typedef union _LARGE_INTEGER {
	__extension__ struct { DWORD LowPart; LONG HighPart; };
	struct { DWORD LowPart; LONG HighPart; } u;
	LONGLONG QuadPart;
} LARGE_INTEGER, *PLARGE_INTEGER, *LPLARGE_INTEGER;
typedef union _ULARGE_INTEGER {
	__extension__ struct { DWORD LowPart, HighPart; };
	struct { DWORD LowPart, HighPart; } u;
	ULONGLONG QuadPart;
} ULARGE_INTEGER, *PULARGE_INTEGER;

STATION_END

#define MAKEWORD(a, b) ((WORD)(((BYTE)((DWORD_PTR)(a) & 0xff)) | ((WORD)((BYTE)((DWORD_PTR)(b) & 0xff))) << 8))
#define MAKELONG(a, b) ((LONG)(((WORD)((DWORD_PTR)(a) & 0xffff)) | ((DWORD)((WORD)((DWORD_PTR)(b) & 0xffff))) << 16))
#define LOWORD(l) ((WORD)((DWORD_PTR)(l) & 0xffff))
#define HIWORD(l) ((WORD)(((DWORD_PTR)(l) >> 16) & 0xffff))
#define LOBYTE(w) ((BYTE)((DWORD_PTR)(w) & 0xff))
#define HIBYTE(w) ((BYTE)(((DWORD_PTR)(w) >> 8) & 0xff))
#if !defined(NOMINMAX) && !defined(__cplusplus)
#ifndef max
#define max(a, b) (((a) > (b)) ? (a) : (b))
#endif
#ifndef min
#define min(a, b) (((a) < (b)) ? (a) : (b))
#endif
#endif

#endif
