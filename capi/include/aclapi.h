/* SPDX-License-Identifier: Apache-2.0 */
/* Access control lists by entries and names. */
#ifndef STATION_ACLAPI_H
#define STATION_ACLAPI_H

#include "accctrl.h"
#include "winbase.h"
#include "station_decl/aclapi.h"

#endif
