/* SPDX-License-Identifier: Apache-2.0 */
/* The NT layer. */
#ifndef STATION_WINTERNL_H
#define STATION_WINTERNL_H

#include "winbase.h"
#include "ntstatus.h"

#define NT_SUCCESS(s) ((NTSTATUS)(s) >= 0)
#define OBJ_INHERIT 0x2u
#define OBJ_PERMANENT 0x10u
#define OBJ_CASE_INSENSITIVE 0x40u
#define OBJ_OPENIF 0x80u

STATION_BEGIN

typedef struct _UNICODE_STRING { USHORT Length, MaximumLength; PWSTR Buffer; } UNICODE_STRING, *PUNICODE_STRING;
typedef const UNICODE_STRING *PCUNICODE_STRING;
typedef struct _STRING { USHORT Length, MaximumLength; PCHAR Buffer; } STRING, ANSI_STRING, *PANSI_STRING;
typedef const ANSI_STRING *PCANSI_STRING;
typedef struct _OBJECT_ATTRIBUTES { ULONG Length; HANDLE RootDirectory; PUNICODE_STRING ObjectName; ULONG Attributes; PVOID SecurityDescriptor, SecurityQualityOfService; } OBJECT_ATTRIBUTES, *POBJECT_ATTRIBUTES;
typedef struct _CLIENT_ID { HANDLE UniqueProcess, UniqueThread; } CLIENT_ID, *PCLIENT_ID;
typedef struct _IO_STATUS_BLOCK { __extension__ union { NTSTATUS Status; PVOID Pointer; }; ULONG_PTR Information; } IO_STATUS_BLOCK, *PIO_STATUS_BLOCK;
typedef void (NTAPI *PIO_APC_ROUTINE)(PVOID, PIO_STATUS_BLOCK, ULONG);
typedef enum _OBJECT_INFORMATION_CLASS { ObjectBasicInformation, ObjectNameInformation, ObjectTypeInformation } OBJECT_INFORMATION_CLASS;
typedef struct _OBJECT_BASIC_INFORMATION { ULONG Attributes; ACCESS_MASK GrantedAccess; ULONG HandleCount, PointerCount, Reserved[10]; } OBJECT_BASIC_INFORMATION, *POBJECT_BASIC_INFORMATION;
typedef struct _OBJECT_NAME_INFORMATION { UNICODE_STRING Name; } OBJECT_NAME_INFORMATION, *POBJECT_NAME_INFORMATION;
typedef enum _EVENT_TYPE { NotificationEvent, SynchronizationEvent } EVENT_TYPE;
typedef enum _TIMER_TYPE { NotificationTimer, SynchronizationTimer } TIMER_TYPE;
typedef enum _WAIT_TYPE { WaitAll, WaitAny } WAIT_TYPE;
typedef enum _SECTION_INHERIT { ViewShare = 1, ViewUnmap } SECTION_INHERIT;
typedef int EVENT_INFORMATION_CLASS, SEMAPHORE_INFORMATION_CLASS, SYSTEM_INFORMATION_CLASS, THREADINFOCLASS, PROCESSINFOCLASS, FILE_INFORMATION_CLASS;

STATION_END

#include "station_decl/winternl.h"

#endif
