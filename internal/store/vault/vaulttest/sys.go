package vaulttest

import (
	"context"
	"net/http"
	"slices"
	"strconv"
)

// version is the server version that status answers show: the one whose behaviour
// the tables of this package follow.
const version = "2.6.2"

func (h *Handler) sysRoutes() []route {
	return []route{
		{"sys/health", open, endpoint{read: h.health}},
		{"sys/seal-status", open, endpoint{read: h.sealStatus}},
		{"sys/init", open, endpoint{read: h.initStatus}},
		{"sys/mounts", guarded, endpoint{read: h.listMounts}},
		{"sys/internal/ui/mounts/", anyToken, endpoint{read: h.showMount}},
		{"sys/wrapping/unwrap", open, endpoint{write: h.unwrap}},
		{"sys/capabilities-self", anyToken, endpoint{write: h.capabilities}},
	}
}

func (h *Handler) health(_ context.Context, r *request) reply {
	t := h.faults.read()
	status := r.code("activecode", http.StatusOK)
	switch {
	case t.uninitialised:
		status = r.code("uninitcode", http.StatusNotImplemented)
	case t.sealed:
		status = r.code("sealedcode", http.StatusServiceUnavailable)
	case t.standby && !truth(r.query.Get("standbyok")):
		status = r.code("standbycode", http.StatusTooManyRequests)
	}
	return reply{status: status, bare: true, noWrap: true, data: object{
		"cluster_id": "", "cluster_name": "vaulttest", "initialized": !t.uninitialised,
		"performance_standby": false, "replication_dr_mode": "disabled", "replication_performance_mode": "disabled",
		"sealed": t.sealed || t.uninitialised, "server_time_utc": h.now().Unix(), "standby": t.standby, "version": version,
	}}
}

// code lets a caller choose the status of a state, as load balancers do.
func (r *request) code(name string, otherwise int) int {
	n, err := strconv.Atoi(r.query.Get(name))
	if err != nil || n < 200 || n > 599 {
		return otherwise
	}
	return n
}

func (h *Handler) sealStatus(context.Context, *request) reply {
	t := h.faults.read()
	return reply{status: http.StatusOK, bare: true, noWrap: true, data: object{
		"build_date": "", "cluster_id": "", "cluster_name": "vaulttest", "initialized": !t.uninitialised,
		"migration": false, "n": 1, "nonce": "", "progress": 0, "recovery_seal": false,
		"sealed": t.sealed || t.uninitialised, "storage_type": "coffer", "t": 1, "type": "shamir", "version": version,
	}}
}

func (h *Handler) initStatus(context.Context, *request) reply {
	t := h.faults.read()
	return reply{status: http.StatusOK, bare: true, noWrap: true, data: object{"initialized": !t.uninitialised}}
}

// capabilities answers, for each path, what the caller's own token may do there.
func (h *Handler) capabilities(ctx context.Context, r *request) reply {
	paths, err := r.body.List("paths")
	if err == nil && len(paths) == 0 {
		paths, err = r.body.List("path")
	}
	if err != nil {
		return r.fail(err)
	}
	if len(paths) == 0 {
		return invalid("paths must be supplied")
	}
	data := object{}
	for _, p := range paths {
		caps, err := h.capabilitiesOf(ctx, r.session, p)
		if err != nil {
			return r.fail(err)
		}
		data[p] = caps
		if len(paths) == 1 {
			data["capabilities"] = caps
		}
	}
	return system(data)
}

func (h *Handler) capabilitiesOf(ctx context.Context, s session, path string) ([]string, error) {
	if slices.Contains(s.token.Policies, RootPolicy) {
		return []string{"root"}, nil
	}
	if h.cfg.Policies == nil {
		return []string{"deny"}, nil
	}
	caps, err := h.cfg.Policies.Capabilities(ctx, s.policies(), path)
	if err == nil && len(caps) == 0 {
		caps = []string{"deny"}
	}
	slices.Sort(caps)
	return caps, err
}
