// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"stationmaster/client"
	"stationmaster/internal/api"
	"stationmaster/win32"
)

// styleWords are the words of `station msg --style`.
var styleWords = map[string]uint32{
	"ok": win32.MB_OK, "okcancel": win32.MB_OKCANCEL, "abortretryignore": win32.MB_ABORTRETRYIGNORE,
	"yesnocancel": win32.MB_YESNOCANCEL, "yesno": win32.MB_YESNO, "retrycancel": win32.MB_RETRYCANCEL,
	"canceltrycontinue": win32.MB_CANCELTRYCONTINUE,
	"error":             win32.MB_ICONERROR, "question": win32.MB_ICONQUESTION,
	"warning": win32.MB_ICONWARNING, "information": win32.MB_ICONINFORMATION,
	"default2": 0x100, "default3": 0x200, "default4": 0x300,
	"anydesktop": win32.MB_SERVICE_NOTIFICATION,
}

var answerNames = map[uint32]string{
	win32.IDOK: "IDOK", win32.IDCANCEL: "IDCANCEL", win32.IDABORT: "IDABORT", win32.IDRETRY: "IDRETRY",
	win32.IDIGNORE: "IDIGNORE", win32.IDYES: "IDYES", win32.IDNO: "IDNO", win32.IDTRYAGAIN: "IDTRYAGAIN",
	win32.IDCONTINUE: "IDCONTINUE", win32.IDTIMEOUT: "IDTIMEOUT", win32.IDASYNC: "IDASYNC",
}

func (a *app) msgCommand() *cobra.Command {
	var styles []string
	var title string
	var timeout uint32
	var noWait bool
	words := make([]string, 0, len(styleWords))
	for w := range styleWords {
		words = append(words, w)
	}
	slices.Sort(words)
	cmd := &cobra.Command{
		Use:   "msg [flags] SESSION TEXT",
		Short: "Ask the person at a session (WTSSendMessage)",
		Long: `Shows a message box above the desktop of a session and prints the answer: IDOK,
IDYES, IDNO, … or IDTIMEOUT when the time was over. Only a person at a viewer can
answer; no program and no API call can.

Words of --style: ` + strings.Join(words, ", ") + ".",
		Example: "  station msg 1 'Backup starts in five minutes.' --no-wait\n  station msg --style yesno,question --title Update --timeout 60 1 'Restart the database now?'",
		Args:    wantArgs(2, 2, "[flags] SESSION TEXT"),
		RunE: func(c *cobra.Command, args []string) error {
			id, err := parseSession(args[0])
			if err != nil {
				return err
			}
			q := api.SendMessageRequest{SessionID: id, Title: title, Text: args[1], Seconds: timeout, Wait: !noWait}
			for _, w := range styles {
				bits, ok := styleWords[strings.ToLower(w)]
				if !ok {
					return usagef("%q is no style; the words are %s", w, strings.Join(words, ", "))
				}
				q.Style |= bits
			}
			return a.call(c, "ask session "+args[0], func(ctx context.Context, conn *client.Conn) error {
				response, err := conn.SendMessage(ctx, q)
				if err != nil {
					return err
				}
				name, ok := answerNames[response]
				if !ok {
					name = fmt.Sprint(response)
				}
				if a.json {
					return a.printJSON(struct {
						Response uint32
						Name     string
					}{response, name})
				}
				fmt.Fprintln(a.out, name)
				return nil
			})
		},
	}
	cmd.Flags().StringSliceVar(&styles, "style", nil, "buttons, icon and default button, comma separated")
	cmd.Flags().StringVar(&title, "title", "Message", "title of the box")
	cmd.Flags().Uint32Var(&timeout, "timeout", 0, "seconds until the box goes away; 0: never")
	cmd.Flags().BoolVar(&noWait, "no-wait", false, "do not wait for the answer")
	return cmd
}
