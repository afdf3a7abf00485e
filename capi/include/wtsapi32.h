/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions: what wtsapi32 exports. */
#ifndef STATION_WTSAPI32_H
#define STATION_WTSAPI32_H

#include "winuser.h"

#define WTS_CURRENT_SERVER_HANDLE ((HANDLE)NULL)
#define WTS_CURRENT_SERVER NULL
#define WTS_CURRENT_SERVER_NAME NULL
#define WTS_CURRENT_SESSION ((DWORD)-1)
#define WTS_ANY_SESSION ((DWORD)-2)
#define LOGONID_CURRENT WTS_CURRENT_SESSION
#define NOTIFY_FOR_THIS_SESSION 0u
#define NOTIFY_FOR_ALL_SESSIONS 1u
#define WTS_EVENT_NONE 0x0u
#define WTS_EVENT_CREATE 0x1u
#define WTS_EVENT_DELETE 0x2u
#define WTS_EVENT_RENAME 0x4u
#define WTS_EVENT_CONNECT 0x8u
#define WTS_EVENT_DISCONNECT 0x10u
#define WTS_EVENT_LOGON 0x20u
#define WTS_EVENT_LOGOFF 0x40u
#define WTS_EVENT_STATECHANGE 0x80u
#define WTS_EVENT_LICENSE 0x100u
#define WTS_EVENT_ALL 0x7FFFFFFFu
#define WTS_EVENT_FLUSH 0x80000000u
#define WTS_WSD_LOGOFF 0x1u
#define WTS_WSD_SHUTDOWN 0x2u
#define WTS_WSD_REBOOT 0x4u
#define WTS_WSD_POWEROFF 0x8u
#define WTS_WSD_FASTREBOOT 0x10u
#define WTS_SESSIONSTATE_UNKNOWN 0xFFFFFFFFu
#define WTS_SESSIONSTATE_LOCK 0u
#define WTS_SESSIONSTATE_UNLOCK 1u
#define WINSTATIONNAME_LENGTH 32
#define DOMAIN_LENGTH 17
#define USERNAME_LENGTH 20
#define CLIENTNAME_LENGTH 20
#define CLIENTADDRESS_LENGTH 30

STATION_BEGIN

typedef enum _WTS_CONNECTSTATE_CLASS {
	WTSActive, WTSConnected, WTSConnectQuery, WTSShadow, WTSDisconnected, WTSIdle, WTSListen, WTSReset, WTSDown, WTSInit
} WTS_CONNECTSTATE_CLASS;
typedef enum _WTS_INFO_CLASS {
	WTSInitialProgram, WTSApplicationName, WTSWorkingDirectory, WTSOEMId, WTSSessionId, WTSUserName, WTSWinStationName,
	WTSDomainName, WTSConnectState, WTSClientBuildNumber, WTSClientName, WTSClientDirectory, WTSClientProductId,
	WTSClientHardwareId, WTSClientAddress, WTSClientDisplay, WTSClientProtocolType, WTSIdleTime, WTSLogonTime,
	WTSIncomingBytes, WTSOutgoingBytes, WTSIncomingFrames, WTSOutgoingFrames, WTSClientInfo, WTSSessionInfo,
	WTSSessionInfoEx, WTSConfigInfo, WTSValidationInfo, WTSSessionAddressV4, WTSIsRemoteSession
} WTS_INFO_CLASS;
typedef enum _WTS_TYPE_CLASS { WTSTypeProcessInfoLevel0, WTSTypeProcessInfoLevel1, WTSTypeSessionInfoLevel1 } WTS_TYPE_CLASS;
typedef enum _WTS_CONFIG_CLASS { WTSUserConfigInitialProgram } WTS_CONFIG_CLASS;
typedef struct _WTS_SESSION_INFOA { DWORD SessionId; LPSTR pWinStationName; WTS_CONNECTSTATE_CLASS State; } WTS_SESSION_INFOA, *PWTS_SESSION_INFOA;
typedef struct _WTS_SESSION_INFOW { DWORD SessionId; LPWSTR pWinStationName; WTS_CONNECTSTATE_CLASS State; } WTS_SESSION_INFOW, *PWTS_SESSION_INFOW;
typedef struct _WTS_SESSION_INFO_1A {
	DWORD ExecEnvId; WTS_CONNECTSTATE_CLASS State; DWORD SessionId; LPSTR pSessionName, pHostName, pUserName, pDomainName, pFarmName;
} WTS_SESSION_INFO_1A, *PWTS_SESSION_INFO_1A;
typedef struct _WTS_SESSION_INFO_1W {
	DWORD ExecEnvId; WTS_CONNECTSTATE_CLASS State; DWORD SessionId; LPWSTR pSessionName, pHostName, pUserName, pDomainName, pFarmName;
} WTS_SESSION_INFO_1W, *PWTS_SESSION_INFO_1W;
typedef struct _WTS_PROCESS_INFOA { DWORD SessionId, ProcessId; LPSTR pProcessName; PSID pUserSid; } WTS_PROCESS_INFOA, *PWTS_PROCESS_INFOA;
typedef struct _WTS_PROCESS_INFOW { DWORD SessionId, ProcessId; LPWSTR pProcessName; PSID pUserSid; } WTS_PROCESS_INFOW, *PWTS_PROCESS_INFOW;
typedef struct _WTS_CLIENT_ADDRESS { DWORD AddressFamily; BYTE Address[20]; } WTS_CLIENT_ADDRESS, *PWTS_CLIENT_ADDRESS;
typedef struct _WTS_CLIENT_DISPLAY { DWORD HorizontalResolution, VerticalResolution, ColorDepth; } WTS_CLIENT_DISPLAY, *PWTS_CLIENT_DISPLAY;
typedef struct _WTSINFOW {
	WTS_CONNECTSTATE_CLASS State;
	DWORD SessionId, IncomingBytes, OutgoingBytes, IncomingFrames, OutgoingFrames, IncomingCompressedBytes, OutgoingCompressedBytes;
	WCHAR WinStationName[WINSTATIONNAME_LENGTH], Domain[DOMAIN_LENGTH], UserName[USERNAME_LENGTH + 1];
	LARGE_INTEGER ConnectTime, DisconnectTime, LastInputTime, LogonTime, CurrentTime;
} WTSINFOW, *PWTSINFOW;
typedef struct _WTSINFOA {
	WTS_CONNECTSTATE_CLASS State;
	DWORD SessionId, IncomingBytes, OutgoingBytes, IncomingFrames, OutgoingFrames, IncomingCompressedBytes, OutgoingCompressedBytes;
	CHAR WinStationName[WINSTATIONNAME_LENGTH], Domain[DOMAIN_LENGTH], UserName[USERNAME_LENGTH + 1];
	LARGE_INTEGER ConnectTime, DisconnectTime, LastInputTime, LogonTime, CurrentTime;
} WTSINFOA, *PWTSINFOA;
/* Declared with winuser.h's session changes in winsvc.h too. */
#ifndef STATION_WTSSESSION_NOTIFICATION
#define STATION_WTSSESSION_NOTIFICATION
typedef struct tagWTSSESSION_NOTIFICATION { DWORD cbSize, dwSessionId; } WTSSESSION_NOTIFICATION, *PWTSSESSION_NOTIFICATION;
#endif
#ifdef UNICODE
typedef WTS_SESSION_INFOW WTS_SESSION_INFO, *PWTS_SESSION_INFO; typedef WTS_PROCESS_INFOW WTS_PROCESS_INFO, *PWTS_PROCESS_INFO;
typedef WTS_SESSION_INFO_1W WTS_SESSION_INFO_1, *PWTS_SESSION_INFO_1; typedef WTSINFOW WTSINFO, *PWTSINFO;
#else
typedef WTS_SESSION_INFOA WTS_SESSION_INFO, *PWTS_SESSION_INFO; typedef WTS_PROCESS_INFOA WTS_PROCESS_INFO, *PWTS_PROCESS_INFO;
typedef WTS_SESSION_INFO_1A WTS_SESSION_INFO_1, *PWTS_SESSION_INFO_1; typedef WTSINFOA WTSINFO, *PWTSINFO;
#endif

STATION_END

#include "station_decl/wtsapi32.h"

#endif
