// SPDX-License-Identifier: Apache-2.0

package screens

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// loot is what a spy got hold of. Everything in it but Tried must be empty or
// zero in a session that is not the victim's.
type loot struct {
	Tried    int      // ways that were tried
	Pictures []string // displays whose picture has the victim's colour
	Sockets  []string // X sockets that took a connection, by abstract name or TCP
	Keys     string   // what key capture on the reachable displays printed
}

// ways are the displays a spy tries: as X programs name them, by path,
// abstract name and TCP.
func ways() []string {
	var all []string
	for n := range 4 {
		for _, form := range []string{":%d", "unix:%d", "localhost:%d", "127.0.0.1:%d"} {
			all = append(all, fmt.Sprintf(form, n))
		}
	}
	return all
}

// spy tries to see, hear and type on every X display it can name. Its
// arguments: a text to type everywhere, for how long to listen, and the
// victim's cookie file in hexadecimal, as if it had been stolen.
func spy(args []string) int {
	text, listen, stolen := args[0], args[1], args[2]
	patience, err := time.ParseDuration(listen)
	if err != nil {
		return 2
	}
	cookie, err := hex.DecodeString(stolen)
	if err != nil {
		return 2
	}
	dir, err := os.MkdirTemp("", "spy")
	if err != nil {
		return 3
	}
	defer os.RemoveAll(dir)
	auth := filepath.Join(dir, "stolen")
	if err := os.WriteFile(auth, cookie, 0o600); err != nil {
		return 3
	}
	var l loot
	for n := range 4 {
		for _, a := range []net.UnixAddr{{Name: fmt.Sprintf("@/tmp/.X11-unix/X%d", n), Net: "unix"}} {
			l.Tried++
			if c, err := net.DialUnix("unix", nil, &a); err == nil {
				l.Sockets = append(l.Sockets, a.Name)
				c.Close()
			}
		}
		address := fmt.Sprintf("127.0.0.1:%d", 6000+n)
		l.Tried++
		if c, err := net.DialTimeout("tcp", address, time.Second); err == nil {
			l.Sockets = append(l.Sockets, address)
			c.Close()
		}
	}
	var envs [][]string
	for _, display := range ways() {
		for _, a := range []string{os.Getenv("XAUTHORITY"), auth} {
			env := append(os.Environ(), "DISPLAY="+display, "XAUTHORITY="+a)
			envs = append(envs, env)
			name := display
			if a == auth {
				name += " with the stolen cookie"
			}
			l.Tried++
			short, stop := context.WithTimeout(context.Background(), 5*time.Second)
			shot := exec.CommandContext(short, "xwd", "-root", "-silent")
			shot.Env = env
			if out, err := shot.Output(); err == nil && bytes.Count(out, victimPixel) > 1000 {
				l.Pictures = append(l.Pictures, name)
			}
			typist := exec.CommandContext(short, "xdotool", "type", "--delay", "1", text+"\n")
			typist.Env = env
			_ = typist.Run() // no such display is what it should say
			stop()
		}
	}
	// Only then does it listen: what it types itself is no loot.
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var ears []*exec.Cmd
	var heard []*bytes.Buffer
	for _, env := range envs {
		ear := exec.CommandContext(ctx, "xinput", "test-xi2", "--root")
		ear.Env = env
		out := &bytes.Buffer{}
		ear.Stdout = out
		if ear.Start() == nil {
			ears, heard = append(ears, ear), append(heard, out)
		}
	}
	l.Tried += len(ears)
	fmt.Println("listening")
	for i, ear := range ears {
		_ = ear.Wait()
		l.Keys += heard[i].String()
	}
	b, err := json.Marshal(l)
	if err != nil {
		return 3
	}
	fmt.Println(string(b))
	return 0
}
