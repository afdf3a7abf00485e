// SPDX-License-Identifier: Apache-2.0

package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"stationmaster/win32"
)

// Problem is an error as the API tells it: RFC 9457 problem details with the
// Win32 number, its text and the rule that decided.
type Problem struct {
	Type     string   `json:"type" doc:"Kind of problem; always about:blank, the code tells kinds apart." example:"about:blank"`
	Title    string   `json:"title" doc:"Short text of the HTTP status." example:"Forbidden"`
	Status   int      `json:"status" doc:"HTTP status." example:"403"`
	Detail   string   `json:"detail" doc:"What was refused or failed, for people." example:"SwitchDesktop Winlogon: Access is denied. (5)"`
	Code     uint32   `json:"code" doc:"Win32 error number." example:"5"`
	CodeName string   `json:"codeName" doc:"Symbolic name of the Win32 error number." example:"ERROR_ACCESS_DENIED"`
	Text     string   `json:"text" doc:"Text of the Win32 error number." example:"Access is denied."`
	Op       string   `json:"op,omitempty" doc:"The call that failed." example:"SwitchDesktop"`
	Object   string   `json:"object,omitempty" doc:"What it was asked about."`
	Rule     string   `json:"rule,omitempty" doc:"Rule of docs/spec that decided." example:"DT-46"`
	Fields   []string `json:"fields,omitempty" doc:"Fields of the request that are wrong, and why."`
}

// Error gives the detail.
func (p *Problem) Error() string { return p.Detail }

// GetStatus gives the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType makes the answer problem+json.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// newProblem makes a problem of our own, not from the daemon.
func newProblem(status int, code win32.Errno, detail string) *Problem {
	return &Problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail,
		Code: uint32(code), CodeName: code.Name(), Text: code.Error(),
	}
}

// problemOf turns any error of a call into a problem.
func problemOf(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	code := win32.Code(err)
	status := statusOf(code)
	if errors.Is(err, context.DeadlineExceeded) {
		status, code = http.StatusGatewayTimeout, win32.ERROR_TIMEOUT
	}
	p = newProblem(status, code, err.Error())
	var we *win32.Error
	if errors.As(err, &we) {
		p.Op, p.Object, p.Rule = we.Op, we.Object, we.Rule
	}
	return p
}

// statusOf maps a Win32 number to the HTTP status that says the same. 401 is
// kept for "not signed in": a wrong password for another account is 403.
func statusOf(code win32.Errno) int {
	switch code {
	case win32.ERROR_ACCESS_DENIED, win32.ERROR_PRIVILEGE_NOT_HELD, win32.ERROR_CTX_WINSTATION_ACCESS_DENIED,
		win32.ERROR_LOGON_FAILURE, win32.ERROR_ACCOUNT_DISABLED, win32.ERROR_ACCOUNT_RESTRICTION,
		win32.ERROR_ACCOUNT_LOCKED_OUT, win32.ERROR_PASSWORD_EXPIRED, win32.ERROR_INVALID_LOGON_HOURS,
		win32.ERROR_LOGON_TYPE_NOT_GRANTED, win32.ERROR_CTX_SHADOW_DISABLED:
		return http.StatusForbidden
	case win32.ERROR_FILE_NOT_FOUND, win32.ERROR_PATH_NOT_FOUND, win32.ERROR_CTX_WINSTATION_NOT_FOUND,
		win32.ERROR_SERVICE_DOES_NOT_EXIST, win32.ERROR_NOT_FOUND, win32.ERROR_NO_SUCH_USER, win32.ERROR_NONE_MAPPED,
		win32.ERROR_DATABASE_DOES_NOT_EXIST:
		return http.StatusNotFound
	case win32.ERROR_ALREADY_EXISTS, win32.ERROR_BUSY, win32.ERROR_SHARING_VIOLATION, win32.ERROR_USER_EXISTS,
		win32.ERROR_SERVICE_ALREADY_RUNNING, win32.ERROR_SERVICE_NOT_ACTIVE, win32.ERROR_SERVICE_CANNOT_ACCEPT_CTRL,
		win32.ERROR_DEPENDENT_SERVICES_RUNNING, win32.ERROR_SERVICE_DISABLED, win32.ERROR_SERVICE_EXISTS,
		win32.ERROR_SERVICE_MARKED_FOR_DELETE, win32.ERROR_SERVICE_DATABASE_LOCKED, win32.ERROR_SERVICE_DEPENDENCY_FAIL,
		win32.ERROR_SERVICE_LOGON_FAILED, win32.ERROR_REQUIRES_INTERACTIVE_WINDOWSTATION, win32.ERROR_CTX_WINSTATION_BUSY,
		win32.ERROR_CTX_WINSTATION_ALREADY_EXISTS, win32.ERROR_CTX_SHADOW_INVALID,
		win32.ERROR_NO_TOKEN: // a session without a user
		return http.StatusConflict
	case win32.ERROR_INVALID_PARAMETER, win32.ERROR_INVALID_NAME, win32.ERROR_BAD_PATHNAME, win32.ERROR_BAD_LENGTH,
		win32.ERROR_FILENAME_EXCED_RANGE, win32.ERROR_BAD_EXE_FORMAT, win32.ERROR_INVALID_MSGBOX_STYLE,
		win32.ERROR_INVALID_SERVICE_CONTROL, win32.ERROR_INVALID_SID, win32.ERROR_INVALID_ACL,
		win32.ERROR_INVALID_SECURITY_DESCR, win32.ERROR_NO_UNICODE_TRANSLATION:
		return http.StatusBadRequest
	case win32.ERROR_NOT_SUPPORTED, win32.ERROR_CALL_NOT_IMPLEMENTED:
		return http.StatusNotImplemented
	case win32.ERROR_SEM_TIMEOUT, win32.WAIT_TIMEOUT, win32.ERROR_TIMEOUT, win32.ERROR_SERVICE_REQUEST_TIMEOUT,
		win32.ERROR_CTX_CLIENT_QUERY_TIMEOUT:
		return http.StatusGatewayTimeout
	case win32.RPC_S_SERVER_UNAVAILABLE, win32.ERROR_SHUTDOWN_IN_PROGRESS:
		return http.StatusServiceUnavailable
	case win32.ERROR_NOT_ENOUGH_MEMORY, win32.ERROR_NOT_ENOUGH_QUOTA, win32.ERROR_NO_MORE_USER_HANDLES:
		return http.StatusInsufficientStorage
	}
	return http.StatusInternalServerError
}

// writeProblem answers a request that did not get as far as a handler.
func writeProblem(w http.ResponseWriter, p *Problem) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	if p.Status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "1")
	}
	w.WriteHeader(p.Status)
	// The caller may be gone; there is nobody to tell.
	_ = json.NewEncoder(w).Encode(p)
}

// plainProblems turns the errors that huma makes (a body that is not JSON, a
// field that is missing) into ours, so that all errors have one shape.
func plainProblems(_ huma.Context, _ string, v any) (any, error) {
	m, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	code := win32.ERROR_INVALID_PARAMETER
	switch {
	case m.Status == http.StatusNotFound:
		code = win32.ERROR_NOT_FOUND
	case m.Status >= 500:
		code = win32.ERROR_GEN_FAILURE
	}
	p := newProblem(m.Status, code, m.Detail)
	for _, e := range m.Errors {
		p.Fields = append(p.Fields, e.Error())
	}
	return p, nil
}
