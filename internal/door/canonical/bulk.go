package canonical

import (
	"net/http"
	"strings"

	"github.com/coffer-dev/coffer/internal/door"
	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/secrets"
)

func (h handlers) bulk(w http.ResponseWriter, r *door.Request) error {
	return pass(w, r, readBulk, h.c.Secrets.Bulk, writeBulk)
}

func readBulk(r *door.Request) (in secrets.Bulk, err error) {
	o, err := unconditional(r, &in.Call, bulkLimit)
	if err != nil {
		return in, err
	}
	goOn, err := continueOnError(o)
	if err != nil {
		return in, err
	}
	in.StopOnError = !goOn
	list, err := decodeList(o["operations"])
	if err != nil {
		return in, err
	}
	for _, item := range list {
		op, err := readOp(item)
		if err != nil {
			return in, err
		}
		in.Ops = append(in.Ops, op)
	}
	return in, nil
}

// continueOnError defaults to true; True and False as text are what some clients send.
func continueOnError(o door.Object) (bool, error) {
	if b, ok, err := o.Bool("continueOnError"); err == nil {
		return b || !ok, nil
	}
	text, _, err := o.Text("continueOnError")
	switch strings.ToLower(text) {
	case "true":
		return true, err
	case "false":
		return false, err
	}
	return false, fault.New(fault.Invalid, "continueOnError must be true or false")
}

// readOp reads one operation; only one without a name spoils the whole bulk.
func readOp(o door.Object) (secrets.Op, error) {
	name, err := requiredText(o, "op")
	if err != nil {
		return secrets.Op{}, err
	}
	op, wrong := readMembers(o)
	op.Op, op.Wrong = name, wrong
	return op, nil
}

func readMembers(o door.Object) (op secrets.Op, err error) {
	if op.URI, err = requiredText(o, "uri"); err != nil {
		return op, err
	}
	if _, ok := o["value"]; ok {
		if op.Value, err = value(o); err != nil {
			return op, err
		}
	}
	if op.Versions, err = versionList(o); err != nil {
		return op, err
	}
	if _, ok := o["versions"]; ok && op.Versions == nil {
		op.Versions = []int64{} // null names no version; it does not mean the whole path
	}
	if op.FragmentScope, _, err = o.Text("fragmentScope"); err != nil {
		return op, err
	}
	match, ok, err := o.Text("ifMatch")
	if err != nil || !ok {
		return op, err
	}
	if !strings.HasPrefix(match, `"`) && match != "*" {
		match = `"` + match + `"`
	}
	op.Match, err = parseMatch(match)
	return op, err
}

// itemResult is one operation's result; the members depend on its status.
type itemResult struct {
	Index      int     `json:"index"`
	Op         string  `json:"op"`
	URI        string  `json:"uri"`
	Status     string  `json:"status"`
	Version    **int64 `json:"version,omitempty"`
	HTTPStatus int     `json:"http_status,omitempty"`
	Code       string  `json:"code,omitempty"`
	Message    string  `json:"message,omitempty"`
}

func writeBulk(w http.ResponseWriter, out secrets.BulkDone) error {
	count := map[string]int{}
	results := make([]itemResult, len(out.Items))
	for i, item := range out.Items {
		count[item.Status]++
		res := itemResult{Index: i, Op: item.Op, URI: item.URI, Status: item.Status}
		switch {
		case item.Status == secrets.StatusError:
			res.HTTPStatus, _ = statusOf(&fault.Error{Kind: item.Kind, Code: item.Code})
			res.Code, res.Message = item.Code, item.Detail
		case item.Status == secrets.StatusOK && (item.Op == "set" || item.Op == "rotate"):
			version := orNull(item.Version)
			res.Version = &version
		}
		results[i] = res
	}
	replayed(w, out.Replayed)
	return door.JSON(w, http.StatusOK, struct {
		Results   []itemResult `json:"results"`
		Succeeded int          `json:"succeeded"`
		Failed    int          `json:"failed"`
		Skipped   int          `json:"skipped"`
	}{results, count[secrets.StatusOK], count[secrets.StatusError], count[secrets.StatusSkipped]})
}
