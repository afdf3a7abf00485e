/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is Stationmaster's own, beyond the Win32 names.
 *
 * The library connects to the daemon on the first call that needs it: to the
 * socket given to station_connect, else to $STATION_SOCKET, else to the call
 * socket below $STATION_DIR (DIR/run/public/call), else to
 * /run/stationmaster/public/call for root and
 * $XDG_RUNTIME_DIR/stationmaster/public/call for anybody else. Every thread has
 * a connection of its own. A thread whose connection was lost, because the
 * daemon went away or the program closed its descriptors, is a new thread when
 * it calls again: it impersonates nobody and owns no mutex.
 */
#ifndef STATION_H
#define STATION_H

#include "windows.h"

STATION_BEGIN

/* station_abi_version gives STATION_ABI of the library that is loaded. */
unsigned station_abi_version(void);
/* station_is_implemented tells whether the function of that name does its work;
 * an exported function that does not yet fails with 120 (ABI-5). */
BOOL station_is_implemented(const char *name);
/* station_connect names the socket for the process's connections from now on,
 * NULL for the default, and connects the calling thread. FALSE with 1722 when
 * no daemon answers there. */
BOOL station_connect(const char *socket_path);
/* station_last_error_text gives one English sentence about the call of this
 * thread that failed last: the call, the object and the reason. It stays valid
 * until the thread's next failing call. */
const char *station_last_error_text(void);
/* station_handle_fd gives a descriptor that becomes readable when the handle
 * is signaled. Not built yet: -1 with 120. */
int station_handle_fd(HANDLE handle);
/* station_current_session gives the caller's session, 0xFFFFFFFF when no
 * daemon answers. */
DWORD station_current_session(void);

STATION_END

#endif
