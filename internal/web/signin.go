// SPDX-License-Identifier: Apache-2.0

package web

import (
	"context"
	"errors"
	"html/template"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// signInPage redeems the ticket in the address and sets the cookie. It goes on
// with a page, not a redirect: a browser that came here by a link of another
// site would not send a SameSite=Strict cookie along a redirect. A fragment
// (#session=1) goes along.
func (s *Server) signInPage(w http.ResponseWriter, r *http.Request) {
	ticket := r.URL.Query().Get("ticket")
	if ticket == "" {
		s.signInError(w, http.StatusBadRequest, "There is no ticket in this address",
			"Make one with “station view” or “station demo” on the machine itself, and open the address it prints.")
		return
	}
	if s.visits.madeBy(s.visitOf(r), ticket) {
		s.goOn(w)
		return
	}
	secret, _, err := s.visits.signIn(r.Context(), ticket)
	var p *Problem
	switch {
	case err == nil:
		http.SetCookie(w, s.newCookie(secret))
		s.goOn(w)
	case errors.As(err, &p) && p.Status == http.StatusForbidden:
		s.signInError(w, http.StatusForbidden, "This ticket does not open the console",
			"It is wrong, too old or was used before: a ticket is good for one sign-in. Make a new one with “station view” on the machine itself.")
	default:
		s.log.Warn("cannot sign a browser in", "error", err)
		s.signInError(w, http.StatusServiceUnavailable, "Stationmaster does not answer",
			"The console runs, but the station daemon could not be asked about the ticket. It is still good: try again in a moment.")
	}
}

func (s *Server) newCookie(secret string) *http.Cookie {
	return &http.Cookie{Name: s.cookie, Value: secret, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode}
}

func (s *Server) goOn(w http.ResponseWriter) {
	s.signInWrite(w, http.StatusOK, signInData{Title: "Signed in", Go: true, Text: "One moment: the console opens."})
}

func (s *Server) signInError(w http.ResponseWriter, status int, title, text string) {
	s.signInWrite(w, status, signInData{Title: title, Text: text, Trouble: true})
}

type signInData struct {
	Title, Text string
	Go, Trouble bool
}

func (s *Server) signInWrite(w http.ResponseWriter, status int, d signInData) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// The browser may be gone; there is nobody to tell.
	_ = signInTemplate.Execute(w, d)
}

var signInTemplate = template.Must(template.New("signin").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
{{if .Go}}<meta http-equiv="refresh" content="1;url=/"><script src="/door.js" defer></script>{{end}}
<title>{{.Title}} – Stationmaster</title><link rel="icon" href="/icon.svg"><link rel="stylesheet" href="/style.css"></head>
<body class="door"><main data-testid="{{if .Trouble}}signin-error{{else}}signin-ok{{end}}"><img src="/icon.svg" alt="" width="44" height="44">
<h1>{{.Title}}</h1><p>{{.Text}}</p>{{if .Go}}<p><a href="/">Open the console</a></p>{{end}}</main></body></html>
`))

// SignedIn is part of the input of each operation that needs a sign-in.
type SignedIn struct {
	visit *visit
}

// Resolve finds the visit of the request before the handler runs.
func (in *SignedIn) Resolve(ctx huma.Context) []error {
	server, ok := ctx.Operation().Metadata["server"].(*Server)
	if !ok {
		return []error{newProblem(http.StatusInternalServerError, 31, "cannot find the server of the operation")}
	}
	r, _ := humago.Unwrap(ctx)
	if in.visit = server.visitOf(r); in.visit == nil {
		return []error{errSignedOut}
	}
	return nil
}

type signInInput struct {
	Body struct {
		Ticket string `json:"ticket" minLength:"1" maxLength:"512" doc:"One-time ticket made by the operator."`
	}
}

type signInOutput struct {
	Body struct {
		Token string `json:"token" doc:"Bearer token for the Authorization header."`
		Me
	}
}

// Me is who a request is taken for.
type Me struct {
	User   string `json:"user" doc:"Account whose rights are used." example:"STATION\\alice"`
	Person bool   `json:"person" doc:"Whether viewers of this sign-in take a person's input (IN-9)."`
	Admin  bool   `json:"admin" doc:"Whether the account is an administrator."`
}

func (v *visit) me() Me { return Me{User: v.user, Person: v.person, Admin: v.admin} }

func (s *Server) registerSignIn() {
	register(s, http.MethodPost, "/v1/signin", "signIn", "Sign-in", "Redeem a one-time ticket for a bearer token",
		func(ctx context.Context, in *signInInput) (*signInOutput, error) {
			secret, v, err := s.visits.signIn(ctx, in.Body.Ticket)
			if err != nil {
				return nil, problemOf(err)
			}
			out := &signInOutput{}
			out.Body.Token, out.Body.Me = secret, v.me()
			return out, nil
		})
	register(s, http.MethodPost, "/v1/signout", "signOut", "Sign-in", "End this sign-in, its viewers and its token",
		func(_ context.Context, in *SignedIn) (*signOutOutput, error) {
			s.visits.signOut(in.visit)
			gone := s.newCookie("")
			gone.MaxAge = -1
			return &signOutOutput{SetCookie: *gone}, nil
		})
	register(s, http.MethodGet, "/v1/me", "me", "Sign-in", "Tell who this request is taken for",
		func(_ context.Context, in *SignedIn) (*body[Me], error) { return &body[Me]{in.visit.me()}, nil })
}

type signOutOutput struct {
	SetCookie http.Cookie `header:"Set-Cookie"`
}
