// SPDX-License-Identifier: Apache-2.0

package wts

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stationmaster/conform"
	"stationmaster/internal/api"
	"stationmaster/security"
	"stationmaster/station"
	"stationmaster/win32"
)

type answer struct {
	response uint32
	err      error
}

// ask sends a message and gives the answer on a channel.
func (w *world) ask(ctx context.Context, th *station.Thread, q api.SendMessageRequest) <-chan answer {
	got := make(chan answer, 1)
	go func() {
		r, err := w.m.WTSSendMessage(ctx, th, q)
		got <- answer{r.Response, err}
	}()
	return got
}

// awaitWaiters waits until n calls of the operator wait for the box with a key.
func (w *world) awaitWaiters(key []byte, n int) {
	w.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		w.m.mu.Lock()
		x := w.m.findLocked(1, security.System.String(), key)
		ok := x != nil && x.waiter == n
		w.m.mu.Unlock()
		if ok {
			return
		}
	}
	w.t.Fatalf("%d calls never waited for the box", n)
}

func key(c byte) []byte { return []byte(strings.Repeat(string(c), 16)) }

func TestMessageIsAnswered(t *testing.T) {
	conform.Rule(t, "WTS-30", "WTS-31", "WTS-32", "WTS-35", "WTS-36")
	w := newWorld(t, "")
	first := w.ask(w.ctx, w.operator, api.SendMessageRequest{SessionID: 1, Title: "A", Text: "first", Style: win32.MB_YESNO, Wait: true})
	w.display.await(t, 1)
	second := w.ask(w.ctx, w.operator, api.SendMessageRequest{SessionID: 1, Title: "B", Text: "second", Wait: true})
	boxes := w.display.await(t, 2)
	if b := boxes[0]; b.session != 1 || b.desktop != "Default" || b.b.Title != "A" || b.b.Text != "first" || b.b.Style != win32.MB_YESNO {
		t.Errorf("shown %+v", b)
	}
	r, err := w.m.ListMessages(w.operator, api.SessionRequest{SessionID: 1})
	if err != nil || len(r.Messages) != 2 || r.Messages[0].Text != "first" || r.Messages[1].Text != "second" || r.Messages[0].SenderPID != 1 {
		t.Errorf("listed %+v, %v", r, err)
	}
	if s, _ := w.m.WTSEnumerateSessions(w.operator); s.Sessions[1].Messages != 2 {
		t.Errorf("the session has %d messages", s.Sessions[1].Messages)
	}
	boxes[1].answer(win32.IDOK)
	if got := <-second; got != (answer{win32.IDOK, nil}) {
		t.Errorf("second: %+v", got)
	}
	boxes[0].answer(win32.IDNO)
	boxes[0].answer(win32.IDYES) // too late
	if got := <-first; got != (answer{win32.IDNO, nil}) {
		t.Errorf("first: %+v", got)
	}
	w.display.await(t, 0)

	// bWait FALSE: at once, and the box is there.
	if got := <-w.ask(w.ctx, w.operator, api.SendMessageRequest{SessionID: 1, Text: "x"}); got != (answer{win32.IDASYNC, nil}) {
		t.Errorf("without waiting: %+v", got)
	}
	w.display.await(t, 1)[0].answer(win32.IDOK)
	w.display.await(t, 0)

	// Nobody logged on: the Winlogon desktop. Session 0: its Default.
	for id, desktop := range map[uint32]string{0: "Default", w.console(): "Winlogon"} {
		got := w.ask(w.ctx, w.operator, api.SendMessageRequest{SessionID: id, Text: "x", Wait: true})
		b := w.display.await(t, 1)[0]
		if b.session != id || b.desktop != desktop {
			t.Errorf("session %d: on %s", id, b.desktop)
		}
		b.answer(win32.IDOK)
		if a := <-got; a.err != nil {
			t.Error(a.err)
		}
	}
}

// console gives a session at its logon screen: alice leaves the console.
func (w *world) console() uint32 {
	w.t.Helper()
	if err := w.winlogon.Disconnect(w.ctx, 1); err != nil {
		w.t.Fatal(err)
	}
	return w.winlogon.Console()
}

func TestMessageRefusals(t *testing.T) {
	conform.Rule(t, "WTS-2", "WTS-3", "WTS-30", "WTS-33", "WTS-36")
	w := newWorld(t, "")
	big := strings.Repeat("x", 32<<10)
	for _, c := range []struct {
		what string
		who  *station.Thread
		q    api.SendMessageRequest
		want win32.Errno
	}{
		{"no such session", w.operator, api.SendMessageRequest{SessionID: 9}, win32.ERROR_CTX_WINSTATION_NOT_FOUND},
		{"another's session", w.user(60, "bob"), api.SendMessageRequest{SessionID: 1}, win32.ERROR_ACCESS_DENIED},
		{"one's own", w.user(61, "alice"), api.SendMessageRequest{SessionID: 1}, win32.ERROR_ACCESS_DENIED},
		{"style 7", w.operator, api.SendMessageRequest{SessionID: 1, Style: 7}, win32.ERROR_INVALID_MSGBOX_STYLE},
		{"style 15", w.operator, api.SendMessageRequest{SessionID: 1, Style: 15}, win32.ERROR_INVALID_MSGBOX_STYLE},
		{"style 6", w.operator, api.SendMessageRequest{SessionID: 1, Style: 6}, 0},
		{"64 KiB", w.operator, api.SendMessageRequest{SessionID: 1, Text: big, Title: big}, 0},
		{"more text", w.operator, api.SendMessageRequest{SessionID: 1, Text: big + "x"}, win32.ERROR_INVALID_PARAMETER},
		{"more title", w.operator, api.SendMessageRequest{SessionID: 1, Title: big + "x"}, win32.ERROR_INVALID_PARAMETER},
		{"counted in UTF-16", w.operator, api.SendMessageRequest{SessionID: 1, Text: strings.Repeat("ü", 32<<10)}, 0},
		{"short key", w.operator, api.SendMessageRequest{SessionID: 1, Key: []byte("short")}, win32.ERROR_INVALID_PARAMETER},
		{"a service may", w.thread(62, security.LocalServiceToken(0)), api.SendMessageRequest{SessionID: 1}, 0},
	} {
		_, err := w.m.WTSSendMessage(w.ctx, c.who, c.q)
		if win32.Code(err) != c.want {
			t.Errorf("%s: got %v, want %d", c.what, err, uint32(c.want))
		}
	}
	w.display.await(t, 4)
	for range maxBoxes - 4 {
		if _, err := w.m.WTSSendMessage(w.ctx, w.operator, api.SendMessageRequest{SessionID: 1}); err != nil {
			t.Fatal(err)
		}
	}
	_, err := w.m.WTSSendMessage(w.ctx, w.operator, api.SendMessageRequest{SessionID: 1})
	wantCode(t, err, win32.ERROR_NOT_ENOUGH_QUOTA)
	if _, err := w.m.WTSSendMessage(w.ctx, w.operator, api.SendMessageRequest{SessionID: 2}); err != nil {
		t.Errorf("another session: %v", err)
	}
	// What boxes say is for the session's user and administrators.
	for who, want := range map[*station.Thread]win32.Errno{
		w.user(63, "alice"): 0, w.user(64, "carl"): 0, w.user(65, "bob"): win32.ERROR_ACCESS_DENIED,
		w.thread(66, security.NetworkServiceToken(0)): win32.ERROR_ACCESS_DENIED,
	} {
		if _, err := w.m.ListMessages(who, api.SessionRequest{SessionID: 1}); win32.Code(err) != want {
			t.Errorf("%s: %v, want %d", who.EffectiveToken().User().Name(), err, uint32(want))
		}
	}
}

func TestMessageTimeout(t *testing.T) {
	conform.Rule(t, "WTS-31", "WTS-36")
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "")
		began := time.Now()
		got := w.ask(w.ctx, w.operator, api.SendMessageRequest{SessionID: 1, Text: "x", Seconds: 7, Wait: true})
		if a := <-got; a != (answer{win32.IDTIMEOUT, nil}) || time.Since(began) != 7*time.Second {
			t.Errorf("after %v: %+v", time.Since(began), a)
		}
		w.display.await(t, 0)
		// Not waited for, it disappears all the same.
		if a := <-w.ask(w.ctx, w.operator, api.SendMessageRequest{SessionID: 1, Text: "x", Seconds: 5}); a.response != win32.IDASYNC {
			t.Errorf("got %+v", a)
		}
		w.display.await(t, 1)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		w.display.await(t, 0)
		// In a disconnected session the clock runs too.
		if err := w.winlogon.Disconnect(w.ctx, 2); err != nil {
			t.Fatal(err)
		}
		began = time.Now()
		if a := <-w.ask(w.ctx, w.operator, api.SendMessageRequest{SessionID: 2, Text: "x", Seconds: 3, Wait: true}); a.response != win32.IDTIMEOUT || time.Since(began) != 3*time.Second {
			t.Errorf("after %v: %+v", time.Since(began), a)
		}
		// Time-out 0 waits for ever.
		got = w.ask(w.ctx, w.operator, api.SendMessageRequest{SessionID: 1, Text: "x", Wait: true})
		time.Sleep(30 * 24 * time.Hour)
		select {
		case a := <-got:
			t.Errorf("it ended with %+v", a)
		default:
		}
		w.display.await(t, 1)[0].answer(win32.IDOK)
		if a := <-got; a.response != win32.IDOK {
			t.Errorf("got %+v", a)
		}
	})
}

func TestMessageOfASessionThatEnds(t *testing.T) {
	conform.Rule(t, "WTS-36")
	w := newWorld(t, "")
	one := w.ask(w.ctx, w.operator, api.SendMessageRequest{SessionID: 1, Text: "x", Wait: true})
	two := w.ask(w.ctx, w.operator, api.SendMessageRequest{SessionID: 2, Text: "y", Wait: true})
	w.display.await(t, 2)
	if err := w.winlogon.Logoff(w.ctx, 1); err != nil {
		t.Fatal(err)
	}
	a := <-one
	wantCode(t, a.err, win32.ERROR_CTX_WINSTATION_NOT_FOUND)
	b := w.display.await(t, 1)[0]
	if b.session != 2 {
		t.Errorf("the box of session %d is left", b.session)
	}
	b.answer(win32.IDOK)
	if a := <-two; a.response != win32.IDOK {
		t.Errorf("got %+v", a)
	}
}

func TestMessageKey(t *testing.T) {
	conform.Rule(t, "WTS-36")
	w := newWorld(t, "")
	q := api.SendMessageRequest{SessionID: 1, Text: "x", Style: win32.MB_YESNO, Wait: true, Key: key('k')}
	// The sender goes away; its box stays and it comes back.
	ctx, cancel := context.WithCancel(w.ctx)
	first := w.ask(ctx, w.operator, q)
	w.display.await(t, 1)
	cancel()
	if a := <-first; a.err == nil {
		t.Errorf("got %+v", a)
	}
	second := w.ask(w.ctx, w.operator, q)
	third := w.ask(w.ctx, w.operator, q)
	// Somebody else with the same key has a box of their own.
	other := w.ask(w.ctx, w.thread(60, security.LocalServiceToken(0)), q)
	boxes := w.display.await(t, 2)
	boxes[1].answer(win32.IDNO)
	if a := <-other; a != (answer{win32.IDNO, nil}) {
		t.Errorf("the other sender got %+v", a)
	}
	w.awaitWaiters(q.Key, 2)
	boxes[0].answer(win32.IDYES)
	for _, c := range []<-chan answer{second, third} {
		if a := <-c; a != (answer{win32.IDYES, nil}) {
			t.Errorf("got %+v", a)
		}
	}
	w.display.await(t, 0)
	// An answer that came while nobody waited is kept for who asks again.
	ctx, cancel = context.WithCancel(w.ctx)
	q.Key = key('l')
	gone := w.ask(ctx, w.operator, q)
	b := w.display.await(t, 1)[0]
	cancel()
	<-gone
	b.answer(win32.IDNO)
	if a := <-w.ask(w.ctx, w.operator, q); a != (answer{win32.IDNO, nil}) {
		t.Errorf("got %+v", a)
	}
	w.display.await(t, 0)
}

func TestMessagesOverARestart(t *testing.T) {
	conform.Rule(t, "WTS-36")
	state := filepath.Join(t.TempDir(), "messages.json")
	w := newWorld(t, state)
	ctx, cancel := context.WithCancel(w.ctx)
	q := api.SendMessageRequest{SessionID: 1, Title: "T", Text: "pending", Style: win32.MB_YESNOCANCEL, Wait: true, Key: key('a')}
	late := api.SendMessageRequest{SessionID: 2, Text: "answered", Wait: true, Key: key('b')}
	first := w.ask(ctx, w.operator, q)
	w.display.await(t, 1)
	second := w.ask(ctx, w.operator, late)
	boxes := w.display.await(t, 2)
	cancel() // the senders' connections end with the daemon
	<-first
	<-second
	boxes[1].answer(win32.IDOK) // before its sender came back
	gone := api.SendMessageRequest{SessionID: 1, Text: "not waited for"}
	if _, err := w.m.WTSSendMessage(w.ctx, w.operator, gone); err != nil {
		t.Fatal(err)
	}
	old := w.m
	w.m = w.manager(state)
	old.Close()
	w.display.await(t, 0)
	if err := w.m.Restore(); err != nil {
		t.Fatal(err)
	}
	boxes = w.display.await(t, 2)
	if b := boxes[0]; b.b.Title != "T" || b.b.Text != "pending" || b.b.Style != win32.MB_YESNOCANCEL || b.session != 1 || boxes[1].b.Text != "not waited for" {
		t.Errorf("shown again: %+v, %+v", b, boxes[1])
	}
	if a := <-w.ask(w.ctx, w.operator, late); a != (answer{win32.IDOK, nil}) {
		t.Errorf("the answer before the restart: %+v", a)
	}
	again := w.ask(w.ctx, w.operator, q)
	w.awaitWaiters(q.Key, 1)
	boxes[0].answer(win32.IDCANCEL)
	if a := <-again; a != (answer{win32.IDCANCEL, nil}) {
		t.Errorf("got %+v", a)
	}
	boxes[1].answer(win32.IDOK)
	w.display.await(t, 0)
	r, err := w.m.ListMessages(w.operator, api.SessionRequest{SessionID: 1})
	if err != nil || len(r.Messages) != 0 {
		t.Errorf("left %+v, %v", r, err)
	}
}
