/* SPDX-License-Identifier: Apache-2.0 */
/* Text forms of SIDs and descriptors. */
#ifndef STATION_SDDL_H
#define STATION_SDDL_H

#include "winbase.h"

#define SDDL_REVISION_1 1
#define SDDL_REVISION SDDL_REVISION_1

#include "station_decl/sddl.h"

#endif
