// SPDX-License-Identifier: Apache-2.0

package web

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// serveFake runs the console on loopback with a fake daemon behind it.
func serveFake(t *testing.T) (*fakeDaemon, string) {
	t.Helper()
	d := newFakeDaemon()
	ctx, cancel := context.WithCancel(context.Background())
	ready := make(chan net.Addr, 1)
	done := make(chan error, 1)
	go func() {
		done <- Main(ctx, Options{Listen: "127.0.0.1:0", Dial: d.Dial, Ready: func(a net.Addr) { ready <- a }})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the console ended with %v", err)
		}
		if n := d.openConns(); n != 0 {
			t.Errorf("%d connections to the daemon are left", n)
		}
	})
	select {
	case a := <-ready:
		return d, "http://" + a.String()
	case err := <-done:
		done <- err
		t.Fatalf("the console did not start: %v", err)
		return nil, ""
	}
}

// browser starts a headless Chromium, or skips loudly without one.
func browser(t *testing.T, width, height int) context.Context {
	t.Helper()
	path := "/usr/bin/chromium"
	if _, err := os.Stat(path); err != nil {
		t.Skipf("SKIPPED, the page is not tested: no browser: %v", err)
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("headless", "new"),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("disable-background-networking", true),
		chromedp.WindowSize(width, height), chromedp.UserDataDir(t.TempDir()))
	actx, stop := chromedp.NewExecAllocator(context.Background(), opts...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(actx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(int64(width), int64(height))); err != nil {
		t.Fatalf("cannot start the browser: %v", err)
	}
	limited, end := context.WithTimeout(ctx, 90*time.Second)
	t.Cleanup(end)
	return limited
}

// shot keeps a picture of the page in $STATION_SHOTS, if that is set.
func shot(name string) step {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		dir := os.Getenv("STATION_SHOTS")
		if dir == "" {
			return nil
		}
		b, err := chromedp.CaptureScreenshot()(ctx, t)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, name+".png"), b, 0o644)
	})
}

// keep writes a picture of a failure where a person finds it.
func keep(t *testing.T, name string, b []byte) {
	dir := os.Getenv("STATION_SHOTS")
	if dir == "" {
		dir = os.TempDir()
	}
	file := filepath.Join(dir, "station-"+name+".png")
	if err := os.WriteFile(file, b, 0o644); err == nil {
		t.Logf("picture of the page: %s", file)
	}
}

type step = chromedp.Action[chromedp.Void]

func visible(id string) step { return chromedp.WaitVisible(at(id)) }
func click(id string) step   { return chromedp.Click(at(id)) }
func do(f func()) step {
	return chromedp.Func(func(context.Context, *chromedp.Target) error { f(); return nil })
}

func at(id string) chromedp.CSS { return chromedp.CSS(`[data-testid="` + id + `"]`) }

// TestLook takes pictures of the page in its states, for a person to look at.
func TestLook(t *testing.T) {
	if os.Getenv("STATION_SHOTS") == "" {
		t.Skip("set STATION_SHOTS to a directory to get pictures of the page")
	}
	d, base := serveFake(t)
	ctx := browser(t, 1280, 800)
	d.ticket("t1", `NT AUTHORITY\SYSTEM`)
	wait := func(sel chromedp.CSS) step { return chromedp.WaitVisible(sel) }
	scheme := func(v string) step {
		return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
			_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: v}},
			})
			return err
		})
	}
	settle := chromedp.Sleep(700 * time.Millisecond)
	err := chromedp.Do(ctx,
		scheme("light"), chromedp.EmulateViewport(1280, 800),
		chromedp.Navigate(base+"/signin?ticket=t1"), wait(at("console")), wait(`[data-state="connected"]`), settle, shot("light-1280"),
		click("warnings-hide"), click("tab-services"), settle, shot("services"), click("service-log-backup"), settle, shot("servicelog"),
		click("tab-status"), settle, shot("status"), click("tab-audit"), settle, shot("audit"), click("tab-events"), settle, shot("events"), click("dock-hide"),
		click("desktop-Default"), settle, shot("facts"),
		click("message-open"), settle, shot("dialog-message"), click("dialog-cancel"),
		click("logon-open"), settle, shot("dialog-logon"), click("dialog-cancel"),
		click("tree-session-0"), settle, shot("zero"), click("tree-session-2"), wait(`[data-state="connected"]`), settle, shot("locked"),
		click("tree-session-1"), wait(`[data-state="connected"]`), scheme("dark"), settle, shot("dark-1280"),
		chromedp.EmulateViewport(1920, 1080), settle, shot("dark-1920"), scheme("light"), settle, shot("light-1920"),
		do(d.stop), settle, shot("gone"),
		do(d.restart), wait(`[data-testid="live"][data-state="live"]`), wait(`[data-testid="viewer"][data-state="connected"]`), settle, shot("back"),
		click("signout"), wait(at("signed-out")), shot("signedout"),
		chromedp.Navigate(base+"/signin?ticket=t1"), wait(at("signin-error")), shot("used"),
	)
	if err != nil {
		t.Fatal(err)
	}
}
