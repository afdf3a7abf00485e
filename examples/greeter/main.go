// SPDX-License-Identifier: Apache-2.0

// Command greeter is a small service: it runs in session 0 and greets whoever
// logs on, by the one way from there to a person's screen.
//
//	station service create greeter -- $PWD/greeter
//	station service start greeter
package main

import (
	"context"
	"log"

	"stationmaster/client"
	"stationmaster/client/svc"
	"stationmaster/win32"
)

type greeter struct{}

func (greeter) Execute(_ []string, requests <-chan svc.ChangeRequest, status chan<- svc.Status) (bool, uint32) {
	status <- svc.Status{State: svc.Running, Accepts: svc.AcceptStop | svc.AcceptShutdown | svc.AcceptSessionChange}
	for r := range requests {
		switch r.Cmd {
		case svc.Stop, svc.Shutdown:
			status <- svc.Status{State: svc.StopPending}
			return false, 0
		case svc.Interrogate:
			status <- r.CurrentStatus
		case svc.SessionChange:
			if r.EventType == win32.WTS_SESSION_LOGON {
				greet(r.SessionID)
			}
		}
	}
	return false, 0
}

func greet(session uint32) {
	ctx := context.Background()
	conn, err := client.Dial(ctx, "")
	if err != nil {
		log.Print(err)
		return
	}
	defer conn.Close()
	_, err = conn.SendMessage(ctx, client.SendMessageRequest{SessionID: session, Title: "Greeter", Text: "Welcome."})
	log.Printf("greeted session %d: %v", session, err)
}

func main() {
	if err := svc.Run("greeter", greeter{}); err != nil {
		log.Fatal(err)
	}
}
