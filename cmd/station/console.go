// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path"
	"strings"
	"time"

	"stationmaster/internal/api"
	"stationmaster/station"
	"stationmaster/win32"
)

// consoleService is the name of the web console's service.
const consoleService = "StationWeb"

// consoleReady bounds how long the console may take to run.
const consoleReady = 30 * time.Second

// startConsole makes the web console a service in session 0 under
// NetworkService and starts it. A console that an earlier daemon left running
// at the same address goes on.
func (x *executive) startConsole(ctx context.Context) error {
	m, err := x.services.OpenSCManager(x.system, api.OpenSCManagerRequest{Access: win32.SC_MANAGER_ALL_ACCESS})
	if err != nil {
		return fmt.Errorf("cannot open the service manager: %w", err)
	}
	defer x.system.CloseHandle(m.Handle)

	was, err := x.oldConsole(ctx, m.Handle)
	if err != nil {
		return fmt.Errorf("cannot look at the console's service: %w", err)
	}
	listen := x.cfg.listen
	if x.console != "" { // it ran before: its address stays
		listen = strings.TrimPrefix(x.console, "http://")
	}
	if listen == "" {
		return was.remove(ctx)
	}
	if was.running && was.serves(listen) {
		x.console = "http://" + was.listen
		return was.close()
	}
	if err := was.remove(ctx); err != nil {
		return err
	}

	// Whether the address can be had is asked here, where it can be said
	// clearly; the port of address :0 is settled, too.
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("cannot give the console its address (see --listen): %w", err)
	}
	addr := l.Addr().String()
	l.Close()

	binary, err := x.binaryInSessions()
	if err != nil {
		return err
	}
	s, err := x.services.CreateService(x.system, api.CreateServiceRequest{
		Manager: m.Handle, Name: consoleService, DisplayName: "Stationmaster web console", Access: win32.SERVICE_ALL_ACCESS,
		Type: win32.SERVICE_WIN32_OWN_PROCESS, StartType: win32.SERVICE_DEMAND_START, ErrorControl: 1,
		BinaryPath: fmt.Sprintf("%s web --service %s --listen %s", binary, consoleService, addr), Account: `NT AUTHORITY\NetworkService`,
		Description: "Serves the web console and the HTTP API. It has no privilege: what it does, it does with the token of who signed in.",
	})
	if err != nil {
		return fmt.Errorf("cannot make the console's service: %w", err)
	}
	defer x.system.CloseHandle(s.Handle)
	ctx, cancel := context.WithTimeout(ctx, consoleReady)
	defer cancel()
	if err := x.services.StartService(ctx, x.system, api.StartServiceRequest{Service: s.Handle}); err != nil {
		return fmt.Errorf("cannot start the console's service: %w%s", err, x.lastWords(ctx, s.Handle))
	}
	if err := x.awaitService(ctx, s.Handle, win32.SERVICE_RUNNING); err != nil {
		return fmt.Errorf("the console does not run: %w%s", err, x.lastWords(ctx, s.Handle))
	}
	x.console = "http://" + addr
	return nil
}

// binaryInSessions gives this program's path as session 0 sees it.
func (x *executive) binaryInSessions() (string, error) {
	if x.public != publicBinary {
		return x.public, nil
	}
	zero, ok := x.engine.Session(0)
	if ok {
		if v, ok := zero.Host().(station.PublicViewer); ok {
			return path.Join(v.PublicPath(), publicBinary), nil
		}
	}
	return "", errors.New("cannot show this program to session 0: it has no public directory")
}

// lastWords gives what a service's program printed last, for an error message.
func (x *executive) lastWords(ctx context.Context, service win32.Handle) string {
	r, err := x.services.ServiceLog(context.WithoutCancel(ctx), x.system, api.ServiceLogRequest{Service: service, Bytes: 1000})
	if err != nil || len(r.Data) == 0 {
		return ""
	}
	return "\nit printed: " + strings.TrimSpace(string(r.Data))
}

// awaitService waits until a service is in a state; a service that stopped
// instead is an error.
func (x *executive) awaitService(ctx context.Context, service win32.Handle, want uint32) error {
	changed := make(chan struct{}, 1)
	cancel := x.engine.Subscribe(func(ev station.Event) {
		select {
		case changed <- struct{}{}:
		default:
		}
	})
	defer cancel()
	for {
		r, err := x.services.QueryServiceStatus(x.system, api.HandleRequest{Handle: service})
		if err != nil {
			return err
		}
		switch st := r.Status; {
		case st.State == want:
			return nil
		case st.State == win32.SERVICE_STOPPED:
			return win32.Errno(st.Win32ExitCode)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// oldConsole is the console's service as an earlier daemon left it.
type oldConsole struct {
	x       *executive
	handle  win32.Handle // 0: there is none
	running bool
	listen  string // address in its command line
}

func (x *executive) oldConsole(ctx context.Context, manager win32.Handle) (*oldConsole, error) {
	o := &oldConsole{x: x}
	h, err := x.services.OpenService(x.system, api.OpenServiceRequest{Manager: manager, Name: consoleService, Access: win32.SERVICE_ALL_ACCESS})
	if errors.Is(err, win32.ERROR_SERVICE_DOES_NOT_EXIST) {
		return o, nil
	}
	if err != nil {
		return nil, err
	}
	o.handle = h.Handle
	c, err := x.services.QueryServiceConfig(x.system, api.HandleRequest{Handle: o.handle})
	if err != nil {
		return nil, err
	}
	st, err := x.services.QueryServiceStatus(x.system, api.HandleRequest{Handle: o.handle})
	if err != nil {
		return nil, err
	}
	o.running = st.Status.State == win32.SERVICE_RUNNING
	words := strings.Fields(c.Config.BinaryPath)
	for i, w := range words {
		if w == "--listen" && i+1 < len(words) {
			o.listen = words[i+1]
		}
	}
	return o, nil
}

// serves reports whether the old console's address is one that listen asks for.
func (o *oldConsole) serves(listen string) bool {
	if o.listen == listen {
		return true
	}
	oldHost, _, err1 := net.SplitHostPort(o.listen)
	host, port, err2 := net.SplitHostPort(listen)
	return err1 == nil && err2 == nil && port == "0" && host == oldHost
}

func (o *oldConsole) close() error {
	if o.handle == 0 {
		return nil
	}
	return o.x.system.CloseHandle(o.handle)
}

// remove stops the old console and deletes its service.
func (o *oldConsole) remove(ctx context.Context) error {
	if o.handle == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, consoleReady)
	defer cancel()
	if o.running {
		if _, err := o.x.services.ControlService(ctx, o.x.system, api.ControlServiceRequest{Service: o.handle, Control: win32.SERVICE_CONTROL_STOP}); err != nil {
			return fmt.Errorf("cannot stop the console of the daemon before: %w", err)
		}
		if err := o.x.awaitService(ctx, o.handle, win32.SERVICE_STOPPED); err != nil {
			return fmt.Errorf("the console of the daemon before does not stop: %w", err)
		}
	}
	if err := o.x.services.DeleteService(o.x.system, api.HandleRequest{Handle: o.handle}); err != nil {
		return fmt.Errorf("cannot remove the console's service: %w", err)
	}
	return o.close()
}
