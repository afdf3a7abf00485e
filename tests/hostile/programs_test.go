// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"stationmaster/client"
	"stationmaster/win32"
)

// probe tries it all and prints what it got. Arguments: the operator's ticket,
// alice's, bob's session, a process of bob's and alice's session.
func probe(args []string) int {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	session, _ := strconv.ParseUint(args[2], 10, 32)
	pid, _ := strconv.ParseUint(args[3], 10, 32)
	own, _ := strconv.ParseUint(args[4], 10, 32)
	bob := client.SessionRequest{SessionID: uint32(session)}
	f := found{}
	note := func(what string, err error) {
		var e *win32.Error
		switch {
		case err == nil:
			f[what] = "done"
		case errors.As(err, &e):
			f[what] = code(e.Code)
		default:
			f[what] = err.Error()
		}
	}
	dial := func() *client.Conn {
		c, err := client.Dial(ctx, os.Getenv("STATION_SOCKET"))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return c
	}
	c := dial()
	defer c.Close()

	ev, err := c.ReadEvents(ctx, client.ReadLogRequest{})
	others := 0
	for _, e := range ev.Events {
		// Who may log on may see who is logged on (WTS-1), and no more.
		if e.SessionID != uint32(own) && !strings.HasPrefix(e.Kind, "session-") {
			others++
		}
	}
	f["events of others"] = fmt.Sprint(others)
	if err != nil {
		note("events of others", err)
	}
	ps, err := c.EnumProcesses(ctx, bob)
	f["bob's processes"] = fmt.Sprint(len(ps.Processes))
	if err != nil {
		note("bob's processes", err)
	}
	powers := func(as string) {
		_, err := c.AddAccount(ctx, client.AddAccountRequest{Name: "mallory" + strconv.Itoa(os.Getpid()), Admin: true})
		note("AddAccount"+as, err)
		_, err = c.ReadAudit(ctx, client.ReadLogRequest{})
		note("ReadAudit"+as, err)
		note("Shutdown"+as, c.Shutdown(ctx, client.ShutdownRequest{}))
		_, err = c.LogonSession(ctx, client.LogonSessionRequest{User: "bob", NoPassword: true, New: true})
		note("NoPassword"+as, err)
		_, err = c.CreateTicket(ctx, client.CreateTicketRequest{})
		note("CreateTicket"+as, err)
		_, err = c.OpenProcess(ctx, client.OpenProcessRequest{ProcessID: uint32(pid), Access: win32.PROCESS_TERMINATE})
		note("OpenProcess"+as, err)
	}
	powers("")
	_, err = c.RedeemTicket(ctx, client.RedeemTicketRequest{Ticket: args[0]})
	note("operator's ticket", err)
	_, err = c.RedeemTicket(ctx, client.RedeemTicketRequest{Ticket: args[1]})
	note("alice's ticket", err)
	note("SecureAttention", c.SecureAttention(ctx, bob))
	_, err = c.CaptureDesktop(ctx, client.CaptureRequest{SessionID: bob.SessionID})
	note("CaptureDesktop", err)
	note("SendInput", c.SendInput(ctx, client.SendInputRequest{SessionID: bob.SessionID, Events: []client.InputEvent{{Kind: 1}}}))
	_, err = c.WTSQueryUserToken(ctx, bob)
	note("WTSQueryUserToken", err)
	v := dial()
	_, _, err = v.OpenViewer(ctx, client.OpenViewerRequest{SessionID: bob.SessionID})
	note("OpenViewer", err)
	v.Close()

	// Knowing an administrator's password gives a token to look at.
	boss, err := c.LogonUser(ctx, client.LogonUserRequest{Name: "boss", Password: "boss-pw", Type: win32.LOGON32_LOGON_NETWORK})
	if err == nil {
		err = c.ImpersonateLoggedOnUser(ctx, client.HandleRequest{Handle: boss.Handle})
	}
	note("impersonate", err)
	powers(" as boss")

	if json.NewEncoder(os.Stdout).Encode(f) != nil {
		return 1
	}
	return 0
}

// bomb starts processes until it is stopped, and ends them.
func bomb([]string) int {
	r, w, err := os.Pipe() // all of them wait for its end
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer w.Close()
	c := exec.Command("/bin/sh", "-c", "n=0; while [ $n -lt 100000 ]; do (read x) <&3 & n=$((n+1)); done; exit 77")
	c.ExtraFiles = []*os.File{r}
	said, err := c.StderrPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	r.Close()
	// dash says "Cannot fork", bash "fork: retry", and not in one write.
	line, _ := bufio.NewReader(said).ReadString('\n')
	w.Close()
	c.Process.Kill()
	c.Wait()
	if strings.Contains(line, "fork") {
		fmt.Println("stopped")
	} else {
		fmt.Printf("%q\n", line)
	}
	return 0
}
