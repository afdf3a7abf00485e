// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"slices"

	"stationmaster/internal/api"
	"stationmaster/station"
	"stationmaster/win32"
)

func number(n uint32, err error) (*api.NumberReply, error) {
	if err != nil {
		return nil, err
	}
	return &api.NumberReply{Number: n}, nil
}

func named(s string, err error) (*api.NameReply, error) {
	if err != nil {
		return nil, err
	}
	return &api.NameReply{Name: s}, nil
}

func truth(v bool, err error) (*api.BoolReply, error) {
	if err != nil {
		return nil, err
	}
	return &api.BoolReply{Value: v}, nil
}

func result(n uint64, err error) (*api.ResultReply, error) {
	if err != nil {
		return nil, err
	}
	return &api.ResultReply{Result: n}, nil
}

func window(h win32.HWND, err error) (*api.WindowReply, error) {
	if err != nil {
		return nil, err
	}
	return &api.WindowReply{Window: h}, nil
}

func windows(list []win32.HWND, err error) (*api.WindowsReply, error) {
	if err != nil {
		return nil, err
	}
	out := make([]uint32, len(list))
	for i, h := range list {
		out[i] = uint32(h)
	}
	return &api.WindowsReply{Windows: out}, nil
}

func delivery(d station.Delivery, err error) (*api.DeliveryReply, error) {
	if err != nil {
		return nil, err
	}
	m := d.Message
	return &api.DeliveryReply{
		Kind: uint8(d.Kind), Call: uint8(d.Call), HookType: d.HookType, Code: d.Code, CallID: d.CallID, Op: d.Op, Procedure: d.Proc,
		Message: api.WindowMessage{Window: m.Window, Message: m.Message, WParam: m.WParam, LParam: m.LParam, Time: m.Time, X: m.X, Y: m.Y},
		Result:  d.Result, Data: d.Data,
	}, nil
}

// AddAtom gives a string its atom, or counts one more reference to it.
// Win32: GlobalAddAtom.
func (s *Services) AddAtom(_ context.Context, c *Call, q *api.AtomNameRequest) (*api.NumberReply, error) {
	return number(c.Thread.AddAtom(q.Local, q.Name, q.Integer))
}

// FindAtom gives the atom of a string, without a reference.
// Win32: GlobalFindAtom.
func (s *Services) FindAtom(_ context.Context, c *Call, q *api.AtomNameRequest) (*api.NumberReply, error) {
	return number(c.Thread.FindAtom(q.Local, q.Name, q.Integer))
}

// DeleteAtom gives one reference to an atom back.
// Win32: GlobalDeleteAtom.
func (s *Services) DeleteAtom(_ context.Context, c *Call, q *api.AtomRequest) error {
	return c.Thread.DeleteAtom(q.Local, q.Atom)
}

// GetAtomName gives the string of an atom, as it was first spelled.
// Win32: GlobalGetAtomName.
func (s *Services) GetAtomName(_ context.Context, c *Call, q *api.AtomRequest) (*api.NameReply, error) {
	return named(c.Thread.AtomName(q.Local, q.Atom))
}

// RegisterWindowMessage registers a message or clipboard format by name, for the whole session.
// Win32: RegisterWindowMessage.
func (s *Services) RegisterWindowMessage(_ context.Context, c *Call, q *api.NamedRequest) (*api.NumberReply, error) {
	return number(c.Thread.RegisterUserAtom(q.Name))
}

// GetClipboardFormatName gives the name of a registered clipboard format.
// Win32: GetClipboardFormatName.
func (s *Services) GetClipboardFormatName(_ context.Context, c *Call, q *api.NumberRequest) (*api.NameReply, error) {
	return named(c.Thread.UserAtomName(q.Number))
}

// RegisterClass registers a window class of the process; the procedure is a number of the process.
// Win32: RegisterClassEx.
func (s *Services) RegisterClass(_ context.Context, c *Call, q *api.RegisterClassRequest) (*api.NumberReply, error) {
	return number(c.Thread.RegisterClass(q.Name, q.Style, q.Procedure))
}

// UnregisterClass takes a class away that has no windows.
// Win32: UnregisterClass.
func (s *Services) UnregisterClass(_ context.Context, c *Call, q *api.NamedRequest) error {
	return c.Thread.UnregisterClass(q.Name)
}

// CreateWindow makes a window on the thread's desktop; the result is its handle, 0 when its procedure refused.
// Win32: CreateWindowEx.
func (s *Services) CreateWindow(ctx context.Context, c *Call, q *api.CreateWindowRequest) (*api.DeliveryReply, error) {
	return delivery(c.Thread.CreateWindow(ctx, station.WindowOptions{
		Class: q.Class, Title: q.Title, Style: q.Style, ExStyle: q.ExStyle, X: q.X, Y: q.Y, Width: q.Width, Height: q.Height,
		Parent: q.Parent, ID: q.ID, Param: q.Param,
	}))
}

// DestroyWindow destroys a window of the thread and those below and owned by it.
// Win32: DestroyWindow.
func (s *Services) DestroyWindow(ctx context.Context, c *Call, q *api.WindowRequest) (*api.DeliveryReply, error) {
	return delivery(c.Thread.DestroyWindow(ctx, q.Window))
}

// IsWindow tells whether a handle names a window that the caller may know of.
// Win32: IsWindow.
func (s *Services) IsWindow(_ context.Context, c *Call, q *api.WindowRequest) (*api.BoolReply, error) {
	return truth(c.Thread.IsWindow(q.Window))
}

// GetWindowInfo gives owner, class, title, place and styles of a window.
// Win32: GetWindowInfo.
func (s *Services) GetWindowInfo(_ context.Context, c *Call, q *api.WindowRequest) (*api.WindowInfoReply, error) {
	f, err := c.Thread.Window(q.Window)
	if err != nil {
		return nil, err
	}
	return &api.WindowInfoReply{
		ThreadID: f.Thread, ProcessID: uint32(f.Process), Class: f.Class, Title: f.Title, Style: f.Style, ExStyle: f.ExStyle,
		X: f.X, Y: f.Y, Width: f.Width, Height: f.Height, Parent: f.Parent, Owner: f.Owner, Visible: f.Visible, Attention: f.Attention,
		ID: f.ID, UserData: f.UserData, Procedure: f.Proc,
	}, nil
}

// GetWindow gives a window that stands in a relation to another.
// Win32: GetWindow.
func (s *Services) GetWindow(_ context.Context, c *Call, q *api.RelatedWindowRequest) (*api.WindowReply, error) {
	return window(c.Thread.RelatedWindow(q.Window, q.Relation))
}

// FindWindow finds a window of the thread's desktop by class and title; 0 when there is none.
// Win32: FindWindowEx.
func (s *Services) FindWindow(_ context.Context, c *Call, q *api.FindWindowRequest) (*api.WindowReply, error) {
	return window(c.Thread.FindWindow(q.Parent, q.After, q.Class, q.Title, q.Ex))
}

// EnumDesktopWindows lists the top-level windows of a desktop in z-order; handle 0 is the thread's own.
// Win32: EnumDesktopWindows.
func (s *Services) EnumDesktopWindows(_ context.Context, c *Call, q *api.HandleRequest) (*api.WindowsReply, error) {
	return windows(c.Thread.EnumWindows(q.Handle))
}

// EnumChildWindows lists the windows below one.
// Win32: EnumChildWindows.
func (s *Services) EnumChildWindows(_ context.Context, c *Call, q *api.WindowRequest) (*api.WindowsReply, error) {
	return windows(c.Thread.EnumChildWindows(q.Window))
}

// SetWindowText sets a window's title, as the default procedure does for WM_SETTEXT.
// Win32: DefWindowProc.
func (s *Services) SetWindowText(_ context.Context, c *Call, q *api.SetWindowTextRequest) error {
	return c.Thread.SetWindowText(q.Window, q.Title)
}

// SetWindowPos moves, sizes, shows, hides and reorders a window.
// Win32: SetWindowPos.
func (s *Services) SetWindowPos(_ context.Context, c *Call, q *api.SetWindowPosRequest) error {
	return c.Thread.SetWindowPos(q.Window, q.After, q.X, q.Y, q.Width, q.Height, q.Flags)
}

// SetParent puts a window below another and gives the parent it had.
// Win32: SetParent.
func (s *Services) SetParent(_ context.Context, c *Call, q *api.SetParentRequest) (*api.WindowReply, error) {
	return window(c.Thread.SetParent(q.Window, q.Parent))
}

// SetWindowLong changes a number of a window of the process: user data 0, procedure 1, style 2, extended style 3, id 4.
// Win32: SetWindowLongPtr.
func (s *Services) SetWindowLong(_ context.Context, c *Call, q *api.SetWindowLongRequest) (*api.ResultReply, error) {
	return result(c.Thread.SetWindowLong(q.Window, station.WindowField(q.Field), q.Value))
}

// InvalidateWindow makes a WM_PAINT due for a window.
// Win32: InvalidateRect.
func (s *Services) InvalidateWindow(_ context.Context, c *Call, q *api.WindowRequest) error {
	return c.Thread.Invalidate(q.Window)
}

// ValidateWindow says that a window has been painted.
// Win32: ValidateRect.
func (s *Services) ValidateWindow(_ context.Context, c *Call, q *api.WindowRequest) error {
	return c.Thread.Validate(q.Window)
}

// GetDesktopWindow gives the root window of the thread's desktop.
// Win32: GetDesktopWindow.
func (s *Services) GetDesktopWindow(_ context.Context, c *Call) (*api.WindowReply, error) {
	return window(c.Thread.DesktopWindow())
}

// GetForegroundWindow gives the foreground window, to threads on the input desktop.
// Win32: GetForegroundWindow.
func (s *Services) GetForegroundWindow(_ context.Context, c *Call) (*api.WindowReply, error) {
	return window(c.Thread.ForegroundWindow())
}

// SetForegroundWindow makes a window of the input desktop the foreground window and tells whether it did.
// Win32: SetForegroundWindow.
func (s *Services) SetForegroundWindow(_ context.Context, c *Call, q *api.WindowRequest) (*api.BoolReply, error) {
	return truth(c.Thread.SetForegroundWindow(q.Window))
}

// AllowSetForegroundWindow lets a process take the foreground once.
// Win32: AllowSetForegroundWindow.
func (s *Services) AllowSetForegroundWindow(_ context.Context, c *Call, q *api.NumberRequest) error {
	return c.Thread.AllowSetForegroundWindow(q.Number)
}

// AttachThreadInput lets two threads of a desktop share their input state, or ends that.
// Win32: AttachThreadInput.
func (s *Services) AttachThreadInput(_ context.Context, c *Call, q *api.AttachThreadInputRequest) error {
	return c.Thread.AttachThreadInput(q.From, q.To, q.Attach)
}

// SetProp keeps a number with a window under a name.
// Win32: SetProp.
func (s *Services) SetProp(_ context.Context, c *Call, q *api.PropRequest) error {
	return c.Thread.SetProp(q.Window, q.Name, q.Value)
}

// GetProp gives a number that is kept with a window, 0 for none.
// Win32: GetProp.
func (s *Services) GetProp(_ context.Context, c *Call, q *api.PropRequest) (*api.ResultReply, error) {
	return result(c.Thread.Prop(q.Window, q.Name))
}

// RemoveProp takes a number that is kept with a window away and gives it.
// Win32: RemoveProp.
func (s *Services) RemoveProp(_ context.Context, c *Call, q *api.PropRequest) (*api.ResultReply, error) {
	return result(c.Thread.RemoveProp(q.Window, q.Name))
}

// SendWindowMessage sends a message to a window or to every top-level window of the desktop, and gives the result.
// Win32: SendMessageTimeout.
func (s *Services) SendWindowMessage(ctx context.Context, c *Call, q *api.SendWindowMessageRequest) (*api.DeliveryReply, error) {
	return delivery(c.Thread.SendMessage(ctx, station.SendOptions{
		Window: q.Window, Message: q.Message, WParam: q.WParam, LParam: q.LParam, Data: slices.Clone(q.Data), Staged: q.Staged,
		Mode: station.SendMode(q.Mode), Flags: q.Flags, Timeout: q.Timeout, Limited: q.Limited,
		Callback: q.Callback, CallbackData: q.CallbackData,
	}))
}

// PostMessage posts a message to a window, to the calling thread for 0, or to every top-level window of the desktop.
// Win32: PostMessage.
func (s *Services) PostMessage(_ context.Context, c *Call, q *api.PostMessageRequest) error {
	return c.Thread.PostMessage(q.Window, q.Message, q.WParam, q.LParam)
}

// PostThreadMessage posts a message to a thread that has a queue.
// Win32: PostThreadMessage.
func (s *Services) PostThreadMessage(_ context.Context, c *Call, q *api.PostThreadMessageRequest) error {
	return c.Thread.PostThreadMessage(q.ThreadID, q.Message, q.WParam, q.LParam)
}

// PostQuitMessage makes the thread's next retrieval with no posted message left give WM_QUIT.
// Win32: PostQuitMessage.
func (s *Services) PostQuitMessage(_ context.Context, c *Call, q *api.NumberRequest) error {
	return c.Thread.PostQuitMessage(uint64(q.Number))
}

// GetMessage retrieves the next message that fits, waiting for it.
// Win32: GetMessage.
func (s *Services) GetMessage(ctx context.Context, c *Call, q *api.GetMessageRequest) (*api.DeliveryReply, error) {
	return delivery(c.Thread.GetMessage(ctx, q.Window, q.Min, q.Max))
}

// PeekMessage retrieves a message if one is there.
// Win32: PeekMessage.
func (s *Services) PeekMessage(ctx context.Context, c *Call, q *api.GetMessageRequest) (*api.DeliveryReply, error) {
	return delivery(c.Thread.PeekMessage(ctx, q.Window, q.Min, q.Max, q.Flags))
}

// AnswerCall gives the result of a procedure that the thread ran.
func (s *Services) AnswerCall(_ context.Context, c *Call, q *api.AnswerCallRequest) error {
	return c.Thread.AnswerCall(q.CallID, q.Result, slices.Clone(q.Data))
}

// ContinueCall goes on with a call that gave a procedure to be run.
func (s *Services) ContinueCall(ctx context.Context, c *Call, q *api.ContinueRequest) (*api.DeliveryReply, error) {
	return delivery(c.Thread.Continue(ctx, q.Op))
}

// ReplyMessage lets the sender of the message that the thread runs go on.
// Win32: ReplyMessage.
func (s *Services) ReplyMessage(_ context.Context, c *Call, q *api.ResultRequest) (*api.BoolReply, error) {
	return truth(c.Thread.ReplyMessage(q.Result), nil)
}

// InSendMessageEx gives how the message came that the thread runs.
// Win32: InSendMessageEx.
func (s *Services) InSendMessageEx(_ context.Context, c *Call) (*api.NumberReply, error) {
	return number(c.Thread.InSendMessage(), nil)
}

// GetQueueStatus gives which kinds of messages are there and which are new.
// Win32: GetQueueStatus.
func (s *Services) GetQueueStatus(_ context.Context, c *Call, q *api.NumberRequest) (*api.NumberReply, error) {
	return number(c.Thread.QueueStatus(q.Number))
}

// IsHungAppWindow tells whether the thread of a window lets messages wait.
// Win32: IsHungAppWindow.
func (s *Services) IsHungAppWindow(_ context.Context, c *Call, q *api.WindowRequest) (*api.BoolReply, error) {
	return truth(c.Thread.IsHung(q.Window))
}

// SetWindowTimer starts a window timer and gives its number.
// Win32: SetTimer.
func (s *Services) SetWindowTimer(_ context.Context, c *Call, q *api.WindowTimerRequest) (*api.ResultReply, error) {
	return result(c.Thread.SetTimer(q.Window, q.ID, q.Millis, q.Procedure))
}

// KillWindowTimer stops a window timer.
// Win32: KillTimer.
func (s *Services) KillWindowTimer(_ context.Context, c *Call, q *api.WindowTimerRequest) error {
	return c.Thread.KillTimer(q.Window, q.ID)
}

// BroadcastSystemMessage sends a message to the top-level windows of the desktop, or of all desktops of the session.
// Win32: BroadcastSystemMessage.
func (s *Services) BroadcastSystemMessage(ctx context.Context, c *Call, q *api.BroadcastRequest) (*api.DeliveryReply, error) {
	return delivery(c.Thread.BroadcastSystemMessage(ctx, station.BroadcastOptions{
		Flags: q.Flags, Recipients: q.Recipients, Message: q.Message, WParam: q.WParam, LParam: q.LParam}))
}

// StageData collects data that is too long for one request; the next call that says so takes it.
func (s *Services) StageData(_ context.Context, c *Call, q *api.DataRequest) error {
	return c.Thread.StageData(q.Data)
}

// SetWindowsHook installs a hook procedure for a thread, or for all of the thread's desktop.
// Win32: SetWindowsHookEx.
func (s *Services) SetWindowsHook(_ context.Context, c *Call, q *api.SetHookRequest) (*api.WindowReply, error) {
	return window(c.Thread.SetWindowsHook(q.Type, q.Procedure, q.Module, q.ThreadID))
}

// UnhookWindowsHook removes a hook of the process.
// Win32: UnhookWindowsHookEx.
func (s *Services) UnhookWindowsHook(_ context.Context, c *Call, q *api.WindowRequest) error {
	return c.Thread.UnhookWindowsHook(q.Window)
}

// CallNextHook passes the event of the hook procedure that the thread runs on to the next hook.
// Win32: CallNextHookEx.
func (s *Services) CallNextHook(ctx context.Context, c *Call) (*api.DeliveryReply, error) {
	return delivery(c.Thread.CallNextHook(ctx))
}

// ChangeWindowMessageFilter lets a message from lower integrity through, to the process for window 0 or to one window, or stops that.
// Win32: ChangeWindowMessageFilterEx.
func (s *Services) ChangeWindowMessageFilter(_ context.Context, c *Call, q *api.MessageFilterRequest) (*api.NumberReply, error) {
	if q.Window == 0 {
		return number(0, c.Thread.ChangeMessageFilter(q.Message, q.Action))
	}
	return number(c.Thread.ChangeWindowFilter(q.Window, q.Message, q.Action))
}

// OpenClipboard opens the clipboard of the process's window station.
// Win32: OpenClipboard.
func (s *Services) OpenClipboard(_ context.Context, c *Call, q *api.WindowRequest) error {
	return c.Thread.OpenClipboard(q.Window)
}

// CloseClipboard closes the clipboard and tells those who watch it.
// Win32: CloseClipboard.
func (s *Services) CloseClipboard(_ context.Context, c *Call) error {
	return c.Thread.CloseClipboard()
}

// EmptyClipboard drops the contents and makes the window that opened the clipboard its owner.
// Win32: EmptyClipboard.
func (s *Services) EmptyClipboard(ctx context.Context, c *Call) (*api.DeliveryReply, error) {
	return delivery(c.Thread.EmptyClipboard(ctx))
}

// SetClipboardData places data in a format, or promises it.
// Win32: SetClipboardData.
func (s *Services) SetClipboardData(_ context.Context, c *Call, q *api.SetClipboardRequest) error {
	return c.Thread.SetClipboardData(q.Format, q.Data, q.Promise, q.Staged)
}

// GetClipboardData gives data of a format from an offset on; the result is the whole length.
// Win32: GetClipboardData.
func (s *Services) GetClipboardData(ctx context.Context, c *Call, q *api.GetClipboardRequest) (*api.DeliveryReply, error) {
	return delivery(c.Thread.ClipboardData(ctx, q.Format, q.Offset))
}

// EnumClipboardFormats lists the formats of the clipboard, which must be open.
// Win32: EnumClipboardFormats.
func (s *Services) EnumClipboardFormats(_ context.Context, c *Call) (*api.NumbersReply, error) {
	f, err := c.Thread.ClipboardFormats()
	if err != nil {
		return nil, err
	}
	return &api.NumbersReply{Numbers: f}, nil
}

// GetClipboardState gives sequence number, owner, opener, viewer and formats of the clipboard.
// Win32: GetClipboardSequenceNumber.
func (s *Services) GetClipboardState(_ context.Context, c *Call) (*api.ClipboardStateReply, error) {
	st, err := c.Thread.Clipboard()
	if err != nil {
		return nil, err
	}
	return &api.ClipboardStateReply{Sequence: st.Sequence, Owner: st.Owner, Opener: st.Opener, Viewer: st.Viewer, Formats: st.Formats}, nil
}

// ClipboardListener makes a window a listener of the clipboard, or ends that.
// Win32: AddClipboardFormatListener.
func (s *Services) ClipboardListener(_ context.Context, c *Call, q *api.ClipboardListenerRequest) error {
	return c.Thread.ListenClipboard(q.Window, q.On)
}

// SetClipboardViewer puts a window at the head of the clipboard's viewers and gives the one that was there.
// Win32: SetClipboardViewer.
func (s *Services) SetClipboardViewer(_ context.Context, c *Call, q *api.WindowRequest) (*api.WindowReply, error) {
	return window(c.Thread.SetClipboardViewer(q.Window))
}

// ChangeClipboardChain takes a window out of the chain of the clipboard's viewers.
// Win32: ChangeClipboardChain.
func (s *Services) ChangeClipboardChain(_ context.Context, c *Call, q *api.ClipboardChainRequest) error {
	return c.Thread.ChangeClipboardChain(q.Window, q.Next)
}
