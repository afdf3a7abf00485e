// SPDX-License-Identifier: Apache-2.0

// Package messages lets real programs send each other window messages through
// a real daemon: what must arrive, and what must not cross a desktop or a
// session.
package messages

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"stationmaster/client"
	"stationmaster/client/user"
	"stationmaster/conform"
	"stationmaster/tests/stationtest"
	"stationmaster/win32"
)

func TestMain(m *testing.M) {
	stationtest.Main(m, map[string]func([]string) int{"receiver": receiver, "sender": sender})
}

// What the receiver does besides answering.
const (
	msgEcho  = win32.WM_USER + 1
	msgClip  = win32.WM_USER + 2
	msgHang  = win32.WM_USER + 3
	msgDie   = win32.WM_USER + 4
	msgCount = win32.WM_USER + 5
	msgPost  = win32.WM_USER + 6
)

func fail(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// receiver makes a window with a title and answers messages.
func receiver(args []string) int {
	ctx := context.Background()
	c, err := client.Dial(ctx, "")
	if err != nil {
		return fail(err)
	}
	defer c.Close()
	t := user.New(c)
	posted := uint64(0)
	err = t.RegisterClass(ctx, "receiver", func(t *user.Thread, m user.Message) (uint64, []byte) {
		switch m.Message {
		case msgEcho:
			return m.WParam + 1, nil
		case msgPost:
			if m.WParam == posted {
				posted++
			}
			return 0, nil
		case msgCount:
			return posted, nil
		case win32.WM_COPYDATA:
			return uint64(len(m.Data)), bytes.ToUpper(m.Data[:10])
		case msgClip:
			if err := c.OpenClipboard(ctx, client.WindowRequest{}); err != nil {
				return 0, []byte(err.Error())
			}
			data, err := t.ClipboardData(ctx, win32.CF_TEXT)
			if err != nil {
				return 0, []byte(err.Error())
			}
			_ = c.CloseClipboard(ctx)
			return uint64(len(data)), data[:min(len(data), 20)]
		case msgHang:
			time.Sleep(time.Hour)
		case msgDie:
			os.Exit(7)
		case win32.WM_DESTROY:
			_ = t.PostQuitMessage(ctx, 0)
		}
		return t.DefWindowProc(ctx, m)
	})
	if err != nil {
		return fail(err)
	}
	if _, err := t.CreateWindow(ctx, client.CreateWindowRequest{Class: "receiver", Title: args[0], Style: win32.WS_VISIBLE}); err != nil {
		return fail(err)
	}
	if _, err := t.Loop(ctx); err != nil {
		return fail(err)
	}
	return 0
}

// find waits for a window.
func find(ctx context.Context, c *client.Conn, title string) (win32.HWND, error) {
	for {
		r, err := c.FindWindow(ctx, client.FindWindowRequest{Title: &title})
		if err != nil || r.Window != 0 {
			return r.Window, err
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("there is no window %q: %w", title, ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// sender runs one of the checks and prints "fine".
func sender(args []string) int {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	c, err := client.Dial(ctx, "")
	if err != nil {
		return fail(err)
	}
	defer c.Close()
	if args[0] == "find" {
		if _, err := find(ctx, c, args[1]); err != nil {
			return fail(err)
		}
		return 0
	}
	if err := map[string]func(context.Context, *user.Thread) error{"talk": talk, "reach": reach}[args[0]](ctx, user.New(c)); err != nil {
		return fail(err)
	}
	fmt.Println("fine")
	return 0
}

// talk is every kind of message between two programs of one desktop.
func talk(ctx context.Context, t *user.Thread) error {
	c := t.Conn()
	h, err := find(ctx, c, "one")
	if err != nil {
		return err
	}
	send := func(h win32.HWND, msg uint32, w uint64, data []byte) (uint64, []byte) {
		r, d, e := t.SendMessage(ctx, user.Message{Window: h, Message: msg, WParam: w, Data: data})
		if err == nil && e != nil {
			err = fmt.Errorf("message 0x%x: %w", msg, e)
		}
		return r, d
	}
	want := func(what string, got, want any) {
		if err == nil && got != want {
			err = fmt.Errorf("%s: got %v, want %v", what, got, want)
		}
	}
	r, _ := send(h, msgEcho, 41, nil)
	want("echo", r, uint64(42))
	_, text := send(h, win32.WM_GETTEXT, 0, nil)
	want("title", string(text), "one")
	r, text = send(h, win32.WM_COPYDATA, 0, bytes.Repeat([]byte("abcde"), 1<<20))
	want("bytes", r, uint64(5<<20))
	want("answer", string(text), "ABCDEABCDE")
	for i := range 3000 {
		if e := t.PostMessage(ctx, h, msgPost, uint64(i), 0); e != nil {
			return e
		}
	}
	for range 1000 { // posted messages come after sent ones: ask until all are there
		if r, _ = send(h, msgCount, 0, nil); r == 3000 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	want("posted, in order", r, uint64(3000))
	if err != nil {
		return err
	}

	// What this program promises, the other one asks it for while this one
	// waits for the answer.
	rendered := 0
	if err := t.RegisterClass(ctx, "owner", func(t *user.Thread, m user.Message) (uint64, []byte) {
		if m.Message == win32.WM_RENDERFORMAT {
			rendered++
			_ = t.SetClipboardData(ctx, uint32(m.WParam), []byte("rendered late\x00"))
			return 0, nil
		}
		return t.DefWindowProc(ctx, m)
	}); err != nil {
		return err
	}
	owner, err := t.CreateWindow(ctx, client.CreateWindowRequest{Class: "owner", Parent: win32.HWND_MESSAGE})
	if err != nil {
		return err
	}
	if err := c.OpenClipboard(ctx, client.WindowRequest{Window: owner}); err != nil {
		return err
	}
	if err := errors.Join(t.EmptyClipboard(ctx), t.SetClipboardData(ctx, win32.CF_TEXT, nil), c.CloseClipboard(ctx)); err != nil {
		return err
	}
	_, text = send(h, msgClip, 0, nil)
	want("clipboard", string(text), "rendered late\x00")
	want("rendered", rendered, 1)

	// A hook in this process sees what the other one gets.
	seen := 0
	hook, e := t.SetHook(ctx, win32.WH_CALLWNDPROC, 0, func(t *user.Thread, kind, code int32, m user.Message) uint64 {
		if m.Window == h && m.Message == msgEcho {
			seen++
		}
		r, _ := t.Next(ctx)
		return r
	})
	if e != nil {
		return e
	}
	send(h, msgEcho, 1, nil)
	want("hooked", seen, 1)
	if e := t.Unhook(ctx, hook); e != nil {
		return e
	}

	// A receiver that hangs, and one that dies.
	_, _, e = t.Send(ctx, client.SendWindowMessageRequest{Window: h, Message: msgHang, Limited: true, Timeout: 200})
	if !errors.Is(e, win32.ERROR_TIMEOUT) {
		return fmt.Errorf("a receiver that hangs: %w", e)
	}
	two, e := find(ctx, c, "two")
	if e != nil {
		return e
	}
	_, _, e = t.SendMessage(ctx, user.Message{Window: two, Message: msgDie})
	if !errors.Is(e, win32.ERROR_INVALID_WINDOW_HANDLE) {
		return fmt.Errorf("a receiver that dies: %w", e)
	}
	return err
}

// reach sends to every handle there could be.
func reach(ctx context.Context, t *user.Thread) error {
	c := t.Conn()
	for h := win32.HWND(0x10001); h < 0x10060; h++ {
		if _, err := c.GetWindowInfo(ctx, client.WindowRequest{Window: h}); err == nil {
			continue // of this desktop: the system's two
		}
		_, _, send := t.Send(ctx, client.SendWindowMessageRequest{Window: h, Message: msgDie, Limited: true, Timeout: 1000})
		_, _, notify := t.Send(ctx, client.SendWindowMessageRequest{Window: h, Message: msgDie, Mode: 1})
		for _, err := range []error{send, notify, t.PostMessage(ctx, h, msgDie, 0, 0)} {
			if !errors.Is(err, win32.ERROR_INVALID_WINDOW_HANDLE) {
				return fmt.Errorf("window 0x%x: %w", uint32(h), err)
			}
		}
	}
	for _, title := range []string{"other desktop", "other session", "session 0"} {
		r, err := c.FindWindow(ctx, client.FindWindowRequest{Title: &title})
		if err != nil || r.Window != 0 {
			return fmt.Errorf("FindWindow(%q) gives 0x%x, %w", title, uint32(r.Window), err)
		}
	}
	return t.PostMessage(ctx, win32.HWND_BROADCAST, msgDie, 0, 0)
}

func running(t *testing.T, c *client.Conn, p client.CreateProcessReply) bool {
	t.Helper()
	r, err := c.GetExitCodeProcess(t.Context(), client.HandleRequest{Handle: p.Process})
	if err != nil {
		t.Fatal(err)
	}
	return r.Code == 259
}

func TestMessages(t *testing.T) {
	stationtest.NeedRoot(t)
	d := stationtest.Serve(t, "--listen", "none")
	c := d.Dial(t)
	stationtest.AddUser(t, c, "alice", false)
	stationtest.AddUser(t, c, "bob", false)
	alice, bob := stationtest.Logon(t, c, "alice"), stationtest.Logon(t, c, "bob")
	d.Must(t, "desktop", "create", "--session", fmt.Sprint(alice), "Other")
	t.Run("MSG-1/isolation", func(t *testing.T) {
		conform.Rule(t, "MSG-1", "MSG-2", "MSG-7", "MSG-10", "WN-1", "WN-4", "WN-7")
		far := stationtest.Spawn(t, c, alice, `WinSta0\Other`, d.Program(t, "receiver", "other desktop")...)
		away := stationtest.Spawn(t, c, bob, `WinSta0\Default`, d.Program(t, "receiver", "other session")...)
		zero, err := c.CreateProcess(t.Context(), client.CreateProcessRequest{Args: d.Program(t, "receiver", "session 0")})
		if err != nil {
			t.Fatal(err)
		}
		for title, where := range map[string][]string{
			"other desktop": {"--session", fmt.Sprint(alice), "--desktop", `WinSta0\Other`}, "other session": {"--session", fmt.Sprint(bob)},
		} {
			d.Must(t, slices.Concat([]string{"run"}, where, []string{"--"}, d.Program(t, "sender", "find", title))...)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		if _, err := find(ctx, c, "session 0"); err != nil {
			t.Fatal(err)
		}
		if out := d.In(t, alice, d.Program(t, "sender", "reach")...); strings.TrimSpace(out) != "fine" {
			t.Fatalf("sender: %s", out)
		}
		for name, p := range map[string]client.CreateProcessReply{"other desktop": far, "other session": away, "session 0": zero} {
			if !running(t, c, p) {
				t.Errorf("the receiver on the %s has ended", name)
			}
		}
	})
	t.Run("MSG-23/talk", func(t *testing.T) {
		conform.Rule(t, "MSG-23", "MSG-16", "MSG-17", "MSG-24", "MSG-26", "MSG-31", "CB-10", "HK-8", "HK-5")
		stationtest.Spawn(t, c, alice, `WinSta0\Default`, d.Program(t, "receiver", "one")...)
		stationtest.Spawn(t, c, alice, `WinSta0\Default`, d.Program(t, "receiver", "two")...)
		if out := d.In(t, alice, d.Program(t, "sender", "talk")...); strings.TrimSpace(out) != "fine" {
			t.Fatalf("sender: %s", out)
		}
	})
}
