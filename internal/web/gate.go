// SPDX-License-Identifier: Apache-2.0

package web

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"stationmaster/win32"
)

// policy is all the page may do: load and connect to ourselves. data: is for
// images only: noVNC draws JPEG rectangles and cursors through it.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; " +
	"connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// gate stands before every request: it refuses what a browser may send us on
// behalf of another site.
func (s *Server) gate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()")

		if !s.hostAllowed(r) {
			writeProblem(w, newProblem(http.StatusMisdirectedRequest, win32.ERROR_ACCESS_DENIED,
				fmt.Sprintf("cannot serve host %q: the console answers to localhost, 127.0.0.1, [::1] and the name it listens on", r.Host)))
			return
		}
		if p := crossSite(r); p != nil {
			writeProblem(w, p)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// hostAllowed keeps out names that somebody else's DNS points at us. The port
// does not matter for that, and a forwarded one differs from ours.
func (s *Server) hostAllowed(r *http.Request) bool {
	host := hostOnly(r.Host)
	switch host {
	case "":
		return false
	case "localhost", "127.0.0.1", "::1":
		return true
	}
	for _, name := range s.hosts {
		if strings.EqualFold(name, host) {
			return true
		}
	}
	// With a wildcard address the name we listen on is the address the
	// connection came in by; a literal address cannot be rebound.
	ip, err := netip.ParseAddr(host)
	if err != nil || !s.wildcard {
		return false
	}
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return false
	}
	at, err := netip.ParseAddrPort(local.String())
	return err == nil && at.Addr().Unmap() == ip.Unmap()
}

// hostOnly takes the port and the brackets off a Host header.
func hostOnly(hostport string) string {
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		return strings.ToLower(h)
	}
	return strings.ToLower(strings.Trim(hostport, "[]"))
}

// crossSite refuses what another origin's page sends. Requests that change
// something and carry the cookie must say where they come from; a script with
// a bearer token has no cookie that could be misused and need not.
func crossSite(r *http.Request) *Problem {
	refuse := func(why string) *Problem {
		return newProblem(http.StatusForbidden, win32.ERROR_ACCESS_DENIED, "cannot accept a request of another site: "+why)
	}
	site := r.Header.Get("Sec-Fetch-Site")
	navigation := r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Method == http.MethodGet
	api := strings.HasPrefix(r.URL.Path, "/v1/")
	if (site == "cross-site" || site == "same-site") && (api || !navigation) {
		return refuse("Sec-Fetch-Site is " + site)
	}
	origin := r.Header.Get("Origin")
	if origin != "" {
		u, err := url.Parse(origin)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || !strings.EqualFold(u.Host, r.Host) {
			return refuse(fmt.Sprintf("Origin is %q, not ours", origin))
		}
		return nil
	}
	changes := r.Method != http.MethodGet && r.Method != http.MethodHead
	upgrade := r.Header.Get("Upgrade") != ""
	if (changes || upgrade) && site != "same-origin" && bearer(r) == "" && !(changes && len(r.Cookies()) == 0) {
		return refuse("it has no Origin")
	}
	return nil
}

// bearer gives the bearer token of a request, or "".
func bearer(r *http.Request) string {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}
