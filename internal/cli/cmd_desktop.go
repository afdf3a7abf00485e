// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"stationmaster/client"
	"stationmaster/internal/api"
)

func (a *app) desktopCommand() *cobra.Command {
	var session, station string
	var rights bool
	request := func(ctx context.Context, conn *client.Conn, name string) (api.SessionDesktopRequest, error) {
		id, err := a.targetSession(ctx, conn, session)
		return api.SessionDesktopRequest{SessionID: id, Station: station, Desktop: name}, err
	}

	list := &cobra.Command{
		Use: "list", Short: "List the desktops of a session", Example: "  station desktop list --session 1", Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.call(c, "list desktops", func(ctx context.Context, conn *client.Conn) error {
				_, stations, err := a.tree(ctx, conn, session)
				if err != nil {
					return err
				}
				all := []api.Desktop{}
				for _, s := range stations {
					if station == "" || strings.EqualFold(station, s.Name) {
						all = append(all, s.Desktops...)
					}
				}
				if a.json {
					return a.printJSON(all)
				}
				if rights {
					t := newTable("DESKTOP", "DESCRIPTOR")
					for _, d := range all {
						t.add(d.Station+`\`+d.Name, d.SDDL)
					}
					t.write(a.out)
					return nil
				}
				t := newTable("DESKTOP", "ACTIVE", "SURFACE", "SIZE", "DISPLAY", ">HEAP KB", ">USED", ">THREADS", "TROUBLE")
				for _, d := range all {
					active, size := "", ""
					if d.Active {
						active = "yes"
					}
					if d.Width > 0 {
						size = fmt.Sprintf("%dx%d", d.Width, d.Height)
					}
					t.add(d.Station+`\`+d.Name, active, d.Surface, size, d.Display, d.HeapKB, d.HeapUsed, d.Threads, d.Trouble)
				}
				t.write(a.out)
				return nil
			})
		},
	}

	list.Flags().BoolVar(&rights, "rights", false, "show the descriptors instead, as SDDL (station sd sets them)")

	var surface, size string
	var heap uint32
	create := &cobra.Command{
		Use: "create NAME", Short: "Create a desktop; it stays until it is closed or the session ends",
		Long: `Creates a desktop that the session manager holds. Its rights come from the
window station: the logon of the session's user may do everything, other logons
of the same user nothing.

The heaps of a session's desktops have a sum (station serve --session-heap):
many desktops in one session want a small --heap-kb, such as 512.`,
		Example: "  station desktop create Work --session 1 --surface x11 --size 1600x900", Args: wantArgs(1, 1, "NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.call(c, "create desktop "+args[0], func(ctx context.Context, conn *client.Conn) error {
				q, err := request(ctx, conn, args[0])
				if err != nil {
					return err
				}
				if q.Surface, q.HeapKB = surface, heap; !knownSurface(surface) {
					return usagef("--surface is x11 or builtin, not %q", surface)
				}
				if size != "" {
					if q.Width, q.Height, err = parseSize(size); err != nil {
						return err
					}
				}
				r, err := conn.CreateSessionDesktop(ctx, q)
				if err != nil {
					return err
				}
				if a.json {
					return a.printJSON(r.Desktop)
				}
				fmt.Fprintf(a.out, "%s\\%s\n", r.Desktop.Station, r.Desktop.Name)
				return nil
			})
		},
	}
	create.Flags().StringVar(&surface, "surface", "", "x11 or builtin (default x11 where there is an X server)")
	create.Flags().StringVar(&size, "size", "", "size in pixels, such as 1280x800")
	create.Flags().Uint32Var(&heap, "heap-kb", 0, "desktop heap in KB (default from the settings)")

	var output string
	screenshot := &cobra.Command{
		Use: "screenshot [NAME]", Short: "Write a picture of a desktop as PNG, active or not",
		Example: "  station desktop screenshot --session 1 -o alice.png\n  station desktop screenshot Work --session 1 > work.png", Args: wantArgs(0, 1, "[NAME]"),
		RunE: func(c *cobra.Command, args []string) error {
			name := strings.Join(args, "")
			if f, ok := a.out.(*os.File); ok && (output == "" || output == "-") && term.IsTerminal(int(f.Fd())) {
				return usagef("a picture is nothing for a terminal; use -o FILE or redirect the output")
			}
			what := "desktop " + name
			if name == "" {
				what = "the active desktop"
			}
			return a.call(c, "take a picture of "+what, func(ctx context.Context, conn *client.Conn) error {
				id, err := a.targetSession(ctx, conn, session)
				if err != nil {
					return err
				}
				r, err := conn.CaptureDesktop(ctx, api.CaptureRequest{SessionID: id, Station: station, Desktop: name})
				if err != nil {
					return err
				}
				if output == "" || output == "-" {
					_, err = a.out.Write(r.PNG)
					return err
				}
				return os.WriteFile(output, r.PNG, 0o644)
			})
		},
	}
	screenshot.Flags().StringVarP(&output, "output", "o", "", "file to write; default standard output")

	var text, keys string
	var click string
	input := &cobra.Command{
		Use: "input [NAME]", Short: "Send keys, text or a click to the active desktop",
		Long: `Sends input to the active desktop of a session. It is marked as injected: message
boxes of the session manager and the Winlogon desktop do not take it. A desktop
that is not active is refused.

--keys takes names joined by +, several separated by blanks: "ctrl+a Return F5".
Flags are applied in the order click, text, keys.`,
		Example: "  station desktop input --session 1 --text 'ls -l' --keys Return\n  station desktop input --session 1 --click 100,200", Args: wantArgs(0, 1, "[NAME]"),
		RunE: func(c *cobra.Command, args []string) error {
			var events []api.InputEvent
			if click != "" {
				var x, y int32
				if n, err := fmt.Sscanf(click, "%d,%d", &x, &y); err != nil || n != 2 {
					return usagef("%q is not a place; write it as X,Y", click)
				}
				events = append(events,
					api.InputEvent{Kind: 2, X: x, Y: y}, api.InputEvent{Kind: 2, X: x, Y: y, Buttons: 1}, api.InputEvent{Kind: 2, X: x, Y: y})
			}
			if text != "" {
				events = append(events, api.InputEvent{Kind: 3, Text: text})
			}
			ks, err := parseKeys(keys)
			if err != nil {
				return err
			}
			events = append(events, ks...)
			if len(events) == 0 {
				return usagef("nothing to send; use --text, --keys or --click")
			}
			return a.call(c, "send input", func(ctx context.Context, conn *client.Conn) error {
				id, err := a.targetSession(ctx, conn, session)
				if err != nil {
					return err
				}
				return conn.SendInput(ctx, api.SendInputRequest{SessionID: id, Desktop: strings.Join(args, ""), Events: events})
			})
		},
	}
	input.Flags().StringVar(&text, "text", "", "text to type")
	input.Flags().StringVar(&keys, "keys", "", "keys to press")
	input.Flags().StringVar(&click, "click", "", "X,Y to click at with the left button")

	p := parent("desktop", "List, create, switch, close, photograph desktops and send input", "Works on the desktops of a session.",
		list, create,
		&cobra.Command{
			Use: "switch NAME", Short: "Make a desktop the active one", Example: "  station desktop switch Work --session 1", Args: wantArgs(1, 1, "NAME"),
			RunE: func(c *cobra.Command, args []string) error {
				return a.call(c, "switch to desktop "+args[0], func(ctx context.Context, conn *client.Conn) error {
					q, err := request(ctx, conn, args[0])
					if err != nil {
						return err
					}
					return conn.SwitchSessionDesktop(ctx, q)
				})
			},
		},
		&cobra.Command{
			Use: "close NAME", Short: "Close a desktop made with create", Example: "  station desktop close Work --session 1", Args: wantArgs(1, 1, "NAME"),
			RunE: func(c *cobra.Command, args []string) error {
				return a.call(c, "close desktop "+args[0], func(ctx context.Context, conn *client.Conn) error {
					q, err := request(ctx, conn, args[0])
					if err != nil {
						return err
					}
					return conn.CloseSessionDesktop(ctx, q)
				})
			},
		},
		screenshot, input)
	p.PersistentFlags().StringVar(&session, "session", "", "id of the session (default the own one, or the console's)")
	p.PersistentFlags().StringVar(&station, "winsta", "", "window station (default WinSta0; list: all)")
	return p
}

// keysyms are the X names of keys that are not one character.
var keysyms = map[string]uint32{
	"return": 0xff0d, "enter": 0xff0d, "tab": 0xff09, "escape": 0xff1b, "esc": 0xff1b, "backspace": 0xff08,
	"delete": 0xffff, "insert": 0xff63, "home": 0xff50, "end": 0xff57, "pageup": 0xff55, "pagedown": 0xff56,
	"left": 0xff51, "up": 0xff52, "right": 0xff53, "down": 0xff54, "space": 0x20,
	"shift": 0xffe1, "ctrl": 0xffe3, "control": 0xffe3, "alt": 0xffe9, "super": 0xffeb, "menu": 0xff67,
	"f1": 0xffbe, "f2": 0xffbf, "f3": 0xffc0, "f4": 0xffc1, "f5": 0xffc2, "f6": 0xffc3,
	"f7": 0xffc4, "f8": 0xffc5, "f9": 0xffc6, "f10": 0xffc7, "f11": 0xffc8, "f12": 0xffc9,
}

// parseKeys turns "ctrl+a Return" into key events.
func parseKeys(s string) ([]api.InputEvent, error) {
	var events []api.InputEvent
	for _, chord := range strings.Fields(s) {
		var syms []uint32
		for _, name := range strings.Split(chord, "+") {
			sym, ok := keysyms[strings.ToLower(name)]
			switch r := []rune(name); {
			case ok:
			case len(r) == 1 && r[0] < 0x100:
				sym = uint32(r[0])
			case len(r) == 1:
				sym = 0x01000000 | uint32(r[0])
			case strings.HasPrefix(name, "0x"):
				n, err := strconv.ParseUint(name[2:], 16, 32)
				if err != nil {
					return nil, usagef("%q is no key", name)
				}
				sym = uint32(n)
			default:
				return nil, usagef("%q is no key", name)
			}
			syms = append(syms, sym)
		}
		for _, k := range syms {
			events = append(events, api.InputEvent{Kind: 1, Down: true, Keysym: k})
		}
		for i := len(syms) - 1; i >= 0; i-- {
			events = append(events, api.InputEvent{Kind: 1, Keysym: syms[i]})
		}
	}
	return events, nil
}
