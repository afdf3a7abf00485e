// SPDX-License-Identifier: Apache-2.0

package station

import (
	"fmt"
	"time"
	"unicode/utf8"

	"stationmaster/internal/object"
	"stationmaster/win32"
)

const (
	// userHandles is the size of a session's table of USER handles, index 0
	// unused (WN-2).
	userHandles = 1 << 16

	// Charges to the desktop heap in bytes (DT-28).
	chargeWindow   = 1024
	chargeHook     = 256
	chargeProperty = 32
)

// userKind says what a USER handle names.
type userKind uint8

const (
	userFree userKind = iota
	userWindow
	userHook
)

// Window flags.
const (
	windowSystem      uint8 = 1 << iota // a desktop's own: root or message window (DT-4)
	windowMessageOnly                   // WN-8
	windowPaint                         // a WM_PAINT is due
	windowAttention                     // it wanted the foreground (WN-15)
	windowDying                         // DestroyWindow is at work
	windowCreating                      // WM_CREATE has not been answered yet
	windowTopmost
)

// userRecord is a window, or the place of a hook in the handle table. It holds
// no pointer, so that a garbage collection does not look at a million of them;
// what it refers to are numbers in the tables of the session. Guarded by the
// session's mu.
type userRecord struct {
	kind       userKind
	flags      uint8
	generation uint16 // of the index; 0 and 0xFFFF are never given
	next, prev uint16 // siblings in z-order, topmost first; next free index
	parent     uint16 // in the tree; 0 for the roots
	first      uint16 // topmost child
	owner      uint16 // owner window of a top-level one, 0 for none
	owned      uint16 // how many windows it owns, so that few look for them
	thread     uint32 // 0 for the system's windows
	desktop    uint32 // its number in the session
	class      uint32
	style      uint32
	exStyle    uint32
	x, y, w, h int32
	title      uint32 // where the title is in the arena
	titleLen   uint32 // bytes
	titleUnits uint32 // UTF-16 units, which is what the heap is charged for
	id         uint64 // menu or control number
	userData   uint64
	proc       uint64 // the procedure, in numbers of its process
}

const userPage = 256

// userTable is a session's USER handles in pages.
type userTable struct {
	pages [userHandles / userPage]*[userPage]userRecord
	free  uint16 // first of the freed indexes, linked by next
	top   uint32 // indexes from here on were never used
	used  int
}

func (u *userTable) at(index uint16) *userRecord {
	page := u.pages[index/userPage]
	if page == nil {
		return nil
	}
	return &page[index%userPage]
}

// handle gives the handle of a used index.
func (u *userTable) handle(index uint16) win32.HWND {
	if index == 0 {
		return 0
	}
	return win32.HWND(u.at(index).generation)<<16 | win32.HWND(index)
}

// get gives the record of a handle, nil when it names nothing that lives.
func (u *userTable) get(h win32.HWND, kind userKind) *userRecord {
	r := u.at(uint16(h))
	if r == nil || r.kind != kind || r.generation != uint16(h>>16) {
		return nil
	}
	return r
}

// insert takes an index, 0 when there is none left.
func (u *userTable) insert(kind userKind) uint16 {
	index := u.free
	if index != 0 {
		u.free = u.at(index).next
	} else {
		if u.top == 0 {
			u.top = 1
		}
		if u.top >= userHandles {
			return 0
		}
		index = uint16(u.top)
		u.top++
		if u.pages[index/userPage] == nil {
			u.pages[index/userPage] = new([userPage]userRecord)
		}
	}
	r := u.at(index)
	g := r.generation + 1
	if g == 0 || g == 0xFFFF {
		g = 1 // else -1, -2 and -3 would be windows one day
	}
	*r = userRecord{kind: kind, generation: g}
	u.used++
	return index
}

func (u *userTable) remove(index uint16) {
	r := u.at(index)
	*r = userRecord{generation: r.generation, next: u.free}
	u.free = index
	u.used--
}

// textArena keeps the titles of windows in one piece of memory.
type textArena struct {
	buf   []byte
	waste int
}

func (a *textArena) text(r *userRecord) string { return string(a.buf[r.title : r.title+r.titleLen]) }

// sessionUI is what the programs of a session share in USER: windows, hooks
// and user atoms. Guarded by the session's mu.
type sessionUI struct {
	table         userTable
	titles        textArena
	classes       map[uint32]*class
	nextClass     uint32
	atoms         atomTable          // user atoms: messages, formats, class names (AT-17)
	threads       map[uint32]*Thread // those with a queue
	desktops      map[uint32]*Desktop
	nextDesktop   uint32
	hooks         map[win32.HWND]*hook
	filters       map[win32.HWND]map[uint32]struct{} // windows' message filters (UI-6)
	props         map[win32.HWND]map[string]uint64
	nextCall      uint64
	attached      map[[2]uint32]struct{} // threads that share input (WN-16)
	foregroundAt  time.Time              // when the foreground last changed
	foregroundFor int                    // process that may take it (WN-15); anyProcess
	payload       int64                  // bytes that messages, staged data and clipboards hold
}

// uiLocked gives the session's USER state, made at first need.
func (s *Session) uiLocked() *sessionUI {
	s.mu.AssertHeld()
	if s.ui == nil {
		s.ui = &sessionUI{
			classes: make(map[uint32]*class), threads: make(map[uint32]*Thread), desktops: make(map[uint32]*Desktop),
			hooks: make(map[win32.HWND]*hook), filters: make(map[win32.HWND]map[uint32]struct{}), props: make(map[win32.HWND]map[string]uint64),
			attached: make(map[[2]uint32]struct{}),
		}
	}
	return s.ui
}

// desktopUI is a desktop's part of USER.
type desktopUI struct {
	number     uint32
	root       uint16 // the desktop window: parent of top-level windows (DT-4)
	message    uint16 // parent of message-only windows
	foreground win32.HWND
	hooks      map[int32][]*hook // by type, the latest first (HK-5)
}

// processUI is a process's part of USER.
type processUI struct {
	atoms   atomTable
	classes map[string]*class   // by folded name
	filter  map[uint32]struct{} // messages let through from lower integrity (UI-6)
	handles int                 // USER handles (WN-2)
	allowed int                 // messages in the filters of its windows
}

// userLocked gives the desktop's USER state with its two system windows, made
// at first need.
func (d *Desktop) userLocked() *desktopUI {
	s := d.station.session
	ui := s.uiLocked()
	if d.ui != nil {
		return d.ui
	}
	ui.nextDesktop++
	d.ui = &desktopUI{number: ui.nextDesktop, hooks: make(map[int32][]*hook)}
	ui.desktops[d.ui.number] = d
	for _, c := range []struct {
		class string
		at    *uint16
	}{{"#32769", &d.ui.root}, {"Message", &d.ui.message}} {
		*c.at = ui.table.insert(userWindow)
		if *c.at == 0 {
			continue // windows can't be made then either
		}
		r := ui.table.at(*c.at)
		r.flags, r.desktop, r.class = windowSystem, d.ui.number, ui.systemClass(c.class).id
	}
	return d.ui
}

// setTitleLocked gives a window a title; the caller has charged for it.
func (ui *sessionUI) setTitleLocked(r *userRecord, title string) {
	a := &ui.titles
	a.waste += int(r.titleLen)
	r.titleLen, r.titleUnits = 0, uint32(utf16Len(title))
	if a.waste > 4096 && a.waste > len(a.buf)/2 {
		ui.compactTitles()
	}
	r.title, r.titleLen = uint32(len(a.buf)), uint32(len(title))
	a.buf = append(a.buf, title...)
}

func (ui *sessionUI) compactTitles() {
	old := ui.titles.buf
	buf := make([]byte, 0, len(old)-ui.titles.waste)
	for _, page := range ui.table.pages {
		if page == nil {
			continue
		}
		for i := range page {
			if r := &page[i]; r.kind == userWindow && r.titleLen > 0 {
				at := uint32(len(buf))
				buf = append(buf, old[r.title:r.title+r.titleLen]...)
				r.title = at
			}
		}
	}
	ui.titles = textArena{buf: buf}
}

// link puts a window below its parent: at the top, or at the bottom.
func (u *userTable) link(index, parent uint16, bottom bool) {
	r, p := u.at(index), u.at(parent)
	r.parent, r.next, r.prev = parent, 0, 0
	if p.first == 0 {
		p.first = index
		return
	}
	if !bottom {
		// Topmost windows stay above the others.
		at := p.first
		if r.flags&windowTopmost == 0 && u.at(at).flags&windowTopmost != 0 {
			for n := u.at(at).next; n != 0 && u.at(n).flags&windowTopmost != 0; n = u.at(at).next {
				at = n
			}
			u.linkAfter(index, at)
			return
		}
		r.next = p.first
		u.at(p.first).prev = index
		p.first = index
		return
	}
	last := p.first
	for n := u.at(last).next; n != 0; n = u.at(last).next {
		last = n
	}
	u.linkAfter(index, last)
}

// linkAfter puts a window right below a sibling.
func (u *userTable) linkAfter(index, after uint16) {
	r, a := u.at(index), u.at(after)
	r.parent, r.prev, r.next = a.parent, after, a.next
	if a.next != 0 {
		u.at(a.next).prev = index
	}
	a.next = index
}

func (u *userTable) unlink(index uint16) {
	r := u.at(index)
	if r.parent == 0 {
		return
	}
	if r.prev != 0 {
		u.at(r.prev).next = r.next
	} else if p := u.at(r.parent); p.first == index {
		p.first = r.next
	}
	if r.next != 0 {
		u.at(r.next).prev = r.prev
	}
	r.next, r.prev, r.parent = 0, 0, 0
}

// children gives the windows right below one, topmost first.
func (u *userTable) children(parent uint16) []uint16 {
	var list []uint16
	if parent == 0 {
		return nil
	}
	for i := u.at(parent).first; i != 0; i = u.at(i).next {
		list = append(list, i)
	}
	return list
}

// within reports whether a window is another one or below it.
func (u *userTable) within(index, top uint16) bool {
	for ; index != 0; index = u.at(index).parent {
		if index == top {
			return true
		}
	}
	return false
}

// topLevelLocked gives the top-level windows of a desktop, topmost first.
func (d *Desktop) topLevelLocked() []win32.HWND {
	if d.ui == nil {
		return nil
	}
	u := &d.station.session.ui.table
	list := u.children(d.ui.root)
	out := make([]win32.HWND, len(list))
	for i, x := range list {
		out[i] = u.handle(x)
	}
	return out
}

// destroyWindowLocked takes a window and those below and owned by it out of the
// table. No message is sent; senders that wait are let go with 1400 (MSG-26).
func (s *Session) destroyWindowLocked(index uint16) {
	ui := s.ui
	u := &ui.table
	r := u.at(index)
	for _, c := range u.children(index) {
		s.destroyWindowLocked(c)
	}
	h := u.handle(index)
	d := ui.desktops[r.desktop]
	if d != nil && r.owned > 0 && d.ui.root != 0 {
		for _, c := range u.children(d.ui.root) {
			if u.at(c).kind == userWindow && u.at(c).owner == index {
				s.destroyWindowLocked(c)
			}
		}
	}
	if t := ui.threads[r.thread]; t != nil {
		s.forgetWindowLocked(t, h)
		t.windows--
		t.process.ui.handles--
		t.process.ui.allowed -= len(ui.filters[h])
	}
	if d != nil {
		d.station.clip.forgetWindow(s, h)
		if d.ui.foreground == h {
			d.ui.foreground = 0
		}
		if r.flags&windowSystem == 0 {
			d.refundLocked(chargeWindow + 2*(r.titleUnits+1) + chargeProperty*uint32(len(ui.props[h])))
		}
	}
	if c := ui.classes[r.class]; c != nil {
		c.windows--
	}
	delete(ui.filters, h)
	delete(ui.props, h)
	if r.owner != 0 && u.at(r.owner).owned > 0 {
		u.at(r.owner).owned--
	}
	ui.titles.waste += int(r.titleLen)
	u.unlink(index)
	u.remove(index)
}

// endUserLocked takes a desktop's windows and hooks away: the desktop goes
// (DT-41).
func (d *Desktop) endUserLocked() {
	if d.ui == nil {
		return
	}
	s := d.station.session
	u := &s.ui.table
	for _, top := range []uint16{d.ui.message, d.ui.root} {
		for _, c := range u.children(top) {
			if u.at(c).kind == userWindow {
				s.destroyWindowLocked(c)
			}
		}
		if top != 0 {
			s.destroyWindowLocked(top)
		}
	}
	for _, chain := range d.ui.hooks {
		for _, h := range append([]*hook(nil), chain...) {
			s.removeHookLocked(h)
		}
	}
	delete(s.ui.desktops, d.ui.number)
	d.ui = nil
}

// endUserLocked ends a thread's part in USER: windows, hooks, timers, messages
// and the clipboard it has open (WN-11, HK-6, CB-5).
func (t *Thread) endUserLocked() {
	s := t.process.session
	s.mu.AssertHeld()
	if s.ui == nil {
		return
	}
	if t.clip != nil {
		t.clip.forgetThread(t)
	}
	s.dropStagedLocked(t)
	if t.queue == nil {
		return
	}
	for _, h := range s.ui.hooks {
		if h.thread == t || h.target == t {
			s.removeHookLocked(h)
		}
	}
	for index := uint32(1); t.windows > 0 && index < s.ui.table.top; index++ {
		if r := s.ui.table.at(uint16(index)); r.kind == userWindow && r.thread == t.id {
			s.clipboardOwnerGoneLocked(s.ui.table.handle(uint16(index)))
			s.destroyWindowLocked(uint16(index))
		}
	}
	delete(s.ui.threads, t.id)
	for pair := range s.ui.attached {
		if pair[0] == t.id || pair[1] == t.id {
			delete(s.ui.attached, pair)
		}
	}
	t.queue.endLocked(s)
}

// endUserLocked ends a process's part in USER, after its threads'.
func (p *Process) endUserLocked() {
	for _, c := range p.ui.classes {
		p.session.dropClassLocked(c)
	}
	p.ui.classes, p.ui.atoms = nil, atomTable{}
}

// use says what a call wants of a window (WN-4).
type use uint8

const (
	useQuery use = iota // look at it
	useWrite            // change it, or send to it
)

// guiLocked connects the thread and gives its desktop's USER state.
func (t *Thread) guiLocked(op string) (*sessionUI, error) {
	if err := t.aliveLocked(op); err != nil {
		return nil, err
	}
	if err := t.ensureLocked(op); err != nil {
		return nil, err
	}
	if t.desktop.dead {
		return nil, t.errorOf(op, t.desktop.Path(), win32.ERROR_INVALID_HANDLE, "WS-45")
	}
	t.desktop.userLocked()
	return t.process.session.ui, nil
}

// desktopRights gives the rights of the thread's desktop handle (DT-37).
func (t *Thread) desktopRights() win32.AccessMask {
	if e := t.process.handles.Get(t.desktopH); e != nil {
		return e.Granted
	}
	return 0
}

// needDesktopLocked fails with 5 when the thread's desktop handle lacks rights.
func (t *Thread) needDesktopLocked(op string, need win32.AccessMask, rule string) error {
	if has := t.desktopRights(); !has.Has(need) {
		return t.refuseRight(op, t.desktop.Path(), need, has, rule)
	}
	return nil
}

// windowLocked gives the window behind a handle as far as the calling thread
// may see it: those of its desktop, and of its own process on others for
// queries (WN-4).
func (t *Thread) windowLocked(op string, h win32.HWND, u use, rule string) (*userRecord, error) {
	s := t.process.session
	r := s.ui.table.get(h, userWindow)
	if r == nil {
		return nil, t.errorOf(op, windowText(h), win32.ERROR_INVALID_WINDOW_HANDLE, "WN-1")
	}
	if r.desktop == t.desktop.ui.number {
		return r, nil
	}
	owner := s.ui.threads[r.thread]
	if owner == nil || owner.process != t.process {
		return nil, t.Refuse(op, windowText(h), win32.ERROR_INVALID_WINDOW_HANDLE, rule, "the window is on another desktop")
	}
	if u == useQuery {
		return r, nil
	}
	return nil, t.Refuse(op, windowText(h), win32.ERROR_ACCESS_DENIED, rule, "the window is on another desktop")
}

func windowText(h win32.HWND) string { return fmt.Sprintf("window 0x%x", uint32(h)) }

// validText makes a title valid UTF-8 of a bounded length.
func validText(s string) bool { return utf8.ValidString(s) && len(s) <= 1<<16 }

// sameClass reports whether a class has a name.
func sameClass(c *class, name string) bool {
	return c != nil && object.Fold(c.name) == object.Fold(name)
}
