// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"stationmaster/client"
	"stationmaster/internal/api"
	"stationmaster/win32"
)

// invoke makes a call of the table through the client's method of its name.
func invoke(ctx context.Context, c *client.Conn, row api.Call, request reflect.Value) error {
	in := []reflect.Value{reflect.ValueOf(ctx)}
	if row.Request != nil {
		in = append(in, request)
	}
	out := reflect.ValueOf(c).MethodByName(row.Name).Call(in)
	err, _ := out[len(out)-1].Interface().(error)
	return err
}

// junk fills a request with what a careless or hostile program might send.
func junk(r *rand.Rand, v reflect.Value) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 1)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint([]uint64{0, 1, 2, 3, 4, 8, 0xFFFFFFFF, 0xFFFFFFFE, r.Uint64()}[r.IntN(9)])
	case reflect.Int32, reflect.Int64:
		v.SetInt(int64(r.Uint64()) >> r.IntN(64))
	case reflect.String:
		v.SetString([]string{"", "x", `a\b`, "WinSta0", "Default", "alice", `\Sessions`, "\x00", "\xff\xfe", string(make([]byte, 70000))}[r.IntN(10)])
	case reflect.Pointer:
		if r.IntN(2) == 1 {
			v.Set(reflect.New(v.Type().Elem()))
			junk(r, v.Elem())
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), r.IntN(3), 3))
		for i := range v.Len() {
			junk(r, v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			junk(r, v.Field(i))
		}
	}
}

// Every call with an empty request and with junk, by the operator, a user's
// program and an unknown Linux user: each answers or refuses with a Win32
// number, nothing panics and the connection lives on.
func TestEveryCall(t *testing.T) {
	h := newHouse(t)
	op := h.dial()
	one := h.logon(op, "alice")
	h.logon(op, "bob")
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	run := func(t *testing.T, c *client.Conn) {
		for _, row := range api.Table() {
			switch row.Name {
			case "Hello", "OpenViewer": // are not made like others
				continue
			case "WTSLogoffSession", "WTSDisconnectSession", "WTSConnectSession":
				continue // would end what the other calls are about
			}
			for i := range 8 {
				var request reflect.Value
				if row.Request != nil {
					request = reflect.New(row.Request).Elem()
					if i > 0 {
						junk(r, request)
					}
				}
				ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
				err := invoke(ctx, c, row, request)
				cancel()
				_ = c.RevertToSelf(t.Context()) // some calls make it act as somebody else
				var own *win32.Error
				if err != nil && !errors.As(err, &own) && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%s(%+v): %v", row.Name, request, err)
				}
				if own != nil && (own.Code == 0 || own.Code == win32.RPC_S_SERVER_UNAVAILABLE) {
					t.Fatalf("%s(%+v): %v", row.Name, request, err)
				}
				if own != nil && own.Code == win32.ERROR_GEN_FAILURE {
					t.Errorf("%s: a failure nobody thought of: %v", row.Name, err)
				}
			}
		}
		if _, err := c.Ping(t.Context(), client.PingRequest{}); err != nil {
			t.Error(err)
		}
	}
	t.Run("user", func(t *testing.T) { h.as(one, func() { run(t, h.dial()) }) })
	t.Run("operator", func(t *testing.T) { run(t, h.dial()) })
}
