// SPDX-License-Identifier: Apache-2.0

package web

import (
	"strings"

	"stationmaster/security"
	"stationmaster/win32"
)

// Right is what one entry of a descriptor gives or denies, in words.
type Right struct {
	Who     string `json:"who" doc:"Account, or what a logon SID stands for."`
	SID     string `json:"sid"`
	Denies  bool   `json:"denies,omitempty"`
	Inherit bool   `json:"inherit,omitempty" doc:"Holds for desktops made in the station, not for the station itself."`
	Words   string `json:"words" example:"list desktops, create desktops"`
}

type rightWord struct {
	mask win32.AccessMask
	word string
}

var stationRights = []rightWord{
	{win32.WINSTA_ENUMDESKTOPS, "list desktops"}, {win32.WINSTA_READATTRIBUTES, "read attributes"}, {win32.WINSTA_ACCESSCLIPBOARD, "clipboard"},
	{win32.WINSTA_CREATEDESKTOP, "create desktops"}, {win32.WINSTA_WRITEATTRIBUTES, "write attributes"}, {win32.WINSTA_ACCESSGLOBALATOMS, "global atoms"},
	{win32.WINSTA_EXITWINDOWS, "log off"}, {win32.WINSTA_ENUMERATE, "be seen in lists"}, {win32.WINSTA_READSCREEN, "read the screen"},
}

var desktopRights = []rightWord{
	{win32.DESKTOP_READOBJECTS, "read objects"}, {win32.DESKTOP_CREATEWINDOW, "create windows"}, {win32.DESKTOP_CREATEMENU, "create menus"},
	{win32.DESKTOP_HOOKCONTROL, "set hooks"}, {win32.DESKTOP_JOURNALRECORD, "record input"}, {win32.DESKTOP_JOURNALPLAYBACK, "send input"},
	{win32.DESKTOP_ENUMERATE, "be seen in lists"}, {win32.DESKTOP_WRITEOBJECTS, "write objects"}, {win32.DESKTOP_SWITCHDESKTOP, "switch to it"},
}

var standardRights = []rightWord{
	{win32.DELETE, "close"}, {win32.READ_CONTROL, "read the descriptor"}, {win32.WRITE_DAC, "change rights"}, {win32.WRITE_OWNER, "take ownership"},
}

// rightsOf puts the DACL of a station's or desktop's descriptor into words. A
// descriptor that can't be read, or that the caller may not see, has none.
func rightsOf(sddl string, desktop, interactive bool) []Right {
	out := []Right{}
	if sddl == "" {
		return out
	}
	sd, err := security.ParseSDDL(sddl, security.SID{})
	if err != nil {
		return out
	}
	acl, present := sd.DACL()
	if !present || acl == nil {
		return append(out, Right{Who: "Everyone", SID: security.Everyone.String(), Words: "everything: there is no list of rights"})
	}
	mapping := security.StationMapping
	if interactive {
		mapping = security.InteractiveStationMapping
	}
	for _, ace := range acl.ACEs {
		if ace.Type != security.AllowACE && ace.Type != security.DenyACE {
			continue
		}
		r := Right{Who: ace.SID.Name(), SID: ace.SID.String(), Denies: ace.Type == security.DenyACE, Inherit: ace.Flags&security.InheritOnly != 0 && !desktop}
		if ace.SID.IsLogonSID() {
			r.Who = "The logon " + strings.TrimPrefix(r.SID, "S-1-5-5-")
		}
		if desktop || r.Inherit {
			r.Words = inWords(security.DesktopMapping.Map(ace.Mask), desktopRights, security.DesktopMapping.All)
		} else {
			r.Words = inWords(mapping.Map(ace.Mask), stationRights, mapping.All)
		}
		out = append(out, r)
	}
	return out
}

func inWords(mask win32.AccessMask, words []rightWord, all win32.AccessMask) string {
	if mask&all == all {
		return "everything"
	}
	var list []string
	for _, table := range [][]rightWord{words, standardRights} {
		for _, r := range table {
			if mask&r.mask != 0 {
				list = append(list, r.word)
			}
		}
	}
	if len(list) == 0 {
		return "nothing"
	}
	return strings.Join(list, ", ")
}
