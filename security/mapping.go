// SPDX-License-Identifier: Apache-2.0

package security

import "stationmaster/win32"

// genericBits are the four rights that only a type's mapping gives a meaning.
const genericBits = win32.GENERIC_READ | win32.GENERIC_WRITE | win32.GENERIC_EXECUTE | win32.GENERIC_ALL

// Mapping says what the generic rights mean for a type of object
// (GENERIC_MAPPING). It is not changed once in use.
type Mapping struct{ Read, Write, Execute, All win32.AccessMask }

// Map replaces the generic bits of mask by what they mean. A nil mapping
// gives them no meaning and just removes them.
//
// Win32: MapGenericMask.
func (m *Mapping) Map(mask win32.AccessMask) win32.AccessMask {
	if mask&genericBits == 0 {
		return mask
	}
	out := mask &^ genericBits
	if m == nil {
		return out
	}
	if mask&win32.GENERIC_READ != 0 {
		out |= m.Read
	}
	if mask&win32.GENERIC_WRITE != 0 {
		out |= m.Write
	}
	if mask&win32.GENERIC_EXECUTE != 0 {
		out |= m.Execute
	}
	if mask&win32.GENERIC_ALL != 0 {
		out |= m.All
	}
	return out
}

// The mappings of every type (SE-60; stations and desktops AR-24 to AR-26).
var (
	EventMapping     = &Mapping{0x20001, 0x20002, 0x120000, 0x1F0003}
	MutexMapping     = &Mapping{0x20001, 0x20000, 0x120000, 0x1F0001}
	SemaphoreMapping = &Mapping{0x20001, 0x20002, 0x120000, 0x1F0003}
	TimerMapping     = &Mapping{0x20001, 0x20002, 0x120000, 0x1F0003}
	SectionMapping   = &Mapping{0x20005, 0x20002, 0x20008, 0xF001F}
	DirectoryMapping = &Mapping{0x20003, 0x2000C, 0x20003, 0xF000F}
	SymlinkMapping   = &Mapping{0x20001, 0x20000, 0x20001, 0xF0001}
	FileMapping      = &Mapping{0x120089, 0x120116, 0x1200A0, 0x1F01FF} // pipes too
	ProcessMapping   = &Mapping{0x20410, 0x20BEA, 0x121001, 0x1FFFFF}
	ThreadMapping    = &Mapping{0x20048, 0x20037, 0x120800, 0x1FFFFF}
	JobMapping       = &Mapping{0x20004, 0x2000B, 0x120000, 0x1F001F}
	TokenMapping     = &Mapping{0x20008, 0x200E0, 0x20000, 0xF01FF}

	InteractiveStationMapping = &Mapping{0x20303, 0x2001C, 0x20060, 0xF037F} // WinSta0
	StationMapping            = &Mapping{0x20103, 0x2000C, 0x20060, 0xF016F} // all others
	DesktopMapping            = &Mapping{0x20041, 0x200BE, 0x20100, 0xF01FF}

	ScmMapping     = &Mapping{0x20014, 0x20022, 0x20009, 0xF003F}
	ServiceMapping = &Mapping{0x2008D, 0x20002, 0x20170, 0xF01FF}
	SessionMapping = &Mapping{0x20001, 0x20002, 0x20120, 0xF03FF} // WinStation sessions
)

// ProcessImplied adds to the rights granted on a process what they imply:
// PROCESS_QUERY_INFORMATION brings PROCESS_QUERY_LIMITED_INFORMATION. Rules: SE-60.
func ProcessImplied(granted win32.AccessMask) win32.AccessMask {
	if granted&win32.PROCESS_QUERY_INFORMATION != 0 {
		granted |= win32.PROCESS_QUERY_LIMITED_INFORMATION
	}
	return granted
}

// ThreadImplied adds to the rights granted on a thread what they imply:
// THREAD_QUERY_INFORMATION (0x40) brings THREAD_QUERY_LIMITED_INFORMATION
// (0x800). Rules: SE-60.
func ThreadImplied(granted win32.AccessMask) win32.AccessMask {
	if granted&0x40 != 0 {
		granted |= 0x800
	}
	return granted
}

// RightsToQuery gives the rights a handle needs to read these parts of its
// object's descriptor. Rules: SE-63.
func RightsToQuery(parts uint32) win32.AccessMask {
	var m win32.AccessMask
	if parts&(OwnerInformation|GroupInformation|DACLInformation|LabelInformation) != 0 {
		m |= win32.READ_CONTROL
	}
	if parts&SACLInformation != 0 {
		m |= win32.ACCESS_SYSTEM_SECURITY
	}
	return m
}

// RightsToSet gives the rights a handle needs to write these parts.
// Rules: SE-63.
func RightsToSet(parts uint32) win32.AccessMask {
	var m win32.AccessMask
	if parts&(OwnerInformation|GroupInformation|LabelInformation) != 0 {
		m |= win32.WRITE_OWNER
	}
	if parts&(DACLInformation|ProtectedDACLInformation|UnprotectedDACLInformation) != 0 {
		m |= win32.WRITE_DAC
	}
	if parts&(SACLInformation|ProtectedSACLInformation|UnprotectedSACLInformation) != 0 {
		m |= win32.ACCESS_SYSTEM_SECURITY
	}
	return m
}
