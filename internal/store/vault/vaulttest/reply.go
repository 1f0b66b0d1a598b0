package vaulttest

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/store/vault/vaulttest/wire"
)

type object = wire.Object

// reply is one answer before it is rendered.
type reply struct {
	status   int
	data     object
	auth     object
	wrapInfo object
	warnings []string
	errors   []string // not nil: an error body
	raw      []byte   // not nil: the body as it is
	atTop    bool     // data members stand at top level, too, as system paths show them
	bare     bool     // data alone, without an envelope
	noWrap   bool     // never wrapped: it is itself about wrapping
}

// envelope is the body around every answer, in the server's order.
type envelope struct {
	RequestID     string   `json:"request_id"`
	LeaseID       string   `json:"lease_id"`
	Renewable     bool     `json:"renewable"`
	LeaseDuration int64    `json:"lease_duration"`
	Data          object   `json:"data"`
	WrapInfo      object   `json:"wrap_info"`
	Warnings      []string `json:"warnings"`
	Auth          object   `json:"auth"`
}

func found(data object) reply { return reply{status: http.StatusOK, data: data} }

func system(data object) reply { return reply{status: http.StatusOK, data: data, atTop: true} }

func done() reply { return reply{status: http.StatusNoContent} }

func missing() reply { return *refuse(http.StatusNotFound) }

// gone is the empty 404 that PATCH answers.
func gone() reply { return reply{status: http.StatusNotFound, raw: []byte{}} }

func unsupported() reply { return *refuse(http.StatusMethodNotAllowed, multi("unsupported operation")) }

// refuse is an error body; without texts its list is empty, not null.
func refuse(status int, texts ...string) *reply {
	return &reply{status: status, errors: append([]string{}, texts...)}
}

// multi is the form in which a server collects errors, even a single one.
func multi(text string) string { return "1 error occurred:\n\t* " + text + "\n\n" }

// fail renders a store's fault. Details are public by contract, causes are not.
func (r *request) fail(err error) reply {
	detail := detailOf(err)
	switch fault.KindOf(err) {
	case fault.NotFound, fault.VersionNotFound, fault.Deleted, fault.Destroyed:
		return missing()
	case fault.Invalid, fault.CASMismatch, fault.CASRequired, fault.Exists, fault.Conflict, fault.Precondition:
		return *refuse(http.StatusBadRequest, detail)
	case fault.TooLarge:
		return *refuse(http.StatusRequestEntityTooLarge, detail)
	case fault.Unsupported:
		return unsupported()
	case fault.Forbidden, fault.ProviderDenied, fault.Unauthenticated:
		return *refuse(http.StatusForbidden, multi("permission denied"))
	case fault.RateLimited:
		return *refuse(http.StatusTooManyRequests, rateLimited(r.path))
	case fault.Unavailable:
		return *refuse(http.StatusServiceUnavailable, "Vault is sealed")
	default:
		return *refuse(http.StatusInternalServerError, multi("internal error"))
	}
}

// write renders a reply, wrapped when the caller asked for it.
func (h *Handler) write(w http.ResponseWriter, r *request, a reply) {
	head := w.Header()
	head.Set("Content-Type", "application/json")
	head.Set("Cache-Control", "no-store")
	body := h.render(a)
	if r.wrapTTL > 0 && a.status == http.StatusOK && !a.noWrap {
		body = h.render(h.wrapUp(r, body))
	}
	w.WriteHeader(a.status)
	if a.status != http.StatusNoContent && !r.head {
		_, _ = w.Write(body) // the client is gone: nobody is left to tell
	}
}

func (h *Handler) render(a reply) []byte {
	switch {
	case a.raw != nil:
		return a.raw
	case a.errors != nil:
		return wire.Encode(object{"errors": a.errors})
	case a.bare:
		return wire.Encode(a.data)
	}
	e := envelope{RequestID: h.id(), Data: a.data, WrapInfo: a.wrapInfo, Warnings: a.warnings, Auth: a.auth}
	if a.wrapInfo != nil {
		e.RequestID = ""
	}
	body := wire.Encode(e)
	if !a.atTop || len(a.data) == 0 {
		return body
	}
	return atTop(a.data, body)
}

// atTop puts the members of data before those of the envelope.
func atTop(data object, body []byte) []byte {
	var buf bytes.Buffer
	buf.WriteByte('{')
	for _, name := range slices.Sorted(maps.Keys(data)) {
		buf.Write(bytes.TrimSpace(wire.Encode(name)))
		buf.WriteByte(':')
		buf.Write(bytes.TrimSpace(wire.Encode(data[name])))
		buf.WriteByte(',')
	}
	buf.Write(body[1:])
	return buf.Bytes()
}

// id makes a random id in the form of a UUID.
func (h *Handler) id() string {
	b := h.random(16)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// invalid is the reply to a malformed field.
func invalid(format string, args ...any) reply {
	return *refuse(http.StatusBadRequest, fmt.Sprintf(format, args...))
}

func rateLimited(path string) string { return `request path "` + path + `": rate limit quota exceeded` }
